//! Reading alone: what the products of a matrix and a vector from memory are measured by.

use crate::dot::AHEAD;
use crate::simd::{Cpu, Simd, Work, run};

/// Places that are read side by side, of each of which the processor fetches ahead.
const PLACES: usize = 4;

/// As many bytes as a line of the first cache has.
type Line = [[u8; 32]; 2];

/// Reads bytes as the kernels read weights, and does next to nothing else: the sum of their 32-bit words in
/// little-endian order, wrapping, the last of them filled up with zeros. A matrix that comes from memory cannot be
/// multiplied with a vector much faster.
pub fn read_through(bytes: &[u8]) -> u32 {
    run(Cpu::best(), Read(bytes))
}

struct Read<'a>(&'a [u8]);

impl Work for Read<'_> {
    type Output = u32;

    fn scalar(self) -> u32 {
        let word = |bytes: &[u8]| {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(word)
        };
        self.0.chunks(4).map(word).fold(0, u32::wrapping_add)
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) -> u32 {
        let (halves, _) = self.0.as_chunks::<32>();
        let lines: &[Line] = halves.as_chunks().0;
        let length = lines.len() / PLACES;
        let mut places = [lines; PLACES];
        for (i, place) in places.iter_mut().enumerate() {
            *place = &lines[i * length..][..length];
        }
        let mut sums = [[simd.zero(); 2]; PLACES];
        for at in 0..length {
            for i in 0..PLACES {
                let line = &places[i][at];
                simd.fetch(line, AHEAD);
                sums[i] =
                    [simd.add(sums[i][0], simd.load(&line[0])), simd.add(sums[i][1], simd.load(&line[1]))];
            }
        }
        let mut sum = Read(&self.0[PLACES * length * size_of::<Line>()..]).scalar();
        for sums in sums {
            let mut ints = [0; 8];
            simd.store_ints(simd.add(sums[0], sums[1]), &mut ints);
            sum = ints.into_iter().map(i32::cast_unsigned).fold(sum, u32::wrapping_add);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use briq_codec::Isa;

    use super::*;

    #[test]
    fn every_byte_is_read_with_every_instruction_set() {
        let bytes: Vec<u8> = (0..3003_u32).map(|i| (i * i) as u8).collect();
        for length in [0, 3, 64, 255, 256, 257, 3003] {
            let expected = Read(&bytes[..length]).scalar();
            for isa in Isa::available() {
                assert_eq!(run(Cpu::new(isa), Read(&bytes[..length])), expected, "{length} bytes with {isa}");
            }
        }
    }
}
