//! Wrong clocks: outside the calendar, behind past events, far ahead. Also dates of every kind in the files that are read.
#![cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, reason = "the clock of a program and the dates of folders are set on Linux only")
)]

use crate::support;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::{CertificateContent, Estate, SPEC, Said, certificate, files, put, said};

/// The moment 2021-06-01T00:00:00Z.
const IN_2021: u64 = 1_622_505_600;
const LONG_AGO: &str = "2001-01-01T00:00:00Z";
const FAR_AHEAD: &str = "2999-01-01T00:00:00Z";
/// The first and last moment of a `Timestamp`, and the extreme dates of a certificate.
const CORNERS: &[&str] = &[
    "-009999-01-02T01:59:59Z",
    "0000-01-01T00:00:00Z",
    "1949-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2049-12-31T23:59:59Z",
    "2050-01-01T00:00:00Z",
    "9999-12-30T22:00:00.999999999Z",
];

/// Every command that does something, with its arguments.
const COMMANDS: &[&[&str]] = &[
    &["plan"],
    &["plan", "--format", "json"],
    &["plan", "--format", "markdown"],
    &["plan", "--out", "new.json"],
    &["apply", "--auto-approve"],
    &["drift"],
    &["drift", "--format", "prometheus"],
    &["drift", "--probe", "--timeout", "1", "--connect-to", "::127.0.0.1:1"],
    &["explain", "cvp1.acme.example"],
    &["explain", "cvp1.acme.example/wsm"],
    &["check"],
    &["list", "certs/ICMrgrb.cer"],
    &["list", "certs/ICMrgrb.cer", "--format", "json"],
    &["collect", "--timeout", "1", "--connect-to", "::127.0.0.1:1"],
    &["confirm", "vvb1.acme.example/tomcat-trust"],
    &["ack", "*"],
    &["runs"],
    &["runs", "--format", "json"],
    &["rollback", "--auto-approve"],
    &["demo", "new-demo"],
];

#[track_caller]
fn ended_by_itself(what: &str, said: &Said) {
    assert!((0..=5).contains(&said.code), "{what}: exit {}\n{}\n{}", said.code, said.out, said.err);
    assert!(!said.err.contains("panicked"), "{what}: {}", said.err);
}

/// Runs the program with the clock at a moment, written as `faketime` reads it.
fn at(estate: &Estate, moment: &str, args: &[&str]) -> Said {
    let mut command = std::process::Command::new("faketime");
    command.arg(moment).arg(env!("CARGO_BIN_EXE_trustmason")).args(args).current_dir(estate.dir.path());
    said(command.env("TZ", "UTC").env("NO_FAKE_STAT", "1").env("USER", "tester").stdin(std::process::Stdio::null()))
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_outside_the_calendar_is_refused() {
    needs!(Faketime);
    for (moment, why) in [
        ("1960-01-01 00:00:00", "Z, which is before 1970; set the clock and run again"),
        ("9999-12-31 23:59:50", "which is after 9999-12-30T22:00:00Z, the latest time that can be used; set the clock"),
    ] {
        let estate = Estate::troubled();
        let before = files(estate.dir.path());
        for args in COMMANDS {
            let what = format!("{moment}: {args:?}");
            let said = at(&estate, moment, args);
            ended_by_itself(&what, &said);
            let without = matches!(args[0], "check" | "runs") || args.ends_with(&["json"]) && args[0] == "list";
            assert_eq!(said.code, i32::from(!without), "{what}: {}{}", said.out, said.err);
            assert!(without || said.err.contains("error: the clock of this machine says "), "{what}: {}", said.err);
            assert!(without || said.err.contains(why), "{what}: {}", said.err);
        }
        assert!(!estate.path("new-demo").exists());
        assert_eq!(files(estate.dir.path()), before);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_at_the_ends_of_the_calendar_stops_nothing_by_a_panic() {
    needs!(Faketime);
    for moment in ["1970-01-01 00:00:10", "9999-12-30 21:59:00"] {
        let estate = Estate::troubled();
        let _ = estate.run(&["apply", "--auto-approve"]).code(0);
        for args in COMMANDS.iter().filter(|args| !matches!(args[0], "demo" | "check")) {
            let mut args = args.to_vec();
            if matches!(args[0], "apply" | "ack" | "confirm" | "rollback") {
                args.push("--clock-is-right");
            }
            ended_by_itself(&format!("{moment}: {args:?}"), &at(&estate, moment, &args));
        }
    }
}

#[test]
fn a_plan_is_made_as_of_any_moment() {
    let estate = Estate::troubled();
    for (n, moment) in CORNERS.iter().enumerate() {
        let formats: &[&str] = if n == 0 || n + 1 == CORNERS.len() { &["json", "text", "markdown"] } else { &["json"] };
        for format in formats {
            let said = estate.run(&["plan", &format!("--at={moment}"), "--format", format]).code(0);
            assert_eq!(said.err, "", "{moment}: only the clock is doubted, not what is asked for");
            if *format == "json" {
                assert_eq!(said.json()["created"].as_str(), Some(*moment));
            }
        }
    }
    let late = estate.run(&["plan", "--at", "9999-12-31"]).code(64);
    let _ = late.err_has("the latest time that can be used is 9999-12-30T22:00:00Z");
}

/// Changes every moment in the ledger.
fn redate(estate: &Estate, moment: &str) {
    fn walk(value: &mut Value, moment: &str) {
        match value {
            Value::Object(fields) => {
                // The dates of stores come from their disks, so they stay.
                for (name, field) in fields.iter_mut().filter(|(name, _)| *name != "seen") {
                    let is_time = ["at", "since", "written", "started", "finished"].contains(&name.as_str());
                    match field {
                        Value::String(text) if is_time => moment.clone_into(text),
                        other => walk(other, moment),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, moment)),
            _ => {}
        }
    }
    let path = estate.path(".trustmason/ledger.json");
    let mut ledger: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    walk(&mut ledger, moment);
    put(&path, &serde_json::to_vec(&ledger).unwrap());
}

fn ledger(estate: &Estate) -> String {
    std::fs::read_to_string(estate.path(".trustmason/ledger.json")).unwrap()
}

/// An estate whose ledger has something of every kind: runs, entries, a predecessor, a pack, restarts, acknowledgements.
fn busy() -> Estate {
    let estate = Estate::with(SPEC, |id, content| {
        if id.to_string() == "cvp1.acme.example/wsm" {
            content.cn = "cvp1".to_owned();
            content.sans.clear();
        }
    });
    estate.remove("adsa/cacerts", "rgrb.acme.example_iis");
    let mirror = estate.file("vvb1/tomcat-trust");
    let first = std::fs::read_dir(mirror).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(first).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = estate.run(&["ack", "adsa.acme.example/tomcat"]).code(0);
    estate
}

#[test]
fn a_ledger_may_remember_any_moment() {
    let estate = busy();
    let (first, last) = (CORNERS[0], CORNERS[CORNERS.len() - 1]);
    for moment in [last, first] {
        redate(&estate, moment);
        for args in COMMANDS.iter().filter(|args| !matches!(args[0], "demo" | "collect" | "check" | "list")) {
            ended_by_itself(&format!("{moment}: {args:?}"), &estate.run(args));
        }
    }
}

/// Checks that every command is refused with these words and changes nothing.
#[track_caller]
fn refused(estate: &Estate, words: &[&str]) {
    let before = files(estate.dir.path());
    for args in [
        &["apply", "--auto-approve"][..],
        &["rollback", "--auto-approve"],
        &["ack", "*"],
        &["confirm", "vvb1.acme.example/tomcat-trust"],
    ] {
        let said = estate.run(args).code(1);
        for word in words {
            assert!(said.err.contains(word), "{args:?} lacks {word:?}: {}", said.err);
        }
        let remedy = "; nothing was done. Set the clock and run again; if the clock is right, add --clock-is-right";
        assert!(said.err.contains(remedy), "{}", said.err);
    }
    assert_eq!(files(estate.dir.path()), before, "nothing was written");
    for args in [&["plan", "--detailed-exitcode"][..], &["drift"]] {
        let said = estate.run(args);
        assert!(said.code != 1, "{args:?} goes on: {}", said.err);
        for word in words.iter().chain(&["warning: "]) {
            assert!(said.err.contains(word), "{args:?} lacks {word:?}: {}", said.err);
        }
    }
    assert!(!estate.run(&["plan", "--format", "json"]).out.contains("the clock of this machine"));
    assert_eq!(estate.run(&["plan", "--at", support::NOW]).err, "");
}

fn audited(estate: &Estate, event: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(estate.path(".trustmason/audit.jsonl")).unwrap_or_default();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

#[test]
fn a_clock_behind_the_last_run_stops_what_stamps_the_ledger() {
    let estate = busy();
    redate(&estate, FAR_AHEAD);
    refused(&estate, &["the clock of this machine says 20", " days before 2999-01-01T00:00:00Z, when "]);

    // A person checks the clock and says that it is right.
    let _ = estate.run(&["apply", "--auto-approve", "--clock-is-right"]).code(5);
    let words = audited(&estate, "clock");
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(words[0]["who"], support::account());
    assert!(words[0]["reason"].as_str().unwrap().contains("days before 2999-01-01T00:00:00Z, when "));
    assert!(!ledger(&estate).contains("2999-"), "the ledger is brought to the present: {}", ledger(&estate));
    // The next run does not doubt the clock again.
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = estate.run(&["confirm", "vvb1.acme.example/tomcat-trust"]).code(0);
    assert_eq!(audited(&estate, "clock").len(), 1);
}

#[test]
fn a_word_for_the_clock_is_kept_where_nothing_else_is_to_do() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    redate(&estate, FAR_AHEAD);
    let stands = files(&estate.path("hosts"));
    let _ = estate.run(&["apply", "--auto-approve", "--clock-is-right"]).code(0);
    assert_eq!(files(&estate.path("hosts")), stands);
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    let _ = estate.run(&["ack", "*"]).code(0);
    // For a clock that is not doubted, the option records nothing.
    let _ = estate.run(&["apply", "--auto-approve", "--clock-is-right"]).code(0);
    assert_eq!(audited(&estate, "clock").len(), 1);
}

#[test]
fn every_command_that_asks_takes_a_persons_word() {
    for args in [
        &["rollback", "--auto-approve", "--clock-is-right"][..],
        &["ack", "*", "--clock-is-right"],
        &["confirm", "vvb1.acme.example/tomcat-trust", "--clock-is-right"],
    ] {
        let estate = busy();
        redate(&estate, FAR_AHEAD);
        let _ = estate.run(args).code(0);
        assert_eq!(audited(&estate, "clock").len(), 1, "{args:?}");
        assert!(!ledger(&estate).contains("2999-"), "{args:?}: {}", ledger(&estate));
    }
    // `plan` saves nothing, so it has no such option.
    let _ = Estate::new().run(&["plan", "--clock-is-right"]).code(64);
}

#[test]
fn a_run_of_long_ago_stops_nothing() {
    let estate = busy();
    redate(&estate, LONG_AGO);
    let said = estate.run(&["plan"]).code(0);
    assert!(!said.err.contains("the clock of this machine"), "{}", said.err);
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
}

/// An estate whose certificates are valid in these years, and whose files are dated June 2021.
fn of_years(from: i32, to: i32) -> Estate {
    let estate = Estate::with(SPEC, |_, content| content.years = (from, to));
    for id in estate
        .topology
        .stores
        .values()
        .filter(|def| def.ownership == trustmason_spec::topology::Ownership::Vendor)
        .map(|def| def.id.clone())
    {
        let short = format!("{}/{}", id.host.host(), id.name);
        let root = CertificateContent { years: (2010, 2020), ..CertificateContent::of("vendor-root.example", 7) };
        estate.put(&short, "vendorroot", certificate(&root));
    }
    for path in files(estate.dir.path()).keys() {
        date(path, IN_2021);
    }
    for folder in [estate.file("vvb1/tomcat-trust"), estate.path("certs")] {
        date(&folder, IN_2021);
    }
    estate
}

fn date(path: &Path, seconds: u64) {
    set(path, UNIX_EPOCH + Duration::from_secs(seconds));
}

fn set(path: &Path, time: SystemTime) {
    std::fs::File::open(path).unwrap().set_modified(time).unwrap();
}

/// A date before 1970 is accepted: the mirror of that date is old.
#[cfg(unix)]
#[test]
fn a_mirror_of_1965_is_old() {
    let estate = Estate::new();
    let mirror = estate.file("vvb1/tomcat-trust");
    let in_1965 = UNIX_EPOCH - Duration::from_secs(5 * 365 * 86_400);
    for path in files(&mirror).keys().chain([&mirror]) {
        set(path, in_1965);
    }
    let said = estate.run(&["plan", "--at", support::NOW, "-v"]).code(0);
    let _ = said.out_has("observation-old");
}

/// Runs on Unix only, because dates of folders cannot be set elsewhere.
#[cfg(unix)]
#[test]
fn a_clock_by_which_everything_ended_at_once_stops_what_stamps_the_ledger() {
    let estate = of_years(2020, 2022);
    let newest = "which is ";
    let dates = " days after the newest date found here, 2021-06-01T00:00:00Z; by this clock all ";
    refused(&estate, &["the clock of this machine says 20", newest, dates, " have ended, the last one on 2022-06-20"]);
    assert!(!estate.path(".trustmason").exists());

    let _ = estate.run(&["apply", "--auto-approve", "--clock-is-right"]);
    let words = audited(&estate, "clock");
    assert!(words.len() == 1 && words[0]["reason"].as_str().unwrap().contains("have ended, the last one"), "{words:?}");
    // After this run, the ledger confirms the date.
    let again = estate.run(&["apply", "--auto-approve"]);
    assert!(!again.err.contains("the clock of this machine"), "{}", again.err);
}

#[cfg(unix)]
#[test]
fn a_file_of_today_speaks_for_the_clock() {
    let estate = of_years(2020, 2022);
    let store = estate.file("adsa/cacerts");
    set(&store, SystemTime::now());
    let said = estate.run(&["plan"]).code(0);
    assert!(!said.err.contains("the clock of this machine"), "{}", said.err);
    let said = estate.run(&["apply", "--auto-approve"]);
    assert!(said.code != 1, "{}", said.err);
}

#[test]
fn a_clock_by_which_nothing_is_valid_yet_stops_what_stamps_the_ledger() {
    let estate = Estate::with(SPEC, |_, content| content.years = (2990, 2999));
    refused(
        &estate,
        &[
            "by this clock none of the ",
            " certificates in use is valid yet; the first one begins ",
            "at 2990-01-01T00:00:00Z",
        ],
    );
}

#[test]
fn a_saved_plan_from_the_future_is_not_carried_out() {
    let estate = Estate::troubled();
    let _ = estate.run(&["plan", "--out", "p.json"]).code(0);
    let mut plan: Value = serde_json::from_slice(&std::fs::read(estate.path("p.json")).unwrap()).unwrap();
    assert!(!plan.to_string().contains("clock"), "nothing of the clock is saved");
    plan["created"] = FAR_AHEAD.into();
    put(&estate.path("future.json"), &serde_json::to_vec(&plan).unwrap());
    let before = files(estate.dir.path());
    for word in [None, Some("--clock-is-right")] {
        let args: Vec<&str> = ["apply", "--plan", "future.json"].into_iter().chain(word).collect();
        let said = estate.run(&args).code(1);
        let said = said.err_has(" days before 2999-01-01T00:00:00Z, when future.json was made; nothing was done. ");
        let _ = said.err_has("Set the clock, or make a new plan with --out");
    }
    assert_eq!(files(estate.dir.path()), before);
    let _ = estate.run(&["apply", "--plan", "p.json", "--clock-is-right"]).code(0);
}
