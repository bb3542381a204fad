//! A report that cannot be printed is an error, and never a success that nobody saw.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::process::Command;

use briq_tests::{Folder, Run};

const SYSTEM_FAILED: i32 = 4;

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let folder = Folder::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    for arguments in [&["types"][..], &["--help"], &["convert", "--help"], &["--version"]] {
        let full = full.try_clone().unwrap();
        let run: Run = folder.command(arguments).stdout(full).output().unwrap().into();
        let message = "briq: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!((run.code, run.stderr.as_str()), (Some(SYSTEM_FAILED), message), "{arguments:?}");
    }
}

#[test]
fn a_closed_standard_output_is_an_error_of_every_command_that_prints() {
    let folder = Folder::with("container/one-tensor.gguf", "file.gguf");
    for arguments in [
        "inspect file.gguf",
        "inspect file.gguf --json",
        "verify file.gguf",
        "snapshot file.gguf",
        "convert file.gguf --type F16 --out out.gguf",
        "types",
        "--help",
        "--version",
    ] {
        let run = |redirection: &str| -> Run {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec \"$0\" {arguments} {redirection}")]).arg(briq_tests::briq());
            shell.current_dir(folder.path("")).output().unwrap().into()
        };
        let closed = run(">&-");
        let message = "briq: cannot write to standard output: it is closed\n";
        assert_eq!((closed.code, closed.stderr.as_str()), (Some(SYSTEM_FAILED), message), "{arguments}");
        let _ = fs::remove_file(folder.path("out.gguf"));
        let nowhere = run(">/dev/null");
        assert_eq!((nowhere.code, nowhere.stderr.as_str()), (Some(0), ""), "{arguments}");
        let _ = fs::remove_file(folder.path("out.gguf"));
    }
}
