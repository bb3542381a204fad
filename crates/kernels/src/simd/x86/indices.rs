//! Masks, and the indices that bytes are shuffled by.

/// The lower nibble of each of 8 bytes.
pub(super) const NIBBLES: u64 = 0x0F0F_0F0F_0F0F_0F0F;

/// Where the bytes of each of four words are, each four times.
pub(super) static FOUR_TIMES: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = (i / 8 * 2 + i % 2) as u8;
        i += 1;
    }
    bytes
};

/// An index at which a look-up gives zero.
pub(super) const NONE: u8 = 0x80;

/// Where the last four of eight bytes are, in each half of a register, as ints.
pub(super) static MINIMUMS: [u8; 32] = {
    let mut indices = [NONE; 32];
    let mut i = 0;
    while i < 8 {
        indices[4 * i] = (4 + i % 4) as u8;
        i += 1;
    }
    indices
};

/// Where the lower byte of each of four words is, eight times.
pub(super) static LOWER_EIGHT_TIMES: [u8; 32] = {
    let mut indices = [0; 32];
    let mut i = 0;
    while i < 32 {
        indices[i] = (i / 8 * 2) as u8;
        i += 1;
    }
    indices
};

/// Where the first four words of a half are, each twice, and the last four in the other half.
pub(super) static WORDS_TWICE: [u8; 32] = {
    let mut indices = [0; 32];
    let mut i = 0;
    while i < 32 {
        indices[i] = (i / 4 * 2 + i % 2) as u8;
        i += 1;
    }
    indices
};
