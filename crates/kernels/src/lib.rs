//! Block-quantized weights times activations: a row, a matrix, a batch.
//!
//! Activations are quantized too, to the type that the weights' type is multiplied with ([`partner`]); what
//! remains per block is a sum of products of small integers, and a few floats.
//!
//! * [`dot()`] multiplies a row by its type and bytes, [`dot_blocks`] one of blocks whose type the program knows;
//!   [`matvec`] and [`matmul`] a [`Matrix`], on a thread pool that the caller may share; [`matvec_here`],
//!   [`matmul_here`] and [`matmul_rows`] on the calling thread. None of them allocates, but for the first call, which
//!   asks what the processor has, and the queue of a pool.
//! * [`mod@reference`] is the definition: decode both sides, sum in double precision.
//! * [`bound()`] says how far the two may be apart, and why.
//! * [`read_through`] reads bytes and multiplies nothing, for those who measure.
//!
//! The processor's instruction set is chosen once, when the first row is encoded, decoded or multiplied, be it one of
//! activations: AVX-512 with VNNI, VBMI and GFNI (Ice Lake, Zen 4 and later; older processors with AVX-512 use AVX2),
//! AVX2 with FMA, NEON, or none; before that, [`Isa::force`] or `BRIQ_ISA` forces one. [`instruction_set`] names it. A
//! name that is none counts as not given here: [`Isa::forced`] says what is wrong with it. Batches of sixteen vectors
//! and more are multiplied with AMX, by most quantized types, where the processor has it and Linux lets the process use
//! it ([`matrix_instructions`]).
//!
//! ```
//! use briq_format::TensorType;
//! use briq_kernels::{Activations, bound, dot, partner, reference};
//!
//! let weights: Vec<f32> = (0..256).map(|i| (i as f32 * 0.37).sin()).collect();
//! let activations: Vec<f32> = (0..256).map(|i| (i as f32 * 0.11).cos()).collect();
//! let ty = TensorType::Q4_K;
//! let mut row = vec![0; 144];
//! briq_codec::encode(ty, &weights, 256, None, &mut row)?;
//!
//! let activations = Activations::encode(partner(ty)?, &activations)?;
//! let difference = f64::from(dot(ty, &row, &activations)?) - reference::dot_encoded(ty, &row, &activations)?;
//! assert!(difference.abs() <= bound(ty, &row, &activations)?);
//! # Ok::<(), briq_kernels::Error>(())
//! ```
//!
//! A matrix, whose bytes may be those of a mapped file:
//!
//! ```
//! use briq_format::TensorType;
//! use briq_kernels::{Activations, Matrix, matvec, matvec_here, partner};
//!
//! # let (mapped, hidden) = (vec![0; 64 * 144], vec![0.5; 256]);
//! # let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
//! let matrix = Matrix::new(TensorType::Q4_K, &mapped, 256)?;
//! let x = Activations::encode(partner(matrix.ty())?, &hidden)?;
//! let mut y = vec![0.0; matrix.rows()];
//! matvec(&matrix, &x, &mut y, &pool)?; // on a rayon::ThreadPool, or with None on the one that this thread is in
//! matvec_here(&matrix.range(0..32), &x, &mut y[..32])?; // on this thread, for a runtime with threads of its own
//! # Ok::<(), briq_kernels::Error>(())
//! ```

// A closure that is given to an adapter may stay a function of its own, which no instruction set is enabled in.
#![allow(clippy::needless_range_loop)]

mod activations;
mod bound;
mod dot;
mod error;
mod matrix;
mod read;
pub mod reference;
mod simd;

pub use activations::Activations;
pub use bound::bound;
pub use briq_codec::Isa;
pub use dot::{Weights, can_dot, dot, dot_blocks, partner};
pub use error::Error;
pub use matrix::{
    Matrix, Products, matmul, matmul_here, matmul_rows, matrix_instructions_for, matvec, matvec_here,
};
pub use read::read_through;
pub use simd::{instruction_set, matrix_instructions};

#[cfg(test)]
mod tests;
