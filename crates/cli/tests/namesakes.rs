//! A store and an identity of one host with the same name, both changed by people: two packs, two folders, two
//! confirmations.

use crate::support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use support::{Estate, SPEC, files};

/// A voice browser whose store has the name of its certificate.
const PROFILE: &str = "\
trustmason-profile: 1
name: own
extends: pcce-12.5
roles:
  vvb:
    stores:
      tomcat: { path: /tomcat, format: pem-dir, write: hand-off, steps: ['Upload it.'], restart: [tomcat] }
rules:
  own-trust:
    truster: vvb/tomcat
    subject: cvp/vxml
    why: it talks to the VXML server
    source: the test
";

const NAME: &str = "vvb1.acme.example/tomcat";
const STORE: &str = "store:vvb1.acme.example/tomcat";
const IDENTITY: &str = "identity:vvb1.acme.example/tomcat";

/// An estate whose store lacks one certificate. The identity's certificate ends in that year.
fn estate(ends: i32) -> Estate {
    let spec = SPEC.replace("profile: pcce-12.5", "profile: ./own.yaml");
    let estate = Estate::beside(&[("own.yaml", PROFILE)], &spec, |id, content| {
        if id.to_string() == NAME {
            content.years = (2015, ends);
        }
    });
    std::fs::remove_file(estate.file("vvb1/tomcat").join("cvp1.acme.example_vxml.pem")).unwrap();
    estate
}

fn json_lines(path: PathBuf) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ledger(estate: &Estate) -> Value {
    serde_json::from_slice(&std::fs::read(estate.path(".trustmason/ledger.json")).unwrap()).unwrap()
}

#[test]
fn two_packs_of_one_name_are_kept_told_and_confirmed_apart() {
    let estate = estate(2020);
    estate.remove("adsa/cacerts", "rgrb.acme.example_iis");
    let said = estate.run(&["apply", "--auto-approve"]).code(5);
    let folder = |name: &str| format!("./.trustmason/handoff/vvb1.acme.example/{name}");
    let said = said.out_has(&format!("pack for {STORE}: {}\n", folder("tomcat")));
    let said = said.out_has(&format!("pack for {IDENTITY}: {}\n", folder("tomcat+identity")));
    for (name, target, what) in
        [("tomcat", STORE, "add trusted certificates"), ("tomcat+identity", IDENTITY, "make a new")]
    {
        assert!(said.out.contains(&format!("  {target}: {what}")), "{}", said.out);
        assert!(said.out.contains(&format!("    steps: {}/STEPS.md\n", folder(name))), "{}", said.out);
    }
    let _ = said.out_has(&format!("afterwards: trustmason confirm estate.yaml {STORE}\n"));

    // Each folder has its own pack, and neither pack lost a file to the other.
    let names = |name: &str| -> Vec<String> {
        let all = files(&estate.path(&folder(name)));
        all.into_keys().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let [steps, certificate, pack] = <[String; 3]>::try_from(names("tomcat")).unwrap();
    assert_eq!((steps.as_str(), pack.as_str()), ("STEPS.md", "pack.json"));
    assert!(certificate.starts_with("cvp1.acme.example_vxml-"), "{certificate}");
    assert_eq!(names("tomcat+identity"), ["STEPS.md", "pack.json"]);
    let steps = |name: &str| std::fs::read_to_string(estate.path(&folder(name)).join("STEPS.md")).unwrap();
    assert!(
        steps("tomcat").contains(&format!("trustmason confirm estate.yaml {STORE}\n"))
            && steps("tomcat").contains("Upload it.")
    );
    assert!(steps("tomcat+identity").starts_with(&format!("# Make a new certificate for {IDENTITY}\n")));

    // A second apply writes nothing, and the same tasks wait.
    let before = files(&estate.path(".trustmason"));
    let said = estate.run(&["apply"]).code(5);
    assert!(!said.out.contains("pack for "), "{}", said.out);
    assert_eq!(files(&estate.path(".trustmason")), before);

    // The journal has both packs, and so has the ledger.
    let run = std::fs::read_dir(estate.path(".trustmason/runs")).unwrap().next().unwrap().unwrap().path();
    let journal = json_lines(run.join("journal.jsonl"));
    let packs: Vec<_> = journal.iter().filter(|r| r["record"] == "pack").map(|r| r["target"].clone()).collect();
    assert_eq!(packs, [STORE, IDENTITY]);
    let handoffs = ledger(&estate)["handoffs"].as_object().unwrap().clone();
    assert_eq!(handoffs.keys().collect::<Vec<_>>(), [STORE, IDENTITY]);
    assert_ne!(handoffs[STORE]["pack"], handoffs[IDENTITY]["pack"]);

    // The name alone is ambiguous.
    let said = estate.run(&["confirm", NAME]).code(1);
    let _ = said.err_has(&format!("write {STORE} or {IDENTITY}"));
    assert_eq!(files(&estate.path(".trustmason")), before, "nothing was recorded");
    let _ = estate.run(&["confirm", IDENTITY]).code(0).out_has(&format!("{IDENTITY}: no pack had steps left"));
    assert_eq!(ledger(&estate)["handoffs"][STORE]["confirmed"], Value::Null);
    let _ = estate
        .run(&["plan"])
        .code(0)
        .out_has(&format!("{STORE}: add trusted certificates; its pack has been waiting since"));
    let _ = estate.run(&["confirm", STORE]).code(0).out_has(&format!("{STORE}: 1 added and 0 removed by the pack."));
    let said = estate.run(&["plan"]).code(0).out_has(&format!("{IDENTITY}: make a new certificate\n"));
    assert!(!said.out.contains(STORE), "its certificate is there by word: {}", said.out);
    let said: Vec<Value> =
        json_lines(estate.path(".trustmason/audit.jsonl")).into_iter().filter(|l| l["event"] == "confirm").collect();
    let of = |n: usize| (said[n]["store"].as_str(), said[n]["identity"].as_str());
    assert_eq!((of(0), of(1)), ((None, Some(NAME)), (Some(NAME), None)));

    let before = files(&estate.path(".trustmason"));
    let _ = estate.run(&["apply"]).code(5);
    assert_eq!(files(&estate.path(".trustmason")), before);

    let said = estate.run(&["rollback", "--auto-approve"]).code(0);
    let said = said.out_has(&format!("the pack for {STORE} is outdated"));
    let _ = said.out_has(&format!("the pack for {IDENTITY} is outdated"));
}

#[test]
fn documents_say_which_of_the_two_they_mean() {
    let estate = estate(2020);
    let plan = estate.run(&["plan", "--format", "json"]).code(0).json();
    let of = |document: &Value, list: &str, name: &str| -> BTreeMap<String, String> {
        let all = document[list].as_array().unwrap();
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        all.iter().filter(|work| work[name] == NAME).map(|work| (text(&work["of"]), text(&work[name]))).collect()
    };
    let both = BTreeMap::from(["store", "identity"].map(|of| (of.to_owned(), NAME.to_owned())));
    assert_eq!(of(&plan, "manual", "store"), both);
    let ticket = estate.run(&["plan", "--format", "markdown"]).code(0);
    for (target, folder) in [(STORE, "tomcat"), (IDENTITY, "tomcat+identity")] {
        assert!(ticket.out.contains(&format!("### {target} (")), "{}", ticket.out);
        assert!(ticket.out.contains(&format!("handoff/vvb1.acme.example/{folder}`\n")), "{}", ticket.out);
    }
    let report = estate.run(&["apply", "--auto-approve", "--format", "json"]).code(5).json();
    assert_eq!(of(&report, "packs", "target"), both);
}

#[test]
fn the_name_alone_is_enough_while_only_one_of_them_has_a_pack() {
    let estate = estate(2049);
    let _ = estate.run(&["confirm", NAME]).code(1).err_has("no pack was written for store:");
    let _ = estate.run(&["apply", "--auto-approve"]).code(5);
    let _ = estate.run(&["confirm", IDENTITY]).code(1).err_has(&format!("no hand-off of {IDENTITY} is pending now"));
    let _ = estate.run(&["confirm", NAME]).code(0).out_has(&format!("{STORE}: 1 added and 0 removed by the pack."));
    for (wrong, said) in [
        (
            "store:vvb1.acme.example/tomcats",
            "declares no store named store:vvb1.acme.example/tomcats; did you mean `store:",
        ),
        ("identity:vvb1.acme.example/x", "declares no identity"),
        ("vvb1.acme.example/xyz", "declares no store or identity"),
        ("shop:vvb1.acme.example/tomcat", "write store:FQDN/NAME or identity:FQDN/NAME"),
    ] {
        let _ = estate.run(&["confirm", wrong]).code(1).err_has(said);
    }
}
