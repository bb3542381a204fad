//! Records that files carry, and lists of hashes. Whatever they say is a verdict or an error.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use briq_convert::integrity::foreign::{Algorithm, sum_line, tensor_digests};
use briq_convert::integrity::{Manifest, State, check, check_against};
use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Recipe;
use briq_convert::run::{RunOptions, run};
use briq_format::Gguf;

use crate::scratch;

static STOP: AtomicBool = AtomicBool::new(false);

/// A file with a record.
pub(crate) fn record(bytes: &[u8]) {
    let path = scratch::file("record.gguf", bytes);
    let Ok(findings) = check(&path, &(), &STOP) else { return };
    let model = Gguf::open(&path).expect("what was checked opens");
    match findings.state {
        State::Holds => assert_eq!(findings.tensors, model.tensors().count()),
        State::Damaged => assert!(!findings.damage.is_empty()),
        State::Stale | State::Unknown => assert!(!findings.changes.is_empty()),
        State::Absent => {}
    }
    let lengths: Vec<u64> = model.files().map(|(_, view)| view.file_bytes()).collect();
    for range in findings.damage.iter().flat_map(|damage| &damage.ranges) {
        assert!(range.start < range.end && lengths.iter().any(|&bytes| range.end <= bytes), "{range:?}");
    }
}

/// A list that a sound file is held against.
pub(crate) fn list(bytes: &[u8]) {
    let list = scratch::file("list", bytes);
    let Ok(findings) = check_against(&sound_file(), &list, &(), &STOP) else { return };
    assert!(findings.state != State::Absent);
}

/// Files to start from: one with a record.
pub(crate) fn record_seeds() -> Vec<Vec<u8>> {
    vec![std::fs::read(sound_file()).expect("it was just written")]
}

/// Lists in every form.
pub(crate) fn list_seeds() -> Vec<Vec<u8>> {
    let manifest = Manifest::of(&sound_file(), &(), &STOP).expect("the file is sound").to_string();
    let digests =
        tensor_digests(&sound_file(), &Algorithm::ALL, true, &(), &STOP).expect("the file is sound");
    let lines: Vec<u8> = digests.iter().flat_map(|digest| digest.line(b"sound.gguf")).collect();
    let sum = |name: &[u8]| sum_line(&"0a".repeat(32), name);
    vec![manifest.into(), lines, sum(b"sound.gguf"), sum(b"a\\b\n\xff\r/sound.gguf")]
}

/// A file that briq wrote, with its record; one for each thread, like its folder.
fn sound_file() -> PathBuf {
    thread_local! {
        static FILE: OnceCell<PathBuf> = const { OnceCell::new() };
    }
    FILE.with(|file| file.get_or_init(write_sound_file).clone())
}

fn write_sound_file() -> PathBuf {
    let source = scratch::fixtures().join("container/every-tensor-type.gguf");
    let plan = Plan::new(&source, &PlanOptions::new(Recipe::Auto)).expect("a valid file can be planned");
    let path = scratch::absent("sound.gguf");
    let options = RunOptions { threads: 1, allow_non_finite: true, ..RunOptions::default() };
    run(&plan, &path, &options, &(), &AtomicBool::new(false)).expect("a valid file can be converted");
    path
}
