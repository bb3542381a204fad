//! The same 16 bytes as numbers of any width, and what conversions from half precision need.

use std::arch::aarch64::*;
use std::arch::asm;

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

/// 16 bytes, at any address.
#[inline(always)]
pub(super) fn load_16(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference covers 16 readable bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

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
