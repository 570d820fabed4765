#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trustmason_keystore_fuzz::run(
    trustmason_keystore_fuzz::Kind::WindowsReg,
    data
));
