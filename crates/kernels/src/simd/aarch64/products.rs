//! Sums of products.
//!
//! For what makes every block sound see [`neon`](super::neon).

use std::arch::aarch64::*;

use super::view::View;

/// The operations of [`Simd`](crate::simd::Simd) that multiply and sum.
macro_rules! products {
    () => {
        #[inline(always)]
        fn add_digits(self, [sums, other]: [Pair; 2], fractions: Pair, _: Pair, signed: Pair) -> [Pair; 2] {
            // Above 85 a digit is at least 1, above 170 it is 2. What holds is -1: sums have the sign turned.
            // SAFETY: see the module.
            let negative = map(fractions, |fractions| unsafe {
                vaddq_u8(vcgtq_u8(fractions, vdupq_n_u8(85)), vcgtq_u8(fractions, vdupq_n_u8(170)))
            });
            [self.add_small(sums, negative, signed), other]
        }
        #[inline(always)]
        fn digit_sums(self, [sums, _]: [Pair; 2]) -> Pair {
            self.subtract(self.zero(), self.small_sums(sums))
        }
        #[inline(always)]
        fn scales_by_16(self, words: Pair) -> Pair {
            words
        }
        #[inline(always)]
        fn k_scales(self, header: &[u8; 16]) -> (Pair, Pair) {
            let [[first, last], minimums] = self.k_numbers(header);
            // SAFETY: see the module.
            let scales = unsafe { vuzp1q_u16(View::of(first), View::of(last)) };
            (twice(scales), minimums)
        }
        #[inline(always)]
        fn add_pair(
            self,
            [first, last]: Pair,
            [a, b]: [Pair; 2],
            [x, y]: [Pair; 2],
            scales: &Pair,
            pair: usize,
        ) -> Pair {
            let scales = int16x8_t::of(scales[pair / 2]);
            // SAFETY: see the module.
            let four = unsafe { if pair % 2 == 0 { vget_low_s16(scales) } else { vget_high_s16(scales) } };
            let (first, last) =
                (add_sixteen::<0>(first, a[0], x[0], four), add_sixteen::<1>(last, a[1], x[1], four));
            [add_sixteen::<2>(first, b[0], y[0], four), add_sixteen::<3>(last, b[1], y[1], four)]
        }
        #[inline(always)]
        fn products(self, codes: Pair, signed: Pair) -> Pair {
            // Codes up to 127 are signed bytes too.
            zip(codes, signed, |a, b| {
                // SAFETY: see the module.
                unsafe { vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)) }
            })
        }
        #[inline(always)]
        fn signed_products(self, a: Pair, b: Pair) -> Pair {
            self.products(a, b)
        }
        #[inline(always)]
        fn add_scaled(self, ints: Pair, words: Pair, scales: Pair) -> Pair {
            // SAFETY: see the module.
            let sums = zip(words, scales, |a, b| unsafe {
                vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b))
            });
            self.add(ints, sums)
        }
        #[inline(always)]
        fn add_dot(self, ints: Pair, codes: Pair, signed: Pair) -> Pair {
            let words = self.products(codes, signed);
            // SAFETY: see the module.
            zip(ints, words, |ints, words| unsafe { vpadalq_s16(ints, words) })
        }
        #[inline(always)]
        fn add_small(self, sums: Pair, codes: Pair, signed: Pair) -> Pair {
            [add_eights(sums[0], codes[0], signed[0]), add_eights(sums[1], codes[1], signed[1])]
        }
        #[inline(always)]
        fn small_sums(self, sums: Pair) -> Pair {
            // SAFETY: see the module.
            map(sums, |sums| unsafe { vpaddlq_s16(sums) })
        }
        #[inline(always)]
        fn small_sums_and_quarters(self, sums: Pair, fourfold: Pair) -> Pair {
            // SAFETY: see the module.
            self.small_sums(zip(sums, fourfold, |sums, fourfold| unsafe { vsraq_n_s16::<2>(sums, fourfold) }))
        }
        #[inline(always)]
        fn bias(self, signed: Pair) -> Pair {
            signed
        }
        #[inline(always)]
        fn add_biased_dot(self, ints: Pair, biased: Pair, signed: Pair) -> Pair {
            // Of signed bytes, too, two products fit a word.
            self.add_dot(ints, biased, signed)
        }
        #[inline(always)]
        fn unbias(self, products: Pair, _: Pair) -> Pair {
            products
        }
        #[inline(always)]
        fn sum_eight(self, [a, b, c, d, e, f, g, h]: [Pair; 8]) -> Pair {
            both([[a, b, c, d], [e, f, g, h]], |[a, b, c, d]| {
                // SAFETY: see the module.
                let halved = |[first, last]: Pair| unsafe { vaddq_s32(View::of(first), View::of(last)) };
                // SAFETY: see the module.
                unsafe {
                    vpaddq_s32(vpaddq_s32(halved(a), halved(b)), vpaddq_s32(halved(c), halved(d))).bytes()
                }
            })
        }
        #[inline(always)]
        fn sum_raised(self, registers: [Pair; 8]) -> Pair {
            self.sum_eight(registers)
        }
    };
}
pub(super) use products;

/// Adds the products of the first eight bytes and of the last eight to words. Sixteen products of 12 and 128 fit.
#[inline(always)]
pub(super) fn add_eights(words: uint8x16_t, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    let (a, b) = (int8x16_t::of(a), int8x16_t::of(b));
    // SAFETY: see the module.
    unsafe { vmlal_high_s8(vmlal_s8(View::of(words), vget_low_s8(a), vget_low_s8(b)), a, b).bytes() }
}

/// Adds the products of 16 codes with signed bytes, times word `LANE` of four.
#[inline(always)]
pub(super) fn add_sixteen<const LANE: i32>(
    ints: uint8x16_t,
    codes: uint8x16_t,
    signed: uint8x16_t,
    scales: int16x4_t,
) -> uint8x16_t {
    let (codes, signed) = (int8x16_t::of(codes), int8x16_t::of(signed));
    // SAFETY: see the module. Two products of 64 and 127 fit a word.
    unsafe {
        let words = vmlal_high_s8(vmull_s8(vget_low_s8(codes), vget_low_s8(signed)), codes, signed);
        let ints = vmlal_lane_s16::<LANE>(View::of(ints), vget_low_s16(words), scales);
        vmlal_high_lane_s16::<LANE>(ints, words, scales).bytes()
    }
}
