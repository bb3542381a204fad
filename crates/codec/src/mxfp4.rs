//! MXFP4: 32 weights, 4-bit floats, and a power of two.

use briq_format::block::MXFP4;

use crate::decoder::{DecodeLanes, levelled};
use crate::fp4::{DOUBLED, nearest};
use crate::lanes::{Isa, Kernel, Lanes, dispatch};
use crate::placement::{pack_halves, unpack_halves};
use crate::primitives::magnitude;
use crate::row::{Encode, Quants, Rows};

impl Quants<32> for MXFP4 {
    fn quants(&self) -> [i8; 32] {
        unpack_halves(&self.quants).map(|code| DOUBLED[usize::from(code)])
    }
}

impl DecodeLanes for MXFP4 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            levelled(&DOUBLED, &unpack_halves(&block.quants), L::splat(half_scale(block.exponent)), weights);
        }
    }
}

impl Encode for MXFP4 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        dispatch(Isa::best(), EncodeRows { weights: rows.weights, blocks });
    }
}

struct EncodeRows<'a> {
    weights: &'a [f32],
    blocks: &'a mut [MXFP4],
}

impl Kernel for EncodeRows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (block, weights) in self.blocks.iter_mut().zip(self.weights.as_chunks::<32>().0) {
            let exponent = exponent(magnitude(weights));
            *block =
                MXFP4 { exponent, quants: pack_halves(&nearest::<L, 32>(weights, half_scale(exponent))) };
        }
    }
}

/// `2^(exponent - 128)`. The two lowest are subnormal; 255 is a number like any other.
#[inline(always)]
pub const fn half_scale(exponent: u8) -> f32 {
    f32::from_bits(match exponent {
        0 => 0x0020_0000,
        _ => (exponent as u32 - 1) << 23 | ((exponent == 1) as u32) << 22,
    })
}

/// The exponent whose scale makes `largest` 4 to 8: the largest level, 6, or near it.
///
/// Below 2^-125 it wraps around to the exponents of huge scales, and infinity gives 0, as in the reference.
#[inline(always)]
fn exponent(largest: f32) -> u8 {
    if largest > 0.0 && largest < f32::INFINITY { (floor_log2(largest) - 2 + 127) as u8 } else { 0 }
}

/// The floor of the binary logarithm after this is rounded to 32 bits, for a finite number above zero.
///
/// Rounding lifts the few floats right below a power 2^k to k. How many: spaced 2^-24 of the power, their logarithms
/// are spaced 2^-24 / ln 2, and lifted is what lies within half a step of the floats next to k, which is 2^(p - 24)
/// when 2^p is the power of two next to k from within. Among subnormal numbers the spacing is wider.
#[inline(always)]
fn floor_log2(value: f32) -> i32 {
    let bits = value.to_bits();
    let floor = match bits >> 23 {
        0 => bits.ilog2() as i32 - 149,
        exponent => exponent as i32 - 127,
    };
    let next = floor + 1;
    let next_bits = if next < -126 { 1 << (next + 149) } else { ((next + 127) as u32) << 23 };
    // The floats next to `next` on its lower side, hence one less above zero.
    let beside = if next > 0 { next - 1 } else { -next } as u32;
    let lifted = match beside {
        0 => 0,
        _ => LN_2 >> (32 - beside.ilog2() + (-125 - next).max(0) as u32),
    };
    if u64::from(next_bits - bits) <= lifted { next } else { floor }
}

/// ln 2, in units of 2^-32.
const LN_2: u64 = 0xB172_17F7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_scale_is_its_power_of_two() {
        for exponent in 0..=u8::MAX {
            let power = 2_f64.powi(i32::from(exponent) - 128);
            assert_eq!(f64::from(half_scale(exponent)), power);
        }
    }

    #[test]
    fn the_logarithm_is_rounded_before_it_is_cut() {
        // Numbers around every power of two, more on each side than rounding lifts.
        let powers = (0..23).map(|bit| 1 << bit).chain((1..=255).map(|exponent| exponent << 23));
        for power in powers {
            for bits in (power - 60.min(power - 1)..power + 3).filter(|&bits| bits < f32::INFINITY.to_bits())
            {
                let value = f32::from_bits(bits);
                let rounded = f64::from(value).log2() as f32;
                assert_eq!(floor_log2(value), rounded.floor() as i32, "{value:e}");
            }
        }
    }

    #[test]
    fn exponents_out_of_range_wrap_around() {
        for (largest, expected) in [
            (0.0, 0),
            (f32::INFINITY, 0),
            (f32::MAX, 253),
            (1.0, 125),
            (6.0, 127),
            (2_f32.powi(-125), 0),
            (2_f32.powi(-126), 255),
            (f32::from_bits(1), 232),
        ] {
            assert_eq!(exponent(largest), expected, "{largest:e}");
        }
    }
}
