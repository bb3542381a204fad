//! Read, check and write GGUF model files.
//!
//! The crate turns bytes into proved structure and structure into bytes. It knows how the blocks of every
//! tensor type are laid out, but not what weight they stand for: that is `briq-codec`.
//!
//! * [`Gguf::open`] maps a model, all its shards as one; [`parse`] does the same over bytes in memory.
//! * [`FilePlan`] and [`TensorWriter`] write a file; [`AtomicFile`] makes it appear complete or not at all.
//! * [`types`] is the table of tensor types, [`block`] the layouts of their blocks.
//! * [`Snapshot`] is a stable text of a file for golden-file tests.

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "files of many gigabytes are mapped, and their sizes held in usize: briq needs a 64-bit target"
);

pub mod block;
mod error;
mod escape;
mod header;
mod map;
pub mod metadata;
mod open;
mod read;
pub mod scalar;
pub mod shard;
mod snapshot;
mod tensor;
pub mod types;
pub mod wire;
mod words;
mod write;

pub use error::{Error, Result};
pub use escape::{Escaped, Printable};
pub use header::Header;
pub use metadata::{Array, Metadata, MetadataBuf, OwnedValue, Text, Value};
pub use open::Gguf;
pub use read::{Head, Hole, Limits, Parsed, View, holes, open_regular, parse, parse_with};
pub use snapshot::Snapshot;
pub use tensor::{Shape, Tensor, TensorInfo};
pub use types::{Content, TensorType, TypeId};
pub use wire::{Endian, ValueType};
pub use words::counted;
pub use write::{
    AtomicFile, Existing, FilePlan, FileSystem, MIN_WRITTEN_ALIGNMENT, System, TensorSpec, TensorWriter,
    remove_unfinished,
};
