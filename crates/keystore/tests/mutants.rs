//! Hostile mutants of real stores: no panic, no hang, memory in proportion, and what must be refused is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod support;

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use support::{corpus, read, summary, text};
use trustmason_keystore::{Interner, Password, ReadError, Store, Unlock};

/// Counts what is allocated and the peak of it.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const PASSWORD: &str = "changeit";
const INPUTS: [&str; 6] =
    ["kt-mixed.jks", "kt-keys.jks", "kt-mixed-secret.jceks", "kt-importpass.jceks", "crlf.pem", "root.der"];
const ALLOWANCE: usize = 64 << 20;

fn open(bytes: Vec<u8>) -> Result<Store, ReadError> {
    Store::open(bytes, Unlock::Password(&Password::new(PASSWORD)), &Interner::new())
}

/// What two readings must share to be the same store.
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

/// Opens a mutant and everything behind it on a thread of its own, so that a hang is a failure with a name.
fn work(name: &str, bytes: Vec<u8>) -> Result<Store, ReadError> {
    let (sender, receiver) = mpsc::channel();
    let size = bytes.len();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let thread = std::thread::spawn(move || {
        let unverified = Store::open(bytes.clone(), Unlock::Unverified, &Interner::new());
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
    let result = match receiver.recv_timeout(Duration::from_secs(10)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: still not done after 10 seconds"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            panic!("{name}: panicked: {:?}", thread.join().err())
        }
    };
    thread.join().expect("finished");
    let peak = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(peak <= ALLOWANCE + 4 * size, "{name}: {peak} bytes for a file of {size}");
    result
}

fn campaign(seed: u32) {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("python3")
        .arg(corpus.join("mutate.py"))
        .args(["--seed", &seed.to_string(), "--count", "300", "--password", PASSWORD, "--out"])
        .arg(folder.path())
        .args(INPUTS.map(|name| corpus.join("files").join(name)))
        .output()
        .expect("python3 runs");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let original = |name: &str| meaning(&open(read(corpus.join("files").join(name))).expect("the original opens"));
    let mut judged = 0;
    for line in text(folder.path().join("mutants.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (file, input, kind, detail, must) = (cells[0], cells[1], cells[2], cells[3], cells[4]);
        let name = format!("{file} ({kind} of {input}: {detail})");
        let result = work(&name, read(folder.path().join(file)));
        match (must, &result) {
            ("any-no-crash", _) | ("error" | "error-or-same", Err(_)) => {}
            // A DER file may hold several certificates, also one of them twice.
            ("error-or-same", Ok(store)) if detail == "file twice" && input == "root.der" => {
                let once = original(input);
                assert_eq!(meaning(store), format!("{once}\n{once}"), "{name}");
            }
            ("error-or-same", Ok(store)) => assert_eq!(meaning(store), original(input), "{name}"),
            // Secret keys look the same in versions 1 and 2; a JVM reads such a store as either.
            ("error", Ok(store)) if kind == "version-resigned" && input == "kt-importpass.jceks" => {
                assert_eq!((store.version(), meaning(store)), (1, original(input)), "{name}");
            }
            ("error", Ok(_)) => panic!("{name}: read as {}", summary(&result)),
            _ => panic!("{name}: unknown verdict {must}"),
        }
        if let Err(error) = &result {
            assert!(!error.to_string().contains(PASSWORD), "{name}: {error}");
        }
        judged += 1;
    }
    assert!(judged > 900, "only {judged} mutants");
    eprintln!("seed {seed}: {judged} mutants");
}

// The allocator counts for the whole process, so the seeds take turns.
#[test]
fn mutants_of_seeds_1_to_5() {
    for seed in 1..=5 {
        campaign(seed);
    }
}
