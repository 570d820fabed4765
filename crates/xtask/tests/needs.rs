//! Checks what happens to a test whose needs are missing: the test is counted by name, and in CI the run fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;

use std::path::Path;
use std::process::{Command, Output};

use needs::Need;

#[test]
fn a_jvm_is_asked() {
    needs!(Jdk);
    assert!(Command::new("java").arg("-version").output().unwrap().status.success());
}

#[test]
fn the_corpus_is_read_and_watched() {
    needs!(Corpus);
    assert!(Path::new(&std::env::var_os("TRUSTMASON_CORPUS").unwrap()).is_dir());
}

#[test]
fn a_part_is_watched() {
    if needs::partly(Need::Strace, "what it calls") {
        assert!(Command::new("strace").arg("true").output().unwrap().status.success());
    }
}

/// Runs one of the tests above on a machine without programs and folders.
fn alone(test: &str, settings: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact"]).env("PATH", "/nonexistent").envs(settings.iter().copied());
    let unset = ["TRUSTMASON_CORPUS", "TRUSTMASON_SKIPPED", "TRUSTMASON_WITHOUT", "TRUSTMASON_JUDGES", "CI"];
    for name in unset.iter().filter(|name| !settings.iter().any(|(set, _)| set == *name)) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

const ALL: [&str; 3] = ["a_jvm_is_asked", "the_corpus_is_read_and_watched", "a_part_is_watched"];

#[test]
fn what_is_missing_is_a_failure_unless_it_is_recorded_or_named() {
    for (test, need) in ALL.into_iter().zip(["jdk", "corpus", "strace"]) {
        let failed = alone(test, &[]);
        let said = String::from_utf8_lossy(&failed.stdout).into_owned();
        assert!(!failed.status.success() && said.contains(&format!("needs {need}, which is missing")), "{said}");
        assert!(alone(test, &[("TRUSTMASON_WITHOUT", Path::new(need))]).status.success(), "{test}");
        assert!(!alone(test, &[("TRUSTMASON_WITHOUT", Path::new("nss,java8"))]).status.success(), "{test}");
    }
}

#[test]
fn what_is_missing_is_counted_and_fails_a_run_in_ci() {
    let record = std::env::temp_dir().join(format!("trustmason-needs-{}.tsv", std::process::id()));
    for test in ALL {
        assert!(alone(test, &[("TRUSTMASON_SKIPPED", &record)]).status.success());
    }
    let tell = |ci: bool, allowed: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("skipped").arg(&record).env_remove("CI").env("TRUSTMASON_WITHOUT", allowed);
        if ci {
            command.env("CI", "true");
        }
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    let (well, said) = tell(false, "");
    assert!(well, "a person sees the list: {said}");
    for line in [
        "tests ran whole, 1 partly, 2 skipped:",
        "  skipped  xtask a_jvm_is_asked: jdk (not on PATH: java, javac, keytool)",
        "  skipped  xtask the_corpus_is_read_and_watched: corpus (TRUSTMASON_CORPUS names no folder)",
        "  partly   xtask a_part_is_watched without what it calls: strace (not on PATH: strace, taskset)",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (well, said) = tell(true, "corpus");
    assert!(!well && said.contains("for want of jdk,strace;"), "{said}");
    let (well, said) = tell(true, "corpus, jdk,strace");
    assert!(well, "{said}");
    std::fs::remove_file(&record).unwrap();
    let (well, said) = tell(true, "");
    assert!(well && said.contains("0 partly, 0 skipped\n"), "{said}");
}

#[test]
fn every_need_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Need::ALL.iter().map(|need| need.name()).collect();
    assert_eq!(names.len(), Need::ALL.len());
}
