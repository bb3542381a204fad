//! `briq snapshot` prints a stable text, and tells where another file differs from it.

use briq_format::Gguf;
use briq_tests::fixtures::{self, Manifest};
use briq_tests::{Folder, Run};

const FILE: &str = "container/one-tensor.gguf";

#[test]
fn the_command_and_the_library_give_the_same_text() {
    let manifest = Manifest::read();
    let containers = manifest.folder("container").map(|(name, _)| format!("container/{name}"));
    let files =
        containers.filter(|name| name.ends_with(".gguf")).chain(["golden/tiny-llama-f32.gguf".to_owned()]);
    for file in files {
        let path = fixtures::path(&file);
        let printed = Folder::new().succeeds(&["snapshot", path.to_str().unwrap()]);
        assert_eq!(printed, Gguf::open(path).unwrap().snapshot().to_string(), "{file}");
    }
}

#[test]
fn the_text_depends_on_the_bytes_alone() {
    let folder = Folder::with(FILE, "a.gguf");
    folder.copy(FILE, "elsewhere/b.gguf");
    assert_eq!(folder.succeeds(&["snapshot", "a.gguf"]), folder.succeeds(&["snapshot", "elsewhere/b.gguf"]));
}

#[test]
fn a_file_that_matches_its_text_passes_in_silence() {
    let folder = Folder::with(FILE, "file.gguf");
    folder.write("file.snap", folder.succeeds(&["snapshot", "file.gguf"]));
    assert_eq!(folder.succeeds(&["snapshot", "file.gguf", "--check", "file.snap"]), "");
}

#[test]
fn one_changed_weight_is_a_readable_difference() {
    let folder = Folder::with(FILE, "file.gguf");
    let before = folder.succeeds(&["snapshot", "file.gguf"]);
    folder.write("file.snap", &before);
    let mut file = folder.read("file.gguf");
    let start = file.len() - 32;
    file[start] ^= 1;
    folder.write("file.gguf", file);
    let after = folder.succeeds(&["snapshot", "file.gguf"]);
    let line = |text: &str| text.lines().last().unwrap().to_owned();
    let difference = format!("- {}\n+ {}\n", line(&before), line(&after));
    assert!(line(&before).starts_with("w F32 [4] @0 #"));

    let run = folder.briq(&["snapshot", "file.gguf", "--check", "file.snap"]);
    assert_eq!(run, Run { code: Some(1), stdout: difference.clone(), stderr: String::new() });
    let run = folder.briq(&["snapshot", "file.gguf", "--check", "file.snap", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["matches"]), (Some(1), &false.into()));
    assert_eq!(report["difference"], difference);
}

#[test]
fn a_missing_text_is_named() {
    let folder = Folder::with(FILE, "file.gguf");
    folder.refuses(
        &["snapshot", "file.gguf", "--check", "none.snap"],
        3,
        "none.snap: the file does not exist",
    );
}
