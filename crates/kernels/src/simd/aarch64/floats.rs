//! Floats.
//!
//! For what makes every block sound see [`neon`](super::neon).

use std::arch::aarch64::*;
use std::arch::asm;

/// The operations of [`Simd`](crate::simd::Simd) on floats, and those that give some.
macro_rules! floats {
    () => {
        on_floats! {
            multiply vmulq_f32;
            add_floats vaddq_f32;
        }
        #[inline(always)]
        fn scaled_halves(self, halves: &[u8; 8], by: f32) -> [f32; 4] {
            let mut scaled = [0.0; 4];
            // SAFETY: 16 writable bytes; see the module.
            unsafe {
                let floats = widened(vcreate_u16(u64::from_le_bytes(*halves)));
                vst1q_f32(scaled.as_mut_ptr(), vmulq_n_f32(floats, by));
            }
            scaled
        }
        #[inline(always)]
        fn to_floats(self, ints: Pair) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            both(ints, |ints| unsafe { vcvtq_f32_s32(View::of(ints)) })
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
        fn everywhere(self, float: &f32) -> [float32x4_t; 2] {
            self.splat_float(*float)
        }
        #[inline(always)]
        fn two_floats(self, floats: [f32; 2]) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            both(floats, |float| unsafe { vdupq_n_f32(float) })
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
        fn load_f16(self, halves: &[u16; 8]) -> [float32x4_t; 2] {
            let halves: [u64; 2] = transmute!(*halves);
            // SAFETY: see the module.
            both(halves, |halves| unsafe { widened(vcreate_u16(halves)) })
        }
        #[inline(always)]
        fn low_halves(self, ints: Pair) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            both(ints, |ints| unsafe { widened(vmovn_u32(View::of(ints))) })
        }
        #[inline(always)]
        fn high_halves(self, ints: Pair) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            both(ints, |ints| unsafe { widened(vshrn_n_u32::<16>(View::of(ints))) })
        }
        #[inline(always)]
        fn half(self, bits: u16) -> f32 {
            // SAFETY: see the module.
            unsafe { vgetq_lane_f32::<0>(widened(vdup_n_u16(bits))) }
        }
        #[inline(always)]
        fn float_bits(self, floats: [float32x4_t; 2]) -> Pair {
            both(floats, View::bytes)
        }
        #[inline(always)]
        fn reinterpret(self, ints: Pair) -> [float32x4_t; 2] {
            both(ints, View::of)
        }
        #[inline(always)]
        fn multiply_add(
            self,
            a: [float32x4_t; 2],
            b: [float32x4_t; 2],
            c: [float32x4_t; 2],
        ) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
        }
    };
}
pub(super) use floats;

/// Operations that are an instruction for each half.
macro_rules! on_floats {
    ($($name:ident $intrinsic:ident;)*) => {
        $(#[inline(always)]
        fn $name(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
            // SAFETY: see the module.
            unsafe { [$intrinsic(a[0], b[0]), $intrinsic(a[1], b[1])] }
        })*
    };
}
pub(super) use on_floats;

/// Four half-precision numbers. The intrinsic is not in every compiler that this crate is for; the instruction is in
/// every processor with NEON.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widened(halves: uint16x4_t) -> float32x4_t {
    let floats: float32x4_t;
    // SAFETY: an instruction on registers alone, whose feature is enabled.
    unsafe {
        asm!(
            "fcvtl {floats:v}.4s, {halves:v}.4h",
            floats = lateout(vreg) floats,
            halves = in(vreg) halves,
            options(pure, nomem, nostack)
        );
    }
    floats
}
