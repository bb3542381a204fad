//! Work on several threads, results in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Buffers per thread: one that is worked on, and some that wait to be handed on, so that nobody stops working while
/// the system takes its time to write.
pub(crate) const BUFFERS_PER_THREAD: usize = 4;

/// Calls `work` for every number below `count`, on `threads` threads, and `finish` for each in order, on this one.
///
/// Results travel in buffers that are used again; there are [`BUFFERS_PER_THREAD`] for each thread, so work runs
/// no further ahead of `finish` than that. The first error in the order of the numbers ends everything and is
/// returned, whatever the threads were doing. A panic of either function does the same, and goes on from here.
///
/// Threads that the system refuses are done without; where it gives none, this one works alone.
pub(crate) fn in_order<B: Default + Send, E: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize, &mut B) -> Result<(), E> + Sync,
    finish: impl FnMut(usize, &B) -> Result<(), E>,
) -> Result<(), E> {
    in_order_on(thread::Builder::new, threads, count, work, finish)
}

/// As [`in_order`], on threads that `builder` makes.
fn in_order_on<B: Default + Send, E: Send>(
    builder: impl Fn() -> thread::Builder,
    threads: usize,
    count: usize,
    work: impl Fn(usize, &mut B) -> Result<(), E> + Sync,
    mut finish: impl FnMut(usize, &B) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let (give_back, idle) = mpsc::channel();
    let idle = Mutex::new(idle);
    let (done, arrived) = mpsc::channel();
    for _ in 0..threads * BUFFERS_PER_THREAD {
        // The other end lives as long as this function.
        let _ = give_back.send(B::default());
    }
    thread::scope(|scope| {
        let start = || {
            let (work, next, idle, done) = (&work, &next, &idle, done.clone());
            builder().spawn_scoped(scope, move || {
                loop {
                    // In a statement of its own, or the lock would be held while this thread works.
                    let buffer = lock(idle).recv();
                    // A buffer first, then a number: whoever has the lowest number can always go on.
                    let Ok(mut buffer) = buffer else { break };
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    // A number that never arrived would be waited for by all the others. Nobody sees what a panic
                    // leaves half done: it ends the work.
                    let result = catch_unwind(AssertUnwindSafe(|| work(number, &mut buffer)));
                    if done.send((number, result.map(|result| result.map(|()| buffer)))).is_err() {
                        break;
                    }
                }
            })
        };
        if !(0..threads).map(|_| start()).fold(false, |any, started| any | started.is_ok()) {
            let mut buffer = B::default();
            return (0..count).try_for_each(|number| {
                work(number, &mut buffer)?;
                finish(number, &buffer)
            });
        }
        drop(done);
        let finished = catch_unwind(AssertUnwindSafe(|| finish_in_order(arrived, &give_back, &mut finish)));
        // Threads that wait for a buffer end when no more can come; `next` stops those that have one.
        next.store(count, Ordering::Relaxed);
        drop(give_back);
        finished.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing is left half done under this lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands results on in order; ends when all threads have ended or one result is an error.
fn finish_in_order<B, E>(
    arrived: mpsc::Receiver<(usize, thread::Result<Result<B, E>>)>,
    give_back: &mpsc::Sender<B>,
    finish: &mut impl FnMut(usize, &B) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    let mut turn = 0;
    for (number, result) in arrived {
        waiting.insert(number, result);
        while let Some(result) = waiting.remove(&turn) {
            let buffer = result.unwrap_or_else(|panic| resume_unwind(panic))?;
            finish(turn, &buffer)?;
            // Threads that have ended need no buffers.
            let _ = give_back.send(buffer);
            turn += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn results_come_in_order_whatever_finishes_first() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |number: usize, buffer: &mut Vec<usize>| {
                // Early numbers take longest.
                thread::sleep(Duration::from_micros(300 / (number as u64 + 1)));
                buffer.clear();
                buffer.push(number * number);
                Ok::<(), ()>(())
            };
            in_order(threads, 50, work, |number, buffer| {
                seen.push((number, buffer[0]));
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, (0..50).map(|n| (n, n * n)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn threads_work_at_the_same_time() {
        let arrived = AtomicUsize::new(0);
        let work = |_: usize, all_here: &mut bool| {
            arrived.fetch_add(1, Ordering::Relaxed);
            let deadline = Instant::now() + Duration::from_secs(10);
            while arrived.load(Ordering::Relaxed) < 3 && Instant::now() < deadline {
                thread::yield_now();
            }
            *all_here = arrived.load(Ordering::Relaxed) >= 3;
            Ok(())
        };
        let finish = |_: usize, all_here: &bool| if *all_here { Ok(()) } else { Err("worked alone") };
        assert_eq!(in_order(3, 3, work, finish), Ok(()));
    }

    #[test]
    fn the_first_error_in_order_is_the_one_reported() {
        for threads in [1, 2, 5] {
            let mut finished = 0;
            let work = |number: usize, _: &mut ()| if number >= 3 { Err(number) } else { Ok(()) };
            let result = in_order(threads, 1000, work, |_, ()| {
                finished += 1;
                Ok(())
            });
            assert_eq!((result, finished), (Err(3), 3));
        }
    }

    #[test]
    fn an_error_of_the_last_step_ends_the_work() {
        let work = |_: usize, _: &mut ()| Ok(());
        assert_eq!(
            in_order(3, usize::MAX, work, |number, ()| if number == 10 { Err("full") } else { Ok(()) }),
            Err("full")
        );
    }

    #[test]
    fn a_panic_on_any_thread_ends_the_work_and_goes_on_from_here() {
        for threads in [1, 3] {
            let works = |number: usize, _: &mut ()| if number == 5 { panic!("no") } else { Ok::<(), ()>(()) };
            let finishes = |_: usize, _: &()| Ok(());
            assert!(catch_unwind(|| in_order(threads, 1000, works, finishes)).is_err());
            let works = |_: usize, _: &mut ()| Ok::<(), ()>(());
            let finishes = |number: usize, _: &()| if number == 5 { panic!("no") } else { Ok(()) };
            assert!(catch_unwind(|| in_order(threads, 1000, works, finishes)).is_err());
        }
    }

    #[test]
    fn where_the_system_gives_no_thread_this_one_does_all_the_work() {
        // No address space has room for such a stack.
        let refused = || thread::Builder::new().stack_size(isize::MAX as usize);
        let mut finished = Vec::new();
        let work = |number: usize, buffer: &mut usize| {
            *buffer = number * number;
            if number < 7 { Ok(()) } else { Err(number) }
        };
        let finish = |_: usize, buffer: &usize| {
            finished.push(*buffer);
            Ok(())
        };
        assert_eq!(in_order_on(refused, 3, 50, work, finish), Err(7));
        assert_eq!(finished, [0, 1, 4, 9, 16, 25, 36]);
    }

    #[test]
    fn threads_that_the_system_refuses_are_done_without() {
        let asked = AtomicUsize::new(0);
        let builder = || {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            if is_first {
                thread::Builder::new()
            } else {
                thread::Builder::new().stack_size(isize::MAX as usize)
            }
        };
        let mut finished = 0;
        let finish = |_: usize, (): &()| {
            finished += 1;
            Ok::<(), ()>(())
        };
        assert_eq!(in_order_on(builder, 4, 50, |_, (): &mut ()| Ok(()), finish), Ok(()));
        assert_eq!((finished, asked.into_inner()), (50, 4));
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        assert_eq!(in_order(2, 0, |_, _: &mut ()| Err("worked"), |_, ()| Ok(())), Ok(()));
    }
}
