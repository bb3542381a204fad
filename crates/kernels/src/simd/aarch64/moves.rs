//! Loading, storing, and bytes that go to other places.
//!
//! For what makes every block sound see [`neon`](super::neon).

use std::arch::aarch64::*;
use std::arch::asm;

use super::view::{Pair, View, both};

/// The operations of [`Simd`](crate::simd::Simd) that move bytes.
macro_rules! moves {
    () => {
        #[inline(always)]
        fn fetch_line(self, place: *const u8) {
            // SAFETY: an instruction that every processor has, and that reads nothing.
            unsafe {
                asm!(
                    "prfm pldl1keep, [{place}]",
                    place = in(reg) place,
                    options(readonly, nostack, preserves_flags)
                );
            }
        }
        #[inline(always)]
        fn load(self, bytes: &[u8; 32]) -> Pair {
            let [first, last]: &[[u8; 16]; 2] = transmute_ref!(bytes);
            [load_16(first), load_16(last)]
        }
        #[inline(always)]
        fn load_signed(self, bytes: &[i8; 32]) -> Pair {
            self.load(transmute_ref!(bytes))
        }
        #[inline(always)]
        fn load_words(self, words: &[i16; 16]) -> Pair {
            self.load(transmute_ref!(words))
        }
        #[inline(always)]
        fn load_ints(self, ints: &[i32; 8]) -> Pair {
            self.load(transmute_ref!(ints))
        }
        #[inline(always)]
        fn store(self, [first, last]: Pair, to: &mut [u8; 32]) {
            // SAFETY: 16 writable bytes; see the module.
            unsafe { vst1q_u8(to.as_mut_ptr(), first) };
            // SAFETY: 16 writable bytes; see the module.
            unsafe { vst1q_u8(to[16..].as_mut_ptr(), last) };
        }
        #[inline(always)]
        fn store_signed(self, bytes: Pair, to: &mut [i8; 32]) {
            self.store(bytes, transmute_mut!(to));
        }
        #[inline(always)]
        fn store_ints(self, ints: Pair, to: &mut [i32; 8]) {
            self.store(ints, transmute_mut!(to));
        }
        #[inline(always)]
        fn store_words(self, words: Pair, to: &mut [i16; 16]) {
            self.store(words, transmute_mut!(to));
        }
        #[inline(always)]
        fn load_twice(self, bytes: &[u8; 16]) -> Pair {
            [load_16(bytes); 2]
        }
        #[inline(always)]
        fn load_nibbles(self, bytes: &[u8; 16]) -> Pair {
            let bytes = load_16(bytes);
            // SAFETY: see the module.
            unsafe { [vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8::<4>(bytes)] }
        }
        #[inline(always)]
        fn load_raised_nibbles(self, bytes: &[u8; 16]) -> Pair {
            // Moved down they cost as much as masked, and raised they would not be codes up to 127.
            self.load_nibbles(bytes)
        }
        #[inline(always)]
        fn load_nibbles_by_eight(self, bytes: &[u8; 16]) -> Pair {
            let [low, high] = both(self.load_nibbles(bytes), uint64x2_t::of);
            // SAFETY: see the module.
            unsafe { [vzip1q_u64(low, high).bytes(), vzip2q_u64(low, high).bytes()] }
        }
        #[inline(always)]
        fn bytes_where(self, bits: u32, byte: u8) -> Pair {
            let spread = self.look_up(self.splat_int(bits.cast_signed()), self.load(&BYTES_OF_BITS[0]));
            let single = self.join_four([ONE_BIT_EACH; 4]);
            // SAFETY: see the module.
            let set = zip(spread, single, |spread, single| unsafe { vtstq_u8(spread, single) });
            self.and(set, self.splat(byte))
        }
        #[inline(always)]
        fn join_four(self, eights: [u64; 4]) -> Pair {
            self.load(&transmute!(eights))
        }
        #[inline(always)]
        fn eights_at<const N: usize>(self, table: &[[u8; 8]; N], places: [usize; 4]) -> Pair {
            let [a, b, c, d] = places.map(|place| &table[place % N]);
            both([[a, b], [c, d]], |[first, last]| {
                // SAFETY: eight readable bytes; see the module.
                let (first, last) = unsafe { (vld1_u8(first.as_ptr()), vld1_u8(last.as_ptr())) };
                // SAFETY: see the module.
                unsafe { vcombine_u8(first, last) }
            })
        }
        #[inline(always)]
        fn opaque(self, number: u64) -> u64 {
            opaque(number)
        }
        #[inline(always)]
        fn join_eight(self, fours: [u32; 8]) -> Pair {
            self.load(&transmute!(fours))
        }
        #[inline(always)]
        fn eight_times(self, words: u64) -> Pair {
            // SAFETY: see the module.
            unsafe {
                let bytes = vcreate_u8(words);
                let [a, b] = [vdup_lane_u8::<0>(bytes), vdup_lane_u8::<2>(bytes)];
                let [c, d] = [vdup_lane_u8::<4>(bytes), vdup_lane_u8::<6>(bytes)];
                [vcombine_u8(a, b), vcombine_u8(c, d)]
            }
        }
        #[inline(always)]
        fn words_twice(self, words: &[u8; 16]) -> Pair {
            twice(View::of(load_16(words)))
        }
        #[inline(always)]
        fn odd_ints(self, a: Pair, b: Pair) -> Pair {
            // SAFETY: see the module.
            both([a, b], |[first, last]| unsafe { vuzp2q_u32(View::of(first), View::of(last)).bytes() })
        }
        #[inline(always)]
        fn upper_sevens(self, a: Pair, b: Pair) -> Pair {
            // SAFETY: see the module.
            both([a, b], |[first, last]| unsafe { vshrq_n_u8::<1>(vuzp2q_u8(first, last)) })
        }
        #[inline(always)]
        fn gather(self, ints: [u32; 8]) -> Pair {
            self.join_eight(ints)
        }
        #[inline(always)]
        fn words(self, bytes: &[i8; 16]) -> Pair {
            let bytes = int8x16_t::of(load_16(transmute_ref!(bytes)));
            // SAFETY: see the module.
            unsafe { [vmovl_s8(vget_low_s8(bytes)).bytes(), vmovl_high_s8(bytes).bytes()] }
        }
        #[inline(always)]
        fn byte_words(self, eights: [u64; 2]) -> Pair {
            // SAFETY: see the module.
            both(eights, |eight| unsafe { vmovl_u8(vcreate_u8(eight)).bytes() })
        }
        #[inline(always)]
        fn nibble_words(self, bytes: [u8; 8]) -> Pair {
            // SAFETY: see the module.
            unsafe {
                let words = vmovl_u8(vcreate_u8(u64::from_le_bytes(bytes)));
                // The upper nibble of a word's lower byte goes into its upper byte.
                let bytes = vandq_u8(vorrq_u16(words, vshlq_n_u16::<4>(words)).bytes(), vdupq_n_u8(15));
                [vmovl_u8(vget_low_u8(bytes)).bytes(), vmovl_high_u8(bytes).bytes()]
            }
        }
        #[inline(always)]
        fn triple_words(self, [a, b, c, d]: [u16; 4]) -> Pair {
            let halves = [[a, b], [c, d]];
            // SAFETY: see the module. A shift to the left by less than zero is one to the right.
            both(halves, |[a, b]| unsafe {
                let words = vcombine_u16(vdup_n_u16(a), vdup_n_u16(b));
                let places = vreinterpretq_s16_u64(vdupq_n_u64(0xFFF7_FFFA_FFFD_0000));
                vandq_u16(vshlq_u16(words, places), vdupq_n_u16(7)).bytes()
            })
        }
        #[inline(always)]
        fn ints(self, bytes: [u8; 8]) -> Pair {
            // SAFETY: see the module.
            unsafe {
                let words = vmovl_u8(vcreate_u8(u64::from_le_bytes(bytes)));
                [vmovl_u16(vget_low_u16(words)).bytes(), vmovl_high_u16(words).bytes()]
            }
        }
        #[inline(always)]
        fn one_of_each(self, [a, b, c, d]: [Pair; 4]) -> Pair {
            let ab = zip(a, b, |a, b| {
                // SAFETY: see the module.
                unsafe { vcopyq_laneq_s32::<1, 1>(a, b) }
            });
            let cd = zip(c, d, |c, d| {
                // SAFETY: see the module.
                unsafe { vcopyq_laneq_s32::<3, 3>(c, d) }
            });
            // SAFETY: see the module.
            zip(ab, cd, |ab, cd| unsafe { vcopyq_laneq_u64::<1, 1>(ab, cd) })
        }
        #[inline(always)]
        fn halves(self, [a, _]: Pair, [_, b]: Pair) -> Pair {
            [a, b]
        }
        #[inline(always)]
        fn table(self, levels: &[i8; 16]) -> Pair {
            self.load_twice(transmute_ref!(levels))
        }
        #[inline(always)]
        fn transpose(self, [a, b, c, d, e, f, g, h]: [Pair; 8]) -> [Pair; 8] {
            let mut transposed = [a; 8];
            for half in 0..2 {
                let first = fours([a[half], b[half], c[half], d[half]]);
                let last = fours([e[half], f[half], g[half], h[half]]);
                for i in 0..4 {
                    transposed[4 * half + i] = [first[i], last[i]];
                }
            }
            transposed
        }
    };
}
pub(super) use moves;

/// 16 bytes, at any address.
#[inline(always)]
pub(super) fn load_16(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference covers 16 readable bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Int `i` of each of the four.
#[inline(always)]
pub(super) fn fours([a, b, c, d]: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let [[ab, ab_2], [cd, cd_2]] = both([[a, b], [c, d]], |[a, b]| {
        let (a, b) = (View::of(a), View::of(b));
        // SAFETY: see the module.
        both(unsafe { [vzip1q_u32(a, b), vzip2q_u32(a, b)] }, |ints| uint64x2_t::of(ints.bytes()))
    });
    // SAFETY: see the module.
    let joined = |a, b| both(unsafe { [vzip1q_u64(a, b), vzip2q_u64(a, b)] }, View::bytes);
    let ([first, second], [third, fourth]) = (joined(ab, cd), joined(ab_2, cd_2));
    [first, second, third, fourth]
}

/// Eight words, each twice.
#[inline(always)]
pub(super) fn twice(words: uint16x8_t) -> Pair {
    // SAFETY: see the module.
    unsafe { [vzip1q_u16(words, words).bytes(), vzip2q_u16(words, words).bytes()] }
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
pub(super) fn opaque(number: u64) -> u64 {
    let mut same = number;
    // SAFETY: no instruction.
    unsafe { asm!("// {same}", same = inout(reg) same, options(pure, nomem, nostack, preserves_flags)) }
    same
}
