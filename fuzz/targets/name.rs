#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| confidence_operator_fuzz::name(data));
