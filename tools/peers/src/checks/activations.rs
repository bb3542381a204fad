//! briq's encoders of activations against ggml's: Q8_1 and Q8_K, which lie in no file and know no importance.

use anyhow::Result;
use briq_codec::{Encode, Isa, Rows};
use briq_format::TensorType;
use briq_format::block::{Block, Q8_1, Q8_K};
use zerocopy::{FromZeros, IntoBytes};

use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, Random};
use crate::ggml::Ggml;
use crate::isa::{Finding, findings};
use crate::place::Place;

/// The name of the part that runs under each instruction set.
pub(super) const PART: &str = "activations-under-isa";

const TYPES: [TensorType; 2] = [TensorType::Q8_1, TensorType::Q8_K];

/// Rows of each distribution, and their length.
const ROWS: usize = 400;
const ROW: usize = 4096;

/// Compares both types.
pub(super) fn run(place: &Place) -> Result<()> {
    let mut claims = Claims::default();
    let findings = findings(place, PART, TYPES.len())?;
    print!("type         values");
    findings.iter().for_each(|(isa, _)| print!("  {isa:>8}"));
    println!();
    for (at, ty) in TYPES.iter().enumerate() {
        print!("{:8} {:10}", ty.name(), DISTRIBUTIONS.len() * ROWS * ROW);
        for (isa, findings) in &findings {
            let Finding { differing, first } = &findings[at];
            print!("  {:8}", differing[0]);
            claims.that(differing[0] == 0, format_args!("{isa}: {}", first.as_deref().unwrap_or_default()));
        }
        println!();
    }
    println!("(differing bytes)");
    claims.settle()
}

/// The part that runs under each instruction set.
pub(super) fn run_part(place: &Place) -> Result<()> {
    println!("{}", Isa::best());
    let ggml = Ggml::load(&place.libraries())?;
    println!("{}", compare::<Q8_1>(&ggml)?.line());
    println!("{}", compare::<Q8_K>(&ggml)?.line());
    Ok(())
}

fn compare<B: Encode + Block + IntoBytes + FromZeros + Clone>(ggml: &Ggml) -> Result<Finding> {
    let encoder = ggml.activation_encoder(B::TYPE)?;
    let mut finding = Finding::none(1);
    let mut values = vec![0.0; ROW];
    for (seed, (name, fill)) in DISTRIBUTIONS.iter().enumerate() {
        let mut random = Random::new(seed as u64);
        for row in 0..ROWS {
            fill(&mut random, &mut values);
            // ggml leaves the sums of a block of zeros as they were: here zeros, as briq writes them.
            let mut expected = vec![B::new_zeroed(); ROW / B::ELEMENTS];
            let mut found = expected.clone();
            encoder.encode(&values, expected.as_mut_bytes())?;
            B::encode_rows(&Rows::one(&values), &mut found);
            let pairs = expected.as_bytes().iter().zip(found.as_bytes());
            let differing = pairs.filter(|(expected, found)| expected != found).count();
            finding.count(0, differing, || format!("{}, {name}, row {row}", B::TYPE));
        }
    }
    Ok(finding)
}
