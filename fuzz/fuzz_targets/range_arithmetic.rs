#![no_main]

libfuzzer_sys::fuzz_target!(
    |input: (Vec<i64>, Vec<i64>, Vec<i64>)| corridor_fuzz::range_arithmetic(&input.0, &input.1, &input.2)
);
