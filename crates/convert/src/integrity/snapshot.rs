//! The stable text of a model that is read by position.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use briq_format::shard::open_parts;
use briq_format::{Limits, Snapshot};

use super::data::{Tensors, hash_places};
use crate::Result;
use crate::run::Progress;

/// The text of [`Gguf::snapshot`](briq_format::Gguf::snapshot) for the model at `path`, of which any shard stands for
/// all. Nothing is mapped: a file that somebody shortens meanwhile is an error.
///
/// # Errors
/// When the model is bad or cannot be read, or `stop` was set.
pub fn snapshot(path: &Path, progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<String> {
    let parts = open_parts(path, &Limits::default())?;
    let hashes = hash_places(&Tensors::of(&parts).places, progress, stop)?;
    let hashes: Vec<[u8; 32]> = hashes.into_iter().map(|hash| hash.data.into()).collect();
    Ok(Snapshot::of(&parts, &hashes)?.to_string())
}
