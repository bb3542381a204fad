//! briq's decoders against ggml's under every instruction set, and what both say about blocks that stand for no
//! finite number: arbitrary bytes, and bytes that an encoder wrote.

use anyhow::Result;
use briq_codec::{Isa, can_encode, check_blocks, needs_importance};
use briq_format::Content;
use briq_format::TensorType::{self, *};

use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, IMPORTANCES, Random};
use crate::ggml::Ggml;
use crate::isa::{Finding, findings};
use crate::parallel;
use crate::place::Place;

/// The name of the part that runs under each instruction set.
pub(super) const PART: &str = "decode-under-isa";

/// Weights decoded at once.
const CHUNK_WEIGHTS: usize = 1 << 16;

/// Chunks of arbitrary bytes, and chunks of encoded weights: over five million weights of each.
const CHUNKS: usize = 80;

/// Blocks are held valid or not in rows of so many weights.
const ROW: usize = 256;

/// Compares every type; two floats are the same when their bits are, NaN included.
pub(super) fn run(place: &Place) -> Result<()> {
    let findings = findings(place, PART, types().len())?;
    let mut claims = Claims::default();
    print!("type         weights     rows");
    findings.iter().for_each(|(isa, _)| print!("  {isa:>8}, verdicts"));
    println!();
    for (at, ty) in types().into_iter().enumerate() {
        let weights = 2 * CHUNKS * CHUNK_WEIGHTS;
        print!("{:8} {weights:11} {:8}", ty.name(), weights / ROW);
        for (isa, findings) in &findings {
            let finding = &findings[at];
            print!("  {:8} {:9}", finding.differing[0], finding.differing[1]);
            let sound = finding.differing.iter().all(|&count| count == 0);
            claims.that(sound, format_args!("{isa}: {}", finding.first.as_deref().unwrap_or_default()));
        }
        println!();
    }
    println!("(differing floats, and rows that are valid against ggml's word or the floats they decode to)");
    claims.settle()
}

/// The part that runs under each instruction set.
pub(super) fn run_part(place: &Place) -> Result<()> {
    println!("{}", Isa::best());
    let ggml = Ggml::load(&place.libraries())?;
    for finding in parallel::map(&types(), |&ty| compare(&ggml, ty)) {
        println!("{}", finding?.line());
    }
    Ok(())
}

/// The types that ggml decodes. It has no decoder for F32, wider numbers, integers and Q8_1.
fn types() -> Vec<TensorType> {
    let decodes = |ty: &TensorType| match ty.content() {
        Content::Weights => *ty != F32,
        Content::Activations => *ty != Q8_1,
        Content::Doubles | Content::Integers => false,
    };
    TensorType::ALL.iter().copied().filter(decodes).collect()
}

fn compare(ggml: &Ggml, ty: TensorType) -> Result<Finding> {
    let decoder = ggml.decoder(ty)?;
    let mut finding = Finding::none(2);
    let mut random = Random::new(1);
    let row_bytes = ggml.row_bytes(ty, ROW)?;
    let mut bytes = vec![0; CHUNK_WEIGHTS / ROW * row_bytes];
    let (mut expected, mut found) = (vec![0.0; CHUNK_WEIGHTS], vec![0.0; CHUNK_WEIGHTS]);
    let mut importance = vec![0.0; ROW];
    IMPORTANCES[0](&mut random, &mut importance);
    let importance = needs_importance(ty).then_some(&importance[..]);
    for chunk in 0..2 * CHUNKS {
        let mut origin = "arbitrary bytes";
        random.fill(&mut bytes);
        if chunk % 2 == 1 && can_encode(ty) {
            let (name, fill) = DISTRIBUTIONS[chunk / 2 % DISTRIBUTIONS.len()];
            origin = name;
            expected.chunks_exact_mut(ROW).for_each(|row| fill(&mut random, row));
            for (row, bytes) in expected.chunks_exact(ROW).zip(bytes.chunks_exact_mut(row_bytes)) {
                // Where a row is refused, part of it is still arbitrary.
                let _ = briq_codec::encode(ty, row, ROW, importance, bytes);
            }
        }
        decoder.decode(&bytes, &mut expected)?;
        briq_codec::decode(ty, &bytes, &mut found)?;

        let mut differing = (0..CHUNK_WEIGHTS).filter(|&at| expected[at].to_bits() != found[at].to_bits());
        if let Some(first) = differing.next() {
            finding.count(0, 1 + differing.count(), || {
                let shown = |value: f32| format!("{value:e} ({:#010x})", value.to_bits());
                let (found, expected) = (shown(found[first]), shown(expected[first]));
                format!("{ty}, {origin}, chunk {chunk}: weight {first} is {found}, ggml decodes {expected}")
            });
        }
        for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
            let (ours, theirs) = (check_blocks(ty, bytes)?.is_none(), ggml.is_valid(ty, bytes)?);
            // ggml looks at scales alone; Q8_K and MXFP4 have finite ones whose products with a quant are not.
            let is_finite = found[row * ROW..][..ROW].iter().all(|weight| weight.is_finite());
            finding.count(1, usize::from(ours != (theirs && is_finite)), || {
                format!(
                    "{ty}, {origin}, chunk {chunk}, row {row}: valid is {ours}, for ggml {theirs}, finite {is_finite}"
                )
            });
        }
    }
    Ok(finding)
}
