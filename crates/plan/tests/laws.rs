//! Laws that hold for every estate, not only for the scenarios: random stores, random certificates under random
//! aliases, stores that cannot be read, missing sources, and ledgers of earlier runs.

use crate::world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use trustmason_keystore::{Certificate, Entry, EntryKey, EntryKind, Fingerprint, Store};
use trustmason_plan::change::{DeleteReason, Edit};
use trustmason_plan::ledger::{PlacedEntry, PlacedKey, Predecessor};
use trustmason_plan::observed::SourceLook;
use trustmason_plan::outline::{EdgeVerdict, Plan, StoreVerdict};
use trustmason_plan::wire::Document;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{AnchorDef, AuthorityDef, CertificateSource, KeyPlace, Ownership, Subject};
use world::{Disk, HOSTS, Pair, Seed, World, found, host, jks, now, pool};

/// One certificate of the pool.
#[derive(Clone, Copy, Debug)]
enum Pick {
    Good(usize, usize),
    Short(usize),
    Expired(usize),
    Retired(usize),
    Foreign(usize),
    Ca(usize),
    Issued(usize),
    Strange(usize),
    Root,
    Public,
}

/// How many certificates of strangers the pool has.
const STRANGE: usize = 7;

impl Pick {
    fn pair(self) -> Pair {
        let p = pool();
        match self {
            Self::Good(h, age) => p.good[h][age].clone(),
            Self::Short(h) => p.short[h].clone(),
            Self::Expired(h) => p.expired[h].clone(),
            Self::Retired(i) => p.retired[i].clone(),
            Self::Foreign(i) => p.foreign[i].clone(),
            Self::Ca(h) => p.ca[h].clone(),
            Self::Issued(h) => p.issued[h].clone(),
            Self::Strange(i) => p.strange[i].clone(),
            Self::Root => p.root.clone(),
            Self::Public => p.public.clone(),
        }
    }
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        6 => (0..HOSTS, 0..3usize).prop_map(|(h, a)| Pick::Good(h, a)),
        1 => (0..HOSTS).prop_map(Pick::Short),
        1 => (0..HOSTS).prop_map(Pick::Expired),
        1 => (0..2usize).prop_map(Pick::Retired),
        2 => (0..3usize).prop_map(Pick::Foreign),
        1 => (0..HOSTS).prop_map(Pick::Ca),
        1 => (0..HOSTS).prop_map(Pick::Issued),
        2 => (0..STRANGE).prop_map(Pick::Strange),
        1 => Just(Pick::Root),
        1 => Just(Pick::Public),
    ]
}

fn alias() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0..HOSTS).prop_map(|i| format!("{}_wsm", host(i))),
        3 => (0..HOSTS).prop_map(|i| format!("{}_iis", host(i))),
        3 => (0..HOSTS).prop_map(|i| host(i).to_string()),
        1 => Just("wsm".to_owned()),
        1 => Just("aw_cert".to_owned()),
        2 => (0..4usize).prop_map(|i| format!("somebody {i}")),
        1 => (0..TRACES.len()).prop_map(|i| TRACES[i].to_owned()),
    ]
}

#[derive(Clone, Debug)]
struct StoreCase {
    entries: Vec<(String, Pick, bool)>,
    state: u8,
}

fn store_case() -> impl Strategy<Value = StoreCase> {
    (prop::collection::vec((alias(), pick(), prop::bool::weighted(0.1)), 0..7), 0..12u8)
        .prop_map(|(entries, state)| StoreCase { entries, state })
}

#[derive(Clone, Debug)]
struct Case {
    hosts: usize,
    cacerts: Vec<StoreCase>,
    keystores: Vec<StoreCase>,
    wsm: Vec<Option<Pick>>,
    iis: Vec<Option<Pick>>,
    unreachable: Vec<bool>,
    distrust: Vec<Pick>,
    placed: Vec<(usize, String, Pick)>,
    /// Entries that are there, by store and number, and that the ledger has as placed.
    recorded: Vec<(usize, usize)>,
    predecessors: Vec<(Pick, usize)>,
    exclusive: bool,
    authority: bool,
    /// Entries of another tool in a truster: the host's number, the number of the alias, and the host whose `iis` it is.
    traces: Vec<(usize, usize, usize)>,
}

/// The aliases of another tool.
const TRACES: [&str; 3] = ["util-host-443", "Util-Host-7890", "util-rootca-for-host"];

fn case() -> impl Strategy<Value = Case> {
    (
        2..=HOSTS,
        prop::collection::vec(store_case(), HOSTS),
        prop::collection::vec(store_case(), HOSTS),
        prop::collection::vec(prop::option::weighted(0.9, pick()), HOSTS),
        prop::collection::vec(prop::option::weighted(0.9, pick()), HOSTS),
        prop::collection::vec(prop::bool::weighted(0.08), HOSTS),
        prop::collection::vec(pick(), 0..2),
        (prop::collection::vec((0..HOSTS, alias(), pick()), 0..4), prop::collection::vec((0..HOSTS, 0..7usize), 0..4)),
        prop::collection::vec((pick(), 0..HOSTS), 0..3),
        (
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.4),
            prop::collection::vec((0..HOSTS, 0..TRACES.len(), 0..HOSTS), 0..5),
        ),
    )
        .prop_map(
            |(hosts, cacerts, keystores, wsm, iis, unreachable, distrust, (placed, recorded), predecessors, flags)| {
                Case {
                    hosts,
                    cacerts,
                    keystores,
                    wsm,
                    iis,
                    unreachable,
                    distrust,
                    placed,
                    recorded,
                    predecessors,
                    exclusive: flags.0,
                    authority: flags.1,
                    traces: flags.2,
                }
            },
        )
}

fn bytes(case: &StoreCase, key: Option<Pick>) -> Disk {
    match case.state {
        0 => return Disk::Absent,
        1 => return Disk::Unreadable,
        _ => {}
    }
    let mut seeds: Vec<Seed> = key.map(|k| Seed::Key("wsm".to_owned(), k.pair(), "changeit")).into_iter().collect();
    for (alias, pick, is_key) in &case.entries {
        seeds.push(if *is_key {
            Seed::Key(alias.clone(), pick.pair(), "changeit")
        } else {
            Seed::Trusted(alias.clone(), pick.pair())
        });
    }
    Disk::File(jks(&seeds))
}

fn world(case: &Case) -> World {
    let mut world = World::new(case.hosts);
    for i in 0..case.hosts {
        let mut cacerts = case.cacerts[i].clone();
        for (_, alias, of) in case.traces.iter().filter(|(at, ..)| *at == i) {
            cacerts.entries.extend(case.iis[*of].map(|pick| (TRACES[*alias].to_owned(), pick, false)));
        }
        world.disk.insert(StoreId::new(host(i), "cacerts"), bytes(&cacerts, None));
        world.disk.insert(StoreId::new(host(i), "keystore"), bytes(&case.keystores[i], case.wsm[i]));
        let look = match case.iis[i] {
            Some(pick) => found(&pick.pair()),
            None => SourceLook::Missing { folder: "certs".into(), names: vec!["x".to_owned()], near: None },
        };
        world.sources.insert(Subject::Identity(IdentityId::new(host(i), "iis")), look);
        if case.unreachable[i] {
            world.unreachable.insert(host(i));
        }
        if case.exclusive {
            world.topology.stores.get_mut(&StoreId::new(host(i), "keystore")).unwrap().ownership = Ownership::Exclusive;
        }
    }
    if case.authority {
        let root = AnchorDef { file: "root.pem".into(), sha256: Some(pool().root.print()), unconstrained: false };
        let def = AuthorityDef {
            root,
            intermediates: Vec::new(),
            requests_dir: Some("requests".into()),
            inbox: Some("inbox".into()),
            sign_with: None,
        };
        world.topology.authorities.insert("acme-ca".to_owned(), def);
        world.sources.insert(Subject::Certificate(AuthorityDef::root("acme-ca")), found(&pool().root));
    }
    for pick in &case.distrust {
        world.topology.distrust.insert(pick.pair().print(), "test".to_owned());
    }
    let recorded = case.recorded.iter().filter_map(|(i, n)| {
        let (alias, pick, _) = case.cacerts[*i].entries.get(*n)?;
        Some((*i, alias.clone(), *pick))
    });
    for (i, alias, pick) in case.placed.iter().cloned().chain(recorded) {
        let placed = PlacedEntry { sha256: pick.pair().print(), rule: "T1".to_owned(), run: world::run(), at: now() };
        world
            .ledger
            .placed
            .entry(StoreId::new(host(i), "cacerts"))
            .or_default()
            .insert(PlacedKey::from(&EntryKey::Alias(alias.into())), placed);
    }
    for (pick, i) in &case.predecessors {
        let predecessor = Predecessor {
            identity: IdentityId::new(host(*i), "wsm"),
            replaced_by: pick.pair().print(),
            run: Some(world::run()),
            at: now(),
            staged: false,
        };
        world.ledger.predecessors.insert(pick.pair().print(), predecessor);
    }
    world
}

fn json(plan: &Plan) -> String {
    serde_json::to_string(&Document::of(plan, "test")).unwrap()
}

/// Alias, creation date, kind, certificates, and whether a protected key is there.
type Line = (Option<String>, Option<i64>, String, Vec<Fingerprint>, bool);

/// The part of a store that must survive: everything that the plan does not name, down to the protected key.
fn untouched(store: &Store, plan: &Plan, id: &StoreId) -> Vec<Line> {
    let touched: BTreeSet<usize> = plan
        .changes
        .iter()
        .filter(|c| c.store == *id)
        .flat_map(|c| match &c.edit {
            Edit::Replace { entries, .. } => entries.clone(),
            Edit::Rename { entry, .. } | Edit::Delete { entry, .. } => vec![*entry],
            Edit::InstallKey { entry, .. } => entry.iter().copied().collect(),
            Edit::Import { .. } => Vec::new(),
        })
        .map(|e| e.position())
        .collect();
    store
        .entries()
        .iter()
        .filter(|e| !touched.contains(&e.id.position()))
        .map(|e| {
            let prints = e.certificates().iter().map(trustmason_keystore::CertificateSlot::fingerprint).collect();
            (
                e.alias.clone().map(String::from),
                e.created_ms,
                e.kind.as_str().to_owned(),
                prints,
                store.sealed_key(e.id).is_some(),
            )
        })
        .collect()
}

/// Whether every name of a certificate is the full name of a host that left, or a short name beside it. Never true for
/// a CA.
fn names_only_the_gone(certificate: &Certificate) -> bool {
    let full = |name: &String| ["gone0.acme.example", "gone1.acme.example"].contains(&name.as_str());
    let names = certificate.names_in_full();
    let short = |name: &String| names.iter().any(|long| full(long) && long.split('.').next() == Some(name.as_str()));
    !certificate.is_ca() && names.iter().any(full) && names.iter().all(|name| full(name) || short(name))
}

/// Whether a host of the estate presents a certificate, as far as it can be seen, and goes on presenting it.
fn is_presented(world: &World, plan: &Plan, print: Fingerprint) -> bool {
    let anew = |id: &IdentityId| {
        plan.changes.iter().any(|c| matches!(&c.edit, Edit::InstallKey { identity, .. } if identity == id))
    };
    world.topology.identities.values().filter(|def| !anew(&def.id)).any(|def| match &def.source {
        CertificateSource::KeyEntry(KeyPlace { store, at }) => {
            !world.unreachable.contains(&store.host)
                && world.open(store).is_some_and(|open| {
                    let of_key = |entry: &&Entry| {
                        matches!(entry.kind, EntryKind::PrivateKey { .. }) && entry.alias == at.stored()
                    };
                    open.entries()
                        .iter()
                        .rev()
                        .find(of_key)
                        .is_some_and(|entry| entry.certificates()[0].fingerprint() == print)
                })
        }
        CertificateSource::Exported { .. } | CertificateSource::File(_) => {
            let look = world.sources.get(&Subject::Identity(def.id.clone()));
            matches!(look, Some(SourceLook::Found { certificate, .. }) if certificate.fingerprint() == print)
        }
    })
}

/// Whether anything in this case allows the removal of a certificate.
fn may_leave(case: &Case, world: &World, id: &StoreId, certificate: &Certificate, alias: &str) -> bool {
    let print = certificate.fingerprint();
    let names = |picks: &mut dyn Iterator<Item = Pick>| picks.map(|p| p.pair().print()).any(|f| f == print);
    let retired = names_only_the_gone(certificate);
    let distrusted = world.topology.distrust.contains_key(&print);
    // The ledger alone is no reason to remove a public root.
    let public = world.topology.public_roots.contains(&print);
    let placed = world.ledger.placed(id, &EntryKey::Alias(alias.into()), print) && !public;
    let predecessor = names(&mut case.predecessors.iter().map(|(pick, _)| *pick)) && !public;
    // This plan may replace the certificate that an identity has now.
    let current = names(&mut case.wsm.iter().take(case.hosts).flatten().copied())
        || names(&mut case.keystores.iter().flat_map(|s| &s.entries).filter(|e| e.0 == "wsm" && e.2).map(|e| e.1));
    let held = case.exclusive && id.name == "keystore";
    let host_slot = (0..case.hosts).any(|i| {
        let own = certificate.names_host(host(i).as_str());
        let name = host(i);
        own && (alias.starts_with(name.as_str()) || alias == "aw_cert")
    });
    // An entry of another tool is renamed, and deleted if it is left over, for exactly the certificate that an edge wants.
    let authority = if case.authority { vec![pool().root.print()] } else { Vec::new() };
    let wanted = case.iis.iter().take(case.hosts).flatten().map(|pick| pick.pair().print());
    let traced = alias.to_lowercase().starts_with("util-") && wanted.chain(authority).any(|wanted| wanted == print);
    retired || distrusted || placed || predecessor || current || held || host_slot || traced
}

/// Whether the plan does not judge a store.
fn unread(plan: &Plan, id: &StoreId) -> bool {
    plan.stores.iter().any(|view| view.id == *id && matches!(view.verdict, StoreVerdict::Blocked(_)))
}

/// Whether a certificate may be that of a subject: the subject presents it, or one of its names may mean the subject's host.
fn may_mean(plan: &Plan, subject: &str, certificate: &Certificate) -> bool {
    let view = plan.identities.iter().find(|view| view.id.to_string() == subject);
    let presents = |print| view.and_then(|view| view.certificate.as_ref()).is_some_and(|c| c.fingerprint() == print);
    let host = subject.split('/').next().unwrap_or_default();
    let names = certificate.names_in_full();
    let label = |name: &String| host.split('.').next() == Some(name.as_str());
    presents(certificate.fingerprint())
        || names.iter().any(|name| name == host || label(name) || name.starts_with("*."))
}

/// The changes of a plan, one a line.
fn brief(plan: &Plan) -> String {
    plan.changes.iter().map(|c| format!("{}: {c} ({})\n", c.store, c.reason)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_estate_converges_and_loses_nothing(case in case()) {
        let mut world = world(&case);
        let plan = world.plan();

        // The same input gives the same plan, to the byte. The order in which edges are listed does not matter.
        prop_assert_eq!(json(&plan), json(&world.plan()));
        world.topology.edges.reverse();
        prop_assert_eq!(json(&plan), json(&world.plan()));
        world.topology.edges.reverse();

        // A store that is not known is never written.
        for view in &plan.stores {
            let seen = matches!(world.disk.get(&view.id), Some(Disk::File(_))) && !world.unreachable.contains(&view.id.host);
            if !seen {
                prop_assert!(matches!(view.verdict, StoreVerdict::Blocked(_)));
                prop_assert!(!plan.changes.iter().any(|c| c.store == view.id));
            }
        }

        // Every added certificate is wanted by an edge.
        for change in &plan.changes {
            if let Edit::Import { .. } | Edit::Replace { .. } = change.edit {
                let wanted = plan.edges.iter().any(|e| e.store == change.store && e.verdict == EdgeVerdict::Change(change.id));
                prop_assert!(wanted);
            }
        }

        // Only certificates that are ours are removed, and never a key.
        for change in &plan.changes {
            let entries = match &change.edit {
                Edit::Replace { entries, .. } => entries.clone(),
                Edit::Rename { entry, .. } | Edit::Delete { entry, .. } => vec![*entry],
                Edit::Import { .. } | Edit::InstallKey { .. } => continue,
            };
            let store = world.open(&change.store).unwrap();
            for id in entries {
                let entry = store.entry(id).unwrap();
                prop_assert!(matches!(entry.kind, EntryKind::Trusted(_)));
                let certificate = entry.certificates()[0].certificate().unwrap();
                let print = certificate.fingerprint();
                let alias = entry.alias.as_deref().unwrap_or_default();
                prop_assert!(may_leave(&case, &world, &change.store, certificate, alias), "{} {:?}", change, change.reason);
                if let Edit::Delete { because: DeleteReason::Retired, .. } = change.edit {
                    prop_assert!(names_only_the_gone(certificate), "{} {:?}", change, change.reason);
                    prop_assert!(!is_presented(&world, &plan, print), "{} {:?}", change, change.reason);
                }
            }
        }

        // A blocked edge keeps the entries at its aliases as they are.
        for edge in plan.edges.iter().filter(|e| matches!(e.verdict, EdgeVerdict::Blocked(_))) {
            let touched = plan.changes.iter().any(|c| {
                c.store == edge.store && c.alias == edge.alias.clone().map(Into::into) && !matches!(c.edit, Edit::Delete { .. })
            });
            prop_assert!(!touched, "{}", edge.id);
        }

        // Untouched entries stay as they are, and keys stay in every case.
        let before: Vec<_> = world.topology.stores.keys().cloned().filter_map(|id| world.open(&id).map(|s| (id, s))).collect();
        world.apply(&plan);
        for (id, old) in before {
            let new = world.open(&id).unwrap();
            let kept = untouched(&old, &plan, &id);
            let now: Vec<_> = untouched(&new, &world.plan_of_nothing(), &id);
            let mut rest = now.iter();
            for entry in &kept {
                prop_assert!(rest.any(|e| e == entry), "{id}: {entry:?} is gone or has moved");
            }
            for entry in old.entries().iter().filter(|e| matches!(e.kind, EntryKind::PrivateKey { .. })) {
                let regenerated = plan.changes.iter().any(|c| matches!(&c.edit, Edit::InstallKey { entry: Some(e), .. } if c.store == id && *e == entry.id));
                if !regenerated {
                    let key = old.open_key(entry.id, &world::password()).unwrap().pkcs8;
                    prop_assert!(new.entries().iter().any(|e| e.alias == entry.alias && new.open_key(e.id, &world::password()).is_ok_and(|k| k.pkcs8 == key)));
                }
            }
        }

        // One run is enough: the next plan is empty, and no identity is renewed for ever.
        let again = world.plan();
        prop_assert!(again.changes.is_empty(), "left to do: {}\nfirst: {}", brief(&again), brief(&plan));
        // Another tool's entry of a certificate that an edge of its store holds is gone, or has that edge's alias. It stays
        // only while an edge that is not served may need it.
        for id in world.topology.stores.keys() {
            let edges: Vec<_> = again.edges.iter().filter(|e| e.store == *id).collect();
            let (held, unserved): (Vec<_>, Vec<_>) = edges.into_iter().partition(|e| e.verdict == EdgeVerdict::Held);
            let Some(store) = world.open(id).filter(|_| !unread(&again, id)) else { continue };
            for entry in store.entries().iter().filter(|e| matches!(e.kind, EntryKind::Trusted(_))) {
                let traced = entry.alias.as_ref().is_some_and(|alias| alias.fold().as_str().starts_with("util-"));
                let certificate = entry.certificates()[0].certificate().unwrap();
                let wanted = held.iter().any(|e| e.sha256 == Some(certificate.fingerprint()));
                let needed = unserved.iter().any(|e| may_mean(&again, &e.subject, certificate));
                prop_assert!(!traced || !wanted || needed, "{id} {:?}", entry.alias);
            }
        }
        // Every edge that got a change is held now.
        for edge in plan.edges.iter().filter(|e| matches!(e.verdict, EdgeVerdict::Change(_))) {
            let now = again.edges.iter().find(|e| e.id == edge.id).unwrap();
            prop_assert_eq!(&now.verdict, &EdgeVerdict::Held);
        }
    }
}

impl World {
    /// A plan without changes, to list a whole store.
    fn plan_of_nothing(&self) -> Plan {
        let mut plan = self.plan();
        plan.changes.clear();
        plan
    }
}
