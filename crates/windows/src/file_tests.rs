#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use std::cell::Cell;

use super::*;

const EXCLUSIVE: u32 = 0;

#[test]
fn a_rename_takes_the_place_and_a_new_name_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    fs::write(&one, b"one").unwrap();
    fs::write(&other, b"other").unwrap();
    let taken = rename_new(&one, &other).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists, "{taken}");
    rename(&one, &other).unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"one");
    rename_new(&other, &one).unwrap();
    assert!(fs::read(&one).is_ok() && !other.exists());
}

#[test]
fn a_device_is_no_file_on_a_disk() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"x").unwrap();
    assert!(is_on_disk(&File::open(dir.path().join("file")).unwrap()));
    assert!(!is_on_disk(&File::open("NUL").unwrap()));
}

#[test]
fn the_old_file_keeps_a_second_name() {
    let dir = tempfile::tempdir().unwrap();
    let [target, new, aside] = ["store", "new", "aside~"].map(|name| dir.path().join(name));
    fs::write(&target, b"old").unwrap();
    fs::write(&new, b"new").unwrap();
    replace(&target, &new, &aside).unwrap();
    assert_eq!((fs::read(&target).unwrap(), fs::read(&aside).unwrap()), (b"new".to_vec(), b"old".to_vec()));
    assert!(!new.exists());
    fs::write(&new, b"newer").unwrap();
    let gone = replace(&dir.path().join("gone"), &new, &aside).unwrap_err();
    let ReplaceFileError::AsItWas(cause) = gone else { panic!("{gone:?}") };
    assert_eq!(cause.kind(), io::ErrorKind::NotFound, "{cause}");
}

#[test]
fn whoever_has_the_file_open_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store");
    fs::write(&file, b"x").unwrap();
    let open = File::options().read(true).share_mode(EXCLUSIVE).open(&file).unwrap();
    assert!(is_sharing_violation(&fs::read(&file).unwrap_err()));
    let reader = thread::spawn({
        let file = file.clone();
        move || retry_while_open(|| fs::read(&file))
    });
    thread::sleep(Duration::from_millis(60));
    drop(open);
    assert_eq!(reader.join().unwrap().unwrap(), b"x");
    let beside = dir.path().join("beside");
    fs::write(&beside, b"y").unwrap();
    let open = File::options().read(true).share_mode(EXCLUSIVE).open(&file).unwrap();
    let writer = thread::spawn({
        let (beside, file) = (beside.clone(), file.clone());
        move || rename(&beside, &file)
    });
    thread::sleep(Duration::from_millis(60));
    drop(open);
    writer.join().unwrap().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"y");
}

#[test]
fn patience_ends() {
    let asked = Cell::new(0);
    let act = || -> io::Result<()> {
        asked.set(asked.get() + 1);
        Err(io::Error::from_raw_os_error(ERROR_SHARING_VIOLATION.cast_signed()))
    };
    assert!(is_sharing_violation(&retry_while_open(act).unwrap_err()));
    assert_eq!(asked.get(), TRIES);
    asked.set(0);
    let act = || -> io::Result<()> {
        asked.set(asked.get() + 1);
        Err(io::ErrorKind::NotFound.into())
    };
    assert!(retry_while_open(act).is_err());
    assert_eq!(asked.get(), 1, "what waiting does not mend is said at once");
}

#[test]
fn two_names_of_one_file_have_one_identity() {
    let dir = tempfile::tempdir().unwrap();
    let [one, other, link] = ["one", "other", "link"].map(|name| dir.path().join(name));
    fs::write(&one, b"same").unwrap();
    fs::write(&other, b"same").unwrap();
    assert_ne!(identity(&one).unwrap(), identity(&other).unwrap());
    fs::hard_link(&one, &link).unwrap();
    assert_eq!(identity(&one).unwrap(), identity(&link).unwrap());
    assert!(identity(dir.path()).is_ok(), "folders have one too");
}

#[test]
fn names_longer_than_the_old_limit_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let folder = (0..5).fold(dir.path().to_owned(), |at, _| at.join("x".repeat(60)));
    fs::create_dir_all(&folder).unwrap();
    let [target, new, aside] = ["store", "new", "aside~"].map(|name| folder.join(name));
    fs::write(&target, b"old").unwrap();
    fs::write(&new, b"new").unwrap();
    replace(&target, &new, &aside).unwrap();
    rename(&aside, &target).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"old");
}
