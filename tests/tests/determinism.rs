//! The bytes of a conversion depend on its input and its recipe, not on threads, memory or the instruction set.

#![allow(clippy::unwrap_used)]

use briq_codec::Isa;
use briq_tests::{Folder, Run, legacy_imatrix};

/// Every way to run a conversion that must not show in its result.
const WAYS: [&[&str]; 5] = [
    &["--threads", "1"],
    &["--threads", "2"],
    &["--threads", "8"],
    &["--max-memory", "1MiB"],
    &["--max-memory", "64MiB", "--threads", "3"],
];

#[track_caller]
fn one_result(folder: &Folder, source: &[&str], recipe: &str) {
    let convert = |way: &[&str], isa: Option<Isa>| {
        let arguments =
            [&["convert"], source, &["--type", recipe, "--out", "out.gguf", "--force"], way].concat();
        let mut command = folder.command(&arguments);
        command.envs(isa.map(|isa| ("BRIQ_ISA", isa.name())));
        let run = Run::from(command.output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?} with {isa:?}");
        folder.read("out.gguf")
    };
    let first = convert(&[], None);
    for way in WAYS {
        assert!(convert(way, None) == first, "{recipe} with {way:?} gives other bytes");
    }
    for isa in Isa::available() {
        assert!(convert(&[], Some(isa)) == first, "{recipe} with {isa} gives other bytes");
    }
}

/// Weights of -0.5 to 0.5 without a pattern, as a safetensors file with one tensor.
fn weights(rows: usize, row: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let weights = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    });
    let data: Vec<u8> = weights.take(rows * row).flat_map(f32::to_le_bytes).collect();
    let end = data.len();
    let header =
        format!(r#"{{"w.weight":{{"dtype":"F32","shape":[{rows},{row}],"data_offsets":[0,{end}]}}}}"#);
    briq_tests::safetensors(&header, &data)
}

#[test]
fn a_checkpoint_converts_to_the_same_bytes_in_every_way() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    for recipe in ["Q4_K_M", "Q6_K", "Q4_0", "F16", "auto"] {
        one_result(&folder, &["model"], recipe);
    }
}

#[test]
fn tensors_of_many_chunks_convert_to_the_same_bytes_in_every_way() {
    let folder = Folder::new();
    // Rows of 96: chunks and pieces end inside a row, and no block of 256 fits, so the fallback is taken too.
    folder.write("w.safetensors", weights(4001, 96));
    for recipe in ["Q4_0", "Q4_K_M"] {
        one_result(&folder, &["w.safetensors", "--arch", "x"], recipe);
    }
}

#[test]
fn importance_gives_the_same_bytes_in_every_way() {
    let folder = Folder::new();
    folder.write("w.safetensors", weights(40, 512));
    let importance: Vec<f32> = (1..=512).map(|i| (i % 37) as f32 / 16.0).collect();
    folder.write("i.dat", legacy_imatrix(&[("w.weight", 1, &importance)]));
    for recipe in ["IQ1_M", "IQ2_XXS", "IQ3_S", "IQ4_XS", "Q3_K_M"] {
        one_result(&folder, &["w.safetensors", "--arch", "x", "--imatrix", "i.dat"], recipe);
    }
}
