//! Where the bits of codes go. Pairs of inverses over whole blocks, named as the layouts' docs name the placement.
//!
//! Packing takes codes that fit their bits; what is above them spills into the neighbour, as in the reference.

/// 32 codes of 4 bits in 16 bytes: element `i` low, element `i + 16` high.
#[inline(always)]
pub(crate) fn pack_halves(codes: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = codes[i] | codes[i + 16] << 4;
    }
    bytes
}

/// Inverse of [`pack_halves`].
#[inline(always)]
pub(crate) fn unpack_halves(bytes: &[u8; 16]) -> [u8; 32] {
    let mut codes = [0; 32];
    for (i, byte) in bytes.iter().enumerate() {
        (codes[i], codes[i + 16]) = (byte & 15, byte >> 4);
    }
    codes
}

/// The fifth bits of 32 codes, element `i` at bit `i`, and the lower four in halves.
#[inline(always)]
pub(crate) fn pack_fifth_bits(codes: &[u8; 32]) -> (u32, [u8; 16]) {
    let (mut high, mut low) = ([0; 4], *codes);
    for (high, eight) in high.iter_mut().zip(codes.as_chunks::<8>().0) {
        // One bit per byte. The factor moves that of byte `i` up by 56 - 7 i places, to place 56 + i; the others end
        // elsewhere, each alone.
        let bits = u64::from_le_bytes(*eight) >> 4 & 0x0101_0101_0101_0101;
        *high = (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    }
    for low in &mut low {
        *low &= 15;
    }
    (u32::from_le_bytes(high), pack_halves(&low))
}

/// Inverse of [`pack_fifth_bits`].
#[inline(always)]
pub(crate) fn unpack_fifth_bits(high: u32, low: &[u8; 16]) -> [u8; 32] {
    let mut codes = unpack_halves(low);
    for (i, code) in codes.iter_mut().enumerate() {
        *code |= ((high >> i & 1) as u8) << 4;
    }
    codes
}

/// Code `i` of 4 bits, two to a byte, the first in the low nibble.
#[inline(always)]
pub(crate) fn nibble(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 2] >> (4 * (i % 2)) & 15
}

/// Codes without their zero point. Written out, as all here that decoders use, because closures are not compiled for
/// the instruction set of their caller.
#[inline(always)]
pub(crate) fn centred<const N: usize>(codes: &[u8; N], zero: u8) -> [i8; N] {
    let mut centred = [0; N];
    for (centred, code) in centred.iter_mut().zip(codes) {
        *centred = code.wrapping_sub(zero) as i8;
    }
    centred
}

/// The codes with `high` on top of `low`, which has `bits`.
#[inline(always)]
pub(crate) fn joined<const N: usize>(low: &[u8; N], high: &[u8; N], bits: u32) -> [u8; N] {
    let mut codes = *low;
    for (code, high) in codes.iter_mut().zip(high) {
        *code |= high << bits;
    }
    codes
}

/// Codes of 4 bits, two to a byte; [`nibble`] finds them again.
pub(crate) fn pack_nibbles<const BYTES: usize>(codes: &[u8]) -> [u8; BYTES] {
    std::array::from_fn(|i| codes[2 * i] | codes[2 * i + 1] << 4)
}

/// 256 codes in planes: runs of 32 elements share 32 bytes, each run `bits` higher than the one before, and begin
/// new bytes when these are full. `BYTES` is `32 * bits`. Packed are the bits of the codes from `lowest` on; others
/// make no difference.
#[inline(always)]
pub(crate) fn pack_planes<const BYTES: usize, C: Code>(codes: &[C; 256], lowest: usize) -> [C; BYTES] {
    let mut bytes = [C::ZERO; BYTES];
    for (run, codes) in codes.chunks_exact(32).enumerate() {
        let (start, shift) = plane::<BYTES>(run);
        for (byte, code) in bytes[start..].iter_mut().zip(codes) {
            *byte = byte.or(code.bits(lowest, BYTES / 32).up(shift));
        }
    }
    bytes
}

/// Inverse of [`pack_planes`].
#[inline(always)]
pub(crate) fn unpack_planes<const BYTES: usize>(bytes: &[u8; BYTES]) -> [u8; 256] {
    let mask = ((1_u16 << (BYTES / 32)) - 1) as u8;
    let mut codes = [0; 256];
    for (run, codes) in codes.chunks_exact_mut(32).enumerate() {
        let (start, shift) = plane::<BYTES>(run);
        for (code, byte) in codes.iter_mut().zip(&bytes[start..]) {
            *code = byte >> shift & mask;
        }
    }
    codes
}

/// What is packed: the code of a weight, or the codes of weights of blocks side by side, a lane each.
pub(crate) trait Code: Copy {
    /// Codes without a bit.
    const ZERO: Self;

    /// The `count` bits from `lowest` on, moved to the lowest.
    fn bits(self, lowest: usize, count: usize) -> Self;
    /// Moves the bits up.
    fn up(self, bits: usize) -> Self;
    /// The bits of both.
    fn or(self, other: Self) -> Self;
}

impl Code for u8 {
    const ZERO: Self = 0;

    #[inline(always)]
    fn bits(self, lowest: usize, count: usize) -> Self {
        self >> lowest & ((1_u16 << count) - 1) as u8
    }

    #[inline(always)]
    fn up(self, bits: usize) -> Self {
        self << bits
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }
}

impl<const N: usize> Code for [u8; N] {
    const ZERO: Self = [0; N];

    #[inline(always)]
    fn bits(mut self, lowest: usize, count: usize) -> Self {
        for code in &mut self {
            *code = code.bits(lowest, count);
        }
        self
    }

    #[inline(always)]
    fn up(mut self, bits: usize) -> Self {
        for code in &mut self {
            *code = code.up(bits);
        }
        self
    }

    #[inline(always)]
    fn or(mut self, other: Self) -> Self {
        for (code, other) in self.iter_mut().zip(other) {
            *code |= other;
        }
        self
    }
}

/// The first byte of a run of 32 elements, and its lowest bit there.
const fn plane<const BYTES: usize>(run: usize) -> (usize, usize) {
    let bits = BYTES / 32;
    let runs_per_byte = 8 / bits;
    (run / runs_per_byte * 32, run % runs_per_byte * bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition element by element, as the layouts state it: first byte and lowest bit.
    fn plane_of(bits: usize, e: usize) -> (usize, usize) {
        match bits {
            4 => (32 * (e / 64) + e % 32, if e % 64 < 32 { 0 } else { 4 }),
            2 => (32 * (e / 128) + e % 32, 2 * (e % 128 / 32)),
            _ => (e % 32, e / 32),
        }
    }

    fn check_planes<const BYTES: usize>(bytes: [u8; BYTES]) {
        let bits = BYTES / 32;
        let codes = unpack_planes(&bytes);
        for (e, code) in codes.iter().enumerate() {
            let (byte, bit) = plane_of(bits, e);
            assert_eq!(
                u32::from(*code),
                u32::from(bytes[byte]) >> bit & ((1 << bits) - 1),
                "{bits} bits, element {e}"
            );
        }
        assert_eq!(pack_planes::<BYTES, _>(&codes, 0), bytes);
    }

    proptest! {
        #[test]
        fn planes_are_where_the_layouts_say(bytes in any::<[[u8; 32]; 4]>()) {
            let bytes = bytes.concat();
            check_planes::<32>(*bytes.first_chunk().unwrap());
            check_planes::<64>(*bytes.first_chunk().unwrap());
            check_planes::<128>(*bytes.first_chunk().unwrap());
        }

        #[test]
        fn halves_and_fifth_bits_are_where_the_layouts_say(low in any::<[u8; 16]>(), high in any::<u32>()) {
            let codes = unpack_fifth_bits(high, &low);
            for i in 0..16 {
                prop_assert_eq!(codes[i], low[i] & 15 | ((high >> i & 1) << 4) as u8);
                prop_assert_eq!(codes[i + 16], low[i] >> 4 | ((high >> (i + 16) & 1) << 4) as u8);
            }
            prop_assert_eq!(pack_fifth_bits(&codes), (high, low));
        }
    }
}
