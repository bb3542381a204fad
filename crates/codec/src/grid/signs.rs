//! Signs of eight weights in a byte: bit `i` set where weight `i` is negative.

/// The sign byte of an index of 7 bits, of which the lowest are taken: bit 7 makes the number of set bits even.
pub(crate) const fn with_parity(index: u32) -> u8 {
    let index = (index & 127) as u8;
    index | (index.count_ones() as u8 & 1) << 7
}

/// Magnitudes in steps, with their signs. A step that is not a number also takes the sign.
pub(crate) fn signed(step: f32, magnitudes: &[u8; 8], signs: u8) -> [f32; 8] {
    std::array::from_fn(|i| {
        let sign = u32::from(signs) >> i << 31;
        f32::from_bits((step * f32::from(magnitudes[i])).to_bits() ^ sign)
    })
}
