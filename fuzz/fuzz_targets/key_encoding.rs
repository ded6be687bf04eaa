#![no_main]

libfuzzer_sys::fuzz_target!(|keys: (Vec<String>, Vec<String>)| corridor_fuzz::key_encoding(&keys.0, &keys.1));
