//! What a file may ask for before it is refused. Spec: limits.md.

/// Limits on what reading a file may cost. Every count is held against the bytes that remain anyway; these
/// limits bound files that are honest but huge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of header, metadata and tensor table together. Default: 256 MiB.
    pub head_bytes: u64,
    /// Bytes of a tensor's name. Default: 1024.
    pub name_bytes: u64,
    /// How deep arrays may hold arrays; each level takes stack, so more than 64 counts as 64. Default: 4.
    pub nesting: u32,
    /// The number of shards of one model. Default: 65,535.
    pub shards: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes: 256 << 20, name_bytes: 1024, nesting: 4, shards: 65_535 }
    }
}
