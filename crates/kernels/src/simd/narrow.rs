//! What an instruction set has whose widest registers are of 32 bytes.

use zerocopy::transmute;

use super::Simd;

/// [`Simd::add_f32`] on registers of 32 bytes.
#[inline(always)]
pub(super) fn add_f32<S: Simd>(simd: S, sum: S::Floats, a: &[u8; 128], b: &[u8; 128]) -> S::Floats {
    let (a, b) = (a.as_chunks().0, b.as_chunks().0);
    let mut sum = sum;
    let mut i = 0;
    while i < 4 {
        let (a, b) = (simd.reinterpret(simd.load(&a[i])), simd.reinterpret(simd.load(&b[i])));
        sum = simd.multiply_add(a, b, sum);
        i += 1;
    }
    sum
}

/// [`Simd::add_f16`] on registers of 32 bytes.
#[inline(always)]
pub(super) fn add_f16<S: Simd>(simd: S, sum: S::Floats, a: &[u8; 64], b: &[u8; 128]) -> S::Floats {
    let (a, b) = (a.as_chunks::<16>().0, b.as_chunks().0);
    let mut sum = sum;
    let mut i = 0;
    while i < 4 {
        let (a, b) = (simd.load_f16(&transmute!(a[i])), simd.reinterpret(simd.load(&b[i])));
        sum = simd.multiply_add(a, b, sum);
        i += 1;
    }
    sum
}

/// [`Simd::add_bf16`] on registers of 32 bytes: of each the products of the lower words, then those of the upper.
#[inline(always)]
pub(super) fn add_bf16<S: Simd>(simd: S, sum: S::Floats, a: &[u8; 64], b: &[u8; 64]) -> S::Floats {
    let lower = |words| simd.reinterpret(simd.shift_left_ints::<16>(words));
    let upper = |words| simd.reinterpret(simd.and(words, simd.splat_int(!0xFFFF)));
    let (a, b) = (a.as_chunks().0, b.as_chunks().0);
    let mut sum = sum;
    let mut i = 0;
    while i < 2 {
        let (a, b) = (simd.load(&a[i]), simd.load(&b[i]));
        sum = simd.multiply_add(upper(a), upper(b), simd.multiply_add(lower(a), lower(b), sum));
        i += 1;
    }
    sum
}

/// What an implementation has whose widest registers are of 32 bytes.
macro_rules! narrow {
    () => {
        type Wide = Self::Floats;

        #[inline(always)]
        fn wide_zeros(self) -> Self::Floats {
            self.zeros()
        }
        #[inline(always)]
        fn add_wide(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
            self.add_floats(a, b)
        }
        #[inline(always)]
        fn add_f32(self, sum: Self::Floats, a: &[u8; 128], b: &[u8; 128]) -> Self::Floats {
            $crate::simd::narrow::add_f32(self, sum, a, b)
        }
        #[inline(always)]
        fn add_f16(self, sum: Self::Floats, a: &[u8; 64], b: &[u8; 128]) -> Self::Floats {
            $crate::simd::narrow::add_f16(self, sum, a, b)
        }
        #[inline(always)]
        fn add_bf16(self, sum: Self::Floats, a: &[u8; 64], b: &[u8; 64]) -> Self::Floats {
            $crate::simd::narrow::add_bf16(self, sum, a, b)
        }
        #[inline(always)]
        fn folded(self, wide: Self::Floats) -> Self::Floats {
            wide
        }
    };
}
pub(super) use narrow;
