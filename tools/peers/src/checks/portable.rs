//! Kernels without vectors against ggml's portable ones: the same sums in the same order, and so the same bits.

use anyhow::{Context, Error, Result};
use briq_codec::{Isa, needs_importance};
use briq_format::TensorType;
use briq_kernels::{Activations, can_dot, dot, partner};

use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, IMPORTANCES, Random};
use crate::isa::{Finding, findings_under};
use crate::parallel;
use crate::place::Place;
use crate::portable::Portable;

/// The name of the part that runs without vectors.
pub(super) const PART: &str = "portable-without-vectors";

/// Weights of a row: whole blocks of every type.
const LENGTHS: [usize; 5] = [256, 512, 1280, 2048, 4096];

/// Times that all kinds of rows meet in each length.
const ROUNDS: usize = 3;

/// Compares every type; two products are the same when their bits are, or neither is a number.
pub(super) fn run(place: &Place) -> Result<()> {
    let types = types();
    let scalar = "scalar".parse().map_err(Error::msg)?;
    let findings = findings_under(place, PART, scalar, types.len())?;
    let mut claims = Claims::default();
    println!("type      differing products");
    for (ty, Finding { differing, first }) in types.into_iter().zip(findings) {
        println!("{:8} {:19}", ty.name(), differing[0]);
        claims.that(differing[0] == 0, first.as_deref().unwrap_or_default());
    }
    let kinds = DISTRIBUTIONS.len();
    println!(
        "(rows of {LENGTHS:?} weights of {kinds} kinds, and of arbitrary bytes, times finite activations of all kinds)"
    );
    claims.settle()
}

/// The part that runs without vectors.
pub(super) fn run_part(place: &Place) -> Result<()> {
    println!("{}", Isa::best());
    let portable = Portable::load(&place.libraries())?;
    for finding in parallel::map(&types(), |&ty| compare(&portable, ty)) {
        println!("{}", finding?.line());
    }
    Ok(())
}

/// The types that are multiplied.
fn types() -> Vec<TensorType> {
    TensorType::ALL.iter().copied().filter(|&ty| can_dot(ty)).collect()
}

fn compare(portable: &Portable, ty: TensorType) -> Result<Finding> {
    let mut finding = Finding::none(1);
    let mut random = Random::new(1);
    for length in LENGTHS {
        let theirs = portable.vec_dot(ty, length)?;
        for _ in 0..ROUNDS {
            let rows = rows(&mut random, ty, length)?;
            for (kind, activations) in activations(&mut random, partner(ty)?, length)? {
                let blocks = activations.blocks();
                for (of, row) in &rows {
                    let (ours, theirs) = (dot(ty, row, &activations)?, theirs.dot(row, &blocks)?);
                    let is_same = ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan());
                    finding.count(0, usize::from(!is_same), || {
                        format!("{ty}, {length} weights, {of}, times {kind}: {ours:e}, for ggml {theirs:e}")
                    });
                }
            }
        }
    }
    Ok(finding)
}

/// Rows of each kind that can be encoded, and one of arbitrary bytes, with their names.
fn rows(random: &mut Random, ty: TensorType, length: usize) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let row_bytes = ty.row_bytes(length as u64).context("whole blocks")? as usize;
    let (mut weights, mut importance) = (vec![0.0; length], vec![0.0; length]);
    IMPORTANCES[0](random, &mut importance);
    let importance = needs_importance(ty).then_some(&importance[..]);
    let mut arbitrary = vec![0; row_bytes];
    random.fill(&mut arbitrary);
    let mut rows = vec![("arbitrary bytes", arbitrary)];
    for (kind, fill) in DISTRIBUTIONS {
        fill(random, &mut weights);
        let mut row = vec![0; row_bytes];
        if briq_codec::encode(ty, &weights, length, importance, &mut row).is_ok() {
            rows.push((*kind, row));
        }
    }
    Ok(rows)
}

/// Activations of each finite kind, with their names.
fn activations(
    random: &mut Random,
    ty: TensorType,
    length: usize,
) -> Result<Vec<(&'static str, Activations)>> {
    let mut values = vec![0.0_f32; length];
    let mut all = Vec::new();
    for (kind, fill) in DISTRIBUTIONS {
        fill(random, &mut values);
        if values.iter().all(|value| value.is_finite()) {
            all.push((*kind, Activations::encode(ty, &values)?));
        }
    }
    Ok(all)
}
