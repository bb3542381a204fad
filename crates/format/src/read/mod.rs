//! Reading: bytes in, proved structure out.

mod cursor;
mod head;
mod holes;
mod layout;
mod limits;
mod names;
mod view;

pub(crate) use cursor::{Cursor, Span, Stop};
pub use head::{Head, open_regular};
pub use holes::{Hole, holes};
pub(crate) use layout::Layout;
pub use limits::Limits;
pub(crate) use names::{check_key, check_tensor_name};
pub use view::{Parsed, View};

use crate::error::{Error, Result};

/// Parses a whole file in memory with the default limits. Nothing is copied.
///
/// ```
/// let file = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// let parsed = briq_format::parse(file)?;
/// assert_eq!(parsed.view().header().version, 3);
/// # Ok::<(), briq_format::Error>(())
/// ```
///
/// # Errors
/// When the bytes break a rule of the container or pass a limit.
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>> {
    parse_with(bytes, &Limits::default())
}

/// As [`parse`], with limits of the caller's.
///
/// # Errors
/// When the bytes break a rule of the container or pass a limit.
pub fn parse_with<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Parsed<'a>> {
    match Layout::read(bytes, bytes.len() as u64, limits) {
        Ok(layout) => Ok(Parsed::new(bytes, layout)),
        Err(Stop::Fail(error)) => Err(error),
        // All bytes are there, so a length that passes them was refused before.
        Err(Stop::Need(need)) => {
            Err(Error::malformed(bytes.len() as u64, format!("{need} bytes are needed")))
        }
    }
}
