//! Threads for work that is shared out: as many as there are cores, or this one where the system gives no other.

use rayon::ThreadPoolBuilder;

/// Does `work`, which shares itself out over the pool that it runs on.
pub(crate) fn share<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // A pool that starts by itself would end the program where a thread is refused.
    let alone = |_| ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    match ThreadPoolBuilder::new().build().or_else(alone) {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}
