//! `briq verify` finds what is wrong with a file, names the tensor, and ends with exit code 1.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io;

use briq_format::Gguf;
use briq_tests::{Folder, Run, legacy_imatrix, safetensors, two_rows};

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
fn a_file_made_with_an_importance_matrix_is_not_held_to_bounds_that_know_of_none() {
    let folder = Folder::new();
    // All that matters is a small weight: a step that suits it is far too short for the others.
    let mut weights = [1.0; 128];
    let mut importance = [1e-12; 64];
    weights.iter_mut().step_by(32).for_each(|weight| *weight = 0.075);
    importance.iter_mut().step_by(32).for_each(|importance| *importance = 1.0);
    weights[1..].iter_mut().step_by(2).for_each(|weight| *weight = -1.0);
    folder.write("w.safetensors", two_rows(&weights));
    folder.write("im.dat", legacy_imatrix(&[("w.weight", 1, &importance)]));
    let made = |arguments: &[&str]| {
        let convert =
            ["convert", "w.safetensors", "--arch", "x", "--type", "Q4_0", "--out", "w.gguf", "--force"];
        folder.succeeds(&[&convert[..], arguments].concat());
        folder.succeeds(&["verify", "w.gguf", "--source", "w.safetensors", "--arch", "x"])
    };
    let note = "note: tensor \"w.weight\" is of type Q4_0, made with an importance matrix: its error was measured, \
                but not judged";
    assert!(!made(&[]).contains(note));
    let printed = made(&["--imatrix", "im.dat"]);
    assert!(printed.lines().any(|line| line == note), "{printed}");
}

#[test]
fn an_expert_that_became_zeros_fails_whatever_the_type_and_the_matrix() {
    let folder = Folder::new();
    let header = r#"{"w.weight":{"dtype":"F32","shape":[3,2,256],"data_offsets":[0,6144]}}"#;
    let weights = |least: f32| -> Vec<u8> {
        let weight =
            |index: u16| least * f32::from(index % 11 + 1) * if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..1536).flat_map(|index| weight(index).to_le_bytes()).collect()
    };
    folder.write("w.safetensors", safetensors(header, &weights(0.01)));
    folder.write("im.dat", legacy_imatrix(&[("w.weight", 1, &[1.0; 768])]));
    for arguments in [&["--type", "Q3_K_S"][..], &["--type", "Q4_K_S", "--imatrix", "im.dat"]] {
        let convert =
            ["convert", "w.safetensors", "--arch", "x", "--no-record", "--out", "w.gguf", "--force"];
        folder.briq(&[&convert[..], arguments].concat());
        let verify = ["verify", "w.gguf", "--source", "w.safetensors", "--arch", "x"];
        folder.succeeds(&verify);
        let mut file = folder.read("w.gguf");
        let model = Gguf::open(folder.path("w.gguf")).unwrap();
        let tensor = model.tensor("w.weight").unwrap().info;
        let expert = tensor.bytes as usize / 3;
        file[tensor.offset_in_file as usize + expert..][..expert].fill(0);
        folder.write("w.gguf", &file);
        fails(
            &folder,
            &verify,
            &[
                "FAILED: tensor \"w.weight\" decodes to nothing but 0 in matrix 1, which has other weights in the \
                 source",
            ],
        );
    }
    // Weights that a scale cannot hold are zeros by right.
    folder.write("w.safetensors", safetensors(header, &weights(1e-12)));
    let convert =
        ["convert", "w.safetensors", "--arch", "x", "--type", "Q3_K_S", "--out", "w.gguf", "--force"];
    folder.briq(&convert);
    folder.succeeds(&["verify", "w.gguf", "--source", "w.safetensors", "--arch", "x"]);
}

#[test]
fn another_shape_of_as_many_rows_is_another_shape() {
    let folder = Folder::new();
    for (name, shape) in [("a", "[4,3,32]"), ("b", "[3,4,32]")] {
        let header = format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,1536]}}}}"#);
        folder.write(&format!("{name}.safetensors"), safetensors(&header, &[0; 1536]));
    }
    folder.succeeds(&["convert", "a.safetensors", "--arch", "x", "--type", "F32", "--out", "a.gguf"]);
    fails(
        &folder,
        &["verify", "a.gguf", "--source", "b.safetensors", "--arch", "x"],
        &["FAILED: tensor \"w\" has shape [32, 3, 4], but the source gives [32, 4, 3]"],
    );
}

#[test]
fn a_check_that_failed_counts_although_nobody_reads_the_report() {
    let folder = converted("Q8_0");
    // The upper byte of a scale: not finite.
    change(&folder, 1, 0x7C);
    let mut verify = folder.command(&["verify", "model.gguf"]);
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    assert_eq!(verify.stdout(writer).status().unwrap().code(), Some(CHECK_FAILED));
}

/// Cuts a file at 300,000 bytes and gives it its size back, whether the file system keeps the hole, and where it
/// begins.
fn unfinished(folder: &Folder) -> Option<u64> {
    let file = File::options().write(true).open(folder.path("model.gguf")).unwrap();
    let bytes = file.metadata().unwrap().len();
    file.set_len(300_000).unwrap();
    file.set_len(bytes).unwrap();
    let report = folder.succeeds(&["inspect", "model.gguf", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    // Where the system keeps no holes there is nothing to find.
    let hole = report["holes"].get(0)?;
    assert_eq!((&hole["file"], &hole["end"]), (&"model.gguf".into(), &bytes.into()));
    assert_eq!(hole["reaches_end"], true);
    hole["start"].as_u64()
}

#[test]
fn a_file_that_was_never_finished_fails_although_its_size_is_right() {
    let folder = converted("Q8_0");
    folder.write("whole.gguf", folder.read("model.gguf"));
    let manifest = folder.succeeds(&["hash", "model.gguf", "--manifest"]);
    folder.write("manifest", manifest);
    let Some(start) = unfinished(&folder) else { return };
    let model = Gguf::open(folder.path("model.gguf")).unwrap();
    let missing: Vec<_> = model
        .tensors()
        .filter(|t| t.info.offset_in_file + t.info.bytes > start)
        .map(|t| t.info.name)
        .collect();
    let hole = format!(
        "model.gguf holds no data from byte {start} to its end: tensor \"{}\" and {} more",
        missing[0],
        missing.len() - 1
    );
    assert!((300_000..300_000 + (64 << 10)).contains(&start), "{start}");
    fails(
        &folder,
        &["verify", "model.gguf"],
        &[&format!("FAILED: {hole}"), "failed: the file was never finished"],
    );
    let shown = folder.succeeds(&["inspect", "model.gguf"]);
    assert!(shown.lines().any(|line| line == format!("note: {hole}")), "{shown}");
    let run = folder.briq(&["verify", "model.gguf", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["passed"], &report["holes"][0]["start"]), (&false.into(), &start.into()));
    assert_eq!(report["holes"][0]["tensors"], serde_json::json!(missing));
    fails(&folder, &["verify", "model.gguf", "--against", "manifest"], &[&format!("FAILED: {hole}")]);
    // What other programs wrote instead of copying zeros is whole.
    assert!(folder.succeeds(&["verify", "whole.gguf"]).ends_with("ok: 20 tensors, 656.6 K weights\n"));
}

#[test]
fn zeros_that_hashes_prove_may_be_holes() {
    let folder = Folder::new();
    let header = concat!(
        r#"{"a":{"dtype":"F32","shape":[65536],"data_offsets":[0,262144]},"#,
        r#""b":{"dtype":"F32","shape":[65536],"data_offsets":[262144,524288]}}"#
    );
    folder.write("w.safetensors", safetensors(header, &[0; 524_288]));
    let convert =
        ["convert", "w.safetensors", "--arch", "x", "--type", "F32", "--out", "model.gguf", "--force"];
    for record in [true, false] {
        folder.succeeds(&[&convert[..], if record { &[] } else { &["--no-record"] }].concat());
        let sha256 = folder.succeeds(&["hash", "model.gguf"]);
        folder.write("sum", sha256);
        let Some(start) = unfinished(&folder) else { return };
        let note = format!("note: model.gguf holds no data from byte {start} to its end: tensor \"b\"\n");
        if record {
            assert!(folder.succeeds(&["verify", "model.gguf"]).starts_with(&note));
        } else {
            assert_eq!(folder.briq(&["verify", "model.gguf"]).code, Some(CHECK_FAILED));
        }
        assert!(folder.succeeds(&["verify", "model.gguf", "--against", "sum"]).starts_with(&note));
    }
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
