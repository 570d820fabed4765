#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use trustmason_keystore::Password;
use trustmason_spec::topology::{SecretRef, SecretSource};

use super::*;

const CANARY: &str = "kanarienvogel-7";

/// Secrets of which one is known.
fn secrets() -> Secrets {
    let secrets = Secrets::new();
    let from = SecretSource::Literal(Password::new(CANARY));
    secrets.get(&SecretRef { name: "cvp-keystore".to_owned(), profile: None, from }).unwrap();
    secrets
}

fn run(argv: &[&str], timeout_seconds: u32) -> Result<Restarted, RestartError> {
    let argv = argv.iter().map(|a| (*a).to_owned()).collect();
    let command = RestartCommand { argv, timeout_seconds };
    let answer = restart(&command, &secrets());
    let said = format!("{answer:?} {}", answer.as_ref().err().map(ToString::to_string).unwrap_or_default());
    assert!(!said.contains(CANARY), "{said}");
    answer
}

#[test]
fn a_restart_says_what_its_command_said_without_secrets_or_escapes() {
    let script = format!("echo 'tomcat: stopped'; printf '\\033[31mpw={CANARY}\\n\\n'; echo started >&2");
    let restarted = run(&["sh", "-c", &script], 60).unwrap();
    assert_eq!(restarted.output, "tomcat: stopped\n\\u{1b}[31mpw=[withheld]\nstarted");
}

#[test]
fn a_restart_sees_no_variable_that_holds_a_secret() {
    // A variable that is set in every test run stands for one that holds a secret.
    let argv = ["sh", "-c", "echo \"[${CARGO_MANIFEST_DIR-gone}]\""].map(str::to_owned).to_vec();
    let command = RestartCommand { argv, timeout_seconds: 60 };
    let said = |secrets: &Secrets| restart(&command, secrets).unwrap().output;
    assert_eq!(said(&Secrets::withholding(["CARGO_MANIFEST_DIR".to_owned()])), "[gone]");
    assert_ne!(said(&Secrets::new()), "[gone]");
}

#[test]
fn no_shell_reads_the_arguments() {
    assert_eq!(run(&["printf", "%s|", "$HOME", "a b; exit 1", "*"], 60).unwrap().output, "$HOME|a b; exit 1|*|");
}

#[test]
fn a_program_that_is_not_there_touches_nothing() {
    let error = run(&["/no/such/program", "x"], 60).unwrap_err();
    assert!(matches!(&error, RestartError::NotStarted { .. }), "{error:?}");
    assert!(error.to_string().starts_with("`/no/such/program` cannot be started: "), "{error}");
    assert!(matches!(run(&[], 60), Err(RestartError::NotStarted { .. })));
}

#[test]
fn a_failure_has_its_status_and_the_last_lines() {
    let script = format!("seq 1 8; echo 'no such service {CANARY}' >&2; exit 3");
    let error = run(&["sh", "-c", &script], 60).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`sh` ended with exit status: 3 after printing: 5 / 6 / 7 / 8 / no such service [withheld]; run it by hand"
    );
    let RestartError::Failed { last, .. } = error else { panic!() };
    assert_eq!(last.len(), LAST);
    let silent = run(&["false"], 60).unwrap_err().to_string();
    assert_eq!(silent, "`false` ended with exit status: 1; run it by hand");
}

#[test]
fn a_restart_that_hangs_is_stopped() {
    let error = run(&["sh", "-c", "sleep 1000 & sleep 1000"], 1).unwrap_err();
    assert!(matches!(error, RestartError::TooSlow { seconds: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("took longer than 1 s and was stopped"), "{error}");
}
