//! Conversions with an importance matrix, held against llama.cpp's and against the definition.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use briq_convert::imatrix::{Format, Imatrix, MergeOptions, merge};
use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Recipe;
use briq_convert::run::{RunOptions, run};
use briq_format::{
    Existing, FilePlan, Gguf, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter, Value,
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

fn options(recipe: Recipe, imatrix: &Path) -> PlanOptions {
    PlanOptions { imatrix: Some(Arc::new(Imatrix::open(imatrix).unwrap())), ..PlanOptions::new(recipe) }
}

fn convert(source: &Path, options: &PlanOptions, run_options: &RunOptions) -> (tempfile::TempDir, Gguf) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.gguf");
    let plan = Plan::new(source, options).unwrap();
    run(&plan, &output, run_options, &(), &AtomicBool::new(false)).unwrap();
    let file = Gguf::open(&output).unwrap();
    (folder, file)
}

#[test]
fn tensors_are_those_that_llama_cpp_writes_with_the_same_matrix() {
    let imatrix = fixture("imatrix/tiny-llama.gguf");
    for recipe in [Recipe::Q4_0, Recipe::Q4_K_M, Recipe::Q5_K_M, Recipe::Q6_K, Recipe::Q2_K_S, Recipe::IQ4_XS]
    {
        let source = fixture("checkpoints/tiny-llama");
        let (_folder, file) = convert(&source, &options(recipe, &imatrix), &RunOptions::default());
        let golden =
            std::fs::read_to_string(fixture(&format!("imatrix/tiny-llama-{recipe}.golden.txt"))).unwrap();
        let snapshot = file.snapshot().to_string();
        let (_, tensors) = snapshot.trim_end().rsplit_once("\n\n").unwrap();
        assert_eq!(tensors, golden.trim_end(), "{recipe}");
    }
}

#[test]
fn the_file_says_which_matrix_was_used() {
    let imatrix = fixture("imatrix/tiny-llama.gguf");
    let plan = Plan::new(&fixture("checkpoints/tiny-llama"), &options(Recipe::Q4_0, &imatrix)).unwrap();
    let text = |key| plan.metadata.get(key).and_then(|value| value.as_str());
    assert_eq!(text("quantize.imatrix.file"), imatrix.to_str());
    assert_eq!(text("quantize.imatrix.dataset"), Some("calibration.txt"));
    assert_eq!(plan.metadata.get("quantize.imatrix.entries_count"), Some(Value::U32(14)));
    assert_eq!(plan.metadata.get("quantize.imatrix.chunks_count"), Some(Value::U32(9)));
    let last: Vec<_> = plan.metadata.iter().map(|(key, _)| key.to_owned()).collect();
    let wanted = ["general.quantization_version", "general.file_type", "quantize.imatrix.file"];
    assert_eq!(last[last.len() - 6..][..3], wanted);
}

#[test]
fn a_plan_names_the_tensors_that_the_matrix_does_not_speak_of() {
    let imatrix = fixture("imatrix/tiny-llama.gguf");
    let plan = Plan::new(&fixture("checkpoints/tiny-llama"), &options(Recipe::Q4_0, &imatrix)).unwrap();
    let missing: Vec<_> = plan.without_importance().map(|tensor| tensor.spec.name()).collect();
    assert_eq!(missing, ["token_embd.weight"]);
    // Eight bits make no use of one, so nothing is missing.
    let plan = Plan::new(&fixture("checkpoints/tiny-llama"), &options(Recipe::Q8_0, &imatrix)).unwrap();
    assert_eq!(plan.without_importance().count(), 0);
}

#[test]
fn a_recipe_that_needs_a_matrix_is_refused_without_one() {
    let source = fixture("checkpoints/tiny-llama");
    let error = Plan::new(&source, &PlanOptions::new(Recipe::Q2_K_S)).unwrap_err().to_string();
    assert!(
        error.ends_with("more cannot be encoded without an importance matrix; give one with --imatrix FILE"),
        "{error}"
    );
}

#[test]
fn a_matrix_in_the_legacy_format_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let legacy = folder.path().join("imatrix.dat");
    let given = fixture("imatrix/tiny-llama.gguf");
    let inputs = [Imatrix::open(&given).unwrap()];
    merge(&inputs, MergeOptions { chunk_size: None })
        .unwrap()
        .write(&legacy, Format::Legacy, Existing::Keep)
        .unwrap();
    let again = folder.path().join("imatrix.gguf");
    let inputs = [Imatrix::open(&legacy).unwrap()];
    merge(&inputs, MergeOptions { chunk_size: None })
        .unwrap()
        .write(&again, Format::Gguf, Existing::Keep)
        .unwrap();
    let source = fixture("checkpoints/tiny-llama");
    let tensors = |imatrix: &Path| {
        let (_folder, file) = convert(&source, &options(Recipe::Q4_K_M, imatrix), &RunOptions::default());
        file.tensors().map(|tensor| tensor.bytes().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(tensors(&legacy), tensors(&again));
}

/// A GGUF file of F32 tensors.
fn write(path: &Path, metadata: &MetadataBuf, tensors: &[(&str, &[u64], &[f32])]) {
    let spec = |(name, dims, _): &(&str, &[u64], &[f32])| {
        TensorSpec::new(*name, Shape::new(dims).unwrap(), TensorType::F32).unwrap()
    };
    let plan = FilePlan::new(metadata, tensors.iter().map(spec).collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, std::fs::File::create(path).unwrap()).unwrap();
    for (name, _, values) in tensors {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        writer.write(name, &bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// Numbers without a pattern, from -1 to 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn every_expert_is_encoded_with_its_own_importance_whatever_the_memory_and_threads() {
    const ROW: usize = 512;
    const ROWS: usize = 9;
    const EXPERTS: usize = 5;
    const NAME: &str = "blk.0.ffn_up_exps.weight";
    let folder = tempfile::tempdir().unwrap();
    let (source, imatrix) = (folder.path().join("model.gguf"), folder.path().join("imatrix.gguf"));
    let weights = numbers(ROW * ROWS * EXPERTS, 1);
    let sums: Vec<f32> = numbers(ROW * EXPERTS, 2).iter().map(|x| 50.0 * x * x).collect();
    // Nothing is known of the third expert.
    let counts = [7.0, 1.0, 0.0, 300.0, 12.0];

    let mut model = MetadataBuf::new();
    model.set("general.architecture", "llama").unwrap();
    model.set("llama.block_count", 1_u32).unwrap();
    model.set("llama.expert_count", EXPERTS as u32).unwrap();
    let output = numbers(ROW * 2, 3);
    write(
        &source,
        &model,
        &[
            ("output.weight", &[ROW as u64, 2], &output),
            (NAME, &[ROW as u64, ROWS as u64, EXPERTS as u64], &weights),
        ],
    );
    let mut keys = MetadataBuf::new();
    keys.set("general.type", "imatrix").unwrap();
    keys.set("imatrix.datasets", vec!["x"]).unwrap();
    keys.set("imatrix.chunk_count", 1_u32).unwrap();
    keys.set("imatrix.chunk_size", 512_u32).unwrap();
    write(
        &imatrix,
        &keys,
        &[
            (&format!("{NAME}.in_sum2"), &[ROW as u64, EXPERTS as u64], &sums),
            (&format!("{NAME}.counts"), &[1, EXPERTS as u64], &counts),
        ],
    );

    for recipe in [Recipe::Q4_0, Recipe::Q5_1, Recipe::Q4_K_S, Recipe::Q3_K_S, Recipe::Q6_K] {
        for (max_memory, threads) in [(1 << 20, 1), (1 << 20, 7), (256 << 20, 2)] {
            let run_options = RunOptions { max_memory, threads, ..RunOptions::default() };
            let (_folder, file) = convert(&source, &options(recipe, &imatrix), &run_options);
            let tensor = file.tensor(NAME).unwrap();
            let ty = tensor.info.tensor_type().unwrap();
            assert_eq!(Some(ty), recipe.base());
            let mut expected = vec![0; tensor.bytes().len()];
            let row_bytes = ty.row_bytes(ROW as u64).unwrap() as usize;
            // The definition: row by row, each with the quotients of its expert.
            for (row, blocks) in expected.chunks_exact_mut(row_bytes).enumerate() {
                let expert = row / ROWS;
                let importance: Vec<f32> = sums[expert * ROW..][..ROW]
                    .iter()
                    .map(|sum| if counts[expert] == 0.0 { 1.0 } else { sum / counts[expert] })
                    .collect();
                briq_codec::encode(ty, &weights[row * ROW..][..ROW], ROW, Some(&importance), blocks).unwrap();
            }
            assert!(tensor.bytes() == expected, "{recipe} with {max_memory} bytes and {threads} threads");
        }
    }
}
