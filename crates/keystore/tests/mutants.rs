//! Hostile mutants of real stores: no panic, no hang, memory in proportion to the file, and everything that must be
//! refused is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;
#[path = "../../../fixtures/extent.rs"]
mod extent;
mod support;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use support::{corpus, read, summary, text};
use trustmason_keystore::{Credential, ErrorClass, Format, Interner, Password, ReadError, Remark, Store};

/// How long one mutant may take. This is far longer than the slowest machine needs, so a mutant that is not done by
/// then hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// Counts the allocated bytes and their peak.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const PASSWORD: &str = "changeit";
/// Inputs of the formats without encryption around the whole file.
const OPEN: [&str; 6] =
    ["kt-mixed.jks", "kt-keys.jks", "kt-mixed-secret.jceks", "kt-importpass.jceks", "crlf.pem", "root.der"];
/// PKCS#12 inputs: of keytool, old and new, of openssl, BER of Bouncy Castle, with secret keys, and in the clear.
const PKCS12: [&str; 6] =
    ["kt-mixed.p12", "kt-legacy.p12", "os-default.p12", "bc-mixed.p12", "kt-mixed-secret.p12", "pyca-noenc.p12"];
const ALLOWANCE: usize = 64 << 20;

fn open(bytes: Vec<u8>) -> Result<Store, ReadError> {
    Store::open(bytes, Credential::Password(&Password::new(PASSWORD)), &Interner::new())
}

/// The text that two readings of the same store must share.
fn meaning(store: &Store) -> String {
    let entries: Vec<String> = store
        .entries()
        .iter()
        .map(|entry| {
            let prints: Vec<String> = entry.certificates().iter().map(|slot| slot.fingerprint().to_string()).collect();
            format!("{:?} {:?} {} {}", entry.alias, entry.created_ms, entry.kind.as_str(), prints.join(","))
        })
        .collect();
    entries.join("\n")
}

/// Opens a mutant and everything in it on a thread of its own, so that a hang is a failure with a name.
fn work(name: &str, bytes: Vec<u8>) -> Result<Store, ReadError> {
    let (sender, receiver) = mpsc::channel();
    let size = bytes.len();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let thread = std::thread::spawn(move || {
        let unverified = Store::open(bytes.clone(), Credential::Withheld, &Interner::new());
        drop(unverified);
        let result = open(bytes);
        if let Ok(store) = &result {
            for entry in store.entries() {
                let outcome = store.open_key(entry.id, &Password::new(PASSWORD));
                drop(outcome);
            }
            assert!(store.remarks().iter().all(|remark| !remark.to_string().is_empty()));
        }
        sender.send(result).ok();
    });
    let result = match receiver.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: it does not come to an end"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            panic!("{name}: panicked: {:?}", thread.join().err())
        }
    };
    thread.join().expect("finished");
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(peak <= ALLOWANCE + 4 * size, "{name}: {peak} bytes for a file of {size}");
    result
}

/// The number of mutants in a campaign: structural ones of each input (0: all of them), and random ones.
#[derive(Clone, Copy)]
struct Size {
    structural: u32,
    random: u32,
}

fn campaign(seed: u32, inputs: [&str; 6], size: Size) -> u32 {
    let corpus = corpus();
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(corpus.join("mutate.py"))
        .args(["--seed", &seed.to_string(), "--count", &size.random.to_string()])
        .args(["--max-structural", &size.structural.to_string(), "--password", PASSWORD, "--out"])
        .arg(folder.path())
        .args(inputs.map(|name| corpus.join("files").join(name)))
        .output()
        .expect("python3 runs");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let mut originals: BTreeMap<String, String> = BTreeMap::new();
    let mut judged = 0;
    for line in text(folder.path().join("mutants.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (file, input, kind, detail, must) = (cells[0], cells[1], cells[2], cells[3], cells[4]);
        let name = format!("{file} ({kind} of {input}: {detail})");
        let mutant = read(folder.path().join(file));
        let result = work(&name, mutant.clone());
        let mut original = || {
            let make = || meaning(&open(read(corpus.join("files").join(input))).expect("the original opens"));
            originals.entry(input.to_owned()).or_insert_with(make).clone()
        };
        match (must, &result) {
            ("any-no-crash", _) | ("error" | "error-or-same", Err(_)) => {}
            // A DER file may hold several certificates, and may hold one of them twice.
            ("error-or-same", Ok(store)) if detail == "file twice" && input == "root.der" => {
                let once = original();
                assert_eq!(meaning(store), format!("{once}\n{once}"), "{name}");
            }
            ("error-or-same", Ok(store)) => assert_eq!(meaning(store), original(), "{name}"),
            // Secret keys look the same in versions 1 and 2; a JVM reads such a store in either version.
            ("error", Ok(store)) if kind == "version-resigned" && input == "kt-importpass.jceks" => {
                assert_eq!((store.version(), meaning(store)), (1, original()), "{name}");
            }
            // Content without protection may change and still be complete: without a MAC another length or tag gives
            // another store. Content under a MAC must be the original.
            ("error", Ok(store)) if !has_mac(store) => {}
            ("error", Ok(store)) if store.format() == Format::Pkcs12 => {
                assert_eq!(meaning(store), original(), "{name}");
            }
            ("error", Ok(_)) => panic!("{name}: read as {}", summary(&result)),
            _ => panic!("{name}: unknown verdict {must}"),
        }
        if let Err(error) = &result {
            let said = error.to_string();
            assert!(!said.contains(PASSWORD) && !said.contains('\n'), "{name}: {said}");
            // An error about the whole file has no single place.
            let placeless = matches!(error.class, ErrorClass::WrongPassword | ErrorClass::NotAStore);
            assert!(placeless || error.offset.is_some(), "{name}: no place: {said}");
            assert!(error.offset.is_none_or(|at| at <= mutant.len() as u64), "{name}: {said}");
        }
        assert_eq!(read(folder.path().join(file)), mutant, "{name}: the input was changed");
        judged += 1;
    }
    eprintln!("seed {seed}: {judged} mutants");
    judged
}

/// Whether a PKCS#12 store has a MAC that would show a change. True for stores of other formats.
fn has_mac(store: &Store) -> bool {
    store.format() != Format::Pkcs12 || !store.remarks().contains(&Remark::NoMac)
}

// The allocator counts for the whole process, so the campaigns run one after another.
static TURN: Mutex<()> = Mutex::new(());

fn campaigns(inputs: [&str; 6], seeds: RangeInclusive<u32>, size: Size, least: u32) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let nth = extent::every(4);
    let judged: u32 = seeds.step_by(nth).map(|seed| campaign(seed, inputs, size)).sum();
    assert!(judged > least / u32::try_from(nth).unwrap(), "only {judged} mutants");
}

#[test]
fn every_structural_mutant_of_stores_in_the_open() {
    needs!(Corpus, Python);
    campaigns(OPEN, 1..=1, Size { structural: 0, random: 300 }, 1_200);
}

#[test]
fn mutants_of_seeds_1_to_20_of_stores_in_the_open() {
    needs!(Corpus, Python);
    campaigns(OPEN, 1..=20, Size { structural: 40, random: 150 }, 6_000);
}

#[test]
fn mutants_of_seeds_1_to_10_of_pkcs12() {
    needs!(Corpus, Python);
    campaigns(PKCS12, 1..=10, Size { structural: 25, random: 60 }, 1_800);
}

#[test]
fn mutants_of_seeds_11_to_20_of_pkcs12() {
    needs!(Corpus, Python);
    campaigns(PKCS12, 11..=20, Size { structural: 25, random: 60 }, 1_800);
}
