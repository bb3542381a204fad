//! `briq convert --in-place` puts a complete file in the place of its source, and nothing else takes that place.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use briq_format::{FilePlan, Gguf, MetadataBuf, Shape, TensorSpec, TensorType};
use briq_tests::Folder;

const WRONG_USAGE: i32 = 2;
const BAD_INPUT: i32 = 3;

fn in_place<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["convert", file, "--type", "Q4_0", "--in-place"], more].concat()
}

fn model() -> Folder {
    Folder::with("golden/tiny-llama-f32.gguf", "m.gguf")
}

fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<_> = folder.files().keys().map(|path| path.display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn the_file_becomes_what_a_conversion_beside_it_would_be_and_keeps_its_mode() {
    let folder = model();
    folder.succeeds(&["convert", "m.gguf", "--type", "Q4_0", "--out", "beside.gguf"]);
    fs::set_permissions(folder.path("m.gguf"), fs::Permissions::from_mode(0o640)).unwrap();
    let printed = folder.succeeds(&in_place("m.gguf", &[]));
    assert!(printed.starts_with("m.gguf: "), "{printed}");
    assert!(folder.read("m.gguf") == folder.read("beside.gguf"));
    assert_eq!(fs::metadata(folder.path("m.gguf")).unwrap().mode() & 0o777, 0o640);
    assert_eq!(names(&folder), ["beside.gguf", "m.gguf"]);
    folder.succeeds(&["verify", "m.gguf"]);
}

#[test]
fn a_symbolic_link_stays_and_the_file_behind_it_is_replaced() {
    let folder = Folder::with("golden/tiny-llama-f32.gguf", "store/m.gguf");
    symlink("store/m.gguf", folder.path("link.gguf")).unwrap();
    folder.succeeds(&in_place("link.gguf", &[]));
    assert!(fs::symlink_metadata(folder.path("link.gguf")).unwrap().is_symlink());
    let model = Gguf::open(folder.path("store/m.gguf")).unwrap();
    assert_eq!(model.tensor("token_embd.weight").unwrap().info.type_id.to_string(), "Q6_K");
    assert_eq!(names(&folder), ["link.gguf", "store/m.gguf"]);
}

#[test]
fn another_hard_link_keeps_what_was_there() {
    let folder = model();
    fs::hard_link(folder.path("m.gguf"), folder.path("other.gguf")).unwrap();
    let before = folder.read("m.gguf");
    folder.succeeds(&in_place("m.gguf", &[]));
    assert!(folder.read("other.gguf") == before && folder.read("m.gguf") != before);
}

#[test]
fn what_is_no_single_gguf_file_is_refused() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let refused = |file: &str, more: &[&str], what: &str| {
        let message = format!("{file}: --in-place replaces a single GGUF file; this is {what}");
        folder.refuses(&in_place(file, more), WRONG_USAGE, &message);
    };
    refused("model", &[], "a directory");
    refused("model/model.safetensors", &["--arch", "llama"], "a safetensors file");
    for number in 0..2_u16 {
        let mut metadata = MetadataBuf::new();
        metadata.set("split.no", number).unwrap();
        metadata.set("split.count", 2_u16).unwrap();
        metadata.set("split.tensors.count", 2_i32).unwrap();
        let tensor =
            TensorSpec::new(format!("w{number}"), Shape::new(&[8]).unwrap(), TensorType::F32).unwrap();
        let plan = FilePlan::new(&metadata, vec![tensor]).unwrap();
        let file = [plan.head(), &[0; 32]].concat();
        folder.write(&format!("shards-0000{}-of-00002.gguf", number + 1), file);
    }
    refused("shards-00001-of-00002.gguf", &[], "a model in 2 files, and the result is one");
}

#[test]
fn in_place_and_out_exclude_each_other() {
    let folder = model();
    let run = folder.briq(&in_place("m.gguf", &["--out", "x.gguf"]));
    assert_eq!(run.code, Some(WRONG_USAGE));
    insta::assert_snapshot!(run.stderr);
}

#[test]
fn a_conversion_in_place_that_fails_leaves_the_file() {
    let folder = Folder::new();
    folder.write("w.safetensors", briq_tests::two_rows(&[f32::NAN; 64]));
    let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "F32", "--out", "m.gguf"];
    folder.succeeds(&[&convert[..], &["--allow-non-finite"]].concat());
    let message = "m.gguf: tensor \"w.weight\": weight 0 is NaN; --allow-non-finite takes it as it is";
    folder.refuses(&in_place("m.gguf", &[]), BAD_INPUT, message);
}
