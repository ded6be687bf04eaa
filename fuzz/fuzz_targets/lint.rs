#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| corridor_fuzz::lint(text));
