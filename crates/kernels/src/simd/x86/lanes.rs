//! What is made of the products of matrices: sixteen floats at a time, one for each vector of a group.
//!
//! # Safety
//! Every block is one load or store of the 64 bytes of a reference, or the call of a function that enables AVX-512F.
//! Only who has an [`Amx`] gets here, which is made only where that was detected too.

use std::arch::x86_64::*;

use super::amx::Amx;
use crate::simd::matrices::{Group, Ints};

impl Amx {
    /// Adds the products of a row in eight runs of 32, each times a scale of the vector's and one of the row's.
    #[inline(always)]
    pub(crate) fn add_runs(
        self,
        sums: &mut Group<f32>,
        products: &[Ints; 8],
        row: usize,
        vector_scales: &[Group<f32>; 8],
        scales: &[f32; 8],
    ) {
        // SAFETY: see the module.
        unsafe { add_runs(sums, products, row, vector_scales, scales) }
    }

    /// Adds eight floats of the row's times those of the vectors.
    #[inline(always)]
    pub(crate) fn add_minimums(self, sums: &mut Group<f32>, vectors: &[Group<f32>; 8], minimums: &[f32; 8]) {
        // SAFETY: see the module.
        unsafe { add_minimums(sums, vectors, minimums) }
    }

    /// Adds the products with low and high bytes, times a scale of the vector's and one of the row's.
    #[inline(always)]
    pub(crate) fn add_low_and_high(
        self,
        sums: &mut Group<f32>,
        [low, high]: [&Group<i32>; 2],
        vector_scales: &Group<f32>,
        scale: f32,
    ) {
        // SAFETY: see the module.
        unsafe { add_low_and_high(sums, low, high, vector_scales, scale) }
    }

    /// Adds floats, times a scale of the vector's and one of the row's.
    #[inline(always)]
    pub(crate) fn add_floats(
        self,
        sums: &mut Group<f32>,
        floats: &Group<f32>,
        vector_scales: &Group<f32>,
        scale: f32,
    ) {
        // SAFETY: see the module.
        unsafe { add_floats(sums, floats, vector_scales, scale) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_runs(
    sums: &mut Group<f32>,
    products: &[Ints; 8],
    row: usize,
    vector_scales: &[Group<f32>; 8],
    scales: &[f32; 8],
) {
    let mut sum = load(sums);
    for run in 0..8 {
        let scale = _mm512_mul_ps(load(&vector_scales[run]), _mm512_set1_ps(scales[run]));
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(load_ints(&products[run].0[row])), scale, sum);
    }
    store(sum, sums);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_minimums(sums: &mut Group<f32>, vectors: &[Group<f32>; 8], minimums: &[f32; 8]) {
    let mut sum = load(sums);
    for run in 0..8 {
        sum = _mm512_fmadd_ps(load(&vectors[run]), _mm512_set1_ps(minimums[run]), sum);
    }
    store(sum, sums);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_low_and_high(
    sums: &mut Group<f32>,
    low: &Group<i32>,
    high: &Group<i32>,
    vector_scales: &Group<f32>,
    scale: f32,
) {
    let products = _mm512_add_epi32(load_ints(low), _mm512_slli_epi32::<8>(load_ints(high)));
    let scale = _mm512_mul_ps(load(vector_scales), _mm512_set1_ps(scale));
    store(_mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scale, load(sums)), sums);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_floats(sums: &mut Group<f32>, floats: &Group<f32>, vector_scales: &Group<f32>, scale: f32) {
    let scale = _mm512_mul_ps(load(vector_scales), _mm512_set1_ps(scale));
    store(_mm512_fmadd_ps(load(floats), scale, load(sums)), sums);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(floats: &Group<f32>) -> __m512 {
    // SAFETY: see the module.
    unsafe { _mm512_loadu_ps(floats.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_ints(ints: &Group<i32>) -> __m512i {
    // SAFETY: see the module.
    unsafe { _mm512_loadu_si512(ints.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sum: __m512, sums: &mut Group<f32>) {
    // SAFETY: see the module.
    unsafe { _mm512_storeu_ps(sums.as_mut_ptr().cast(), sum) }
}
