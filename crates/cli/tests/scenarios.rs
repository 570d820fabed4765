//! Scenarios. Each is a folder of `fixtures/scenarios` that gives what is on disk, what is done, and the expected
//! result. No scenario has code of its own; `docs/design/tests.md` says how to add one.
//!
//! With `TRUSTMASON_UPDATE=1` the program's present output is written into the folders, if two runs give the same.
#![cfg(unix)]

#[path = "scenarios/disk.rs"]
mod disk;
#[path = "scenarios/folder.rs"]
mod folder;
#[path = "scenarios/listing.rs"]
mod listing;
#[path = "scenarios/mistakes.rs"]
mod mistakes;
#[path = "scenarios/names.rs"]
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use disk::Disk;
use folder::{AFTER, Scenario, Step};

use crate::support::{CANARY, agrees, command, said};

/// Makes one test per folder, with the folder's name, so that a scenario can run alone and a failure names it.
macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name));
            }
        )*
        const LISTED: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios! {
    accepted_finding
    alias_conflicts
    aliases_of_another_tool
    blocked_stores
    changed_alias
    common_names_of_documents
    distrust
    empty_identity_store
    exports_out_of_date
    exports_that_will_not_do
    first_exchange
    former_name
    issued_unasked
    made_anew_by_hand
    many_deletions
    older_aliases
    older_and_newer_certificates
    one_certificate_of_two_nodes
    one_file_twice
    pem_folder_and_pair
    purpose_of_exported_certificates
    replies_for_servers_only
    retired_host
    rollback
    rotation_by_a_ca
    rotation_made_immediate
    rotation_of_a_lost_key
    rotation_one_side_at_a_time
    rotation_taken_back
    rotation_whose_alias_is_taken
    rotation_without_its_key
    selected_hosts
    staged_rotation
    store_reset
    trusters_out_of_reach
    two_hosts_under_one_authority
    upgrade_to_12_6
    windows_store
    wrong_name
}

fn all() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios")
}

#[test]
fn every_folder_has_its_test() {
    let folders: BTreeSet<String> =
        std::fs::read_dir(all()).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    let listed: BTreeSet<String> = LISTED.iter().map(|name| name.replace('_', "-")).collect();
    assert_eq!(folders, listed, "`scenarios!` names the folders of fixtures/scenarios");
}

/// Checks that the program does what the scenario of this test says.
#[track_caller]
fn holds(test: &str) {
    let folder = all().join(test.replace('_', "-"));
    let update = std::env::var_os("TRUSTMASON_UPDATE").is_some_and(|value| value == "1");
    let judged = if update { update_goldens(&folder) } else { judged(&folder) };
    if let Err(why) = judged {
        panic!("{}: {why}", folder.display());
    }
}

/// Compares the result of a scenario with its golden files.
fn judged(folder: &Path) -> Result<(), String> {
    let scenario = Scenario::read(folder)?;
    let came = told(folder, &scenario)?;
    let again = "TRUSTMASON_UPDATE=1 writes what the program says now; look at what changes";
    for (name, text) in &came {
        match scenario.goldens.get(name) {
            None => return Err(format!("there is no {name}; {again}\n{text}")),
            Some(golden) if golden != text => {
                return Err(format!("{name} is another one; {again}\n{}", difference(golden, text)));
            }
            Some(_) => {}
        }
    }
    match scenario.goldens.keys().find(|name| !came.contains_key(*name)) {
        Some(stray) => Err(format!("{stray} is the golden of no step; {again}")),
        None => Ok(()),
    }
}

/// Writes the golden files of a scenario, if two runs give the same.
fn update_goldens(folder: &Path) -> Result<(), String> {
    let scenario = Scenario::read(folder)?;
    let came = told(folder, &scenario)?;
    for (name, second) in told(folder, &scenario)? {
        if came[&name] != second {
            return Err(format!("{name} differs from run to run:\n{}", difference(&came[&name], &second)));
        }
    }
    for stray in scenario.goldens.keys().filter(|name| !came.contains_key(*name)) {
        std::fs::remove_file(folder.join(stray)).map_err(|e| format!("{stray}: {e}"))?;
    }
    for (name, text) in came.iter().filter(|(name, text)| scenario.goldens.get(*name) != Some(text)) {
        std::fs::write(folder.join(name), text).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

/// Runs a scenario. Gives the text of each golden file.
fn told(folder: &Path, scenario: &Scenario) -> Result<BTreeMap<String, String>, String> {
    let mut disk = Disk::new(folder, &scenario.before)?;
    let mut untouched = listing::bytes(&disk);
    let mut goldens = BTreeMap::new();
    for (n, step) in scenario.steps.iter().enumerate() {
        let happened = match step {
            Step::Meanwhile(scene) => {
                let before = listing::bytes(&disk);
                let done = disk.meanwhile(scene).map(|()| None);
                listing::overlay(&mut untouched, &before, listing::bytes(&disk));
                done
            }
            Step::Run { words, exit } => run(&mut disk, words, *exit).map(Some),
        };
        let text = happened.map_err(|e| format!("step {}: {e}", n + 1))?;
        goldens.extend(step.golden(n).zip(text));
    }
    let after = listing::after(&mut disk, &untouched).map_err(|e| format!("{AFTER}: {e}"))?;
    goldens.insert(AFTER.to_owned(), after);
    Ok(goldens)
}

/// Runs the program once. Gives both output streams, with stable names for everything that differs between runs.
fn run(disk: &mut Disk<'_>, words: &[String], exit: i32) -> Result<String, String> {
    disk.names.learn_today();
    let line = format!("$ trustmason {}", words.join(" "));
    let said = said(command(disk.dir.path()).args(words));
    let heard = format!("{line}\n{}\n{}", said.out, said.err);
    if said.code != exit {
        return Err(format!("exit code {} and not {exit}\n{heard}", said.code));
    }
    if heard.contains(CANARY) {
        return Err("a password was told".to_owned());
    }
    if words[0] == "apply" && [0, 4, 5].contains(&said.code) {
        agrees(disk.dir.path(), &words.iter().map(String::as_str).collect::<Vec<_>>(), &said);
    }
    disk.learn_new()?;
    let err = if said.err.is_empty() { String::new() } else { format!("--- stderr\n{}", said.err) };
    disk.names.settle(&format!("{line}\n{}{err}", said.out)).map_err(|e| format!("{e}\n{heard}"))
}

/// The first difference of two texts, with some lines around it.
fn difference(golden: &str, came: &str) -> String {
    let (golden, came): (Vec<&str>, Vec<&str>) = (golden.lines().collect(), came.lines().collect());
    let at = golden.iter().zip(&came).take_while(|(one, other)| one == other).count();
    let part = |lines: &[&str], mark: char| {
        let from = at.min(lines.len());
        lines[from..(from + 8).min(lines.len())].iter().map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    let context: String = golden[at.saturating_sub(3)..at].iter().map(|line| format!("  {line}\n")).collect();
    format!("line {}:\n{context}{}{}", at + 1, part(&golden, '-'), part(&came, '+'))
}
