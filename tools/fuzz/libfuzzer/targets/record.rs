#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (briq_fuzz::target("record").run)(bytes));
