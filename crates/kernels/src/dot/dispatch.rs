//! The dot product of a row, for a type known at run time.

use briq_format::{TensorType, block, for_each_weight_type};
use zerocopy::FromBytes;

use super::{Dot, Element};
use crate::activations::{Activations, partial};
use crate::error::Error;
use crate::simd::{Cpu, Simd, Work, run};

/// The dot product of a row of `ty` with activations of its [`partner`]. Any bytes have one; it may not be finite. They
/// are little-endian, as [`Tensor::little_endian_bytes`](briq_format::Tensor::little_endian_bytes) gives them.
///
/// # Errors
/// When there is no kernel for `ty`, the row is not whole blocks, or the activations are of another type than its
/// partner or not as many as the row has weights.
// Inlined, so that a product stays in a register and does not go through the memory of a `Result`, which the next row
// would wait for.
#[inline]
pub fn dot(ty: TensorType, row: &[u8], activations: &Activations) -> Result<f32, Error> {
    product(ty, row, activations).ok_or_else(|| refusal(ty, row, activations))
}

/// As [`dot()`], if there is one.
fn product(ty: TensorType, row: &[u8], activations: &Activations) -> Option<f32> {
    match Cpu::known() {
        Some(cpu) => product_with(cpu, ty, row, activations),
        None => first_product(ty, row, activations),
    }
}

/// As [`product`], where the processor was not yet asked what it has. A function of its own: with that call inside, or
/// with [`Cpu::best`] inlined, every row would save the registers that hold its arguments meanwhile, and restore them.
#[cold]
#[inline(never)]
fn first_product(ty: TensorType, row: &[u8], activations: &Activations) -> Option<f32> {
    product_with(Cpu::best(), ty, row, activations)
}

/// As [`product`], with a given instruction set.
#[inline(always)]
pub(crate) fn product_with(cpu: Cpu, ty: TensorType, row: &[u8], activations: &Activations) -> Option<f32> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => product_of_bytes::<block::$name>(cpu, row, activations),)*
                _ => None,
            }
        };
    }
    for_each_weight_type!(dispatch)
}

/// Why there is no [`product`].
#[cold]
#[inline(never)]
fn refusal(ty: TensorType, row: &[u8], activations: &Activations) -> Error {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => match <[block::$name]>::ref_from_bytes(row) {
                    Ok(row) => refusal_of_blocks(row, activations),
                    Err(_) => partial(ty, row.len(), "bytes", size_of::<block::$name>()),
                },)*
                _ => Error::Unsupported { ty },
            }
        };
    }
    for_each_weight_type!(dispatch)
}

/// The type that activations must have to be multiplied with weights of `ty`.
///
/// # Errors
/// When there is no kernel for `ty`.
pub fn partner(ty: TensorType) -> Result<TensorType, Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => Ok(<block::$name as Dot>::PARTNER),)*
                _ => Err(Error::Unsupported { ty }),
            }
        };
    }
    for_each_weight_type!(dispatch)
}

/// Whether there is a kernel for `ty`.
pub fn can_dot(ty: TensorType) -> bool {
    partner(ty).is_ok()
}

/// As [`product_of_blocks`], of bytes, if they are whole blocks.
#[inline(never)]
fn product_of_bytes<W: Dot>(cpu: Cpu, row: &[u8], activations: &Activations) -> Option<f32> {
    product_of_blocks(cpu, <[W]>::ref_from_bytes(row).ok()?, activations)
}

/// The product of a row of blocks, if the activations are of their partner, and as many.
#[inline]
pub(super) fn product_of_blocks<W: Dot>(cpu: Cpu, row: &[W], activations: &Activations) -> Option<f32> {
    let fits =
        activations.ty() == W::PARTNER && row.len().checked_mul(W::ELEMENTS) == Some(activations.elements());
    fits.then(|| match W::Element::apart(activations) {
        None => run(cpu, Row { row, column: W::Element::of(activations) }),
        Some(apart) => product_apart(cpu, Apart { row, column: W::Element::of(activations), apart }),
    })
}

/// As [`product_of_blocks`], where the processor was not yet asked what it has: see [`first_product`].
#[cold]
#[inline(never)]
pub(super) fn first_product_of_blocks<W: Dot>(row: &[W], activations: &Activations) -> Option<f32> {
    product_of_blocks(Cpu::best(), row, activations)
}

/// A function of its own, for what it needs of registers is not to be saved for every row.
#[cold]
#[inline(never)]
fn product_apart<W: Dot>(cpu: Cpu, work: Apart<'_, W>) -> f32 {
    run(cpu, work)
}

/// Why blocks have no product.
#[cold]
pub(super) fn refusal_of_blocks<W: Dot>(row: &[W], activations: &Activations) -> Error {
    match activations.ty() == W::PARTNER {
        true => Error::Length {
            weights: row.len().saturating_mul(W::ELEMENTS),
            activations: activations.elements(),
        },
        false => Error::Partner { ty: W::TYPE, needed: W::PARTNER, given: activations.ty() },
    }
}

/// A row and what it is multiplied with, in which no quant is -128.
struct Row<'a, W: Dot> {
    row: &'a [W],
    column: &'a [W::Element],
}

impl<W: Dot> Work for Row<'_, W> {
    type Output = f32;

    fn scalar(self) -> f32 {
        W::scalar(self.row, self.column)
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) -> f32 {
        let [[product]] = W::products(simd, [self.row], [self.column]);
        product
    }
}

/// A row, and activations of which some are -128, as they are and as two rows that add up to them.
struct Apart<'a, W: Dot> {
    row: &'a [W],
    column: &'a [W::Element],
    apart: [&'a [W::Element]; 2],
}

impl<W: Dot> Work for Apart<'_, W> {
    type Output = f32;

    fn scalar(self) -> f32 {
        W::scalar(self.row, self.column)
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) -> f32 {
        let [[most, rest]] = W::products(simd, [self.row], self.apart);
        most + rest
    }
}
