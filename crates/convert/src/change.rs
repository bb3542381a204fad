//! The values that change on their way into a file, with the roundings of the converter's tensor library.

use briq_format::TensorType;

use crate::model::Value;
use crate::source::{Source, SourceTensor};
use crate::{Error, Result};

/// What every step of a computation is rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// F16, as the source's numbers are.
    Half,
    /// F32.
    Single,
}

/// Changes `numbers` in place. `scale` is what ternary weights are multiples of.
pub(crate) fn change(numbers: &mut [f32], value: Value, scale: f32, rounding: Rounding) {
    let round = |number: f32| match rounding {
        Rounding::Half => half::f16::from_f32(number).to_f32(),
        Rounding::Single => number,
    };
    let each = |numbers: &mut [f32], changed: &dyn Fn(f32) -> f32| {
        numbers.iter_mut().for_each(|number| *number = changed(*number));
    };
    match value {
        Value::Same => {}
        Value::PlusOne => each(numbers, &|x| round(x + 1.0)),
        Value::NegativeExponential => each(numbers, &|x| -round(exponential(x))),
        Value::Times([first, second]) => each(numbers, &|x| round(round(x * first) * second)),
        Value::Ternary => {
            // Both divisions are the converter's: the scale's inverse, and the inverse of that.
            let inverse = 1.0 / scale;
            each(numbers, &|x| round((x * inverse).round_ties_even().clamp(-1.0, 1.0) / inverse));
        }
    }
}

/// The exponential in F32 steps, as a vector math library takes it: 2^(n / 128) by a table, times a quadratic in the
/// rest. It errs by up to 0.54 of the last bit, always alike: nothing here depends on a platform.
fn exponential(x: f32) -> f32 {
    const STEPS: f64 = 128.0;
    /// ln 2 / 128, cut to 9 bits so that a step's product is exact, and what the cut left.
    const STEP: f32 = 355.0 / 65_536.0;
    const REST: f32 = (std::f64::consts::LN_2 / STEPS - 355.0 / 65_536.0) as f32;
    // Beyond, the result is infinity or 0.
    let x = x.clamp(-110.0, 100.0);
    let step = (f64::from(x) * STEPS / std::f64::consts::LN_2).round_ties_even();
    let rest = (x - step as f32 * STEP) - step as f32 * REST;
    let (power, entry) = ((step as i64).div_euclid(128), (step as i64).rem_euclid(128));
    let exact = power_of_two(entry as f64 / STEPS);
    let high = exact as f32;
    let low = (exact - f64::from(high)) as f32;
    let near = high + (low + high * (rest + rest * rest * 0.5));
    // The power is an exponent of a double, as x is bounded.
    (f64::from(near) * f64::from_bits(((power + 1023) as u64) << 52)) as f32
}

/// 2^x for x from 0 to 1, by the series of the exponential, whose first term left out is below 2^-60.
fn power_of_two(x: f64) -> f64 {
    let x = x * std::f64::consts::LN_2;
    (1..=20).rev().fold(1.0, |sum, n| 1.0 + sum * x / f64::from(n))
}

/// The mean of all magnitudes, at least 1e-5, summed up in F32 as the converter's tensor library does it on one
/// thread: in 32 columns, by runs whose sums are summed up in turn.
pub(crate) fn ternary_scale(source: &Source, tensor: &SourceTensor, stored: TensorType) -> Result<f32> {
    let size = stored.block_bytes();
    let count = tensor.shape.elements();
    let mut sum = CascadeSum::new(count);
    let (mut raw, mut numbers) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < count {
        let now = (count - at).min(CHUNK);
        // No more than a chunk.
        raw.resize((now * size) as usize, 0);
        numbers.resize(now as usize, 0.0);
        source.read(tensor, at * size, &mut raw)?;
        briq_codec::decode(stored, &raw, &mut numbers)
            .map_err(|error| Error::unsupported(format!("tensor \"{}\": {error}", tensor.name)))?;
        numbers.iter_mut().for_each(|number| *number = number.abs());
        sum.add(&numbers);
        at += now;
    }
    Ok((sum.total() / count as f32).max(1e-5))
}

/// Numbers that are added up at a time; whole rows of columns.
const CHUNK: u64 = 1 << 14;

/// Numbers side by side in a vector of the library's, and how many vectors it adds to at a time.
const WIDTH: usize = 8;
const COLUMNS: usize = 4 * WIDTH;
/// Sums of sums of sums.
const LEVELS: usize = 4;

/// A sum in the library's order.
struct CascadeSum {
    levels: [[f32; COLUMNS]; LEVELS],
    /// Rows so far.
    row: u64,
    /// Rows after which a sum goes one level up, as a power of two.
    run_power: u32,
    /// What is left behind the last whole row.
    rest: Vec<f32>,
}

impl CascadeSum {
    fn new(count: u64) -> Self {
        let rows = count / COLUMNS as u64;
        let log = if rows <= 2 { 1 } else { (rows - 1).ilog2() + 1 };
        let run_power = (log / LEVELS as u32).max(4);
        Self { levels: [[0.0; COLUMNS]; LEVELS], row: 0, run_power, rest: Vec::new() }
    }

    /// Adds numbers: whole rows, except at the end.
    fn add(&mut self, numbers: &[f32]) {
        let (rows, rest) = numbers.as_chunks::<COLUMNS>();
        for row in rows {
            self.levels[0].iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
            self.row += 1;
            if self.row.is_multiple_of(1 << self.run_power) {
                self.carry();
            }
        }
        self.rest.extend_from_slice(rest);
    }

    /// Takes a full run's sum one level up, and so on while that level's run is full.
    fn carry(&mut self) {
        let mask = (1_u64 << self.run_power) - 1;
        for level in 1..LEVELS {
            let below = std::mem::replace(&mut self.levels[level - 1], [0.0; COLUMNS]);
            self.levels[level].iter_mut().zip(below).for_each(|(sum, number)| *sum += number);
            let shift = level as u32 * self.run_power;
            if self.row & mask.checked_shl(shift).unwrap_or(0) != 0 {
                break;
            }
        }
    }

    fn total(mut self) -> f32 {
        let [mut columns, higher @ ..] = self.levels;
        for level in higher {
            columns.iter_mut().zip(level).for_each(|(sum, number)| *sum += number);
        }
        // Vectors behind the last whole row go to the first vector, then the other vectors do.
        let tail = self.rest.split_off(self.rest.len() / WIDTH * WIDTH);
        let (first, others) = columns.split_at_mut(WIDTH);
        for vector in self.rest.chunks(WIDTH).chain(others.chunks(WIDTH)) {
            first.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
        }
        tail.iter().chain(first.iter()).fold(0.0, |sum, number| sum + number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed(number: f32, value: Value, scale: f32, rounding: Rounding) -> f32 {
        let mut numbers = [number];
        change(&mut numbers, value, scale, rounding);
        numbers[0]
    }

    #[test]
    fn each_value_is_rounded_as_its_source_is_stored() {
        let third = half::f16::from_f32(1.0 / 3.0).to_f32();
        let half_sum = half::f16::from_f32(third + 1.0).to_f32();
        assert_eq!(changed(third, Value::PlusOne, 0.0, Rounding::Half), half_sum);
        assert_eq!(changed(third, Value::PlusOne, 0.0, Rounding::Single), third + 1.0);
        assert_eq!(changed(0.1, Value::Times([0.3, 0.7]), 0.0, Rounding::Single), 0.1 * 0.3 * 0.7);
        assert_eq!(changed(0.0, Value::NegativeExponential, 0.0, Rounding::Single), -1.0);
        assert_eq!(changed(200.0, Value::NegativeExponential, 0.0, Rounding::Single), f32::NEG_INFINITY);
        assert_eq!(changed(-200.0, Value::NegativeExponential, 0.0, Rounding::Single), 0.0);
        assert_eq!(changed(0.3, Value::Same, 0.0, Rounding::Half), 0.3);
    }

    #[test]
    fn ternary_weights_are_the_nearest_of_three() {
        for (number, expected) in
            [(0.2, 0.0), (0.26, 0.5), (7.0, 0.5), (-0.3, -0.5), (-0.25, -0.0), (0.0, 0.0)]
        {
            assert_eq!(changed(number, Value::Ternary, 0.5, Rounding::Single), expected, "{number}");
        }
    }

    proptest! {
        #[test]
        fn the_exponential_is_off_by_little_more_than_half_a_bit(x in -87.0_f32..88.0) {
            let found = f64::from(exponential(x));
            let bit = f64::from(f32::from_bits((found as f32).to_bits() + 1)) - found;
            prop_assert!((found - f64::from(x).exp()).abs() < 0.56 * bit, "{x}");
        }

        #[test]
        fn numbers_that_add_up_exactly_do_so_in_any_order(count in 1_u64..9000) {
            let numbers: Vec<f32> = (0..count).map(|index| (index % 7) as f32).collect();
            let mut sum = CascadeSum::new(count);
            numbers.chunks(CHUNK as usize / 16).for_each(|part| sum.add(part));
            prop_assert_eq!(sum.total(), numbers.iter().sum::<f32>());
        }
    }
}
