#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use super::*;

fn windows(root: &Path, steps: &[&str]) -> HostPath {
    HostPath {
        shown: steps.join("\\"),
        root: root.to_owned(),
        steps: steps.iter().map(|s| (*s).to_owned()).collect(),
        fold_case: true,
    }
}

fn unix(root: &Path, steps: &[&str]) -> HostPath {
    HostPath { fold_case: false, ..windows(root, steps) }
}

#[test]
fn blanks_and_unicode_resolve_whatever_their_case() {
    let dir = tempfile::tempdir().unwrap();
    let folder = ["c", "Program Files (x86)", "ÜBER dir"].iter().fold(dir.path().to_owned(), |at, step| at.join(step));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("CaCerts"), b"x").unwrap();
    let found = resolve(&windows(dir.path(), &["C", "program files (X86)", "über DIR", "cacerts"])).unwrap();
    assert_eq!(found, Place::Found(folder.join("CaCerts")));
}

#[cfg(unix)]
#[test]
fn the_exact_name_wins_over_its_twin() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cacerts"), b"a").unwrap();
    fs::write(dir.path().join("CACERTS"), b"b").unwrap();
    let found = resolve(&windows(dir.path(), &["CACERTS"])).unwrap();
    assert_eq!(found, Place::Found(dir.path().join("CACERTS")));
}

#[cfg(unix)]
#[test]
fn two_other_spellings_are_an_error_that_names_both() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cacerts"), b"a").unwrap();
    fs::write(dir.path().join("CACERTS"), b"b").unwrap();
    let error = resolve(&windows(dir.path(), &["CaCerts"])).unwrap_err().to_string();
    assert!(error.contains("/cacerts") && error.contains("/CACERTS"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_unix_path_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("CACERTS"), b"b").unwrap();
    let found = resolve(&unix(dir.path(), &["cacerts"])).unwrap();
    assert_eq!(found, Place::Absent { path: dir.path().join("cacerts"), parent: true });
}

#[test]
fn absence_says_whether_the_folder_is_there_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("Conf")).unwrap();
    let conf = dir.path().join("Conf");
    let near = resolve(&windows(dir.path(), &["conf", "store"])).unwrap();
    assert_eq!(near, Place::Absent { path: conf.join("store"), parent: true });
    let far = resolve(&windows(dir.path(), &["conf", "security", "store"])).unwrap();
    assert_eq!(far, Place::Absent { path: conf.join("security").join("store"), parent: false });
    assert_eq!(fs::read_dir(dir.path().join("Conf")).unwrap().count(), 0);
}

#[test]
fn names_that_windows_takes_for_something_else_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for step in ["NUL", "con", "Aux.jks", "com1", "LPT9.pem", "COM\u{b9}", "conf.", "conf ", "CONOUT$"] {
        let error = resolve(&windows(dir.path(), &["C", step, "x"])).unwrap_err();
        assert!(matches!(error, PathError::Reserved { .. }), "{step}: {error}");
    }
    for step in ["nuls", "com", "com10", "lpt", "console", ".keystore", "auxiliary.jks"] {
        assert!(resolve(&windows(dir.path(), &[step])).is_ok(), "{step}");
    }
    let elsewhere = resolve(&unix(dir.path(), &["nul"]));
    assert_eq!(elsewhere.is_ok(), cfg!(unix), "elsewhere it is a name as any other: {elsewhere:?}");
}

#[cfg(windows)]
#[test]
fn a_drive_is_a_root_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("Store"), b"x").unwrap();
    let text = dir.path().to_str().unwrap();
    let (drive, rest) = text.split_once(r":\").unwrap();
    let drive = format!("{drive}:");
    let steps: Vec<&str> = std::iter::once(drive.as_str()).chain(rest.split('\\')).chain(["Store"]).collect();
    let found = resolve(&windows(Path::new(r"D:\estate"), &steps)).unwrap();
    assert_eq!(found, Place::Found(dir.path().join("Store")));
    for step in ["x:y", "Store:stream", r"a\b"] {
        let error = resolve(&windows(dir.path(), &[step])).unwrap_err();
        assert!(matches!(error, PathError::Step { .. }), "{error}");
    }
    let late = resolve(&windows(dir.path(), &["Store", "C:"])).unwrap_err();
    assert!(matches!(late, PathError::Step { .. }), "only the first step is a drive: {late}");
}

#[cfg(windows)]
#[test]
fn an_administrative_share_is_reached_by_its_name() {
    let share = Path::new(r"\\cvp1.acme.example").join("C$").join("Cisco");
    assert_eq!(share, Path::new(r"\\cvp1.acme.example\C$\Cisco"));
    assert_eq!(plain(PathBuf::from(r"\\?\UNC\cvp1\C$\x")), Path::new(r"\\cvp1\C$\x"));
    assert_eq!(plain(PathBuf::from(r"\\?\C:\x")), Path::new(r"C:\x"));
    for kept in [r"\\?\Volume{0}\x", r"\\?\C:\nul", r"C:\x"] {
        assert_eq!(plain(PathBuf::from(kept)), Path::new(kept));
    }
}

#[test]
fn steps_cannot_climb() {
    let dir = tempfile::tempdir().unwrap();
    for step in ["..", ".", "", "a/b"] {
        for steps in [[step, "x"], ["absent", step]] {
            let error = resolve(&windows(dir.path(), &steps)).unwrap_err();
            assert!(matches!(error, PathError::Step { .. }), "{error}");
        }
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_to_the_real_file() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(dir.path()).unwrap();
    fs::create_dir(root.join("real")).unwrap();
    fs::write(root.join("real/store"), b"x").unwrap();
    symlink("real/store", root.join("link")).unwrap();
    symlink("gone", root.join("dangling")).unwrap();
    assert_eq!(resolve(&unix(&root, &["link"])).unwrap(), Place::Found(root.join("real/store")));
    assert!(matches!(resolve(&unix(&root, &["dangling"])), Err(PathError::Dangling { .. })));
}

#[test]
fn a_file_in_the_place_of_a_folder_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("conf"), b"x").unwrap();
    for steps in [["conf", "store"].as_slice(), &["conf", "security", "store"]] {
        let result = resolve(&unix(dir.path(), steps));
        assert!(matches!(result, Err(PathError::Disk(_))), "{result:?}");
    }
}
