//! A damaged state folder: a staged key that cannot be read, a lost ledger, damaged journals.
#![cfg(unix)]

use crate::support;

use std::fs;
use std::path::Path;

use support::{Estate, SPEC};

fn settled() -> Estate {
    Estate::of(&SPEC.replace("  rotation: immediate\n", ""))
}

fn trusted(estate: &Estate) -> Vec<String> {
    let mut aliases = estate.aliases("adsa/cacerts");
    aliases.retain(|alias| alias.starts_with("cvp"));
    aliases.sort();
    aliases
}

/// Begins to replace the key of a CVP server, as far as its trusters go.
fn begin(estate: &Estate) {
    let _ = estate.run(&["plan", "--replace", "cvp1.acme.example/wsm", "--out", "p"]).code(0);
    let _ = estate.run(&["apply", "--plan", "p"]).code(5);
    let _ = estate.run(&["ack", "*"]).code(0);
}

/// The states of the runs, the newest first.
fn states(estate: &Estate) -> Vec<String> {
    let runs = estate.run(&["runs", "--format", "json"]).code(0).json();
    runs.as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap().to_owned()).collect()
}

fn journals(estate: &Estate) -> Vec<std::path::PathBuf> {
    let runs = fs::read_dir(estate.path(".trustmason/runs")).unwrap();
    let mut journals: Vec<_> = runs.map(|run| run.unwrap().path().join("journal.jsonl")).collect();
    journals.sort();
    journals
}

#[test]
fn a_staged_key_that_cannot_be_read_stops_its_rotation_and_gives_nothing_up() {
    type Spoil = fn(&Path);
    let spoils: &[(&str, Spoil)] = &[
        ("garbage", |path| fs::write(path, b"garbage").unwrap()),
        ("nothing", |path| fs::write(path, b"").unwrap()),
        ("half of it", |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("a folder", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a pipe", |path| {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
        }),
    ];
    let estate = settled();
    begin(&estate);
    let staged = estate.path(".trustmason/staging/cvp1.acme.example/wsm.jceks");
    let key = fs::read(&staged).unwrap();
    let before = trusted(&estate);
    assert!(before.contains(&"cvp1.acme.example~next".to_owned()), "{before:?}");
    for (what, spoil) in spoils {
        spoil(&staged);
        let said = estate.run(&["apply", "--auto-approve"]);
        assert!(matches!(said.code, 1 | 4), "{what}: exit {}\n{}{}", said.code, said.out, said.err);
        let words = format!("{}{}", said.out, said.err);
        assert!(words.contains("wsm.jceks"), "{what}: {words}");
        assert_eq!(trusted(&estate), before, "{what}");
        let drift = estate.run(&["drift"]);
        assert!(matches!(drift.code, 1 | 4), "{what}: exit {}\n{}{}", drift.code, drift.out, drift.err);
        if staged.is_dir() {
            fs::remove_dir(&staged).unwrap()
        } else {
            fs::remove_file(&staged).unwrap()
        }
        support::put(&staged, &key);
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&staged, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    // With the key the rotation goes on.
    let said = estate.run(&["apply", "--auto-approve"]).code(5);
    assert!(said.last_line().contains("1 regenerated"), "{}", said.out);
}

#[test]
fn an_install_that_was_taken_back_says_that_its_key_waits() {
    let estate = settled();
    begin(&estate);
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let said = estate.run(&["rollback", "--auto-approve"]).code(0);
    let _ = said.out_has("the key of cvp1.acme.example/wsm in staging, and the next apply continues with it");
    // The trusters then keep the certificate of that key.
    let plan = estate.run(&["plan"]).code(0).out;
    assert!(!plan.contains("withdraw"), "{plan}");
    let _ = estate.run(&["ack", "*"]).code(0);
    assert_eq!(
        estate.run(&["drift"]).code(0).last_line(),
        "No drift found. A rotation is in progress: `trustmason plan` shows its next step."
    );
}

#[test]
fn an_older_state_folder_brings_no_older_key_back() {
    let estate = settled();
    begin(&estate);
    let state = estate.path(".trustmason");
    let copy = estate.path("copy");
    let done = std::process::Command::new("cp").arg("-a").arg(&state).arg(&copy).status().unwrap();
    assert!(done.success());
    // The rotation ends, and a second one follows.
    for _ in 0..2 {
        let _ = estate.run(&["apply", "--auto-approve"]);
        let _ = estate.run(&["ack", "*"]);
    }
    support::next_second();
    begin(&estate);
    for _ in 0..2 {
        let _ = estate.run(&["apply", "--auto-approve"]);
        let _ = estate.run(&["ack", "*"]);
    }
    let present = fs::read(estate.file("cvp1/keystore")).unwrap();
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&copy, &state).unwrap();
    for _ in 0..3 {
        let _ = estate.run(&["apply", "--auto-approve"]);
        let _ = estate.run(&["ack", "*"]);
    }
    assert_eq!(fs::read(estate.file("cvp1/keystore")).unwrap(), present, "the key in use stays");
    let said = estate.run(&["plan", "-v"]);
    assert!(said.out.contains("is older than the certificate in use"), "{}", said.out);
}

#[test]
fn a_ledger_that_is_lost_forgets_neither_runs_nor_rollbacks() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]);
    let _ = estate.run(&["rollback", "--auto-approve"]).code(0);
    let _ = estate.run(&["apply", "--auto-approve"]);
    assert_eq!(states(&estate), ["done", "done", "taken back"]);
    fs::remove_file(estate.path(".trustmason/ledger.json")).unwrap();
    assert_eq!(states(&estate), ["done", "done", "taken back"]);
    let _ = estate.run(&["rollback", "--auto-approve"]).code(0).out_has("Rollback complete");
    let _ = estate.run(&["rollback", "--auto-approve"]).code(1).err_has("no run of this estate is left to roll back");
}

#[test]
fn runs_say_which_of_them_cannot_be_taken_back() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]);
    let journal = journals(&estate).pop().unwrap();
    let whole = fs::read(&journal).unwrap();
    for damage in [&b""[..], &whole[..whole.len() / 2], b"garbage\n"] {
        fs::write(&journal, damage).unwrap();
        assert_eq!(states(&estate), ["damaged"]);
        let _ = estate.run(&["runs"]).code(0).out_has("cannot be rolled back: the journal");
    }
    fs::remove_file(&journal).unwrap();
    assert_eq!(states(&estate), ["damaged"]);
    fs::write(&journal, &whole).unwrap();
    assert_eq!(states(&estate), ["done"]);
}

#[test]
fn an_interrupted_rollback_is_finished_by_a_rollback() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]);
    let _ = estate.run(&["rollback", "--auto-approve"]).code(0);
    // As if power had failed before the journal's last line, and the ledger had not been stored since.
    let journal = journals(&estate).pop().unwrap();
    let text = fs::read_to_string(&journal).unwrap();
    let cut: Vec<&str> = text.lines().collect();
    fs::write(&journal, cut[..cut.len() - 1].iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    fs::remove_file(estate.path(".trustmason/ledger.json")).unwrap();
    let said = estate.run(&["runs"]).code(0).out_has("Finish an interrupted rollback with: trustmason rollback");
    assert!(!said.out.contains("trustmason apply"), "{}", said.out);
}
