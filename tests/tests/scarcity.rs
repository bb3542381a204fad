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
    let run: Run =
        limited(&folder, "ulimit -v 1000000", &["snapshot", "large.gguf"]).output().unwrap().into();
    let message = "briq: large.gguf: cannot map: Cannot allocate memory (os error 12)\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(SYSTEM_FAILED), message));
}

#[test]
fn memory_that_runs_out_harms_no_file() {
    let folder = Folder::with(LLAMA, "model");
    folder.succeeds(&CONVERT);
    let whole = folder.read("out.gguf");
    let mut failed = 0;
    for kibibytes in (8_000..60_000).step_by(4_000) {
        folder.write("out.gguf", "old");
        let run: Run = limited(&folder, &format!("ulimit -v {kibibytes}"), &CONVERT).output().unwrap().into();
        let expected = if run.code == Some(0) { &whole[..] } else { b"old" };
        assert!(folder.read("out.gguf") == expected, "{kibibytes} KiB: {run:?}");
        failed += u32::from(run.code != Some(0));
    }
    assert!(failed > 0, "memory never ran out");
    // What a run that was cut short left behind, the next one removes.
    folder.succeeds(&CONVERT);
    assert_eq!(folder.names(), ["model", "out.gguf"]);
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
