#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

/// Far longer than any of these programs takes; only a hanging program needs it.
const WATCHDOG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn ran(script: &str, purpose: CallPurpose) -> Ran {
    let call = Call { argv: &shell(script), timeout: WATCHDOG, without_env: &BTreeSet::new(), purpose };
    taken(&call)
}

fn taken(call: &Call<'_>) -> Ran {
    run(call).unwrap_or_else(|_| panic!("it did not end by itself"))
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let argv = shell("sleep 1000 & sleep 1000");
    let call = Call {
        argv: &argv,
        timeout: Duration::from_millis(200),
        without_env: &BTreeSet::new(),
        purpose: CallPurpose::SideEffect,
    };
    let mut child = start(&call).ok().unwrap();
    let out = Drain::of(child.stdout.take().unwrap(), call.purpose);
    assert!(matches!(wait(&mut child, &call, Some(&out)), Err(Unended::TooSlow)));
    let group = Group::of(&child);
    stop(&mut child, &group);
    assert!(child.try_wait().unwrap().is_some(), "it is gone and buried");
    assert!(out.closes(WATCHDOG).unwrap(), "nobody holds its output open");
    assert!(matches!(run(&call), Err(ProcessError::TooSlow { .. })));
}

/// The second process holds the output open until it is killed here. The kill fails if the process is already gone.
#[test]
fn what_a_restart_leaves_behind_lives_on() {
    let ran = ran("sleep 1000 & echo $!", CallPurpose::SideEffect);
    assert!(ran.status.success());
    let left: i32 = std::str::from_utf8(&ran.out).unwrap().trim().parse().unwrap();
    let left = rustix::process::Pid::from_raw(left).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn an_answer_is_waited_for_though_its_program_has_ended() {
    let ran = ran("(sleep 0.3; echo late) &", CallPurpose::Output);
    assert_eq!(ran.out.as_slice(), b"late\n");
}

#[test]
fn of_a_flood_an_answer_keeps_the_beginning_and_an_effect_the_end() {
    let script = "echo first; head -c 300000 /dev/zero | tr '\\0' x; echo; echo last; head -c 300000 /dev/zero >&2";
    let answer = ran(script, CallPurpose::Output);
    assert_eq!(answer.out.len(), LONGEST + 1);
    assert!(answer.out.starts_with(b"first\nxxx"));
    let effect = ran(script, CallPurpose::SideEffect);
    assert_eq!((effect.out.len(), effect.err.len()), (LONGEST + 1, LONGEST + 1));
    assert!(effect.out.ends_with(b"xxx\nlast\n"));
}

#[test]
fn the_environment_lacks_what_is_withheld_and_there_is_no_input() {
    let without = BTreeSet::from(["PATH".to_owned(), "SURELY_UNSET".to_owned()]);
    let argv = ["/bin/sh", "-c", "/usr/bin/env | /bin/grep -c '^PATH=' || true; /bin/cat"].map(str::to_owned);
    let call = Call { argv: &argv, timeout: WATCHDOG, without_env: &without, purpose: CallPurpose::Output };
    assert!(std::env::var_os("PATH").is_some());
    assert_eq!(taken(&call).out.as_slice(), b"0\n");
}
