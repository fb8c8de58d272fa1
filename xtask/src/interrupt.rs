//! Ctrl-C for commands that end in their own way.

use std::io;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::thread;

/// Calls `act` instead of ending the program when it is interrupted or asked to end. To be called before any thread is
/// started: threads inherit which signals they leave to others.
pub fn on_interrupt(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first call makes a whole set of what the others get pointers to.
    let (signals, failed) = unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGINT);
        libc::sigaddset(signals.as_mut_ptr(), libc::SIGTERM);
        let failed = libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), null_mut());
        (signals.assume_init(), failed)
    };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    thread::Builder::new().name("interrupt".to_string()).spawn(move || {
        let mut signal = 0;
        // SAFETY: both point to live values of this thread.
        if unsafe { libc::sigwait(&raw const signals, &raw mut signal) } == 0 {
            act();
        }
    })?;
    Ok(())
}
