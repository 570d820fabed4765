#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::super::{Disk, ReadLimit};
use super::*;

const RUN: &str = "20261121T230752.089Z-0f3a9c21";

/// A folder with files of these lengths.
fn folder(lengths: &[usize]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (index, length) in lengths.iter().enumerate() {
        fs::write(dir.path().join(format!("{index}.pem")), vec![b'x'; *length]).unwrap();
    }
    dir
}

#[test]
fn a_folder_has_a_bound_of_names() {
    let dir = folder(&[1, 1, 1]);
    assert_eq!(read_folder_within(dir.path(), 3, 10).unwrap().len(), 3);
    let error = read_folder_within(dir.path(), 2, 10).unwrap_err().to_string();
    assert!(error.contains("it holds more than 2 names; check that it is the right folder"), "{error}");
    let all: Vec<_> = items_within(dir.path(), 2).unwrap().collect();
    assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false], "the error is the last item");
}

#[test]
fn a_folder_has_a_bound_of_bytes() {
    let dir = folder(&[4, 3, 3]);
    assert_eq!(read_folder_within(dir.path(), 9, 10).unwrap().len(), 3);
    let error = read_folder_within(dir.path(), 9, 9).unwrap_err().to_string();
    assert!(error.contains("its files have more than 9 bytes together"), "{error}");
    assert!(error.contains(&format!("cannot read folder {}", dir.path().display())), "{error}");
}

#[test]
fn a_file_of_a_folder_that_is_too_large_is_named() {
    let dir = folder(&[1]);
    let giant = dir.path().join("giant.pem");
    File::create(&giant).unwrap().set_len(ReadLimit::Store.bytes() + 1).unwrap();
    let error = read_folder(dir.path()).unwrap_err().to_string();
    let wanted = format!(
        "cannot read {}: it is larger than a keystore may be (64 MiB); check that it is the right file",
        giant.display()
    );
    assert_eq!(error, wanted);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_folder_is_named() {
    let dir = folder(&[1]);
    let pipe = dir.path().join("x.pem");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = read_folder(dir.path()).unwrap_err().to_string();
    let wanted = format!("cannot read {}: it is a pipe, not a file; put the file itself there", pipe.display());
    assert_eq!(error, wanted);
}

/// Only on Unix are files sparse by themselves.
#[cfg(unix)]
#[test]
fn every_limit_is_kept_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for limit in ReadLimit::ALL {
        let file = File::create(&path).unwrap();
        file.set_len(limit.bytes() + 1).unwrap();
        let error = read(&path, limit).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let said = format!("it is larger than {} may be ({limit}); ", limit.noun());
        assert!(error.to_string().contains(&said), "{error}");
        if limit.bytes() <= 1 << 20 {
            file.set_len(limit.bytes()).unwrap();
            assert_eq!(length(&read(&path, limit).unwrap()), limit.bytes());
        }
    }
}

#[test]
fn a_limit_is_shown_in_the_unit_that_fits() {
    let shown = |limit: ReadLimit| limit.to_string();
    assert_eq!(shown(ReadLimit::Holder), "64 KiB");
    assert_eq!(shown(ReadLimit::Store), "64 MiB");
    assert_eq!(shown(ReadLimit::Audit), "1 GiB");
}

/// Otherwise the next run could do nothing any more.
#[test]
fn nothing_is_written_that_could_not_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock.owner");
    let disk = Disk::new();
    let most = usize::try_from(ReadLimit::Holder.bytes()).unwrap();
    assert!(disk.keep(&path, &vec![b'x'; most], ReadLimit::Holder, RUN).unwrap());
    let error = disk.keep(&path, &vec![b'y'; most + 1], ReadLimit::Holder, RUN).unwrap_err().to_string();
    assert!(error.contains("it would be larger than the lock's signature may be (64 KiB)"), "{error}");
    assert_eq!(read(&path, ReadLimit::Holder).unwrap(), vec![b'x'; most], "the old one is there");

    let path = dir.path().join("journal.jsonl");
    disk.append(&path, ReadLimit::Holder).unwrap().write(&vec![b'x'; most - 2]).unwrap();
    let mut again = disk.append(&path, ReadLimit::Holder).unwrap();
    again.write(b"1").unwrap();
    again.write(b"2").unwrap();
    let error = again.write(b"3").unwrap_err().to_string();
    assert!(error.contains("cannot add to file") && error.contains("it would be larger than"), "{error}");
    assert!(read(&path, ReadLimit::Holder).unwrap().ends_with(b"x12"));
}

#[cfg(unix)]
#[test]
fn a_larger_file_is_another_one_and_is_not_read_for_that() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.json");
    File::create(&path).unwrap().set_len(1 << 42).unwrap();
    assert!(!holds(&path, ReadLimit::Ledger, b"x").unwrap());
    fs::write(&path, b"x").unwrap();
    assert!(holds(&path, ReadLimit::Ledger, b"x").unwrap());
    assert!(!holds(&path, ReadLimit::Ledger, b"y").unwrap());
}
