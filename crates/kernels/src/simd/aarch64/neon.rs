//! NEON: products of bytes are summed as words, and words as ints.
//!
//! # Safety
//! Every block is intrinsics on registers alone. [`Neon`] is made only inside a function that enables them, and that
//! function is called only where they were detected; what an intrinsic needs of memory is the size of the array that it
//! is given, at any address.

use std::arch::aarch64::*;

use zerocopy::{transmute, transmute_mut, transmute_ref};

use super::view::{Pair, View, load_16, map, widened, zip};
use crate::simd::Simd;

/// Proof that the processor has NEON.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// Called only where NEON is enabled.
    #[target_feature(enable = "neon")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// Operations that are an instruction for each half.
macro_rules! by_halves {
    ($($name:ident $intrinsic:ident;)*) => {
        $(#[inline(always)]
        fn $name(self, a: Pair, b: Pair) -> Pair {
            // SAFETY: see the module.
            zip(a, b, |a, b| unsafe { $intrinsic(a, b) })
        })*
    };
}

/// As [`by_halves`], on floats.
macro_rules! on_floats {
    ($($name:ident $intrinsic:ident;)*) => {
        $(#[inline(always)]
        fn $name(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            unsafe { [$intrinsic(a[0], b[0]), $intrinsic(a[1], b[1])] }
        })*
    };
}

impl Simd for Neon {
    type Ints = Pair;
    type Floats = [float32x4_t; 2];

    by_halves! {
        and vandq_u8;
        or vorrq_u8;
        add_bytes vaddq_u8;
        add_words vaddq_s16;
        add vaddq_s32;
        subtract vsubq_s32;
        multiply_ints vmulq_s32;
        look_up vqtbl1q_u8;
        alternate_words vtrn1q_u16;
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
        let [low, high] = self.load_nibbles(bytes).map(uint64x2_t::of);
        // SAFETY: see the module.
        unsafe { [vzip1q_u64(low, high).bytes(), vzip2q_u64(low, high).bytes()] }
    }
    #[inline(always)]
    fn bytes_where(self, bits: u32, byte: u8) -> Pair {
        let spread = self.look_up(self.splat_int(bits.cast_signed()), self.load(&BYTE_OF_BIT));
        let single = self.join_four([0x8040_2010_0804_0201; 4]);
        // SAFETY: see the module.
        let set = zip(spread, single, |spread, single| unsafe { vtstq_u8(spread, single) });
        self.and(set, self.splat(byte))
    }
    #[inline(always)]
    fn join_four(self, eights: [u64; 4]) -> Pair {
        self.load(&transmute!(eights))
    }
    #[inline(always)]
    fn join_eight(self, fours: [u32; 8]) -> Pair {
        self.load(&transmute!(fours))
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
        eights.map(|eight| unsafe { vmovl_u8(vcreate_u8(eight)).bytes() })
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
        halves.map(|[a, b]| unsafe {
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
    fn zero(self) -> Pair {
        self.splat(0)
    }
    #[inline(always)]
    fn splat(self, byte: u8) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_u8(byte); 2] }
    }
    #[inline(always)]
    fn splat_word(self, word: i16) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_s16(word).bytes(); 2] }
    }
    #[inline(always)]
    fn splat_int(self, int: i32) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_s32(int).bytes(); 2] }
    }
    #[inline(always)]
    fn first(self, int: i32) -> Pair {
        // SAFETY: see the module.
        unsafe { [vsetq_lane_s32::<0>(int, vdupq_n_s32(0)).bytes(), vdupq_n_u8(0)] }
    }
    #[inline(always)]
    fn bits<const FROM: u32, const COUNT: u32, const TO: u32>(self, bytes: Pair) -> Pair {
        // SAFETY: see the module. A shift to the left by less than zero is one to the right.
        let moved = map(bytes, |bytes| unsafe {
            vshlq_u8(bytes, vdupq_n_s8(const { TO.cast_signed() - FROM.cast_signed() } as i8))
        });
        if FROM + COUNT == 8 && TO == 0 {
            // The others have been moved out.
            return moved;
        }
        self.and(moved, self.splat((((1_u32 << COUNT) - 1) << TO) as u8))
    }
    #[inline(always)]
    fn shift_right_ints<const BITS: i32>(self, ints: Pair) -> Pair {
        // SAFETY: see the module. A shift to the left by less than zero is one to the right.
        map(ints, |ints| unsafe { vshlq_s32(ints, vdupq_n_s32(-BITS)) })
    }
    #[inline(always)]
    fn shift_left_ints<const BITS: i32>(self, ints: Pair) -> Pair {
        // SAFETY: see the module.
        map(ints, |ints| unsafe { vshlq_s32(ints, vdupq_n_s32(BITS)) })
    }
    #[inline(always)]
    fn halves(self, [a, _]: Pair, [_, b]: Pair) -> Pair {
        [a, b]
    }
    #[inline(always)]
    fn greater(self, bytes: Pair, limit: u8) -> Pair {
        // SAFETY: see the module.
        map(bytes, |bytes: uint8x16_t| unsafe { vcgtq_u8(bytes, vdupq_n_u8(limit)) })
    }

    #[inline(always)]
    fn table(self, levels: &[i8; 16]) -> Pair {
        self.load_twice(transmute_ref!(levels))
    }
    #[inline(always)]
    fn by_sixteen(self, words: Pair) -> [Pair; 8] {
        let words: [[i16; 2]; 8] = {
            let mut stored = [[0; 2]; 8];
            for i in 0..2 {
                // SAFETY: 16 writable bytes; see the module.
                unsafe { vst1q_s16(stored[4 * i..4 * i + 4].as_mut_ptr().cast(), int16x8_t::of(words[i])) };
            }
            stored
        };
        // SAFETY: see the module.
        words.map(|[a, b]| unsafe { [vdupq_n_s16(a).bytes(), vdupq_n_s16(b).bytes()] })
    }
    #[inline(always)]
    fn k_header(self, header: &[u8; 16]) -> (Pair, [Pair; 8], Pair) {
        let [_, _, _, _, packed @ ..] = header;
        let unpacked = briq_codec::k_scales::unpack(packed);
        let scales = unpacked.scales.map(|scale| self.splat_word(scale.into()));
        (self.load_twice(header), scales, self.ints(unpacked.minimums))
    }
    #[inline(always)]
    fn scaled_pair(self, [halves, _]: Pair, by: f32) -> [[float32x4_t; 2]; 2] {
        // SAFETY: see the module.
        unsafe {
            let floats = vmulq_n_f32(widened(vget_low_u16(uint16x8_t::of(halves))), by);
            [[vdupq_laneq_f32::<0>(floats); 2], [vdupq_laneq_f32::<1>(floats); 2]]
        }
    }

    #[inline(always)]
    fn negate_where(self, bytes: Pair, bits: u32) -> Pair {
        // SAFETY: see the module. Zero less one is all bits: the complement of a number, plus one, is its negative.
        zip(bytes, self.bytes_where(bits, 0xFF), |bytes, negative| unsafe {
            vsubq_u8(veorq_u8(bytes, negative), negative)
        })
    }
    #[inline(always)]
    fn products(self, codes: Pair, signed: Pair) -> Pair {
        // Codes up to 127 are signed bytes too.
        self.signed_products(codes, signed)
    }
    #[inline(always)]
    fn signed_products(self, a: Pair, b: Pair) -> Pair {
        // SAFETY: see the module.
        zip(a, b, |a, b| unsafe { vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)) })
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
        let words = self.signed_products(codes, signed);
        // SAFETY: see the module.
        zip(ints, words, |ints, words| unsafe { vpadalq_s16(ints, words) })
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
    #[inline(always)]
    fn sum_eight(self, registers: [Pair; 8]) -> Pair {
        // SAFETY: see the module.
        unsafe {
            let [a, b, c, d, e, f, g, h] =
                registers.map(|[first, last]| vaddq_s32(View::of(first), View::of(last)));
            let first = vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
            let last = vpaddq_s32(vpaddq_s32(e, f), vpaddq_s32(g, h));
            [first.bytes(), last.bytes()]
        }
    }
    #[inline(always)]
    fn sum_raised(self, registers: [Pair; 8]) -> Pair {
        self.sum_eight(registers)
    }

    on_floats! {
        multiply vmulq_f32;
        add_floats vaddq_f32;
    }

    #[inline(always)]
    fn to_floats(self, ints: Pair) -> [float32x4_t; 2] {
        // SAFETY: see the module.
        ints.map(|ints| unsafe { vcvtq_f32_s32(View::of(ints)) })
    }
    #[inline(always)]
    fn zeros(self) -> [float32x4_t; 2] {
        self.splat_float(0.0)
    }
    #[inline(always)]
    fn splat_float(self, float: f32) -> [float32x4_t; 2] {
        self.two_floats([float; 2])
    }
    #[inline(always)]
    fn two_floats(self, floats: [f32; 2]) -> [float32x4_t; 2] {
        // SAFETY: see the module.
        floats.map(|float| unsafe { vdupq_n_f32(float) })
    }
    #[inline(always)]
    fn load_floats(self, floats: &[f32; 8]) -> [float32x4_t; 2] {
        self.reinterpret(self.load(transmute_ref!(floats)))
    }
    #[inline(always)]
    fn store_floats(self, floats: [float32x4_t; 2], to: &mut [f32; 8]) {
        self.store(self.float_bits(floats), transmute_mut!(to));
    }
    #[inline(always)]
    fn load_halves(self, halves: &[u16; 8]) -> [float32x4_t; 2] {
        let halves: [u64; 2] = transmute!(*halves);
        // SAFETY: see the module.
        halves.map(|halves| unsafe { widened(vcreate_u16(halves)) })
    }
    #[inline(always)]
    fn load_brains(self, brains: &[u16; 8]) -> [float32x4_t; 2] {
        let brains: [u64; 2] = transmute!(*brains);
        // SAFETY: see the module.
        brains.map(|brains| unsafe { vreinterpretq_f32_u32(vshll_n_u16::<16>(vcreate_u16(brains))) })
    }
    #[inline(always)]
    fn low_halves(self, ints: Pair) -> [float32x4_t; 2] {
        // SAFETY: see the module.
        ints.map(|ints| unsafe { widened(vmovn_u32(View::of(ints))) })
    }
    #[inline(always)]
    fn high_halves(self, ints: Pair) -> [float32x4_t; 2] {
        // SAFETY: see the module.
        ints.map(|ints| unsafe { widened(vshrn_n_u32::<16>(View::of(ints))) })
    }
    #[inline(always)]
    fn half(self, bits: u16) -> f32 {
        // SAFETY: see the module.
        unsafe { vgetq_lane_f32::<0>(widened(vdup_n_u16(bits))) }
    }
    #[inline(always)]
    fn float_bits(self, floats: [float32x4_t; 2]) -> Pair {
        floats.map(View::bytes)
    }
    #[inline(always)]
    fn reinterpret(self, ints: Pair) -> [float32x4_t; 2] {
        ints.map(View::of)
    }
    #[inline(always)]
    fn multiply_add(self, a: [float32x4_t; 2], b: [float32x4_t; 2], c: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see the module.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }
}

/// Int `i` of each of the four.
#[inline(always)]
fn fours(halves: [uint8x16_t; 4]) -> [uint8x16_t; 4] {
    let [a, b, c, d] = halves.map(uint32x4_t::of);
    // SAFETY: see the module.
    unsafe {
        let [ab, ab_2] = [vzip1q_u32(a, b), vzip2q_u32(a, b)].map(|ints| uint64x2_t::of(ints.bytes()));
        let [cd, cd_2] = [vzip1q_u32(c, d), vzip2q_u32(c, d)].map(|ints| uint64x2_t::of(ints.bytes()));
        [vzip1q_u64(ab, cd), vzip2q_u64(ab, cd), vzip1q_u64(ab_2, cd_2), vzip2q_u64(ab_2, cd_2)]
            .map(View::bytes)
    }
}

/// The byte, in each half of a register with the same four bytes all over, that holds bit `i`.
static BYTE_OF_BIT: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = (i / 8) as u8;
        i += 1;
    }
    bytes
};
