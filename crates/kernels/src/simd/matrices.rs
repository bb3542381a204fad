//! What processors that multiply small matrices take and give: sixteen rows times sixteen vectors.

/// Rows of a matrix, and vectors of a group.
pub(crate) const ROWS: usize = 16;

/// A number for each of sixteen vectors.
pub(crate) type Group<T> = [[T; 8]; 2];

/// 256 bytes of each of sixteen vectors: four of each, 64 times.
#[repr(align(64))]
pub(crate) struct Bytes(pub(crate) [[[i8; 32]; 2]; 64]);

/// 32 bfloat16 numbers of each of sixteen rows or vectors. Of rows they lie as they are; of vectors two of each, sixteen
/// times.
#[repr(align(64))]
pub(crate) struct Brains(pub(crate) [[[i32; 8]; 2]; ROWS]);

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

impl Brains {
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

/// Never made: no processor of this architecture has such instructions that are used here.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub(crate) struct Amx(());

/// Never made, as there is no [`Amx`] to make them from.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) struct Registers;

#[cfg(not(target_arch = "x86_64"))]
impl Amx {
    pub(crate) fn fetch<T>(self, _: &[T]) {}

    pub(crate) fn of_64(self) -> Registers {
        Registers
    }

    pub(crate) fn of_32(self) -> Registers {
        Registers
    }

    pub(crate) fn spread(self, _: &[[i8; 32]; 8], _: &[i16; 16], _: &mut [u8; 256], _: &mut [i8; 256]) {}

    pub(crate) fn add_runs(
        self,
        _: &mut Group<f32>,
        _: &[Ints; 8],
        _: usize,
        _: &[Group<f32>; 8],
        _: &[f32; 8],
    ) {
    }

    pub(crate) fn add_minimums(self, _: &mut Group<f32>, _: &[Group<f32>; 8], _: &[f32; 8]) {}

    pub(crate) fn add_halves(self, _: &mut Group<f32>, _: [&Group<i32>; 2], _: &Group<f32>, _: f32) {}

    pub(crate) fn add_floats(self, _: &mut Group<f32>, _: &Group<f32>, _: &Group<f32>, _: f32) {}
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers {
    pub(crate) fn of_halves(
        &self,
        _: &[[u8; 256]; ROWS],
        _: &[[i8; 256]; ROWS],
        _: [&Bytes; 2],
        _: [&mut [Ints; 2]; 2],
    ) {
    }

    pub(crate) fn of_runs(
        &self,
        _: &[[u8; 256]; ROWS],
        _: [&Bytes; 2],
        _: [&[[i32; 16]; 8]; 2],
        _: &mut [[Ints; 8]; 2],
    ) {
    }

    pub(crate) fn of_brains(&self, _: &Brains, _: [&Brains; 2], _: [&mut Floats; 2]) {}
}
