//! `peers vectors LIBRARIES FOLDER`: what ggml makes of a few thousand weights, as files for tests that run
//! without ggml.
//!
//! LIBRARIES is the folder of the pinned package's libraries, FOLDER is fixtures/vectors. `weights.bin` holds
//! rows of 512 weights, one of each finite distribution, and `importance.bin` a number per weight of a row, both
//! as little-endian F32. `TYPE.bin` holds four parts, one after the other: the encoded weights, the same with
//! importance, two rows of arbitrary blocks, and what these decode to, as F32. The first part is missing where there
//! is no encoding without importance, and of types with grids rows of [`HUGE`] weights are left out of the first two.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use briq_format::TensorType::{self, *};

use crate::data::{DISTRIBUTIONS, Random};
use crate::ggml::Ggml;

/// New types go last: the arbitrary blocks of the others then stay what they are.
const TYPES: [TensorType; 27] = [
    F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, Q2_K, Q3_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0,
    MXFP4, NVFP4, Q1_0, Q2_0, IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S,
];
/// The searches of types with grids always find a nearest point for rows below this magnitude, whose squares, and sums
/// of squares, are finite. Where there is none, ggml ends the process.
const HUGE: f32 = 1e15;
const ROW: usize = 512;
/// Rows of arbitrary blocks that are decoded.
const DECODED_ROWS: usize = 2;

/// Writes the files.
///
/// # Errors
/// An argument is missing, the library cannot be loaded, or a file cannot be written.
pub(crate) fn write(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut next = || arguments.next().context("usage: peers vectors LIBRARIES FOLDER");
    let ggml = Ggml::load(Path::new(&next()?))?;
    let folder = next()?;
    let folder = Path::new(&folder);
    let save = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };

    let mut random = Random::new(1);
    let weights = weights(&mut random);
    // A quarter is zero, as with inputs that never occurred while importance was measured.
    let importance: Vec<f32> =
        (0..ROW).map(|_| if random.below(4) == 0 { 0.0 } else { random.unit() }).collect();
    save("weights.bin", &bytes_of(&weights))?;
    save("importance.bin", &bytes_of(&importance))?;
    for ty in TYPES {
        let row_bytes = ggml.row_bytes(ty, ROW)?;
        let mut file = Vec::new();
        let taken: Vec<f32> =
            weights.chunks_exact(ROW).filter(|row| takes(ty, row)).flatten().copied().collect();
        for importance in [None, Some(&importance[..])] {
            if importance.is_none() && ggml.requires_importance(ty) {
                continue;
            }
            let mut blocks = vec![0; row_bytes * taken.len() / ROW];
            ggml.encode(ty, &taken, ROW, importance, &mut blocks)?;
            file.extend(blocks);
        }
        let mut blocks = vec![0; row_bytes * DECODED_ROWS];
        random.fill(&mut blocks);
        let mut decoded = vec![0.0; ROW * DECODED_ROWS];
        ggml.decoder(ty)?.decode(&blocks, &mut decoded)?;
        file.extend(blocks);
        file.extend(bytes_of(&decoded));
        save(&format!("{ty}.bin"), &file)?;
    }
    Ok(())
}

/// Whether ggml can be asked to encode a row.
fn takes(ty: TensorType, row: &[f32]) -> bool {
    !briq_codec::has_grid(ty) || row.iter().all(|weight| weight.abs() < HUGE)
}

/// A row of each distribution whose weights are finite.
fn weights(random: &mut Random) -> Vec<f32> {
    let mut weights = Vec::new();
    for (_, fill) in DISTRIBUTIONS {
        let mut row = vec![0.0; ROW];
        fill(random, &mut row);
        if row.iter().all(|weight| weight.is_finite()) {
            weights.extend(row);
        }
    }
    weights
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
