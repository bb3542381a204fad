//! Where the bits of codes go. Pairs of inverses over whole blocks, named as the layouts' docs name the placement.
//!
//! Packing takes codes that fit their bits; what is above them spills into the neighbour, as in the reference.

/// 32 codes of 4 bits in 16 bytes: element `i` low, element `i + 16` high.
pub(crate) fn pack_halves(codes: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| codes[i] | codes[i + 16] << 4)
}

/// Inverse of [`pack_halves`].
pub(crate) fn unpack_halves(bytes: &[u8; 16]) -> [u8; 32] {
    std::array::from_fn(|i| bytes[i % 16] >> (4 * (i / 16)) & 15)
}

/// The fifth bits of 32 codes, element `i` at bit `i`, and the lower four in halves.
pub(crate) fn pack_fifth_bits(codes: &[u8; 32]) -> (u32, [u8; 16]) {
    let high = codes.iter().enumerate().fold(0, |bits, (i, code)| bits | u32::from(code >> 4 & 1) << i);
    (high, pack_halves(&codes.map(|code| code & 15)))
}

/// Inverse of [`pack_fifth_bits`].
pub(crate) fn unpack_fifth_bits(high: u32, low: &[u8; 16]) -> [u8; 32] {
    let low = unpack_halves(low);
    std::array::from_fn(|i| low[i] | ((high >> i & 1) as u8) << 4)
}

/// Code `i` of 4 bits, two to a byte, the first in the low nibble.
pub(crate) fn nibble(bytes: &[u8], i: usize) -> u8 {
    bytes[i / 2] >> (4 * (i % 2)) & 15
}

/// Codes of 4 bits, two to a byte; [`nibble`] finds them again.
pub(crate) fn pack_nibbles<const BYTES: usize>(codes: &[u8]) -> [u8; BYTES] {
    std::array::from_fn(|i| codes[2 * i] | codes[2 * i + 1] << 4)
}

/// 256 codes in planes: runs of 32 elements share 32 bytes, each run `bits` higher than the one before, and begin
/// new bytes when these are full. `BYTES` is `32 * bits`.
pub(crate) fn pack_planes<const BYTES: usize>(codes: &[u8; 256]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (run, codes) in codes.chunks_exact(32).enumerate() {
        let (start, shift) = plane::<BYTES>(run);
        for (byte, code) in bytes[start..].iter_mut().zip(codes) {
            *byte |= code << shift;
        }
    }
    bytes
}

/// Inverse of [`pack_planes`].
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
        assert_eq!(pack_planes::<BYTES>(&codes), bytes);
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
