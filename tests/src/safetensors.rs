//! Safetensors files made by hand, so that they can be wrong.

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
