//! The inputs that a target begins with. Every file that is of its format becomes several of them: once as it is for each edit, and
//! once without what protects it (see [`crate::run`]'s first byte).

use std::fs;
use std::path::{Path, PathBuf};

use trustmason_keystore::{Credential, Detected, Format, Interner, Password, Store, detect};

use crate::PASSWORD;

/// Longer inputs are slower and find nothing more.
const LONGEST: usize = 32 * 1024;

/// Writes the seeds of one format below a folder, made of all files of that format in some folders.
///
/// # Panics
///
/// Where a folder cannot be read or written.
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
    // Imported into, one entry renamed, one removed.
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

/// The SafeContents of a PKCS#12 file in the clear; `None` where it does not open with few rounds of its key derivation.
fn bags(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let password = Password::new(PASSWORD);
    let store = Store::open(bytes, Credential::Password(&password), &Interner::new()).ok()?;
    let bags: Vec<u8> = store.entries().iter().filter_map(|e| store.raw(e.id)).flatten().copied().collect();
    Some(crate::element(0x30, &bags))
}
