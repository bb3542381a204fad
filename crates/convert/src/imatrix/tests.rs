//! Files made here, byte by byte: good ones give their numbers back, each bad one is refused with its reason.

use std::path::PathBuf;

use briq_format::{FilePlan, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::recipe::{Importance, Recipe};

/// A tensor of a GGUF file: name, shape, type, bytes.
pub(super) type Tensor = (String, Vec<u64>, TensorType, Vec<u8>);

pub(super) fn floats(name: &str, shape: &[u64], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name.to_owned(), shape.to_vec(), TensorType::F32, bytes)
}

/// The tensors of one entry: sums, matrix after matrix, and their counts.
pub(super) fn entry(name: &str, sums: &[f32], counts: &[f32]) -> [Tensor; 2] {
    let matrices = counts.len() as u64;
    let columns = sums.len() as u64 / matrices;
    [
        floats(&format!("{name}.in_sum2"), &[columns, matrices], sums),
        floats(&format!("{name}.counts"), &[1, matrices], counts),
    ]
}

pub(super) fn keys() -> MetadataBuf {
    let mut keys = MetadataBuf::new();
    keys.set("general.type", "imatrix").unwrap();
    keys.set("imatrix.datasets", vec!["wiki.txt"]).unwrap();
    keys.set("imatrix.chunk_count", 7_u32).unwrap();
    keys.set("imatrix.chunk_size", 512_u32).unwrap();
    keys
}

pub(super) fn gguf(keys: &MetadataBuf, tensors: &[Tensor]) -> Vec<u8> {
    let specs = tensors
        .iter()
        .map(|(name, dims, ty, _)| TensorSpec::new(name, Shape::new(dims).unwrap(), *ty).unwrap());
    let plan = FilePlan::new(keys, specs.collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    for (name, .., bytes) in tensors.iter().filter(|(.., bytes)| !bytes.is_empty()) {
        writer.write(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

/// An entry of a legacy file: name, calls, values.
pub(super) fn legacy_entry(name: &str, calls: i32, values: &[f32]) -> Vec<u8> {
    let mut bytes = (name.len() as i32).to_le_bytes().to_vec();
    bytes.extend(name.as_bytes());
    bytes.extend(calls.to_le_bytes());
    bytes.extend((values.len() as i32).to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

pub(super) fn legacy(count: i32, entries: &[Vec<u8>]) -> Vec<u8> {
    [&count.to_le_bytes()[..], &entries.concat()].concat()
}

pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, bytes: &[u8]) -> Result<Imatrix> {
        let path = self.path("it");
        std::fs::write(&path, bytes).unwrap();
        Imatrix::open(&path)
    }
}

pub(super) fn open(bytes: &[u8]) -> Result<Imatrix> {
    Folder::new().open(bytes)
}

/// The message with which a file is refused, without its path.
fn refused(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let error = folder.open(bytes).expect_err("the file is bad").to_string();
    let path = format!("{}: ", folder.path("it").display());
    error.strip_prefix(&path).unwrap_or_else(|| panic!("{error} does not begin with {path}")).to_owned()
}

/// Every importance in the file, by name.
pub(super) fn all(imatrix: &Imatrix) -> Vec<(String, Vec<f32>)> {
    let values = |entry: &Entry| imatrix.importance(entry, 0..entry.values()).unwrap();
    imatrix.entries().iter().map(|entry| (entry.name().to_owned(), values(entry))).collect()
}

#[test]
fn importance_is_sums_by_counts_and_one_where_nothing_was_seen() {
    let tensors =
        [entry("b", &[2.0, 4.0], &[4.0]), entry("a", &[1.0, 2.0, 9.0, 9.0, 3.0, 0.0], &[2.0, 0.0, 3.0])];
    let imatrix = open(&gguf(&keys(), &tensors.concat())).unwrap();
    let expected = [("a", vec![0.5, 1.0, 1.0, 1.0, 1.0, 0.0]), ("b", vec![0.5, 1.0])];
    assert_eq!(all(&imatrix), expected.map(|(name, values)| (name.to_owned(), values)));
    let entry = &imatrix.entries()[0];
    assert_eq!((entry.columns(), entry.counts()), (2, &[2.0, 0.0, 3.0][..]));
    assert_eq!(imatrix.importance(entry, 3..5).unwrap(), [1.0, 1.0]);
    assert_eq!((imatrix.chunk_count(), imatrix.chunk_size()), (Some(7), Some(512)));
    assert_eq!((imatrix.datasets(), imatrix.format()), (&["wiki.txt".to_owned()][..], Format::Gguf));
    assert_eq!((imatrix.position("b"), imatrix.position("c")), (Some(1), None));
}

#[test]
fn a_legacy_file_gives_values_by_calls() {
    let entries = [legacy_entry("b", 4, &[2.0, 4.0]), legacy_entry("a", 0, &[3.0])];
    let mut bytes = legacy(2, &entries);
    let imatrix = open(&bytes).unwrap();
    assert_eq!(all(&imatrix), [("a".to_owned(), vec![3.0]), ("b".to_owned(), vec![0.5, 1.0])]);
    assert_eq!(
        (imatrix.format(), imatrix.chunk_count(), imatrix.datasets().len()),
        (Format::Legacy, None, 0)
    );
    bytes.extend([&5_i32.to_le_bytes()[..], &4_i32.to_le_bytes(), b"text"].concat());
    let imatrix = open(&bytes).unwrap();
    assert_eq!((imatrix.chunk_count(), imatrix.datasets()), (Some(5), &["text".to_owned()][..]));
}

#[test]
fn counts_without_elements() {
    let tensors = [floats("a.in_sum2", &[4], &[1.0; 4]), floats("a.counts", &[0], &[])];
    assert_eq!(
        refused(&gguf(&keys(), &tensors)),
        "entry \"a\": .in_sum2 has shape [4] and .counts has 0 elements; there must be a count for each row of sums"
    );
}

#[test]
fn a_key_of_another_type_or_missing() {
    let with = |set: &dyn Fn(&mut MetadataBuf)| {
        let mut keys = keys();
        set(&mut keys);
        refused(&gguf(&keys, &entry("a", &[1.0], &[1.0])))
    };
    let key = "imatrix.chunk_count";
    assert_eq!(
        with(&|keys| keys.set(key, "7").unwrap()),
        "imatrix.chunk_count is string, where u32 is required"
    );
    assert_eq!(
        with(&|keys| keys.set(key, 7_i64).unwrap()),
        "imatrix.chunk_count is i64, where u32 is required"
    );
    assert_eq!(with(&|keys| assert!(keys.remove(key))), "imatrix.chunk_count is missing");
    assert_eq!(with(&|keys| assert!(keys.remove("imatrix.chunk_size"))), "imatrix.chunk_size is missing");
    let key = "imatrix.chunk_size";
    assert_eq!(
        with(&|keys| keys.set(key, 0_u32).unwrap()),
        "imatrix.chunk_size is 0; a chunk has at least one token"
    );
    let key = "imatrix.datasets";
    assert_eq!(
        with(&|keys| keys.set(key, "x").unwrap()),
        "imatrix.datasets is string, where an array of strings is required"
    );
    assert_eq!(
        with(&|keys| keys.set(key, vec![1_u32]).unwrap()),
        "imatrix.datasets is an array of u32, where an array of strings is required"
    );
    let key = "general.type";
    assert_eq!(
        with(&|keys| keys.set(key, "model").unwrap()),
        "general.type is \"model\", where \"imatrix\" is required"
    );
    assert_eq!(
        with(&|keys| keys.set(key, "").unwrap()),
        "general.type is \"\", where \"imatrix\" is required"
    );
    assert_eq!(
        with(&|keys| keys.set(key, 7_u32).unwrap()),
        "general.type is u32, where \"imatrix\" is required"
    );
    assert_eq!(with(&|keys| assert!(keys.remove(key))), "general.type is missing");
}

#[test]
fn a_tensor_larger_than_the_file() {
    let mut file = gguf(&keys(), &entry("a", &[1.0; 8], &[1.0]));
    // The row length stands behind the name and the rank.
    let name = b"a.in_sum2";
    let place = file.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4;
    file[place..][..8].copy_from_slice(&(1_u64 << 38).to_le_bytes());
    let (start, end) = (place - 4 - name.len(), file.len());
    let expected =
        format!("byte {start}: tensor \"a.in_sum2\" ends at 1099511628064, but the file ends at {end}");
    assert_eq!(refused(&file), expected);
}

#[test]
fn more_values_than_the_file() {
    let mut file = legacy(1, &[legacy_entry("blk.0.out", 1, &[])]);
    let end = file.len() - 4;
    file[end..].copy_from_slice(&1_000_000_i32.to_le_bytes());
    assert_eq!(file.len(), 25);
    assert_eq!(
        refused(&file),
        "byte 25: entry \"blk.0.out\" with 1000000 values takes 4000000 bytes, but only 0 are left"
    );
}

#[test]
fn names_of_impossible_length() {
    let named = |length: i32| {
        let mut file = legacy(1, &[legacy_entry("abc", 1, &[1.0, 2.0])]);
        file[4..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(file.len(), 27);
        refused(&file)
    };
    assert_eq!(named(-2), "byte 4: the name of entry 0 has length -2; allowed are 1 to 1024");
    assert_eq!(named(i32::MAX), "byte 4: the name of entry 0 has length 2147483647; allowed are 1 to 1024");
    assert_eq!(named(0), "byte 4: the name of entry 0 has length 0; allowed are 1 to 1024");
    assert_eq!(named(1000), "byte 8: the name of entry 0 takes 1000 bytes, but only 19 are left");
}

#[test]
fn impossible_numbers_of_entries() {
    let hint = "it is neither a GGUF file nor a legacy importance matrix";
    for count in [i32::MAX, 0, -1] {
        let allowed = "at least 1 is required, and at most 0 fit the file";
        let expected = format!("byte 0: the number of entries is {count}; {allowed}: {hint}");
        assert_eq!(refused(&legacy(count, &[])), expected);
    }
    assert_eq!(refused(b"abc"), format!("byte 0: the file has 3 bytes: {hint}"));
    assert_eq!(refused(b""), format!("byte 0: the file has 0 bytes: {hint}"));
    let two = legacy(2, &[legacy_entry("a", 1, &[1.0; 8])]);
    assert_eq!(
        refused(&two),
        "byte 49: the length of the name of entry 1 takes 4 bytes, but only 0 are left"
    );
}

#[test]
fn counts_that_do_not_divide_the_sums() {
    for (sums, counts) in [(4, 3), (2, 64), (4, 2)] {
        let tensors = [
            floats("a.in_sum2", &[sums], &vec![1.0; sums as usize]),
            floats("a.counts", &[1, counts], &vec![1.0; counts as usize]),
        ];
        assert_eq!(
            refused(&gguf(&keys(), &tensors)),
            format!(
                "entry \"a\": .in_sum2 has shape [{sums}] and .counts has {counts} elements; there must be a count \
                 for each row of sums"
            )
        );
    }
}

#[test]
fn numbers_that_no_measurement_gives() {
    for bad in [f32::NAN, f32::INFINITY, -1.0] {
        let expected = format!("entry \"a\": sum 1 is {bad:?}; allowed are finite numbers of at least 0");
        assert_eq!(refused(&gguf(&keys(), &entry("a", &[1.0, bad], &[1.0]))), expected);
        assert_eq!(refused(&legacy(1, &[legacy_entry("a", 1, &[1.0, bad])])), expected);
    }
    for bad in [f32::NAN, f32::INFINITY, -1.0, 3e38, 1e-30] {
        let file = gguf(&keys(), &entry("a", &[1.0, 1.0], &[1.0, bad]));
        assert_eq!(
            refused(&file),
            format!("entry \"a\": count 1 is {bad:?}; allowed are 0 and numbers from 1 to 2^63")
        );
    }
    let file = legacy(1, &[legacy_entry("a", -3, &[1.0])]);
    assert_eq!(refused(&file), "byte 9: entry \"a\" counts -3 calls; allowed are numbers of at least 0");
    let file = legacy(1, &[legacy_entry("a", 1, &[]), vec![0; 4]]);
    assert_eq!(refused(&file), "byte 13: entry \"a\" has 0 values; allowed are numbers from 1 to 67108864");
}

#[test]
fn a_bad_sum_far_into_a_large_entry_is_found() {
    let mut sums = vec![1.0; 300_000];
    sums[299_999] = f32::NAN;
    let message = refused(&legacy(1, &[legacy_entry("a", 1, &sums)]));
    assert_eq!(message, "entry \"a\": sum 299999 is NaN; allowed are finite numbers of at least 0");
}

/// The end of a message about a matrix in which nothing matters.
const NOTHING_MATTERS: &str =
    "which would encode its weights as nothing; at least one above 0 is required, or a count of 0";

#[test]
fn a_matrix_that_was_measured_has_a_column_that_matters() {
    let message = |matrix: &str, count: &str, columns: &str| {
        let what = format!("matrix {matrix} counts {count}, but the importance of {columns}");
        format!("entry \"a\": {what} is 0, {NOTHING_MATTERS}")
    };
    let zeros = gguf(&keys(), &entry("a", &[0.0; 3], &[512.0]));
    assert_eq!(refused(&zeros), message("0 of 1", "512.0", "each of its 3 columns"));
    for (calls, count) in [(7, "7.0"), (0, "1.0")] {
        let zeros = legacy(1, &[legacy_entry("a", calls, &[0.0; 3])]);
        assert_eq!(refused(&zeros), message("0 of 1", count, "each of its 3 columns"));
    }
    // Of three experts the second was not reached; it is the last that says nothing.
    let sums = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    assert!(open(&gguf(&keys(), &entry("a", &sums, &[2.0, 0.0, 0.0]))).is_ok());
    let experts = gguf(&keys(), &entry("a", &sums, &[2.0, 0.0, 3.0]));
    assert_eq!(refused(&experts), message("2 of 3", "3.0", "each of its 2 columns"));
    // Too little for a quotient of 32 bits.
    let least = gguf(&keys(), &entry("a", &[f32::from_bits(1)], &[512.0]));
    assert_eq!(refused(&least), message("0 of 1", "512.0", "its only column"));
}

#[test]
fn experts_of_a_legacy_entry_are_told_apart_by_their_tensor() {
    let folder = Folder::new();
    let entries = [legacy_entry("w", 5, &[1.0, 0.0, 0.0, 0.0]), legacy_entry("embedding", 5, &[1.0])];
    let imatrix = folder.open(&legacy(2, &entries)).unwrap();
    let covered = |dims: &[u64]| {
        let demand = ("w", Shape::new(dims).unwrap(), Some(TensorType::Q4_K));
        cover(Some(&imatrix), Recipe::Q4_K_S, [demand].into_iter()).map_err(|error| error.to_string())
    };
    assert_eq!(covered(&[4, 9]), Ok(vec![Importance::Entry(1)]));
    let message = covered(&[2, 9, 2]).unwrap_err();
    let what = "matrix 1 of 2 counts 5.0, but the importance of each of its 2 columns is 0";
    assert!(message.ends_with(&format!("entry \"w\": {what}, {NOTHING_MATTERS}")), "{message}");
}

#[test]
fn one_name_twice() {
    let entry = legacy_entry("a", 1, &[1.0]);
    assert_eq!(refused(&legacy(2, &[entry.clone(), entry])), "byte 21: entry \"a\" is there twice");
}

#[test]
fn sums_without_counts_and_counts_without_sums() {
    let [sums, counts] = entry("a", &[1.0], &[1.0]);
    assert_eq!(refused(&gguf(&keys(), &[sums])), "entry \"a\": .in_sum2 is there without .counts");
    assert_eq!(refused(&gguf(&keys(), &[counts])), "entry \"a\": .counts is there without .in_sum2");
    let other = floats("a", &[1], &[1.0]);
    assert_eq!(refused(&gguf(&keys(), &[other])), "there is no tensor *.in_sum2, so it holds no importance");
}

#[test]
fn another_type_than_f32() {
    for place in [0, 1] {
        let mut tensors = entry("a", &[1.0], &[1.0]);
        tensors[place].2 = TensorType::F16;
        tensors[place].3 = vec![0; 2];
        let suffix = [".in_sum2", ".counts"][place];
        assert_eq!(
            refused(&gguf(&keys(), &tensors)),
            format!("entry \"a\": {suffix} is F16, where F32 is required")
        );
    }
}

/// What becomes of a tensor with this shape, as Q4_K, when entry "w" has six values.
fn covered(name: &str, dims: &[u64]) -> Result<Vec<Importance>, String> {
    let folder = Folder::new();
    let sums = [1.0; 6];
    let imatrix = folder.open(&gguf(
        &keys(),
        &[entry("w", &sums, &[1.0]), entry("token_embd.weight", &sums, &[1.0])].concat(),
    ));
    let demand = (name, Shape::new(dims).unwrap(), Some(TensorType::Q4_K));
    let path = folder.path("").display().to_string();
    cover(Some(&imatrix.unwrap()), Recipe::Q4_K_S, [demand].into_iter())
        .map_err(|error| error.to_string().replace(&path, ""))
}

#[test]
fn an_entry_has_the_columns_of_its_tensor_times_its_experts() {
    assert_eq!(covered("w", &[6, 4]), Ok(vec![Importance::Entry(1)]));
    assert_eq!(covered("w", &[2, 9, 3]), Ok(vec![Importance::Entry(1)]));
    for (dims, columns) in
        [(&[5, 4][..], "5 columns"), (&[1, 4], "1 column"), (&[6, 4, 2], "6 columns in each of 2 matrices")]
    {
        let message = covered("w", dims).unwrap_err();
        assert_eq!(message, format!("it: entry \"w\" has 6 values, but the tensor has {columns}"));
    }
    // Of an embedding the entry is ignored instead.
    assert_eq!(covered("token_embd.weight", &[5, 4]), Ok(vec![Importance::Missing]));
}

#[test]
fn a_matrix_of_another_model_is_refused() {
    let message = covered("blk.0.attn_q.weight", &[6, 4]).unwrap_err();
    let expected =
        "it: of its 2 entries none belongs to a tensor of this model; the first is \"token_embd.weight\"";
    assert_eq!(message, expected);
    let lone = Folder::new().open(&gguf(&keys(), &entry("w", &[1.0], &[1.0]))).unwrap();
    let demand = ("v", Shape::new(&[1]).unwrap(), Some(TensorType::Q4_K));
    let message = cover(Some(&lone), Recipe::Q4_K_S, [demand].into_iter()).unwrap_err().to_string();
    assert!(message.ends_with(": its one entry belongs to no tensor of this model: \"w\""), "{message}");
}

#[test]
fn tensors_that_need_an_importance_and_lack_one_are_named() {
    let shape = Shape::new(&[256, 4]).unwrap();
    let names = ["w", "a", "b", "c", "d"];
    let demands = |ty| names.map(|name| (name, shape, ty)).into_iter();
    let without = |ty| cover(None, Recipe::IQ2_XXS, demands(ty)).map_err(|error| error.to_string());
    assert_eq!(
        without(Some(TensorType::IQ2_XXS)),
        Err("\"w\" (IQ2_XXS), \"a\" (IQ2_XXS), \"b\" (IQ2_XXS) and 2 more cannot be encoded without an importance \
             matrix; give one with --imatrix FILE"
            .to_owned())
    );
    assert_eq!(without(Some(TensorType::Q4_K)), Ok(vec![Importance::Missing; 5]));
    assert_eq!(without(Some(TensorType::Q8_0)), Ok(vec![Importance::Unused; 5]));
    assert_eq!(without(None), Ok(vec![Importance::Unused; 5]));

    let folder = Folder::new();
    let imatrix = folder.open(&gguf(&keys(), &entry("w", &[1.0; 256], &[1.0]))).unwrap();
    let with = |ty| cover(Some(&imatrix), Recipe::IQ2_XXS, demands(ty)).map_err(|error| error.to_string());
    let message = with(Some(TensorType::IQ1_M)).unwrap_err();
    assert!(
        message.ends_with(
            "no entry for \"a\" (IQ1_M), \"b\" (IQ1_M), \"c\" (IQ1_M) and 1 more, whose types need one"
        ),
        "{message}"
    );
    let mut expected = vec![Importance::Missing; 5];
    expected[0] = Importance::Entry(0);
    assert_eq!(with(Some(TensorType::Q5_K)), Ok(expected));
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail_otherwise(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 1_i32..4) {
        let _ = open(&bytes);
        let _ = open(&[&count.to_le_bytes()[..], &1_i32.to_le_bytes(), &bytes].concat());
        let mut file = gguf(&keys(), &entry("w", &[1.0; 4], &[1.0]));
        let length = file.len();
        for (place, byte) in bytes.iter().enumerate().take(2) {
            file[(place * 7919 + usize::from(*byte) * 31) % length] ^= byte;
        }
        let _ = open(&file);
    }
}
