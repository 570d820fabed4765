//! Stores that only people write: packs, what a person reports about them, and what an export shows.

use std::fs;
use std::path::{Path, PathBuf};

use trustmason_host::disk::Disk;
use trustmason_host::run::PackOutcome;
use trustmason_host::secret::Secrets;
use trustmason_host::state::lock::Lock;
use trustmason_host::word::confirm::{Claim, ConfirmError, confirm};
use trustmason_keystore::{Format, Interner};
use trustmason_plan::ledger::{Confirmation, ConfirmationKind};
use trustmason_plan::observed::StoreLook;
use trustmason_plan::target::HandOffTarget;

use crate::world::*;

fn say(world: &World, target: &str, from: Option<&Path>) -> Result<Confirmation, ConfirmError> {
    let (ledger, observed) = world.look();
    let plan = trustmason_plan::plan(&world.topology, &observed, &world.options, now());
    let target = HandOffTarget::Store(store_id(target));
    let claim = Claim {
        target: &target,
        from,
        by: "night operator",
        now: now(),
        plan: &plan,
        topology: &world.topology,
        observed: &observed,
        ledger: &ledger,
    };
    let mut lock = Lock::take(&world.state()).unwrap();
    let confirmed = confirm(claim, &Disk::new(), &Secrets::new(), &Interner::new(), &mut lock)?;
    assert!(confirmed.left.is_none(), "{:?}", confirmed.left);
    Ok(confirmed.confirmation)
}

fn pack(world: &World) -> PathBuf {
    world.state().pack(&HandOffTarget::Store(store_id(TRUST)))
}

#[test]
fn a_pack_is_written_once_confirmed_and_then_nothing_waits() {
    let world = World::new(Format::Jks);
    let early = say(&world, TRUST, None).unwrap_err();
    assert!(matches!(early, ConfirmError::NoPack { .. }) && early.to_string().contains("trustmason apply"), "{early}");
    let nobody = say(&world, CACERTS, None).unwrap_err();
    assert!(matches!(nobody, ConfirmError::NotHandOff { .. }), "{nobody}");

    let outcomes = world.apply(&Disk::new()).unwrap();
    let folder = pack(&world);
    let written = &outcomes.packs[&HandOffTarget::Store(store_id(TRUST))];
    assert!(matches!(written, PackOutcome::Written { folder: at } if *at == folder), "{written:?}");
    let names: Vec<_> =
        trustmason_host::disk::read_folder(&folder).unwrap().into_iter().map(|(name, _)| name).collect();
    let minted = outcomes.minted.values().next().unwrap();
    let file = format!("cvp1.acme.example_wsm-{}.pem", minted.fingerprint().short());
    assert_eq!(names, ["STEPS.md", file.as_str(), "pack.json"]);
    assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), pem(minted));

    let said = say(&world, TRUST, None).unwrap();
    assert_eq!((said.kind, said.by.as_str()), (ConfirmationKind::Claimed, "night operator"));
    assert!(said.holds.contains(&minted.fingerprint()) && said.gone.is_empty());
    assert!(!folder.exists(), "a pack that is done is put away");
    let plan = world.plan();
    assert!(plan.manual.is_empty(), "{:#?}", plan.manual);
    let (gate, disk) = counted();
    world.apply(&disk).unwrap();
    assert_eq!(gate.taken(), 0);
    assert!(!world.state().lock_owner().exists());
    // The audit log names the person who said so.
    let log = trustmason_host::record::audit::read(&world.state()).unwrap();
    let said = log.iter().find(|entry| entry.event == trustmason_host::record::audit::AuditEvent::Confirm).unwrap();
    assert_eq!((said.store.as_ref(), said.reason.as_deref()), (Some(&store_id(TRUST)), Some("claimed")));
    assert!(said.plan.is_some() && !said.who.is_empty());
}

#[test]
fn a_plan_that_moved_on_is_not_confirmed_and_gets_a_new_pack() {
    let mut world = World::new(Format::Jks);
    let first = world.apply(&Disk::new()).unwrap();
    world.options.replace = first.minted.keys().cloned().collect();
    let moved = say(&world, TRUST, None).unwrap_err();
    assert!(matches!(moved, ConfirmError::MovedOn { .. }), "{moved}");
    let second = world.apply(&Disk::new()).unwrap();
    assert!(second.is_complete(), "{second:#?}");
    world.options.replace.clear();
    let minted = second.minted.values().next().unwrap();
    let file = format!("cvp1.acme.example_wsm-{}.pem", minted.fingerprint().short());
    let held = fs::read_to_string(pack(&world).join(file)).unwrap();
    assert_eq!(held, pem(minted));
    assert!(say(&world, TRUST, None).unwrap().holds.contains(&minted.fingerprint()));
}

#[test]
fn certificates_of_an_older_pack_leave_its_folder() {
    let world = World::new(Format::Jks);
    world.apply(&Disk::new()).unwrap();
    let old = pack(&world).join("former.pem");
    fs::write(&old, pem(&world.old_wsm)).unwrap();
    let again = world.apply(&Disk::new()).unwrap();
    assert!(matches!(again.packs[&HandOffTarget::Store(store_id(TRUST))], PackOutcome::Written { .. }), "{again:#?}");
    assert!(!old.exists());
}

#[test]
fn an_export_is_taken_as_the_whole_truth_and_an_unclear_one_is_not() {
    let world = World::new(Format::Jks);
    let outcomes = world.apply(&Disk::new()).unwrap();
    let minted = outcomes.minted.values().next().unwrap();
    let export = world.root().join("export");
    fs::create_dir(&export).unwrap();
    let empty = say(&world, TRUST, Some(&export)).unwrap_err();
    assert!(empty.to_string().contains("no certificate in it"), "{empty}");
    fs::write(export.join("a.pem"), pem(minted)).unwrap();
    fs::write(export.join("b.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let torn = say(&world, TRUST, Some(&export)).unwrap_err();
    assert!(matches!(torn, ConfirmError::Unclear { .. } | ConfirmError::Export(_)), "{torn}");
    fs::remove_file(export.join("b.pem")).unwrap();
    fs::write(export.join("c.pem"), pem(&world.iis)).unwrap();
    let said = say(&world, TRUST, Some(&export)).unwrap();
    assert_eq!(said.kind, ConfirmationKind::Observed);
    assert_eq!(said.holds, [minted.fingerprint(), world.iis.fingerprint()].into());
    assert!(world.plan().manual.is_empty());
    let gone = say(&world, TRUST, Some(&export.join("nowhere"))).unwrap_err();
    assert!(matches!(gone, ConfirmError::Export(_)), "an export that is not there says nothing: {gone}");
    let again = say(&world, TRUST, None).unwrap();
    assert_eq!((again.kind, again.holds), (said.kind, said.holds), "the same, said anew");
}

#[test]
fn a_mirror_shows_what_is_there() {
    let world = World::new(Format::Jks);
    let outcomes = world.apply(&Disk::new()).unwrap();
    let minted = outcomes.minted.values().next().unwrap();
    let mirror = world.root().join("hosts/fin1.acme.example/tomcat-trust");
    fs::create_dir(&mirror).unwrap();
    let seen = world.look().1.stores.remove(&store_id(TRUST));
    assert!(matches!(seen, Some(StoreLook::Unobserved)), "an empty mirror shows nothing: {seen:?}");
    fs::write(mirror.join("old.pem"), pem(&world.old_wsm)).unwrap();
    let plan = world.plan();
    let work = &plan.manual[0];
    assert_eq!((work.add.len(), work.remove.len()), (1, 1), "{work:#?}");
    fs::write(mirror.join("new.pem"), pem(minted)).unwrap();
    fs::remove_file(mirror.join("old.pem")).unwrap();
    assert!(world.plan().manual.is_empty());
}
