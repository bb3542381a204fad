//! Importance matrices brought together and written, in either format.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::Path;

use briq_format::{
    AtomicFile, Escaped, Existing, FilePlan, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter,
    counted,
};

use super::{Entry, Format, Imatrix, gguf};
use crate::{Error, Result};

/// How matrices are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeOptions {
    /// Tokens in a chunk of a legacy file, which does not say. Without it: as in the first GGUF file, and where
    /// there is none, 512, which is what llama.cpp measures with by default.
    pub chunk_size: Option<u32>,
}

const USUAL_CHUNK_SIZE: u32 = 512;

/// One or several matrices as one: as if all texts had been measured in one go.
#[derive(Debug)]
pub struct Merged<'a> {
    inputs: &'a [Imatrix],
    entries: BTreeMap<&'a str, Sum<'a>>,
    chunk_size: u32,
    chunk_count: u32,
    datasets: Vec<&'a str>,
}

/// An entry of the result.
#[derive(Debug)]
struct Sum<'a> {
    values: u64,
    /// Tokens, per matrix.
    counts: Vec<f32>,
    /// What is added up: the number of the input, and its entry.
    parts: Vec<(usize, &'a Entry)>,
}

/// Brings matrices together. Sums and counts are added; an entry that only one of them has is taken over.
///
/// # Errors
/// When an entry has different lengths, or different numbers of experts of which none is 1, or nothing in an expert
/// that a single count speaks for, or counts pass what a file can hold.
pub fn merge(inputs: &[Imatrix], options: MergeOptions) -> Result<Merged<'_>> {
    let known = inputs.iter().find_map(Imatrix::chunk_size);
    let chunk_size = options.chunk_size.or(known).unwrap_or(USUAL_CHUNK_SIZE).max(1);
    let mut entries: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
    for (number, input) in inputs.iter().enumerate() {
        for entry in input.entries() {
            let counts = entry.counts().iter().map(|count| count * unit(input, chunk_size)).collect();
            match entries.get_mut(entry.name()) {
                Some(sum) => {
                    sum.add(entry.values(), counts).map_err(|problem| {
                        let name = Escaped(entry.name().as_bytes());
                        Error::bad(input.path(), format!("entry \"{name}\" {problem}"))
                    })?;
                    sum.parts.push((number, entry));
                }
                None => {
                    let sum = Sum { values: entry.values(), counts, parts: vec![(number, entry)] };
                    entries.insert(entry.name(), sum);
                }
            }
        }
    }
    for sum in entries.values() {
        let matrices = sum.counts.len();
        // A single count spoke for experts of which one may not have been reached.
        for (number, entry) in sum.parts.iter().filter(|(_, entry)| entry.counts().len() != matrices) {
            inputs[*number].check_sums(entry, matrices as u64)?;
        }
    }
    let mut seen = HashSet::new();
    let datasets = inputs.iter().flat_map(|input| input.datasets()).map(String::as_str);
    let datasets = datasets.filter(|dataset| seen.insert(*dataset)).collect();
    Ok(Merged { inputs, entries, chunk_size, chunk_count: chunk_count(inputs, chunk_size)?, datasets })
}

/// Tokens that a count of one stands for.
fn unit(input: &Imatrix, chunk_size: u32) -> f32 {
    match input.format() {
        Format::Gguf => 1.0,
        Format::Legacy => chunk_size as f32,
    }
}

/// Chunks of all inputs together, in chunks of one size.
fn chunk_count(inputs: &[Imatrix], chunk_size: u32) -> Result<u32> {
    let (mut tokens, mut count) = (0, 0);
    for input in inputs {
        let chunks = input.chunk_count().unwrap_or(0);
        tokens += u128::from(chunks) * u128::from(input.chunk_size().unwrap_or(chunk_size));
        let chunks = tokens.div_ceil(chunk_size.into());
        count = u32::try_from(chunks).map_err(|_| {
            let allowed = "at most 2^32 - 1 are allowed, and larger chunks are fewer";
            let problem = format!("the files up to this one have {chunks} chunks of {chunk_size}; {allowed}");
            Error::bad(input.path(), problem)
        })?;
    }
    Ok(count)
}

impl Sum<'_> {
    /// Adds the counts of another entry. A single count speaks for all experts.
    fn add(&mut self, values: u64, mut counts: Vec<f32>) -> Result<(), String> {
        if values != self.values {
            return Err(format!(
                "has {}, but {} in a file before",
                counted(values, "value", "values"),
                self.values
            ));
        }
        let (mine, theirs) = (self.counts.len(), counts.len());
        match (mine, theirs) {
            (1, _) => self.counts = vec![self.counts[0]; theirs],
            (_, 1) => counts = vec![counts[0]; mine],
            _ if mine == theirs => {}
            _ => return Err(format!("has {theirs} experts, but {mine} in a file before")),
        }
        self.counts.iter_mut().zip(counts).for_each(|(mine, theirs)| *mine += theirs);
        Ok(())
    }

    fn columns(&self) -> u64 {
        self.values / (self.counts.len() as u64).max(1)
    }
}

impl Merged<'_> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tokens of a chunk.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Writes a file, complete or not at all.
    ///
    /// # Errors
    /// When an input cannot be read, a number passes what the format holds, or the output cannot be written.
    pub fn write(&self, output: &Path, format: Format, existing: Existing) -> Result<()> {
        self.write_into(AtomicFile::create(output, existing)?, format)
    }

    /// As [`write`](Self::write), into a file that the caller has begun.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_into(&self, mut file: AtomicFile, format: Format) -> Result<()> {
        let output = file.path().to_owned();
        let written = match format {
            Format::Gguf => self.write_gguf(&output, &mut file),
            Format::Legacy => self.write_legacy(&output, &mut file),
        };
        written.map_err(|error| match error {
            Error::Unsupported(problem) => Error::bad(&output, problem),
            other => other,
        })?;
        Ok(file.commit()?)
    }

    fn write_gguf(&self, output: &Path, file: &mut AtomicFile) -> Result<()> {
        let mut metadata = MetadataBuf::new();
        metadata.set(gguf::TYPE_KEY, gguf::TYPE)?;
        metadata.set(gguf::DATASETS, self.datasets.as_slice())?;
        metadata.set(gguf::CHUNK_COUNT, self.chunk_count)?;
        metadata.set(gguf::CHUNK_SIZE, self.chunk_size)?;
        let mut tensors = Vec::new();
        for (name, sum) in &self.entries {
            let matrices = sum.counts.len() as u64;
            for (suffix, dims) in [(gguf::SUMS, [sum.columns(), matrices]), (gguf::COUNTS, [1, matrices])] {
                let spec = TensorSpec::new(format!("{name}{suffix}"), Shape::new(&dims)?, TensorType::F32);
                // A name that was read may be too long to be written.
                tensors.push(spec.map_err(|error| Error::bad(output, error.to_string()))?);
            }
        }
        let plan = FilePlan::new(&metadata, tensors)?;
        let in_file = |error: briq_format::Error| error.in_file(output);
        let mut writer = TensorWriter::new(&plan, file).map_err(in_file)?;
        for (name, sum) in &self.entries {
            let sums = self.sums(name, sum)?;
            writer.write(&format!("{name}{}", gguf::SUMS), &bytes(&sums)).map_err(in_file)?;
            writer.write(&format!("{name}{}", gguf::COUNTS), &bytes(&sum.counts)).map_err(in_file)?;
        }
        writer.finish().map_err(in_file)?;
        Ok(())
    }

    fn write_legacy(&self, output: &Path, file: &mut AtomicFile) -> Result<()> {
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(|error| Error::io(output, "write", error));
        put(&number(self.entries.len() as u64, "entries")?)?;
        for (name, sum) in &self.entries {
            put(&number(name.len() as u64, "bytes of a name")?)?;
            put(name.as_bytes())?;
            // The format has one number of calls, in chunks, for all experts: the largest, rounded up, so that
            // none becomes 0. Values are importance times that number.
            let most = sum.counts.iter().copied().fold(0.0, f32::max);
            let calls = (f64::from(most) / f64::from(self.chunk_size)).ceil().max(1.0) as u64;
            put(&number(calls, "calls")?)?;
            put(&number(sum.values, "values")?)?;
            let mut values = self.sums(name, sum)?;
            for (values, &count) in values.chunks_exact_mut(sum.columns().max(1) as usize).zip(&sum.counts) {
                for value in values {
                    *value = if count == 0.0 { 1.0 } else { *value / count } * calls as f32;
                }
            }
            check_finite(name, &values)?;
            put(&bytes(&values))?;
        }
        put(&number(self.chunk_count.into(), "chunks")?)?;
        // There is room for one dataset; llama.cpp keeps the last.
        let dataset = self.datasets.last().copied().unwrap_or_default();
        put(&number(dataset.len() as u64, "bytes of a dataset's name")?)?;
        put(dataset.as_bytes())
    }

    /// The sums of an entry over all inputs, in the order of the inputs.
    fn sums(&self, name: &str, sum: &Sum<'_>) -> Result<Vec<f32>> {
        let mut total: Vec<f32> = Vec::new();
        for &(number, entry) in &sum.parts {
            let input = &self.inputs[number];
            let unit = unit(input, self.chunk_size);
            let mut sums = input.sums(entry, 0..entry.values())?;
            sums.iter_mut().for_each(|sum| *sum *= unit);
            match total.is_empty() {
                true => total = sums,
                false => total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum),
            }
        }
        check_finite(name, &total)?;
        Ok(total)
    }
}

fn check_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let name = Escaped(name.as_bytes());
            Err(Error::unsupported(format!(
                "entry \"{name}\": value {index} is too large for a 32-bit float"
            )))
        }
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A number as the legacy format has it.
fn number(number: u64, what: &str) -> Result<[u8; 4]> {
    let small = i32::try_from(number);
    small.map(i32::to_le_bytes).map_err(|_| {
        Error::unsupported(format!(
            "the legacy format holds at most 2^31 - 1 {what}, not {number}; write GGUF"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::super::tests::{Folder, all, entry, gguf, keys, legacy, legacy_entry, open};
    use super::*;

    fn written(inputs: &[Imatrix], format: Format) -> Imatrix {
        let folder = Folder::new();
        let path = folder.path("out");
        merge(inputs, MergeOptions { chunk_size: None })
            .unwrap()
            .write(&path, format, Existing::Keep)
            .unwrap();
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
        let b = open(&gguf(
            &others,
            &[entry("both", &[3.0; 4], &[3.0, 2.0]), entry("b", &[6.0], &[2.0])].concat(),
        ));
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
}
