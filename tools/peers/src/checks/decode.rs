//! briq's decoders against ggml's: arbitrary bytes, and bytes that an encoder wrote.

use anyhow::Result;
use briq_format::TensorType;

use super::encode::TYPES;
use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, Random};
use crate::ggml::Ggml;
use crate::parallel;
use crate::place::Place;

/// Weights decoded at once.
const CHUNK_WEIGHTS: usize = 1 << 16;

/// Chunks of arbitrary bytes, and chunks of encoded weights: over five million weights of each.
const CHUNKS: usize = 80;

struct Figures {
    weights: usize,
    differing: usize,
    first_difference: Option<String>,
}

/// Compares every type; two floats are the same when their bits are, NaN included.
pub(super) fn run(place: &Place) -> Result<()> {
    let ggml = Ggml::load(&place.libraries())?;
    let mut claims = Claims::default();
    println!("type        weights  differing floats");
    for (ty, figures) in TYPES.iter().zip(parallel::map(TYPES, |&ty| compare(&ggml, ty))) {
        let figures = figures?;
        println!("{:6} {:12} {:17}", ty.name(), figures.weights, figures.differing);
        claims.that(figures.differing == 0, figures.first_difference.unwrap_or_default());
    }
    claims.settle()
}

fn compare(ggml: &Ggml, ty: TensorType) -> Result<Figures> {
    let decoder = ggml.decoder(ty)?;
    let mut figures = Figures { weights: 0, differing: 0, first_difference: None };
    let mut random = Random::new(1);
    let mut bytes = vec![0; ggml.row_bytes(ty, CHUNK_WEIGHTS)?];
    let (mut expected, mut found) = (vec![0.0; CHUNK_WEIGHTS], vec![0.0; CHUNK_WEIGHTS]);
    for chunk in 0..2 * CHUNKS {
        let origin = if chunk % 2 == 0 {
            random.fill(&mut bytes);
            "arbitrary bytes"
        } else {
            let (name, fill) = DISTRIBUTIONS[chunk / 2 % DISTRIBUTIONS.len()];
            expected.chunks_exact_mut(256).for_each(|row| fill(&mut random, row));
            ggml.encode(ty, &expected, CHUNK_WEIGHTS, None, &mut bytes)?;
            name
        };
        decoder.decode(&bytes, &mut expected)?;
        briq_codec::decode(ty, &bytes, &mut found)?;

        figures.weights += CHUNK_WEIGHTS;
        let mut differing = (0..CHUNK_WEIGHTS).filter(|&at| expected[at].to_bits() != found[at].to_bits());
        if let Some(first) = differing.next() {
            figures.differing += 1 + differing.count();
            figures.first_difference.get_or_insert_with(|| {
                format!(
                    "{ty}, {origin}, chunk {chunk}: weight {first} is {:e} ({:#010x}), ggml decodes {:e} ({:#010x})",
                    found[first],
                    found[first].to_bits(),
                    expected[first],
                    expected[first].to_bits()
                )
            });
        }
    }
    Ok(figures)
}
