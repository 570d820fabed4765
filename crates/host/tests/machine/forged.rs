//! Forged journals and ledgers: well-formed, with the right version and the right digest, except for one change.
//! Whatever they say, a rollback writes only the stores that the spec declares, and gives no file a bit by which it
//! runs as its owner. It either does what the original state folder would have led to, or is refused with a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trustmason_host::disk::Disk;
use trustmason_host::look::{LookContext, look};
use trustmason_host::record::ledger;
use trustmason_host::rollback::{RollbackContext, RollbackRequest, rollback};
use trustmason_host::secret::Secrets;
use trustmason_host::state::lock::Lock;
use trustmason_keystore::{Digest, Format, Interner};
use trustmason_plan::run_id::RunId;
use trustmason_spec::survey::Survey;

use crate::dice::Dice;
use crate::world::*;

/// Values that an attacker would like to see taken for a name, a place, a digest or a mode.
fn hostile(victim: &Path, payload: Digest) -> Vec<Value> {
    let victim = victim.join("cronjob").display().to_string();
    let texts = [
        victim.as_str(),
        "/etc/passwd",
        "../../../../victim/cronjob",
        "..",
        "",
        "C:\\Windows\\System32\\x",
        "windows://LocalMachine/Root",
        "ads.acme.example",
        "cvp1.acme.example/keystore",
        "../victim/x",
        "20261121T230752.089Z-0f3a9c21",
        "written",
        "failed",
        "begin",
        "end",
        "security.capability",
    ];
    let mut all: Vec<Value> = texts.iter().map(|text| Value::from(*text)).collect();
    all.extend([Value::from(payload.to_string()), Value::Null, Value::from(0), Value::from(2), Value::from(0o4755)]);
    all.extend([
        Value::from(u64::MAX),
        Value::from(true),
        Value::Array(Vec::new()),
        Value::Object(serde_json::Map::new()),
    ]);
    all
}

/// Changes one thing somewhere in a document.
fn change(value: &mut Value, random: &mut Dice, pool: &[Value]) {
    let deeper = random.below(4) > 0;
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = random.of(&keys).clone();
            match random.below(12) {
                0 => drop(fields.remove(&key)),
                1 => drop(fields.insert("novel".to_owned(), random.of(pool).clone())),
                2 => {
                    let moved = fields.remove(&key).unwrap();
                    fields.insert(random.of(pool).as_str().unwrap_or("x").to_owned(), moved);
                }
                _ => change(fields.get_mut(&key).unwrap(), random, pool),
            }
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change(&mut items[at], random, pool),
            }
        }
        other => *other = random.of(pool).clone(),
    }
}

/// One forgery of the lines of a journal.
fn forge(lines: &mut Vec<String>, random: &mut Dice, pool: &[Value]) {
    let at = random.below(lines.len());
    match random.below(10) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3 => {
            let cut = random.below(lines[at].len());
            let cut = (0..=cut).rev().find(|cut| lines[at].is_char_boundary(*cut)).unwrap();
            lines[at].truncate(cut);
        }
        4 => {
            // Modes that would open a store to others.
            let copies: Vec<usize> =
                (0..lines.len()).filter(|at| lines[*at].contains("\"record\":\"backup\"")).collect();
            if copies.is_empty() {
                return;
            }
            let at = *random.of(&copies);
            let mut value: Value = serde_json::from_str(&lines[at]).unwrap_or(Value::Null);
            let mode = *random.of(&[0o666, 0o777, 0o4755, 0o600, 0]);
            // After an earlier forgery this line may have no owner any more.
            if let Some(owner) = value.get_mut("owner").and_then(Value::as_object_mut) {
                owner.insert("mode".to_owned(), Value::from(mode));
            }
            lines[at] = value.to_string();
        }
        _ => {
            let mut value: Value = serde_json::from_str(&lines[at]).unwrap_or(Value::Null);
            change(&mut value, random, pool);
            lines[at] = value.to_string();
        }
    }
}

/// The bytes and modes of all files below a folder; links are not followed for the mode.
fn all(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let mut found = BTreeMap::new();
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            found.extend(all(&path));
        } else {
            #[cfg(unix)]
            let mode = std::os::unix::fs::MetadataExt::mode(&metadata);
            #[cfg(not(unix))]
            let mode = 0;
            found.insert(path.clone(), (fs::read(&path).unwrap_or_default(), mode));
        }
    }
    found
}

/// Takes the newest run back. Returns whether it was complete, or the refusal in words.
fn attempt(world: &World) -> Result<bool, String> {
    let state = world.state();
    let mut loaded = ledger::load(&state, &world.topology).map_err(|error| error.to_string())?;
    let (secrets, certificates) = (Secrets::new(), Interner::new());
    let context = LookContext { state: &state, secrets: &secrets, certificates: &certificates };
    let mut observed = look(&Survey::of(&world.topology), &loaded, context);
    loaded.notice(&world.topology, &mut observed, now());
    let looking = RollbackContext {
        state: &state,
        topology: &world.topology,
        ledger: &loaded,
        observed: &observed,
        secrets: &secrets,
        certificates: &certificates,
        now: now(),
    };
    let mut lock = Lock::take(&state).map_err(|error| error.to_string())?;
    let undone = rollback(RollbackRequest { run: None, context: looking, author: ANNA }, &Disk::new(), &mut lock);
    undone.map(|undone| undone.is_complete()).map_err(|error| error.to_string())
}

#[test]
fn a_forged_state_folder_moves_nothing_but_declared_stores() {
    let template = World::new(Format::Jks);
    let originals = [template.cacerts(), template.keystore()].map(|store| fs::read(store).unwrap());
    let run: RunId = template.apply(&Disk::new()).unwrap().run.unwrap();
    let setting =
        |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let (count, first) = (setting("TRUSTMASON_FORGERIES", 400), setting("TRUSTMASON_FORGERY_SEED", 0));
    let (mut refused, mut done) = (0, 0);
    for seed in first..first + count {
        let mut random = Dice(seed);
        let world = template.copy();
        let victim = world.root().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("cronjob"), b"harmless").unwrap();
        let payload = b"#!/bin/sh\n";
        let pool = hostile(&victim, Digest::of(payload));
        let backups = world.state().backups(&run);
        if random.below(2) == 0 {
            // A copy that could be taken for a backup.
            fs::write(backups.join("ads.acme.example/payload"), payload).unwrap();
        }
        let journal = fs::read_to_string(world.state().journal(&run)).unwrap();
        let mut lines: Vec<String> = journal.lines().map(str::to_owned).collect();
        for _ in 0..=random.below(3) {
            if !lines.is_empty() {
                forge(&mut lines, &mut random, &pool);
            }
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(world.state().journal(&run), &text).unwrap();
        let ledger = fs::read_to_string(world.state().ledger()).unwrap();
        let mut ledger: Value = serde_json::from_str(&ledger).unwrap();
        ledger["runs"][0]["journal"] = Digest::of(text.as_bytes()).to_string().into();
        if random.below(3) == 0 {
            change(&mut ledger, &mut random, &pool);
        }
        fs::write(world.state().ledger(), ledger.to_string()).unwrap();
        let stores = [world.cacerts(), world.keystore()];
        let before = all(&world.root());
        match attempt(&world) {
            Ok(_) => done += 1,
            Err(why) => {
                assert!(why.len() > 20, "seed {seed}: {why}");
                refused += 1;
            }
        }
        let inside = |path: &Path| path.starts_with(world.state().root()) || stores.iter().any(|store| store == path);
        let after = all(&world.root());
        // Each store is what the run made it, or what it was before that run.
        for (store, original) in stores.iter().zip(&originals) {
            let bytes = &after.get(store).unwrap_or_else(|| panic!("seed {seed}: {} is gone", store.display())).0;
            assert!(bytes == original || *bytes == before[store].0, "seed {seed}: {}", store.display());
        }
        for (path, whole) in before.iter().filter(|(path, _)| !inside(path)) {
            assert_eq!(after.get(path), Some(whole), "seed {seed}: {}", path.display());
        }
        for (path, (_, mode)) in &after {
            assert!(inside(path) || before.contains_key(path), "seed {seed}: {} was made", path.display());
            assert_eq!(mode & 0o7000, 0, "seed {seed}: {} has mode {mode:o}", path.display());
            // A store keeps its mode, whatever a journal says.
            if let Some((_, was)) = before.get(path).filter(|_| stores.contains(path)) {
                assert_eq!(mode, was, "seed {seed}: {}", path.display());
            }
        }
    }
    let text = format!(
        "seeds from {first}: {count} forgeries; {refused} refused by name; {done} carried out as the honest folder says"
    );
    if let Ok(path) = std::env::var("TRUSTMASON_REPORT") {
        fs::write(path, format!("{text}\n")).unwrap();
    }
    println!("{text}");
    assert!(refused > count / 2 && done > 0, "{refused} refused, {done} carried out");
}
