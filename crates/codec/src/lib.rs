//! Weights to blocks and back.
//!
//! Encoders write the bytes that ggml's reference quantizers write, with and without an importance matrix, and
//! decoders give its floats bit for bit. Results depend on the arguments alone: every operation is an IEEE 754
//! single-precision operation rounded to nearest even, sums run in index order, nothing is contracted or
//! reassociated, and no function of a math library takes part.
//!
//! * [`decode`] and [`encode`] take a type that is known at run time; [`Decode`], [`Encode`] and, for types whose
//!   search can fail, [`TryEncode`] take typed blocks.
//! * Q8_1 and Q8_K hold activations, not weights: [`encode`] leaves them to [`Encode`].
//! * [`Quants`] and [`k_scales`] give the integers inside a block, for dot products.
//! * [`first_non_finite`] and [`check_blocks`] find values that no encoder should be given, or should have made.
//!
//! The modules, in reading order: a file per type; `placement`, where their bits go; `fit`, how scales are
//! chosen; `grid`, weights that are chosen together; `tables`, numbers that follow from no rule; `primitives`, the
//! roundings. Files and tensors are the business of other crates.
//!
//! ```
//! use briq_format::TensorType;
//!
//! let weights: Vec<f32> = (0..64).map(|i| (i as f32 * 0.37).sin()).collect();
//! let mut blocks = [0; 2 * 34];
//! briq_codec::encode(TensorType::Q8_0, &weights, 64, None, &mut blocks)?;
//! let mut decoded = [0.0; 64];
//! briq_codec::decode(TensorType::Q8_0, &blocks, &mut decoded)?;
//! assert!(weights.iter().zip(decoded).all(|(weight, decoded)| (weight - decoded).abs() < 0.005));
//! # Ok::<(), briq_codec::Error>(())
//! ```

mod check;
mod decoder;
mod dispatch;
mod error;
mod row;

mod bf16;
mod f16;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod nvfp4;
mod plain;
mod q1_0;
mod q2_0;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod q8_1;
mod q8_k;
mod tq1_0;
mod tq2_0;

mod block_by_block;
mod direct;
mod fit;
mod fp4;
mod grid;
mod k_affine;
pub mod k_scales;
mod lanes;
mod placement;
pub mod points;
mod primitives;
mod searched;
mod side_by_side;
mod super_blocks;
mod tables;

pub use check::{check_blocks, first_non_finite};
pub use dispatch::{can_encode, decode, encode, has_grid, needs_importance, uses_importance};
pub use error::{Error, Operation};
pub use lanes::Isa;
pub use row::{Decode, Encode, Quants, Rows, TryEncode};

#[cfg(test)]
mod tests;
