//! The program on Windows: files on a real drive, Windows line ends, and a store that another program has open.
#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

#[path = "windows/stores.rs"]
mod stores;
mod support;

use std::os::windows::fs::OpenOptionsExt as _;

use support::{Estate, SPEC, command, put, said};

const SETTLED: &str = "No changes. Every store holds what the spec declares.";

#[test]
fn the_demo_ends_with_nothing_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(said(command(dir.path()).args(["demo", "lab"])).code(0).last_line(), SETTLED);
    let lab = dir.path().join("lab");
    let _ = said(command(&lab).args(["plan", "--detailed-exitcode"])).code(0);
    let _ = said(command(&lab).args(["drift", "--strict"])).code(0);
}

/// An estate whose host is this machine. Its stores are on this machine's own drives.
fn here(java: &std::path::Path) -> Estate {
    let spec = SPEC
        .replace("access: { root: './hosts/{fqdn}' }", "access: { root: '.', drive: '{letter}:' }")
        .split("  rgrb.acme.example")
        .next()
        .unwrap()
        .replace("side: a }", &format!("side: a, vars: {{ JAVA_HOME: '{}' }} }}", java.display()));
    let spec = format!("{spec}retired: [rgrb.acme.example]\n");
    let estate = Estate::of(&spec);
    put(&estate.path("estate.yaml"), spec.replace('\n', "\r\n").as_bytes());
    estate
}

#[test]
fn stores_of_this_machine_are_planned_written_and_listed() {
    let drive = tempfile::tempdir().unwrap();
    let java = drive.path().join("Program Files (x86)").join("Jävä");
    let estate = here(&java);
    let store = estate.file("adsa/cacerts");
    assert!(store.starts_with(&java), "{store:?} is below {java:?}");
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
    let gone = support::certificate(&support::CertificateContent::of("rgrb.acme.example", 9));
    estate.put("adsa/cacerts", "rgrb.acme.example", gone);
    let before = std::fs::read(&store).unwrap();

    let _ = estate.run(&["plan", "--detailed-exitcode"]).code(2).out_has("rgrb.acme.example");
    let done = estate.run(&["apply", "--auto-approve"]).code(0);
    assert!(
        done.last_line().contains("1 deleted") && done.last_line().contains("1 store written, 0 failed"),
        "{done:?}"
    );
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);

    put(&estate.path("pw"), b"changeit\r\n");
    let listed = estate.run(&["list", store.to_str().unwrap(), "--password-file", "pw"]).code(0);
    assert!(listed.out.contains("vendorroot") && !listed.out.contains("rgrb"), "{}", listed.out);
    let beside: Vec<_> = std::fs::read_dir(store.parent().unwrap()).unwrap().map(|i| i.unwrap().file_name()).collect();
    assert_eq!(beside, ["cacerts"], "nothing is left beside the store");

    let _ = estate.run(&["rollback", "--auto-approve"]).code(0);
    assert_eq!(std::fs::read(&store).unwrap(), before);
}

#[test]
fn a_store_that_somebody_has_open_is_left_as_it_is() {
    let drive = tempfile::tempdir().unwrap();
    let estate = here(&drive.path().join("java"));
    let store = estate.file("adsa/cacerts");
    let gone = support::certificate(&support::CertificateContent::of("rgrb.acme.example", 9));
    estate.put("adsa/cacerts", "rgrb.acme.example", gone);
    let before = std::fs::read(&store).unwrap();

    // Java opens a file for reading in this way: others may read and write it, but not rename it.
    const READ_AND_WRITE: u32 = 1 | 2;
    let open = std::fs::File::options().read(true).share_mode(READ_AND_WRITE).open(&store).unwrap();
    let failed = estate.run(&["apply", "--auto-approve"]);
    assert!(failed.code != 0 && failed.out.contains("0 stores written, 1 failed"), "{failed:?}");
    assert_eq!(std::fs::read(&store).unwrap(), before);
    drop(open);

    // Here no other program may even read the file.
    let open = std::fs::File::options().read(true).share_mode(0).open(&store).unwrap();
    let unread = estate.run(&["plan"]);
    assert!(unread.out.contains("cannot read"), "{unread:?}");
    drop(open);

    let _ = estate.run(&["apply", "--auto-approve"]).code(0);
    assert_eq!(estate.run(&["plan", "--detailed-exitcode"]).code(0).last_line(), SETTLED);
}

#[test]
fn device_names_are_no_stores() {
    let dir = tempfile::tempdir().unwrap();
    let spec = SPEC.replace("role: ads, side: a", r"role: ads, side: a, vars: { JAVA_HOME: 'C:\java\NUL' }");
    put(&dir.path().join("estate.yaml"), spec.as_bytes());
    let _ = said(command(dir.path()).arg("plan")).code(1).err_has("that means something else on Windows");
}
