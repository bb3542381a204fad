//! Files of tensors that hold many small things.

use std::fmt::Write as _;

use super::{BYTES, numbered};
use crate::{Folder, safetensors};

pub(super) fn empty_tensors(folder: &Folder) {
    let mut header = String::from("{\"_\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}");
    numbered(&mut header, |header, number| {
        write!(header, ",\"{number:x}\":{{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}}")
    });
    folder.write("w.safetensors", safetensors(&(header + "}"), &[]));
}

/// The head of a file of version 3.
pub(super) fn gguf(tensors: usize, keys: usize, rest: &[u8]) -> Vec<u8> {
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend((tensors as u64).to_le_bytes());
    file.extend((keys as u64).to_le_bytes());
    file.extend(rest);
    file
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A name that is as short as it can be.
fn short_name(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'!' + (number % 90) as u8));
        number /= 90;
        if number == 0 {
            break name;
        }
    }
}

/// Tensors of one dimension without elements.
pub(super) fn gguf_table(folder: &Folder, type_id: u8) {
    let mut table = Vec::new();
    let mut count = 0;
    while table.len() < BYTES - 200 {
        table.extend(string(&short_name(count)));
        table.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, type_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        count += 1;
    }
    table.extend([0; 64]);
    folder.write("f.gguf", gguf(count, 0, &table));
}

pub(super) fn gguf_keys(folder: &Folder) {
    let mut keys = Vec::new();
    let mut count = 0;
    while keys.len() < BYTES - 200 {
        keys.extend(string(&short_name(count)));
        // A value of the type u8.
        keys.extend([0, 0, 0, 0, 7]);
        count += 1;
    }
    folder.write("f.gguf", gguf(0, count, &keys));
}

pub(super) fn gguf_array(folder: &Folder, element_type: u32, element: &[u8]) {
    let count = (BYTES - 200) / element.len();
    let head = [&string("a")[..], &[9, 0, 0, 0], &element_type.to_le_bytes(), &(count as u64).to_le_bytes()]
        .concat();
    folder.write("f.gguf", gguf(0, 1, &[head, element.repeat(count)].concat()));
}

pub(super) fn legacy_entries(folder: &Folder) {
    let mut entries = Vec::new();
    let mut count = 0_i32;
    while entries.len() < BYTES - 200 {
        let name = short_name(count as usize);
        entries.extend((name.len() as i32).to_le_bytes());
        entries.extend(name.bytes());
        entries.extend([1_i32, 1].iter().flat_map(|number| number.to_le_bytes()));
        entries.extend(1_f32.to_le_bytes());
        count += 1;
    }
    folder.write("i.dat", [&count.to_le_bytes()[..], &entries].concat());
}

/// An importance matrix with these data sets and tensors.
pub(super) fn imatrix(datasets: (u64, &[u8]), tensors: &[u8], tensor_count: usize) -> Vec<u8> {
    let key = |name: &str, ty: u8| [&string(name)[..], &[ty, 0, 0, 0]].concat();
    let one = vec![1, 0, 0, 0];
    let mut rest = [
        key("general.type", 8),
        string("imatrix"),
        key("imatrix.datasets", 9),
        vec![8, 0, 0, 0],
        datasets.0.to_le_bytes().to_vec(),
        datasets.1.to_vec(),
        key("imatrix.chunk_count", 4),
        one.clone(),
        key("imatrix.chunk_size", 4),
        one,
        tensors.to_vec(),
    ]
    .concat();
    let head = 24 + rest.len();
    rest.extend(vec![0; head.next_multiple_of(32) - head]);
    let number = [&1_f32.to_le_bytes()[..], &[0; 28]].concat();
    rest.extend(number.repeat(tensor_count));
    gguf(tensor_count, 4, &rest)
}

/// The row of a tensor of one number.
fn single(name: &str, place: usize) -> Vec<u8> {
    let shape_and_type = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&string(name)[..], &shape_and_type, &(32 * place as u64).to_le_bytes()].concat()
}

pub(super) fn imatrix_entries(folder: &Folder) {
    let (mut tensors, mut count) = (Vec::new(), 0);
    while tensors.len() + 32 * count < BYTES - 1000 {
        for suffix in [".in_sum2", ".counts"] {
            tensors.extend(single(&format!("{}{suffix}", short_name(count / 2)), count));
            count += 1;
        }
    }
    folder.write("i.gguf", imatrix((0, &[]), &tensors, count));
}

pub(super) fn datasets(folder: &Folder) {
    let (mut names, mut count) = (Vec::new(), 0);
    while names.len() < BYTES - 1000 {
        names.extend(string(&short_name(count as usize)));
        count += 1;
    }
    let tensors = [single("w.in_sum2", 0), single("w.counts", 1)].concat();
    folder.write("i.gguf", imatrix((count, &names), &tensors, 2));
}
