//! Weights, importance and blocks to measure on: the same in every run and on every machine.
//!
//! Seven rows of eight are what trained weights look like; the eighth is something that a search may stumble over,
//! so that equal bytes say something while the time stays that of ordinary weights. No function of a math library
//! takes part.

use briq_format::TensorType;

/// Weights of a row.
pub(super) const ROW: usize = 4096;

/// Bytes of a row of blocks: it is a whole number of blocks of every type.
pub(super) fn row_bytes(ty: TensorType) -> usize {
    ROW / ty.block_elements() as usize * ty.block_bytes() as usize
}

/// Rows after which every kind has been there.
pub(super) const PERIOD: usize = 8 * ODD.len();

/// `rows` rows of weights.
pub(super) fn weights(rows: usize) -> Vec<f32> {
    let mut random = Random(1);
    let mut weights = vec![0.0; rows * ROW];
    for (number, row) in weights.chunks_exact_mut(ROW).enumerate() {
        match is_odd(number) {
            true => ODD[number / 8 % ODD.len()](&mut random, row),
            false => each(row, || 0.02 * random.gaussian()),
        }
    }
    weights
}

/// An importance per weight of a row: a few columns matter much, a few not at all.
pub(super) fn importance() -> Vec<f32> {
    let mut random = Random(2);
    let mut row = vec![0.0; ROW];
    each(&mut row, || random.gaussian().powi(2));
    row.iter_mut().step_by(61).for_each(|value| *value = 0.0);
    row
}

/// `rows` rows of blocks: a period of encoded rows over and over, every eighth row arbitrary bytes. All are
/// arbitrary where nothing is `encoded`.
pub(super) fn blocks(ty: TensorType, rows: usize, encoded: Option<&[u8]>) -> Vec<u8> {
    let row_bytes = row_bytes(ty);
    let mut random = Random(3);
    let mut blocks = vec![0; rows * row_bytes];
    for (number, row) in blocks.chunks_exact_mut(row_bytes).enumerate() {
        let encoded = encoded.and_then(|encoded| encoded.chunks_exact(row_bytes).nth(number % PERIOD));
        match encoded.filter(|_| !is_odd(number)) {
            Some(encoded) => row.copy_from_slice(encoded),
            None => random.fill(row),
        }
    }
    blocks
}

fn is_odd(row: usize) -> bool {
    row % 8 == 7
}

/// Fills a row. All values are finite and so are their scales in half precision: beyond that some of ggml's
/// searches end the process.
type Fill = fn(&mut Random, &mut [f32]);

const ODD: [Fill; 7] = [
    // Heavy tails: a normal number over an even one.
    |random, row| each(row, || 0.02 * random.gaussian() / (random.unit() + 1.0 / 1024.0)),
    // Zeros of both signs.
    |random, row| each(row, || f32::from_bits(random.word() & 0x8000_0000)),
    |random, row| row.fill(random.gaussian()),
    // A single outlier.
    |random, row| {
        each(row, || 0.001 * random.gaussian());
        row[random.word() as usize % ROW] = 100.0;
    },
    // Subnormal.
    |random, row| each(row, || f32::from_bits(random.word() & 0x807F_FFFF)),
    // Huge.
    |random, row| each(row, || 1.2e5 * (random.unit() - 0.5)),
    // Magnitudes from 2^-45 to 2^14.
    |random, row| each(row, || random.gaussian() * f32::from_bits((127 - 45 + random.word() % 60) << 23)),
];

fn each(row: &mut [f32], mut value: impl FnMut() -> f32) {
    row.iter_mut().for_each(|slot| *slot = value());
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// Even in [0, 1).
    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Mean 0, variance 1, and about normal: the sum of four even numbers of 16 bits.
    fn gaussian(&mut self) -> f32 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xFFFF).sum();
        // Each has the mean 65535 / 2 and, but for a billionth, the variance 65536^2 / 12.
        (sum as f32 - 131_070.0) / 37_837.23
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_rows_have_the_mean_and_the_spread_they_claim() {
        let weights = weights(7);
        let count = weights.len() as f64;
        let mean = weights.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = weights.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count;
        assert!(mean.abs() < 0.001 && (variance.sqrt() - 0.02).abs() < 0.001, "{mean} {variance}");
    }

    #[test]
    fn every_row_is_finite_and_fits_a_half_precision_scale() {
        assert!(weights(PERIOD).iter().all(|weight| weight.abs() < 65_504.0));
        assert!(importance().iter().all(|&value| value.is_finite() && value >= 0.0));
    }

    #[test]
    fn every_eighth_row_of_blocks_is_arbitrary() {
        let encoded = vec![7; PERIOD * ROW / 32 * 34];
        let blocks = blocks(TensorType::Q8_0, 2 * PERIOD, Some(&encoded));
        for (number, row) in blocks.chunks_exact(ROW / 32 * 34).enumerate() {
            assert_eq!(row.iter().all(|&byte| byte == 7), number % 8 != 7, "row {number}");
        }
    }
}
