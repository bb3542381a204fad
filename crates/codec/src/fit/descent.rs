//! The scale of codes with a fixed zero point, code by code. Source: ggml's search for Q3_K.

use super::NEGLIGIBLE;
use super::symmetric::Extreme;
use crate::lanes::{Blocks, Lanes, MAX_WIDTH, Pair};

/// Passes over the codes, at most.
const PASSES: usize = 5;

/// Blocks that go side by side: as many as two pairs of registers have lanes for.
const COLUMNS: usize = 4 * MAX_WIDTH;

/// Minimises the sum of `x^2 (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale, for each of
/// `blocks`. Fills in `scales`, and `codes` where they are asked for; both are as long as `blocks`.
///
/// The first codes put the weight of largest magnitude at `-half`; then each code in turn is moved to where the
/// others' scale puts it, if that lowers the error. A block of negligible weights gets scale 0 and code 0
/// everywhere, which is not the code of zero.
#[inline(always)]
pub(crate) fn descents<L: Lanes, const N: usize>(
    blocks: &[&[f32; N]],
    half: f32,
    scales: &mut [f32],
    mut codes: Option<&mut [[u8; N]]>,
) {
    let mut columns = Columns::<N>::new();
    for first in (0..blocks.len()).step_by(4 * L::WIDTH) {
        columns.begin::<L>(blocks, first, half);
        for passes in 1..=PASSES {
            let going = columns.pass::<L>(half);
            let last = going == 0 || passes == PASSES;
            // A pass that changes nothing is followed by passes that change nothing, so blocks that are done may go
            // on. They are left behind when the others have room in fewer registers.
            if last || registers::<L>(going) < registers::<L>(columns.count) {
                columns.store_scales::<L>(scales);
                if let Some(codes) = &mut codes {
                    columns.store_codes(codes, half);
                }
            }
            if last {
                break;
            }
            if registers::<L>(going) < registers::<L>(columns.count) {
                columns.leave_behind::<L>(blocks);
            }
        }
    }
}

/// Registers that are worked with for so many lanes.
#[inline(always)]
const fn registers<L: Lanes>(lanes: usize) -> usize {
    if lanes > 2 * L::WIDTH {
        4
    } else if lanes > L::WIDTH {
        2
    } else {
        1
    }
}

/// Calls a function of as many lanes as there are columns.
macro_rules! for_all_columns {
    ($columns:ident.$function:ident::<$lanes:ident>($($argument:expr),*)) => {
        match registers::<$lanes>($columns.count) {
            4 => $columns.$function::<Pair<Pair<$lanes>>>($($argument),*),
            2 => $columns.$function::<Pair<$lanes>>($($argument),*),
            _ => $columns.$function::<$lanes>($($argument),*),
        }
    };
}

/// Blocks on their way down, a column each.
struct Columns<const N: usize> {
    /// How many columns there are.
    count: usize,
    /// Which of all blocks each is.
    blocks: [usize; COLUMNS],
    weights: [[f32; COLUMNS]; N],
    /// Less `half`.
    codes: [[f32; COLUMNS]; N],
    /// The sums that a scale follows from, over codes less `half`, with the squares of the weights for importance.
    products: [f32; COLUMNS],
    squares: [f32; COLUMNS],
    /// 1 where the last pass moved a code, 0 elsewhere.
    moved: [f32; COLUMNS],
}

impl<const N: usize> Columns<N> {
    /// Of no block.
    #[inline(always)]
    fn new() -> Self {
        Self {
            count: 0,
            blocks: [0; COLUMNS],
            weights: [[0.0; COLUMNS]; N],
            codes: [[0.0; COLUMNS]; N],
            products: [0.0; COLUMNS],
            squares: [0.0; COLUMNS],
            moved: [0.0; COLUMNS],
        }
    }

    /// Takes as many of `blocks` as there is room for, from the `first` on, and gives them their first codes.
    #[inline(always)]
    fn begin<L: Lanes>(&mut self, blocks: &[&[f32; N]], first: usize, half: f32) {
        self.count = (4 * L::WIDTH).min(blocks.len() - first);
        for (column, block) in self.blocks.iter_mut().enumerate() {
            *block = first + column;
        }
        for_all_columns!(self.load_weights::<L>(blocks));
        for_all_columns!(self.first_codes::<L>(half));
    }

    #[inline(always)]
    fn load_weights<T: Lanes>(&mut self, blocks: &[&[f32; N]]) {
        let columns = Blocks::<N, COLUMNS>::of(self.blocks[..self.count].iter().map(|&block| blocks[block]));
        for (i, rows) in self.weights.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            for (row, x) in rows.iter_mut().zip(columns.four::<T>(4 * i)) {
                x.store(row);
            }
        }
    }

    #[inline(always)]
    fn first_codes<T: Lanes>(&mut self, half: f32) {
        let mut extreme = Extreme::none();
        for row in &self.weights {
            extreme.see(T::load(row));
        }
        let negligible = extreme.magnitude.lt(T::splat(NEGLIGIBLE));
        let steps_per_weight = T::splat(-half) / extreme.value;
        let (mut product, mut square) = (T::zero(), T::zero());
        for (row, codes) in self.weights.iter().zip(&mut self.codes) {
            let x = T::load(row);
            let w = x * x;
            let code = (steps_per_weight * x).round_even_within(-half, half - 1.0);
            product = product + w * x * code;
            square = square + w * code * code;
            T::select(negligible, T::splat(-half), code).store(codes);
        }
        // Without sums no code moves, and the scale is 0.
        T::select(negligible, T::zero(), product).store(&mut self.products);
        T::select(negligible, T::zero(), square).store(&mut self.squares);
    }

    /// Looks at every code once, and says in how many blocks it moved one.
    #[inline(always)]
    fn pass<L: Lanes>(&mut self, half: f32) -> usize {
        for_all_columns!(self.move_codes::<L>(half));
        self.moved[..self.count].iter().filter(|moved| **moved > 0.0).count()
    }

    #[inline(always)]
    fn move_codes<T: Lanes>(&mut self, half: f32) {
        let (mut product, mut square) = (T::load(&self.products), T::load(&self.squares));
        let mut any_moved = T::zero().lt(T::zero());
        for (row, codes) in self.weights.iter().zip(&mut self.codes) {
            let (x, code) = (T::load(row), T::load(codes));
            let w = x * x;
            let without_product = product - w * x * code;
            let without_square = square - w * code * code;
            let steps = (x * without_square / without_product).round_even_within(-half, half - 1.0);
            let new_product = without_product + w * x * steps;
            let new_square = without_square + w * steps * steps;
            // Where something is not a number, nothing is better.
            let better = (new_product * new_product * square).gt(product * product * new_square);
            let sound = without_product.if_less(new_square).if_less((steps - code).abs()).gt(T::zero());
            let moved = sound & better;
            T::select(moved, steps, code).store(codes);
            product = T::select(moved, new_product, product);
            square = T::select(moved, new_square, square);
            any_moved = any_moved | moved;
        }
        product.store(&mut self.products);
        square.store(&mut self.squares);
        T::select(any_moved, T::splat(1.0), T::zero()).store(&mut self.moved);
    }

    #[inline(always)]
    fn store_scales<L: Lanes>(&self, scales: &mut [f32]) {
        let mut row = [0.0; COLUMNS];
        let sums = self.products.chunks_exact(L::WIDTH).zip(self.squares.chunks_exact(L::WIDTH));
        for (row, (product, square)) in row.chunks_exact_mut(L::WIDTH).zip(sums) {
            let (product, square) = (L::load(product), L::load(square));
            L::select(square.gt(L::zero()), product / square, L::zero()).store(row);
        }
        for (scale, block) in row.into_iter().zip(self.blocks).take(self.count) {
            scales[block] = scale;
        }
    }

    #[inline(always)]
    fn store_codes(&self, codes: &mut [[u8; N]], half: f32) {
        for (column, block) in self.blocks.into_iter().enumerate().take(self.count) {
            for (code, row) in codes[block].iter_mut().zip(&self.codes) {
                *code = (row[column] + half) as u8;
            }
        }
    }

    /// Goes on with the blocks in which the last pass moved a code.
    #[inline(always)]
    fn leave_behind<L: Lanes>(&mut self, blocks: &[&[f32; N]]) {
        let (mut columns, mut kept) = ([0; COLUMNS], 0);
        for (column, moved) in self.moved[..self.count].iter().enumerate() {
            columns[kept] = column;
            kept += usize::from(*moved > 0.0);
        }
        let columns = &columns[..kept];
        for row in self.codes.iter_mut().chain([&mut self.products, &mut self.squares]) {
            keep(row, columns);
        }
        keep(&mut self.blocks, columns);
        self.count = kept;
        for_all_columns!(self.load_weights::<L>(blocks));
    }
}

/// Brings columns to the front.
#[inline(always)]
fn keep<T: Copy>(row: &mut [T; COLUMNS], columns: &[usize]) {
    for (to, &from) in columns.iter().enumerate() {
        row[to] = row[from % COLUMNS];
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};
    use crate::primitives::{self, round_even};

    /// One block, weight by weight, as the reference does it: its scale and codes.
    pub(in crate::fit) fn slowly(x: &[f32; 16]) -> (f32, [u8; 16]) {
        let extreme = primitives::extreme(x);
        if extreme.abs() < 1e-15 {
            return (0.0, [0; 16]);
        }
        let code = |steps: f32| round_even(steps).clamp(-4, 3) as f32;
        let mut codes = x.map(|x| code(-4.0 / extreme * x));
        let (mut product, mut square) = (0.0_f32, 0.0_f32);
        for (x, code) in x.iter().zip(codes) {
            let w = x * x;
            product += w * x * code;
            square += w * code * code;
        }
        for _ in 0..5 {
            for (x, old) in x.iter().zip(&mut codes) {
                let w = x * x;
                let without = (product - w * x * *old, square - w * *old * *old);
                let new = code(x * without.1 / without.0);
                let sums = (without.0 + w * x * new, without.1 + w * new * new);
                let better = sums.1 > 0.0 && sums.0 * sums.0 * square > product * product * sums.1;
                if without.0 > 0.0 && new != *old && better {
                    (*old, product, square) = (new, sums.0, sums.1);
                }
            }
        }
        let scale = if square > 0.0 { product / square } else { 0.0 };
        (scale, codes.map(|code| (code + 4.0) as u8))
    }

    struct Check<'a>(&'a [&'a [f32; 16]]);

    impl Kernel for Check<'_> {
        fn run<L: Lanes>(self) {
            let mut found = (vec![f32::NAN; self.0.len()], vec![[9; 16]; self.0.len()]);
            descents::<L, 16>(self.0, 4.0, &mut found.0, Some(&mut found.1));
            for (x, (scale, codes)) in self.0.iter().zip(found.0.iter().zip(found.1)) {
                let expected = slowly(x);
                // The sign of a NaN is the processor's.
                let same = scale.to_bits() == expected.0.to_bits() || scale.is_nan() && expected.0.is_nan();
                assert!(same && codes == expected.1, "{scale} and {codes:?} for {expected:?}: {x:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn blocks_side_by_side_end_where_they_end_alone(
            blocks in proptest::collection::vec((any::<[i8; 16]>(), any::<[u32; 16]>(), 0_u8..16), 0..150),
            exponent in -52_i32..40,
        ) {
            let blocks: Vec<[f32; 16]> = blocks.into_iter().map(|(levels, bits, kind)| match kind {
                0 => bits.map(f32::from_bits),
                1 => levels.map(|level| f32::from(level) * 1e-17),
                2 => levels.map(|level| f32::from(level / 32)),
                _ => std::array::from_fn(|i| {
                    (f32::from(levels[i]) / 32.0 + bits[i] as f32 / u32::MAX as f32) * 2_f32.powi(exponent)
                }),
            }).collect();
            let blocks: Vec<&[f32; 16]> = blocks.iter().collect();
            Isa::available().into_iter().for_each(|isa| dispatch(isa, Check(&blocks)));
        }
    }
}
