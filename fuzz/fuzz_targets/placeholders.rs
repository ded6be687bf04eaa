#![no_main]

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| corridor_fuzz::placeholders(input.0, input.1));
