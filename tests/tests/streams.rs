//! A pipe or a device takes the model that a file would hold, from front to back, and nothing else.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use briq_tests::{Folder, Run, two_rows};
use rustix::fs::OFlags;

const WRONG_USAGE: i32 = 2;
const BAD_INPUT: i32 = 3;
const SYSTEM_FAILED: i32 = 4;
const INTERRUPTED: i32 = 130;

/// A folder with a checkpoint, and the file that it becomes without a record.
fn folder_and_model() -> (Folder, Vec<u8>) {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    folder.succeeds(&["convert", "model", "--type", "Q4_K_M", "--no-record", "--out", "file.gguf"]);
    let model = folder.read("file.gguf");
    (folder, model)
}

fn convert_to(out: &str) -> [&str; 6] {
    ["convert", "model", "--type", "Q4_K_M", "--out", out]
}

fn make_pipe(folder: &Folder, name: &str) {
    let made = Command::new("mkfifo").arg(folder.path(name)).status().unwrap();
    assert!(made.success());
}

#[test]
fn standard_output_takes_the_model_and_standard_error_the_report() {
    let (folder, model) = folder_and_model();
    for out in ["-", "/dev/stdout"] {
        let output = folder.command(&convert_to(out)).stdout(Stdio::piped()).output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout == model, "{out}: {} bytes, {report}", output.stdout.len());
        let name = if out == "-" { "standard output" } else { out };
        assert!(report.starts_with(&format!("{name}: ")) && report.lines().count() == 1, "{report}");
        let arguments = [&convert_to(out)[..], &["--json"]].concat();
        let output = folder.command(&arguments).stdout(Stdio::piped()).output().unwrap();
        assert!(output.stdout == model);
        let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((&report["record"], &report["output"]), (&false.into(), &name.into()));
    }
    assert_eq!(folder.names(), ["file.gguf", "model"]);
}

#[test]
fn a_file_behind_a_redirection_takes_it_too() {
    let (folder, model) = folder_and_model();
    let redirected = File::create(folder.path("redirected.gguf")).unwrap();
    let status = folder.command(&convert_to("-")).stdout(redirected).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(folder.read("redirected.gguf") == model);
    folder.succeeds(&["verify", "redirected.gguf"]);
}

#[test]
fn a_named_pipe_is_waited_for_and_stays_a_pipe() {
    let (folder, model) = folder_and_model();
    make_pipe(&folder, "pipe");
    let writer = folder.command(&convert_to("pipe")).stdout(Stdio::piped()).spawn().unwrap();
    let read = fs::read(folder.path("pipe")).unwrap();
    let run: Run = writer.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(0));
    assert!(run.stdout.starts_with("pipe: "), "{}", run.stdout);
    assert!(read == model);
    assert_eq!(folder.names(), ["file.gguf", "model", "pipe"]);
}

#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (folder, model) = folder_and_model();
    let (mut reader, mut writer) = io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    // Full from the start, so that there is no room for the first byte.
    let mut expected = Vec::new();
    while let Ok(written) = writer.write(&[7; 4096]) {
        expected.resize(expected.len() + written, 7);
    }
    expected.extend(&model);
    let mut command = folder.command(&convert_to("-"));
    let converting = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    // It has the other end of the pipe, which has to be closed for the model to end.
    drop(command);
    thread::sleep(Duration::from_millis(500));
    let mut read = Vec::new();
    while reader.by_ref().take(16 << 10).read_to_end(&mut read).unwrap() > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let run: Run = converting.wait_with_output().unwrap().into();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(read == expected, "{} bytes", read.len());
}

#[test]
fn waiting_for_somebody_to_read_a_pipe_can_be_interrupted() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    make_pipe(&folder, "pipe");
    let waiting = folder.command(&convert_to("pipe")).stderr(Stdio::piped()).spawn().unwrap();
    // Nothing shows from outside that it waits; an interrupt before would end it as well, with another code.
    thread::sleep(Duration::from_secs(1));
    let told = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(told.success());
    let run: Run = waiting.wait_with_output().unwrap().into();
    assert_eq!((run.code, run.stderr.as_str()), (Some(INTERRUPTED), "briq: interrupted\n"));
}

#[test]
fn a_reader_that_leaves_early_is_a_failure() {
    let (folder, model) = folder_and_model();
    // More than a pipe holds, so that the reader is gone before all is written.
    assert!(model.len() > 1 << 16);
    let mut writer =
        folder.command(&convert_to("-")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(writer.stdout.take());
    let run: Run = writer.wait_with_output().unwrap().into();
    let message = "briq: standard output: cannot write: Broken pipe (os error 32)\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(SYSTEM_FAILED), message));
}

#[test]
fn a_device_that_is_full_is_named() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let message = "/dev/full: cannot write: No space left on device (os error 28)";
    folder.refuses(&convert_to("/dev/full"), SYSTEM_FAILED, message);
}

#[test]
fn a_weight_that_is_refused_ends_the_stream_with_an_error() {
    let folder = Folder::new();
    folder.write("w.safetensors", two_rows(&[f32::NAN; 64]));
    let arguments = ["convert", "w.safetensors", "--arch", "x", "--type", "Q8_0", "--out", "/dev/null"];
    let message = "w.safetensors: tensor \"w.weight\": weight 0 is NaN; --allow-non-finite takes it as it is";
    folder.refuses(&arguments, BAD_INPUT, message);
}

#[test]
fn a_model_is_not_printed_on_a_terminal() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/ptmx") else { return };
    let run: Run = folder.command(&convert_to("-")).stdout(terminal).output().unwrap().into();
    let message = "briq: standard output: a model goes into a file or a pipe, and this is a terminal\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(WRONG_USAGE), message));
}
