//! Jobs on several threads.

use std::sync::Mutex;
use std::thread;

/// Runs `work` on each job, on every processor; the results have the jobs' order.
pub(crate) fn map<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    map_on(thread::available_parallelism().map_or(1, usize::from), jobs, work)
}

/// As [`map`], on so many threads.
pub(crate) fn map_on<J: Sync, R: Send>(threads: usize, jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let waiting = Mutex::new(jobs.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(jobs.len()));
    let worker = || {
        loop {
            // A worker that panicked ends the scope below, so that a poisoned lock is never seen.
            let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
            let Some((index, job)) = next else { break };
            let result = work(job);
            if let Ok(mut done) = done.lock() {
                done.push((index, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
