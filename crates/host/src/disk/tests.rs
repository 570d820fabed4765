#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use super::temporary::temporary;
use super::*;
use crate::fault::FaultInjector;

const RUN: &str = "20261121T230752.089Z-0f3a9c21";

#[test]
fn what_is_there_already_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(FaultInjector::never());
    let disk = Disk::behind(gate.clone());
    let path = dir.path().join("ledger.json");
    assert!(disk.keep(&path, b"x", ReadLimit::Ledger, RUN).unwrap());
    let taken = gate.taken();
    assert!(!disk.keep(&path, b"x", ReadLimit::Ledger, RUN).unwrap());
    assert_eq!(gate.taken(), taken);
}

#[test]
fn folders_are_made_for_us_alone() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    Disk::new().make_dir(&deep).unwrap();
    Disk::new().make_dir(&deep).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in [&deep, deep.parent().unwrap()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o7777, 0o700);
        }
    }
    fs::write(dir.path().join("file"), b"").unwrap();
    let below = dir.path().join("file").join("x");
    let error = Disk::new().make_dir(&below).unwrap_err().to_string();
    assert!(error.contains(&below.display().to_string()), "{error}");
}

#[test]
fn a_folder_is_read_without_our_own_litter() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b.pem", "a.pem"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    fs::create_dir(dir.path().join("sub")).unwrap();
    let clean = folder_digest(&read_folder(dir.path()).unwrap());
    fs::write(temporary(&dir.path().join("a.pem"), RUN), b"x").unwrap();
    let files = read_folder(dir.path()).unwrap();
    assert_eq!(files.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["a.pem", "b.pem"]);
    assert_eq!(folder_digest(&files), clean);
    fs::rename(dir.path().join("a.pem"), dir.path().join("c.pem")).unwrap();
    assert_ne!(folder_digest(&read_folder(dir.path()).unwrap()), clean);
}
