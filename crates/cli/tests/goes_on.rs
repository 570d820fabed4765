//! Following only the printed commands leads to "No changes.". Every command that the program prints is run as printed.
#![allow(clippy::let_underscore_must_use, reason = "tests")]

use crate::support;

use support::{Estate, SPEC, Said};

const DONE: &str = "No changes. Every store holds what the spec declares.";

/// The commands in a report, each on a line of its own.
fn commands(said: &Said) -> Vec<String> {
    let lines = said.out.lines().map(str::trim_start);
    let named = lines.filter_map(|line| line.strip_prefix("afterwards: ").unwrap_or(line).strip_prefix("trustmason "));
    named.map(str::to_owned).collect()
}

/// Runs a command line as a shell does.
fn shell(estate: &Estate, line: &str) -> Said {
    let program = env!("CARGO_BIN_EXE_trustmason");
    let answer = if line.starts_with("apply") { " --auto-approve" } else { "" };
    let mut command = std::process::Command::new("sh");
    let command = command.arg("-c").arg(format!("'{program}' {line}{answer}")).current_dir(estate.dir.path());
    support::said(command.stdin(std::process::Stdio::null()).env("COLUMNS", "100"))
}

/// Runs the printed commands until none is left. Gives the commands that were run.
fn follow(estate: &Estate, first: &str) -> Vec<String> {
    let mut run = Vec::new();
    let mut said = shell(estate, first);
    for _ in 0..60 {
        assert!([0, 5].contains(&said.code), "{run:?}\n{}\n{}", said.out, said.err);
        // The first printed command is next. If none is printed, `plan` shows whether this is the end.
        let Some(next) = commands(&said).into_iter().next() else {
            let plan = shell(estate, "plan");
            let pending = commands(&plan);
            if pending.is_empty() {
                assert_eq!(plan.last_line(), DONE, "nothing says how to go on\n{run:?}\n{}", plan.out);
                return run;
            }
            said = plan;
            continue;
        };
        run.push(next.clone());
        said = shell(estate, &next);
    }
    panic!("it goes on and on: {run:#?}");
}

fn staged() -> String {
    SPEC.replace("rotation: immediate", "rotation: staged")
}

/// A voice browser's services restart after its pack is confirmed, side A restarts before side B, and a person's
/// statement is enough.
#[test]
fn what_is_printed_leads_to_the_end() {
    for spec in [staged(), SPEC.to_owned()] {
        let estate = Estate::with(&spec, |id, content| {
            if id.host.as_str() == "cvp1.acme.example" {
                content.cn = "cvp1".to_owned();
                content.sans.clear();
            }
        });
        let run = follow(&estate, "apply");
        assert!(run.iter().any(|line| line.starts_with("confirm ")), "{run:#?}");
        assert!(run.iter().any(|line| line.starts_with("ack ")), "{run:#?}");
        assert_eq!(estate.run(&["ack", "*"]).code, 1, "no service needs a restart");
    }
}

/// A printed command has the same spec and the same hosts.
#[test]
fn what_was_begun_on_one_side_goes_on_there() {
    let estate = Estate::troubled();
    let said = estate.run(&["apply", "--auto-approve", "--side", "b"]);
    let goes_on =
        |said: &Said| -> Vec<String> { commands(said).into_iter().filter(|line| line.starts_with("apply")).collect() };
    assert!(goes_on(&said).iter().all(|line| line.ends_with(" --side b")), "{}", said.out);
    let said = estate.run(&["ack", "*"]).code(0);
    assert!(goes_on(&said).iter().all(|line| line.ends_with(" --side b")), "{}", said.out);
}

/// Work left on unselected hosts is not asked of the selected hosts again and again.
#[test]
fn what_was_begun_on_a_few_hosts_goes_on_with_all() {
    for limits in ["--side a", "--host 'cvp*'", "--side b"] {
        let estate = Estate::with(&staged(), |id, content| {
            if id.host.as_str() == "cvp1.acme.example" {
                content.cn = "cvp1".to_owned();
                content.sans.clear();
            }
        });
        let first = shell(&estate, &format!("apply {limits}"));
        assert!([4, 5, 0].contains(&first.code), "{}", first.out);
        let _ = estate.run(&["ack", "*"]);
        let mut said = shell(&estate, &format!("apply {limits}"));
        let mut run = Vec::new();
        for _ in 0..60 {
            let next = commands(&said).into_iter().next().unwrap_or_else(|| "apply".to_owned());
            let before = said.out;
            said = shell(&estate, &next);
            assert!(said.out != before || said.code == 0, "{next} does nothing, and names itself\n{before}");
            run.push(next);
            if shell(&estate, "plan").last_line() == DONE {
                break;
            }
        }
        assert_eq!(shell(&estate, "plan").last_line(), DONE, "{run:#?}");
    }
}

/// After a rollback the spec still wants the changes that were taken back, so no `apply` is printed.
#[test]
fn a_rollback_names_no_apply() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]);
    let said = estate.run(&["rollback", "--auto-approve"]).code(0).out_has("First correct the spec");
    assert!(!commands(&said).iter().any(|line| line.starts_with("apply")), "{}", said.out);
    let ack = estate.run(&["ack", "*"]).code(0);
    assert!(!commands(&ack).iter().any(|line| line.starts_with("apply")), "{}", ack.out);
}
