//! Writing: a plan that knows every offset, then one pass from front to back.

mod atomic;
mod plan;
mod stream;
mod system;
mod temporary;
mod write_back;

pub use atomic::{AtomicFile, Existing};
pub use plan::{FilePlan, MIN_WRITTEN_ALIGNMENT, TensorSpec};
pub use stream::TensorWriter;
pub use system::{FileSystem, System};
pub use temporary::remove_unfinished;
