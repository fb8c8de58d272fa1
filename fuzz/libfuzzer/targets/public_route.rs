//! libFuzzer around [`hub_fuzz::targets::public_route`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hub_fuzz::targets::public_route(data));
