//! `inspect`, `verify` and `snapshot` say of every container what the reader says, and `convert` refuses with the
//! same words what they refuse.

use briq_tests::fixtures::{File, Manifest};
use briq_tests::{Folder, Run};

const BAD_INPUT: i32 = 3;

/// Containers below fixtures/ with this ending.
fn containers(ending: &str, mut visit: impl FnMut(&str, &File)) {
    let manifest = Manifest::read();
    for folder in ["container", "malformed"] {
        for (name, file) in manifest.folder(folder).filter(|(name, _)| name.ends_with(ending)) {
            visit(&format!("{folder}/{name}"), file);
        }
    }
}

#[test]
fn every_gguf_that_opens_is_shown_and_every_other_is_refused_by_every_command_in_the_same_words() {
    containers(".gguf", |path, file| {
        let folder = Folder::with(path, "f.gguf");
        for command in [&["inspect", "f.gguf"][..], &["snapshot", "f.gguf"], &["verify", "f.gguf"]] {
            check(&folder, command, file, path);
        }
        if file.holds.is_none() {
            check(&folder, &["convert", "f.gguf", "--type", "auto", "--out", "out.gguf"], file, path);
        }
    });
}

#[test]
fn every_safetensors_that_is_refused_is_refused_by_convert_in_the_same_words() {
    containers(".safetensors", |path, file| {
        if file.holds.is_none() {
            let folder = Folder::with(path, "f.safetensors");
            let convert = ["convert", "f.safetensors", "--arch", "x", "--type", "auto", "--out", "out.gguf"];
            check(&folder, &convert, file, path);
        }
    });
}

#[track_caller]
fn check(folder: &Folder, command: &[&str], file: &File, path: &str) {
    let run = folder.briq(command);
    match (&file.holds, &file.message) {
        // What opens may still hold values that `verify` finds fault with.
        (Some(_), _) => assert!(matches!(run.code, Some(0 | 1)) && run.stderr.is_empty(), "{path}: {run:?}"),
        (None, message) => {
            let stderr = format!("briq: {}: {}\n", command[1], message.as_deref().unwrap_or_default());
            let expected = Run { code: Some(BAD_INPUT), stdout: String::new(), stderr };
            assert_eq!(run, expected, "{command:?} on {path}");
            assert_eq!(folder.files().len(), 1, "{command:?} on {path}");
        }
    }
}
