//! The hashes of tensors while they are written, one after the other.

use briq_format::FilePlan;

use super::tree::{Run, TensorHash, Tree};

/// Tensors that are written, and how far that is.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Zeros that a reader will see behind each tensor as a part of it.
    zeros: Vec<u64>,
    done: Vec<TensorHash>,
    /// Of the tensor that is being written.
    tree: Tree,
}

impl Stream {
    /// Of the tensors of a file, of which nothing is written yet.
    pub(crate) fn of(file: &FilePlan) -> Self {
        Self::new(file.tensors().map(|spec| file.seen_bytes(spec) - spec.bytes()).collect())
    }

    fn new(zeros: Vec<u64>) -> Self {
        Self { zeros, done: Vec::new(), tree: Tree::default() }
    }

    /// Adds bytes of a tensor, given by its number. Those before it are complete.
    pub(crate) fn add(&mut self, tensor: usize, run: &Run, bytes: &[u8]) {
        self.complete(tensor);
        self.tree.add(run, bytes);
    }

    /// The hashes of all tensors.
    pub(crate) fn finish(mut self) -> Vec<TensorHash> {
        self.complete(self.zeros.len());
        self.done
    }

    fn complete(&mut self, tensors: usize) {
        while self.done.len() < tensors {
            let zeros = self.zeros.get(self.done.len()).copied().unwrap_or(0);
            // Less than an alignment.
            self.tree.add_bytes(&vec![0; zeros as usize]);
            self.done.push(std::mem::take(&mut self.tree).finish());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_tensors_and_zeros_behind_a_tensor_are_hashed_in_their_places() {
        let mut stream = Stream::new(vec![0, 3, 0, 0]);
        stream.add(1, &Run::of(0, b"abc", 3), b"abc");
        stream.add(2, &Run::of(0, b"d", 1), b"d");
        let found: Vec<_> = stream.finish().into_iter().map(|hash| hash.data).collect();
        assert_eq!(found, [&b""[..], b"abc\0\0\0", b"d", b""].map(blake3::hash));
    }
}
