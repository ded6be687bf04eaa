//! Work on many files shared out to threads, and what comes of it in the order of the files.

use std::ops::Range;

/// Address space, of which only what is used is taken: the parser descends as deep as the text does.
const STACK_BYTES: usize = 256 << 20;
/// Files for one thread, below which a second one costs more than it saves.
const FILES_PER_THREAD_MIN: usize = 16;

/// As many threads as there are processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Does `work` on consecutive parts of `count` files, each part on a thread of its own with a deep stack.
pub fn share<T: Send>(count: usize, threads: usize, work: impl Fn(Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    let size = count.div_ceil(threads.max(1)).max(FILES_PER_THREAD_MIN);
    let work = &work;
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(size)
            .map(|from| deep(scope, move || work(from..count.min(from + size))))
            .collect();
        parts.into_iter().flat_map(joined).collect()
    })
}

/// Does `work` on a deep stack.
pub(crate) fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| joined(deep(scope, work)))
}

fn deep<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> std::thread::ScopedJoinHandle<'scope, T> {
    std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn_scoped(scope, work)
        .unwrap_or_else(|error| std::panic::panic_any(format!("a thread to work on: {error}")))
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
