//! Bytes for `call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz_checks::calls::call(data));
