//! The inputs with which a fuzz target begins. The module takes folders, and writes several seeds for every file of the
//! target's format: the file itself once for each edit, and its content without its protection (see the first byte of
//! [`crate::run`]).

use std::fs;
use std::path::{Path, PathBuf};

use trustmason_keystore::{Credential, Detected, Format, Interner, Password, Store, detect};

use crate::PASSWORD;

/// The longest seed. Longer inputs are slower and find nothing more.
const LONGEST: usize = 32 * 1024;

/// Writes the seeds of one format into a folder `out`, made from all files of that format in `folders`.
///
/// # Panics
///
/// If a folder cannot be read or written, or if the folders contain no file of the format.
pub fn seeds(format: Format, folders: &[PathBuf], out: &Path) {
    fs::create_dir_all(out).expect("the folder for seeds can be made");
    let mut count = 0;
    for folder in folders {
        visit(folder, format, &mut |mode, body| {
            fs::write(out.join(format!("{count:04}-{mode}")), [&[mode], body].concat()).expect("a seed can be written");
            count += 1;
        });
    }
    assert!(count > 0, "no seeds of {} in {folders:?}", format.as_str());
}

fn visit(path: &Path, format: Format, seed: &mut impl FnMut(u8, &[u8])) {
    if path.is_dir() {
        let inside = fs::read_dir(path).expect("a folder of seeds can be read");
        let mut inside: Vec<PathBuf> = inside.map(|entry| entry.expect("an entry of it as well").path()).collect();
        inside.sort();
        for path in inside {
            visit(&path, format, seed);
        }
        return;
    }
    let bytes = fs::read(path).expect("a file of seeds can be read");
    if detect(&bytes) != Detected::Readable(format) || bytes.len() > LONGEST {
        return;
    }
    // An import only, a rename of one entry, and a removal of one.
    for mode in [0, 4, 8] {
        seed(mode, &bytes);
    }
    let bare = match format {
        Format::Jks | Format::Jceks => bytes.get(4..bytes.len().saturating_sub(20)).map(<[u8]>::to_vec),
        Format::Pkcs12 => bags(bytes),
        _ => None,
    };
    for mode in [1, 5, 9] {
        bare.iter().for_each(|bare| seed(mode, bare));
    }
}

/// The SafeContents of a PKCS#12 file in the clear; `None` if the file does not open. A build for fuzzing runs so few
/// rounds of a key derivation that a file with more rounds does not open.
fn bags(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let password = Password::new(PASSWORD);
    let store = Store::open(bytes, Credential::Password(&password), &Interner::new()).ok()?;
    let bags: Vec<u8> = store.entries().iter().filter_map(|e| store.raw(e.id)).flatten().copied().collect();
    Some(crate::element(0x30, &bags))
}
