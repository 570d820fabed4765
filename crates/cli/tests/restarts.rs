//! Services with a command are restarted by apply, in steps until one fails, and the rotation goes on by itself. A first
//! signal ends the run after the restart in work.
#![cfg(unix)]

use crate::support;

use std::fs;
use std::process::{Child, Command, Stdio};

use support::{Estate, SPEC, until, wait_for};

const COMMANDS: &str = "services:
  ads/tomcat: { restart: [/bin/sh, ./restart.sh, '{fqdn}/tomcat'] }
  rogger/tomcat: { restart: [/bin/sh, ./restart.sh, '{fqdn}/tomcat'] }
  cvp/callserver: { restart: [/bin/sh, ./restart.sh, '{fqdn}/callserver'] }
  cvp/wsm: { restart: [/bin/sh, ./restart.sh, '{fqdn}/wsm'], timeout: 20s }
  cvp/vxml: { restart: [/bin/sh, ./restart.sh, '{fqdn}/vxml'] }
";

/// The troubled estate of the other tests, with commands for its services.
fn estate(script: &str) -> Estate {
    let estate = Estate::troubled();
    fs::write(estate.path("estate.yaml"), format!("{}{COMMANDS}", SPEC.replace("immediate", "staged"))).unwrap();
    fs::write(estate.path("restart.sh"), script).unwrap();
    estate
}

/// The services that were restarted, in order.
fn restarted(estate: &Estate) -> Vec<String> {
    let log = fs::read_to_string(estate.path("restarted")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

const LOG: &str = "echo \"$1\" >> restarted\n";

#[test]
fn with_commands_a_rotation_needs_nobody() {
    let estate = estate(LOG);
    let plan = estate.run(&["plan"]).code(0);
    assert!(plan.out.contains("by its restart command"), "{}", plan.out);
    let said = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(
        said.out.matches("No person had to act, so the next phase followed at once:").count(),
        2,
        "{}",
        said.out
    );
    assert!(said.out.contains("restarted adsa.acme.example/tomcat"), "{}", said.out);
    assert!(said.last_line().contains("1 regenerated"), "{}", said.last_line());
    let log = restarted(&estate);
    // Side A comes before side B, whatever the names are.
    let (ads, cvp2) = ("adsa.acme.example/tomcat", "cvp2.acme.example/wsm");
    let first = |name: &str| log.iter().position(|line| line == name).unwrap_or_else(|| panic!("{name} in {log:?}"));
    assert!(first(ads) < first(cvp2), "{log:?}");
    assert!(log.contains(&"cvp1.acme.example/wsm".to_owned()), "{log:?}");
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), "No changes. Every store holds what the spec declares.");
    let _ = estate.run(&["drift", "--strict"]).code(0);
    // Nothing is restarted again, and nobody is asked.
    let _ = estate.run(&["apply"]).code(0);
    assert_eq!(restarted(&estate), log);
    let json = estate.run(&["apply", "--format", "json"]).code(0).json();
    assert_eq!(json["restarted"], serde_json::json!([]));
}

#[test]
fn a_restart_that_fails_stops_the_others_and_is_tried_again() {
    let estate = estate("echo \"$1\" >> restarted; echo no such service >&2; exit 3\n");
    let said = estate.run(&["apply", "--auto-approve"]).code(4);
    assert!(
        said.out.contains("not restarted adsa.acme.example/tomcat: `/bin/sh` ended with exit status: 3"),
        "{}",
        said.out
    );
    assert!(said.out.contains("no such service"), "{}", said.out);
    assert_eq!(restarted(&estate), ["adsa.acme.example/tomcat"]);
    // The stores are written. The restart is still pending, and drift says so.
    let drift = estate.run(&["drift", "--strict"]).code(2);
    assert!(drift.out.contains("trustmason ack estate.yaml adsa.acme.example/tomcat"), "{}", drift.out);
    // The next apply has work that concerns live services, so apply asks.
    let _ = estate.run(&["apply"]).code(1).err_has("nobody can approve");
    fs::write(estate.path("restart.sh"), LOG).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), "No changes. Every store holds what the spec declares.");
}

fn start(estate: &Estate) -> Child {
    let mut command = estate.command();
    command.args(["apply", "--auto-approve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends the program a signal, and waits until it was delivered. Until then a second signal would be merged with it.
fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    until("the signal is taken", || taken(&pid));
}

/// Whether no interrupt is pending for the process or being handled by its first thread (proc_pid_status(5)).
#[cfg(target_os = "linux")]
fn taken(pid: &str) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    // A process that ended in its signal handler stays as a zombie until its parent waits for it.
    if status.contains("State:\tZ") {
        return true;
    }
    let bit = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)).map_or("0", str::trim);
        u64::from_str_radix(mask, 16).unwrap() >> 1 & 1 == 1
    };
    !["SigPnd:", "ShdPnd:", "SigBlk:"].into_iter().any(bit)
}

/// Other systems have no such file. The wait is far longer than any machine needs.
#[cfg(not(target_os = "linux"))]
fn taken(_pid: &str) -> bool {
    std::thread::sleep(std::time::Duration::from_secs(2));
    true
}

#[test]
fn the_first_signal_lets_what_is_in_hand_be_finished() {
    let estate = estate("touch begun; while [ ! -e go ]; do sleep 0.05; done; echo \"$1\" >> restarted\n");
    let child = start(&estate);
    wait_for(&estate.path("begun"));
    interrupt(&child);
    fs::write(estate.path("go"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(restarted(&estate), ["adsa.acme.example/tomcat"], "what was begun was finished, and no more begun");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Interrupted"), "it says so");
    // The restart was acknowledged too, and the next run goes on to the end.
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(restarted(&estate).iter().filter(|s| s.starts_with("adsa")).count(), 2, "once now, once for withdraw");
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), "No changes. Every store holds what the spec declares.");
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let estate = estate("touch begun; while [ ! -e go ]; do sleep 0.05; done; echo \"$1\" >> restarted\n");
    let child = start(&estate);
    wait_for(&estate.path("begun"));
    interrupt(&child);
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(restarted(&estate).is_empty());
    fs::write(estate.path("go"), "").unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), "No changes. Every store holds what the spec declares.");
}
