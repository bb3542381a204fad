//! Keys that briq itself reads or writes. Spec: metadata.md, "Well-known keys".

/// The architecture, a string such as `llama`; the prefix of most other keys.
pub const ARCHITECTURE: &str = "general.architecture";
/// The alignment of tensor data in bytes, u32; 32 where absent.
pub const ALIGNMENT: &str = "general.alignment";
/// The recipe of the file as llama.cpp numbers them, u32.
pub const FILE_TYPE: &str = "general.file_type";
/// The version of the quantized block formats, u32; always 2.
pub const QUANTIZATION_VERSION: &str = "general.quantization_version";
/// The model's name, a string.
pub const NAME: &str = "general.name";
/// The number of this shard, from 0.
pub const SPLIT_NO: &str = "split.no";
/// The number of shards.
pub const SPLIT_COUNT: &str = "split.count";
/// The number of tensors in all shards together.
pub const SPLIT_TENSORS_COUNT: &str = "split.tensors.count";

/// What the keys of a record of integrity begin with. Spec: integrity.md, "Record".
pub const INTEGRITY_PREFIX: &str = "briq.integrity.";
/// The version of the record, u32.
pub const INTEGRITY_VERSION: &str = "briq.integrity.version";
/// The hash that its digests are made with, a string.
pub const INTEGRITY_ALGORITHM: &str = "briq.integrity.algorithm";
/// The digest over all keys and tensors, a string.
pub const INTEGRITY_WHOLE: &str = "briq.integrity.whole";
/// A line for every other key of the file, strings.
pub const INTEGRITY_KEYS: &str = "briq.integrity.keys";
/// A line for every tensor, strings.
pub const INTEGRITY_TENSORS: &str = "briq.integrity.tensors";
/// For every tensor the hashes of its pieces, strings.
pub const INTEGRITY_PIECES: &str = "briq.integrity.pieces";
