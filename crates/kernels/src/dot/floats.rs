//! F32, F16 and BF16: products in single precision. One number at a time they are summed in double precision.

use briq_format::TensorType;
use briq_format::block::{BF16, Block, F16, F32};
use zerocopy::transmute_ref;

use super::{AHEAD, Dot};
use crate::simd::Simd;

/// Numbers that are multiplied at once: a register of 64 bytes of the shorter types.
const RUN: usize = 32;

/// A float that widens to single precision without rounding.
pub(crate) trait Float: Block {
    /// What it meets.
    type Activation: Float;

    fn widen(self) -> f32;

    /// Sums that a row with a single column carries on independently of each other: as many as latency asks for, and as
    /// leave registers for what is converted.
    const CHAINS: usize = 8;

    /// Adds the products of a run.
    fn add<S: Simd>(
        simd: S,
        sum: S::Wide,
        weights: &[Self; RUN],
        activations: &[Self::Activation; RUN],
    ) -> S::Wide;

    /// Whether [`add`](Self::add) asks the processor which instruction to use.
    #[inline(always)]
    fn is_special<S: Simd>(_: S) -> bool {
        false
    }
}

impl Float for F32 {
    type Activation = Self;

    #[inline(always)]
    fn widen(self) -> f32 {
        self.get()
    }
    #[inline(always)]
    fn add<S: Simd>(
        simd: S,
        sum: S::Wide,
        weights: &[Self; RUN],
        activations: &[Self::Activation; RUN],
    ) -> S::Wide {
        simd.add_f32(sum, transmute_ref!(weights), transmute_ref!(activations))
    }
}

impl Float for F16 {
    /// To widen one takes as long as to multiply it. Activations are widened once and not for each row, although they
    /// then take twice as much of the first cache.
    type Activation = F32;

    const CHAINS: usize = 4;

    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn add<S: Simd>(
        simd: S,
        sum: S::Wide,
        weights: &[Self; RUN],
        activations: &[Self::Activation; RUN],
    ) -> S::Wide {
        simd.add_f16(sum, transmute_ref!(weights), transmute_ref!(activations))
    }
}

impl Float for BF16 {
    type Activation = Self;

    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn add<S: Simd>(
        simd: S,
        sum: S::Wide,
        weights: &[Self; RUN],
        activations: &[Self::Activation; RUN],
    ) -> S::Wide {
        simd.add_bf16(sum, transmute_ref!(weights), transmute_ref!(activations))
    }
    #[inline(always)]
    fn is_special<S: Simd>(simd: S) -> bool {
        simd.multiplies_bf16()
    }
}

macro_rules! floats {
    ($($name:ident)*) => {
        $(impl Dot for $name {
            const PARTNER: TensorType = TensorType::$name;
            type Element = <Self as Float>::Activation;

            fn roundings(elements: usize) -> usize {
                // At least 8 sums side by side, and the elements behind them.
                elements / 8 + 72
            }

            fn scalar(row: &[Self], column: &[Self::Element]) -> f32 {
                let products = row.iter().zip(column).map(|(weight, activation)| weight.widen() * activation.widen());
                products.fold(0.0_f64, |sum, product| sum + f64::from(product)) as f32
            }

            #[inline(always)]
            fn products<S: Simd, const R: usize, const C: usize>(
                simd: S,
                rows: [&[Self]; R],
                columns: [&[Self::Element]; C],
            ) -> [[f32; C]; R] {
                // The same twice: compiled for each answer, the loop need not ask again.
                match Self::is_special(simd) {
                    true => dot_some(simd, rows, columns),
                    false => dot_some(simd, rows, columns),
                }
            }

            const ROWS: usize = 8;
            const GROUP: usize = 4;
        })*
    };
}
floats!(F32 F16 BF16);

/// The products of `R` rows with `C` columns.
#[inline(always)]
fn dot_some<F: Float, S: Simd, const R: usize, const C: usize>(
    simd: S,
    rows: [&[F]; R],
    columns: [&[F::Activation]; C],
) -> [[f32; C]; R] {
    match (R, C, F::CHAINS) {
        (1, 1, 8) => dot::<F, S, R, C, 8>(simd, rows, columns),
        (1, 1, _) => dot::<F, S, R, C, 4>(simd, rows, columns),
        (1, _, _) | (_, 1, _) => dot::<F, S, R, C, 2>(simd, rows, columns),
        _ => dot::<F, S, R, C, 1>(simd, rows, columns),
    }
}

#[inline(always)]
fn dot<F: Float, S: Simd, const R: usize, const C: usize, const CHAINS: usize>(
    simd: S,
    rows: [&[F]; R],
    columns: [&[F::Activation]; C],
) -> [[f32; C]; R] {
    let mut sums = [[[simd.wide_zeros(); CHAINS]; C]; R];
    let (runs, rest) = rows[0].as_chunks::<RUN>();
    // As many of each row and column, which the loop then need not check.
    let mut weights = [runs; R];
    for r in 0..R {
        weights[r] = &rows[r].as_chunks().0[..runs.len()];
    }
    let mut activations = [columns[0].as_chunks::<RUN>().0; C];
    for c in 0..C {
        activations[c] = &columns[c].as_chunks().0[..runs.len()];
    }
    for place in 0..runs.len() / CHAINS {
        for chain in 0..CHAINS {
            for r in 0..R {
                if R > 1 && C == 1 {
                    simd.fetch(&weights[r][CHAINS * place + chain], AHEAD);
                }
                for c in 0..C {
                    let weights = &weights[r].as_chunks::<CHAINS>().0[place][chain];
                    let activations = &activations[c].as_chunks::<CHAINS>().0[place][chain];
                    sums[r][c][chain] = F::add(simd, sums[r][c][chain], weights, activations);
                }
            }
        }
    }
    let mut products = [[0.0; C]; R];
    for r in 0..R {
        for c in 0..C {
            let sums = &mut sums[r][c];
            let (weights, activations) =
                (weights[r].as_chunks::<CHAINS>().1, activations[c].as_chunks::<CHAINS>().1);
            for (weights, activations) in weights.iter().zip(activations) {
                sums[0] = F::add(simd, sums[0], weights, activations);
            }
            let mut width = CHAINS / 2;
            while width > 0 {
                for chain in 0..width {
                    sums[chain] = simd.add_wide(sums[chain], sums[chain + width]);
                }
                width /= 2;
            }
            products[r][c] = simd.sum(simd.folded(sums[0]));
            if !rest.is_empty() {
                let (weights, activations) = (rows[r].as_chunks::<RUN>().1, columns[c].as_chunks::<RUN>().1);
                products[r][c] = with_rest(products[r][c], weights, activations);
            }
        }
    }
    products
}

/// Adds the products behind the last run. A function of its own: rows hardly ever have such, and what it needs of
/// registers is not to be saved for every row.
#[cold]
#[inline(never)]
fn with_rest<F: Float>(sum: f32, weights: &[F], activations: &[F::Activation]) -> f32 {
    weights
        .iter()
        .zip(activations)
        .fold(sum, |sum, (weight, activation)| sum + weight.widen() * activation.widen())
}
