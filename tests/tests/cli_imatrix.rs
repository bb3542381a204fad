//! `briq imatrix` shows importance matrices, brings them together, and writes one format as the other.

#![allow(clippy::unwrap_used)]

use briq_format::Gguf;
use briq_tests::{Folder, legacy_imatrix};
use serde_json::Value;

const USAGE: i32 = 2;
const BAD_INPUT: i32 = 3;

/// Of llama.cpp's making: fourteen entries, nine chunks of 512 tokens.
fn with_matrix() -> Folder {
    Folder::with("imatrix/tiny-llama.gguf", "m.gguf")
}

fn info(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&folder.succeeds(&["imatrix", "info", name, "--json"])).unwrap()
}

/// The F32 tensor of a GGUF file.
fn floats(folder: &Folder, file: &str, tensor: &str) -> Vec<f32> {
    let file = Gguf::open(folder.path(file)).unwrap();
    let bytes = file.tensor(tensor).unwrap().bytes();
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn what_was_merged_is_reported_as_json() {
    let folder = Folder::with("imatrix/tiny-llama.gguf", "im.gguf");
    let report = folder.succeeds(&["imatrix", "convert", "im.gguf", "--out", "im.dat", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report, serde_json::json!({ "output": "im.dat", "format": "legacy", "entries": 14 }));
}

#[test]
fn a_matrix_is_shown_at_a_glance() {
    let printed = with_matrix().succeeds(&["imatrix", "info", "m.gguf"]);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "m.gguf: GGUF format, 14 entries, 9 chunks of 512 tokens",
            "dataset: calibration.txt",
            "tensor                     columns matrices  unseen         count         mean      largest",
            "blk.0.attn_k.weight            256        1       0          2402    1.0015e-1    4.0986e-1",
            "blk.0.attn_output.weight       128        1       0           312    7.1979e-1     3.1842e0",
        ]
    );
    assert_eq!(lines.len(), 3 + 14, "{printed}");
}

#[test]
fn json_holds_what_the_sums_and_counts_of_the_file_say() {
    let folder = with_matrix();
    let report = info(&folder, "m.gguf");
    assert_eq!((&report["format"], &report["chunk_count"]), (&Value::from("GGUF"), &Value::from(9)));
    assert_eq!((&report["chunk_size"], &report["datasets"][0]), (&512.into(), &"calibration.txt".into()));
    let entries = report["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 14);
    for entry in entries {
        let name = entry["name"].as_str().unwrap();
        let sums = floats(&folder, "m.gguf", &format!("{name}.in_sum2"));
        let counts = floats(&folder, "m.gguf", &format!("{name}.counts"));
        let largest = sums.iter().map(|sum| sum / counts[0]).fold(0.0, f32::max);
        assert_eq!(entry["columns"], sums.len(), "{name}");
        assert_eq!(entry["largest_count"], f64::from(counts[0]), "{name}");
        let reported = entry["largest_importance"].as_f64().map(|number| number as f32);
        assert_eq!(reported, Some(largest), "{name}");
    }
}

#[test]
fn names_that_a_terminal_would_obey_are_escaped() {
    let folder = Folder::new();
    folder.write("m.dat", legacy_imatrix(&[("a\u{202e}b", 1, &[1.0])]));
    let printed = folder.succeeds(&["imatrix", "info", "m.dat"]);
    assert!(printed.contains("\na\\u{202e}b ") && !printed.contains('\u{202e}'), "{printed:?}");
}

#[test]
fn a_matrix_written_in_its_own_format_stays_what_it_was() {
    let folder = with_matrix();
    let printed = folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "copy.gguf"]);
    assert_eq!(printed, "copy.gguf: 14 entries, GGUF format\n");
    assert_eq!(folder.read("copy.gguf"), folder.read("m.gguf"));

    assert_eq!(
        folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "m.dat"]),
        "m.dat: 14 entries, legacy format\n"
    );
    folder.succeeds(&["imatrix", "convert", "m.dat", "--out", "copy.dat"]);
    assert_eq!(folder.read("copy.dat"), folder.read("m.dat"));
}

#[test]
fn the_other_format_keeps_the_importance_to_a_rounding() {
    let folder = with_matrix();
    folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "m.dat"]);
    folder.succeeds(&["imatrix", "convert", "m.dat", "--out", "back.gguf"]);
    let (before, after) = (info(&folder, "m.gguf"), info(&folder, "back.gguf"));
    for key in ["chunk_count", "chunk_size", "datasets"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    let entries = |report: &Value| report["entries"].as_array().unwrap().clone();
    assert_eq!(entries(&before).len(), entries(&after).len());
    for (before, after) in entries(&before).iter().zip(&entries(&after)) {
        assert_eq!((&before["name"], &before["columns"]), (&after["name"], &after["columns"]));
        for key in ["mean_importance", "largest_importance"] {
            let (before, after) = (before[key].as_f64().unwrap(), after[key].as_f64().unwrap());
            assert!((before - after).abs() <= 4.0 * f64::from(f32::EPSILON) * before, "{before} {after}");
        }
    }
}

#[test]
fn a_chunk_size_is_told_to_a_file_that_does_not_know_it() {
    let folder = Folder::new();
    folder.write("m.dat", legacy_imatrix(&[("a.weight", 3, &[6.0, 9.0])]));
    folder.succeeds(&["imatrix", "convert", "m.dat", "--chunk-size", "100", "--out", "m.gguf"]);
    assert_eq!(info(&folder, "m.gguf")["chunk_size"], 100);
    assert_eq!(info(&folder, "m.gguf")["entries"][0]["largest_importance"], 3.0);
}

#[test]
fn merged_sums_and_counts_are_those_of_both() {
    let folder = with_matrix();
    let (shared, columns) = ("blk.0.attn_output.weight", 128);
    let values: Vec<f32> = (0..columns).map(|column| column as f32).collect();
    folder.write("other.dat", legacy_imatrix(&[("new.weight", 2, &[8.0]), (shared, 2, &values)]));
    // How the legacy values count is known from the file that they become alone.
    folder.succeeds(&["imatrix", "convert", "other.dat", "--out", "other.gguf"]);
    let printed = folder.succeeds(&["imatrix", "merge", "m.gguf", "other.dat", "--out", "both.gguf"]);
    assert_eq!(printed, "both.gguf: 15 entries, GGUF format\n");
    for suffix in ["in_sum2", "counts"] {
        let of = |file: &str| floats(&folder, file, &format!("{shared}.{suffix}"));
        let sums: Vec<f32> = of("m.gguf").iter().zip(of("other.gguf")).map(|(a, b)| a + b).collect();
        assert_eq!(of("both.gguf"), sums, "{suffix}");
        for (file, tensor) in [("m.gguf", "blk.1.ffn_up.weight"), ("other.gguf", "new.weight")] {
            let tensor = format!("{tensor}.{suffix}");
            assert_eq!(floats(&folder, "both.gguf", &tensor), floats(&folder, file, &tensor));
        }
    }
}

#[test]
fn matrices_of_different_models_do_not_merge() {
    let folder = with_matrix();
    folder.write("other.dat", legacy_imatrix(&[("blk.0.attn_output.weight", 2, &[1.0; 64])]));
    let message = "other.dat: entry \"blk.0.attn_output.weight\" has 64 values, but 128 in a file before";
    folder.refuses(&["imatrix", "merge", "m.gguf", "other.dat", "--out", "x.gguf"], BAD_INPUT, message);
}

#[test]
fn what_is_no_matrix_is_named_with_its_reason() {
    let folder = with_matrix();
    folder.write("empty.dat", "");
    folder.write("text.dat", "hello world, this is text");
    folder.copy("golden/tiny-llama-f32.gguf", "model.gguf");
    folder.write("nan.dat", legacy_imatrix(&[("a", 1, &[1.0, f32::NAN])]));
    folder.write("negative.dat", legacy_imatrix(&[("a", 1, &[-1.0])]));
    folder.write("control.dat", legacy_imatrix(&[("a\u{1b}[2J\n", 1, &[1.0])]));
    let neither = "neither a GGUF file nor a legacy importance matrix";
    for (name, message) in [
        ("nowhere.gguf", "cannot open: No such file or directory (os error 2)".to_owned()),
        ("empty.dat", format!("byte 0: the file has 0 bytes: it is {neither}")),
        (
            "text.dat",
            format!(
                "byte 0: the number of entries is 1819043176; at least 1 is required, and at most 1 fit the file: \
                 it is {neither}"
            ),
        ),
        ("model.gguf", "general.type is \"model\", where \"imatrix\" is required".to_owned()),
        ("nan.dat", "entry \"a\": sum 1 is NaN; allowed are finite numbers of at least 0".to_owned()),
        (
            "control.dat",
            "byte 8: the name of entry 0, \"a\\u{1b}[2J\\n\", holds a control character".to_owned(),
        ),
        ("negative.dat", "entry \"a\": sum 0 is -1.0; allowed are finite numbers of at least 0".to_owned()),
    ] {
        let message = format!("{name}: {message}");
        folder.refuses(&["imatrix", "info", name], BAD_INPUT, &message);
        folder.refuses(&["imatrix", "info", name, "--json"], BAD_INPUT, &message);
        folder.refuses(&["imatrix", "convert", name, "--out", "x.gguf"], BAD_INPUT, &message);
        folder.refuses(&["imatrix", "merge", "m.gguf", name, "--out", "x.gguf"], BAD_INPUT, &message);
    }
}

#[test]
fn what_the_other_format_cannot_hold_is_bad_input_named_with_the_output() {
    let folder = Folder::new();
    let long = "n".repeat(60);
    folder.write("large.dat", legacy_imatrix(&[("a", 1, &[3e38])]));
    folder.write("long.dat", legacy_imatrix(&[(&long, 1, &[1.0])]));
    let too_large = "x.gguf: entry \"a\": value 0 is too large for a 32-bit float".to_owned();
    let too_long = format!(
        "x.gguf: tensor \"{long}.in_sum2\": the tensor name has 68 bytes, where at most 63 are allowed"
    );
    for (name, message) in [("large.dat", too_large), ("long.dat", too_long)] {
        folder.refuses(&["imatrix", "convert", name, "--out", "x.gguf"], BAD_INPUT, &message);
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = with_matrix();
    folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "m.dat"]);
    // The chunks and the dataset at the end of a legacy file may be absent, both together.
    let optional = 4 + 4 + "calibration.txt".len();
    for (name, needed) in
        [("m.gguf", folder.read("m.gguf").len()), ("m.dat", folder.read("m.dat").len() - optional)]
    {
        let bytes = folder.read(name);
        // The last tensor of the GGUF file is a number, and padding after it is not missed.
        let whole = needed - if name == "m.gguf" { 28 } else { 0 };
        for length in (0..whole).step_by(211).chain([whole - 1]) {
            folder.write("cut", &bytes[..length]);
            let run = folder.briq(&["imatrix", "info", "cut"]);
            assert_eq!((run.code, run.stdout.as_str()), (Some(BAD_INPUT), ""), "{name}, {length} bytes");
            assert!(run.stderr.starts_with("briq: cut: ") && run.stderr.lines().count() == 1, "{run:?}");
        }
        folder.write("cut", &bytes[..whole]);
        folder.succeeds(&["imatrix", "info", "cut"]);
    }
}

#[test]
fn the_name_of_the_output_decides_the_format_and_nothing_is_replaced_unasked() {
    let folder = with_matrix();
    let refuses = |out: &str, message: &str| {
        folder.refuses(&["imatrix", "convert", "m.gguf", "--out", out], USAGE, message);
    };
    refuses("x.txt", "x.txt: the name must end in .gguf for the GGUF format or in .dat for the legacy one");
    refuses("x", "x: the name must end in .gguf for the GGUF format or in .dat for the legacy one");
    folder.write("other.gguf", "what was there");
    refuses("other.gguf", "other.gguf: the output exists; pass --force to replace it");
    refuses("none/x.gguf", "none/x.gguf: there is no folder none");
    folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "other.gguf", "--force"]);
    assert_eq!(folder.read("other.gguf"), folder.read("m.gguf"));
}

#[cfg(unix)]
#[test]
fn an_input_is_never_the_output_under_whatever_name() {
    let folder = with_matrix();
    folder.succeeds(&["imatrix", "convert", "m.gguf", "--out", "m.dat"]);
    std::os::unix::fs::symlink("m.gguf", folder.path("link.gguf")).unwrap();
    std::fs::hard_link(folder.path("m.gguf"), folder.path("hard.gguf")).unwrap();
    for out in ["m.gguf", "./m.gguf", "link.gguf", "hard.gguf"] {
        let message = format!("{out}: the output is an input as well (m.gguf); write to another name");
        for inputs in [&["convert", "m.gguf"][..], &["merge", "m.dat", "m.gguf"]] {
            let arguments = [&["imatrix"], inputs, &["--out", out]].concat();
            folder.refuses(&arguments, USAGE, &message);
            folder.refuses(&[&arguments[..], &["--force"]].concat(), USAGE, &message);
        }
    }
}

#[test]
fn what_is_missing_on_the_command_line_is_wrong_usage() {
    let folder = with_matrix();
    let cases: [&[&str]; 5] = [
        &["imatrix"],
        &["imatrix", "info"],
        &["imatrix", "convert", "m.gguf"],
        &["imatrix", "merge", "m.gguf", "--out", "x.gguf"],
        &["imatrix", "convert", "m.gguf", "--out", "x.gguf", "--chunk-size", "0"],
    ];
    insta::assert_snapshot!(cases.map(|wrong| folder.wrong_usage(wrong)).concat());
}

#[test]
fn a_matrix_in_which_nothing_matters_is_refused_before_a_tensor_is_wiped() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    folder.write("zeros.dat", legacy_imatrix(&[("blk.0.attn_k.weight", 3, &[0.0; 256])]));
    let message = "zeros.dat: entry \"blk.0.attn_k.weight\": matrix 0 of 1 counts 3.0, but the importance of each of \
                   its 256 columns is 0, which would encode its weights as nothing; at least one above 0 is required, \
                   or a count of 0";
    for recipe in ["Q4_K_M", "IQ4_NL", "IQ1_S", "Q8_0"] {
        let convert = ["convert", "model", "--type", recipe, "--imatrix", "zeros.dat", "--out", "out.gguf"];
        folder.refuses(&convert, BAD_INPUT, message);
    }
    folder.refuses(&["imatrix", "info", "zeros.dat"], BAD_INPUT, message);
}

/// Some matrices have an embedding's rows where its columns should be. That is no reason to stop, and not to be told as
/// if there were no entry.
#[test]
fn an_embeddings_entry_of_another_length_is_passed_over_and_said() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let entries: [(&str, i32, &[f32]); 2] =
        [("blk.0.attn_k.weight", 1, &[1.0; 256]), ("token_embd.weight", 1, &[1.0; 7])];
    folder.write("m.dat", legacy_imatrix(&entries));
    let run = folder.briq(&["convert", "model", "--type", "Q4_0", "--imatrix", "m.dat", "--out", "out.gguf"]);
    let said = "briq: m.dat has an entry of another length for token_embd.weight: quantized as if all columns \
                mattered alike\n";
    assert!(run.code == Some(0) && run.stderr.ends_with(said), "{run:?}");
    assert!(run.stderr.starts_with("briq: m.dat has no entry for blk.0.attn_output.weight, "), "{run:?}");
}
