//! The exact words of the commands: plans, tickets, drift, metrics, explanations, listings, help.
#![allow(clippy::let_underscore_must_use, reason = "tests")]

use crate::support;

use crate::support::assert_snapshot;
use support::{CANARY, Estate, NOW};

/// The output of a run, with the word `TODAY` for the day. A run over midnight (UTC) may have either day.
fn today(run: impl FnOnce() -> String) -> String {
    let day = || jiff::Timestamp::now().to_string()[..10].to_owned();
    let before = day();
    let text = run();
    text.replace(&before, "TODAY").replace(&day(), "TODAY")
}

#[test]
fn plan_of_a_settled_estate() {
    let said = Estate::new().run(&["plan", "--at", NOW]).code(0);
    assert_snapshot!(said.out);
    assert_eq!(said.last_line(), "No changes. Every store holds what the spec declares.");
    assert_eq!(said.err, "");
}

#[test]
fn plan_of_a_troubled_estate() {
    let said = Estate::troubled().run(&["plan", "--at", NOW]).code(0);
    assert_snapshot!(said.out);
    assert_eq!(said.last_line(), "Plan: 1 to import, 2 to replace, 1 to rename, 1 to delete, 1 to regenerate.");
}

#[test]
fn plan_with_work_for_people_and_things_blocked() {
    let estate = Estate::troubled();
    std::fs::remove_file(estate.path("certs/ICMrgrb.cer")).unwrap();
    std::fs::remove_file(estate.file("vvb1/tomcat-trust").join("cvp1.acme.example_vxml.pem")).unwrap();
    let said = estate.run(&["plan", "--at", NOW]).code(0);
    assert_snapshot!(said.out);
    assert!(said.last_line().ends_with(" 1 to regenerate. (1 by hand, 1 blocked.)"), "{}", said.last_line());
}

#[test]
fn nothing_to_change_is_not_nothing_to_do() {
    let estate = Estate::new();
    std::fs::remove_dir_all(estate.file("vvb1/tomcat-trust")).unwrap();
    let said = estate.run(&["plan", "--at", NOW]).code(0);
    assert_eq!(said.last_line(), "No changes to make now. 0 blocked, 4 unobserved, 0 waiting.");
}

#[test]
fn ticket() {
    assert_snapshot!(Estate::troubled().run(&["plan", "--at", NOW, "--format", "markdown"]).code(0).out);
}

#[test]
fn json_plan() {
    let said = Estate::troubled().run(&["plan", "--at", NOW, "--format", "json"]).code(0);
    // The digest of a profile changes with every comment in the profile.
    let mut document = said.json();
    for input in document["inputs"].as_array_mut().unwrap() {
        if input["kind"] == "profile" {
            input["sha256"] = "PROFILE".into();
        }
    }
    assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let estate = Estate::troubled();
    let first = estate.run(&["plan", "--at", NOW, "--format", "json"]).code(0).out;
    let second = estate.run(&["plan", "--at", NOW, "--format", "json"]).code(0).out;
    assert_eq!(first, second);
}

#[test]
fn drift() {
    let estate = Estate::troubled();
    assert_snapshot!(today(|| estate.run(&["drift"]).code(2).out));
    let json = estate.run(&["drift", "--format", "json"]).code(2).json();
    assert_eq!(json["in_sync"], false);
    assert!(json["findings"].as_array().unwrap().iter().any(|f| f["finding"] == "stale"));
    Estate::new().run(&["drift"]).code(0).out_has("In sync. Every store holds what the spec declares.");
}

#[test]
fn metrics() {
    let said = Estate::troubled().run(&["drift", "--format", "prometheus"]).code(2);
    assert_snapshot!(said.out);
}

#[test]
fn a_missing_store_is_a_sample() {
    let estate = Estate::new();
    std::fs::remove_file(estate.file("cvp2/keystore")).unwrap();
    let said = estate.run(&["drift", "--format", "prometheus"]).code(4);
    let said = said
        .out_has("trustmason_store_state{estate=\"acme\",store=\"cvp2.acme.example/keystore\",state=\"absent\"} 1\n");
    let _ = said
        .out_has("trustmason_store_state{estate=\"acme\",store=\"cvp2.acme.example/keystore\",state=\"readable\"} 0\n");
}

#[test]
fn explanations() {
    let estate = Estate::troubled();
    let mut all = String::new();
    for target in [
        "adsa.acme.example",
        "adsa.acme.example/cacerts/cvp1.acme.example",
        "cvp2.acme.example/keystore/aw_cert",
        "ADSA.acme.example/cacerts/CVP9.acme.example",
        "adsa.acme.example/cacerts/vendorroot",
        "cvp1.acme.example/wsm",
        "vvb1.acme.example/tomcat-trust/cvp1.acme.example/vxml",
    ] {
        let said = estate.run(&["explain", target]).code(0);
        all.push_str(&format!("$ trustmason explain {target}\n{}\n", said.out));
    }
    assert_snapshot!(all);
}

#[test]
fn explanations_of_what_is_not_there() {
    let estate = Estate::new();
    let mut all = String::new();
    for target in [
        "adsa",
        "adsb.acme.example",
        "cvp9.acme.example",
        "adsa.acme.example/cacert",
        "adsa.acme.example/cacerts/cvp1",
        "cvp1.acme.example/wsm/x",
    ] {
        let said = estate.run(&["explain", target]).code(1);
        assert_eq!(said.out, "");
        all.push_str(&format!("$ trustmason explain {target}\n{}\n", said.err));
    }
    assert_snapshot!(all);
}

#[test]
fn check() {
    let said = Estate::new().run(&["check"]).code(0);
    assert_snapshot!(said.out);
}

#[test]
fn listings() {
    let estate = Estate::new();
    let store = estate.file("cvp1/keystore");
    let store = store.strip_prefix(estate.dir.path()).unwrap().to_str().unwrap();
    let mut command = estate.command();
    command.args(["list", store, "--password-env", "PW"]).env("PW", CANARY);
    let said = support::said(&mut command).code(0);
    assert!(said.out.contains("opens with the store's password"));
    let text = said.out;
    let mut command = estate.command();
    command.args(["list", store, "--password-env", "PW", "--format", "json"]).env("PW", CANARY);
    let json = support::said(&mut command).code(0).out;
    let bare = estate.run(&["list", store]).code(0).err_has("The store was read without a password");
    assert!(bare.out.contains("not verified"));
    let quiet = estate.run(&["list", store, "--no-password"]).code(0);
    assert_eq!(quiet.err, "");
    assert!(quiet.out.contains("not verified") && quiet.out.contains("(not opened)"));
    // The number of days left depends on today.
    let text = text.lines().map(|l| l.split(" (8").next().unwrap()).collect::<Vec<_>>().join("\n");
    assert_snapshot!(format!("{text}\n\n{json}"));
}

#[test]
fn listings_that_fail() {
    let estate = Estate::new();
    let store = estate.file("adsa/cacerts");
    let bytes = std::fs::read(&store).unwrap();
    support::put(&estate.path("cut.jks"), &bytes[..900]);
    support::put(&estate.path("page.html"), b"<html><body>404</body></html>");
    support::put(&estate.path("good.jks"), &bytes);
    let mut all = String::new();
    for (args, class) in [
        (vec!["list", "cut.jks"], "corrupt"),
        (vec!["list", "page.html"], "not-a-store"),
        (vec!["list", "absent.jks"], "unreadable"),
        (vec!["list", "good.jks", "--password-file", "pw"], "wrong-password"),
    ] {
        support::put(&estate.path("pw"), b"wrong\n");
        let said = estate.run(&[args.clone(), vec!["--format", "json"]].concat()).code(1);
        assert_eq!(said.json()["error"]["class"], class, "{args:?}");
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        all.push_str(&format!("$ trustmason {}\n{}{}\n", args.join(" "), said.out, said.err));
    }
    assert_snapshot!(all);
}

#[test]
fn help_is_the_manual() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = support::said(support::command(dir.path()).arg("--help")).code(0).out;
    for command in [
        "plan", "apply", "drift", "explain", "check", "list", "collect", "confirm", "ack", "runs", "rollback",
        "profile", "schema", "demo",
    ] {
        let said = support::said(support::command(dir.path()).args([command, "--help"])).code(0);
        all.push_str(&format!("\n$ trustmason {command} --help\n{}", said.out));
    }
    assert_snapshot!(all);
}

#[test]
fn what_the_program_knows_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| support::said(support::command(dir.path()).args(args));
    let names: Vec<&str> = trustmason_spec::profile::names().collect();
    assert_eq!(run(&["profile", "list"]).code(0).out, format!("{}\n", names.join("\n")));
    let _ = run(&["profile", "show", "pcce-12.6"]).code(0).out_has("extends: pcce-12.5");
    let _ = run(&["profile", "show", "pcce-12.7"]).code(1).err_has("did you mean `pcce-12.");
    for what in ["spec", "profile", "plan"] {
        assert!(run(&["schema", what]).code(0).json()["properties"].is_object(), "{what}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let _ = run(&["completions", shell]).code(0).out_has("trustmason");
    }
    let _ = run(&["--version"]).code(0).out_has("trustmason 0.1.0");
}

#[test]
fn logs_are_json_where_asked() {
    let estate = Estate::new();
    let said = estate.run(&["plan", "-v", "--log-format", "json"]).code(0);
    for line in said.err.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(value["level"].is_string());
    }
    assert!(said.err.contains("spec read"));
    let said = estate.run(&["explain", "nobody", "--log-format", "json"]).code(1);
    assert!(said.err.contains("the spec declares no host") && said.err.starts_with('{'), "{}", said.err);
}

#[test]
fn pipes_get_no_colour_and_a_closed_one_is_no_error() {
    let estate = Estate::troubled();
    assert!(!estate.run(&["plan"]).code(0).out.contains('\u{1b}'));
    let mut child = estate.command().arg("plan").stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
