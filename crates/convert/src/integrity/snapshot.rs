//! The stable text of a model that is read by position.

use std::sync::atomic::AtomicBool;

use briq_format::Snapshot;
use briq_format::shard::Part;

use super::data::{Tensors, hash_places};
use crate::Result;
use crate::run::Progress;

/// The text of [`Gguf::snapshot`](briq_format::Gguf::snapshot) for a model in these files. Nothing is mapped: a file
/// that somebody shortens meanwhile is an error.
///
/// # Errors
/// When a file cannot be read, or `stop` was set.
pub fn snapshot(parts: &[Part], progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<String> {
    let hashes = hash_places(&Tensors::of(parts).places, progress, stop)?;
    let hashes: Vec<[u8; 32]> = hashes.into_iter().map(|hash| hash.data.into()).collect();
    Ok(Snapshot::of(parts, &hashes)?.to_string())
}
