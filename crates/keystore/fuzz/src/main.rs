//! One fuzz program for all formats; the variable `TRUSTMASON_FUZZ` names the format. Before the first input it makes
//! seeds from the files in the folders of `TRUSTMASON_FUZZ_FROM`, and writes them into the folder
//! `TRUSTMASON_FUZZ_SEEDS`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use trustmason_keystore::Format;

/// The value of a variable that `cargo xtask fuzz` sets.
fn setting(name: &str) -> std::ffi::OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: `cargo xtask fuzz` starts this program"))
}

static FORMAT: LazyLock<Format> = LazyLock::new(|| {
    let name = setting("TRUSTMASON_FUZZ");
    let found = trustmason_keystore_fuzz::FORMATS.into_iter().find(|format| name == format.as_str());
    found.unwrap_or_else(|| panic!("TRUSTMASON_FUZZ names no format: {}", name.display()))
});

libfuzzer_sys::fuzz_target!(
    init: {
        let folders: Vec<PathBuf> = std::env::split_paths(&setting("TRUSTMASON_FUZZ_FROM")).collect();
        trustmason_keystore_fuzz::seeds(*FORMAT, &folders, &PathBuf::from(setting("TRUSTMASON_FUZZ_SEEDS")));
    },
    |data: &[u8]| trustmason_keystore_fuzz::run(*FORMAT, data)
);
