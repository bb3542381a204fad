//! Importance matrices brought together and written, in either format.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::Path;

use briq_format::{
    AtomicFile, Escaped, Existing, FilePlan, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter,
    counted,
};

use super::{Entry, Format, Imatrix, gguf, is_count};
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
        match (&self.counts[..], &counts[..]) {
            (&[mine], theirs) => self.counts = vec![mine; theirs.len()],
            (mine, &[theirs]) => counts = vec![theirs; mine.len()],
            (mine, theirs) if mine.len() == theirs.len() => {}
            (mine, theirs) => {
                let (mine, theirs) = (mine.len(), theirs.len());
                return Err(format!("has {theirs} experts, but {mine} in a file before"));
            }
        }
        self.counts.iter_mut().zip(counts).for_each(|(mine, theirs)| *mine += theirs);
        match self.counts.iter().position(|&count| !is_count(count)) {
            None => Ok(()),
            Some(index) => {
                let count = self.counts[index];
                Err(format!("brings count {index} to {count:?}; at most 2^63 is allowed"))
            }
        }
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
mod tests;
