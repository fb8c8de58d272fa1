//! What the C library's allocator keeps of memory that was given back.

/// Bytes from which on a block is the system's again as soon as it is given back.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 1 << 20;

/// Gives large blocks back at once, such as those in which passwords are computed. glibc raises this bound by itself and then keeps
/// some for every thread that has had one: hundreds of megabytes after a few dozen sign-ins.
pub(crate) fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a number for another one. What is refused changes nothing, and the host is as sound with more memory.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
