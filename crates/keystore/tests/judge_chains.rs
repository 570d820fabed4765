//! Thousands of chains, in which each rule of a path is broken alone and in pairs. `openssl verify` and JSSE's PKIX in
//! every release judge them. This crate never accepts a chain that either of them refuses. It refuses at most one in
//! two hundred of the chains that both accept, always by a rule with a name.
//!
//! openssl is called without `-x509_strict`, as services call it: most company CAs do not fulfil the additional rules
//! of that flag (for example an authority key identifier in every certificate). The chains are judged both as a
//! server's and as a client's.

use crate::chains;
use crate::support::javas;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chains::chain::{AT, Chain, Chance};
use chains::shapes::{COMMON, SELDOM, Shape};
use javas::{Judges, Release};
use serde_json::Value;
use trustmason_keystore::Certificate;
use trustmason_keystore::path::{self, PathRule};

/// JSSE's trust manager, in one JVM of each release.
struct Jsse(Judges);

impl Jsse {
    /// Why each release refuses a chain, leaf first.
    fn refuse(&mut self, root: &[u8], chain: &[&[u8]]) -> Vec<(Release, Option<String>)> {
        let mut words = vec!["path".to_owned(), (AT * 1000).to_string(), STANDARD.encode(root)];
        words.extend(chain.iter().map(|der| STANDARD.encode(der)));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let refusal = |said: &Value| (said["ok"] != true).then(|| said["why"].as_str().unwrap().to_owned());
        self.0.each(&words).into_iter().map(|answer| (answer.release, refusal(&answer.said))).collect()
    }
}

fn pem(ders: &[&[u8]]) -> String {
    let one =
        |der: &&[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    ders.iter().map(one).collect()
}

/// Why openssl refuses a chain, leaf first.
fn openssl_refuses(folder: &Path, root: &[u8], chain: &[&[u8]]) -> Option<String> {
    let write = |name: &str, ders: &[&[u8]]| {
        let path = folder.join(name);
        fs::write(&path, pem(ders)).unwrap();
        path
    };
    let (root, leaf) = (write("root.pem", &[root]), write("leaf.pem", &chain[..1]));
    let between = write("between.pem", &chain[1..]);
    for purpose in ["sslserver", "sslclient"] {
        let mut asked = Command::new("openssl");
        asked.args(["verify", "-no-CApath", "-no-CAstore", "-attime", &AT.to_string(), "-purpose", purpose, "-CAfile"]);
        asked.arg(&root);
        if chain.len() > 1 {
            asked.arg("-untrusted").arg(&between);
        }
        let answer = asked.arg(&leaf).output().expect("openssl starts");
        if !answer.status.success() {
            return Some(String::from_utf8_lossy(&answer.stderr).replace('\n', " "));
        }
    }
    None
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A random chain, signed.
struct Drawn {
    shapes: Vec<Shape>,
    root: Vec<u8>,
    leaf: Vec<u8>,
    between: Vec<Vec<u8>>,
}

fn draw(seed: u64) -> Drawn {
    let mut chance = Chance::new(seed);
    let mut chain = Chain::good(&mut chance);
    let mut shapes = Vec::new();
    // One chain in ten has nothing odd, the others have one or two odd things. A rare shape comes once in 1500 chains.
    if chance.below(1500) == 0 {
        shapes.push(chance.pick(SELDOM));
    } else {
        let count = chance.pick(&[0, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
        shapes.extend((0..count).map(|_| chance.pick(COMMON)));
    }
    for shape in &shapes {
        shape.apply(&mut chain, &mut chance);
    }
    let last = chain.members.len() - 1;
    let present = (1..last).filter(|place| chain.missing != Some(*place));
    let mut between: Vec<Vec<u8>> = present.map(|place| chain.members[place].sign()).collect();
    between.extend(chain.others.iter().map(chains::certificate::CertificateDraft::sign));
    // The intermediates are in random order.
    for place in (1..between.len()).rev() {
        between.swap(place, chance.below(place + 1));
    }
    Drawn { shapes, root: chain.members[0].sign(), leaf: chain.members[last].sign(), between }
}

/// The result of this crate: the issuers without the root, or the broken rule.
fn verdict(drawn: &Drawn, ignored: &[PathRule]) -> Result<Vec<Vec<u8>>, (Option<PathRule>, String)> {
    let parse = |der: &[u8]| Certificate::parse(der).map(Arc::new).map_err(|error| (None, error.to_string()));
    let (root, leaf) = (parse(&drawn.root)?, parse(&drawn.leaf)?);
    // Certificates that do not parse are skipped, as in an inbox.
    let between: Vec<_> = drawn.between.iter().filter_map(|der| parse(der).ok()).collect();
    let path = path::validate_without(&leaf, &between, &root, AT, ignored)
        .map_err(|refused| (Some(refused.rule), refused.to_string()))?;
    let (_, above) = path.issuers().split_last().unwrap();
    Ok(above.iter().map(|c| c.der().to_vec()).collect())
}

#[test]
fn judge_no_chain_that_a_validator_refuses() {
    needs!(Jdk, Openssl);
    let (count, seed) = (number("TRUSTMASON_CHAINS", 150), number("TRUSTMASON_CHAIN_SEED", 20_261_129));
    let folder = tempfile::tempdir().unwrap();
    let mut jsse = Jsse(Judges::start());
    // The chains that some releases refuse and others accept, by the refusing releases.
    let mut of_two_minds: BTreeMap<Vec<Release>, u64> = BTreeMap::new();
    let mut too_lenient = Vec::new();
    let (mut accepted, mut both_accept) = (0u64, 0u64);
    let mut too_strict: BTreeMap<String, u64> = BTreeMap::new();
    let mut strict_chains = Vec::new();
    let mut refused_by: BTreeMap<PathRule, u64> = BTreeMap::new();
    // The chains that this crate accepts if one rule is ignored, although a judge refuses them.
    let mut needed: BTreeMap<PathRule, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for number in 0..count {
        let drawn = draw(seed.wrapping_add(number));
        seen.extend(drawn.shapes.iter().copied());
        let ours = verdict(&drawn, &[]);
        // The judges see the path that would be installed; if there is none, all given intermediates.
        let above = ours.as_ref().unwrap_or(&drawn.between);
        let chain: Vec<&[u8]> = std::iter::once(&drawn.leaf).chain(above).map(Vec::as_slice).collect();
        let openssl = openssl_refuses(folder.path(), &drawn.root, &chain);
        let java = jsse.refuse(&drawn.root, &chain);
        let refusing: Vec<Release> = java.iter().filter(|(_, why)| why.is_some()).map(|(of, _)| of.clone()).collect();
        let judges = openssl.is_none() && refusing.is_empty();
        if !refusing.is_empty() && refusing.len() < java.len() {
            eprintln!("{} {:?}: the releases differ: {java:?}", seed.wrapping_add(number), drawn.shapes);
            *of_two_minds.entry(refusing).or_default() += 1;
        }
        both_accept += u64::from(judges);
        match &ours {
            Ok(_) => {
                accepted += 1;
                if !judges {
                    too_lenient.push(format!(
                        "{} {:?}: openssl {openssl:?}; JSSE {java:?}",
                        seed.wrapping_add(number),
                        drawn.shapes
                    ));
                }
            }
            Err((rule, what)) => {
                if let Some(rule) = rule {
                    *refused_by.entry(*rule).or_default() += 1;
                }
                if judges {
                    *too_strict.entry(rule.map_or("unreadable", PathRule::name).to_owned()).or_default() += 1;
                    strict_chains.push(format!("{} {:?}: {what}", seed.wrapping_add(number), drawn.shapes));
                } else {
                    for removed in PathRule::ALL.into_iter().filter(|removed| Some(*removed) == *rule) {
                        if verdict(&drawn, &[removed, PathRule::SecondOpinion]).is_ok() {
                            *needed.entry(removed).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    let list = |of: &BTreeMap<PathRule, u64>| {
        of.iter().map(|(rule, times)| format!("{rule} {times}")).collect::<Vec<_>>().join(", ")
    };
    let strict: u64 = too_strict.values().sum();
    let releases: Vec<String> = jsse.0.running().iter().map(|running| running.release.to_string()).collect();
    let differing: Vec<String> = of_two_minds
        .iter()
        .map(|(refusing, times)| {
            let names: Vec<String> = refusing.iter().map(ToString::to_string).collect();
            format!("{times} refused by Java {} alone", names.join(" and "))
        })
        .collect();
    let differing = if differing.is_empty() { "none".to_owned() } else { differing.join(", ") };
    let unneeded: Vec<&str> =
        PathRule::ALL.into_iter().filter(|rule| !needed.contains_key(rule)).map(PathRule::name).collect();
    let report = format!(
        "{count} chains from seed {seed}, {} shapes; JSSE of Java {}, of two minds over: {differing}; \
         {both_accept} accepted by openssl and JSSE, {accepted} here; refused by a judge and accepted here: {}; \
         accepted by both judges and refused here: {strict} {too_strict:?}; refused here by rule: {}; \
         a judge refuses and only the rule stands between (rule removed, second opinion too): {}; rules without such a chain: {}",
        seen.len(),
        releases.join(" and "),
        too_lenient.len(),
        list(&refused_by),
        list(&needed),
        unneeded.join(", "),
    );
    eprintln!("{}", report.replace("; ", "\n"));
    for line in too_lenient.iter().chain(&strict_chains).take(60) {
        eprintln!("  {line}");
    }
    if let Ok(path) = std::env::var("TRUSTMASON_REPORT") {
        fs::write(path, &report).unwrap();
    }
    assert!(too_lenient.is_empty(), "{} chains are accepted that a judge refuses", too_lenient.len());
    // The judges see this number of chains. In a short run a handful of refusals is a matter of luck.
    assert!(
        strict <= (both_accept / 200).max(3),
        "{strict} of {both_accept} chains are refused that both judges accept"
    );
}
