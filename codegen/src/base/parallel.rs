//! Work on many values at once, with results in the order of the values.

use std::num::NonZero;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// Values that one thread is worth starting for.
const PER_THREAD: usize = 8;
/// Stack of a worker. Parsers recurse, and stack that is there need not be asked for anew for every file; what is not
/// used costs no memory.
pub(crate) const STACK: usize = 80 * 1024 * 1024;

/// Applies a function to all values, with as many threads as pay. The results come in the order of the values.
pub fn in_parallel<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = cores().min(items.len() / PER_THREAD);
    if threads < 2 {
        return items.into_iter().map(work).collect();
    }
    let total = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let worker = || {
        let mut done = Vec::with_capacity(total / threads);
        // The lock is given back before the work begins.
        let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((at, item)) = take() {
            done.push((at, work(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let start = || thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).ok();
        let started: Vec<_> = (0..threads).filter_map(|_| start()).collect();
        // Where no thread could be started, and where some could but are done, nothing is left over.
        let own = if started.is_empty() { worker() } else { Vec::new() };
        let joined = started.into_iter().map(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.chain([own]).flatten().collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Number of cores; asked for once, since the answer takes reading several files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for count in [0, 1, 7, 1000] {
            let doubled = in_parallel((0..count).collect(), |n: usize| n * 2);
            assert_eq!(doubled, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "number 70")]
    fn a_panic_is_passed_on() {
        in_parallel((0..100).collect(), |n: usize| assert_ne!(n, 70, "number {n}"));
    }
}
