//! Whatever happens to the output, nothing half-written is left, and no input or earlier output is harmed.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use briq_tests::{Folder, Run, long, two_rows};

const MODEL: &str = "checkpoints/tiny-llama";
const WRONG_USAGE: i32 = 2;
const BAD_INPUT: i32 = 3;
const SYSTEM_FAILED: i32 = 4;

const CONVERT: [&str; 6] = ["convert", "model", "--type", "Q8_0", "--out", "out.gguf"];

#[test]
fn an_existing_output_is_kept_without_force_and_replaced_with_it() {
    let folder = Folder::with(MODEL, "model");
    folder.write("out.gguf", "old");
    folder.refuses(&CONVERT, WRONG_USAGE, "out.gguf: the output exists; pass --force to replace it");
    folder.succeeds(&[&CONVERT[..], &["--force"]].concat());
    assert!(folder.read("out.gguf").starts_with(b"GGUF"));
}

#[test]
fn an_output_that_is_the_input_under_any_name_is_refused_even_with_force() {
    let folder = Folder::new();
    folder.copy("golden/tiny-llama-f32.gguf", "in/model.gguf");
    fs::create_dir(folder.path("other")).unwrap();
    fs::hard_link(folder.path("in/model.gguf"), folder.path("hard.gguf")).unwrap();
    symlink("in/model.gguf", folder.path("soft.gguf")).unwrap();
    for name in ["in/model.gguf", "./other/../in/model.gguf", "hard.gguf", "soft.gguf"] {
        let arguments = ["convert", "in/model.gguf", "--type", "Q8_0", "--force", "--out", name];
        let message = format!(
            "{name}: the output is a file of the source (in/model.gguf); write to another name, or pass --in-place \
             without --out to replace it"
        );
        folder.refuses(&arguments, WRONG_USAGE, &message);
    }
}

#[test]
fn an_output_that_is_a_file_of_the_model_directory_is_refused() {
    let folder = Folder::with(MODEL, "model");
    folder.write("model/1_Pooling/config.json", "{}");
    for name in ["model/model.safetensors", "model/tokenizer.json", "model/1_Pooling/config.json"] {
        let arguments = ["convert", "model", "--type", "Q8_0", "--force", "--out", name];
        folder.refuses(
            &arguments,
            WRONG_USAGE,
            &format!("{name}: the output is a file of the source ({name}); write to another name"),
        );
    }
}

#[test]
fn an_output_that_is_the_recipe_or_the_importance_matrix_is_refused() {
    let folder = Folder::with(MODEL, "model");
    folder.copy("imatrix/tiny-llama.gguf", "im.gguf");
    folder.write("r.toml", "base = \"Q4_K_M\"");
    for name in ["im.gguf", "r.toml"] {
        folder.refuses(
            &["convert", "model", "--recipe", "r.toml", "--imatrix", "im.gguf", "--force", "--out", name],
            WRONG_USAGE,
            &format!("{name}: the output is an input as well ({name}); write to another name"),
        );
    }
}

#[test]
fn an_output_that_is_no_file_is_refused() {
    let folder = Folder::with(MODEL, "model");
    fs::create_dir(folder.path("folder")).unwrap();
    let convert = |out| ["convert", "model", "--type", "Q8_0", "--force", "--out", out];
    folder.refuses(&convert("folder"), WRONG_USAGE, "folder: the output is there and is no regular file");
    folder.refuses(&convert("out.gguf/"), WRONG_USAGE, "out.gguf/: the output is to be a file, not a folder");
    folder.refuses(&convert("missing/out.gguf"), WRONG_USAGE, "missing/out.gguf: there is no folder missing");
    folder.write("file", "");
    folder.refuses(&convert("file/out.gguf"), WRONG_USAGE, "file/out.gguf: there is no folder file");
    let _listens = UnixListener::bind(folder.path("socket")).unwrap();
    folder.refuses(&convert("socket"), WRONG_USAGE, "socket: the output is there and is no regular file");
}

#[test]
fn a_link_is_followed_where_it_leads_to_a_file_and_nowhere_else() {
    let folder = Folder::with(MODEL, "model");
    symlink("nowhere", folder.path("out.gguf")).unwrap();
    let force = [&CONVERT[..], &["--force"]].concat();
    folder.refuses(&force, WRONG_USAGE, "out.gguf: the output is a symbolic link that leads nowhere");
    folder.write("nowhere", "old");
    folder.refuses(&CONVERT, WRONG_USAGE, "out.gguf: the output exists; pass --force to replace it");
    folder.succeeds(&force);
    assert!(fs::symlink_metadata(folder.path("out.gguf")).unwrap().is_symlink());
    assert!(folder.read("nowhere").starts_with(b"GGUF"));
    assert_eq!(folder.names(), ["model", "nowhere", "out.gguf"]);
}

#[test]
fn a_new_output_has_the_usual_mode_and_one_that_replaces_another_has_its_mode() {
    let folder = Folder::with(MODEL, "model");
    let mode = || fs::metadata(folder.path("out.gguf")).unwrap().permissions().mode() & 0o7777;
    let convert = |more: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 027; exec \"$@\"", "sh"]).arg(briq_tests::briq()).args(CONVERT).args(more);
        Run::from(shell.current_dir(folder.path("")).stdin(Stdio::null()).output().unwrap())
    };
    assert_eq!(convert(&[]).code, Some(0));
    assert_eq!(mode(), 0o640);
    for old in [0o600, 0o444, 0o664] {
        fs::set_permissions(folder.path("out.gguf"), fs::Permissions::from_mode(old)).unwrap();
        assert_eq!(convert(&["--force"]).code, Some(0));
        assert_eq!(mode(), old);
    }
}

#[test]
fn a_read_only_directory_is_named() {
    let folder = Folder::with(MODEL, "model");
    fs::create_dir(folder.path("locked")).unwrap();
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = folder.command(&["convert", "model", "--type", "Q8_0", "--out", "locked/out.gguf"]);
    if fs::write(folder.path("locked/probe"), "").is_ok() {
        // Permissions do not bind root; nobody is bound.
        fs::remove_file(folder.path("locked/probe")).unwrap();
        command.uid(65_534).gid(65_534);
    }
    let output = match command.output() {
        Ok(output) => output,
        // The folder of the build may be closed to that other user.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return,
        Err(error) => panic!("the binary does not run as another user: {error}"),
    };
    let message =
        "locked/out.gguf: cannot create a temporary file beside it: Permission denied (os error 13)";
    assert_eq!(Run::from(output), failed(SYSTEM_FAILED, message));
    assert_eq!(fs::read_dir(folder.path("locked")).unwrap().count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_a_failure_of_the_system_and_not_bad_input() {
    let folder = Folder::with(MODEL, "model");
    let message =
        "/proc/out.gguf: cannot create a temporary file beside it: No such file or directory (os error 2)";
    folder.refuses(
        &["convert", "model", "--type", "Q8_0", "--out", "/proc/out.gguf"],
        SYSTEM_FAILED,
        message,
    );
}

#[test]
fn a_disk_that_fills_in_the_middle_leaves_nothing() {
    let folder = Folder::with(MODEL, "model");
    let before = folder.files();
    // A limit of 64 blocks on any file stands for the full disk: the write past it fails.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 64; exec \"$@\"", "sh"]).arg(briq_tests::briq()).args(CONVERT);
    let run: Run = shell.current_dir(folder.path("")).stdin(Stdio::null()).output().unwrap().into();
    assert_eq!(run, failed(SYSTEM_FAILED, "out.gguf: cannot write: File too large (os error 27)"));
    assert_eq!(folder.files(), before);
}

#[test]
fn an_old_output_survives_a_failed_replacement() {
    let folder = Folder::new();
    folder.write("w.safetensors", two_rows(&[f32::NAN; 64]));
    folder.write("out.gguf", "old");
    let arguments =
        ["convert", "w.safetensors", "--arch", "x", "--type", "Q8_0", "--out", "out.gguf", "--force"];
    folder.refuses(
        &arguments,
        BAD_INPUT,
        "w.safetensors: tensor \"w.weight\": weight 0 is NaN; --allow-non-finite takes it as it is",
    );
}

#[test]
fn a_source_that_shrinks_in_the_middle_is_an_error_and_leaves_nothing() {
    let folder = long::source();
    let child = long::start_converting(&folder);
    let source = fs::File::options().write(true).open(folder.path("w.safetensors")).unwrap();
    source.set_len(4096).unwrap();
    let run: Run = child.wait_with_output().unwrap().into();
    let message = "w.safetensors: tensor \"w.weight\" is cut short: the file changed while it was read";
    assert_eq!(run, failed(BAD_INPUT, message));
    assert_eq!(folder.names(), ["w.safetensors"]);
}

fn failed(code: i32, message: &str) -> Run {
    Run { code: Some(code), stdout: String::new(), stderr: format!("briq: {message}\n") }
}
