//! libFuzzer around [`hub_fuzz::targets::overrides`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hub_fuzz::targets::overrides(data));
