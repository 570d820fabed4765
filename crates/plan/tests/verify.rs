//! A plan that contradicts itself is found out: sound plans, each broken in one way.

use crate::world;

use std::collections::BTreeMap;
use std::sync::Arc;

use trustmason_keystore::Certificate;
use trustmason_plan::change::{Change, ChangeId, DeleteReason, Edit, EntryAfter, Material, Phase};
use trustmason_plan::finding::FindingKind;
use trustmason_plan::observed::StoreLook;
use trustmason_plan::outline::{
    Blocked, EdgeVerdict, IdentityVerdict, IdentityView, ManualKind, Obstacle, Plan, StoreVerdict, UnchangedTrusters,
    Wait,
};
use trustmason_plan::verify;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Exported, Rotation, Subject};
use trustmason_spec::windows::SystemPlace;
use world::{World, edge, exported, found, host, judged, now, pool, store_def};

/// A plan with every part: one identity is renewed at once, another begins a rotation in stages, and people fill two
/// stores that are one store of their system, and renew an identity.
fn plan() -> Plan {
    let mut world = World::new(2);
    let plan = world.plan();
    world.apply(&plan);
    world.ack_all();
    let wsm = |i| IdentityId::new(host(i), "wsm");
    world.topology.identities.get_mut(&wsm(1)).unwrap().rotation = Rotation::Staged;
    world.options.replace = vec![wsm(0), wsm(1)];
    let ids = ["windows-root", "mscapi"].map(|name| {
        let mut def = store_def(&host(0), name);
        def.reach = exported(&def.id, Exported::System(SystemPlace::machine()));
        let id = def.id.clone();
        world.topology.stores.insert(id.clone(), def);
        for identity in [wsm(0), IdentityId::new(host(0), "iis")] {
            world.topology.edges.push(edge(&id, Subject::Identity(identity), None, &[]));
        }
        id
    });
    let ended = Subject::Identity(IdentityId::new(host(1), "iis"));
    world.sources.insert(ended, found(&pool().expired[1]));
    let mut observed = world.look();
    observed.stores.extend(ids.map(|id| (id, StoreLook::Unobserved)));
    judged(&world.topology, &observed, &world.options, now())
}

/// A certificate that no change of the plan adds.
fn other() -> Arc<Certificate> {
    Arc::clone(&pool().retired[0].certificate)
}

fn first(plan: &mut Plan, is: impl Fn(&Edit) -> bool) -> &mut Change {
    plan.changes.iter_mut().find(|change| is(&change.edit)).unwrap()
}

fn replaces(edit: &Edit) -> bool {
    matches!(edit, Edit::Replace { .. })
}

fn imports(edit: &Edit) -> bool {
    matches!(edit, Edit::Import { .. })
}

/// The same change once more, with a number of its own.
fn again(plan: &mut Plan, is: impl Fn(&Edit) -> bool) {
    let mut change = first(plan, is).clone();
    change.id = ChangeId(98);
    let store = plan.stores.iter_mut().find(|store| store.id == change.store).unwrap();
    let StoreVerdict::Change(ids) = &mut store.verdict else { panic!("{store:?}") };
    ids.push(change.id);
    plan.changes.push(change);
}

/// A replacement, turned into a deletion of a stale entry.
fn deleted(plan: &mut Plan, because: DeleteReason) -> &mut Change {
    let change = first(plan, replaces);
    let Edit::Replace { entries, .. } = &change.edit else { panic!() };
    change.edit = Edit::Delete { entry: entries[0], because };
    change.after = EntryAfter::Gone;
    change.finding = FindingKind::Stale;
    change
}

fn regenerates(edit: &Edit) -> bool {
    matches!(edit, Edit::InstallKey { .. })
}

fn material(plan: &mut Plan, new: Material) {
    let Edit::Replace { material, .. } = &mut first(plan, replaces).edit else { panic!() };
    *material = new;
}

fn identity<'p>(plan: &'p mut Plan, name: &str) -> &'p mut IdentityView {
    let id = IdentityId::new(host(0), name);
    plan.identities.iter_mut().find(|view| view.id == id).unwrap()
}

/// The broken part, how it is broken, and the report of it.
type Break = (&'static str, fn(&mut Plan), &'static str);

const BREAKS: &[Break] = &[
    ("a store twice", |p| p.stores.push(p.stores[0].clone()), "two stores"),
    ("an edge twice", |p| p.edges.push(p.edges[0].clone()), "two edges"),
    ("an identity twice", |p| p.identities.push(p.identities[0].clone()), "two identities"),
    ("a change's number twice", |p| p.changes[1].id = p.changes[0].id, "two changes `1`"),
    ("a pack twice", |p| p.manual.push(p.manual[0].clone()), "two packs for"),
    ("a restart twice", |p| p.restarts.push(p.restarts[0].clone()), "two restarts"),
    ("a barrier twice", |p| p.barriers.push(p.barriers[0].clone()), "two barriers"),
    (
        "a store's change that is not there",
        |p| {
            p.stores.iter_mut().for_each(|s| {
                if let StoreVerdict::Change(ids) = &mut s.verdict {
                    ids.push(ChangeId(99))
                }
            })
        },
        "speaks of change 99",
    ),
    ("a change no store has", |p| p.stores[0].verdict = StoreVerdict::InSync, "does not have it"),
    (
        "a change of another store",
        |p| {
            let other = StoreId::new(host(1), "keystore");
            p.changes.iter_mut().find(|change| change.store != other).unwrap().store = other.clone();
        },
        "is one of h1.acme.example/keystore",
    ),
    (
        "a written store that is not expected to be anything",
        |p| p.stores.iter_mut().for_each(|s| s.expect = None),
        "nothing it is expected to be",
    ),
    ("a change's certificate", |p| material(p, Material::Known(other())), "is not what it puts there"),
    (
        "a change's new certificate",
        |p| material(p, Material::Minted(IdentityId::new(host(0), "iis"))),
        "a new certificate of h0.acme.example/iis",
    ),
    ("a new key", |p| p.mints.clear(), "a new key of h0.acme.example/wsm"),
    (
        "a key for another store",
        |p| p.mints.values_mut().for_each(|mint| mint.place.store = StoreId::new(host(0), "cacerts")),
        "goes to h0.acme.example/cacerts",
    ),
    (
        "a key of another identity",
        |p| p.mints.values_mut().for_each(|mint| mint.identity = IdentityId::new(host(0), "iis")),
        "is one of h0.acme.example/iis",
    ),
    (
        "a resumed key",
        |p| p.mints.values_mut().for_each(|mint| mint.resumed = Some(other())),
        "another key of h0.acme.example/wsm is resumed",
    ),
    (
        "what stands there afterwards",
        |p| first(p, replaces).after = EntryAfter::Gone,
        "what stands there afterwards is not what it puts there",
    ),
    (
        "another certificate afterwards",
        |p| {
            let change = first(p, replaces);
            change.after = EntryAfter::Known(change.before.clone().unwrap());
            let Edit::Replace { material, .. } = &mut change.edit else { panic!() };
            *material = Material::Known(other());
        },
        "what stands there afterwards is not what it puts there",
    ),
    ("an entry in two changes", |p| again(p, replaces), "another change is about the same entry"),
    ("an alias given twice", |p| again(p, imports), "another change gives the same alias"),
    (
        "a replacement of nothing",
        |p| {
            let Edit::Replace { entries, .. } = &mut first(p, replaces).edit else { panic!() };
            entries.clear();
        },
        "it replaces nothing",
    ),
    (
        "a deletion of what an edge holds",
        |p| {
            let change = deleted(p, DeleteReason::Predecessor);
            let (store, alias) = (change.store.clone(), change.alias.take());
            change.alias = alias.as_ref().map(|alias| alias.to_uppercase().into());
            let sha256 = change.before.as_ref().unwrap().sha256;
            let edge = p.edges.iter_mut().find(|edge| edge.store == store).unwrap();
            edge.alias = alias.map(|alias| alias.fold());
            edge.sha256 = Some(sha256);
            edge.verdict = EdgeVerdict::Held;
        },
        "it deletes what edge",
    ),
    (
        "a deletion without a reason",
        |p| _ = deleted(p, DeleteReason::Distrust),
        "distrust is no reason to delete what is stale",
    ),
    (
        "a deletion of nobody knows what",
        |p| deleted(p, DeleteReason::Predecessor).before = None,
        "nobody can say which certificate it deletes",
    ),
    ("a change that is waited for", |p| first(p, replaces).depends_on.push(ChangeId(99)), "speaks of change 99"),
    (
        "a circle",
        |p| {
            let follower = first(p, replaces).clone();
            first(p, regenerates).depends_on.push(follower.id);
            assert!(!follower.depends_on.is_empty());
        },
        "waits for itself",
    ),
    ("an edge's store", |p| p.edges[0].store = StoreId::new(host(1), "gone"), "store h1.acme.example/gone"),
    ("an edge's change", |p| p.edges[0].verdict = EdgeVerdict::Change(ChangeId(99)), "speaks of change 99"),
    (
        "an edge of another store's change",
        |p| {
            let (id, store) = (p.changes[0].id, p.changes[0].store.clone());
            p.edges.iter_mut().find(|e| e.store != store).unwrap().verdict = EdgeVerdict::Change(id);
        },
        "is one of",
    ),
    (
        "an identity's change",
        |p| identity(p, "wsm").verdict = IdentityVerdict::Change(ChangeId(99)),
        "identity h0.acme.example/wsm speaks of change 99",
    ),
    (
        "an identity's change that gives it no key",
        |p| {
            let id = first(p, imports).id;
            identity(p, "wsm").verdict = IdentityVerdict::Change(id);
        },
        "gives it no key",
    ),
    (
        "a key that is made and is not there",
        |p| identity(p, "iis").verdict = IdentityVerdict::Begins,
        "identity h0.acme.example/iis speaks of a new key",
    ),
    (
        "a key for an identity that gets none",
        |p| identity(p, "wsm").verdict = IdentityVerdict::Rests,
        "the new key of h0.acme.example/wsm: the identity gets none",
    ),
    ("a finding's change", |p| p.findings[0].change = Some(ChangeId(99)), "speaks of change 99"),
    (
        "work of the wrong kind",
        |p| p.manual.iter_mut().for_each(|work| work.kind = ManualKind::Export),
        "not done to one store",
    ),
    ("a pack's store", |p| p.stores.retain(|s| s.id.name != "mscapi"), "speaks of store h0.acme.example/mscapi"),
    (
        "a pack's new certificate",
        |p| drop(p.mints.remove(&IdentityId::new(host(0), "wsm"))),
        "the work on h0.acme.example/mscapi speaks of a new certificate",
    ),
    ("another pack", |p| p.manual.retain(|w| w.target().name() != "mscapi"), "the pack for h0.acme.example/mscapi"),
    (
        "what is behind a restart",
        |p| p.restarts[0].because.push(ChangeId(99)),
        "the restart of h0.acme.example/tomcat speaks of change 99",
    ),
    (
        "nothing behind a restart",
        |p| {
            p.restarts[0].because.clear();
            p.restarts[0].rotation = false;
        },
        "nothing is behind it",
    ),
    (
        "a restart that is waited for",
        |p| p.barriers[0].waits_for.push(Wait::Restart(ServiceId::new(host(0), "gone"))),
        "speaks of the restart of h0.acme.example/gone",
    ),
    (
        "a hand-off that is waited for",
        |p| {
            let wait = Wait::HandOff(p.manual[0].called.clone());
            p.barriers[0].waits_for.push(wait);
            p.manual.remove(0);
        },
        "speaks of the hand-off of h0.acme.example/mscapi",
    ),
    (
        "a reply that is waited for",
        |p| p.barriers[0].waits_for.push(Wait::Reply(IdentityId::new(host(0), "gone"))),
        "speaks of the reply for h0.acme.example/gone",
    ),
    (
        "stores that a renewal leaves as they are, and changes",
        |p| {
            let one = p.forecast.iter().find(|one| one.phase == Phase::Withdraw).unwrap().identity.clone();
            let view = p.identities.iter_mut().find(|view| view.id == one).unwrap();
            view.unchanged = Some(UnchangedTrusters { authority: "corp-ca".to_owned(), replied: true });
        },
        "the stores that trust h1.acme.example/wsm: they do not change, and",
    ),
    ("imports", |p| p.summary.import += 1, "to import"),
    ("replacements", |p| p.summary.replace += 1, "to replace"),
    ("renames", |p| p.summary.rename += 1, "to rename"),
    ("deletions", |p| p.summary.delete += 1, "to delete"),
    ("regenerations", |p| p.summary.regenerate = 0, "the summary says 0 to regenerate, the plan has 1"),
    ("installations", |p| p.summary.install += 1, "to install"),
    ("requests", |p| p.summary.request += 1, "to request"),
    ("a request of an identity", |p| identity(p, "iis").verdict = IdentityVerdict::Requests, "to request"),
    (
        "an identity that waits",
        |p| identity(p, "iis").verdict = IdentityVerdict::Waits { obstacle: None },
        "the summary says 0 waiting, the plan has 1",
    ),
    ("what has waited", |p| p.summary.waiting += 1, "the summary says 1 waiting, the plan has 0"),
    (
        "an identity that is blocked",
        |p| {
            let obstacle = Obstacle { kind: FindingKind::AliasConflict, why: "held".to_owned() };
            identity(p, "iis").verdict = IdentityVerdict::Blocked(obstacle);
        },
        "blocked",
    ),
    (
        "what is said to be blocked",
        |p| p.blocked.push(Blocked { what: "x".to_owned(), kind: FindingKind::AliasConflict, why: "held".to_owned() }),
        "the list of what is blocked",
    ),
    ("what is unchanged", |p| p.summary.unchanged += 1, "unchanged"),
    ("what is by hand", |p| p.summary.manual = 0, "by hand"),
    ("what nobody sees", |p| p.summary.unobserved = 0, "unobserved"),
    ("what waits", |p| p.manual.iter_mut().for_each(|work| work.waiting_since = Some(now())), "waiting"),
    (
        "what is blocked",
        |p| {
            let why = trustmason_plan::Why::StoreMissing { path: "x".to_owned(), variables: Vec::new() };
            p.stores.iter_mut().for_each(|store| store.verdict = StoreVerdict::Blocked(why.clone()));
        },
        "blocked",
    ),
];

#[test]
fn each_contradiction_is_told() {
    let sound = plan();
    let kinds: BTreeMap<&str, usize> = sound.changes.iter().fold(BTreeMap::new(), |mut kinds, change| {
        *kinds.entry(change.edit.action().as_str()).or_default() += 1;
        kinds
    });
    assert!(kinds.contains_key("import") && kinds.contains_key("replace") && kinds["regenerate"] == 1, "{kinds:?}");
    for (what, breaks, said) in BREAKS {
        let mut broken = sound.clone();
        breaks(&mut broken);
        let defects: Vec<String> = verify(&broken).iter().map(ToString::to_string).collect();
        assert!(defects.iter().any(|defect| defect.contains(said)), "{what}: nothing says {said:?}: {defects:#?}");
    }
}
