//! What stands out in blocks: found along each block, without taking its elements apart into lanes.

/// Lanes that hold a number for each of as many blocks.
pub(crate) trait Peaks: Sized {
    /// Lane `i` holds the largest element of `blocks[i]` when bits compare as signed integers, and when they compare
    /// as unsigned ones; there are at least as many blocks as lanes, and `N` is a multiple of 16.
    ///
    /// So the first is the largest number, where there is one without a sign, and the second the lowest, where there
    /// is one with a sign. One of them is NaN if an element is.
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self);
}

impl Peaks for f32 {
    #[inline(always)]
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self) {
        let (mut signed, mut unsigned) = (i32::MIN, 0);
        for x in blocks[0] {
            signed = signed.max(x.to_bits() as i32);
            unsigned = unsigned.max(x.to_bits());
        }
        (f32::from_bits(signed as u32), f32::from_bits(unsigned))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, Lanes, MAX_WIDTH, Pair, dispatch};

    struct Check<'a>(&'a [[f32; 32]]);

    impl Kernel for Check<'_> {
        fn run<L: Lanes>(self) {
            let mut blocks = [&[0.0; 32]; 2 * MAX_WIDTH];
            for (lane, block) in blocks.iter_mut().zip(self.0) {
                *lane = block;
            }
            let (signed, unsigned) = Pair::<L>::peaks(&blocks);
            let (mut found, mut found_unsigned) = ([0.0; 2 * MAX_WIDTH], [0.0; 2 * MAX_WIDTH]);
            signed.store(&mut found);
            unsigned.store(&mut found_unsigned);
            for (lane, block) in blocks.iter().take(2 * L::WIDTH).enumerate() {
                let (signed, unsigned) = f32::peaks(&[block]);
                assert_eq!(found[lane].to_bits(), signed.to_bits(), "{block:?}");
                assert_eq!(found_unsigned[lane].to_bits(), unsigned.to_bits(), "{block:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_lane_has_the_peaks_of_its_block(bits in proptest::collection::vec(any::<[u32; 32]>(), 32)) {
            let blocks: Vec<_> = bits.iter().map(|bits| bits.map(f32::from_bits)).collect();
            for isa in Isa::available() {
                dispatch(isa, Check(&blocks));
            }
        }
    }

    #[test]
    fn peaks_are_the_largest_and_the_lowest_number_where_signs_differ() {
        let mut block = [0.5; 16];
        (block[3], block[7], block[9]) = (3.0, -2.0, -1.0);
        assert_eq!(f32::peaks(&[&block]), (3.0, -2.0));
        block[15] = -f32::NAN;
        assert!(f32::peaks(&[&block]).1.is_nan());
    }
}
