//! `briq bench` measures every type, and tells when a peer makes other bytes.

#![allow(clippy::unwrap_used)]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::process::Command;

use briq_format::TensorType;
use briq_tests::{Folder, Run};
use serde_json::{Value, json};

/// A peer that knows F32 and Q8_0: it copies the one, and leaves the second block of the other as it was.
const PEER: &str = r#"
use std::{ffi::c_int, ptr::copy_nonoverlapping};

const F32: c_int = 0;
const Q4_1: c_int = 3;

#[unsafe(no_mangle)]
extern "C" fn ggml_quantize_init(_: c_int) {}

#[unsafe(no_mangle)]
extern "C" fn ggml_quantize_requires_imatrix(_: c_int) -> bool {
    false
}

#[unsafe(no_mangle)]
extern "C" fn ggml_row_size(ty: c_int, weights: i64) -> usize {
    let of_32 = match ty {
        F32 => 32 * 4,
        Q4_1 => 20,
        _ => 34,
    };
    weights as usize * of_32 / 32
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ggml_quantize_chunk(
    ty: c_int, weights: *const f32, blocks: *mut u8, _: i64, rows: i64, row: i64, _: *const f32,
) -> usize {
    let bytes = ggml_row_size(ty, rows * row);
    if ty == F32 {
        unsafe { copy_nonoverlapping(weights.cast(), blocks, bytes) };
    } else {
        for byte in (0..bytes).filter(|byte| !(34..68).contains(byte)) {
            unsafe { *blocks.add(byte) = 0 };
        }
    }
    bytes
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dequantize_row_q8_0(blocks: *const u8, weights: *mut f32, count: i64) {
    for index in 0..count as usize {
        unsafe {
            let block = blocks.add(index / 32 * 34);
            let scale = f16(u16::from_le_bytes([*block, *block.add(1)]));
            *weights.add(index) = scale * f32::from(*block.add(2 + index % 32) as i8);
        }
    }
}

// Normal numbers and zero; the others come out wrong.
fn f16(bits: u16) -> f32 {
    let (sign, rest) = (u32::from(bits >> 15) << 31, u32::from(bits & 0x7FFF));
    f32::from_bits(sign | if rest == 0 { 0 } else { (rest << 13) + (112 << 23) })
}
"#;

/// Kernels of that peer: products of floats, wrong ones of Q8_0, and those of types that are not laid out so.
const KERNELS: &str = r#"
use std::{ffi::{c_int, c_void}, slice::from_raw_parts};

#[unsafe(no_mangle)]
extern "C" fn ggml_backend_score() -> c_int {
    1
}

#[unsafe(no_mangle)]
extern "C" fn ggml_cpu_init() {}

#[unsafe(no_mangle)]
unsafe extern "C" fn ggml_vec_dot_f32(
    n: c_int, product: *mut f32, _: usize, x: *const f32, _: usize, y: *const f32, _: usize, _: c_int,
) {
    let (x, y) = unsafe { (from_raw_parts(x, n as usize), from_raw_parts(y, n as usize)) };
    unsafe { *product = x.iter().zip(y).map(|(x, y)| x * y).sum() };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ggml_vec_dot_q8_0_q8_0(
    _: c_int, product: *mut f32, _: usize, _: *const c_void, _: usize, _: *const c_void, _: usize, _: c_int,
) {
    unsafe { *product = 0.0 };
}

#[unsafe(no_mangle)]
extern "C" fn ggml_vec_dot_q4_1_q8_1() {}

#[unsafe(no_mangle)]
extern "C" fn ggml_vec_dot_q5_1_q8_1() {}
"#;

fn measure(folder: &Folder, arguments: &[&str]) -> (Option<i32>, Value) {
    let run = folder.briq(&[&["bench"], arguments, &["--json"]].concat());
    assert_eq!(run.stderr, "", "{arguments:?}");
    (run.code, serde_json::from_str(&run.stdout).unwrap())
}

fn with_peer() -> Folder {
    let folder = Folder::new();
    compile(&folder, "ggml-base", PEER);
    folder
}

/// Makes a library of a program's text.
fn compile(folder: &Folder, name: &str, text: &str) {
    folder.write("peer.rs", text);
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = folder.path(&format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    let mut compile = Command::new(rustc);
    compile.args(["--edition", "2024", "--crate-type", "cdylib"]).arg(folder.path("peer.rs"));
    let output = compile.arg("-o").arg(library).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_peer_that_writes_other_bytes_ends_with_1_and_is_named() {
    let folder = with_peer();
    let arguments = ["encode", "--weights", "16384", "--type", "F32", "--type", "Q8_0", "--type", "Q4_0"];
    let (code, report) = measure(&folder, &[&arguments[..], &["--peer", "."]].concat());
    assert_eq!(code, Some(1));
    let types = report["types"].as_array().unwrap();
    assert_eq!(types.len(), 3);
    assert_eq!(types[0]["peer"]["differing_bytes"], 0);
    assert!(types[1]["peer"]["differing_bytes"].as_u64().unwrap() >= 34, "{report}");
    assert!(types[1]["peer"]["ratio"].as_f64().unwrap() > 0.0);
    assert_eq!(types[2]["peer"], Value::Null, "this peer has no Q4_0");
}

#[test]
fn a_peer_that_decodes_alike_ends_with_0() {
    let folder = with_peer();
    // Seven rows: the eighth is arbitrary bytes, and the peer is no good at some of these.
    let arguments = ["decode", "--weights", "28672", "--type", "q8_0", "--threads", "2", "--peer", "."];
    let (code, report) = measure(&folder, &arguments);
    assert_eq!(
        (code, &report["types"][0]["peer"]["differing_bytes"]),
        (Some(0), &Value::from(0)),
        "{report}"
    );
    let library = format!("{DLL_PREFIX}ggml-base{DLL_SUFFIX}");
    let setup =
        json!({ "work": "decode", "threads": 2, "batch": null, "row_elements": 4096, "peer": library });
    for (name, value) in setup.as_object().unwrap() {
        assert_eq!(&report[name], value, "{name}");
    }
}

#[test]
fn options_that_would_change_nothing_are_refused() {
    let folder = Folder::new();
    let batch = "--batch: `matmul` alone multiplies with a batch";
    let kernels = "--peer-cpu: encoders and decoders are the same for every processor";
    let threads = "--threads: `dot` multiplies on one thread; `matvec` takes more";
    let importance = "--imatrix: none of these types makes use of importance";
    for (arguments, message) in [
        (&["dot", "--threads", "4"][..], threads),
        (&["encode", "--imatrix", "--type", "Q8_0", "--type", "F16"], importance),
        (&["dot", "--batch", "2"], batch),
        (&["matvec", "--batch", "64"], batch),
        (&["encode", "--batch", "2"], batch),
        (&["decode", "--batch", "2"], batch),
        (&["encode", "--peer", ".", "--peer-cpu", "haswell"], kernels),
        (&["decode", "--peer", ".", "--peer-cpu", "haswell"], kernels),
    ] {
        folder.refuses(&[&["bench"], arguments].concat(), 2, message);
    }
    folder.wrong_usage(&["bench", "encode", "--list-isa"]);
    folder.wrong_usage(&["bench", "--list-isa", "--threads", "2"]);
}

#[test]
fn dot_products_are_measured_beside_those_of_a_peer() {
    let folder = with_peer();
    compile(&folder, "ggml-cpu-any", KERNELS);
    let types = ["--type", "F32", "--type", "Q8_0", "--type", "Q4_K"];
    let (code, report) = measure(&folder, &[&["dot", "--weights", "1", "--peer", "."], &types[..]].concat());
    assert_eq!(code, Some(0));
    let lines = report["lines"].as_array().unwrap();
    let number = |line: usize, name: &str| lines[line][name].as_f64();
    assert_eq!(lines.len(), 3, "{report}");
    let library = format!("{DLL_PREFIX}ggml-cpu-any{DLL_SUFFIX}");
    assert_eq!((&report["work"], &report["peer"]), (&"dot".into(), &library.into()));
    assert_eq!((&report["threads"], &report["batch"]), (&1.into(), &1.into()));
    assert!(number(0, "ratio").unwrap() > 0.0 && number(0, "difference").unwrap() < 1e-3, "{report}");
    let is_within = |line: usize| number(line, "difference") <= number(line, "difference_bound");
    assert!(is_within(0) && !is_within(1) && number(0, "difference_bound") < Some(1e-2), "{report}");
    // What is zero there is apart by all that it is here.
    assert_eq!((number(1, "difference"), number(2, "difference")), (Some(1.0), None), "{report}");
    let table = folder.succeeds(&[&["bench", "dot", "--weights", "1", "--peer", "."], &types[..]].concat());
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let columns = ["type", "size", "Mw/s", "GB/s", "peer", "Mw/s", "ratio", "difference"];
    assert_eq!(lines[1], columns, "nothing is read beside, and nothing packed: {table}");
    assert!(lines[3].ends_with(&["1e0"]) && lines[4].ends_with(&["-", "-", "-"]), "{table}");
}

#[test]
fn a_peer_that_lays_out_weights_or_activations_otherwise_multiplies_nothing() {
    let folder = with_peer();
    compile(&folder, "ggml-cpu-any", KERNELS);
    for (ty, message) in [
        ("Q5_1", "32 weights of Q5_1 are 24 bytes, but 34 for the peer"),
        ("Q4_1", "32 weights of Q8_1 are 36 bytes, but 34 for the peer"),
    ] {
        let run = folder.briq(&["bench", "dot", "--weights", "1", "--type", ty, "--peer", "."]);
        assert_eq!((run.code, run.stderr), (Some(4), format!("briq: {message}\n")), "{ty}");
    }
}

#[test]
fn matrices_are_measured_with_a_vector_and_with_a_batch() {
    let folder = Folder::new();
    let arguments = ["--weights", "40000", "--type", "Q4_0", "--type", "F16", "--threads", "2"];
    for (work, given, batch) in [("matvec", &[][..], 1), ("matmul", &["--batch", "3"], 3)] {
        let work_and_batch = [&[work], given].concat();
        let (code, report) = measure(&folder, &[&work_and_batch, &arguments[..]].concat());
        let setup = json!({ "work": work, "threads": 2, "batch": batch, "row_elements": 4096, "peer": null });
        for (name, value) in setup.as_object().unwrap() {
            assert_eq!((code, &report[name]), (Some(0), value), "{name}");
        }
        for (line, name) in report["lines"].as_array().unwrap().iter().zip(["Q4_0", "F16"]) {
            let size = (&line["type"], &line["place"], &line["rows"], &line["matrices"]);
            assert_eq!(size, (&name.into(), &Value::Null, &10.into(), &1.into()), "{report}");
            assert!(line["weights_per_second"].as_f64().unwrap() > 0.0, "{report}");
            assert_eq!(line["read_bytes_per_second"].is_number(), batch == 1, "{work}");
            for of_peer in ["ratio", "difference", "difference_bound", "peer_layout"] {
                assert_eq!(line.get(of_peer), Some(&Value::Null), "{of_peer}: {report}");
            }
        }
        let table = folder.succeeds(&[&["bench"], &work_and_batch[..], &arguments].concat());
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!((lines.len(), lines[1][0], &lines[2][..2]), (4, "type", &["Q4_0", "10"][..]), "{table}");
        // No peer, no columns of one; what is read is measured where a vector alone is multiplied.
        let read = if batch == 1 { &["read", "GB/s", "of", "read"][..] } else { &[] };
        assert_eq!(lines[1][1..], [&["size", "Mw/s", "GB/s"], read].concat(), "{table}");
        // A share of what is read has a unit, which is a word.
        assert_eq!(lines[2].len(), if batch == 1 { 7 } else { 4 }, "{table}");
    }
}

#[test]
fn the_heading_names_instructions_for_matrices_where_they_are_used() {
    let folder = Folder::new();
    let amx = briq_kernels::matrix_instructions();
    let list = folder.succeeds(&["bench", "--list-isa"]);
    let listed = "amx (used to multiply batches of 16 vectors and more, by most quantized types)\n";
    assert_eq!(list.ends_with(listed), amx.is_some(), "{list}");
    for (arguments, are_used) in [
        (&["matmul", "--batch", "16", "--type", "F16", "--type", "Q4_K"][..], true),
        (&["matmul", "--batch", "15", "--type", "Q4_K"], false),
        (&["matmul", "--type", "F16", "--type", "TQ1_0"], false),
        (&["matvec", "--type", "Q4_K"], false),
    ] {
        let (code, report) = measure(&folder, &[arguments, &["--weights", "1"]].concat());
        let expected = amx.filter(|_| are_used).map_or(Value::Null, Value::from);
        assert_eq!((code, &report["matrices"]), (Some(0), &expected), "{arguments:?}");
        let table = folder.succeeds(&[&["bench"], arguments, &["--weights", "1"]].concat());
        assert_eq!(table.contains(" with amx, "), expected.is_string(), "{arguments:?}: {table}");
    }
}

#[test]
fn products_that_cannot_be_measured_are_refused_in_a_line() {
    let folder = with_peer();
    for work in ["dot", "matvec", "matmul"] {
        let message = "--type I8: cannot be multiplied; `briq types` shows which can";
        folder.refuses(&["bench", work, "--type", "I8"], 2, message);
        folder.refuses(&["bench", work, "--imatrix"], 2, "--imatrix: products make no use of importance");
    }
    let base = format!("{DLL_PREFIX}ggml-base{DLL_SUFFIX}");
    let named = format!("{DLL_PREFIX}ggml-cpu-haswell{DLL_SUFFIX}");
    for (arguments, code, message) in [
        (&["--peer", "nowhere"][..], 3, format!("{base}: cannot load: ")),
        (&["--peer", "."], 3, "holds no ggml-cpu library that runs on this processor".to_owned()),
        (&["--peer", ".", "--peer-cpu", "haswell"], 3, format!("{named}: cannot load: ")),
        (&["--peer-cpu", "haswell"], 2, "--peer <DIR>".to_owned()),
        (&["--batch", "0"], 2, "invalid value '0' for '--batch <N>': 0 is not in 1..=4096".to_owned()),
    ] {
        let run = folder.briq(&[&["bench", "dot", "--weights", "1", "--type", "Q8_0"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(&message), "{arguments:?}: {}", run.stderr);
    }
    compile(&folder, "ggml-cpu-any", PEER);
    let run = folder.briq(&["bench", "dot", "--weights", "1", "--type", "Q8_0", "--peer", "."]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("has no function ggml_cpu_init"), "{}", run.stderr);
}

#[test]
fn every_type_is_measured_without_a_peer() {
    every_type_is_measured("encode", briq_codec::can_encode);
    every_type_is_measured("decode", |_| true);
}

#[track_caller]
fn every_type_is_measured(codec: &str, can: fn(TensorType) -> bool) {
    let (code, report) = measure(&Folder::new(), &[codec, "--weights", "1"]);
    assert_eq!(code, Some(0), "{codec}");
    let types = report["types"].as_array().unwrap();
    let names: Vec<_> = types.iter().map(|figures| figures["type"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        TensorType::ALL.iter().copied().filter(|&ty| can(ty)).map(TensorType::name).collect();
    assert_eq!(names, expected, "{codec}");
    for figures in types {
        assert_eq!(figures["weights"], 4096, "a row at least");
        assert!(figures["weights_per_second"].as_f64().unwrap() > 0.0, "{figures}");
        assert_eq!(figures["peer"], Value::Null);
    }
}

#[test]
fn the_instruction_set_that_is_forced_is_the_one_that_runs() {
    let folder = Folder::new();
    let list: Value = serde_json::from_str(&folder.succeeds(&["bench", "--list-isa", "--json"])).unwrap();
    let available = list["available"].as_array().unwrap();
    assert!(available.contains(&Value::from("scalar")) && available.contains(&list["used"]), "{list}");
    for isa in available.iter().map(|isa| isa.as_str().unwrap()) {
        let forced = |arguments: &[&str]| {
            let output = folder.command(arguments).env("BRIQ_ISA", isa).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let list = forced(&["bench", "--list-isa"]);
        assert_eq!(folder.succeeds(&["bench", "--list-isa", "--isa", isa]), list);
        let json: Value = serde_json::from_str(&forced(&["bench", "--list-isa", "--json"])).unwrap();
        assert_eq!(json["used"], isa);
        assert_eq!(json["multiplies_batches"], json["multiplies"], "what is forced is used alone");
        assert!(!list.contains("batches"), "{list}");
        // A processor may lack what kernels need beside it.
        let multiplies = json["multiplies"].as_str().unwrap();
        match multiplies == isa {
            true => assert!(list.contains(&format!("{isa} (used)\n")), "{list}"),
            false => assert!(list.contains(&format!("{multiplies} (used to multiply)\n")), "{list}"),
        }
        let table = forced(&["bench", "dot", "--weights", "1", "--type", "Q4_K"]);
        assert!(table.starts_with(&format!("{multiplies}, 1 thread,")), "{table}");
        let table = forced(&["bench", "encode", "--weights", "1", "--type", "Q4_K", "--type", "IQ2_XS"]);
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0][..3], [&format!("{isa},"), "1", "thread,"], "{table}");
        assert_eq!(lines[2][..3], ["Q4_K", "-", "4096"], "{table}");
        assert_eq!(lines[3][..3], ["IQ2_XS", "with", "4096"], "{table}");
    }
}

#[test]
fn importance_is_given_on_request_to_the_types_that_use_it() {
    let folder = Folder::new();
    let arguments = ["encode", "--imatrix", "--weights", "1", "--type", "Q4_K", "--type", "Q8_0"];
    let (_, report) = measure(&folder, &arguments);
    let given: Vec<_> = report["types"].as_array().unwrap().iter().map(|ty| &ty["importance"]).collect();
    assert_eq!(given, [true, false]);
}

#[test]
fn what_cannot_be_measured_is_refused_in_a_line() {
    let folder = Folder::new();
    let message = "--type Q8_K: cannot be encoded; `briq types` shows which can";
    folder.refuses(&["bench", "encode", "--type", "Q8_K"], 2, message);
    folder.refuses(&["bench", "decode", "--imatrix"], 2, "--imatrix: decoders make no use of importance");
    let cases: [&[&str]; 7] = [
        &["bench"],
        &["bench", "copy"],
        &["bench", "encode", "--weights", "0"],
        &["bench", "encode", "--weights", "1073741825"],
        &["bench", "encode", "--threads", "0"],
        &["bench", "encode", "--threads", "1025"],
        &["bench", "encode", "--type", "Q4_2"],
    ];
    insta::assert_snapshot!(cases.map(|wrong| folder.wrong_usage(wrong)).concat());
    let name = format!("{DLL_PREFIX}ggml-base{DLL_SUFFIX}");
    let run = folder.briq(&["bench", "encode", "--peer", "nowhere"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (Some(3), "", 1), "{run:?}");
    assert!(run.stderr.contains(&format!("{name}: cannot load: ")), "{run:?}");

    folder.write(&name, "no library");
    let run = folder.briq(&["bench", "encode", "--peer", "."]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (Some(3), "", 1), "{run:?}");
    assert!(run.stderr.contains("cannot be loaded"), "{run:?}");
    assert!(!run.stderr.ends_with("dlopen failed\n"), "the system's own words are missing: {run:?}");
}

#[test]
fn a_library_that_is_no_ggml_is_no_peer() {
    let folder = Folder::new();
    compile(&folder, "ggml-base", "");
    for work in ["encode", "decode", "dot"] {
        let run = folder.briq(&["bench", work, "--weights", "1", "--type", "Q8_0", "--peer", "."]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:?}");
        let missing = "has no function ggml_row_size; ggml's base library does";
        assert!(run.stderr.contains(missing), "{run:?}");
    }
}

#[test]
fn the_help_has_examples() {
    let help = Folder::new().succeeds(&["bench", "--help"]);
    assert!(help.contains("Examples:\n  briq bench encode\n"), "{help}");
}

#[test]
fn an_instruction_set_that_the_processor_lacks_is_refused_by_every_command() {
    let folder = Folder::new();
    let run: Run = folder.command(&["types"]).env("BRIQ_ISA", "avx521").output().unwrap().into();
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let message = "\"avx521\" is no instruction set of this processor; it has scalar";
    assert!(run.stderr.starts_with(&format!("briq: BRIQ_ISA: {message}")), "{run:?}");
    let run = folder.briq(&["bench", "encode", "--isa", "avx521"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains(message), "{run:?}");
}

#[test]
fn an_empty_name_forces_no_instruction_set() {
    let folder = Folder::new();
    let list = |isa: Option<&str>| -> Run {
        let mut command = folder.command(&["bench", "--list-isa"]);
        match isa {
            Some(isa) => command.env("BRIQ_ISA", isa),
            None => command.env_remove("BRIQ_ISA"),
        };
        command.output().unwrap().into()
    };
    let empty = list(Some(""));
    assert_eq!((empty.code, empty.stderr.as_str()), (Some(0), ""));
    assert_eq!(empty.stdout, list(None).stdout);
}
