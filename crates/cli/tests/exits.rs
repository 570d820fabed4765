//! Every row of the table of exit codes (`docs/exit-codes.md`), and the situations behind each.

use crate::support;

use std::process::Stdio;

use support::{Estate, NOW, put, said};

const PENDING: &str = "Plan: 1 to import, 2 to replace, 1 to rename, 1 to delete, 1 to regenerate.";
const SETTLED: &str = "No changes. Every store holds what the spec declares.";

#[test]
fn zero_a_plan_was_made() {
    let estate = Estate::troubled();
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), PENDING);
    std::fs::remove_file(estate.file("cvp2/keystore")).unwrap();
    let _ = estate.run(&["plan"]).code(0);
    let _ = Estate::new().run(&["plan", "--detailed-exitcode"]).code(0);
}

#[test]
fn zero_after_an_apply_with_nothing_left() {
    let estate = Estate::troubled();
    let done = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(
        done.last_line(),
        "Apply complete: 1 imported, 2 replaced, 1 renamed, 1 deleted, 1 regenerated; 3 stores written, 0 failed."
    );
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
    // The stores match the spec. Restarts that are still pending are no drift.
    let _ = estate.run(&["drift"]).code(0);
    let _ = estate.run(&["ack", "*"]).code(0);
    let _ = estate.run(&["drift", "--strict"]).code(0);
    // The backups are named and exist.
    let backups: Vec<_> = done.out.lines().filter_map(|l| l.split("backup ").nth(1)).collect();
    assert_eq!(backups.len(), 3);
    for backup in backups {
        assert!(estate.path(backup).is_file(), "{backup}");
    }
}

#[test]
fn a_second_apply_writes_nothing_and_asks_nobody() {
    let estate = Estate::troubled();
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    let times = || {
        let all = support::files(estate.dir.path());
        all.into_iter()
            .map(|(path, bytes)| (std::fs::metadata(&path).unwrap().modified().unwrap(), path, bytes))
            .collect::<Vec<_>>()
    };
    let before = times();
    let second = estate.run(&["apply"]).code(0);
    assert_eq!(before, times());
    assert!(second.out.contains(SETTLED));
    assert_eq!(
        second.last_line(),
        "Apply complete: 0 imported, 0 replaced, 0 renamed, 0 deleted, 0 regenerated; 0 stores written, 0 failed."
    );
}

#[test]
fn one_bad_spec() {
    let estate = Estate::new();
    let _ = estate
        .run(&["plan", "nothere.yaml"])
        .code(1)
        .err_has("error: nothere.yaml not found; name the spec file, or run `trustmason demo` to see an example");
    put(&estate.path("bad.yaml"), b"trustmason: 1\nestate: x\nprofil: pcce-12.5\nhosts: {}\n");
    for command in ["plan", "apply", "drift", "check"] {
        let said = estate.run(&[command, "bad.yaml"]).code(1);
        assert!(said.err.contains("bad.yaml:3:1") && said.err.contains("did you mean `profile`?"), "{}", said.err);
        assert!(said.err.trim_end().ends_with("in the spec; nothing was done"), "{}", said.err);
        assert_eq!(said.out, "");
    }
}

#[test]
fn one_bad_plan_file() {
    let estate = Estate::new();
    put(&estate.path("p"), b"{}");
    let _ =
        estate.run(&["apply", "--plan", "p"]).code(1).err_has("it has no format_version; make a new plan with --out");
    put(&estate.path("p"), b"{\"format_version\": \"7.0\"}");
    let _ = estate.run(&["apply", "--plan", "p"]).code(1).err_has("its format_version is 7.0");
    put(&estate.path("p"), b"no json");
    let _ = estate.run(&["apply", "--plan", "p"]).code(1).err_has("p is not a plan that can be carried out");
    let _ = estate.run(&["apply", "--plan", "absent"]).code(1).err_has("the plan cannot be read");
}

#[test]
fn one_nobody_there_to_approve() {
    let estate = Estate::troubled();
    let before = support::files(estate.dir.path());
    let said = estate.run(&["apply"]).code(1).err_has("nobody can approve");
    assert!(said.out.contains(PENDING) && said.err.contains("--auto-approve"), "{}", said.out);
    assert_eq!(before, support::files(estate.dir.path()));
}

#[cfg(target_os = "linux")]
#[test]
fn one_declined() {
    needs!(Terminal);
    let estate = Estate::troubled();
    let said = estate.answer("apply", "y\n").code(1);
    let said = said.out_has("Do you want to perform these actions?").out_has("Only 'yes' will be accepted to approve.");
    let _ = said.out_has("the answer was not `yes`; nothing was done");
    assert!(!estate.path(".trustmason").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn zero_approved() {
    needs!(Terminal);
    let estate = Estate::troubled();
    let _ = estate.answer("apply", "yes\n").code(0).out_has("Apply complete: 1 imported, 2 replaced");
}

#[test]
fn one_lock_held() {
    let estate = Estate::troubled();
    put(&estate.path(".trustmason/lock"), b"");
    let lock = std::fs::File::open(estate.path(".trustmason/lock")).unwrap();
    lock.lock().unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(1).err_has("another run holds ./.trustmason/lock");
    // Commands that only read need no lock.
    let _ = estate.run(&["plan"]).code(0);
    drop(lock);
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
}

#[test]
fn two_drift_or_changes_pending() {
    let estate = Estate::troubled();
    let _ = estate.run(&["drift"]).code(2);
    let _ = estate.run(&["plan", "--detailed-exitcode"]).code(2);
    let warned = Estate::new();
    warned.rename("cvp2/keystore", "adsa.acme.example", "aw_cert");
    let _ = warned.run(&["drift"]).code(0).out_has("In sync, with 1 warning.");
    let _ = warned.run(&["drift", "--strict"]).code(2);
}

#[test]
fn three_the_saved_plan_no_longer_holds() {
    let estate = Estate::troubled();
    let _ = estate.run(&["plan", "--out", "p"]).code(0);
    estate.rename("adsa/cacerts", "vendorroot", "vendorroot2");
    std::fs::remove_file(estate.path("certs/ICMrgrb.cer")).unwrap();
    let before = support::files(estate.dir.path());
    let said = estate.run(&["apply", "--plan", "p"]).code(3).err_has("p is outdated; nothing was written:");
    let said = said.err_has(
        "store ./hosts/adsa.acme.example/C/Program Files (x86)/Java/jre1.8.0_221/lib/security/cacerts changed",
    );
    let said = said.err_has("certificate ./certs/ICMrgrb.cer");
    let _ = said.err_has(
        "a change of the saved plan is no longer needed: import rgrb.acme.example_iis in adsa.acme.example/cacerts",
    );
    assert_eq!(before, support::files(estate.dir.path()));
}

#[test]
fn three_the_spec_has_changed() {
    let estate = Estate::troubled();
    let _ = estate.run(&["plan", "--out", "p"]).code(0);
    put(&estate.path("estate.yaml"), format!("{}# one more line\n", support::SPEC).as_bytes());
    let _ = estate.run(&["apply", "--plan", "p"]).code(3).err_has("spec estate.yaml changed");
}

#[test]
fn a_saved_plan_that_holds_is_carried_out() {
    let estate = Estate::troubled();
    let _ = estate.run(&["plan", "--out", "p", "--host", "ads*", "--host", "cvp1*"]).code(0).err_has("apply --plan p");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(estate.path("p")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let said = estate.run(&["apply", "--plan", "p"]).code(0);
    assert!(said.last_line().starts_with("Apply complete: 1 imported, 2 replaced, 0 renamed"), "{}", said.out);
    assert!(estate.aliases("cvp2/keystore").contains(&"aw_cert".to_owned()), "cvp2 was not selected");
    let _ = estate.run(&["apply", "--plan", "p"]).code(3);
}

#[test]
fn four_something_is_blocked() {
    let estate = Estate::troubled();
    std::fs::remove_file(estate.file("cvp2/keystore")).unwrap();
    let _ = estate.run(&["drift"]).code(4);
    let _ = estate.run(&["plan", "--detailed-exitcode"]).code(4);
    let said = estate.run(&["apply", "--auto-approve"]).code(4).out_has("Still blocked:");
    let said = said.out_has("cvp2.acme.example/keystore (store-missing)");
    // The other changes were made.
    assert!(
        said.last_line().starts_with("Apply complete: 1 imported, 2 replaced, 0 renamed, 1 deleted, 1 regenerated")
    );
    assert!(estate.aliases("adsa/cacerts").contains(&"rgrb.acme.example_iis".to_owned()));
}

#[test]
fn five_waits_for_a_person_until_confirmed() {
    let estate = Estate::new();
    std::fs::remove_file(estate.file("vvb1/tomcat-trust").join("cvp1.acme.example_vxml.pem")).unwrap();
    let target = "vvb1.acme.example/tomcat-trust";
    let _ = estate.run(&["confirm", target]).code(1).err_has("no pack was written");
    let said = estate.run(&["apply", "--auto-approve"]).code(5).out_has("A person must do this:");
    let _ = said.out_has("afterwards: trustmason confirm estate.yaml vvb1.acme.example/tomcat-trust");
    let pack = estate.path(".trustmason/handoff/vvb1.acme.example/tomcat-trust");
    assert!(pack.join("STEPS.md").is_file() && pack.join("pack.json").is_file());
    assert_eq!(
        estate.run(&["plan"]).code(0).last_line(),
        "No changes to make now. 0 blocked, 0 unobserved, 1 waiting."
    );
    // There is nothing new to hand over, so nobody is asked and the result is the same.
    let _ = estate.run(&["apply"]).code(5);
    let _ = estate
        .run(&["confirm", "vvb1.acme.example/tomcat-trusts"])
        .code(1)
        .err_has("did you mean `vvb1.acme.example/tomcat-trust`?");
    let _ = estate.run(&["confirm", target]).code(0).out_has("Recorded, reported by ");
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
    // A confirmation may be repeated. The store's facts are then as new as the last one.
    let _ = estate.run(&["confirm", target]).code(0);
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
}

#[test]
fn five_ends_with_an_export_too() {
    let estate = Estate::new();
    let mirror = estate.file("vvb1/tomcat-trust");
    let file = mirror.join("cvp1.acme.example_vxml.pem");
    let whole = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    for (path, bytes) in support::files(&mirror) {
        put(&estate.path("export").join(path.file_name().unwrap()), &bytes);
    }
    put(&estate.path("export/new.pem"), &whole);
    let said = estate.run(&["confirm", "vvb1.acme.example/tomcat-trust", "--from", "export"]).code(0);
    let _ = said.out_has("Recorded, from the export: vvb1.acme.example/tomcat-trust holds 4 certificates; ");
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
}

#[test]
fn sixty_four_wrong_command_line() {
    let estate = Estate::new();
    for args in [
        &["frobnicate"][..],
        &[],
        &["plan", "--frob"],
        &["plan", "--at", "soon"],
        &["plan", "--replace", "cvp1"],
        &["plan", "--side", "c"],
        &["plan", "--format", "xml"],
        &["apply", "estate.yaml", "--plan", "p"],
        &["apply", "--plan", "p", "--host", "cvp*"],
        &["drift", "--connect-to", "::127.0.0.1:1"],
        &["drift", "--probe", "--connect-to", "adsa.acme.example:443"],
        &["collect", "--auto-approve"],
        &["collect", "--pin", "8d7f"],
        &["list"],
        &["list", "x", "--no-password", "--password-env", "PW"],
        &["ack"],
        &["rollback", "estate.yaml", "a-run", "another"],
    ] {
        let said = estate.run(args).code(64);
        assert!(!said.err.is_empty() && said.out.is_empty(), "{args:?}: {}", said.out);
    }
    let _ = estate.run(&["--help"]).code(0);
}

#[cfg(unix)]
#[test]
fn one_hundred_and_thirty_interrupted() {
    use std::os::unix::process::ExitStatusExt as _;
    let estate = Estate::new();
    let (looking, gone) = (estate.path("looking"), estate.path("gone"));
    let script = format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done", looking.display(), gone.display());
    let spec = format!("{}secrets: {{ cvp-keystore: {{ command: [sh, -c, '{script}'] }} }}\n", support::SPEC);
    put(&estate.path("slow.yaml"), spec.as_bytes());
    let mut child =
        estate.command().args(["apply", "slow.yaml", "--auto-approve"]).stdout(Stdio::null()).spawn().unwrap();
    support::wait_for(&looking);
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    // A shell reports death by signal 2 as exit code 130.
    assert_eq!(child.wait().unwrap().signal(), Some(2));
    put(&gone, b"");
    assert!(!estate.path(".trustmason").exists());
    let _ = estate.run(&["apply"]).code(0);
}

#[test]
fn selections_that_select_nothing_are_refused() {
    let estate = Estate::new();
    let _ = estate.run(&["plan", "--host", "cpv1.acme.example"]).code(1).err_has("did you mean `cvp1.acme.example`?");
    let _ = estate
        .run(&["plan", "--replace", "cvp1.acme.example/wms"])
        .code(1)
        .err_has("did you mean `cvp1.acme.example/wsm`?");
    let spec = support::SPEC.replace(", side: b", ", side: a");
    put(&estate.path("onesided.yaml"), spec.as_bytes());
    let _ = estate
        .run(&["plan", "onesided.yaml", "--side", "b"])
        .code(1)
        .err_has("no host of onesided.yaml is on that side");
}

#[test]
fn replace_of_what_is_not_selected_is_refused() {
    let estate = Estate::new();
    let said = estate.run(&["plan", "--replace", "cvp1.acme.example/wsm", "--host", "adsa.*"]).code(1);
    assert!(said.err.contains("--replace cvp1.acme.example/wsm: its host is not among those"), "{}", said.err);
}

#[test]
fn replace_makes_a_good_certificate_anew_once() {
    let estate = Estate::new();
    let said = estate.run(&["plan", "--replace", "cvp1.acme.example/wsm", "--out", "p"]).code(0);
    assert_eq!(said.last_line(), "Plan: 0 to import, 1 to replace, 0 to rename, 0 to delete, 1 to regenerate.");
    let _ = estate.run(&["apply", "--plan", "p"]).code(0);
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), SETTLED);
}

#[test]
fn json_reports() {
    let estate = Estate::troubled();
    let json = estate.run(&["apply", "--auto-approve", "--format", "json"]).code(0).json();
    assert_eq!(json["exit_code"], 0);
    assert_eq!(json["summary"]["regenerated"], 1);
    assert_eq!(json["stores"].as_array().unwrap().len(), 3);
    let regenerate = json["changes"].as_array().unwrap().iter().find(|c| c["action"] == "regenerate").unwrap();
    assert_eq!(regenerate["outcome"], "done");
    assert_eq!(regenerate["sha256"].as_str().unwrap().len(), 64);
    let plan = estate.run(&["plan", "--format", "json", "--at", NOW]).code(0).json();
    assert_eq!(plan["summary"]["unchanged"].as_u64().unwrap() as usize, plan["edges"].as_array().unwrap().len());
}

#[test]
fn a_plan_is_saved_in_files_only() {
    let estate = Estate::new();
    let _ = estate.run(&["plan", "--out", "certs"]).code(1).err_has("certs is not a file");
    let _ = estate.run(&["plan", "--out", "/dev/null"]).code(1).err_has("/dev/null is not a file");
    let _ = estate.run(&["plan", "--out", "no/such/folder/p"]).code(1).err_has("the plan cannot be saved");
    assert_eq!(said(estate.command().args(["plan", "--out", "p"])).code(0).last_line(), SETTLED);
}
