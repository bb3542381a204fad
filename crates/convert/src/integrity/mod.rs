//! Is a file what it was when it was written?
//!
//! A conversion puts a record under `briq.integrity.` into the metadata: a BLAKE3 digest of every key and of every
//! tensor, and one over all of them. [`check`] holds a model against the record it carries, [`check_against`]
//! against hashes in a file of their own: a [`Manifest`], or one of the forms in [`foreign`]. Spec: integrity.md.

mod against;
mod check;
mod data;
mod digest;
pub mod foreign;
mod line;
mod listing;
mod manifest;
mod padding;
mod record;
mod snapshot;
mod stream;
mod tree;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use against::check_against;
pub use check::{ByteRange, Change, Damage, Findings, State, check};
pub use listing::{KeyLine, Listing, TensorLine};
pub use manifest::Manifest;
pub use record::{ALGORITHM, Record, VERSION};
pub use snapshot::snapshot;

pub(crate) use check::hold_tensors;
pub(crate) use data::{Place, Tensors};
pub(crate) use record::recorded;
pub(crate) use stream::Stream;
pub(crate) use tree::{Run, TensorHash};
