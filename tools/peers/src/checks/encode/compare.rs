//! The part that runs under each instruction set: briq's bytes against ggml's answers, by one thread and by two.

use anyhow::Result;
use briq_codec::Isa;

use super::answer::{Answer, Encoded, encode};
use super::{FOLDER, Job};
use crate::isa::Finding;
use crate::parallel;
use crate::place::Place;
use crate::samples::{Chunk, Sample, chunks, samples};

/// The name of this part.
pub(in crate::checks) const PART: &str = "encode-under-isa";

/// Two threads take turns at groups of so many weights, and of an odd number of rows: blocks that are searched side
/// by side are then others than in one call.
const GROUP_WEIGHTS: usize = 8192;

/// Prints a finding per job: differing bytes by one thread, and by two.
pub(in crate::checks) fn run(place: &Place) -> Result<()> {
    println!("{}", Isa::best());
    let folder = place.made(FOLDER);
    let samples = samples(&folder.join("F32.gguf"))?;
    for finding in parallel::map(&Job::all(), |job| compare(job, &samples, &Answer::read(&folder, job)?)) {
        println!("{}", finding?.line());
    }
    Ok(())
}

fn compare(job: &Job, samples: &[Sample], answer: &Answer) -> Result<Finding> {
    let mut finding = Finding::none(2);
    let mut expected = &answer.blocks[..];
    let mut refused = [vec![], vec![]];
    let mut first_row = 0;
    for chunk in chunks(samples, job.ty, job.is_slow(), job.weighted) {
        let importance = chunk.importance.as_deref();
        let alone = encode(job, chunk.weights, chunk.row_elements, importance)?;
        let shared = encode_by_two(job, &chunk)?;
        let (here, after) = expected.split_at(alone.blocks.len().min(expected.len()));
        expected = after;
        for (way, encoded) in [alone, shared].into_iter().enumerate() {
            let Encoded { blocks, refused: these } = encoded;
            refused[way].extend(these.iter().map(|row| (first_row + row) as u64));
            let Chunk { name, number, row_elements, .. } = chunk;
            let place = || format!("{}, {name}, chunk {number}, rows of {row_elements}", job.name());
            let common = blocks.len().min(here.len());
            finding.count(way, blocks.len().max(here.len()) - common, || {
                format!("{}: {} bytes, ggml writes {}", place(), blocks.len(), here.len())
            });
            let mut differing = (0..common).filter(|&at| blocks[at] != here[at]);
            if let Some(at) = differing.next() {
                finding.count(way, 1 + differing.count(), || {
                    format!("{}: byte {at} is {}, ggml writes {}", place(), blocks[at], here[at])
                });
            }
        }
        first_row += chunk.weights.len() / chunk.row_elements;
    }
    for (way, refused) in refused.iter().enumerate() {
        let other = usize::from(*refused != answer.refused);
        finding.count(way, other, || format!("{}: other rows are refused", job.name()));
    }
    finding.count(0, expected.len(), || format!("{}: blocks are missing", job.name()));
    Ok(finding)
}

/// As [`encode`], with the rows shared between two threads.
fn encode_by_two(job: &Job, chunk: &Chunk<'_>) -> Result<Encoded> {
    let rows = (GROUP_WEIGHTS / chunk.row_elements) | 1;
    let groups: Vec<_> = chunk.weights.chunks(rows * chunk.row_elements).collect();
    let encode = |group: &&[f32]| encode(job, group, chunk.row_elements, chunk.importance.as_deref());
    let mut all = Encoded::default();
    for (number, group) in parallel::map_on(2, &groups, encode).into_iter().enumerate() {
        let Encoded { blocks, refused } = group?;
        all.blocks.extend(blocks);
        all.refused.extend(refused.iter().map(|row| number * rows + row));
    }
    Ok(all)
}
