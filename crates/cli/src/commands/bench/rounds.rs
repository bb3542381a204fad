//! Two sides that do the same work take turns on the same data, and a memory copy with them.
//!
//! Taking turns spreads what else the machine does over all of them, and the best round of each is the one that was
//! disturbed least. What the sides do and what the data mean is not known here.

use std::hint::black_box;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Rounds are made until so much time is over, within limits: one round shows nothing, and more than these change
/// nothing.
const TIME: Duration = Duration::from_millis(1200);
const MIN_ROUNDS: u32 = 2;
const MAX_ROUNDS: u32 = 30;

/// Where the number of rows is free, the slower side's turn is to last about so long.
const TURN: Duration = Duration::from_millis(100);

/// Makes rows of output from as many rows of input.
pub(super) type Side<'a, I, O> = dyn Fn(&[I], &mut [O]) -> Result<()> + Sync + 'a;

/// What is to be done, and by whom.
pub(super) struct Contest<'a, I, O> {
    /// Whole rows of `input_row` elements.
    pub(super) input: &'a [I],
    pub(super) input_row: usize,
    /// Elements of output that a row becomes.
    pub(super) output_row: usize,
    /// The least number of rows that says something. All take part where they are no more.
    pub(super) min_rows: usize,
    /// Rows are divided among so many threads.
    pub(super) threads: usize,
    /// What is copied for comparison.
    pub(super) copied: &'a [f32],
    pub(super) ours: &'a Side<'a, I, O>,
    pub(super) theirs: Option<&'a Side<'a, I, O>>,
}

/// What came out; every time is that of the best round.
pub(super) struct Outcome {
    /// Rows that took part.
    pub(super) rows: usize,
    pub(super) rounds: u32,
    pub(super) ours: Duration,
    pub(super) copy: Duration,
    /// The other side's time, and bytes of its output that are not ours.
    pub(super) theirs: Option<(Duration, usize)>,
}

impl<I: Sync, O: Output> Contest<'_, I, O> {
    /// Lets the sides take turns.
    ///
    /// # Errors
    /// A side fails.
    pub(super) fn run(&self) -> Result<Outcome> {
        let rows = self.affordable_rows()?;
        let input = &self.input[..rows * self.input_row];
        // Different from each other, so that what a side leaves out shows as a difference.
        let mut ours = vec![O::UNWRITTEN[0]; rows * self.output_row];
        let mut theirs = vec![O::UNWRITTEN[1]; if self.theirs.is_some() { ours.len() } else { 0 }];
        let mut copy = vec![0.0; self.copied.len()];

        let (mut our_time, mut their_time, mut copy_time) = (Duration::MAX, Duration::MAX, Duration::MAX);
        let mut rounds = 0;
        let begin = Instant::now();
        while rounds < MIN_ROUNDS || (rounds < MAX_ROUNDS && begin.elapsed() < TIME) {
            our_time = our_time.min(self.turn(self.ours, input, &mut ours)?);
            if let Some(side) = self.theirs {
                their_time = their_time.min(self.turn(side, input, &mut theirs)?);
            }
            copy_time = copy_time.min(self.copy(&mut copy)?);
            rounds += 1;
        }
        let differing = || ours.iter().zip(&theirs).map(|(ours, theirs)| ours.differing_bytes(theirs)).sum();
        let theirs = self.theirs.map(|_| (their_time, differing()));
        Ok(Outcome { rows, rounds, ours: our_time, copy: copy_time, theirs })
    }

    /// Rows that the slower side does in a turn, as a short trial shows, which also warms up both.
    fn affordable_rows(&self) -> Result<usize> {
        let all = self.input.len() / self.input_row;
        let trial = all.min(self.min_rows);
        let input = &self.input[..trial * self.input_row];
        let mut output = vec![O::UNWRITTEN[0]; trial * self.output_row];
        let mut slowest = self.turn(self.ours, input, &mut output)?;
        if let Some(side) = self.theirs {
            slowest = slowest.max(self.turn(side, input, &mut output)?);
        }
        let affordable = trial as f64 * TURN.as_secs_f64() / slowest.as_secs_f64().max(1e-9);
        Ok((affordable as usize).clamp(trial, all))
    }

    fn turn(&self, side: &Side<'_, I, O>, input: &[I], output: &mut [O]) -> Result<Duration> {
        share_out(self.threads, (input, self.input_row), (output, self.output_row), side)
    }

    fn copy(&self, copy: &mut [f32]) -> Result<Duration> {
        share_out(self.threads, (self.copied, 1), (copy, 1), &|from: &[f32], to: &mut [f32]| {
            to.copy_from_slice(from);
            Ok(())
        })
    }
}

/// Lets each thread do its share of the rows; how long all of them took.
fn share_out<I: Sync, O: Send>(
    threads: usize,
    (input, input_row): (&[I], usize),
    (output, output_row): (&mut [O], usize),
    side: &Side<'_, I, O>,
) -> Result<Duration> {
    // Nobody reads some of the output; it is to be written all the same.
    let output = black_box(output);
    let begin = Instant::now();
    if threads == 1 {
        side(input, output)?;
        return Ok(begin.elapsed());
    }
    let rows = (input.len() / input_row).div_ceil(threads).max(1);
    let shares = input.chunks(rows * input_row).zip(output.chunks_mut(rows * output_row));
    thread::scope(|scope| {
        let running: Vec<_> =
            shares.map(|(input, output)| scope.spawn(move || side(input, output))).collect();
        running.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    Ok(begin.elapsed())
}

/// What a side writes.
pub(super) trait Output: Copy + Send {
    /// Two values that differ in every byte.
    const UNWRITTEN: [Self; 2];

    /// Bytes in which two values differ.
    fn differing_bytes(&self, other: &Self) -> usize;
}

impl Output for u8 {
    const UNWRITTEN: [Self; 2] = [0x55, 0xAA];

    fn differing_bytes(&self, other: &Self) -> usize {
        usize::from(self != other)
    }
}

impl Output for f32 {
    const UNWRITTEN: [Self; 2] = [f32::from_bits(0x5555_5555), f32::from_bits(0xAAAA_AAAA)];

    fn differing_bytes(&self, other: &Self) -> usize {
        let (ours, theirs) = (self.to_le_bytes(), other.to_le_bytes());
        ours.iter().zip(theirs).filter(|(ours, theirs)| *ours != theirs).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(threads: usize, theirs: &Side<'_, u16, u8>) -> Result<Outcome> {
        let input: Vec<u16> = (0..999).collect();
        let ours = |input: &[u16], output: &mut [u8]| {
            output.copy_from_slice(&input.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>());
            Ok(())
        };
        let (ours, theirs): (&Side<'_, _, _>, _) = (&ours, Some(theirs));
        Contest {
            input: &input,
            input_row: 3,
            output_row: 6,
            min_rows: 333,
            threads,
            copied: &[1.0],
            ours,
            theirs,
        }
        .run()
    }

    #[test]
    fn every_byte_that_is_different_or_missing_is_counted_whatever_the_threads() {
        for threads in [1, 2, 7, 1000] {
            let outcome = outcome(threads, &|input, output| {
                for (number, output) in input.iter().zip(output.as_chunks_mut().0) {
                    match number {
                        // One byte left out, one wrong, the rest right.
                        5 => output[0] = 5,
                        600 => *output = 601_u16.to_le_bytes(),
                        _ => *output = number.to_le_bytes(),
                    }
                }
                Ok(())
            });
            let outcome = outcome.unwrap();
            assert_eq!((outcome.rows, outcome.theirs.unwrap().1), (333, 2), "{threads} threads");
            assert!(outcome.rounds >= MIN_ROUNDS);
        }
    }

    #[test]
    fn a_side_that_fails_ends_the_contest() {
        for threads in [1, 2] {
            let failed = outcome(threads, &|input, _| {
                anyhow::ensure!(!input.contains(&998), "the last row");
                Ok(())
            });
            assert_eq!(failed.err().unwrap().to_string(), "the last row");
        }
    }
}
