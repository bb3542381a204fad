//! The head of a file on disk, read once into private memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::{Layout, Limits, Stop, View};
use crate::error::{Error, Result};

/// How much is read at first: enough for most files without a vocabulary.
const FIRST_READ: u64 = 1 << 20;

/// Header, metadata and tensor table of a file, in private memory; the tensor data stays on disk.
///
/// This is what a program uses that reads tensors with positioned reads rather than through a mapping.
#[derive(Debug)]
pub struct Head {
    bytes: Box<[u8]>,
    layout: Layout,
}

impl Head {
    /// Reads the head of an open file.
    ///
    /// # Errors
    /// When reading fails, the file breaks a rule of the container, or passes a limit.
    pub fn read(file: &mut File, limits: &Limits) -> Result<Self> {
        let file_bytes = file.metadata().map_err(Error::io("read the size"))?.len();
        file.seek(SeekFrom::Start(0)).map_err(Error::io("seek"))?;
        let mut bytes = Vec::new();
        let mut want = FIRST_READ;
        loop {
            let missing = want.min(file_bytes) - bytes.len() as u64;
            file.take(missing).read_to_end(&mut bytes).map_err(Error::io("read"))?;
            if (bytes.len() as u64) < want.min(file_bytes) {
                let problem = format!("the file shrank while it was read; it had {file_bytes} bytes");
                return Err(Error::malformed(bytes.len() as u64, problem));
            }
            match Layout::read(&bytes, file_bytes, limits) {
                Ok(layout) => {
                    // Ranges were proved against these bytes; what lies behind the head is not needed.
                    bytes.truncate(usize::try_from(layout.head_bytes).unwrap_or(usize::MAX));
                    return Ok(Self { bytes: bytes.into_boxed_slice(), layout });
                }
                Err(Stop::Fail(error)) => return Err(error),
                // Four times as much each time: the work of starting over stays under a third of the whole. No more
                // than a head may have, unless it is known to have it.
                Err(Stop::Need(need)) => want = need.max(want.saturating_mul(4).min(limits.head_bytes)),
            }
        }
    }

    /// The bytes of header, metadata and tensor table.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Header, metadata and tensor table. The tensors have no bytes here.
    pub fn view(&self) -> View<'_> {
        View { layout: &self.layout, head: &self.bytes, data: &[] }
    }

    /// The same, with the whole file behind it.
    pub(crate) fn view_over<'a>(&'a self, data: &'a [u8]) -> View<'a> {
        View { layout: &self.layout, head: &self.bytes, data }
    }
}

/// Opens a regular file for reading; a directory, pipe or device is refused without waiting for it.
///
/// # Errors
/// When the file is missing, not readable, or no regular file.
pub fn open_regular(path: &Path) -> Result<File> {
    let open = || -> Result<File> {
        let kind = std::fs::metadata(path).map_err(Error::io("open"))?;
        let is_no_file = |what: &str| Error::io("open")(io::Error::other(what));
        let not_regular = || is_no_file("it is not a regular file");
        if kind.is_dir() {
            return Err(is_no_file("it is a directory, and a file is expected"));
        }
        if !kind.is_file() {
            return Err(not_regular());
        }
        let file = File::open(path).map_err(Error::io("open"))?;
        match file.metadata().map_err(Error::io("open"))?.is_file() {
            true => Ok(file),
            false => Err(not_regular()),
        }
    };
    open().map_err(|error| error.in_file(path))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::block;
    use crate::metadata::MetadataBuf;
    use crate::{FilePlan, Shape, TensorSpec, TensorType, TensorWriter};

    #[test]
    fn a_tensor_of_a_head_has_no_blocks_rather_than_none_of_them() {
        let spec = TensorSpec::new("w", Shape::new(&[4]).unwrap(), TensorType::F32).unwrap();
        let plan = FilePlan::new(&MetadataBuf::new(), vec![spec]).unwrap();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        writer.write("w", &[0; 16]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&writer.finish().unwrap()).unwrap();
        let head = Head::read(&mut file, &Limits::default()).unwrap();
        let tensor = head.view().tensor("w").unwrap();
        let error = tensor.blocks::<block::F32>().unwrap_err();
        assert_eq!(error.to_string(), "tensor \"w\" has no bytes here: only the head of its file was read");
    }
}
