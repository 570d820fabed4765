//! Every state that a rotation can reach on a small estate, searched to the end with the real planner, the real ledger
//! and the real judgement of rollbacks. The search covers these events in any order:
//!
//! - a run is cut off after any store, and the disk may be away when the next command asks what the run did;
//! - any service restarts at any time, also without a request, and while a run is at work;
//! - people acknowledge the barriers' restarts in any order;
//! - runs are rolled back one after the other, rollbacks are cut off, and rollbacks are rolled back themselves;
//! - an earlier state folder, or none, replaces the present one.
//!
//! In each state every client trusts, by the store that it last read, the certificate that its server presents, by the
//! key that the server last read. From each state the rotation can be brought to its end.
//!
//! Worlds in which the check must fail show that it can fail: an immediate rotation, a restart that was acknowledged
//! and not done, a profile that forgot which service reads a store, a program that forgets what it did on a disk that
//! is away, and one that rolls back without asking who would break.

mod rules;
mod search;
mod state;

use crate::world;

use std::collections::BTreeSet;

use rules::{People, Program, Rules, Truth};
use search::search;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Rotation, Subject};
use world::{World, host};

const RULES: Rules = Rules { people: People::Honest, program: Program::Real, keeps: 2, away: true, again: true };

/// For worlds in which every state under all rules would take many minutes. If `TRUSTMASON_MODEL` is set, more of them
/// is searched.
const FEWER: Rules = Rules { keeps: 1, away: false, again: false, ..RULES };

/// Hosts whose stores trust one another's `wsm` where `trusts` says so. The identities of the hosts in `rotate` are
/// asked for with `--replace`.
fn estate(hosts: usize, trusts: impl Fn(usize, usize, &str) -> bool, rotate: &[usize], rotation: Rotation) -> World {
    let mut world = World::new(hosts);
    world.topology.edges.retain(|e| {
        let Subject::Identity(id) = &e.subject else { return false };
        let number = |name: &str| (0..hosts).find(|i| host(*i).as_str() == name).unwrap();
        id.name == "wsm" && trusts(number(e.store.host.as_str()), number(id.host.as_str()), &e.store.name)
    });
    let used: BTreeSet<StoreId> = world.topology.edges.iter().map(|e| e.store.clone()).collect();
    world.topology.stores.retain(|id, _| used.contains(id) || id.name == "keystore");
    world.topology.identities.retain(|id, _| id.name == "wsm");
    world.sources.clear();
    for def in world.topology.identities.values_mut() {
        def.rotation = rotation;
    }
    let plan = world.plan();
    world.apply(&plan);
    world.ack_all();
    world.ledger.acks.clear();
    assert!(world.plan().is_settled());
    world.options.replace = rotate.iter().map(|i| IdentityId::new(host(*i), "wsm")).collect();
    world
}

/// One server and two clients.
fn star(rotation: Rotation) -> World {
    estate(3, |truster, subject, store| subject == 0 && truster != 0 && store == "cacerts", &[0], rotation)
}

/// Two servers that trust each other in the store that holds their own key.
fn mutual(rotation: Rotation) -> World {
    estate(2, |truster, subject, store| truster != subject && store == "keystore", &[0, 1], rotation)
}

/// One server and one client.
fn pair(rotation: Rotation) -> World {
    estate(2, |truster, subject, store| subject == 0 && truster != 0 && store == "cacerts", &[0], rotation)
}

/// A world, with the rules for the search in ordinary tests and under `TRUSTMASON_MODEL`.
struct Case {
    name: &'static str,
    world: World,
    rules: Rules,
    whole: Rules,
    /// Whether earlier state folders are put back.
    restores: bool,
    /// The number of states that the search must exceed.
    least: usize,
}

fn holds(case: Case) {
    let Case { name, world, rules, whole, restores, least } = case;
    let truth = Truth::of(&world.topology);
    let rules = if std::env::var_os("TRUSTMASON_MODEL").is_some() { whole } else { rules };
    let searched = search(world, &truth, rules, restores);
    assert_eq!(searched.broken, None);
    let text = format!(
        "{name}, backups of {} kept{}{}{}: {} states, {} of them ends",
        if rules.keeps == 1 { "1 run".to_owned() } else { format!("{} runs", rules.keeps) },
        if rules.away { ", disks away" } else { "" },
        if rules.again { ", rollbacks rolled back" } else { "" },
        if restores { ", with restores" } else { "" },
        searched.states,
        searched.ends
    );
    assert!(searched.ends > 0 && searched.states > least, "{text}");
    if let Some(path) = std::env::var_os("TRUSTMASON_REPORT") {
        let mut report = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut report, format!("{text}\n").as_bytes()).unwrap();
    }
    println!("{text}");
}

fn breaks(world: World, rules: Rules) -> Vec<String> {
    let truth = Truth::of(&world.topology);
    search(world, &truth, rules, false).broken.unwrap()
}

#[test]
fn one_server_and_one_client_never_lose_one_another_whatever_state_folder_is_put_back() {
    holds(Case {
        name: "one server, one client",
        world: pair(Rotation::Staged),
        rules: RULES,
        whole: RULES,
        restores: true,
        least: 3_000,
    });
}

#[test]
fn one_server_and_two_clients_never_lose_one_another() {
    holds(Case {
        name: "one server, two clients",
        world: star(Rotation::Staged),
        rules: FEWER,
        whole: RULES,
        restores: false,
        least: 2_000,
    });
}

#[test]
fn two_servers_that_trust_each_other_never_lose_one_another() {
    needs!(Full);
    holds(Case {
        name: "two servers that trust each other",
        world: mutual(Rotation::Staged),
        rules: FEWER,
        whole: Rules { away: true, ..FEWER },
        restores: false,
        least: 5_000,
    });
}

#[test]
fn the_check_sees_an_immediate_rotation_break() {
    for world in [star(Rotation::Immediate), mutual(Rotation::Immediate)] {
        let _ = breaks(world, FEWER);
    }
}

#[test]
fn the_check_sees_what_an_acknowledgement_without_a_restart_does() {
    let way = breaks(star(Rotation::Staged), Rules { people: People::Hasty, ..FEWER });
    assert!(way.iter().any(|step| step.ends_with("is restarted and acknowledged")), "{way:#?}");
}

#[test]
fn the_check_sees_a_profile_that_forgot_a_service() {
    let mut world = star(Rotation::Staged);
    let truth = Truth::of(&world.topology);
    for store in world.topology.stores.values_mut() {
        store.restart.clear();
    }
    assert!(search(world, &truth, FEWER, false).broken.is_some());
}

#[test]
fn the_check_sees_a_program_that_forgets_what_it_did_on_a_disk_that_is_away() {
    let way = breaks(star(Rotation::Staged), Rules { program: Program::Forgetful, ..RULES });
    assert!(way.iter().any(|step| step.ends_with("is away")), "{way:#?}");
}

#[test]
fn the_check_sees_a_program_that_rolls_back_without_asking_who_would_break() {
    let way = breaks(pair(Rotation::Staged), Rules { program: Program::Unasking, ..RULES });
    assert!(way.iter().filter(|step| step.starts_with("a rollback begins")).count() > 1, "{way:#?}");
}

#[test]
fn the_check_sees_a_program_that_believes_an_earlier_state_folder() {
    let world = pair(Rotation::Staged);
    let truth = Truth::of(&world.topology);
    let way = search(world, &truth, Rules { program: Program::Unnoticing, ..RULES }, true).broken.unwrap();
    assert!(way.iter().any(|step| step == "an earlier state folder is put back"), "{way:#?}");
}
