//! What a released briq wrote stays readable: every file of `fixtures/released`, a folder per version.

use briq_tests::Folder;
use briq_tests::fixtures::Manifest;

/// The files that end like this, as paths below fixtures/ without the ending.
fn files(ending: &str) -> Vec<String> {
    let manifest = Manifest::read();
    let names = manifest.folder("released").filter_map(|(name, _)| name.strip_suffix(ending));
    let files: Vec<_> = names.map(|name| format!("released/{name}")).collect();
    assert!(!files.is_empty(), "no file ends in {ending}");
    files
}

#[test]
fn every_released_file_opens_with_the_keys_and_the_tensors_it_was_written_with() {
    for file in files(".snapshot.txt") {
        let folder = Folder::with(&format!("{file}.gguf"), "f.gguf");
        folder.copy(&format!("{file}.snapshot.txt"), "f.txt");
        assert_eq!(folder.succeeds(&["snapshot", "f.gguf", "--check", "f.txt"]), "", "{file}");
    }
}

#[test]
fn every_released_file_is_sound_and_can_be_converted() {
    for file in files(".snapshot.txt") {
        let folder = Folder::with(&format!("{file}.gguf"), "f.gguf");
        assert!(folder.succeeds(&["verify", "f.gguf"]).contains("\nok: "), "{file}");
        // That some of it is quantized already is said on standard error.
        let run = folder.briq(&["convert", "f.gguf", "--type", "F32", "--out", "out.gguf"]);
        assert_eq!(run.code, Some(0), "{file}: {run:?}");
    }
}

#[test]
fn every_released_importance_matrix_is_read_and_used() {
    for (ending, name) in [("imatrix.gguf", "m.gguf"), ("imatrix.dat", "m.dat")] {
        for file in files(ending) {
            let folder = Folder::with(&format!("{file}{ending}"), name);
            assert!(folder.succeeds(&["imatrix", "info", name]).contains("blk.0.ffn_down.weight"), "{file}");
            folder.copy(&format!("{file}F32.gguf"), "f.gguf");
            let convert = ["convert", "f.gguf", "--imatrix", name, "--type", "IQ2_XS", "--out", "out.gguf"];
            assert_eq!(folder.briq(&convert).code, Some(0), "{file}");
        }
    }
}
