//! Writing a planned file from front to back.

use std::io::Write;

use super::FilePlan;
use crate::error::{Error, Result};

/// Writes the tensors of a [`FilePlan`] in order, and holds what it is given against the plan.
///
/// ```
/// use briq_format::metadata::MetadataBuf;
/// use briq_format::{FilePlan, Shape, TensorSpec, TensorType, TensorWriter};
///
/// let tensor = TensorSpec::new("w", Shape::new(&[4])?, TensorType::F32)?;
/// let plan = FilePlan::new(&MetadataBuf::new(), vec![tensor])?;
/// let mut writer = TensorWriter::new(&plan, Vec::new())?;
/// writer.write("w", &[0; 16])?;
/// let file = writer.finish()?;
/// assert_eq!(file.len() as u64, plan.file_bytes());
/// # Ok::<(), briq_format::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorWriter<'p, W> {
    plan: &'p FilePlan,
    out: W,
    /// The tensor that is being written.
    index: usize,
    /// How much of it is there, in bytes.
    written: u64,
    /// Whether a write has failed: nobody knows then how much of it is there.
    failed: bool,
}

impl<'p, W: Write> TensorWriter<'p, W> {
    /// Writes the head of the file.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(plan: &'p FilePlan, mut out: W) -> Result<Self> {
        out.write_all(plan.head()).map_err(Error::output("write"))?;
        let mut writer = Self { plan, out, index: 0, written: 0, failed: false };
        writer.close_full()?;
        Ok(writer)
    }

    /// Appends `bytes` to the tensor called `name`, which must be the one whose turn it is.
    ///
    /// # Errors
    /// When writing fails or has failed before, it is another tensor's turn, or the bytes are more than the plan has
    /// room for.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.check_sound()?;
        let Some((spec, _)) = self.plan.tensors.get(self.index) else {
            return Err(Error::invalid(format!("tensor \"{name}\" comes after the last one of the plan")));
        };
        if spec.name() != name {
            let turn = spec.name();
            return Err(Error::invalid(format!(
                "tensor \"{name}\" is written while it is the turn of \"{turn}\""
            )));
        }
        let room = spec.bytes() - self.written;
        if bytes.len() as u64 > room {
            let given = bytes.len();
            return Err(Error::invalid(format!(
                "tensor \"{name}\" has room for {room} more bytes, not {given}"
            )));
        }
        // Until all of it is there.
        self.failed = true;
        self.out.write_all(bytes).map_err(Error::output("write"))?;
        self.written += bytes.len() as u64;
        self.close_full()?;
        self.failed = false;
        Ok(())
    }

    /// Ends the file and returns what it was written to.
    ///
    /// # Errors
    /// When writing fails or has failed before, or a tensor is incomplete.
    pub fn finish(mut self) -> Result<W> {
        self.check_sound()?;
        if let Some((spec, _)) = self.plan.tensors.get(self.index) {
            let (name, bytes) = (spec.name(), spec.bytes());
            return Err(Error::invalid(format!(
                "tensor \"{name}\" has {} of its {bytes} bytes",
                self.written
            )));
        }
        self.out.flush().map_err(Error::output("write"))?;
        Ok(self.out)
    }

    fn check_sound(&self) -> Result<()> {
        match self.failed {
            true => Err(Error::invalid("a write has failed: the file cannot be completed any more")),
            false => Ok(()),
        }
    }

    /// Pads every tensor that is complete, empty ones included, and moves on to the next.
    fn close_full(&mut self) -> Result<()> {
        while let Some((spec, _)) = self.plan.tensors.get(self.index) {
            if self.written < spec.bytes() {
                break;
            }
            let padding = self.plan.padding(spec.bytes());
            std::io::copy(&mut std::io::Read::take(std::io::repeat(0), padding), &mut self.out)
                .map_err(Error::output("write"))?;
            self.index += 1;
            self.written = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::MetadataBuf;
    use crate::{Shape, TensorSpec, TensorType};

    fn plan() -> FilePlan {
        let spec = |name: &str, n| TensorSpec::new(name, Shape::new(&[n]).unwrap(), TensorType::F32).unwrap();
        FilePlan::new(&MetadataBuf::new(), vec![spec("a", 3), spec("empty", 0), spec("b", 1)]).unwrap()
    }

    #[test]
    fn what_does_not_follow_the_plan_is_refused() {
        let plan = plan();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        let refused = |written: Result<()>| written.unwrap_err().to_string();
        assert_eq!(
            refused(writer.write("b", &[0; 4])),
            "tensor \"b\" is written while it is the turn of \"a\""
        );
        assert_eq!(refused(writer.write("a", &[0; 13])), "tensor \"a\" has room for 12 more bytes, not 13");
        writer.write("a", &[0; 5]).unwrap();
        assert_eq!(writer.finish().unwrap_err().to_string(), "tensor \"a\" has 5 of its 12 bytes");
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        writer.write("a", &[0; 12]).unwrap();
        writer.write("b", &[0; 4]).unwrap();
        assert_eq!(refused(writer.write("b", &[0; 4])), "tensor \"b\" comes after the last one of the plan");
    }

    /// Takes `room` more bytes and fails once, as a disk does on which somebody makes room.
    #[derive(Debug)]
    struct FullOnce {
        file: Vec<u8>,
        room: Option<usize>,
    }

    impl Write for FullOnce {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = match self.room {
                Some(0) => {
                    self.room = None;
                    return Err(std::io::ErrorKind::StorageFull.into());
                }
                Some(room) => bytes.len().min(room),
                None => bytes.len(),
            };
            self.room = self.room.map(|room| room - taken);
            self.file.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_write_that_failed_half_way_nothing_more_is_taken() {
        let plan = plan();
        let out = FullOnce { file: Vec::new(), room: Some(plan.head().len() + 5) };
        let mut writer = TensorWriter::new(&plan, out).unwrap();
        assert!(writer.write("a", &[7; 12]).is_err());
        let expected = "a write has failed: the file cannot be completed any more";
        assert_eq!(writer.write("a", &[7; 12]).unwrap_err().to_string(), expected);
        assert_eq!(writer.finish().unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_file_has_the_planned_size_and_reads_back() {
        let plan = plan();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        writer.write("a", &[7; 12]).unwrap();
        writer.write("b", &[9; 4]).unwrap();
        let file = writer.finish().unwrap();
        assert_eq!(file.len() as u64, plan.file_bytes());
        let parsed = crate::parse(&file).unwrap();
        assert_eq!(parsed.view().tensor("b").unwrap().bytes(), [9; 4]);
        assert_eq!(parsed.view().tensor("empty").unwrap().bytes(), []);
        assert_eq!(parsed.view().trailing_bytes(), 0);
    }
}
