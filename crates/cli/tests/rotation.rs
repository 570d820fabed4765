//! Staged rotation with the program alone: the output of each phase, its waits, the commands that continue, and what
//! happens when something else changes in between.

use crate::support;

use crate::support::assert_snapshot;
use support::{Estate, NOW, SPEC, Said, put};

const SETTLED: &str = "No changes. Every store holds what the spec declares.";
const NOTHING_NOW: &str = "No changes to make now. 0 blocked, 0 unobserved, 1 waiting.";
const NOTHING_DONE: &str =
    "Apply complete: 0 imported, 0 replaced, 0 renamed, 0 deleted, 0 regenerated; 0 stores written, 0 failed.";

/// An estate in sync. Rotation is staged, as it is by default.
fn settled() -> Estate {
    Estate::of(&staged())
}

fn staged() -> String {
    SPEC.replace("  rotation: immediate\n", "")
}

/// An estate whose two CVP call servers have certificates with short names. The ADS trusts both, and both must be replaced.
fn short_names() -> Estate {
    Estate::with(&staged(), |id, content| {
        if id.name == "wsm" {
            content.cn = id.host.host().to_owned();
            content.sans.clear();
        }
    })
}

/// Begins to replace an identity without a defect, as far as one apply can.
#[track_caller]
fn begin(estate: &Estate, identity: &str) -> Said {
    let _ = estate.run(&["plan", "--replace", identity, "--out", "p"]).code(0);
    estate.run(&["apply", "--plan", "p"]).code(5)
}

/// The times and bytes of every file in the estate's folder.
fn standing(estate: &Estate) -> Vec<(std::time::SystemTime, std::path::PathBuf, Vec<u8>)> {
    let all = support::files(estate.dir.path());
    all.into_iter().map(|(path, bytes)| (std::fs::metadata(&path).unwrap().modified().unwrap(), path, bytes)).collect()
}

/// The aliases of the CVP certificates in the store of the ADS.
fn trusted(estate: &Estate) -> Vec<String> {
    let mut aliases = estate.aliases("adsa/cacerts");
    aliases.retain(|alias| alias.starts_with("cvp"));
    aliases.sort();
    aliases
}

#[test]
fn the_ticket_has_the_later_phases() {
    assert_snapshot!(short_names().run(&["plan", "--at", NOW, "--format", "markdown"]).code(0).out);
}

#[test]
fn the_json_plan_has_the_later_phases() {
    let estate = short_names();
    let plan = estate.run(&["plan", "--at", NOW, "--format", "json"]).code(0).json();
    let phases = |list: &str| -> Vec<String> {
        let all = plan[list].as_array().unwrap();
        all.iter().map(|one| format!("{} {} {}", one["phase"], one["action"], one["store"]).replace('"', "")).collect()
    };
    assert_eq!(phases("changes"), ["extend import adsa.acme.example/cacerts"; 2]);
    let mut forecast = vec!["install regenerate cvp1.acme.example/keystore".to_owned()];
    forecast.push("install regenerate cvp2.acme.example/keystore".to_owned());
    for action in ["delete", "rename", "delete", "rename"] {
        forecast.push(format!("withdraw {action} adsa.acme.example/cacerts"));
    }
    assert_eq!(phases("forecast"), forecast);
    let rename = &plan["forecast"].as_array().unwrap()[3];
    assert_eq!(rename["alias"], "cvp1.acme.example~next");
    assert_eq!((&rename["to"], &rename["identity"]), (&"cvp1.acme.example".into(), &"cvp1.acme.example/wsm".into()));
    let wait = |host: &str, service: &str| serde_json::json!({ "kind": "restart", "host": host, "service": service });
    let barriers = serde_json::json!([
        { "after_phase": "extend", "waits_for": [wait("adsa.acme.example", "tomcat")] },
        { "after_phase": "install", "waits_for": [
            wait("cvp1.acme.example", "callserver"),
            wait("cvp1.acme.example", "wsm"),
            wait("cvp2.acme.example", "callserver"),
            wait("cvp2.acme.example", "wsm"),
        ] },
    ]);
    assert_eq!(plan["barriers"], barriers);
    assert_eq!(plan["interruptions"], serde_json::json!([]));
    let [restart] = plan["restarts"].as_array().unwrap().as_slice() else { panic!("{}", plan["restarts"]) };
    assert_eq!((&restart["service"], &restart["step"]), (&"tomcat".into(), &1.into()));
    assert_eq!(
        (&restart["because"], &restart["pending_since"]),
        (&serde_json::json!([1, 2]), &serde_json::Value::Null)
    );

    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let plan = estate.run(&["plan", "--format", "json"]).code(0).json();
    assert_eq!(phases_of(&plan, "changes"), 0);
    assert_eq!(phases_of(&plan, "forecast"), 6);
    assert!(
        plan["restarts"][0]["pending_since"].is_string() && plan["restarts"][0]["because"] == serde_json::json!([])
    );
    let wsm = plan["identities"].as_array().unwrap().iter().find(|i| i["id"] == "cvp1.acme.example/wsm").unwrap();
    assert_eq!((&wsm["state"], &wsm["awaits"]), (&"minted".into(), &"the restart of adsa.acme.example/tomcat".into()));
}

fn phases_of(plan: &serde_json::Value, list: &str) -> usize {
    plan[list].as_array().unwrap().len()
}

#[test]
fn a_second_apply_writes_nothing_asks_nobody_and_says_the_same() {
    let estate = short_names();
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let before = standing(&estate);
    // Two rotations wait for the same restart.
    let said = estate.run(&["apply"]).code(5).out_has("0 blocked, 0 unobserved, 2 waiting.");
    assert_eq!(before, standing(&estate));
    assert_eq!(said.last_line(), NOTHING_DONE);
    assert_eq!(said.out.matches("wait for  the restart of adsa.acme.example/tomcat").count(), 1, "{}", said.out);
    let _ = said.out_has("  trustmason ack estate.yaml adsa.acme.example/tomcat\n");
    let _ = estate.run(&["plan", "--detailed-exitcode"]).code(2);
}

#[test]
fn a_wait_is_no_drift_until_patience_is_over() {
    let estate = settled();
    let _ = begin(&estate, "cvp1.acme.example/wsm");
    let said = estate.run(&["drift", "-v"]).code(0).out_has("No drift found, with 1 warning. Work is pending");
    let _ = said.out_has("waits for the restart of adsa.acme.example/tomcat");
    let later = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(8 * 24)).to_string();
    let _ = estate.run(&["plan", "--at", &later]).code(0).out_has("this has been waiting too long");

    let _ = estate.run(&["ack", "*"]).code(0);
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = estate.run(&["drift"]).code(0);
    // The ledger is changed as if the certificate had been replaced a fortnight ago.
    let path = estate.path(".trustmason/ledger.json");
    let mut ledger: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let long_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(14 * 24)).to_string();
    for predecessor in ledger["predecessors"].as_object_mut().unwrap().values_mut() {
        predecessor["at"] = long_ago.clone().into();
    }
    put(&path, &serde_json::to_vec(&ledger).unwrap());
    let said = estate.run(&["drift"]).code(2).out_has("rotation-waiting       cvp1.acme.example/wsm: ");
    let said = said.out_has("the old one stays trusted until the restart of cvp1.acme.example/callserver, the restart of cvp1.acme.example/wsm");
    let _ = said.out_has("; this has been waiting too long");
}

#[test]
fn an_acknowledgement_is_taken_only_where_something_waits() {
    let estate = settled();
    let before = support::files(estate.dir.path());
    let _ = estate.run(&["ack", "adsa.acme.example/tomcat"]).code(1).err_has("no service needs a restart now");
    assert_eq!(before, support::files(estate.dir.path()), "nothing is recorded, not even a lock stays");

    let _ = begin(&estate, "cvp1.acme.example/wsm");
    let before = standing(&estate);
    let misspelt = estate.run(&["ack", "adsa.acme.example/tomcta"]).code(1);
    let _ = misspelt
        .err_has("declares no service named adsa.acme.example/tomcta; did you mean `adsa.acme.example/tomcat`?");
    let _ = estate.run(&["ack", "nobody.*/tomcat"]).code(1).err_has("declares no service named nobody.*/tomcat");
    let idle = estate.run(&["ack", "cvp1.acme.example/callserver"]).code(1);
    let _ =
        idle.err_has("cvp1.acme.example/callserver needs no restart now; these services do: adsa.acme.example/tomcat");
    let _ = estate.run(&["ack", "[", "--log-format", "json"]).code(1);
    assert_eq!(before, standing(&estate));

    let said = estate.run(&["ack", "estate.yaml", "ADSA*/Tomcat"]).code(0).out_has("  adsa.acme.example/tomcat\n");
    assert!(said.err.is_empty(), "{}", said.err);
}

#[test]
fn a_saved_plan_does_not_outlive_an_acknowledgement() {
    let estate = settled();
    // An earlier change left a pending restart.
    estate.remove("adsa/cacerts", "rgrb.acme.example_iis");
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    let _ = estate.run(&["plan", "--replace", "cvp1.acme.example/wsm", "--out", "p"]).code(0);
    let _ = estate.run(&["ack", "*/tomcat"]).code(0);
    let before = standing(&estate);
    let said = estate.run(&["apply", "--plan", "p"]).code(3).err_has("p is outdated; nothing was written:");
    let _ = said.err_has("ledger ./.trustmason/ledger.json changed: ");
    assert_eq!(before, standing(&estate));
    // The saved plan of a finished phase is outdated too.
    let _ = begin(&estate, "cvp1.acme.example/wsm");
    let _ = estate.run(&["apply", "--plan", "p"]).code(3);
}

#[test]
fn explanations_say_what_a_rotation_waits_for() {
    let estate = settled();
    let _ = begin(&estate, "cvp1.acme.example/wsm");
    let explain = |target: &str| estate.run(&["explain", target]).code(0);
    let said = explain("cvp1.acme.example/wsm").out_has("minted (its next key is in staging): sha256 ");
    let said = said.out_has("  waits for the restart of adsa.acme.example/tomcat\n");
    let _ = said.out_has("  later     install: ~ regenerate wsm_certificate\n");
    let said = explain("adsa.acme.example/cacerts/cvp1.acme.example").out_has("in-sync   the store holds it");
    let said = said.out_has("  later     withdraw: - delete cvp1.acme.example\n");
    let _ = said.out_has("  later     withdraw: > rename cvp1.acme.example~next to cvp1.acme.example\n");
    let said = explain("adsa.acme.example/cacerts/cvp1.acme.example~next");
    let said = said.out_has("holds cvp1.acme.example~next, for the rotation of cvp1.acme.example/wsm\n");
    assert!(!said.out.contains("not ours"), "{}", said.out);

    let _ = estate.run(&["ack", "*"]).code(0);
    let said = explain("cvp1.acme.example/wsm")
        .out_has("planned   ~ regenerate wsm_certificate: all stores that trust it hold");
    assert!(!said.out.contains("awaits"), "{}", said.out);
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = explain("cvp1.acme.example/wsm")
        .out_has("  waits for the restart of cvp1.acme.example/callserver, the restart of cvp1.acme.example/wsm\n");
    let _ = estate.run(&["ack", "*"]).code(0);
    let said = explain("adsa.acme.example/cacerts/cvp1.acme.example~next").out_has("which gets another alias\n");
    let _ = said.out_has("  planned   > rename cvp1.acme.example~next to cvp1.acme.example: ");
}

#[test]
fn a_pack_is_brought_in_before_the_restart_that_reads_it() {
    let estate = settled();
    let said = begin(&estate, "cvp1.acme.example/vxml");
    let target = "vvb1.acme.example/tomcat-trust";
    let said = said.out_has(
        "  wait for  the hand-off of vvb1.acme.example/tomcat-trust
            the restart of vvb1.acme.example/engine
            the restart of vvb1.acme.example/tomcat\n",
    );
    let _ = said.out_has("afterwards: trustmason confirm estate.yaml vvb1.acme.example/tomcat-trust");
    // Too early: a restarted service cannot have read a certificate that is not there yet.
    let early = estate.run(&["ack", "vvb1*"]).code(1).err_has("nothing was recorded: vvb1.acme.example/engine: ");
    let _ = early.err_has(&format!("after the hand-off of {target} is confirmed"));
    let _ = estate.run(&["confirm", target]).code(0).out_has("  trustmason ack estate.yaml vvb1.acme.example/engine\n");
    let said = estate.run(&["plan"]).code(0).out_has("  wait for  the restart of vvb1.acme.example/engine\n");
    assert_eq!(said.last_line(), NOTHING_NOW);
    // The name of a host means all its services.
    let _ = estate.run(&["ack", "vvb1.acme.example"]).code(0).out_has("2 restarts").out_has("Continue:\n");
    let said = estate.run(&["apply", "--auto-approve"]).code(5);
    assert!(said.last_line().contains(" 1 regenerated; 1 store written"), "{}", said.out);
    let _ = estate.run(&["ack", "*"]).code(0);
    // Another pack removes the old certificate from the hand-off store.
    let _ = estate.run(&["apply", "--auto-approve"]).code(5).out_has("pack for vvb1.acme.example/tomcat-trust");
    let _ = estate.run(&["confirm", target]).code(0);
    assert_eq!(estate.run(&["plan"]).code(0).last_line(), SETTLED);
}

#[test]
fn a_rollback_numbers_no_changes_of_a_plan_nobody_sees() {
    let estate = settled();
    let _ = begin(&estate, "cvp1.acme.example/wsm");
    let _ = estate.run(&["ack", "*"]).code(0);
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = estate.run(&["ack", "*"]).code(0);
    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    // The old certificate must be withdrawn again. Until then both are trusted.
    let said =
        estate.run(&["rollback", "--auto-approve"]).code(0).out_has("Restart now:\n").out_has("First correct the spec");
    let _ = said.out_has("adsa.acme.example/tomcat: Apache Tomcat (pending since ");
    assert_eq!(trusted(&estate), ["cvp1.acme.example", "cvp1.acme.example~next", "cvp2.acme.example"]);
    let runs = estate.run(&["runs"]).code(0).out;
    let first = runs.lines().last().unwrap().split_whitespace().next().unwrap();
    let _ = estate.run(&["rollback", first, "--auto-approve"]).code(1).err_has("is not the newest run");
}
