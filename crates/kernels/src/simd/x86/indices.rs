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

/// An index at which a look-up in 16 bytes gives zero, also where they are the first of a register that is zero else.
pub(super) const NONE: u8 = 0x90;

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
