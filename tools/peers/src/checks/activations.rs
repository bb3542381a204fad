//! briq's encoders of activations against ggml's, through what kernels keep of them: Q8_1 and Q8_K lie in no file and
//! know no importance.

use anyhow::Result;
use briq_codec::Isa;
use briq_format::TensorType;
use briq_kernels::Activations;

use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, Random};
use crate::ggml::Ggml;
use crate::isa::{Finding, findings};
use crate::place::Place;

/// The name of the part that runs under each instruction set.
pub(super) const PART: &str = "activations-under-isa";

const TYPES: [TensorType; 3] = [TensorType::Q8_0, TensorType::Q8_1, TensorType::Q8_K];

/// Rows of each distribution, and their length: more than are encoded at a time.
const ROWS: usize = 400;
const ROW: usize = 4096 + 512;

/// Compares all types.
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
    for ty in TYPES {
        println!("{}", compare(&ggml, ty)?.line());
    }
    Ok(())
}

fn compare(ggml: &Ggml, ty: TensorType) -> Result<Finding> {
    let encoder = ggml.activation_encoder(ty)?;
    let mut expected = Activations::encode(ty, &[0.0; ROW])?.blocks();
    let mut finding = Finding::none(1);
    let mut values = vec![0.0; ROW];
    for (seed, (name, fill)) in DISTRIBUTIONS.iter().enumerate() {
        let mut random = Random::new(seed as u64);
        for row in 0..ROWS {
            fill(&mut random, &mut values);
            // ggml leaves the sums of a block of zeros as they were: here zeros, as briq writes them.
            expected.fill(0);
            encoder.encode(&values, &mut expected)?;
            let found = Activations::encode(ty, &values)?.blocks();
            let differing = expected.iter().zip(&found).filter(|(expected, found)| expected != found).count();
            finding.count(0, differing, || format!("{ty}, {name}, row {row}"));
        }
    }
    Ok(finding)
}
