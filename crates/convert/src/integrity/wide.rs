//! BLAKE3 of sixteen chunks at a time, with AVX-512.
//!
//! Of the `blake3` crate only the C and assembly code, which need a toolchain that this workspace does without, uses
//! AVX-512. Its Rust code stops at AVX2, and hashing with that takes a fifth of the time of a conversion to Q8_0. So
//! the compression function is here once more, over registers that hold the same word of sixteen chunks, or of sixteen
//! parents. The crate is the judge of it.
//!
//! Source of the function, its constants and flags: the BLAKE3 paper, sections 2.1 to 2.5.

use std::arch::x86_64::*;

use blake3::hazmat::ChainingValue;
use blake3::{BLOCK_LEN, CHUNK_LEN};
use briq_codec::Isa;
use zerocopy::transmute;

/// Chunks, or parents, that are compressed together.
const LANES: usize = 16;

/// The smallest subtree that fills the lanes.
const GROUP_BYTES: usize = LANES * CHUNK_LEN;

/// A word of each lane.
type Words = __m512i;

const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const PARENT: u32 = 4;

const ROUNDS: usize = 7;

/// The words of a block in the order in which each round takes them.
const ORDER: [[usize; 16]; ROUNDS] = {
    const NEXT: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut order = [[0; 16]; ROUNDS];
    let mut at = 0;
    while at < 16 * ROUNDS {
        let (round, word) = (at / 16, at % 16);
        order[round][word] = if round == 0 { word } else { order[round - 1][NEXT[word]] };
        at += 1;
    }
    order
};

/// The chaining value of a subtree that begins at `start`. None where the lanes would not be filled, or AVX-512 is
/// missing or not wanted.
pub(super) fn chaining_value(start: u64, bytes: &[u8]) -> Option<ChainingValue> {
    let (groups, rest) = bytes.as_chunks();
    let is_filled = groups.len().is_power_of_two() && rest.is_empty();
    #[allow(unsafe_code)]
    // SAFETY: AVX-512F was detected.
    (is_filled && is_wanted()).then(|| unsafe { subtree(start / CHUNK_LEN as u64, groups) })
}

/// Whether AVX-512 is there, and no narrower instruction set is forced.
fn is_wanted() -> bool {
    Isa::best().name() == "avx512" && is_x86_feature_detected!("avx512f")
}

#[target_feature(enable = "avx512f")]
fn subtree(first_chunk: u64, groups: &[[u8; GROUP_BYTES]]) -> ChainingValue {
    let mut level = Vec::with_capacity(groups.len() * LANES);
    for (number, group) in (first_chunk..).step_by(LANES).zip(groups) {
        level.extend(chunks(number, group));
    }
    while level.len() > 1 {
        let mut above = Vec::with_capacity(level.len() / 2);
        for pairs in level.as_chunks().0.chunks(LANES) {
            above.extend_from_slice(&parents(pairs)[..pairs.len()]);
        }
        level = above;
    }
    level[0]
}

/// The chaining values of chunks, whose numbers begin with a multiple of sixteen.
#[target_feature(enable = "avx512f")]
fn chunks(first: u64, group: &[u8; GROUP_BYTES]) -> [ChainingValue; LANES] {
    const LAST: usize = CHUNK_LEN / BLOCK_LEN - 1;
    let lanes: Words = transmute!([0_u32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    // A counter goes by its halves.
    let counters = [_mm512_or_si512(splat(first as u32), lanes), splat((first >> 32) as u32)];
    let (chunks, _) = group.as_chunks::<CHUNK_LEN>();
    let mut values = START.map(|word| splat(word));
    for number in 0..=LAST {
        let mut blocks = [splat(0); LANES];
        for (block, chunk) in blocks.iter_mut().zip(chunks) {
            let bytes: [u8; BLOCK_LEN] = chunk.as_chunks().0[number];
            *block = transmute!(bytes);
        }
        let flags = match number {
            0 => CHUNK_START,
            LAST => CHUNK_END,
            _ => 0,
        };
        compress(&mut values, transposed(blocks), counters, flags);
    }
    one_by_one(values)
}

/// The chaining values of parents, of which there may be fewer than sixteen; the rest means nothing.
#[target_feature(enable = "avx512f")]
fn parents(pairs: &[[ChainingValue; 2]]) -> [ChainingValue; LANES] {
    let mut blocks = [splat(0); LANES];
    for (block, &pair) in blocks.iter_mut().zip(pairs) {
        *block = transmute!(pair);
    }
    let mut values = START.map(|word| splat(word));
    compress(&mut values, transposed(blocks), [splat(0); 2], PARENT);
    one_by_one(values)
}

/// Takes a block of each lane into its chaining value.
#[target_feature(enable = "avx512f")]
fn compress(values: &mut [Words; 8], block: [Words; 16], [low, high]: [Words; 2], flags: u32) {
    let [a, b, c, d, e, f, g, h] = *values;
    let [i, j, k, l, ..] = START.map(|word| splat(word));
    let mut rows =
        [[a, b, c, d], [e, f, g, h], [i, j, k, l], [low, high, splat(BLOCK_LEN as u32), splat(flags)]];
    round::<0>(&mut rows, &block);
    round::<1>(&mut rows, &block);
    round::<2>(&mut rows, &block);
    round::<3>(&mut rows, &block);
    round::<4>(&mut rows, &block);
    round::<5>(&mut rows, &block);
    round::<6>(&mut rows, &block);
    let (first, second) = rows.as_flattened().split_at(8);
    for (value, (first, second)) in values.iter_mut().zip(first.iter().zip(second)) {
        *value = _mm512_xor_si512(*first, *second);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn round<const R: usize>(rows: &mut [[Words; 4]; 4], block: &[Words; 16]) {
    let word = |at: usize| block[ORDER[R][at]];
    mix(rows, [word(0), word(2), word(4), word(6)], [word(1), word(3), word(5), word(7)]);
    // What stood on diagonals stands in columns now.
    *rows = turned(*rows, 1);
    mix(rows, [word(8), word(10), word(12), word(14)], [word(9), word(11), word(13), word(15)]);
    *rows = turned(*rows, 3);
}

/// The four columns of a state, each step for all of them, so that none waits for what it has just done.
#[inline]
#[target_feature(enable = "avx512f")]
fn mix(rows: &mut [[Words; 4]; 4], first: [Words; 4], second: [Words; 4]) {
    half_mix::<16, 12>(rows, first);
    half_mix::<8, 7>(rows, second);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn half_mix<const D: i32, const B: i32>([a, b, c, d]: &mut [[Words; 4]; 4], words: [Words; 4]) {
    for i in 0..4 {
        a[i] = _mm512_add_epi32(_mm512_add_epi32(a[i], words[i]), b[i]);
    }
    for i in 0..4 {
        d[i] = _mm512_ror_epi32::<D>(_mm512_xor_si512(d[i], a[i]));
    }
    for i in 0..4 {
        c[i] = _mm512_add_epi32(c[i], d[i]);
    }
    for i in 0..4 {
        b[i] = _mm512_ror_epi32::<B>(_mm512_xor_si512(b[i], c[i]));
    }
}

/// Each row turned to the left by its number, `times` times; costs nothing, as registers have no places.
#[inline]
fn turned([a, b, c, d]: [[Words; 4]; 4], times: usize) -> [[Words; 4]; 4] {
    let turned =
        |row: [Words; 4], by: usize| [row[by % 4], row[(by + 1) % 4], row[(by + 2) % 4], row[(by + 3) % 4]];
    [a, turned(b, times), turned(c, 2 * times), turned(d, 3 * times)]
}

/// Registers of one word of each row, from registers of the sixteen words of a row.
#[target_feature(enable = "avx512f")]
fn transposed(rows: [Words; 16]) -> [Words; 16] {
    let (mut pairs, mut fours, mut words) = (rows, rows, rows);
    for i in (0..16).step_by(2) {
        let [first, second] = [rows[i], rows[i + 1]];
        pairs[i] = _mm512_unpacklo_epi32(first, second);
        pairs[i + 1] = _mm512_unpackhi_epi32(first, second);
    }
    // Register 4i + k of these has in quarter q the words 4q + k of rows 4i to 4i + 3.
    for i in (0..16).step_by(4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for k in 0..4 {
        let [a, b, c, d] = [fours[k], fours[4 + k], fours[8 + k], fours[12 + k]];
        // Quarters 0 and 2, then 1 and 3, of the upper rows and of the lower ones.
        let even = [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d)];
        let odd = [_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d)];
        words[k] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        words[4 + k] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        words[8 + k] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        words[12 + k] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    words
}

/// The chaining value of each lane.
#[target_feature(enable = "avx512f")]
fn one_by_one(values: [Words; 8]) -> [ChainingValue; LANES] {
    let mut words = [splat(0); 16];
    words[..8].copy_from_slice(&values);
    transposed(words).map(|row| {
        let [value, _]: [ChainingValue; 2] = transmute!(row);
        value
    })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn splat(word: u32) -> Words {
    _mm512_set1_epi32(word.cast_signed())
}

#[cfg(test)]
mod tests {
    use blake3::Hasher;
    use blake3::hazmat::HasherExt;

    use super::*;
    use crate::integrity::tree::tests::bytes;

    #[test]
    fn subtrees_have_the_chaining_values_that_the_crate_gives_them() {
        let bytes = bytes(64 * GROUP_BYTES);
        for groups in [1, 2, 4, 64] {
            let bytes = &bytes[..groups * GROUP_BYTES];
            let len = bytes.len() as u64;
            // The counter passes 32 bits in the last.
            for start in [0, len, 5 * len, (1_u64 << 42) - len, (1 << 42) + 3 * len] {
                let expected = Hasher::new().set_input_offset(start).update(bytes).finalize_non_root();
                let found = chaining_value(start, bytes);
                assert_eq!(found, is_wanted().then_some(expected), "{groups} groups from {start}");
            }
        }
    }

    #[test]
    fn what_is_no_power_of_two_of_groups_is_left_to_the_crate() {
        for len in [0, CHUNK_LEN, GROUP_BYTES - 1, GROUP_BYTES + 1, 3 * GROUP_BYTES] {
            assert_eq!(chaining_value(0, &vec![0; len]), None, "{len}");
        }
    }
}
