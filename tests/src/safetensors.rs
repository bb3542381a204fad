//! Safetensors files made by hand, so that they can be wrong.

use crate::Folder;

/// A safetensors file with this header, whatever it says, and this data.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

/// A file with one F32 tensor called `w.weight`, of two rows.
///
/// # Panics
/// When the weights are no two rows.
pub fn two_rows(weights: &[f32]) -> Vec<u8> {
    assert!(weights.len().is_multiple_of(2));
    let (row, end) = (weights.len() / 2, 4 * weights.len());
    let header = format!(r#"{{"w.weight":{{"dtype":"F32","shape":[2,{row}],"data_offsets":[0,{end}]}}}}"#);
    let data: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    safetensors(&header, &data)
}

/// Says in the file `name` that `tensor` has another `dtype`, and leaves its bytes as they are.
///
/// # Panics
/// When there is no such tensor.
pub fn retyped(folder: &Folder, name: &str, tensor: &str, dtype: &str) {
    let file = folder.read(name);
    let (length, rest) = file.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let (header, data) = rest.split_at(usize::try_from(length).expect("a header that is in memory"));
    let mut header: serde_json::Value = serde_json::from_slice(header).expect("a header in JSON");
    *header.pointer_mut(&format!("/{tensor}/dtype")).expect("a tensor of this name") = dtype.into();
    folder.write(name, safetensors(&header.to_string(), data));
}
