//! `briq verify` finds what is wrong with a file, names the tensor, and ends with exit code 1.

#![allow(clippy::unwrap_used)]

use briq_format::Gguf;
use briq_tests::{Folder, Run};

const MODEL: &str = "checkpoints/tiny-llama";
const CHECK_FAILED: i32 = 1;
const TENSOR: &str = "blk.1.ffn_up.weight";

/// A folder with a checkpoint and its conversion, without the record, which would name a change by itself.
fn converted(recipe: &str) -> Folder {
    let folder = Folder::with(MODEL, "model");
    folder.succeeds(&["convert", "model", "--type", recipe, "--no-record", "--out", "model.gguf"]);
    folder
}

/// Changes a byte of [`TENSOR`], counted from its beginning.
fn change(folder: &Folder, at: usize, byte: u8) {
    let mut file = folder.read("model.gguf");
    let model = Gguf::open(folder.path("model.gguf")).unwrap();
    let start = model.tensor(TENSOR).unwrap().info.offset_in_file as usize;
    assert_ne!(file[start + at], byte);
    file[start + at] = byte;
    folder.write("model.gguf", file);
}

#[track_caller]
fn fails(folder: &Folder, arguments: &[&str], lines: &[&str]) {
    let Run { code, stdout, stderr } = folder.briq(arguments);
    assert_eq!((code, stderr.as_str()), (Some(CHECK_FAILED), ""), "{stdout}");
    for line in lines {
        assert!(stdout.lines().any(|printed| printed == *line), "{line:?} is not in\n{stdout}");
    }
}

#[test]
fn every_conversion_passes_alone_and_against_its_source() {
    for recipe in
        ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "auto"]
    {
        let folder = converted(recipe);
        assert_eq!(
            folder.succeeds(&["verify", "model.gguf"]),
            "note: the file carries no record of what was written into it\nok: 20 tensors, 656.6 K weights\n",
            "{recipe}"
        );
        let printed = folder.succeeds(&["verify", "model.gguf", "--source", "model"]);
        assert!(printed.ends_with("ok: 20 tensors, 656.6 K weights\n"), "{recipe}: {printed}");
        // A heading, a line per tensor, the note, the verdict.
        assert_eq!(printed.lines().count(), 23, "{recipe}: {printed}");
    }
}

#[test]
fn a_conversion_of_a_conversion_passes_against_the_first_one() {
    let folder = converted("F16");
    folder.succeeds(&["convert", "model.gguf", "--type", "Q5_K_M", "--out", "small.gguf"]);
    folder.succeeds(&["verify", "small.gguf", "--source", "model.gguf"]);
}

#[test]
fn a_scale_that_is_not_finite_is_found_without_a_source() {
    let folder = converted("Q8_0");
    // The upper byte of the scale of block 3: an exponent of all ones.
    change(&folder, 3 * 34 + 1, 0x7C);
    fails(
        &folder,
        &["verify", "model.gguf"],
        &[
            "FAILED: tensor \"blk.1.ffn_up.weight\" block 3 stands for a number that is not finite",
            "1 of 20 tensors failed",
        ],
    );
}

#[test]
fn one_changed_byte_of_a_scale_is_found_with_a_source_and_the_tensor_is_named() {
    for recipe in ["Q8_0", "Q4_0", "Q4_K_M"] {
        let folder = converted(recipe);
        let file = folder.read("model.gguf");
        let model = Gguf::open(folder.path("model.gguf")).unwrap();
        let scale_high = model.tensor(TENSOR).unwrap().info.offset_in_file as usize + 1;
        // Four more in the exponent: every weight of the block is sixteen times too large.
        change(&folder, 1, file[scale_high] + 0x10);
        folder.succeeds(&["verify", "model.gguf"]);
        let run = folder.briq(&["verify", "model.gguf", "--source", "model"]);
        assert_eq!(run.code, Some(CHECK_FAILED), "{recipe}: {}", run.stdout);
        let failed: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("FAILED: ")).collect();
        assert_eq!(failed.len(), 1, "{recipe}: {failed:?}");
        let start = format!("FAILED: tensor \"{TENSOR}\" the block at weight 0 deviates ");
        assert!(failed[0].starts_with(&start), "{recipe}: {failed:?}");
    }
}

#[test]
fn json_names_the_tensor_and_the_verdict() {
    let folder = converted("Q8_0");
    change(&folder, 1, 0x7C);
    let run = folder.briq(&["verify", "model.gguf", "--json"]);
    assert_eq!(run.code, Some(CHECK_FAILED));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["passed"], false);
    let failed: Vec<_> =
        report["tensors"].as_array().unwrap().iter().filter(|t| !t["problem"].is_null()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["name"], TENSOR);
}

#[test]
fn a_file_held_against_another_source_fails() {
    let folder = converted("Q8_0");
    folder.copy("checkpoints/tiny-llama-spm", "other");
    let run = folder.briq(&["verify", "model.gguf", "--source", "other"]);
    assert_eq!(run.code, Some(CHECK_FAILED), "{run:?}");
    assert!(
        run.stdout
            .contains("FAILED: tensor \"token_embd.weight\" has shape [256, 384], but the source gives ")
    );
}

#[test]
fn a_tensor_too_many_or_too_few_is_named() {
    let folder = Folder::new();
    let entry = |name: &str, begin| {
        format!(r#""{name}":{{"dtype":"F32","shape":[2,32],"data_offsets":[{begin},{}]}}"#, begin + 256)
    };
    let both = format!("{{{},{}}}", entry("a.weight", 0), entry("b.weight", 256));
    folder.write("both.safetensors", briq_tests::safetensors(&both, &[0; 512]));
    folder.write(
        "one.safetensors",
        briq_tests::safetensors(&format!("{{{}}}", entry("a.weight", 0)), &[0; 256]),
    );
    for name in ["both", "one"] {
        let (source, out) = (format!("{name}.safetensors"), format!("{name}.gguf"));
        folder.succeeds(&["convert", &source, "--arch", "x", "--type", "Q8_0", "--out", &out]);
    }
    fails(
        &folder,
        &["verify", "one.gguf", "--source", "both.safetensors", "--arch", "x"],
        &["FAILED: tensor \"b.weight\" is in the source, but not in the file"],
    );
    fails(
        &folder,
        &["verify", "both.gguf", "--source", "one.safetensors", "--arch", "x"],
        &["FAILED: tensor \"b.weight\" is not in the source"],
    );
}

#[test]
fn a_type_that_nobody_knows_is_noted_and_does_not_fail() {
    let folder = Folder::with("container/type-43-unknown.gguf", "file.gguf");
    let printed = folder.succeeds(&["verify", "file.gguf"]);
    assert!(printed.contains("note: tensor \"a\" is of a type that briq does not know"), "{printed}");
}

#[test]
fn a_malformed_file_is_bad_input_and_no_failed_check() {
    let folder = Folder::with("malformed/offset-gap.gguf", "file.gguf");
    let run = folder.briq(&["verify", "file.gguf"]);
    assert_eq!(run.code, Some(3), "{run:?}");
}
