#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
use super::*;

fn id() -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, Digest::of(b"p"))
}

/// The first line of a run's journal.
pub(crate) fn beginning(run: RunId) -> Record {
    Record::Begin {
        journal: VERSION,
        run,
        estate: "acme".into(),
        plan: Digest::of(b"p"),
        at: Timestamp::UNIX_EPOCH,
        who: "root".into(),
        machine: "here".into(),
        approval: None,
        undoes: None,
    }
}

#[test]
fn only_half_a_line_at_the_end_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (state, disk) = (State::at(dir.path()), Disk::new());
    disk.make_dir(&state.run(&id())).unwrap();
    let journal = Journal::open(&disk, &state, &id()).unwrap();
    journal.note(&beginning(id())).unwrap();
    let add = |text: &[u8]| {
        let file = std::fs::OpenOptions::new().append(true).open(state.journal(&id()));
        std::io::Write::write_all(&mut file.unwrap(), text).unwrap();
    };
    add(b"{\"record\":\"en");
    assert_eq!(read(&state, &id()).unwrap(), std::slice::from_ref(&beginning(id())));
    add(b"\n");
    let error = read(&state, &id()).unwrap_err().to_string();
    assert!(error.contains("is damaged in line 2"), "{error}");
    let text = std::fs::read_to_string(state.journal(&id())).unwrap();
    assert!(text.starts_with("{\"record\":\"begin\",\"journal\":2,\"run\":\"19700101T000000.000Z-"), "{text}");
    let other = RunId::new(Timestamp::UNIX_EPOCH, Digest::of(b"q"));
    assert!(matches!(read(&state, &other), Err(JournalError::Missing { .. })));
}

#[test]
fn a_journal_of_another_version_is_refused_by_name() {
    let old = br#"{"record":"begin","run":"r","plan":"00","at":"2026-01-01T00:00:00Z"}"#;
    let old = [old.as_slice(), b"\n"].concat();
    let error = of_bytes(&old, &id(), "j").unwrap_err();
    assert!(matches!(error, JournalError::Version { found: 1, .. }), "{error}");
    let error = of_bytes(b"{\"record\":\"begin\",\"journal\":3,\"new\":{}}\n", &id(), "j").unwrap_err().to_string();
    assert!(error.contains("version 3") && error.contains("newer program"), "{error}");
}

#[test]
fn the_place_of_a_copy_cannot_leave_its_folder() {
    for good in ["cvp1.acme.example/keystore", "cvp1.acme.example/certs/a b.pem", "~/cvp1.acme.example/wsm.jks"] {
        assert_eq!(CopyName::parse(good).unwrap().to_string(), good);
    }
    for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.", "C:/x", "a\\b", "a/b/c/d/e", "a\0b", "a/\n"] {
        assert!(CopyName::parse(bad).is_err(), "{bad:?}");
    }
    let folder = Path::new("/state/runs/r/backup");
    assert_eq!(CopyName::of(folder, &folder.join("h/s")).unwrap().to_string(), "h/s");
    assert!(CopyName::of(folder, Path::new("/state/runs/other/backup/h/s")).is_err());
}
