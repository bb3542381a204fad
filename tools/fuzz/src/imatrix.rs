//! Importance matrices of both formats. What is accepted can be used, merged, and written in either.

use std::path::Path;

use briq_convert::imatrix::{Format, Imatrix, MergeOptions, merge};
use briq_format::Existing;

use crate::scratch;

pub(crate) fn gguf(bytes: &[u8]) {
    check(&scratch::file("imatrix.gguf", bytes), bytes.len());
}

pub(crate) fn legacy(bytes: &[u8]) {
    check(&scratch::file("imatrix.dat", bytes), bytes.len());
}

fn check(path: &Path, length: usize) {
    let Ok(imatrix) = Imatrix::open(path) else { return };
    for entry in imatrix.entries() {
        let importance = imatrix.importance(entry, 0..entry.values()).expect("a proved entry can be read");
        assert!(importance.iter().all(|value| value.is_finite() && *value >= 0.0), "{:?}", entry.name());
        assert!(imatrix.position(entry.name()).is_some());
    }
    // Files are written seldom, which takes longer than all the rest.
    if !length.is_multiple_of(16) {
        return;
    }
    let inputs = [imatrix];
    let Ok(merged) = merge(&inputs, MergeOptions { chunk_size: None }) else { return };
    for (name, format) in [("merged.gguf", Format::Gguf), ("merged.dat", Format::Legacy)] {
        let output = scratch::absent(name);
        if merged.write(&output, format, Existing::Keep).is_ok() {
            let again = Imatrix::open(&output).expect("what was written opens");
            assert_eq!(again.entries().len(), inputs[0].entries().len());
        }
    }
}
