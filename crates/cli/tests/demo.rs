//! Runs the whole demo, which the README tells people to run first.

use crate::support;

use support::{command, said};

#[test]
fn the_demo_ends_with_nothing_left_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let said = said(command(dir.path()).args(["demo", "lab"])).code(0);
    assert_eq!(said.last_line(), "No changes. Every store holds what the spec declares.");
    assert!(
        said.out.contains("Plan: 5 to import, 2 to replace, 2 to rename, 2 to delete, 0 to regenerate. (1 by hand.)")
    );
    assert!(said.out.contains("The demo plays the person: "));
    let lab = dir.path().join("lab");
    // The demo leaves an estate that behaves like any other.
    let run = |args: &[&str]| support::said(command(&lab).args(args));
    let _ = run(&["plan", "--detailed-exitcode"]).code(0);
    let _ = run(&["drift", "--strict"]).code(0);
    let _ = run(&["explain", "adsa.acme.example/cacerts/corp-proxy-root"]).code(0).out_has("leaves it as it is");
    let again = support::said(command(dir.path()).args(["demo", "lab"])).code(1);
    assert!(again.err.contains("lab is not empty; name a new folder for the demo"), "{}", again.err);
}
