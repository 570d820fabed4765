//! A password and a private key leave no trace outside the stores they belong to.

use std::fs;

use std::sync::Arc;
use trustmason_host::disk::Disk;
use trustmason_host::fault::{FaultInjector, InjectedFault};
use trustmason_host::mint::KeySource;
use trustmason_keystore::Format;
use trustmason_spec::topology::{KeyKind, SecretSource, SignatureHash};

use crate::world::*;

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn clean(world: &World, needles: &[Vec<u8>]) {
    for (path, bytes) in world.files() {
        for needle in needles {
            assert!(!holds(&bytes, needle), "{}", path.display());
        }
    }
}

#[test]
fn no_file_and_no_text_holds_a_password_or_a_key() {
    let keys: Vec<_> = (0..3).map(|_| pool().key(KeyKind::Rsa(2048), SignatureHash::Sha256).unwrap()).collect();
    let mut needles = vec![CANARY.as_bytes().to_vec(), utf16(CANARY)];
    // Bytes in the middle of the private exponent.
    needles.extend(keys.iter().map(|key| key[700..740].to_vec()));

    let template = World::new(Format::Jks);
    for fault in [InjectedFault::Crash, InjectedFault::Device] {
        for step in (0..100).step_by(7) {
            let world = template.copy();
            let gate = Arc::new(FaultInjector::at(step, fault));
            let outcomes = world.apply(&Disk::behind(gate));
            let (ledger, observed) = world.look();
            let plan = world.plan();
            let said = format!("{outcomes:?} {ledger:?} {observed:?} {plan:?} {:?}", world.topology);
            assert!(!said.contains(CANARY));
            if let Err(error) = outcomes {
                assert!(!error.to_string().contains(CANARY));
            }
            clean(&world, &needles);
            // A rollback leaves no trace either.
            let said = format!("{:?}", world.undo(None, &Disk::new()));
            assert!(!said.contains(CANARY));
            clean(&world, &needles);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_program_does_not_see_what_other_stores_secrets_are() {
    let mut world = World::new(Format::Jks);
    let set = |world: &mut World, id: &str, from: SecretSource| {
        let mut secret = secret("");
        secret.from = from;
        keystore_of(&mut world.topology, id).password = Some(secret.clone());
        secret
    };
    // A variable that is set in every test run stands for one that holds a secret.
    let name = "CARGO_MANIFEST_DIR";
    let other = set(&mut world, KEYSTORE, SecretSource::Env(name.into()));
    world.topology.secret_variables.insert(name.to_owned());
    let argv = ["sh", "-c", "echo \"[${CARGO_MANIFEST_DIR-gone}]\""].map(str::to_owned).to_vec();
    let program = set(&mut world, CACERTS, SecretSource::Command(argv));
    let secrets = trustmason_host::secret::Secrets::of(&world.topology);
    assert_eq!(secrets.get(&program).unwrap().expose(), "[gone]");
    assert_eq!(secrets.get(&other).unwrap().expose(), std::env::var(name).unwrap());
}

#[test]
fn a_wrong_password_is_named_by_its_secret_only() {
    let mut world = World::new(Format::Jks);
    let file = world.root().join("pw");
    fs::write(&file, format!("{CANARY}-wrong\n")).unwrap();
    keystore_of(&mut world.topology, KEYSTORE).password.as_mut().unwrap().from = SecretSource::File(file.clone());
    let before = fs::read(world.keystore()).unwrap();
    let (_, observed) = world.look();
    let text = format!("{observed:?}");
    assert!(text.contains("WrongPassword") && !text.contains(CANARY), "{text}");
    let outcomes = world.apply(&Disk::new()).unwrap();
    assert!(!format!("{outcomes:?}").contains(CANARY));
    fs::remove_file(file).unwrap();
    let (_, observed) = world.look();
    let text = format!("{:?}", observed.stores[&store_id(KEYSTORE)]);
    assert!(text.contains("secret `keystore-pw`") && text.contains("does not exist"), "{text}");
    assert_eq!(fs::read(world.keystore()).unwrap(), before);
    clean(&world, &[CANARY.as_bytes().to_vec()]);
}
