//! The errors for folders that are no scenario or that contradict themselves.

use std::path::Path;

use crate::support::put;

const STORY: &str = "about: nothing\nsteps:\n  - run: plan\n";
const ESTATE: &str =
    "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts:\n  adsa.acme.example: { role: ads, side: a }\n";
const BEFORE: &str = "certificates:\n  Vendor Root: { ca: true }\nstores:\n  adsa.acme.example/cacerts:\n    trusts: { vendorroot: Vendor Root }\n";

/// A scenario in which these files replace its own.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("scenario.yaml", STORY), ("estate.yaml", ESTATE), ("before.yaml", BEFORE)].iter().chain(files)
    {
        put(&dir.path().join(name), text.as_bytes());
    }
    dir
}

#[track_caller]
fn refused(folder: &Path, words: &[&str]) {
    let why = super::judged(folder).expect_err("the folder is no scenario that holds");
    for word in words {
        assert!(why.contains(word), "no {word:?} in: {why}");
    }
}

#[test]
fn a_folder_that_is_no_scenario_is_told_what_is_wrong() {
    let step = |text: &str| format!("about: nothing\nsteps:\n{text}");
    let store = |text: &str| BEFORE.replace("    trusts: { vendorroot: Vendor Root }\n", text);
    let cases: &[(&str, String, &[&str])] = &[
        ("scenario.yaml", "about: nothing\nsteps:\n  - rum: plan\n".to_owned(), &["scenario.yaml", "rum", "line"]),
        ("scenario.yaml", "about: ' '\nsteps:\n  - run: plan\n".to_owned(), &["`about` says in a sentence"]),
        ("scenario.yaml", "about: nothing\nsteps: []\n".to_owned(), &["no step runs the program"]),
        (
            "scenario.yaml",
            step("  - run: demo here\n"),
            &["step 1", "`demo here` runs none of the commands ack, apply"],
        ),
        ("scenario.yaml", step("  - run: plan --out ../../plan.json\n"), &["`../../plan.json` leads out of"]),
        ("scenario.yaml", step("  - run: confirm a/b --from /etc\n"), &["`/etc` leads out of"]),
        ("scenario.yaml", step("  - { run: plan, meanwhile: both }\n"), &["a step is either `run`"]),
        ("scenario.yaml", step("  - { meanwhile: nothing is done }\n"), &["a step is either `run`"]),
        (
            "scenario.yaml",
            step("  - { run: plan, exit: 3 }\n"),
            &["step 1: exit code 0 and not 3", "$ trustmason plan"],
        ),
        (
            "scenario.yaml",
            step("  - run: plan\n  - { meanwhile: x, gone: [nowhere] }\n"),
            &["step 2: gone: ", "nowhere"],
        ),
        (
            "scenario.yaml",
            step("  - run: plan\n  - { meanwhile: x, replies: { a.csr: { name: a, by: Vendor Root, to: b } } }\n"),
            &["step 2: replies: a.csr: No such file"],
        ),
        ("before.yaml", "certificates: { a: { by: a } }\n".to_owned(), &["certificates: a: `a` stands above itself"]),
        ("before.yaml", "certificates: { a: { by: b } }\n".to_owned(), &["there is no certificate `b`"]),
        ("before.yaml", "certificates: { a: { from: 2025-02-30 } }\n".to_owned(), &["before.yaml", "2025-02-30"]),
        (
            "before.yaml",
            "stores: { adsa.acme.example/cacert: {} }\n".to_owned(),
            &["the spec has no adsa.acme.example/cacert, but adsa.acme.example/cacerts"],
        ),
        (
            "before.yaml",
            store("    trusts: { a: Vendor Rood }\n"),
            &["adsa.acme.example/cacerts: there is no certificate `Vendor Rood`"],
        ),
        ("before.yaml", store("    keys: { a: [] }\n"), &["the key a has no certificate"]),
        ("before.yaml", store("    formats: jks\n"), &["before.yaml", "formats"]),
        ("before.yaml", "files: { ../x: { text: x } }\n".to_owned(), &["`../x` leads out of"]),
        ("before.yaml", "files: { x: { text: x, copy_of: y } }\n".to_owned(), &["x: a file is one of"]),
        ("before.yaml", "files: { x: { copy_of: y } }\n".to_owned(), &["the folder has no y"]),
        ("before.yaml", "gone: [certs]\n".to_owned(), &["before the first step"]),
        ("estate.yaml", ESTATE.replace("ads,", "adz,"), &["estate.yaml", "adz"]),
        (
            "estate.yaml",
            ESTATE.replace("acme\n", "'<sha256 of nobody>'\n"),
            &["<sha256 of nobody>: no certificate has that name"],
        ),
        ("notes.md", "Beware.\n".to_owned(), &["notes.md is no part of the scenario"]),
        ("7-plan.txt", String::new(), &["there is no 1-plan.txt"]),
        (
            "1-plan.txt",
            "$ trustmason plan\nNo changes.\n".to_owned(),
            &["1-plan.txt is another one", "line 2:", "- No changes.", "+ Estate acme"],
        ),
    ];
    for (name, text, words) in cases {
        refused(folder(&[(name, text)]).path(), words);
    }
    let missing = folder(&[]);
    std::fs::remove_file(missing.path().join("before.yaml")).unwrap();
    refused(missing.path(), &["the folder has no before.yaml"]);
    let linked = folder(&[]);
    std::os::unix::fs::symlink("/etc/passwd", linked.path().join("passwd")).unwrap();
    refused(linked.path(), &["passwd is no file"]);
}

/// An update writes exactly what is compared afterwards, and deletes other golden files.
#[test]
fn an_update_writes_what_holds_from_then_on() {
    let folder = folder(&[("9-apply.txt", "of another time")]);
    super::update_goldens(folder.path()).unwrap();
    assert_eq!(super::judged(folder.path()), Ok(()));
    assert!(!folder.path().join("9-apply.txt").exists());
    for golden in ["1-plan.txt", "after.txt"] {
        let path = folder.path().join(golden);
        let text = std::fs::read_to_string(&path).unwrap();
        put(&path, text.replacen("adsa", "adsb", 1).as_bytes());
        refused(folder.path(), &[golden, "is another one"]);
        put(&path, text.as_bytes());
    }
    put(&folder.path().join("2-apply.txt"), b"of a step that is no more");
    refused(folder.path(), &["2-apply.txt is the golden of no step"]);
}
