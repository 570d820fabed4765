//! The judgement of this crate about certificates, compared with Java 17 and Java 8, over generated shapes and over
//! mutants of real certificates.
//!
//! `TRUSTMASON_LOADS` and `TRUSTMASON_LOADS_SEED` make the run long. `TRUSTMASON_JAVA8` names the root of a Java 8.
//! `TRUSTMASON_JAVAS` names launchers of further JVMs: their answers are reported, although the model does not cover
//! them.

use crate::needs::{self, Need};
use crate::support;

mod algorithms;
mod edits;
mod keys;
mod pools;
mod shapes;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rand_core::TryRng as _;
use support::javas::{Loads, loads};
use support::{Dice, corpus, open, read, text};
use tree::Node;
use trustmason_keystore::{JavaReleases, JvmJudgement};

/// A repeatable source of random choices.
pub(crate) struct Random(Dice);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Dice(seed))
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.try_next_u64().unwrap() % bound.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub fn bit(&mut self) -> u8 {
        1 << self.below(8)
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// A certificate to judge, and how it was made.
pub(crate) struct Question {
    pub made: String,
    pub der: Vec<u8>,
}

/// The results of a run.
#[derive(Default)]
struct Figures {
    asked: usize,
    both_load: usize,
    refused: usize,
    unsure: usize,
    missed: Vec<String>,
    false_alarms: Vec<String>,
    wrong_release: Vec<String>,
}

impl Figures {
    fn of(questions: &[Question], verdicts: &Verdicts) -> Self {
        let mut figures = Self { asked: questions.len(), ..Self::default() };
        for (index, question) in questions.iter().enumerate() {
            let seventeen = &verdicts.seventeen().refusals[index];
            let eight = verdicts.eight().map(|answers| &answers.refusals[index]);
            let refusal = seventeen.as_ref().or(eight.and_then(Option::as_ref));
            let judgement = JvmJudgement::of(&question.der);
            let line = || {
                let hex: String = question.der.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{}: {judgement:?}; 17 {seventeen:?}; 8 {eight:?}\n    {hex}", question.made)
            };
            figures.both_load += usize::from(refusal.is_none());
            match &judgement {
                JvmJudgement::Loads if refusal.is_some() => figures.missed.push(line()),
                JvmJudgement::Loads => {}
                JvmJudgement::CannotTell(_) => figures.unsure += 1,
                JvmJudgement::Refused(said) => {
                    figures.refused += 1;
                    // Every named release must refuse. If the model cannot tell for the other release, that release may
                    // refuse as well.
                    let wrong = match said.releases() {
                        JavaReleases::Both => seventeen.is_none() || eight.is_some_and(Option::is_none),
                        JavaReleases::Java17 => seventeen.is_none(),
                        JavaReleases::Java8 => eight.is_some_and(Option::is_none),
                    };
                    if refusal.is_none() && (eight.is_some() || said.releases() != JavaReleases::Java8) {
                        figures.false_alarms.push(line());
                    } else if wrong {
                        figures.wrong_release.push(line());
                    }
                }
            }
        }
        figures
    }

    /// Checks the promise in `docs/formats.md`.
    fn check(&self, what: &str) {
        let show = |lines: &[String]| lines.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.missed.is_empty(),
            "{what}: {} are refused and called loading:\n{}",
            self.missed.len(),
            show(&self.missed)
        );
        let bound = self.asked / 500;
        let alarms = &self.false_alarms;
        assert!(alarms.len() <= bound, "{what}: {} load and are called refused:\n{}", alarms.len(), show(alarms));
        let wrong = &self.wrong_release;
        assert!(wrong.len() <= bound, "{what}: {} are refused by another release:\n{}", wrong.len(), show(wrong));
        for line in alarms.iter().chain(wrong) {
            eprintln!("{what}, within the bound: {line}");
        }
    }

    fn line(&self, what: &str) -> String {
        format!(
            "{what}: {} judged, {} loaded by all; refused and called loading {}; loaded and called refused {}; \
             called refused by another release {}; not told {}",
            self.asked,
            self.both_load,
            self.missed.len(),
            self.false_alarms.len(),
            self.wrong_release.len(),
            self.unsure
        )
        .replace("; ", ", ")
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |value| value.parse().expect(name))
}

/// The answers of all JVMs. The model covers two of them; the answers of the others are only reported.
struct Verdicts(Vec<Loads>);

impl Verdicts {
    /// Asks all JVMs about these certificates.
    fn ask(questions: &[Question]) -> Self {
        let certificates: Vec<Vec<u8>> = questions.iter().map(|question| question.der.clone()).collect();
        Self(loads(&certificates))
    }

    /// The answers of the JVM in the path.
    fn seventeen(&self) -> &Loads {
        &self.0[0]
    }

    fn eight(&self) -> Option<&Loads> {
        self.0.iter().find(|of| of.release.number() == 8)
    }

    /// How often some releases refused a certificate that others load, with the words of the first that refused and one
    /// example.
    fn differences(&self, questions: &[Question]) -> String {
        let mut seen: BTreeMap<(Vec<u32>, String), (usize, &str)> = BTreeMap::new();
        for (index, question) in questions.iter().enumerate() {
            let refusing: Vec<&Loads> = self.0.iter().filter(|of| of.refusals[index].is_some()).collect();
            if refusing.is_empty() || refusing.len() == self.0.len() {
                continue;
            }
            let mut numbers: Vec<u32> = refusing.iter().map(|of| of.release.number()).collect();
            numbers.sort_unstable();
            let words: String = refusing[0].refusals[index].iter().flat_map(|words| words.chars()).take(160).collect();
            let words = words.replace(|letter: char| letter.is_ascii_digit(), "#");
            seen.entry((numbers, words)).or_insert((0, &question.made)).0 += 1;
        }
        seen.iter()
            .map(|((numbers, words), (times, made))| format!("{times}\t{numbers:?}\t{words}\t{made}\n"))
            .collect()
    }
}

/// The certificates in a keystore.
fn certificates_of(bytes: &[u8], password: Option<&str>) -> Vec<Vec<u8>> {
    let Ok(store) = open(bytes, password) else { return Vec::new() };
    store.entries().iter().flat_map(|entry| entry.certificates()).map(|slot| slot.der().to_vec()).collect()
}

/// The certificates that a JDK and Debian ship as trusted.
fn shipped() -> Vec<Vec<u8>> {
    let mut found = BTreeSet::new();
    for store in ["/etc/ssl/certs/java/cacerts", "/usr/lib/jvm/default-java/lib/security/cacerts"] {
        if Path::new(store).is_file() {
            found.extend(certificates_of(&read(store), Some("changeit")));
        }
    }
    for bundle in ["/etc/ssl/certs/ca-certificates.crt"] {
        if Path::new(bundle).is_file() {
            found.extend(certificates_of(&read(bundle), None));
        }
    }
    found.into_iter().collect()
}

#[test]
fn every_shipped_root_loads() {
    let shipped = shipped();
    if shipped.is_empty() {
        needs::left_out(Need::Roots, "every root", "no bundle is installed");
    }
    eprintln!("{} roots that this machine's JDK and Debian ship", shipped.len());
    for der in shipped {
        assert_eq!(JvmJudgement::of(&der), JvmJudgement::Loads);
    }
}

#[test]
fn judge_loads_shapes_and_mutants() {
    needs!(Jdk);
    let count = setting("TRUSTMASON_LOADS", 1_500) as usize;
    let seed = setting("TRUSTMASON_LOADS_SEED", 20_261_129);
    let mut random = Random::new(seed);
    let shapes: Vec<Question> = (0..count).map(|_| shapes::shape(&mut random)).collect();
    let mut roots = shipped();
    if roots.is_empty() {
        needs::left_out(
            Need::Roots,
            "mutants of shipped roots; the generator's own were taken",
            "no bundle is installed",
        );
        roots = (0..50).map(|_| shapes::good(&mut random)).collect();
    }
    let mutants: Vec<Question> = (0..count).map(|_| mutant(&roots, &mut random)).collect();
    let of_shapes = Verdicts::ask(&shapes);
    let of_mutants = Verdicts::ask(&mutants);
    let first = Figures::of(&shapes, &of_shapes);
    let second = Figures::of(&mutants, &of_mutants);
    let eight = of_shapes.eight().map_or("not asked".to_owned(), |of| of.release.to_string());
    let report = format!(
        "Java {} and Java 8 ({eight}), seed {seed}; {}; {}",
        of_shapes.seventeen().release,
        first.line("shapes"),
        second.line("mutants of shipped roots")
    );
    eprintln!("{report}");
    for (what, of, questions) in [("shapes", &of_shapes, &shapes), ("mutants", &of_mutants, &mutants)] {
        if of.0.len() > 2 {
            eprintln!("{what}: refused by some of the releases\n{}", of.differences(questions));
        }
    }
    first.check("shapes");
    second.check("mutants");
    if let Some(path) = std::env::var_os("TRUSTMASON_REPORT") {
        std::fs::write(path, report).unwrap();
    }
}

/// A real certificate with one to three places changed, or with some raw bytes changed.
fn mutant(roots: &[Vec<u8>], random: &mut Random) -> Question {
    let mut der = random.pick(roots);
    let mut made = String::new();
    if random.one_in(4) {
        for _ in 0..=random.below(2) {
            let at = random.below(der.len());
            der[at] ^= random.bit();
            made += &format!("byte {at} ");
        }
    } else if let Some(mut tree) = Node::parse(&der) {
        for _ in 0..=random.below(3) {
            made += &tree.mutate(random);
            made.push(' ');
        }
        der = tree.encode();
    }
    Question { made, der }
}

#[test]
fn judge_loads_the_corpus() {
    needs!(Corpus, Jdk);
    let corpus = corpus();
    let mut found = BTreeSet::new();
    for line in text(corpus.join("expected.tsv")).lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let password = cells[2].trim_matches('"');
        let bytes = read(corpus.join("files").join(cells[0]));
        let some = certificates_of(&bytes, Some(password));
        found.extend(if some.is_empty() { certificates_of(&bytes, None) } else { some });
    }
    let questions: Vec<Question> =
        found.into_iter().map(|der| Question { made: "of the corpus".to_owned(), der }).collect();
    let verdicts = Verdicts::ask(&questions);
    let figures = Figures::of(&questions, &verdicts);
    eprintln!("{}", figures.line("corpus"));
    figures.check("corpus");
    assert!(figures.unsure * 100 <= figures.asked, "{} of {} cannot be told", figures.unsure, figures.asked);
}
