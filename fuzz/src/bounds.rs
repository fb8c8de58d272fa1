//! Bounds on one input: heap and processor time, counted for the thread that runs it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

/// Most bytes that one input may hold at once.
pub const MAX_BYTES: usize = 256 << 20;

/// Most processor time that one input may take.
pub const MAX_TIME: Duration = Duration::from_secs(1);

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts each thread's bytes and refuses what goes past [`MAX_BYTES`]: the process then
/// ends with an allocation failure, and the machine does not suffer.
#[derive(Debug)]
pub struct Counting;

/// Counts `more` bytes; false where they are too many.
fn take(more: usize) -> bool {
    let held = HELD.with(Cell::get).saturating_add(more);
    if held > MAX_BYTES {
        return false;
    }
    HELD.with(|cell| cell.set(held));
    PEAK.with(|cell| cell.set(cell.get().max(held)));
    true
}

fn give_back(bytes: usize) {
    // What another thread allocated is counted there.
    HELD.with(|cell| cell.set(cell.get().saturating_sub(bytes)));
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells without destructors.
#[allow(unsafe_code, reason = "an allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        give_back(layout.size());
        if !take(size) {
            take(layout.size());
            return std::ptr::null_mut();
        }
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What one input cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Processor time of this thread.
    pub time: Duration,
    /// Bytes held at once; 0 where [`Counting`] is not the allocator.
    pub bytes: usize,
}

/// Runs something and measures it.
pub fn measured(work: impl FnOnce()) -> Cost {
    // From nothing: what this thread allocated before and another one freed would add up otherwise.
    HELD.with(|cell| cell.set(0));
    PEAK.with(|cell| cell.set(0));
    let begun = processor_time();
    work();
    let bytes = PEAK.with(Cell::get);
    Cost { time: processor_time().saturating_sub(begun), bytes }
}

/// Processor time rather than the clock on the wall: a busy machine makes no input slow.
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
