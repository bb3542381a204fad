//! Safetensors files: every byte arbitrary, or a header of the right length before the data.

use briq_convert::source::Source;

use crate::scratch;

pub(crate) fn run(bytes: &[u8]) {
    let file = match bytes.split_first() {
        // A header as it is, and fewer than 256 bytes of data.
        Some((b'{', _)) => {
            let data = bytes.len() % 256;
            [&(bytes.len() as u64).to_le_bytes()[..], bytes, &vec![0; data][..]].concat()
        }
        _ => bytes.to_vec(),
    };
    let path = scratch::file("w.safetensors", &file);
    let Ok(source) = Source::open(&path) else { return };
    let mut total = 0;
    for tensor in &source.tensors {
        let mut data = vec![0; tensor.bytes as usize];
        source.read(tensor, 0, &mut data).expect("a tensor of a file that was accepted can be read");
        total += tensor.bytes;
    }
    assert!(total < file.len() as u64, "tensors of {total} bytes in a file of {}", file.len());
    assert!(source.tensors.is_sorted_by(|a, b| a.name < b.name));
}
