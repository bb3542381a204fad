//! BLAKE3 of bytes that come in runs, each hashed on the thread that made it.
//!
//! BLAKE3 is a tree over chunks of 1024 bytes. A thread that has a run of a tensor in its cache hashes the whole
//! chunks inside it, as the largest subtrees that lie where the tree has them ([`Run`]); what a run begins and ends
//! with of a chunk is left to the one that sees the runs in order ([`Tree`]), and so is joining the subtrees. The
//! hash is that of the bytes, however they were cut.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::{CHUNK_LEN, Hash, Hasher};

/// Bytes of a piece, the unit in which damage is located: a power of two, so that it is a subtree.
pub(crate) const PIECE_BYTES: u64 = 4 << 20;

/// The hash of a tensor's bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorHash {
    /// BLAKE3 of all of them.
    pub(crate) data: Hash,
    /// The chaining values of its pieces, in order; none where it is a single piece.
    pub(crate) pieces: Vec<ChainingValue>,
}

impl TensorHash {
    /// Joins pieces into what they are pieces of; none where they are too few to be joined.
    pub(crate) fn join(pieces: Vec<ChainingValue>) -> Option<Self> {
        let (left, right) = halves(&pieces)?;
        let data = merge_subtrees_root(&subtree(left)?, &subtree(right)?, Mode::Hash);
        Some(Self { data, pieces })
    }
}

/// The two subtrees that a tree over `pieces` is made of: the left one is as large as a power of two can be.
fn halves(pieces: &[ChainingValue]) -> Option<(&[ChainingValue], &[ChainingValue])> {
    let last = pieces.len().checked_sub(1).filter(|&last| last > 0)?;
    pieces.split_at_checked(1 << last.ilog2())
}

/// The chaining value of subtrees of one size, of which the last may be smaller, as one; none of none.
pub(super) fn subtree(pieces: &[ChainingValue]) -> Option<ChainingValue> {
    match halves(pieces) {
        Some((left, right)) => Some(merge_subtrees_non_root(&subtree(left)?, &subtree(right)?, Mode::Hash)),
        None => pieces.first().copied(),
    }
}

/// The chaining value of a subtree that begins at `start`, or of the end of an input of several.
pub(super) fn chaining_value(start: u64, bytes: &[u8]) -> ChainingValue {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = super::wide::chaining_value(start, bytes) {
        return value;
    }
    Hasher::new().set_input_offset(start).update(bytes).finalize_non_root()
}

/// What was hashed of a run of bytes by itself: the whole chunks in it.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Bytes before the first whole chunk.
    head: usize,
    /// Chunks in each subtree, as a power of two, and its chaining value.
    subtrees: Vec<(u32, ChainingValue)>,
}

impl Run {
    /// Hashes `bytes`, which begin at `start` in an input of `total` bytes.
    pub(crate) fn of(start: u64, bytes: &[u8], total: u64) -> Self {
        let chunk = CHUNK_LEN as u64;
        // Less than a chunk.
        let head = (start.next_multiple_of(chunk) - start) as usize;
        let mut run = Self { head: head.min(bytes.len()), subtrees: Vec::new() };
        let mut rest = bytes.get(head..).unwrap_or_default();
        let mut at = start + head as u64;
        while rest.len() >= CHUNK_LEN {
            // A subtree that was the whole input would be its root, which is hashed in another way.
            let most = (rest.len() as u64).min(total - 1).min(PIECE_BYTES);
            let Some(largest) = (most / chunk).checked_ilog2() else { break };
            let power = largest.min((at / chunk).trailing_zeros());
            // No more than what is in memory.
            let (now, later) = rest.split_at(CHUNK_LEN << power);
            run.subtrees.push((power, chaining_value(at, now)));
            at += now.len() as u64;
            rest = later;
        }
        run
    }
}

/// The tree over runs that come in order.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Pieces that are complete.
    pieces: Vec<ChainingValue>,
    /// Subtrees of the piece that is not, from left to right.
    stack: Vec<ChainingValue>,
    /// Chunks in them.
    chunks: u64,
    /// Bytes of the chunk that is not complete.
    partial: Vec<u8>,
}

impl Tree {
    /// Adds a run, and the bytes that it was made of.
    pub(crate) fn add(&mut self, run: &Run, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(run.head);
        self.add_bytes(head);
        let mut hashed = 0;
        for &(power, value) in &run.subtrees {
            self.push(power, value);
            hashed += CHUNK_LEN << power;
        }
        self.add_bytes(&rest[hashed..]);
    }

    /// Adds bytes that no run has hashed.
    pub(crate) fn add_bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.partial.len() == CHUNK_LEN {
                let value = chaining_value(self.start(), &self.partial);
                self.partial.clear();
                self.push(0, value);
            }
            let room = CHUNK_LEN - self.partial.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.partial.extend_from_slice(now);
            bytes = later;
        }
    }

    /// The hash of all that was added.
    pub(crate) fn finish(mut self) -> TensorHash {
        let last = std::mem::take(&mut self.partial);
        if !last.is_empty() && self.start() > 0 {
            let value = chaining_value(self.start(), &last);
            self.push(0, value);
        }
        let joined = match self.pieces.is_empty() {
            true => self.root().map(|data| TensorHash { data, pieces: Vec::new() }),
            false => {
                self.close_piece();
                TensorHash::join(std::mem::take(&mut self.pieces))
            }
        };
        // Nothing was there to be joined: a chunk at most.
        joined.unwrap_or_else(|| TensorHash { data: blake3::hash(&last), pieces: Vec::new() })
    }

    /// The hash of an input of one piece. Its subtrees are two or more, because none was the whole.
    fn root(&mut self) -> Option<Hash> {
        let mut right = self.stack.pop()?;
        while self.stack.len() > 1 {
            right = joined(&self.stack.pop()?, &right);
        }
        Some(merge_subtrees_root(self.stack.first()?, &right, Mode::Hash))
    }

    /// Where the next chunk begins.
    fn start(&self) -> u64 {
        self.pieces.len() as u64 * PIECE_BYTES + self.chunks * CHUNK_LEN as u64
    }

    fn push(&mut self, power: u32, value: ChainingValue) {
        // What is partial is a whole chunk here, or the subtree would not begin where it does.
        if self.partial.len() == CHUNK_LEN {
            let chunk = chaining_value(self.start(), &self.partial);
            self.partial.clear();
            self.push(0, chunk);
        }
        if self.chunks * CHUNK_LEN as u64 == PIECE_BYTES {
            self.close_piece();
        }
        // A join waits until more comes, because the last of all is made in another way.
        while self.stack.len() > self.chunks.count_ones() as usize {
            self.join_last();
        }
        self.stack.push(value);
        self.chunks += 1 << power;
    }

    fn join_last(&mut self) {
        if let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) {
            self.stack.push(joined(&left, &right));
        }
    }

    fn close_piece(&mut self) {
        while self.stack.len() > 1 {
            self.join_last();
        }
        self.pieces.append(&mut self.stack);
        self.chunks = 0;
    }
}

fn joined(left: &ChainingValue, right: &ChainingValue) -> ChainingValue {
    merge_subtrees_non_root(left, right, Mode::Hash)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Bytes that do not repeat.
    pub(in crate::integrity) fn bytes(len: usize) -> Vec<u8> {
        let mut state = 7_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    fn in_runs(bytes: &[u8], step: usize) -> TensorHash {
        let mut tree = Tree::default();
        for (number, run) in bytes.chunks(step).enumerate() {
            tree.add(&Run::of((number * step) as u64, run, bytes.len() as u64), run);
        }
        tree.finish()
    }

    const PIECE: usize = PIECE_BYTES as usize;

    #[test]
    fn the_hash_is_that_of_the_bytes_however_they_are_cut() {
        let all = bytes(2 * PIECE + 3000);
        let small = [
            0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 5000, 8192, 16_383, 16_384, 16_385, 65_536,
            65_537, 200_000,
        ];
        let large = [
            262_143,
            262_144,
            262_145,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            PIECE + 1024,
            2 * PIECE,
            2 * PIECE + 3000,
        ];
        for len in small {
            for step in [1, 7, 1000, 1023, 1024, 1025, 4096, 36_864, 53_760, 69_632, PIECE] {
                assert_eq!(in_runs(&all[..len], step).data, blake3::hash(&all[..len]), "{len} by {step}");
            }
        }
        for len in large {
            for step in [36_864, 53_760, 69_632, 1 << 20, PIECE, 3 * PIECE] {
                assert_eq!(in_runs(&all[..len], step).data, blake3::hash(&all[..len]), "{len} by {step}");
            }
        }
    }

    #[test]
    fn pieces_are_the_subtrees_of_their_bytes_and_a_single_one_is_not_kept() {
        let all = bytes(2 * PIECE + 3000);
        let hash = in_runs(&all, 69_632);
        let pieces = all.chunks(PIECE).enumerate();
        let expected: Vec<_> =
            pieces.map(|(number, piece)| chaining_value((number * PIECE) as u64, piece)).collect();
        assert_eq!(hash.pieces, expected);
        assert_eq!(TensorHash::join(expected), Some(hash));
        assert!(in_runs(&all[..PIECE], 53_760).pieces.is_empty());
        assert_eq!(in_runs(&all[..=PIECE], 53_760).pieces.len(), 2);
    }
}
