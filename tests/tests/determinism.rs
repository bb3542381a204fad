//! The bytes of a conversion depend on its input and its recipe, not on threads or memory.

#![allow(clippy::unwrap_used)]

use briq_tests::Folder;

/// Every way to run a conversion that must not show in its result.
const WAYS: [&[&str]; 6] = [
    &[],
    &["--threads", "1"],
    &["--threads", "2"],
    &["--threads", "8"],
    &["--max-memory", "1MiB"],
    &["--max-memory", "64MiB", "--threads", "3"],
];

#[track_caller]
fn one_result(folder: &Folder, source: &[&str], recipe: &str) {
    let mut results = WAYS.iter().map(|way| {
        let arguments =
            [&["convert"], source, &["--type", recipe, "--out", "out.gguf", "--force"], way].concat();
        folder.succeeds(&arguments);
        folder.read("out.gguf")
    });
    let first = results.next().unwrap();
    for (result, way) in results.zip(&WAYS[1..]) {
        assert!(result == first, "{recipe} with {way:?} gives other bytes");
    }
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
    let (rows, row) = (4001, 96);
    let mut state = 1_u32;
    let weights = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    });
    let data: Vec<u8> = weights.take(rows * row).flat_map(f32::to_le_bytes).collect();
    let header = format!(
        r#"{{"w.weight":{{"dtype":"F32","shape":[{rows},{row}],"data_offsets":[0,{}]}}}}"#,
        data.len()
    );
    folder.write("w.safetensors", briq_tests::safetensors(&header, &data));
    for recipe in ["Q4_0", "Q4_K_M"] {
        one_result(&folder, &["w.safetensors", "--arch", "x"], recipe);
    }
}
