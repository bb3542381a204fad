//! Bytes in a square, transposed.
#![cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), allow(unsafe_code))]

use super::MAX_WIDTH;

/// Rows of as many bytes as there are rows.
pub(crate) type Square = [[u8; MAX_WIDTH]; MAX_WIDTH];

/// Columns for rows.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn transposed(rows: &Square) -> Square {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128};
    use std::arch::x86_64::{_mm_unpackhi_epi8, _mm_unpacklo_epi8};

    // SAFETY: every x86-64 processor has SSE2. Rows of sixteen bytes are readable and writable; loads and stores need
    // no alignment.
    unsafe {
        let mut registers = [_mm_setzero_si128(); MAX_WIDTH];
        for (register, row) in registers.iter_mut().zip(rows) {
            *register = _mm_loadu_si128(row.as_ptr().cast());
        }
        // Merging the rows i and i + 8 byte by byte moves the highest bit of the row's number to the lowest place of
        // the column's. After four times the numbers have changed places.
        for _ in 0..4 {
            let mut merged = registers;
            for i in 0..8 {
                merged[2 * i] = _mm_unpacklo_epi8(registers[i], registers[i + 8]);
                merged[2 * i + 1] = _mm_unpackhi_epi8(registers[i], registers[i + 8]);
            }
            registers = merged;
        }
        let mut columns = [[0; MAX_WIDTH]; MAX_WIDTH];
        for (register, column) in registers.iter().zip(&mut columns) {
            _mm_storeu_si128(column.as_mut_ptr().cast::<__m128i>(), *register);
        }
        columns
    }
}

/// Columns for rows, as above.
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
#[inline(always)]
pub(crate) fn transposed(rows: &Square) -> Square {
    use std::arch::aarch64::{vdupq_n_u8, vld1q_u8, vst1q_u8, vzip1q_u8, vzip2q_u8};

    // SAFETY: the processor has NEON, which the target says. Rows of sixteen bytes are readable and writable.
    unsafe {
        let mut registers = [vdupq_n_u8(0); MAX_WIDTH];
        for (register, row) in registers.iter_mut().zip(rows) {
            *register = vld1q_u8(row.as_ptr());
        }
        for _ in 0..4 {
            let mut merged = registers;
            for i in 0..8 {
                merged[2 * i] = vzip1q_u8(registers[i], registers[i + 8]);
                merged[2 * i + 1] = vzip2q_u8(registers[i], registers[i + 8]);
            }
            registers = merged;
        }
        let mut columns = [[0; MAX_WIDTH]; MAX_WIDTH];
        for (register, column) in registers.iter().zip(&mut columns) {
            vst1q_u8(column.as_mut_ptr(), *register);
        }
        columns
    }
}

/// Columns for rows.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
pub(crate) fn transposed(rows: &Square) -> Square {
    let mut columns = [[0; MAX_WIDTH]; MAX_WIDTH];
    for (i, row) in rows.iter().enumerate() {
        for (j, byte) in row.iter().enumerate() {
            columns[j][i] = *byte;
        }
    }
    columns
}
