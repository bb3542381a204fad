//! Where the system gives little memory or few threads, work is done with less or ends with an error, and no file is
//! harmed.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use briq_tests::{Folder, Run};

const LLAMA: &str = "checkpoints/tiny-llama";
const CONVERT: [&str; 7] = ["convert", "model", "--type", "Q8_0", "--force", "--out", "out.gguf"];
const BAD_INPUT: i32 = 3;
const SYSTEM_FAILED: i32 = 4;

/// `briq` as the shell runs it under a limit.
fn limited(folder: &Folder, limit: &str, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit}; exec \"$@\""), "sh"]).arg(briq_tests::briq()).args(arguments);
    shell.current_dir(folder.path(""));
    shell
}

#[test]
fn a_file_that_the_address_space_has_no_room_for_is_an_error_where_it_would_be_mapped() {
    let folder = Folder::with("container/one-tensor.gguf", "large.gguf");
    File::options().write(true).open(folder.path("large.gguf")).unwrap().set_len(5 << 30).unwrap();
    let run: Run = limited(&folder, "ulimit -v 1000000", &["inspect", "large.gguf"]).output().unwrap().into();
    let message = "briq: large.gguf: cannot map: Cannot allocate memory (os error 12)\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(SYSTEM_FAILED), message));
}

#[test]
fn a_header_of_blanks_is_read_in_less_memory_than_it_takes() {
    const BLANKS: usize = 99_000_000;

    let folder = Folder::new();
    folder.write("w.safetensors", [&BLANKS.to_le_bytes()[..], &vec![b' '; BLANKS]].concat());
    let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "F16", "--out", "out.gguf"];
    let run: Run = limited(&folder, "ulimit -v 90000", &convert).output().unwrap().into();
    let message = "briq: w.safetensors: the header: EOF while parsing a value at line 1 column 99000000\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(BAD_INPUT), message));
}

#[test]
fn memory_that_runs_out_is_an_error_that_harms_no_file() {
    /// Of address space; the loader has no room for the libraries of the system far above nothing.
    const STEP_KIBIBYTES: usize = 250;

    let folder = Folder::with(LLAMA, "model");
    folder.succeeds(&CONVERT);
    let whole = folder.read("out.gguf");
    let (mut is_enough, mut refused) = (false, 0);
    for kibibytes in (0..200_000).step_by(STEP_KIBIBYTES) {
        folder.write("out.gguf", "old");
        let run: Run = limited(&folder, &format!("ulimit -v {kibibytes}"), &CONVERT).output().unwrap().into();
        if run.code == Some(0) {
            assert!(folder.read("out.gguf") == whole, "{kibibytes} KiB");
            is_enough = true;
            break;
        }
        assert!(folder.read("out.gguf") == b"old", "{kibibytes} KiB");
        assert_eq!(folder.names(), ["model", "out.gguf"], "{kibibytes} KiB: {run:?}");
        // Without room for itself, or its libraries, the program does not begin.
        if run.stderr.starts_with("briq: ") {
            assert_eq!((run.code, is_refusal(&run.stderr)), (Some(SYSTEM_FAILED), true), "{run:?}");
            refused += u32::from(run.stderr.contains("out of memory"));
        }
    }
    assert!(is_enough && refused > 0, "{refused} runs were refused memory");
}

/// Whether `message` says that the system refused memory, or a thread for want of it, to the program or to itself.
fn is_refusal(message: &str) -> bool {
    let bytes = message
        .strip_prefix("briq: out of memory: the system refused ")
        .and_then(|rest| rest.strip_suffix(" bytes\n"));
    bytes.is_some_and(|bytes| bytes.parse::<u64>().is_ok())
        || message.ends_with(": Cannot allocate memory (os error 12)\n")
        || message == "briq: cannot watch for interrupts: Resource temporarily unavailable (os error 11)\n"
}

#[test]
fn without_threads_work_is_done_by_one_or_the_error_says_what_for() {
    let folder = Folder::with("container/one-tensor.gguf", "file.gguf");
    fs::set_permissions(folder.path(""), Permissions::from_mode(0o755)).unwrap();
    let run = |limit: u32, command: &str| -> Option<Run> {
        // One letter in some shells, and the other in the rest.
        let limit = format!("ulimit -p {limit} 2>/dev/null || ulimit -u {limit}");
        let mut command = limited(&folder, &limit, &[command, "file.gguf"]);
        // The limit counts the processes of a user, this one has no other, and root has no limit.
        match command.uid(65_533).gid(65_533).output() {
            Ok(output) => Some(output.into()),
            // Another user cannot be had, or may not enter the folder of the build.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(error) => panic!("the binary does not run as another user: {error}"),
        }
    };
    for command in ["verify", "hash"] {
        let Some(refused) = run(1, command) else { return };
        let message = "briq: cannot watch for interrupts: Resource temporarily unavailable (os error 11)\n";
        assert_eq!((refused.code, refused.stderr.as_str()), (Some(SYSTEM_FAILED), message), "{command}");
        // One for the interrupts, and none for the work.
        let Some(done) = run(2, command) else { return };
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{command}");
    }
}
