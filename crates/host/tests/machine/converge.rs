//! How a run goes on: rounds, restarts, interruptions, and what is reported where something cannot be told. The program
//! itself is not started here.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use trustmason_host::converge::{
    ApprovedPlan, Clock, ConvergeError, ConvergeEvent, Converged, Declared, Observation, Reconciler, Restarting,
    RoundTrouble,
};
use trustmason_host::disk::{Disk, DiskStep};
use trustmason_host::fault::Meddler;
use trustmason_host::record::approval::Approval;
use trustmason_host::run::{BeginError, RunError, SkipReason, StoreOutcome};
use trustmason_keystore::{Digest, Format};
use trustmason_plan::change::Phase;
use trustmason_plan::observed::{Input, InputKind};
use trustmason_plan::outline::Plan;
use trustmason_spec::name::ServiceId;
use trustmason_spec::topology::{RestartCommand, Rotation};

use crate::world::*;

/// A clock that always shows the same time.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn exactly(&self) -> Timestamp {
        now()
    }
}

fn reconciler(world: &World) -> Reconciler<'_> {
    Reconciler::new(Declared { topology: &world.topology, inputs: &[] }, Still, "test").with_keys(pool())
}

/// Looks and plans.
fn planned(world: &World, reconciler: &Reconciler<'_>) -> (Observation, Plan) {
    let observation = reconciler.look(&mut |_| ()).unwrap();
    let plan = reconciler.plan(&observation, &world.options);
    (observation, plan)
}

/// Looks, plans and converges. `tell` gets each event, with the reconciler.
fn converge(
    world: &World,
    mut tell: impl FnMut(&Reconciler<'_>, ConvergeEvent<'_>),
) -> Result<Converged, ConvergeError> {
    let reconciler = reconciler(world);
    let mut lock = reconciler.lock().unwrap();
    let (observation, plan) = planned(world, &reconciler);
    reconciler
        .converge(ApprovedPlan { observation, plan, author: ANNA }, &mut lock, &mut |event| tell(&reconciler, event))
}

/// Gives each service a restart command that ends with this status.
fn commanded(world: &mut World, status: u8) {
    let argv = ["/bin/sh", "-c", &format!("exit {status}")].map(str::to_owned).to_vec();
    for service in world.topology.services.values_mut() {
        let argv = argv.clone();
        service.restart = Some(RestartCommand { argv, timeout_seconds: 60 });
    }
}

/// The CVP needs a new certificate, and the ADS trusts the old one: three phases, which need only the restart commands
/// and no person.
fn staged() -> World {
    let mut world = World::new(Format::Jks);
    let old = trusted("cvp1.acme.example", &world.old_wsm);
    fs::write(world.cacerts(), keystore(Format::Jks, "changeit", vec![old])).unwrap();
    world.topology.stores.remove(&store_id(TRUST));
    world.topology.edges.retain(|edge| edge.store != store_id(TRUST));
    for identity in world.topology.identities.values_mut() {
        identity.rotation = Rotation::Staged;
    }
    commanded(&mut world, 0);
    world
}

fn service(host: &str, name: &str) -> ServiceId {
    ServiceId::new(fqdn(host), name)
}

fn names(restarts: &[Restarting]) -> Vec<String> {
    restarts.iter().map(|restarting| restarting.service.to_string()).collect()
}

/// Makes the ledger another file with the same content, as if another run had come between.
fn overtake(world: &World) {
    let ledger = world.state().ledger();
    let mut bytes = fs::read(&ledger).unwrap_or_default();
    bytes.push(b'\n');
    fs::write(ledger, bytes).unwrap();
}

#[test]
fn rounds_go_on_with_what_was_foretold_until_nothing_is_left() {
    let world = staged();
    let mut told = Vec::new();
    let converged = converge(&world, |_, event| {
        if let ConvergeEvent::Restarting(restart) = event {
            told.push(restart.service.to_string());
        }
    });
    let Converged { rounds, next } = converged.unwrap();
    let phases: Vec<Vec<Phase>> = rounds
        .iter()
        .map(|round| {
            let mut phases: Vec<Phase> = round.plan.changes.iter().map(|change| change.phase).collect();
            phases.dedup();
            phases
        })
        .collect();
    assert_eq!(phases, [[Phase::Extend], [Phase::Install], [Phase::Withdraw]], "{rounds:#?}");
    assert!(rounds.iter().all(|round| round.is_complete() && !round.interrupted));
    assert!(next.changes.is_empty() && next.restarts.is_empty(), "{:#?}", next.restarts);
    // Each round restarts the services that read its changes, and reports each restart as it happens.
    let restarted: Vec<String> = rounds.iter().flat_map(|round| names(&round.restarts)).collect();
    assert_eq!(told, restarted);
    assert!(rounds.iter().all(|round| !round.restarts.is_empty()));
    // The acknowledgements name the person who approved the run.
    let ledger = world.ledger().ledger;
    assert!(ledger.restarts.is_empty());
    assert_eq!(ledger.acks[&service("ads.acme.example", "tomcat")].by, "anna, by its command");
}

#[test]
fn a_change_that_nobody_foretold_ends_the_rounds() {
    let world = staged();
    let other = make("ads.acme.example", &["ads.acme.example"]);
    let mut once = false;
    let converged = converge(&world, |_, event| {
        // While the first service restarts, another certificate of the ADS is exported.
        if let ConvergeEvent::Restarting(_) = event
            && !std::mem::replace(&mut once, true)
        {
            fs::write(world.root().join("certs/ADSads.CER"), pem(&other.certificate)).unwrap();
        }
    });
    let Converged { rounds, next } = converged.unwrap();
    assert_eq!(rounds.len(), 1, "{rounds:#?}");
    let first = &rounds[0];
    assert!(first.is_complete() && !first.interrupted && first.restarts.iter().all(Restarting::is_up));
    let foretold = |change| first.plan.forecast.iter().any(|one| one.foretells(change));
    assert!(next.changes.iter().any(foretold), "the next phase could follow: {:#?}", next.changes);
    assert!(!next.changes.iter().all(foretold), "{:#?}", next.changes);
    // If a person approves the new plan, the run goes on.
    let Converged { next, .. } = converge(&world, |_, _| ()).unwrap();
    assert!(next.changes.is_empty(), "{:#?}", next.changes);
}

#[test]
fn a_restart_that_fails_stops_those_after_it_and_the_next_plan_says_so() {
    let mut world = staged();
    let all = names(&converge(&world.copy(), |_, _| ()).unwrap().rounds[0].restarts);
    assert!(all.len() > 1, "{all:?}");
    commanded(&mut world, 3);
    let Converged { rounds, next } = converge(&world, |_, _| ()).unwrap();
    assert_eq!(rounds.len(), 1);
    assert!(rounds[0].is_complete(), "the stores are written, a restart is none of them");
    assert_eq!(names(&rounds[0].restarts), all[..1], "those after it are not begun");
    let error = rounds[0].restarts[0].outcome.as_ref().unwrap_err();
    assert!(error.to_string().contains("ended with exit status: 3"), "{error}");
    let pending = next.restarts.iter().filter(|restart| restart.pending_since.is_some());
    let pending: Vec<String> = pending.map(|restart| restart.service.to_string()).collect();
    assert_eq!(pending, all);
    assert!(world.ledger().ledger.acks.is_empty());
    // The next run begins with the failed restart again, and goes on when the restart works.
    commanded(&mut world, 0);
    let Converged { next, .. } = converge(&world, |_, _| ()).unwrap();
    assert!(next.changes.is_empty() && next.restarts.is_empty());
}

#[test]
fn an_interruption_ends_after_the_store_in_hand() {
    let mut world = World::new(Format::Jks);
    commanded(&mut world, 0);
    let reconciler = reconciler(&world);
    // The run is asked to stop while the store changes.
    let (stop, folder) = (Arc::clone(reconciler.stop()), world.keystore().parent().unwrap().to_owned());
    let gate = Meddler::new(move |step, path: &Path| {
        if step == DiskStep::Exchange && path.starts_with(&folder) {
            stop.store(true, Ordering::SeqCst);
        }
    });
    let reconciler = reconciler.with_disk(Disk::behind(Arc::new(gate)));
    let mut lock = reconciler.lock().unwrap();
    let (observation, plan) = planned(&world, &reconciler);
    let converged = reconciler.converge(ApprovedPlan { observation, plan, author: ANNA }, &mut lock, &mut |_| ());
    drop(lock);
    let Converged { rounds, next } = converged.unwrap();
    let [round] = rounds.as_slice() else { panic!("{rounds:#?}") };
    assert!(round.interrupted && round.restarts.is_empty());
    let outcomes = &round.outcomes.stores;
    assert!(matches!(outcomes[&store_id(KEYSTORE)], StoreOutcome::Written { .. }), "{outcomes:#?}");
    assert!(matches!(outcomes[&store_id(CACERTS)], StoreOutcome::Skipped { why: SkipReason::Interrupted }));
    assert!(next.changes.iter().all(|change| change.store == store_id(CACERTS)), "{:#?}", next.changes);
    assert!(converge(&world, |_, _| ()).unwrap().next.changes.is_empty());
}

#[test]
fn an_interruption_ends_after_the_restart_in_hand() {
    let world = staged();
    let converged = converge(&world, |reconciler, event| {
        if let ConvergeEvent::Restarting(_) = event {
            reconciler.stop().store(true, Ordering::SeqCst);
        }
    });
    let Converged { rounds, .. } = converged.unwrap();
    let [round] = rounds.as_slice() else { panic!("{rounds:#?}") };
    assert!(round.interrupted && round.outcomes.is_complete());
    assert_eq!(names(&round.restarts).len(), 1);
    // The services that came up are acknowledged.
    let acknowledged: Vec<String> = world.ledger().ledger.acks.keys().map(ToString::to_string).collect();
    assert_eq!(acknowledged, names(&round.restarts));
}

#[test]
fn what_cannot_be_told_after_a_run_is_a_trouble() {
    let world = staged();
    let converged = converge(&world, |_, event| {
        if let ConvergeEvent::Ran = event {
            fs::write(world.state().ledger(), "{").unwrap();
        }
    });
    let Converged { rounds, next } = converged.unwrap();
    let [round] = rounds.as_slice() else { panic!("{rounds:#?}") };
    assert!(round.outcomes.is_complete() && !round.is_complete());
    let [trouble @ RoundTrouble::Untold(_)] = round.troubles.as_slice() else { panic!("{:#?}", round.troubles) };
    assert!(trouble.to_string().starts_with("the work that is left cannot be shown: "), "{trouble}");
    assert!(round.restarts.is_empty(), "nobody can tell what to restart");
    // The plan that was carried out is the last one that is known.
    assert_eq!(next.changes, round.plan.changes);
}

#[test]
fn a_round_that_does_not_begin_is_a_trouble_of_the_one_before() {
    let world = staged();
    let mut looks = 0;
    let converged = converge(&world, |_, event| {
        if let ConvergeEvent::Looked = event {
            looks += 1;
            // The first look is after the run. The second is after its restarts, and the second round is planned from
            // it.
            if looks == 2 {
                overtake(&world);
            }
        }
    });
    let Converged { rounds, next } = converged.unwrap();
    let [round] = rounds.as_slice() else { panic!("{rounds:#?}") };
    let [RoundTrouble::NotBegun(ConvergeError::Run(RunError::Books(BeginError::Overtaken { .. })))] =
        round.troubles.as_slice()
    else {
        panic!("{:#?}", round.troubles)
    };
    assert!(next.changes.iter().all(|change| change.phase == Phase::Install), "the plan that was not begun");
}

#[test]
fn a_first_round_that_does_not_begin_did_nothing() {
    let world = staged();
    let reconciler = reconciler(&world);
    let mut lock = reconciler.lock().unwrap();
    let (observation, plan) = planned(&world, &reconciler);
    fs::create_dir_all(world.state().root()).unwrap();
    overtake(&world);
    let files = world.files();
    let error =
        reconciler.converge(ApprovedPlan { observation, plan, author: ANNA }, &mut lock, &mut |_| ()).unwrap_err();
    assert!(error.to_string().ends_with("; plan again; nothing was done"), "{error}");
    let stores = [world.cacerts(), world.keystore(), world.state().ledger()];
    assert!(stores.iter().all(|path| fs::read(path).unwrap() == files[path]));
}

#[test]
fn restarts_that_cannot_be_recorded_are_a_trouble_that_names_the_commands() {
    let world = staged();
    let converged = converge(&world, |_, event| {
        if let ConvergeEvent::Restarting(_) = event {
            overtake(&world);
        }
    });
    let Converged { rounds, .. } = converged.unwrap();
    let [round] = rounds.as_slice() else { panic!("{rounds:#?}") };
    assert!(round.restarts.iter().all(Restarting::is_up), "they are up all the same");
    let [trouble @ RoundTrouble::Unacknowledged { services, .. }] = round.troubles.as_slice() else {
        panic!("{:#?}", round.troubles)
    };
    let commands = services.iter().filter(|id| trouble.to_string().contains(&format!(" {id}")));
    assert_eq!(commands.count(), round.restarts.len(), "{trouble}");
    assert!(world.ledger().ledger.acks.is_empty());
}

#[test]
fn a_plan_is_idle_where_nothing_is_written_and_nothing_restarted() {
    let mut world = World::settled_identity();
    commanded(&mut world, 3);
    let is_idle = |world: &World| {
        let reconciler = reconciler(world);
        let (observation, plan) = planned(world, &reconciler);
        (plan.changes.is_empty(), reconciler.is_idle(&observation, &plan))
    };
    assert_eq!(is_idle(&world), (false, false));
    let Converged { rounds, .. } = converge(&world, |_, _| ()).unwrap();
    assert!(!rounds[0].restarts[0].is_up());
    assert_eq!(is_idle(&world), (true, false), "the restart is tried again");
    for service in world.topology.services.values_mut() {
        service.restart = None;
    }
    assert_eq!(is_idle(&world), (true, true), "a person's restart is no work of a run");
    commanded(&mut world, 0);
    let _ = converge(&world, |_, _| ()).unwrap();
    assert_eq!(is_idle(&world), (true, true));
}

#[test]
fn the_spec_is_an_input_of_what_is_seen_once() {
    let world = World::settled_identity();
    let spec = Input { kind: InputKind::Spec, path: "estate.yaml".into(), sha256: Some(Digest::of(b"spec")) };
    let inputs = [spec.clone(), spec.clone()];
    let reconciler = Reconciler::new(Declared { topology: &world.topology, inputs: &inputs }, Still, "test");
    let (observation, plan) = planned(&world, &reconciler);
    assert_eq!(observation.observed.inputs.iter().filter(|input| **input == spec).count(), 1);
    assert_eq!(plan.inputs.iter().filter(|input| **input == spec).count(), 1);
}

#[test]
fn a_rollback_looks_again_after_a_person_was_asked_and_says_what_to_restart() {
    let world = World::settled_identity();
    let _ = converge(&world, |_, _| ()).unwrap();
    let reconciler = reconciler(&world);
    let mut lock = reconciler.lock().unwrap();
    let looks = |approval| {
        let (observation, _) = planned(&world, &reconciler);
        let mut looks = 0;
        let observation = reconciler.approved(observation, approval, &mut |event| {
            looks += usize::from(matches!(event, ConvergeEvent::Looking { .. }))
        });
        (looks, observation.unwrap())
    };
    assert_eq!(looks(Approval::Auto).0, 0);
    let (asked, observation) = looks(Approval::Asked);
    assert_eq!(asked, 1);
    let outlook = reconciler.outlook(&observation, None).unwrap();
    let taken = reconciler.roll_back(&outlook.run, &observation, ANNA, &world.options, &mut lock, &mut |_| ()).unwrap();
    assert!(taken.undone.is_complete(), "{:#?}", taken.undone);
    let restarts: Vec<String> = taken.restarts().iter().map(|restart| restart.service.to_string()).collect();
    assert_eq!(restarts, ["ads.acme.example/tomcat"]);
    assert_eq!(taken.left.unwrap().changes.len(), 1, "the spec still asks for what was taken back");
    // An acknowledgement then belongs to that rollback.
    assert!(reconciler.left(&world.options, &mut |_| ()).unwrap().undone);
}

#[test]
fn what_is_left_stays_within_the_scope_of_the_newest_run() {
    let mut world = World::new(Format::Jks);
    world.options.hosts = vec!["cvp1*".into()];
    let _ = converge(&world, |_, _| ()).unwrap();
    let reconciler = reconciler(&world);
    let whole = trustmason_plan::outline::PlanOptions { hosts: Vec::new(), ..world.options.clone() };
    let left = reconciler.left(&whole, &mut |_| ()).unwrap();
    assert_eq!((left.scope.hosts.as_slice(), left.undone), (["cvp1*".to_owned()].as_slice(), false));
    assert_eq!(left.plan.options.hosts, left.scope.hosts);
}
