//! libFuzzer around [`hub_fuzz::targets::router`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hub_fuzz::targets::router(data));
