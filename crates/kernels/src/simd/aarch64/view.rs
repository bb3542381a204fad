//! The same 16 bytes as numbers of any width.

use std::arch::aarch64::*;

/// 32 bytes.
pub(super) type Pair = [uint8x16_t; 2];

/// A half of a register, as numbers of some width.
pub(super) trait View: Copy {
    /// The numbers that the bytes are.
    fn of(bytes: uint8x16_t) -> Self;

    /// The bytes that the numbers are.
    fn bytes(self) -> uint8x16_t;
}

macro_rules! views {
    ($($view:ident $of:ident $bytes:ident;)*) => {
        $(impl View for $view {
            #[inline(always)]
            fn of(bytes: uint8x16_t) -> Self {
                // SAFETY: see the module of NEON.
                unsafe { $of(bytes) }
            }
            #[inline(always)]
            fn bytes(self) -> uint8x16_t {
                // SAFETY: see the module of NEON.
                unsafe { $bytes(self) }
            }
        })*
    };
}
views! {
    int8x16_t vreinterpretq_s8_u8 vreinterpretq_u8_s8;
    int16x8_t vreinterpretq_s16_u8 vreinterpretq_u8_s16;
    uint16x8_t vreinterpretq_u16_u8 vreinterpretq_u8_u16;
    int32x4_t vreinterpretq_s32_u8 vreinterpretq_u8_s32;
    uint32x4_t vreinterpretq_u32_u8 vreinterpretq_u8_u32;
    uint64x2_t vreinterpretq_u64_u8 vreinterpretq_u8_u64;
    float32x4_t vreinterpretq_f32_u8 vreinterpretq_u8_f32;
}

impl View for uint8x16_t {
    #[inline(always)]
    fn of(bytes: uint8x16_t) -> Self {
        bytes
    }
    #[inline(always)]
    fn bytes(self) -> uint8x16_t {
        self
    }
}

/// What `f` makes of both. Where the compiler does not inline the method of arrays, vectors go through memory.
#[inline(always)]
pub(super) fn both<A, B>([first, last]: [A; 2], f: impl Fn(A) -> B) -> [B; 2] {
    [f(first), f(last)]
}

/// Both halves, each as what `f` makes of it.
#[inline(always)]
pub(super) fn map<A: View, B: View>([first, last]: Pair, f: impl Fn(A) -> B) -> Pair {
    [f(A::of(first)).bytes(), f(A::of(last)).bytes()]
}

/// Both halves, each as what `f` makes of those of two registers.
#[inline(always)]
pub(super) fn zip<A: View, B: View, C: View>(a: Pair, b: Pair, f: impl Fn(A, B) -> C) -> Pair {
    [f(A::of(a[0]), B::of(b[0])).bytes(), f(A::of(a[1]), B::of(b[1])).bytes()]
}
