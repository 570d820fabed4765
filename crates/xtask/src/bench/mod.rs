//! `cargo xtask bench`: measures trustmason's CPU time as ratios to references of the same run. Milliseconds are
//! printed for people. Only ratios and memory have targets.

mod clock;
mod estate;
mod open;
mod probe;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use md5::Md5;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::process::{self, Failure};
use crate::tools;
use clock::Cost;
use estate::BenchEstate;
use probe::Probed;
use table::{RatioTarget, Row, Table};

pub(crate) use open::probe as open_probe;
pub(crate) use probe::run as probe;

/// The number of roots in every store, as a Java ships them.
const ROOTS: usize = 150;
/// The number of measurements of the same thing. The best one counts, because other programs caused the rest of the others.
const ROUNDS: usize = 3;
/// The number of MD5 runs that open one JCEKS key: 200,000 for each half of the salt.
const MD5_PER_KEY: usize = 2 * 200_000;
const KEYS_PER_STORE: usize = 3;

/// The options of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct BenchOptions {
    pub(crate) quick: bool,
    pub(crate) write: bool,
    pub(crate) strict: bool,
}

pub(crate) fn run(plan: BenchOptions) -> Result<(), Failure> {
    tools::ensure_judges()?;
    process::run(process::cargo().args(["build", "--release", "--quiet", "--package", "trustmason"]))?;
    let folder = tempfile::Builder::new().prefix("trustmason-bench-").tempdir()?;
    let size = if plan.quick { Size::QUICK } else { Size::FULL };
    let mut table = Table::default();
    no_op(&mut table, size, &folder.path().join("shared"), true)?;
    no_op(&mut table, size, &folder.path().join("distinct"), false)?;
    imports(&mut table, size, &folder.path().join("imports"))?;
    identities(&mut table, size, &folder.path().join("identities"))?;
    open::stores(&mut table, plan.quick, &folder.path().join("open"))?;
    print!("{}", table.text());
    if plan.write {
        if plan.quick {
            return Err("--quick is too small to be written down; leave one of --quick and --write out".into());
        }
        let path = process::root().join("docs/benchmarks.md");
        fs::write(&path, table.page()?).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("wrote docs/benchmarks.md");
    }
    match table.missed() {
        0 => Ok(()),
        missed if plan.strict => Err(format!("{missed} targets missed").into()),
        _ => Ok(()),
    }
}

/// The sizes of the measured estates.
#[derive(Clone, Copy)]
struct Size {
    stores: usize,
    imports: usize,
    keystores: usize,
}

impl Size {
    const FULL: Self = Self { stores: 1000, imports: 50, keystores: 20 };
    const QUICK: Self = Self { stores: 100, imports: 5, keystores: 4 };
}

/// Measures a plan without changes over many trust stores.
fn no_op(table: &mut Table, size: Size, folder: &Path, shared: bool) -> Result<(), Failure> {
    let estate = BenchEstate::new(folder, size.stores, 0, 1)?;
    let hubs = estate.export_hubs(1)?;
    let roots = estate::roots(ROOTS)?;
    let mut files = Vec::new();
    let mut largest = 0;
    for i in 0..size.stores {
        let own: Vec<Vec<u8>> = if shared {
            Vec::new()
        } else {
            let base = 1_000_000 + u64::try_from(i * ROOTS)?;
            roots.iter().zip(base..).map(|(root, mark)| estate::marked(root, mark)).collect()
        };
        let held = if shared { &roots } else { &own };
        let named: Vec<(String, &[u8])> = held
            .iter()
            .enumerate()
            .map(|(n, der)| (format!("root{n}"), der.as_slice()))
            .chain(hubs.iter().map(|der| (estate::name("hub", 0), der.as_slice())))
            .collect();
        let bytes = estate::jks(named.into_iter(), u64::try_from(i)?);
        largest = largest.max(bytes.len());
        let path = estate.store("box", i);
        fs::write(&path, bytes)?;
        files.push(path);
    }
    let what = if shared { "shared" } else { "all distinct" };
    let subject = format!("no-op plan, {} JKS × {ROOTS} roots, {what}", size.stores);

    let ours = probed(&estate, size.stores)?;
    let pass = best(|| Ok(clock::here(|| hash_pass(&files))).and_then(|(done, cost)| done.map(|()| cost)))?;
    let target = shared.then_some(RatioTarget::AtMost(1.5));
    table.push(Row::slower(&subject, "our own pass: read, SHA-1, 2 × SHA-256", ours.cpu(), pass.cpu, target));
    let bytes = files.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
    let bare = best(|| Ok(clock::here(|| bytes.iter().for_each(|bytes| hash(bytes))).1))?;
    drop(bytes);
    table.push(Row::slower(&subject, "the same hashes without reading the files", ours.cpu(), bare.cpu, None));
    if !shared {
        return Ok(());
    }
    let sums = best(|| Ok(clock::child(Command::new("sha1sum").args(&files))?.1))?;
    table.push(Row::slower(&subject, "sha1sum over the same files", ours.cpu(), sums.cpu, None));

    let sample: Vec<&PathBuf> = files.iter().step_by((files.len() / 3).max(1)).take(3).collect();
    let mut listed = Cost::default();
    for file in &sample {
        let cost = clock::child(
            Command::new("keytool").args(["-list", "-storepass", estate::PASSWORD, "-keystore"]).arg(file),
        )?
        .1;
        listed.cpu += cost.cpu;
    }
    let (stores, sampled) = (u32::try_from(size.stores)?, u32::try_from(sample.len())?);
    let per_store = listed.per(sampled).cpu;
    let target = Some(RatioTarget::AtLeastLess(500.0));
    table.push(Row::faster(&format!("{subject}, per store"), "keytool -list", ours.cpu() / stores, per_store, target));

    let whole = best(|| Ok(clock::child(trustmason().arg("plan").arg(&estate.spec))?.1))?;
    table.push(Row::slower(&format!("the whole `trustmason plan`, {what}"), "our own pass", whole.cpu, pass.cpu, None));

    let limit = 64 * 1024 + u64::try_from(largest / 1024)?;
    let subject = format!("peak memory of that plan ({what})");
    table.push(Row::memory(&subject, "64 MiB and the largest store", ours.peak_kib, limit));
    Ok(())
}

/// The least work of any reader of these stores.
fn hash_pass(files: &[PathBuf]) -> Result<(), Failure> {
    for file in files {
        hash(&fs::read(file)?);
    }
    Ok(())
}

fn hash(bytes: &[u8]) {
    std::hint::black_box((Sha1::digest(bytes), Sha256::digest(bytes), Sha256::digest(bytes)));
}

/// Measures imports into one store: one apply against one keytool run per certificate.
fn imports(table: &mut Table, size: Size, folder: &Path) -> Result<(), Failure> {
    let roots = estate::roots(ROOTS)?;
    let fresh = || roots.iter().enumerate().map(|(n, der)| (format!("root{n}"), der.as_slice())).collect::<Vec<_>>();
    let bytes = estate::jks(fresh().into_iter(), 0);
    let mut applied = Vec::new();
    // Ten applies on ten estates, because the time of a child has only hundredths of a second.
    for round in 0..10 {
        let estate = BenchEstate::new(&folder.join(round.to_string()), 1, 0, size.imports)?;
        estate.export_hubs(size.imports)?;
        fs::write(estate.store("box", 0), &bytes)?;
        applied.push(estate);
    }
    let mut ours = Cost::default();
    for estate in &applied {
        let cost = clock::child(trustmason().arg("apply").arg(&estate.spec).arg("--auto-approve"))?.1;
        ours.cpu += cost.cpu;
        ours.wall += cost.wall;
    }
    let rounds = u32::try_from(applied.len())?;
    let ours = ours.per(rounds);
    let first = applied.first().ok_or("no estate")?;
    let listed = process::output(
        Command::new("keytool").args(["-list", "-storepass", estate::PASSWORD, "-keystore"]).arg(first.store("box", 0)),
    )?;
    let entries = String::from_utf8_lossy(&listed).matches("trustedCertEntry").count();
    if entries != ROOTS + size.imports {
        return Err(format!("apply left {entries} entries, {} were wanted", ROOTS + size.imports).into());
    }

    let by_keytool = folder.join("by-keytool");
    fs::write(&by_keytool, &bytes)?;
    let mut theirs = Cost::default();
    for i in 0..size.imports {
        let name = estate::name("hub", i);
        let mut keytool = Command::new("keytool");
        keytool.args(["-importcert", "-noprompt", "-storepass", estate::PASSWORD, "-alias", &name, "-keystore"]);
        keytool.arg(&by_keytool).arg("-file").arg(first.folder.join("certs").join(format!("{name}.pem")));
        theirs.cpu += clock::child(&mut keytool)?.1.cpu;
    }
    let subject = format!("{} imports into one JKS of {ROOTS}, the whole `trustmason apply`", size.imports);
    let reference = format!("{} × keytool -importcert", size.imports);
    let target = (!table::is_small(size.imports)).then_some(RatioTarget::AtLeastLess(500.0));
    table.push(Row::faster(&subject, &reference, ours.cpu, theirs.cpu, target));
    let waiting = ours.wall.saturating_sub(ours.cpu);
    table.push(Row::plain("of that, waiting (fsync and the like), not CPU", waiting));
    Ok(())
}

/// Measures identity stores. Their cost comes from opening their keys each time.
fn identities(table: &mut Table, size: Size, folder: &Path) -> Result<(), Failure> {
    let estate = BenchEstate::new(folder, 0, size.keystores, 0)?;
    let first = estate.store("keys", 0);
    estate::jceks(&first, size.keystores)?;
    for i in 1..size.keystores {
        fs::copy(&first, estate.store("keys", i))?;
    }
    let ours = probed(&estate, size.keystores)?;
    let runs = size.keystores * KEYS_PER_STORE * MD5_PER_KEY;
    let pass = best(|| Ok(clock::here(|| md5_pass(runs)).1))?;
    let subject = format!("no-op plan, {} JCEKS × {KEYS_PER_STORE} keys, all opened", size.keystores);
    table.push(Row::slower(&subject, "our own pass: 2 × 200,000 MD5 a key", ours.cpu(), pass.cpu, None));
    let listed = clock::child(
        Command::new("keytool")
            .args(["-list", "-storetype", "JCEKS", "-storepass", estate::PASSWORD, "-keystore"])
            .arg(&first),
    )?
    .1;
    let stores = u32::try_from(size.keystores)?;
    let (ours, subject) = (ours.cpu() / stores, format!("{subject}, per store"));
    table.push(Row::faster(&subject, "keytool -list, which opens no key", ours, listed.cpu, None));
    Ok(())
}

fn md5_pass(runs: usize) {
    let mut block = [0_u8; 16];
    for _ in 0..runs {
        block = Md5::digest(block).into();
    }
    std::hint::black_box(block);
}

/// The best of several plans without changes, each in a process of its own.
fn probed(estate: &BenchEstate, stores: usize) -> Result<Probed, Failure> {
    let mut found: Option<Probed> = None;
    for _ in 0..ROUNDS {
        let mut again = Command::new(std::env::current_exe()?);
        let output = process::output(again.arg("bench-probe").arg(&estate.spec))?;
        let probed = Probed::read(&String::from_utf8_lossy(&output))?;
        if probed.readable != u64::try_from(stores)? || probed.changes != 0 {
            return Err(format!("{stores} stores in sync were expected: {probed:?}").into());
        }
        if found.as_ref().is_none_or(|best| probed.cpu_ns < best.cpu_ns) {
            found = Some(probed);
        }
    }
    found.ok_or_else(|| "nothing was measured".into())
}

fn best(mut measure: impl FnMut() -> Result<Cost, Failure>) -> Result<Cost, Failure> {
    let mut best: Option<Cost> = None;
    for _ in 0..ROUNDS {
        let cost = measure()?;
        if best.is_none_or(|best| cost.cpu < best.cpu) {
            best = Some(cost);
        }
    }
    best.ok_or_else(|| "nothing was measured".into())
}

impl Probed {
    fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_ns)
    }
}

/// The binary that this task has just built.
fn trustmason() -> Command {
    let here = std::env::current_exe().unwrap_or_default();
    Command::new(here.with_file_name(format!("trustmason{}", std::env::consts::EXE_SUFFIX)))
}
