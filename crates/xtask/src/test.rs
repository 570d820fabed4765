//! `cargo xtask test`: runs the documentation examples, then all other tests in one run, then lists the tests that did
//! not run.

use std::path::Path;

use crate::process::{self, Failure};
use crate::{java8, skipped, tools};

/// The file in which nextest reports the tests it ran (`.config/nextest.toml`).
const RAN: &str = "target/nextest/default/ran.xml";

pub(crate) fn run(no_judges: bool, without: Vec<String>, release: bool, runner: &[String]) -> Result<(), Failure> {
    let profile = release.then_some("--release");
    if no_judges {
        eprintln!("judges are left out: keytool, openssl and the JVM will confirm nothing of this run");
    } else {
        tools::ensure_judges()?;
    }
    let nextest = tools::ensure_nextest();
    let record = process::root().join("target/skipped.tsv");
    for old in [&record, &process::root().join(RAN)] {
        if old.exists() {
            std::fs::remove_file(old)?;
        }
    }
    let mut allowed = skipped::allowed(without);
    if no_judges {
        allowed.extend(["jdk", "java8", "openssl", "nss"].map(str::to_owned));
    }
    process::run(process::cargo().args(["test", "--workspace", "--doc", "--quiet"]).args(profile))?;
    let mut tests = process::cargo();
    if nextest {
        tests.args(["nextest", "run", "--workspace"]).args(profile).args(runner);
    } else {
        tests.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]).args(profile).arg("--").args(runner);
    }
    tests.env("TRUSTMASON_SKIPPED", &record);
    if no_judges {
        tests.env("TRUSTMASON_JUDGES", "off");
    } else {
        tests.envs(java8::setting());
    }
    let ended = process::run(&mut tests);
    let counted = skipped::tell(&record, ran(&process::root().join(RAN)), &allowed);
    ended.and(counted)
}

/// The number of tests that were started, from nextest's report. `None` if there is no report.
fn ran(report: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(report).ok()?;
    let start = text.split("<testsuites ").nth(1)?.split('>').next()?;
    start.split(" tests=\"").nth(1)?.split('"').next()?.parse().ok()
}
