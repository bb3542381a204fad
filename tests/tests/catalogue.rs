//! Bad inputs that no single file stands for: names that lead to no file, files of absurd size, settings that
//! contradict reason, and outputs nobody can write.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use briq_tests::{Folder, Run, safetensors, two_rows};

const LLAMA: &str = "checkpoints/tiny-llama";
const SHARDED: &str = "checkpoints/tiny-llama-yarn";
const INDEX: &str = "model/model.safetensors.index.json";
const SHARD: &str = "model/model-00002-of-00003.safetensors";
const WRONG_USAGE: i32 = 2;
const BAD_INPUT: i32 = 3;
const SYSTEM_FAILED: i32 = 4;

const CONVERT: [&str; 6] = ["convert", "model", "--type", "Q8_0", "--out", "out.gguf"];

#[track_caller]
fn refused(folder: &Folder, message: &str) {
    folder.refuses(&CONVERT, BAD_INPUT, message);
}

/// A file that ends at `bytes` and is all zeros, without room on the disk.
fn sparse(folder: &Folder, name: &str, bytes: u64) {
    File::create(folder.path(name)).unwrap().set_len(bytes).unwrap();
}

fn pipe(folder: &Folder, name: &str) {
    assert!(Command::new("mkfifo").arg(folder.path(name)).status().unwrap().success());
}

#[test]
fn what_is_no_regular_file_is_refused_by_every_command_without_waiting() {
    let folder = Folder::new();
    fs::create_dir(folder.path("folder.gguf")).unwrap();
    pipe(&folder, "pipe.gguf");
    for name in ["folder.gguf", "pipe.gguf", "/dev/zero"] {
        for command in [
            &["inspect", name][..],
            &["verify", name],
            &["hash", name],
            &["snapshot", name],
            &["imatrix", "info", name],
        ] {
            let run = folder.briq(command);
            let what = match name {
                "folder.gguf" => "it is a directory, and a file is expected",
                _ => "it is not a regular file",
            };
            let message = format!("briq: {name}: cannot open: {what}\n");
            assert_eq!((run.code, run.stderr), (Some(BAD_INPUT), message), "{command:?}");
        }
    }
    for (option, more) in [("--recipe", &[][..]), ("--imatrix", &["--type", "Q8_0"])] {
        let run = folder.briq(&[&["convert", "model", option, "pipe.gguf"], more].concat());
        assert_eq!(run.code, Some(BAD_INPUT), "{run:?}");
        assert!(run.stderr.ends_with("not a regular file\n"), "{run:?}");
    }
}

#[test]
fn a_shard_may_be_a_link_and_nothing_else_but_a_file() {
    let folder = Folder::with(SHARDED, "model");
    fs::rename(folder.path(SHARD), folder.path("blob")).unwrap();
    symlink("../blob", folder.path(SHARD)).unwrap();
    folder.succeeds(&CONVERT);
    fs::remove_file(folder.path("out.gguf")).unwrap();
    fs::remove_file(folder.path(SHARD)).unwrap();
    pipe(&folder, SHARD);
    let run = folder.briq(&CONVERT);
    let message = format!("briq: {SHARD}: cannot open: it is not a regular file\n");
    assert_eq!((run.code, run.stderr), (Some(BAD_INPUT), message));
    assert!(!folder.path("out.gguf").exists());
}

#[test]
fn an_index_that_maps_to_no_names_is_refused() {
    let folder = Folder::with(SHARDED, "model");
    for (index, problem) in [
        (
            r#"{"weight_map":{"a":3}}"#,
            r#""weight_map" puts tensor "a" into 3; allowed is the name of a file beside the index"#,
        ),
        (
            r#"{"weight_map":{"a":null}}"#,
            r#""weight_map" puts tensor "a" into null; allowed is the name of a file beside the index"#,
        ),
        (r#"{"weight_map":[]}"#, r#""weight_map" must be an object"#),
        (r#"{"weight_map":{}}"#, r#""weight_map" names no file"#),
        ("[]", r#""weight_map" must be an object"#),
    ] {
        folder.write(INDEX, index);
        refused(&folder, &format!("{INDEX}: {problem}"));
    }
}

#[test]
fn a_total_size_that_is_wrong_is_of_no_concern() {
    for size in ["-1", "\"many\"", "18446744073709551616"] {
        let folder = Folder::with(SHARDED, "model");
        let index = String::from_utf8(folder.read(INDEX)).unwrap();
        let at = index.find("\"total_size\": ").unwrap() + "\"total_size\": ".len();
        let end = at + index[at..].find(|c: char| !c.is_ascii_digit()).unwrap();
        folder.write(INDEX, format!("{}{size}{}", &index[..at], &index[end..]));
        folder.succeeds(&CONVERT);
    }
}

#[test]
fn json_files_of_absurd_size_are_refused_unread() {
    let folder = Folder::with(SHARDED, "model");
    sparse(&folder, INDEX, 257 << 20);
    let run = folder.briq(&CONVERT);
    let message = format!("briq: {INDEX}: 269484032 bytes, but at most 268435456 are read\n");
    assert_eq!((run.code, run.stderr), (Some(BAD_INPUT), message));
    let folder = Folder::with(LLAMA, "model");
    sparse(&folder, "model/config.json", 1 << 30);
    let run = folder.briq(&CONVERT);
    let message = "briq: model/config.json: 1073741824 bytes, but at most 16777216 are read\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(BAD_INPUT), message));
    let folder = Folder::with(LLAMA, "model");
    sparse(&folder, "model/tokenizer.json", 257 << 20);
    let run = folder.briq(&CONVERT);
    let message = "briq: model/tokenizer.json: 269484032 bytes, but at most 268435456 are read\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(BAD_INPUT), message));
}

#[test]
fn a_config_that_is_none_is_refused_with_its_place() {
    let folder = Folder::with(LLAMA, "model");
    for (config, problem) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("x", "expected value at line 1 column 1"),
        ("[]", "an array of 0 where an object was expected"),
        (&"[".repeat(100_000), "recursion limit exceeded at line 1 column 128"),
    ] {
        folder.write("model/config.json", config);
        refused(&folder, &format!("model/config.json: {problem}"));
    }
}

#[test]
fn a_setting_against_reason_is_named_with_what_was_allowed() {
    for (setting, value, message) in [
        (
            "\"hidden_size\": 256",
            "\"hidden_size\": NaN",
            "model/config.json: \"hidden_size\" is a number that is not finite; allowed is an integer from 1 to \
             4294967295",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 0",
            "model/config.json: \"num_attention_heads\" is 0; allowed is an integer from 1 to 4294967295",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3.5",
            "model/config.json: \"num_hidden_layers\" is 3.5; allowed is an integer from 1 to 4294967295",
        ),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 4000000000",
            "model: no tensor becomes \"blk.2.attn_norm.weight\", \"blk.3.attn_norm.weight\", \
             \"blk.4.attn_norm.weight\", \"blk.5.attn_norm.weight\", \"blk.6.attn_norm.weight\", \
             \"blk.7.attn_norm.weight\", \"blk.8.attn_norm.weight\", \"blk.9.attn_norm.weight\", and more, which the \
             architecture llama requires",
        ),
        (
            "\"hidden_size\": 256",
            "\"hidden_size\": 256, \"quantization_config\": {\"quant_method\": \"gptq\"}",
            "model/config.json: the weights are quantized already (\"quantization_config\" has quant_method \
             \"gptq\"), and weights in FP8 and 8-bit integers with scales are read; convert the checkpoint in floats \
             that this one was made from, or turn its weights into floats first",
        ),
    ] {
        let folder = Folder::with(LLAMA, "model");
        folder.edit("model/config.json", setting, value);
        refused(&folder, message);
    }
    let folder = Folder::with(LLAMA, "model");
    folder.edit(
        "model/config.json",
        "\"hidden_size\": 256",
        "\"nobody_reads_this\": -Infinity, \"hidden_size\": 256",
    );
    folder.succeeds(&CONVERT);
}

#[test]
fn tensors_that_a_gguf_file_cannot_hold_are_named_before_anything_is_written() {
    let entry = |name: &str, shape: &str| {
        format!(r#"{{"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[0,128]}}}}"#)
    };
    let long = "w".repeat(64);
    for (header, problem) in [
        (entry("w", "[1,1,1,1,32]"), "tensor \"w\": 5 dimensions, where at most 4 are allowed".to_owned()),
        (
            entry(&long, "[32]"),
            format!("tensor \"{long}\": the tensor name has 64 bytes, where at most 63 are allowed"),
        ),
        (entry("", "[32]"), "tensor \"\": the tensor name is empty; it must have 1 to 63 bytes".to_owned()),
        (
            entry("a\\u001bb", "[32]"),
            "tensor \"a\\u{1b}b\": the tensor name \"a\\u{1b}b\" holds a control character".to_owned(),
        ),
    ] {
        let folder = Folder::new();
        folder.write("w.safetensors", safetensors(&header, &[0; 128]));
        let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "F16", "--out", "out.gguf"];
        folder.refuses(&convert, BAD_INPUT, &format!("w.safetensors: {problem}"));
    }
}

#[test]
fn numbers_are_integers_as_json_spells_them() {
    for (number, problem) in [
        ("1e400", "the header: number out of range at line 1 column 54"),
        ("01", "the header: invalid number at line 1 column 50"),
        ("+1", "the header: expected value at line 1 column 49"),
        ("-0", "tensor \"w\": \"data_offsets\" must be an array of integers from 0 to 2^64 - 1"),
        ("0.0", "tensor \"w\": \"data_offsets\" must be an array of integers from 0 to 2^64 - 1"),
        ("\"0\"", "tensor \"w\": \"data_offsets\" must be an array of integers from 0 to 2^64 - 1"),
    ] {
        let folder = Folder::new();
        let header = format!(r#"{{"w":{{"dtype":"F32","shape":[2],"data_offsets":[{number},8]}}}}"#);
        folder.write("w.safetensors", safetensors(&header, &[0; 8]));
        let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "F16", "--out", "out.gguf"];
        folder.refuses(&convert, BAD_INPUT, &format!("w.safetensors: {problem}"));
    }
}

#[test]
fn a_file_past_four_gibibytes_opens_and_one_byte_less_is_refused() {
    let folder = Folder::new();
    let mut head = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0w\x01\0\0\0".to_vec();
    head.extend((5_u64 << 30).to_le_bytes());
    head.extend([24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    folder.write("large.gguf", &head);
    let data = head.len().next_multiple_of(32) as u64;
    let file = File::options().write(true).open(folder.path("large.gguf")).unwrap();
    file.set_len(data + (5 << 30)).unwrap();
    let shown = folder.succeeds(&["inspect", "large.gguf", "--tensors"]);
    assert!(shown.contains("5368709120"), "{shown}");
    file.set_len(data + (5 << 30) - 1).unwrap();
    let run = folder.briq(&["inspect", "large.gguf"]);
    let end = data + (5 << 30);
    let message =
        format!("briq: large.gguf: byte 32: tensor \"w\" ends at {end}, but the file ends at {}\n", end - 1);
    assert_eq!((run.code, run.stderr), (Some(BAD_INPUT), message));
}

#[test]
fn names_of_any_bytes_work_and_are_printed_on_one_line() {
    let folder = Folder::new();
    let convert = |source: &OsStr, output: &OsStr| -> Run {
        let mut command = folder.command(&["convert"]);
        command.arg(source).args(["--arch", "x", "--type", "F16", "--out"]).arg(output);
        command.output().unwrap().into()
    };
    for (source, output, shown) in [
        (&b"n\n\x1b[2J.safetensors"[..], &b"o\n\x1b.gguf"[..], "o\\n\\u{1b}.gguf"),
        (b"\xff.safetensors", b"\xfe.gguf", "\\xfe.gguf"),
    ] {
        let (source, output) = (OsStr::from_bytes(source), OsStr::from_bytes(output));
        fs::write(folder.path("").join(source), two_rows(&[1.0; 64])).unwrap();
        let run = convert(source, output);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
        assert!(run.stdout.starts_with(shown) && run.stdout.matches('\n').count() == 1, "{run:?}");
    }
    let missing = convert(OsStr::new("m\n\x1b[2J.safetensors"), OsStr::new("out.gguf"));
    let message = "briq: m\\n\\u{1b}[2J.safetensors: cannot open: No such file or directory (os error 2)\n";
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(BAD_INPUT), message));
    let long = "n".repeat(4096);
    let message = format!("briq: {long}: cannot open: File name too long (os error 36)\n");
    let run = folder.briq(&["inspect", &long]);
    assert!((run.code, &run.stderr) == (Some(SYSTEM_FAILED), &message), "{run:?}");
    folder.refuses(
        &["inspect", "--", "-x.gguf"],
        BAD_INPUT,
        "-x.gguf: cannot open: No such file or directory (os error 2)",
    );
}

#[test]
fn a_number_of_threads_that_is_none_is_wrong_usage() {
    let folder = Folder::with(LLAMA, "model");
    for threads in ["0", "-1", "1000000000", "x"] {
        let run = folder.briq(&[&CONVERT[..], &[&format!("--threads={threads}")]].concat());
        let message = format!(
            "error: invalid value '{threads}' for '--threads <N>': a number from 1 to 1024 is allowed\n\nFor more \
             information, try '--help'.\n"
        );
        assert_eq!((run.code, run.stderr), (Some(WRONG_USAGE), message));
        assert_eq!(folder.names(), ["model"]);
    }
}

#[test]
fn a_pattern_takes_time_and_memory_in_proportion() {
    let folder = Folder::with(LLAMA, "model");
    let run = folder.briq(&[&CONVERT[..], &["--tensor-type", "(a+)+$=F16"]].concat());
    let message = "briq: no tensor matches the pattern \"(a+)+$\"\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), message));
    fs::remove_file(folder.path("out.gguf")).unwrap();
    for (pattern, problem) in
        [("a{1000}{1000}", "Compiled regex exceeds size limit of 131072 bytes."), ("(a", "unclosed group")]
    {
        let run = folder.briq(&[&CONVERT[..], &["--tensor-type", &format!("{pattern}=F16")]].concat());
        let message = format!(
            "error: invalid value '{pattern}=F16' for '--tensor-type <REGEX=TYPE>': \"{pattern}\" is no regular \
             expression: {problem}\n\nFor more information, try '--help'.\n"
        );
        assert_eq!((run.code, run.stderr), (Some(WRONG_USAGE), message));
        assert_eq!(folder.names(), ["model"]);
    }
}

#[test]
fn neither_a_home_nor_a_folder_for_temporary_files_is_needed() {
    let folder = Folder::with(LLAMA, "model");
    let run: Run = folder.command(&CONVERT).env_clear().env("TMPDIR", "/nowhere").output().unwrap().into();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}
