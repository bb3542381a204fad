//! What processors that multiply small matrices take and give: sixteen rows times sixteen vectors.

/// Rows of a matrix, and vectors of a group.
pub(crate) const ROWS: usize = 16;

/// A number for each of sixteen vectors.
pub(crate) type Group<T> = [[T; 8]; 2];

/// 256 bytes of each of sixteen vectors: four of each, 64 times.
#[repr(align(64))]
pub(crate) struct Bytes(pub(crate) [[[i8; 32]; 2]; 64]);

/// 32 bfloat16 numbers of each of sixteen rows or vectors. Of rows they lie as they are; of vectors two of each,
/// sixteen times.
#[repr(align(64))]
pub(crate) struct Bf16s(pub(crate) [[[i32; 8]; 2]; ROWS]);

/// A product for each row and vector.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Ints(pub(crate) [Group<i32>; ROWS]);

/// The same in floats.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Floats(pub(crate) [Group<f32>; ROWS]);

impl Bytes {
    pub(crate) const ZERO: Self = Self([[[0; 32]; 2]; 64]);
}

impl Bf16s {
    pub(crate) const ZERO: Self = Self([[[0; 8]; 2]; ROWS]);
}

impl Ints {
    pub(crate) const ZERO: Self = Self([[[0; 8]; 2]; ROWS]);
}

impl Floats {
    pub(crate) const ZERO: Self = Self([[[0.0; 8]; 2]; ROWS]);
}

/// Where four bytes are that follow each other in a run of 32, among 64 of their kind: those of two runs are packed in
/// turn, eight of each.
pub(crate) const fn place(run: usize, four: usize) -> usize {
    run / 2 * 16 + four / 2 * 4 + run % 2 * 2 + four % 2
}

#[cfg(target_arch = "x86_64")]
pub(crate) use super::x86::{Amx, Registers};

/// No processor of this architecture has such instructions that are used here.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub(crate) enum Amx {}

/// As there is no [`Amx`] to make them from, there are none.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) struct Registers<const BYTES: usize>(Amx);

#[cfg(not(target_arch = "x86_64"))]
impl Amx {
    pub(crate) fn fetch<T>(self, _: &[T]) {
        match self {}
    }

    pub(crate) fn registers<const BYTES: usize>(self) -> Registers<BYTES> {
        match self {}
    }

    pub(crate) fn spread(self, _: &[[i8; 32]; 8], _: &[i16; 16], _: &mut [u8; 256], _: &mut [i8; 256]) {
        match self {}
    }

    pub(crate) fn add_runs(
        self,
        _: &mut Group<f32>,
        _: &[Ints; 8],
        _: usize,
        _: &[Group<f32>; 8],
        _: &[f32; 8],
    ) {
        match self {}
    }

    pub(crate) fn add_minimums(self, _: &mut Group<f32>, _: &[Group<f32>; 8], _: &[f32; 8]) {
        match self {}
    }

    pub(crate) fn add_low_and_high(self, _: &mut Group<f32>, _: [&Group<i32>; 2], _: &Group<f32>, _: f32) {
        match self {}
    }

    pub(crate) fn add_floats(self, _: &mut Group<f32>, _: &Group<f32>, _: &Group<f32>, _: f32) {
        match self {}
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers<64> {
    pub(crate) fn of_low_and_high(
        &self,
        _: &[[u8; 256]; ROWS],
        _: &[[i8; 256]; ROWS],
        _: [&Bytes; 2],
        _: [&mut [Ints; 2]; 2],
    ) {
        match self.0 {}
    }

    pub(crate) fn of_bf16(&self, _: &Bf16s, _: [&Bf16s; 2], _: [&mut Floats; 2]) {
        match self.0 {}
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers<32> {
    pub(crate) fn of_runs(
        &self,
        _: &[[u8; 256]; ROWS],
        _: [&Bytes; 2],
        _: [&[[i32; 16]; 8]; 2],
        _: &mut [[Ints; 8]; 2],
    ) {
        match self.0 {}
    }
}
