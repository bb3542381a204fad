//! Where products go that several threads make.

use std::sync::atomic::{AtomicU32, Ordering};

use zerocopy::{FromBytes, IntoBytes};

/// Places for the products of some rows with vectors: that of row `i` and vector `j` is `j` times as many rows as the
/// matrix has, and `i`, behind the first. Threads that share them write to rows of their own.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// The bits of the products.
    bits: &'a [AtomicU32],
    matrix_rows: usize,
}

impl<'a> Places<'a> {
    pub(super) fn new(out: &'a mut [f32], matrix_rows: usize) -> Self {
        // Both are four bytes at the same alignment: the fallback is never taken.
        Self { bits: <[AtomicU32]>::mut_from_bytes(out.as_mut_bytes()).unwrap_or_default(), matrix_rows }
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
