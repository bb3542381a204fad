//! Where products go that several threads make.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use zerocopy::{FromBytes, IntoBytes};

/// Memory for products that threads share: each of them writes those of [rows of its own](crate::matmul_rows).
#[derive(Clone, Copy)]
pub struct Products<'a> {
    bits: &'a [AtomicU32],
}

impl<'a> Products<'a> {
    /// Borrows the memory for as long as there is a copy. It has a place for each product of the whole matrix, in the
    /// order of [`matmul`](crate::matmul).
    pub fn new(out: &'a mut [f32]) -> Self {
        // Both are four bytes at the same alignment: the fallback is never taken.
        Self { bits: <[AtomicU32]>::mut_from_bytes(out.as_mut_bytes()).unwrap_or_default() }
    }

    /// How many there is room for.
    pub(super) fn len(self) -> usize {
        self.bits.len()
    }
}

impl fmt::Debug for Products<'_> {
    /// How many there is room for, and not what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Products").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Places for the products of some rows with vectors: that of row `i` and vector `j` is `j` times as many rows as the
/// matrix has, and `i`, behind the first. Threads that share them write to rows of their own.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// The bits of the products.
    bits: &'a [AtomicU32],
    matrix_rows: usize,
}

impl<'a> Places<'a> {
    pub(super) fn new(out: Products<'a>, matrix_rows: usize) -> Self {
        Self { bits: out.bits, matrix_rows }
    }

    /// Those behind some rows.
    #[inline(always)]
    pub(super) fn skip_rows(self, rows: usize) -> Self {
        Self { bits: &self.bits[rows..], ..self }
    }

    /// Those behind some vectors.
    #[inline(always)]
    pub(super) fn skip_vectors(self, vectors: usize) -> Self {
        self.skip_rows(vectors * self.matrix_rows)
    }

    #[inline(always)]
    pub(super) fn put(self, vector: usize, row: usize, product: f32) {
        self.bits[vector * self.matrix_rows + row].store(product.to_bits(), Ordering::Relaxed);
    }
}
