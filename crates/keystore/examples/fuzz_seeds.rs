//! Makes the seed corpora of the fuzz targets: `fuzz_seeds OUT FOLDER…`. Every file in the folders that opens, or is at least of
//! a known format, becomes `OUT/<format>/<name>`, once as it is and once without what protects it (see the targets' first byte).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a chore for people who build trustmason"
)]

use std::path::{Path, PathBuf};

use trustmason_keystore::{Detected, Format, Interner, Password, Store, Unlock, detect};

/// Longer inputs are slower and find nothing more.
const LONGEST: usize = 32 * 1024;

fn main() {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().expect("fuzz_seeds OUT FOLDER…");
    let mut count = 0;
    for folder in arguments {
        visit(&folder, &out, &mut count);
    }
    println!("{count} seeds in {}", out.display());
}

fn visit(path: &Path, out: &Path, count: &mut u32) {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        inside.sort();
        for path in inside {
            visit(&path, out, count);
        }
        return;
    }
    let bytes = std::fs::read(path).unwrap();
    let Detected::Readable(format) = detect(&bytes) else { return };
    if bytes.len() > LONGEST {
        return;
    }
    if slow(&bytes) {
        return;
    }
    let folder = out.join(format.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    let mut seed = |mode: u8, body: &[u8]| {
        std::fs::write(folder.join(format!("{count:04}-{mode}")), [&[mode], body].concat()).unwrap();
        *count += 1;
    };
    // As it is: imported into, one renamed, one removed.
    for mode in [0, 4, 8] {
        seed(mode, &bytes);
    }
    match format {
        Format::Jks | Format::Jceks if bytes.len() > 24 => {
            for mode in [1, 5, 9] {
                seed(mode, bytes.get(4..bytes.len() - 20).unwrap());
            }
        }
        Format::Pkcs12 => {
            let password = Password::new("changeit");
            let opened = Store::open(bytes, Unlock::Password(&password), &Interner::new());
            if let Ok(store) = opened {
                let bags: Vec<u8> = store.entries().iter().filter_map(|e| store.raw(e.id)).flatten().copied().collect();
                let length = u32::try_from(bags.len()).unwrap().to_be_bytes();
                for mode in [1, 5, 9] {
                    seed(mode, &[&[0x30, 0x84], &length[..], &bags].concat());
                }
            }
        }
        _ => {}
    }
}

/// Whether opening it takes so many rounds of key derivation that little else would be done.
fn slow(bytes: &[u8]) -> bool {
    let password = Password::new("changeit");
    let store = Store::open(bytes.to_vec(), Unlock::Password(&password), &Interner::new());
    let words = store.ok().and_then(|store| store.protected_by()).unwrap_or_default();
    words.split(' ').filter_map(|word| word.parse::<u64>().ok()).any(|rounds| rounds > 64)
}
