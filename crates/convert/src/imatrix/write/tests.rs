//! Merges of files made here, and what comes back of them.

use std::ops::Range;

use proptest::prelude::*;

use super::super::tests::{Folder, all, entry, gguf, keys, legacy, legacy_entry, open};
use super::*;

fn written(inputs: &[Imatrix], format: Format) -> Imatrix {
    let folder = Folder::new();
    let path = folder.path("out");
    merge(inputs, MergeOptions { chunk_size: None }).unwrap().write(&path, format, Existing::Keep).unwrap();
    Imatrix::open(&path).unwrap()
}

#[test]
fn a_merge_adds_sums_and_counts() {
    let a = open(&gguf(
        &keys(),
        &[entry("both", &[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0]), entry("a", &[5.0], &[1.0])].concat(),
    ));
    let mut others = keys();
    others.set("imatrix.datasets", vec!["wiki.txt", "code.txt"]).unwrap();
    others.set("imatrix.chunk_size", 256_u32).unwrap();
    let b =
        open(&gguf(&others, &[entry("both", &[3.0; 4], &[3.0, 2.0]), entry("b", &[6.0], &[2.0])].concat()));
    let merged = written(&[a.unwrap(), b.unwrap()], Format::Gguf);
    let expected = [("a", vec![5.0]), ("b", vec![3.0]), ("both", vec![1.0, 1.25, 3.0, 3.5])];
    assert_eq!(all(&merged), expected.map(|(name, values)| (name.to_owned(), values)));
    assert_eq!(merged.entries()[2].counts(), [4.0, 2.0]);
    assert_eq!(merged.datasets(), ["wiki.txt", "code.txt"]);
    // 7 chunks of 512 and 7 of 256, in chunks of 512.
    assert_eq!((merged.chunk_count(), merged.chunk_size()), (Some(11), Some(512)));
}

#[test]
fn a_merge_takes_a_legacy_count_for_all_experts_and_in_chunks() {
    let old = open(&legacy(1, &[legacy_entry("w", 2, &[4.0, 8.0])])).unwrap();
    let new = open(&gguf(&keys(), &entry("w", &[512.0, 512.0], &[512.0, 0.0]))).unwrap();
    let merged = written(&[old, new], Format::Gguf);
    assert_eq!(merged.entries()[0].counts(), [1536.0, 1024.0]);
    assert_eq!(all(&merged)[0].1, [(4.0 * 512.0 + 512.0) / 1536.0, (8.0 * 512.0 + 512.0) / 1024.0]);
}

#[test]
fn matrices_that_do_not_fit_together_are_refused() {
    let open = |sums: &[f32], counts: &[f32]| open(&gguf(&keys(), &entry("w", sums, counts))).unwrap();
    let error =
        |inputs: &[Imatrix]| merge(inputs, MergeOptions { chunk_size: None }).unwrap_err().to_string();
    let problem = |message: &str| message.split_once(": ").unwrap().1.to_owned();
    let message = error(&[open(&[1.0; 6], &[1.0]), open(&[1.0; 4], &[1.0])]);
    assert_eq!(problem(&message), "entry \"w\" has 4 values, but 6 in a file before");
    let message = error(&[open(&[1.0; 6], &[1.0; 2]), open(&[1.0; 6], &[1.0; 3])]);
    assert_eq!(problem(&message), "entry \"w\" has 3 experts, but 2 in a file before");
    let message = error(&[open(&[1.0, 0.0], &[1.0]), open(&[1.0; 2], &[1.0; 2])]);
    let matrix = "entry \"w\": matrix 1 of 2 counts 1.0, but the importance of its only column is 0";
    assert!(problem(&message).starts_with(matrix), "{message}");
}

#[test]
fn sums_that_pass_a_float_are_refused() {
    let inputs = [0, 1].map(|_| open(&gguf(&keys(), &entry("w", &[3e38], &[1.0]))).unwrap());
    let folder = Folder::new();
    let merged = merge(&inputs, MergeOptions { chunk_size: None }).unwrap();
    let error = merged.write(&folder.path("out"), Format::Gguf, Existing::Keep).unwrap_err();
    let path = folder.path("out");
    let problem = "entry \"w\": value 0 is too large for a 32-bit float";
    assert_eq!(error.to_string(), format!("{}: {problem}", path.display()));
    assert!(!folder.path("out").exists());
}

#[test]
fn counts_that_no_file_may_have_are_refused() {
    let inputs = [0, 1].map(|_| {
        let (sums, counts) = ([1.0; 2], [1.0, 2.0_f32.powi(63)]);
        open(&gguf(&keys(), &entry("w", &sums, &counts))).unwrap()
    });
    let error = merge(&inputs, MergeOptions { chunk_size: None }).unwrap_err().to_string();
    let problem = "entry \"w\" brings count 1 to 1.8446744e19; at most 2^63 is allowed";
    assert_eq!(error, format!("{}: {problem}", inputs[1].path().display()));
}

#[test]
fn the_file_at_which_there_are_too_many_chunks_is_named() {
    let chunks = |count: u32| {
        let mut keys = keys();
        keys.set("imatrix.chunk_count", count).unwrap();
        open(&gguf(&keys, &entry("w", &[1.0], &[1.0]))).unwrap()
    };
    let files = [u32::MAX - 7, 7, 1, 7].map(chunks);
    let merge =
        |files, size| merge(files, MergeOptions { chunk_size: size }).map(|merged| merged.chunk_count);
    assert_eq!(merge(&files[..2], None).unwrap(), u32::MAX);
    assert_eq!(merge(&files, Some(1024)).unwrap(), (1 << 31) + 4);
    for (files, size, at, chunks) in
        [(&files[..], 512, 2, 1 << 32), (&files[..1], 1, 0, (1_u64 << 41) - 4096)]
    {
        let allowed = "at most 2^32 - 1 are allowed, and larger chunks are fewer";
        let problem = format!("the files up to this one have {chunks} chunks of {size}; {allowed}");
        let expected = format!("{}: {problem}", files[at].path().display());
        assert_eq!(merge(files, Some(size)).unwrap_err().to_string(), expected);
    }
}

/// Sums of which some are 0, but not a whole matrix of two.
fn sums(len: Range<usize>) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(0.0_f32..1e30, len).prop_map(|mut sums| {
        sums.iter_mut().step_by(2).for_each(|sum| *sum = sum.max(1e-20));
        sums
    })
}

proptest! {
    #[test]
    fn a_gguf_file_survives_conversion_to_gguf(sums in sums(6..7), counts in [0_u16.., 0_u16.., 0_u16..]) {
        let counts = counts.map(f32::from);
        let imatrix = open(&gguf(&keys(), &entry("w", &sums, &counts))).unwrap();
        let again = written(std::slice::from_ref(&imatrix), Format::Gguf);
        prop_assert_eq!(all(&again), all(&imatrix));
        prop_assert_eq!(again.entries()[0].counts(), counts);
        prop_assert_eq!((again.datasets(), again.chunk_count()), (imatrix.datasets(), imatrix.chunk_count()));
    }

    #[test]
    fn a_legacy_file_gives_the_same_importance_as_gguf(values in sums(1..9), calls in 0..100_000) {
        let imatrix = open(&legacy(1, &[legacy_entry("w", calls, &values)])).unwrap();
        prop_assert_eq!(all(&written(std::slice::from_ref(&imatrix), Format::Gguf)), all(&imatrix));
    }

    #[test]
    fn a_gguf_file_as_legacy_gives_the_same_importance_but_for_rounding(
        sums in sums(6..7), counts in [0_u16.., 0_u16.., 0_u16..],
    ) {
        let imatrix = open(&gguf(&keys(), &entry("w", &sums, &counts.map(f32::from)))).unwrap();
        let old = written(std::slice::from_ref(&imatrix), Format::Legacy);
        // Two roundings, of the product and of the quotient, on either side of a subnormal.
        for (old, new) in all(&old)[0].1.iter().zip(&all(&imatrix)[0].1) {
            prop_assert!((old - new).abs() <= new * f32::EPSILON + 1e-40, "{} for {}", old, new);
        }
    }
}
