//! Hints to the cache.
#![cfg_attr(target_arch = "x86_64", allow(unsafe_code))]

/// Hints that the number at `address`, and what shares its cache line, will be needed, though not at once: it need not
/// come nearer than the second cache. Any address will do.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn prefetch(address: *const f32) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

    // SAFETY: every x86-64 processor has the instruction. It reads nothing that a program can see, and where nothing
    // is to be read it does nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
}

/// Hints nothing.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn prefetch(_: *const f32) {}
