//! Names of hosts, users and groups are looked up in the machine's files and by DNS, and in nothing else.
//!
//! A static program that follows the machine's `nsswitch.conf` loads shared libraries of a C library that is not its own
//! (`libnss_systemd`, `libnss_resolve`, `libnss_sss`, …), which ends it at once where they do not fit. What is settled here
//! are the two services that the C library has built in.

/// Settles it for the process; false where the C library refuses. Called before anything looks a name up.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn settle() -> bool {
    use std::ffi::{CStr, c_char, c_int};

    #[allow(unsafe_code)]
    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }
    const FILES: &CStr = c"files";
    let databases = [
        (c"hosts", c"files dns"),
        (c"passwd", FILES),
        (c"group", FILES),
        (c"initgroups", FILES),
        (c"services", FILES),
        (c"protocols", FILES),
        (c"networks", FILES),
    ];
    // SAFETY: both are texts that end with NUL and live as long as the program; the C library copies what it needs, and no
    // other thread runs yet.
    #[allow(unsafe_code)]
    databases.iter().all(|(database, services)| unsafe {
        __nss_configure_lookup(database.as_ptr(), services.as_ptr()) == 0
    })
}

/// Other C libraries ask nobody else.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn settle() -> bool {
    true
}
