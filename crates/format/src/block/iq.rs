//! Blocks whose quants are indices: into a table of 16 levels, or into a grid of points in 4 or 8 dimensions.
//!
//! Groups of 8 weights are numbered `k` (0 to 31), groups of 4 `j` (0 to 63), groups of 32 `b` (0 to 7).

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::numbers;
use crate::scalar::F16;

/// 256 weights on a grid of 256 points in 8 dimensions. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                     66
/// | scale | records: one per 32 |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ2_XXS {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// Sub-blocks of 32.
    pub records: [IQ2XxsRecord; 8],
}
const _: () = assert!(size_of::<IQ2_XXS>() == 66);

/// 32 weights of an [`IQ2_XXS`] block.
///
/// ```text
/// 0              4                  8
/// | grid_indices | signs_and_scale |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ2XxsRecord {
    /// A point per 8 weights.
    pub grid_indices: [u8; 4],
    /// Four sign indices of 7 bits from the low end, then a scale of 4 bits.
    pub signs_and_scale: U32,
}

/// 256 weights on a grid of 512 points in 8 dimensions. Upstream letters: `d`, `qs`, `scales`.
///
/// ```text
/// 0       2                         66       74
/// | scale | grid_indices_and_signs | scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ2_XS {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// Per group of 8: a grid index of 9 bits from the low end, then a sign index of 7 bits.
    pub grid_indices_and_signs: [U16; 32],
    /// Per group of 32: the scale of its first half in the low nibble, of its second half in the high one.
    pub scales: [u8; 8],
}
const _: () = assert!(size_of::<IQ2_XS>() == 74);

/// 256 weights on a grid of 1024 points in 8 dimensions. Upstream letters: `d`, `qs`, `qh`, `scales`.
///
/// ```text
/// 0       2                   34      66                   74       82
/// | scale | grid_indices_low | signs | grid_indices_high | scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ2_S {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// The lower 8 bits of the index of group `k`.
    pub grid_indices_low: [u8; 32],
    /// A set bit `i` in byte `k` is a negative weight `8 k + i`.
    pub signs: [u8; 32],
    /// The upper 2 bits of the index of group `k`, in byte `k / 4` from bit `2 (k % 4)`.
    pub grid_indices_high: [u8; 8],
    /// As in [`IQ2_XS`].
    pub scales: [u8; 8],
}
const _: () = assert!(size_of::<IQ2_S>() == 82);

/// 256 weights on a grid of 256 points in 4 dimensions. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2              66                98
/// | scale | grid_indices | signs_and_scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ3_XXS {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// A point per 4 weights.
    pub grid_indices: [u8; 64],
    /// Per group of 32: four sign indices of 7 bits from the low end, then a scale of 4 bits.
    pub signs_and_scales: [U32; 8],
}
const _: () = assert!(size_of::<IQ3_XXS>() == 98);

/// 256 weights on a grid of 512 points in 4 dimensions. Upstream letters: `d`, `qs`, `qh`, `signs`, `scales`.
///
/// ```text
/// 0       2                   66                  74      106      110
/// | scale | grid_indices_low | grid_indices_high | signs | scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ3_S {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// The lower 8 bits of the index of group `j`.
    pub grid_indices_low: [u8; 64],
    /// The ninth bit of the index of group `j`, in byte `j / 8`, bit `j % 8`.
    pub grid_indices_high: [u8; 8],
    /// A set bit `i` in byte `k` is a negative weight `8 k + i`.
    pub signs: [u8; 32],
    /// Per two groups of 32: the first one's scale in the low nibble, the second one's in the high one.
    pub scales: [u8; 4],
}
const _: () = assert!(size_of::<IQ3_S>() == 110);

/// 256 weights on a ternary grid of 2048 points in 8 dimensions. Upstream letters: `d`, `qs`, `qh`.
///
/// ```text
/// 0       2                  34                                50
/// | scale | grid_indices_low | grid_indices_high_and_scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ1_S {
    /// Weight per unit of a sub-block's scale.
    pub scale: F16,
    /// The lower 8 bits of the index of group `k`.
    pub grid_indices_low: [u8; 32],
    /// Per group of 32: four times the upper 3 bits of an index from the low end, a scale of 3 bits, and the sign
    /// of the shift by 1/8 (set: down).
    pub grid_indices_high_and_scales: [U16; 8],
}
const _: () = assert!(size_of::<IQ1_S>() == 50);

/// 256 weights on a ternary grid of 2048 points in 8 dimensions. Upstream letters: `qs`, `qh`, `scales`.
///
/// The scale of the block has no field: its 16 bits are the top nibbles of the four `scales`, lowest first.
///
/// ```text
/// 0                  32                             48       56
/// | grid_indices_low | grid_indices_high_and_shifts | scales |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ1_M {
    /// The lower 8 bits of the index of group `k`.
    pub grid_indices_low: [u8; 32],
    /// Per group of 8 a nibble, even `k` low: the upper 3 bits of the index, and the sign of the shift by 1/8.
    pub grid_indices_high_and_shifts: [u8; 16],
    /// Per 64 weights: four scales of 3 bits from the low end, then four bits of the block's scale.
    pub scales: [U16; 4],
}
const _: () = assert!(size_of::<IQ1_M>() == 56);

impl IQ1_M {
    /// The scale of the block, put together.
    pub const fn scale(&self) -> F16 {
        let [a, b, c, d] = &self.scales;
        F16::from_bits(a.get() >> 12 | b.get() >> 12 << 4 | c.get() >> 12 << 8 | d.get() >> 12 << 12)
    }
}

/// 32 weights, indices into 16 levels, one scale: `scale * level[quant]`. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                                                 18
/// | scale | quants: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ4_NL {
    /// Weight per unit of a level.
    pub scale: F16,
    /// Indices of levels.
    pub quants: [u8; 16],
}
const _: () = assert!(size_of::<IQ4_NL>() == 18);

/// 256 weights, indices into 16 levels; per 32 a 6-bit scale: `scale * (s - 32) * level[quant]`.
/// Upstream letters: `d`, `scales_h`, `scales_l`, `qs`.
///
/// ```text
/// 0       2             4            8                                                              136
/// | scale | scales_high | scales_low | quants: in 16 bytes per 32 i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IQ4_XS {
    /// Weight per unit of a level and of a sub-block's scale.
    pub scale: F16,
    /// The upper 2 bits of the scale of group `b`, from bit `2 b`.
    pub scales_high: U16,
    /// The lower 4 bits of the scale of group `b`, in byte `b / 2`, even `b` low.
    pub scales_low: [u8; 4],
    /// Indices of levels.
    pub quants: [u8; 128],
}
const _: () = assert!(size_of::<IQ4_XS>() == 136);

impl super::Numbers for IQ2_XXS {
    // A number in every record, four bytes into it.
    const NUMBERS: &'static [super::NumberField] = &{
        let mut fields = [super::NumberField { offset: 0, width: 2, count: 1 }; 9];
        let mut record = 0;
        while record < 8 {
            fields[record + 1] = super::NumberField { offset: 2 + 8 * record + 4, width: 4, count: 1 };
            record += 1;
        }
        fields
    };
}

numbers! {
    IQ2_XS: scale, grid_indices_and_signs;
    IQ2_S: scale;
    IQ3_XXS: scale, signs_and_scales;
    IQ3_S: scale;
    IQ1_S: scale, grid_indices_high_and_scales;
    IQ1_M: scales;
    IQ4_NL: scale;
    IQ4_XS: scale, scales_high;
}
