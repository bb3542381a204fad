//! One wish to stop ends a run with nothing left behind; a second one ends it at once.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use briq_tests::{Folder, Run, briq, long};

/// Longer than signals that follow one another at once are taken for one wish.
const A_WHILE: Duration = Duration::from_millis(700);

/// Runs a line of the shell with the number of a process as `$1`.
fn shell(line: &str, child: &Child) {
    let status = Command::new("sh").args(["-c", line, "sh", &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "{line}");
}

#[test]
fn an_interrupt_in_the_middle_leaves_nothing_and_ends_with_the_code_of_the_signal() {
    let folder = long::source();
    for (line, codes) in [
        ("kill -s INT $1", [130, 130]),
        ("kill -s TERM $1", [143, 143]),
        ("kill -s HUP $1", [129, 129]),
        // What `timeout` does: the child, and then all of its group.
        ("kill -s INT $1; kill -s INT $1", [130, 130]),
        ("kill -s TERM $1; kill -s INT $1", [130, 143]),
        ("kill -s INT $1; kill -s TERM $1; kill -s HUP $1; kill -s INT $1", [129, 143]),
        // A process that is stopped sees both together.
        ("kill -s STOP $1; kill -s INT $1; kill -s TERM $1; kill -s CONT $1", [130, 143]),
    ] {
        let child = long::start_converting(&folder);
        shell(line, &child);
        let Run { code, stdout, stderr } = child.wait_with_output().unwrap().into();
        let message = "briq: interrupted; no file was written\n";
        assert_eq!((stdout.as_str(), stderr.as_str()), ("", message), "{line}");
        assert!(code.is_some_and(|code| (codes[0]..=codes[1]).contains(&code)), "{line}: {code:?}");
        assert_eq!(folder.names(), ["w.safetensors"], "{line}");
    }
}

#[test]
fn a_signal_that_is_ignored_when_the_program_starts_stays_ignored() {
    let folder = long::source();
    for ignored in ["HUP", "INT"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' {ignored}; exec \"$@\""), "sh"]).arg(briq());
        let child = long::start(command.args(long::CONVERT).current_dir(folder.path("")), &folder);
        shell(&format!("kill -s {ignored} $1; sleep 0.3; kill -s TERM $1"), &child);
        let run: Run = child.wait_with_output().unwrap().into();
        assert_eq!(run.code, Some(143), "{ignored}");
        assert_eq!(folder.names(), ["w.safetensors"], "{ignored}");
    }
}

/// An output that has no room for a single byte, and whoever would have to read it first.
fn full_output() -> (UnixStream, OwnedFd) {
    let (reader, mut output) = UnixStream::pair().unwrap();
    output.set_nonblocking(true).unwrap();
    while output.write(&[0; 4096]).is_ok() {}
    while output.write(&[0]).is_ok() {}
    output.set_nonblocking(false).unwrap();
    (reader, output.into())
}

/// The end of a run, which has to come by itself.
fn ended(mut child: Child) -> Run {
    long::wait_until("the run ends", || child.try_wait().unwrap().is_some());
    child.wait_with_output().unwrap().into()
}

fn models() -> Folder {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    folder.copy("golden/tiny-llama-f32.gguf", "model.gguf");
    folder
}

#[test]
fn one_interrupt_ends_a_run_whose_reader_has_stopped_reading() {
    let folder = models();
    for arguments in [&["snapshot", "model.gguf"][..], &["convert", "model", "--type", "Q8_0", "--out", "-"]]
    {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let (_reader, output) = full_output();
            let mut command = folder.command(arguments);
            let child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
            // Nothing shows from outside that it writes. An interrupt before would end it as well.
            sleep(Duration::from_secs(1));
            shell(&format!("kill -s {signal} $1"), &child);
            let run = ended(child);
            assert_eq!((run.code, run.stderr.as_str()), (Some(code), "briq: interrupted\n"), "{arguments:?}");
        }
    }
}

#[test]
fn one_interrupt_ends_a_run_whose_reader_has_stopped_reading_a_named_pipe() {
    let folder = models();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let mut command = folder.command(&["convert", "model", "--type", "F32", "--out", "pipe"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = File::open(folder.path("pipe")).unwrap();
    reader.read_exact(&mut [0]).unwrap();
    shell("kill -s INT $1", &child);
    let run = ended(child);
    assert_eq!((run.code, run.stderr.as_str()), (Some(130), "briq: interrupted\n"));
}

#[test]
fn a_message_that_nobody_reads_does_not_keep_an_interrupted_run() {
    let folder = models();
    let (_reader, output) = full_output();
    let mut command = folder.command(&["snapshot", "model.gguf"]);
    let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
    sleep(Duration::from_secs(1));
    shell("kill -s INT $1", &child);
    assert_eq!(ended(child).code, Some(130));
}

/// A run that waits for ever, because nobody reads what it says when it has written all of its model.
fn start_waiting(folder: &Folder) -> (Child, UnixStream) {
    let convert = |out| ["convert", "model", "--type", "Q8_0", "--no-record", "--out", out];
    folder.succeeds(&convert("whole.gguf"));
    let model = File::create(folder.path("out.gguf")).unwrap();
    let (reader, errors) = full_output();
    let child = folder.command(&convert("-")).stdout(model).stderr(errors).spawn().unwrap();
    let bytes = |name| fs::metadata(folder.path(name)).unwrap().len();
    long::wait_until("the model is there", || bytes("out.gguf") == bytes("whole.gguf"));
    (child, reader)
}

#[test]
fn a_second_interrupt_after_a_while_ends_the_process_at_once_and_one_before_does_not() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = models();
        let (mut child, _reader) = start_waiting(&folder);
        // Stopped, so that no time passes between the two.
        shell("kill -s STOP $1; kill -s INT $1; kill -s TERM $1; kill -s CONT $1", &child);
        sleep(A_WHILE);
        assert!(child.try_wait().unwrap().is_none(), "two signals that came together ended it");
        shell(&format!("kill -s {signal} $1"), &child);
        assert_eq!(ended(child).code, Some(code));
    }
}
