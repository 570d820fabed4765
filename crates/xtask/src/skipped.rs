//! Counts and lists the tests that did not run. Tests record this with `fixtures/needs.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::process::Failure;

/// A test that did not run, or ran only in part.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SkippedTest {
    /// Either `skipped` or `partly`.
    how: String,
    test: String,
    /// The name of the need that was missing.
    need: String,
    /// The part of the test that was left out.
    what: String,
    /// The reason why the need was missing.
    why: String,
}

/// The needs that may be missing: those of the command line, those of the environment, and always `full`.
pub(crate) fn allowed(named: Vec<String>) -> BTreeSet<String> {
    let environment = std::env::var("TRUSTMASON_WITHOUT").unwrap_or_default();
    let environment = environment.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    named.into_iter().chain(environment).chain(["full".to_owned()]).collect()
}

/// Lists the records of a file. In CI (where `CI` is set) a missing need that is not allowed is an error.
pub(crate) fn tell(record: &Path, ran: Option<usize>, allowed: &BTreeSet<String>) -> Result<(), Failure> {
    let text = if record.exists() { std::fs::read_to_string(record)? } else { String::new() };
    let records: BTreeSet<SkippedTest> = text.lines().map(parse).collect::<Result<_, _>>()?;
    print!("{}", list(&records, ran));
    let refused: BTreeSet<&str> =
        records.iter().map(|record| record.need.as_str()).filter(|need| !allowed.contains(*need)).collect();
    if refused.is_empty() || std::env::var_os("CI").is_none() {
        return Ok(());
    }
    let refused = refused.into_iter().collect::<Vec<_>>().join(",");
    Err(format!("tests did not run, for want of {refused}; in CI that is allowed only by `--allow-missing {refused}`")
        .into())
}

fn parse(line: &str) -> Result<SkippedTest, Failure> {
    match <[String; 5]>::try_from(line.split('\t').map(str::to_owned).collect::<Vec<_>>()) {
        Ok([how, need, test, what, why]) if ["skipped", "partly"].contains(&how.as_str()) => {
            Ok(SkippedTest { how, test, need, what, why })
        }
        _ => Err(format!("a test recorded that it did not run in a line that is none: {line}").into()),
    }
}

/// The counts, and each test once with all its missing needs.
fn list(records: &BTreeSet<SkippedTest>, ran: Option<usize>) -> String {
    let mut tests: BTreeMap<&str, Vec<&SkippedTest>> = BTreeMap::new();
    for record in records {
        tests.entry(&record.test).or_default().push(record);
    }
    let skipped = tests.values().filter(|records| records.iter().any(|record| record.how == "skipped")).count();
    let partly = tests.len().saturating_sub(skipped);
    let whole = ran.map_or("the other".to_owned(), |ran| ran.saturating_sub(tests.len()).to_string());
    let mut text = format!(
        "\n{whole} tests ran whole, {partly} partly, {skipped} skipped{}\n",
        if tests.is_empty() { "" } else { ":" }
    );
    for how in ["skipped", "partly"] {
        let of =
            |records: &&Vec<&SkippedTest>| records.iter().any(|record| record.how == "skipped") == (how == "skipped");
        for (test, records) in tests.iter().filter(|(_, records)| of(records)) {
            for record in records {
                let left = if record.how == "skipped" { String::new() } else { format!(" without {}", record.what) };
                text.push_str(&format!("  {how:<7}  {test}{left}: {} ({})\n", record.need, record.why));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_test_is_counted_once() {
        let lines = [
            "partly\tjava8\tcli all::one\tthe judgement of Java 8\tnone",
            "skipped\tcorpus\tkeystore corpus::two\tthe test\tno folder",
            "partly\tstrace\tcli all::one\tthe kills\tno strace",
            "partly\tjava8\tcli all::one\tthe judgement of Java 8\tnone",
        ];
        let records = lines.map(|line| parse(line).unwrap()).into();
        assert_eq!(
            list(&records, Some(9)),
            "\n7 tests ran whole, 1 partly, 1 skipped:\n  skipped  keystore corpus::two: corpus (no folder)\n  partly   cli \
             all::one without the judgement of Java 8: java8 (none)\n  partly   cli all::one without the kills: strace (no strace)\n"
        );
        assert_eq!(list(&BTreeSet::new(), Some(9)), "\n9 tests ran whole, 0 partly, 0 skipped\n");
        for wrong in ["", "skipped\tcorpus", "left\ta\tb\tc\td", "partly\ta\tb\tc\td\te"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
