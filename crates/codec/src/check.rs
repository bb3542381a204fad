//! Values that should not be there: weights that are not finite, and blocks whose scales are not.
//!
//! The rules for blocks are those that llama.cpp applies after encoding and, on request, when loading; and where they
//! pass a block of Q8_K or MXFP4 that decodes to infinity, a stricter one.

use briq_format::block::{self, Block};
use briq_format::{TensorType, for_each_type};

use crate::dispatch::view;
use crate::error::{Error, Operation};

/// Items looked at together. Within a batch nothing branches, so that the loop vectorises.
const BATCH: usize = 1024;

/// The index of the first weight that is infinite or NaN.
pub fn first_non_finite(weights: &[f32]) -> Option<usize> {
    first_unsound(weights, |weight| weight.is_finite())
}

/// The index of the first block that stands for a number that is not finite.
///
/// Plain floats are looked at themselves (F64 after rounding to F32), quantized types at their scales and
/// minimums; of MXFP4 the exponent 255 is refused. Quants are looked at where the scale is so large that its product
/// with one may be infinite, which those of Q8_K and MXFP4 alone can be. NVFP4 and integers are always sound.
///
/// # Errors
/// When `bytes` are not whole blocks, or the type is Q8_1, which holds activations and never lies in a file.
pub fn check_blocks(ty: TensorType, bytes: &[u8]) -> Result<Option<usize>, Error> {
    if !can_check(ty) {
        return Err(Error::Unsupported { operation: Operation::Check, ty });
    }
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => Ok(first_unsound(view::<block::$name>(bytes)?, Sound::is_sound)),)*
            }
        };
    }
    for_each_type!(dispatch)
}

/// Whether [`check_blocks`] knows this type.
pub(crate) fn can_check(ty: TensorType) -> bool {
    ty != TensorType::Q8_1
}

fn first_unsound<T>(items: &[T], is_sound: impl Fn(&T) -> bool) -> Option<usize> {
    let mut batches = items.chunks(BATCH);
    let bad = batches.position(|batch| !batch.iter().fold(true, |sound, item| sound & is_sound(item)))?;
    let start = bad * BATCH;
    items[start..].iter().position(|item| !is_sound(item)).map(|index| start + index)
}

/// Stands for finite numbers only, as far as its scales tell.
trait Sound: Block {
    fn is_sound(&self) -> bool;
}

macro_rules! sound {
    ($($name:ident: $is_sound:expr;)*) => {
        $(impl Sound for block::$name {
            fn is_sound(&self) -> bool {
                let is_sound: fn(&Self) -> bool = $is_sound;
                is_sound(self)
            }
        })*
    };
}
sound! {
    F32: |number| number.get().is_finite();
    F16: |number| number.is_finite();
    BF16: |number| number.is_finite();
    F64: |number| (number.get() as f32).is_finite();
    I8: |_| true;
    I16: |_| true;
    I32: |_| true;
    I64: |_| true;
    Q4_0: |block| block.scale.is_finite();
    Q4_1: |block| block.scale.is_finite() & block.minimum.is_finite();
    Q5_0: |block| block.scale.is_finite();
    Q5_1: |block| block.scale.is_finite() & block.minimum.is_finite();
    Q8_0: |block| block.scale.is_finite();
    Q8_1: |block| block.scale.is_finite() & block.scaled_sum.is_finite();
    Q1_0: |block| block.scale.is_finite();
    Q2_0: |block| block.scale.is_finite();
    Q2_K: |block| block.scale.is_finite() & block.minimum.is_finite();
    Q3_K: |block| block.scale.is_finite();
    Q4_K: |block| block.scale.is_finite() & block.minimum.is_finite();
    Q5_K: |block| block.scale.is_finite() & block.minimum.is_finite();
    Q6_K: |block| block.scale.is_finite();
    // A quant is at most 128.
    Q8_K: |block| (block.scale.get() * 128.0).is_finite() || decodes_to_finite(TensorType::Q8_K, block);
    IQ2_XXS: |block| block.scale.is_finite();
    IQ2_XS: |block| block.scale.is_finite();
    IQ2_S: |block| block.scale.is_finite();
    IQ3_XXS: |block| block.scale.is_finite();
    IQ3_S: |block| block.scale.is_finite();
    IQ1_S: |block| block.scale.is_finite();
    IQ1_M: |block| block.scale().is_finite();
    IQ4_NL: |block| block.scale.is_finite();
    IQ4_XS: |block| block.scale.is_finite();
    TQ1_0: |block| block.scale.is_finite();
    TQ2_0: |block| block.scale.is_finite();
    // 253 stands for 2^126, and a quant for at most 6.
    MXFP4: |block| {
        block.exponent < 253
            || (block.exponent != u8::MAX && decodes_to_finite(TensorType::MXFP4, block))
    };
    NVFP4: |_| true;
}

/// Looks at every weight of a block: for the few whose scales do not tell.
#[cold]
fn decodes_to_finite<B: Block>(ty: TensorType, block: &B) -> bool {
    let mut weights = [0.0; 256];
    let weights = &mut weights[..ty.block_elements() as usize];
    crate::decode(ty, block.as_bytes(), weights).is_ok() && first_non_finite(weights).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_weight_that_is_not_finite_is_found_wherever_it_is() {
        for length in [0, 1, BATCH - 1, BATCH, 3 * BATCH + 5] {
            let sound = vec![f32::MAX; length];
            assert_eq!(first_non_finite(&sound), None);
            for (bad, value) in
                [(0, f32::NAN), (length / 2, f32::NEG_INFINITY), (length.saturating_sub(1), f32::INFINITY)]
            {
                let mut weights = sound.clone();
                if bad < length {
                    weights[bad] = value;
                    weights[length - 1] = f32::NAN;
                    assert_eq!(first_non_finite(&weights), Some(bad));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_block_is_bad_when_a_decoded_scale_would_be(
            bytes in any::<[u8; 16]>(),
            scale in prop_oneof![Just(0x7C00_u16), Just(0xFE01), Just(0x7BFF), any::<u16>()],
            bad in 0_usize..2000,
        ) {
            let mut blocks = vec![0; 2000 * 18];
            let block = &mut blocks[bad * 18..][..18];
            block[..2].copy_from_slice(&scale.to_le_bytes());
            block[2..].copy_from_slice(&bytes);
            let mut weights = vec![0.0; 2000 * 32];
            crate::decode(TensorType::Q4_0, &blocks, &mut weights).unwrap();
            let expected = (scale & 0x7C00 == 0x7C00).then_some(bad);
            prop_assert_eq!(first_non_finite(&weights).map(|index| index / 32), expected);
            prop_assert_eq!(check_blocks(TensorType::Q4_0, &blocks).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn a_scale_whose_product_overflows_is_bad_with_a_quant_that_makes_it_do_so_and_sound_without(
            bytes in any::<[u8; 292]>(), quant in prop_oneof![Just(0_u8), any::<u8>()], exponent in 0_u8..=254
        ) {
            let (mut q8_k, mut mxfp4) = (bytes, [quant; 17]);
            q8_k[4..260].fill(quant);
            mxfp4[0] = exponent;
            for (ty, block) in [(TensorType::Q8_K, &q8_k[..]), (TensorType::MXFP4, &mxfp4)] {
                let mut weights = vec![0.0; ty.block_elements() as usize];
                crate::decode(ty, block, &mut weights).unwrap();
                let expected = first_non_finite(&weights).map(|_| 0);
                prop_assert_eq!(check_blocks(ty, block).unwrap(), expected, "{} {:?}", ty, block);
            }
        }
    }

    #[test]
    fn the_bytes_that_are_looked_at_are_those_of_the_scales() {
        // Type, bytes to set, whether the block is then sound. Blocks are zero otherwise.
        type Case = (TensorType, &'static [(usize, u8)], bool);
        let cases: [Case; 18] = [
            (TensorType::Q4_1, &[(3, 0x7C)], false),
            (TensorType::Q2_K, &[(81, 0x7C)], false),
            (TensorType::Q2_K, &[(83, 0xFC)], false),
            (TensorType::Q6_K, &[(209, 0x7C)], false),
            (TensorType::Q6_K, &[(1, 0x7C)], true),
            (TensorType::IQ1_M, &[(53, 0xC0), (55, 0x70)], false),
            (TensorType::IQ1_M, &[(55, 0x70)], true),
            (TensorType::MXFP4, &[(0, 255)], false),
            (TensorType::NVFP4, &[(0, 255)], true),
            (TensorType::F64, &[(7, 0x7F), (6, 0xE0)], false),
            (TensorType::I64, &[(7, 0xFF)], true),
            (TensorType::Q8_K, &[(3, 0x7F), (2, 0x80)], false),
            // 2^127, with quants of 0, of 1 and of 2.
            (TensorType::Q8_K, &[(3, 0x7F)], true),
            (TensorType::Q8_K, &[(3, 0x7F), (4, 1)], true),
            (TensorType::Q8_K, &[(3, 0x7F), (4, 2)], false),
            // 2^126, with quants of 0, of 3 and of 4.
            (TensorType::MXFP4, &[(0, 253)], true),
            (TensorType::MXFP4, &[(0, 253), (16, 0x50)], true),
            (TensorType::MXFP4, &[(0, 253), (16, 0x60)], false),
        ];
        for (ty, bytes, sound) in cases {
            let mut block = vec![0; ty.block_bytes() as usize];
            assert_eq!(check_blocks(ty, &block), Ok(None), "{ty}");
            for &(at, byte) in bytes {
                block[at] = byte;
            }
            assert_eq!(check_blocks(ty, &block), Ok((!sound).then_some(0)), "{ty}");
        }
        assert!(check_blocks(TensorType::Q8_1, &[]).is_err());
    }
}
