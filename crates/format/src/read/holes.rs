//! Where a file holds no data: holes, which the system reads as zeros. A download or copy that was never finished
//! leaves one to the end of the file, which has its full size all the same.

use std::fs::File;
use std::ops::Range;

use super::View;

/// Bytes of a file that no disk holds, and that reach into tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole<'a> {
    /// Where they are, in bytes from the beginning of the file.
    pub bytes: Range<u64>,
    /// Whether there is nothing behind them.
    pub reaches_end: bool,
    /// The tensors that lie in it, wholly or in part, in their order.
    pub tensors: Vec<&'a str>,
}

/// Finds the holes of a file that reach into the tensors of `view`, which is its own, in order.
///
/// On Linux, and on file systems that keep holes; elsewhere none are found. Leaves the file at another place to read
/// on from.
pub fn holes<'a>(file: &File, view: View<'a>) -> Vec<Hole<'a>> {
    let file_bytes = view.file_bytes();
    // In the order of the data, which is that of the table.
    let tensors: Vec<_> = view.tensor_infos().filter(|tensor| tensor.bytes > 0).collect();
    let hole = |bytes: Range<u64>| {
        let first = tensors.partition_point(|tensor| tensor.offset_in_file + tensor.bytes <= bytes.start);
        let inside = tensors[first..].iter().take_while(|tensor| tensor.offset_in_file < bytes.end);
        Hole {
            reaches_end: bytes.end == file_bytes,
            tensors: inside.map(|tensor| tensor.name).collect(),
            bytes,
        }
    };
    ranges(file, file_bytes).map(hole).filter(|hole| !hole.tensors.is_empty()).collect()
}

#[cfg(target_os = "linux")]
fn ranges(file: &File, file_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    let mut at = 0;
    std::iter::from_fn(move || {
        // Whatever fails here says nothing of the file; where there is no hole, one begins at its end.
        let start = seek(file, SeekFrom::Hole(at)).ok().filter(|&start| start < file_bytes)?;
        let end = match seek(file, SeekFrom::Data(start)) {
            Ok(end) => end.min(file_bytes),
            Err(Errno::NXIO) => file_bytes,
            Err(_) => return None,
        };
        // Somebody may be filling it.
        at = end.max(start + 1);
        Some(start..end)
    })
}

#[cfg(not(target_os = "linux"))]
fn ranges(_: &File, _: u64) -> impl Iterator<Item = Range<u64>> {
    std::iter::empty()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::{FilePlan, Gguf, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter};

    const TENSOR: u64 = 256 << 10;

    /// A file of four tensors of zeros, of which only these parts are written.
    fn sparse(written: &[Range<u64>]) -> (tempfile::NamedTempFile, u64) {
        let shape = Shape::new(&[TENSOR / 4]).unwrap();
        let spec = |name: &str| TensorSpec::new(name, shape, TensorType::F32).unwrap();
        let plan = FilePlan::new(&MetadataBuf::new(), ["a", "b", "c", "d"].map(spec).into()).unwrap();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        ["a", "b", "c", "d"].iter().for_each(|name| writer.write(name, &[0; TENSOR as usize]).unwrap());
        let bytes = writer.finish().unwrap();
        let start = bytes.len() as u64 - 4 * TENSOR;
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(bytes.len() as u64).unwrap();
        for part in written {
            file.as_file().write_all_at(&bytes[part.start as usize..part.end as usize], part.start).unwrap();
        }
        (file, start)
    }

    fn found(file: &tempfile::NamedTempFile) -> Vec<(Vec<String>, bool)> {
        let model = Gguf::open(file.path()).unwrap();
        let part = model.parts().next().unwrap();
        let holes = holes(&part.file, part.head.view());
        holes
            .iter()
            .map(|hole| (hole.tensors.iter().map(|&name| name.into()).collect(), hole.reaches_end))
            .collect()
    }

    #[test]
    fn holes_are_named_by_the_tensors_that_they_reach_into() {
        let (empty, data) = sparse(&[]);
        let end = empty.as_file().metadata().unwrap().len();
        let (whole, _) = sparse(&[0..TENSOR, TENSOR..end]);
        assert_eq!(found(&whole), []);
        // From inside of "b" to inside of "c", and "d" but for its beginning.
        let (holed, _) =
            sparse(&[0..data + TENSOR + 10, data + 2 * TENSOR + 100_000..data + 3 * TENSOR + 10]);
        let holes = found(&holed);
        if holes.is_empty() {
            eprintln!("not tested: the file system keeps no holes here");
            return;
        }
        let name = |name: &str| name.to_owned();
        assert_eq!(holes, [(vec![name("b"), name("c")], false), (vec![name("d")], true)]);
    }
}
