//! `kill -9` at random moments of real applies. After each kill, every store is the old one or one that a run
//! announced. It opens in a JVM and has its old mode. The next apply finishes the work and leaves no temporary file and
//! no extra key. After every second kill the estate is first moved to another folder, and the next apply starts in
//! another working folder.
//!
//! There are ten kills by default; `cargo xtask kill` runs more and records their figures. The moments depend on the
//! seed and on the duration of an undisturbed apply. Half of them are anywhere in the life of the program, half in the
//! part that writes.
#![cfg(unix)]
#![allow(clippy::cast_precision_loss, reason = "tests")]

use crate::dice::Dice;
use crate::judge;
use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use judge::build::StoreAt;
use judge::jvm::Jvm;
use serde_json::Value;
use support::{Estate, command, said};
use trustmason_keystore::Digest;

/// Modes that a new file would not get by default.
const MODES: [(&str, u32); 2] = [("adsa/cacerts", 0o604), ("cvp2/keystore", 0o600)];

/// A random part of a duration.
fn part_of(dice: &mut Dice, time: Duration) -> Duration {
    time.mul_f64((dice.next() >> 11) as f64 / (1u64 << 53) as f64)
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// The estate that every kill starts from.
struct Template {
    estate: Estate,
    stores: Vec<(String, StoreAt)>,
}

impl Template {
    fn new() -> Self {
        let estate = Estate::troubled();
        fs::write(estate.path("estate.yaml"), support::SPEC.replace("immediate", "staged")).unwrap();
        for (store, mode) in MODES {
            fs::set_permissions(estate.file(store), fs::Permissions::from_mode(mode)).unwrap();
        }
        let stores = ["adsa/cacerts", "rgrb/cacerts", "cvp1/keystore", "cvp2/keystore"];
        let stores = stores.into_iter().map(|short| {
            let cacerts = short.ends_with("cacerts");
            let at = StoreAt {
                host: short.split('/').next().unwrap().to_owned(),
                name: if cacerts { "cacerts" } else { "keystore" },
                path: estate.file(short).strip_prefix(estate.dir.path()).unwrap().to_owned(),
                kind: if cacerts { "JKS" } else { "JCEKS" },
                password: if cacerts { "changeit".to_owned() } else { support::CANARY.to_owned() },
            };
            (short.to_owned(), at)
        });
        let stores = stores.collect();
        Self { estate, stores }
    }

    /// A copy of the estate with the same modes.
    fn copy(&self) -> Copy {
        let around = tempfile::Builder::new().prefix("kill-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = around.path().join("estate");
        for path in support::files(self.estate.dir.path()).into_keys() {
            let to = dir.join(path.strip_prefix(self.estate.dir.path()).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&path, &to).unwrap();
        }
        Copy { working: dir.clone(), dir, around }
    }

    /// The paths of the stores in a copy.
    fn at(&self, dir: &Path) -> Vec<StoreAt> {
        self.stores.iter().map(|(_, at)| StoreAt { path: dir.join(&at.path), ..at.clone() }).collect()
    }
}

/// A copy of the estate for one kill.
struct Copy {
    around: tempfile::TempDir,
    dir: PathBuf,
    /// The folder in which the program is started.
    working: PathBuf,
}

impl Copy {
    /// The program, with the estate's path relative to its working folder.
    fn tool(&self, words: &[&str]) -> std::process::Command {
        let mut command = command(&self.working);
        command.args(words);
        if self.working != self.dir {
            command.arg("../estate moved/estate.yaml");
        }
        command
    }

    fn apply(&self) -> std::process::Command {
        self.tool(&["apply", "--auto-approve"])
    }

    /// Moves the estate, and changes the working folder to one beside it.
    fn moves(&mut self) {
        let to = self.around.path().join("estate moved");
        fs::rename(&self.dir, &to).unwrap();
        self.dir = to;
        self.working = self.around.path().join("elsewhere");
        fs::create_dir(&self.working).unwrap();
    }
}

/// The digests that runs announced for each file, read from the journals without the product's code.
fn announced(dir: &Path) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut all: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    let Ok(runs) = fs::read_dir(dir.join(".trustmason/runs")) else { return all };
    for run in runs {
        let journal = fs::read_to_string(run.unwrap().path().join("journal.jsonl")).unwrap_or_default();
        for record in journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            if record["record"] == "intent" {
                let at = &record["pieces"][0]["at"];
                let below = at["path"].as_str().unwrap().replacen(":\\", "/", 1).replace('\\', "/");
                let path = dir.join("hosts").join(at["host"].as_str().unwrap()).join(below);
                all.entry(path).or_default().insert(record["after"].as_str().unwrap().to_owned());
            }
        }
    }
    all
}

fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(".trustmason-");
    support::files(dir).into_keys().filter(ours).collect()
}

/// The kinds of entries by alias. The kinds do not depend on which keys were created.
type Shape = BTreeMap<String, String>;

/// A JVM that opens the same bytes only once.
struct Reader {
    jvm: Jvm,
    known: BTreeMap<Digest, Shape>,
}

impl Reader {
    /// Opens a store and its keys in the JVM.
    fn open(&mut self, store: &StoreAt) -> Shape {
        let digest = Digest::of(&fs::read(&store.path).unwrap());
        let listing = || self.jvm.dump(store, &[]).into_iter().map(|(alias, held)| (alias, held.kind)).collect();
        self.known.entry(digest).or_insert_with(listing).clone()
    }

    fn all(&mut self, stores: &[StoreAt]) -> Vec<Shape> {
        stores.iter().map(|store| self.open(store)).collect()
    }
}

/// The moment of a kill.
#[derive(Clone, Copy)]
enum Strike {
    /// A random moment of the whole run.
    Anywhere,
    /// A random moment after the run began to write.
    WhileWriting,
    /// The moment at which the first store differs, however slow or fast the machine is.
    AtFirstStore,
}

impl Strike {
    fn of(kill: u64) -> Self {
        match kill % 5 {
            4 => Self::AtFirstStore,
            one if one % 2 == 1 => Self::WhileWriting,
            _ => Self::Anywhere,
        }
    }
}

/// The results of a campaign.
#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    ended_first: usize,
    interrupted: usize,
    old: usize,
    new: usize,
    mixed: usize,
    littered: usize,
    moved: usize,
}

#[test]
fn judge_no_kill_loses_anything() {
    needs!(Jdk, Openssl);
    let (kills, seed) = (setting("TRUSTMASON_KILLS", 10), setting("TRUSTMASON_KILL_SEED", 1));
    let template = Template::new();
    let mut reader = Reader { jvm: Jvm::start(), known: BTreeMap::new() };

    // Undisturbed runs give the total duration, the duration of writing, and the expected result.
    let (mut whole, mut writing) = (Duration::ZERO, Duration::ZERO);
    let mut wanted = Vec::new();
    for _ in 0..3 {
        let copy = template.copy();
        let begun = Instant::now();
        let mut child = copy.apply().stdout(std::process::Stdio::null()).spawn().unwrap();
        let wrote = wait_for_journal(&copy.dir, &mut child);
        child.wait().unwrap();
        whole = whole.max(begun.elapsed());
        writing = writing.max(wrote.elapsed());
        wanted = reader.all(&template.at(&copy.dir));
    }

    let mut figures = Figures::default();
    for kill in 0..kills {
        let mut numbers = Dice(seed.wrapping_mul(1_000_003).wrapping_add(kill));
        figures.kills += 1;
        one(&template, &mut reader, (whole, writing), Strike::of(kill), &mut numbers, &wanted, &mut figures);
    }
    let text = format!(
        "seed {seed}: {} kills; {} came after the end; {} runs were found interrupted; stores afterwards: {} old, {} new, \
         {} estates with both; {} left temporary files, which the next run removed; {} estates were moved before the next run; \
         nothing was lost",
        figures.kills,
        figures.ended_first,
        figures.interrupted,
        figures.old,
        figures.new,
        figures.mixed,
        figures.littered,
        figures.moved
    );
    if let Ok(path) = std::env::var("TRUSTMASON_REPORT") {
        fs::write(path, format!("{text}\n")).unwrap();
    }
    eprintln!("{text}");
    assert!(figures.interrupted * 10 >= figures.kills, "the kills hit too little: {text}");
    assert!(figures.old > 0 && figures.new > 0, "{text}");
}

/// Waits until a run begins to write or ends without writing.
fn wait_for_journal(dir: &Path, child: &mut std::process::Child) -> Instant {
    let runs = dir.join(".trustmason/runs");
    while !runs.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
    Instant::now()
}

fn one(
    template: &Template,
    reader: &mut Reader,
    (whole, writing): (Duration, Duration),
    strike: Strike,
    numbers: &mut Dice,
    wanted: &[Shape],
    figures: &mut Figures,
) {
    let mut copy = template.copy();
    let stores = template.at(&copy.dir);
    let before: Vec<Vec<u8>> = stores.iter().map(|store| fs::read(&store.path).unwrap()).collect();
    let modes: Vec<u32> = stores.iter().map(|store| mode(&store.path)).collect();
    let mut child =
        copy.apply().stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    match strike {
        Strike::Anywhere => std::thread::sleep(part_of(numbers, whole)),
        Strike::WhileWriting => {
            wait_for_journal(&copy.dir, &mut child);
            std::thread::sleep(part_of(numbers, writing));
        }
        Strike::AtFirstStore => {
            let differs = |(store, before): (&StoreAt, &Vec<u8>)| fs::read(&store.path).unwrap() != *before;
            while !stores.iter().zip(&before).any(differs) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
    if child.try_wait().unwrap().is_some() {
        figures.ended_first += 1;
    }
    let _gone_already = child.kill();
    child.wait().unwrap();

    // Each store is complete, and either old or as announced.
    let announced = announced(&copy.dir);
    let (mut old, mut new) = (0, 0);
    for ((store, before), mode_before) in stores.iter().zip(&before).zip(&modes) {
        let bytes = fs::read(&store.path).unwrap();
        let digest = Digest::of(&bytes).to_string();
        let meant = announced.get(&store.path).is_some_and(|digests| digests.contains(&digest));
        assert!(bytes == *before || meant, "{} is neither", store.path.display());
        assert_eq!(mode(&store.path), *mode_before, "{}", store.path.display());
        if bytes == *before {
            old += 1
        } else {
            new += 1
        }
        reader.open(store);
    }
    figures.old += old;
    figures.new += new;
    figures.mixed += usize::from(old > 0 && new > 0);
    figures.littered += usize::from(!leftovers(&copy.dir).is_empty());

    // The next run finishes the work, wherever the estate is.
    if numbers.next().is_multiple_of(2) {
        copy.moves();
        figures.moved += 1;
    }
    let stores = template.at(&copy.dir);
    let next = said(&mut copy.apply());
    assert!(matches!(next.code, 0 | 5), "exit {}\n{}\n{}", next.code, next.out, next.err);
    figures.interrupted += usize::from(next.err.contains("was interrupted"));
    assert_eq!(leftovers(&copy.dir), Vec::<PathBuf>::new(), "{}", next.out);
    assert_eq!(reader.all(&stores), wanted, "{}", next.out);
    let plan = said(&mut copy.tool(&["plan", "--format", "json"])).code(0).json();
    assert_eq!(plan["changes"], Value::Array(Vec::new()));
    for (store, mode_before) in stores.iter().zip(&modes) {
        assert_eq!(mode(&store.path), *mode_before, "{}", store.path.display());
    }
    // Exactly one staged key waits for its phase.
    let staged: Vec<_> = support::files(&copy.dir.join(".trustmason/staging")).into_keys().collect();
    let names: Vec<_> = staged.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["wsm.jceks"]);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
