//! What the host allocates from, and what that keeps of memory that was given back.

use std::ffi::{c_int, c_long};

use mimalloc::MiMalloc;

/// A request takes and gives back some thirty small blocks, at which this one is several times as quick as the C library's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, in milliseconds; its crate does not name it.
const PURGE_DELAY: c_int = 15;

#[allow(unsafe_code)]
unsafe extern "C" {
    fn mi_option_set(option: c_int, value: c_long);
}

/// Gives memory back to the system as soon as a whole stretch of it is free, as after a sign-in, for which 19 MiB are needed. By
/// itself the allocator waits for a second, and then for somebody who allocates: a silent host would keep it for ever.
pub(crate) fn give_back_at_once() {
    // SAFETY: a number for another one, before any other thread runs. An option that is none is passed over.
    #[allow(unsafe_code)]
    unsafe {
        mi_option_set(PURGE_DELAY, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(unsafe_code)]
    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    // The numbers of options are the allocator's: another version may count otherwise.
    #[test]
    fn s10_the_option_is_the_one_that_is_meant() {
        // SAFETY: reads a number.
        #[allow(unsafe_code)]
        let value = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(value(), 1000, "not the delay of a second that mimalloc 3 begins with");
        give_back_at_once();
        assert_eq!(value(), 0);
    }
}
