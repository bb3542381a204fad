//! Weights to encode: the same on every run, from ordinary to hostile.

use std::f32::consts::TAU;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 even bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Even in (0, 1]: 0 is left out, because logarithms of it are taken.
    pub(crate) fn unit(&mut self) -> f32 {
        ((self.bits() >> 40) + 1) as f32 / (1u64 << 24) as f32
    }

    /// Mean 0, variance 1, by Box and Muller's transform.
    pub(crate) fn gaussian(&mut self) -> f32 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// One of 0 to `count` - 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.bits() % count as u64) as usize
    }

    /// Arbitrary bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Fills one row of weights.
type FillRow = fn(&mut Random, &mut [f32]);

/// Kinds of rows with their names. The first is the one whose speed is reported.
pub(crate) const DISTRIBUTIONS: &[(&str, FillRow)] = &[
    ("Gaussian", |random, row| each(row, || 0.02 * random.gaussian())),
    ("Laplace", |random, row| each(row, || sign(random) * 0.02 * -random.unit().ln())),
    ("Cauchy", |random, row| each(row, || 0.02 * (TAU / 2.0 * (random.unit() - 0.5)).tan())),
    ("all zero of both signs", |random, row| each(row, || sign(random) * 0.0)),
    ("constant", |random, row| row.fill(random.gaussian())),
    ("single outlier", |random, row| {
        each(row, || 0.001 * random.gaussian());
        let at = random.below(row.len());
        row[at] = 100.0 * random.gaussian();
    }),
    ("coarse, with ties", |random, row| each(row, || random.below(33) as f32 / 8.0 - 2.0)),
    ("far from zero", |random, row| {
        let offset = 10.0 * random.gaussian();
        each(row, || offset + 0.01 * random.gaussian());
    }),
    ("subnormal", |random, row| each(row, || f32::from_bits(random.bits() as u32 & 0x807f_ffff))),
    ("with a subnormal scale", |random, row| each(row, || 3e-6 * random.gaussian())),
    ("huge, with a finite scale", |random, row| each(row, || 1.2e5 * (random.unit() - 0.5))),
    ("huge, with an infinite scale", |random, row| each(row, || sign(random) * f32::MAX * random.unit())),
    ("mixed magnitudes", |random, row| {
        each(row, || random.gaussian() * 2f32.powi(random.below(60) as i32 - 45));
    }),
    ("arbitrary finite bits", |random, row| each(row, || finite(random.bits() as u32))),
    ("with NaN and infinity", |random, row| {
        each(row, || 0.02 * random.gaussian());
        for _ in 0..row.len().div_ceil(200) {
            let at = random.below(row.len());
            row[at] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][random.below(3)];
        }
    }),
];

/// Kinds of importance, one number per weight of a row.
pub(crate) const IMPORTANCES: &[FillRow] = &[
    |random, row| each(row, || random.gaussian().powi(2) + 1e-4),
    |random, row| each(row, || random.unit()),
    |_, row| row.fill(1.0),
    |random, row| each(row, || if random.below(4) == 0 { 0.0 } else { random.unit() }),
    |random, row| each(row, || 10f32.powi(random.below(24) as i32 - 12)),
    |_, row| row.fill(0.0),
];

fn each(row: &mut [f32], mut value: impl FnMut() -> f32) {
    row.iter_mut().for_each(|slot| *slot = value());
}

fn sign(random: &mut Random) -> f32 {
    if random.bits() & 1 == 0 { 1.0 } else { -1.0 }
}

/// The float with these bits, or a finite one where they are none.
fn finite(bits: u32) -> f32 {
    let value = f32::from_bits(bits);
    if value.is_finite() { value } else { f32::from_bits(bits & 0xbfff_ffff) }
}
