//! The blocks of a tensor of the file, read by position: a file that shrinks under its reader is an error, where a
//! mapping of it would end the process.

use std::ops::Range;

use briq_format::block::swap_bytes;
use briq_format::{Endian, TensorInfo, TensorType};

use crate::Result;
use crate::integrity::Place;

/// Weights that are looked at at a time: a whole number of blocks of any type.
pub(super) const CHUNK: u64 = 1 << 16;

/// A tensor of a type that briq knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks<'a> {
    pub(super) ty: TensorType,
    info: TensorInfo<'a>,
    place: Place<'a>,
}

impl<'a> Blocks<'a> {
    /// None where the type is unknown.
    pub(super) fn of(info: TensorInfo<'a>, place: Place<'a>) -> Option<Self> {
        info.tensor_type().ok().map(|ty| Self { ty, info, place })
    }

    /// The weights in ranges that begin and end with a block.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let elements = self.info.shape.elements();
        (0..elements.div_ceil(CHUNK)).map(move |chunk| chunk * CHUNK..((chunk + 1) * CHUNK).min(elements))
    }

    /// Fills `bytes` with the blocks of a range of weights, which begins and ends with a block, little-endian.
    pub(super) fn read(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let start = range.start / self.ty.block_elements() * self.ty.block_bytes();
        let end = range.end / self.ty.block_elements() * self.ty.block_bytes();
        // No more than a chunk or a row, and nothing past the tensor.
        let (start, end) = (start.min(self.place.bytes), end.min(self.place.bytes));
        bytes.resize((end - start) as usize, 0);
        self.place.fill(start, bytes)?;
        if self.info.endian == Endian::Big {
            swap_bytes(self.ty, bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::sync::atomic::AtomicBool;

    use briq_format::metadata::MetadataBuf;
    use briq_format::shard::open_parts;
    use briq_format::{FilePlan, Limits, Shape, TensorSpec, TensorWriter};

    use super::*;
    use crate::verify::verify;

    #[test]
    fn a_file_that_shrinks_while_it_is_checked_is_an_error_that_names_it() {
        let spec = TensorSpec::new("w", Shape::new(&[4096, 32]).unwrap(), TensorType::F32).unwrap();
        let plan = FilePlan::new(&MetadataBuf::new(), vec![spec]).unwrap();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        writer.write("w", &[0; 4 * 4096 * 32]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        fs::write(&path, writer.finish().unwrap()).unwrap();
        let parts = open_parts(&path, &Limits::default()).unwrap();
        let check = || verify(&parts, &(), &AtomicBool::new(false));
        assert!(check().unwrap().passed);
        File::options().write(true).open(&path).unwrap().set_len(plan.file_bytes() / 2).unwrap();
        let message = format!("{}: it is cut short: the file changed while it was read", path.display());
        assert_eq!(check().unwrap_err().to_string(), message);
    }
}
