//! The audit log, replayed by the rules of its page alone: from empty stores it leads to what the stores hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::run::StoreOutcome;
use trustmason_keystore::{Format, Interner};

use trustmason_spec::topology::OlderAlias;

use crate::world::*;

/// How often each store, alias and fingerprint occurs.
type Trust = BTreeMap<(String, String, String), usize>;

/// The log's lines. Only half a line, which a power cut can leave, is no JSON.
fn lines(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.state().audit()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn replay(lines: &[Value]) -> Trust {
    let mut trust = Trust::new();
    for line in lines.iter().filter(|line| line["event"] == "change" && line["kind"] == "trusted-certificate") {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let (store, alias) = (text("store"), text("alias"));
        let to = line["to"].as_str().map_or(alias.clone(), str::to_owned);
        if let Some(before) = line["before"].as_str() {
            let key = (store.clone(), alias, before.to_owned());
            let count = trust.get_mut(&key).unwrap_or_else(|| panic!("{line} takes away what is not there"));
            *count -= 1;
            if *count == 0 {
                trust.remove(&key);
            }
        }
        if let Some(after) = line["after"].as_str() {
            *trust.entry((store, to, after.to_owned())).or_default() += 1;
        }
    }
    trust
}

/// What the stores really hold. Stores without aliases have none in the log.
fn stands(world: &World) -> Trust {
    let mut trust = Trust::new();
    for (id, path, password) in [(CACERTS, world.cacerts(), "changeit"), (KEYSTORE, world.keystore(), CANARY)] {
        for (alias, kind, print) in entries(&path, password) {
            if kind == "trusted-certificate" {
                *trust.entry((id.to_owned(), alias, print.unwrap().to_string())).or_default() += 1;
            }
        }
    }
    for file in fs::read_dir(world.folder()).into_iter().flatten() {
        let text = fs::read(file.unwrap().path()).unwrap();
        let store = trustmason_keystore::Store::open_directory(vec![("x.pem".into(), text)], &Interner::new()).unwrap();
        for slot in store.entries().iter().flat_map(|entry| entry.certificates()) {
            let key = ("ads.acme.example/trust".to_owned(), String::new(), slot.fingerprint().to_string());
            *trust.entry(key).or_default() += 1;
        }
    }
    trust
}

/// Stores without trust, an identity that needs a certificate, and a folder.
fn empty() -> World {
    let mut world = World::new(Format::Jks);
    fs::write(world.cacerts(), keystore(Format::Jks, "changeit", Vec::new())).unwrap();
    fs::create_dir(world.folder()).unwrap();
    let def = folder_def("ads.acme.example/trust", r"C:\trust");
    world.topology.edges.push(edge("ads.acme.example/trust", "ads.acme.example/iis", Some("ads.pem")));
    world.topology.edges.push(edge("ads.acme.example/trust", "cvp1.acme.example/wsm", Some("cvp.pem")));
    world.topology.edges.push(edge(CACERTS, "ads.acme.example/iis", Some("ads.acme.example_iis")));
    world.topology.stores.insert(def.id.clone(), def);
    world
}

/// Several further runs in an estate's life after its first one.
fn story(world: &mut World) {
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    // Another alias, another certificate, and one that is removed.
    for edge in &mut world.topology.edges {
        if edge.store == store_id(CACERTS) && edge.alias == Some("ads.acme.example_iis".into()) {
            edge.was = vec![OlderAlias::of("ads.acme.example_iis")];
            edge.alias = Some("ads_new".into());
        }
    }
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let undone = world.undo(None, &Disk::new()).unwrap();
    assert!(undone.is_complete(), "{undone:#?}");
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    world.topology.retired.insert(fqdn("ads.acme.example"));
    world.topology.edges.retain(|edge| edge.alias != Some("ads_new".into()));
    world.topology.distrust.insert(world.iis.fingerprint(), "lost".into());
    world.topology.edges.retain(|edge| !edge.subject.to_string().contains("iis"));
    let last = world.apply(&Disk::new()).unwrap();
    assert!(last.stores.values().all(|s| matches!(s, StoreOutcome::Written { .. })), "{last:#?}");
}

#[test]
fn replayed_from_empty_stores_it_tells_what_stands_there() {
    let mut world = empty();
    assert!(stands(&world).is_empty());
    story(&mut world);
    let lines = lines(&world);
    assert_eq!(replay(&lines), stands(&world), "{lines:#?}");
    let said: BTreeSet<_> = lines.iter().filter_map(|line| line["action"].as_str()).collect();
    for action in ["import", "rename", "delete", "regenerate"] {
        assert!(said.contains(action), "{said:?}");
    }
    for line in &lines {
        for field in ["at", "who", "machine", "run", "event", "plan"] {
            assert!(line[field].is_string(), "{field} of {line}");
        }
        assert_eq!(line["who"], "anna");
    }
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert!(of("run").iter().all(|line| line["approval"] == "asked") && of("run").len() == 4);
    assert_eq!((of("rollback").len(), of("rollback")[0]["undoes"].is_string()), (1, true));
    assert!(of("pack").iter().any(|line| line["store"] == TRUST));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(world.state().audit()).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn runs_and_rollbacks_cut_off_anywhere_leave_no_gap_and_no_double() {
    let template = empty();
    let mut rollbacks = 0;
    for step in 0.. {
        let world = template.copy();
        let gate = Arc::new(FaultInjector::at(step, InjectedFault::Crash));
        let cut = world.apply(&Disk::behind(gate.clone()));
        let Some(struck) = gate.struck() else {
            assert!(cut.unwrap().is_complete() && step > 60);
            break;
        };
        let world = world.perhaps_moved(step / 2);
        // The next run, or the rollback of this one, completes the log; every third is cut off in its turn.
        if step % 2 == 0 {
            if step % 3 == 0 {
                let again = FaultInjector::at(step / 2, InjectedFault::Crash);
                let _cut = world.apply(&Disk::behind(Arc::new(again)));
            }
        } else {
            let again = FaultInjector::at(if step % 3 == 0 { step / 2 } else { usize::MAX }, InjectedFault::Crash);
            rollbacks += usize::from(world.undo(None, &Disk::behind(Arc::new(again))).is_ok());
        }
        let second = world.apply(&Disk::new()).unwrap();
        assert!(second.is_complete(), "after {struck:?}: {second:#?}");
        assert_eq!(replay(&lines(&world)), stands(&world), "after {struck:?}: {:#?}", lines(&world));
    }
    assert!(rollbacks > 10, "{rollbacks}");
}

#[test]
fn half_a_line_costs_no_other() {
    let world = empty();
    assert!(world.apply(&Disk::new()).unwrap().is_complete());
    let text = fs::read_to_string(world.state().audit()).unwrap();
    fs::write(world.state().audit(), &text[..text.len() - 30]).unwrap();
    let before = lines(&world).len();
    assert!(world.undo(None, &Disk::new()).unwrap().is_complete());
    assert!(lines(&world).len() > before + 2);
    assert!(lines(&world).iter().any(|line| line["event"] == "rollback"));
}

#[test]
fn a_log_that_cannot_be_written_now_is_completed_later() {
    let world = empty();
    let audit = world.state().audit();
    let seen = AtomicUsize::new(0);
    // The second append is that of the first change.
    let gate = FaultInjector::where_it(InjectedFault::NoSpace, move |_, step, path| {
        step == DiskStep::Append && path == audit && seen.fetch_add(1, Ordering::SeqCst) == 1
    });
    let outcomes = world.apply(&Disk::behind(Arc::new(gate))).unwrap();
    assert!(outcomes.troubles.iter().any(|trouble| trouble.contains("audit.jsonl")), "{outcomes:#?}");
    assert_ne!(replay(&lines(&world)), stands(&world));
    let _next = world.apply(&Disk::new()).unwrap();
    assert_eq!(replay(&lines(&world)), stands(&world));
}
