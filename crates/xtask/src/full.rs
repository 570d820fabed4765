//! `cargo xtask full`: runs every campaign once, at the size for which its page in `docs/` gives figures. The run takes
//! hours.

use std::time::{Duration, Instant};

use crate::process::{self, Failure};
use crate::{campaign, fuzz, windows};

/// The duration of each fuzzing target in seconds.
const FUZZED: u32 = 600;

type NamedCampaign = (&'static str, fn() -> Result<&'static str, Failure>);

/// The campaigns, with the place of their figures. The quick ones come first.
const CAMPAIGNS: [NamedCampaign; 9] = [
    ("loads", || campaign::loads(campaign::LOADS, campaign::SEED).map(|()| "docs/loads.md")),
    ("chains", || campaign::chains(campaign::CHAINS, campaign::SEED).map(|()| "docs/chains.md")),
    ("tests", || campaign::tests().map(|()| "printed above")),
    ("forge", || campaign::forge(campaign::FORGERIES, campaign::SEED).map(|()| "docs/forgeries.md")),
    ("kill", || campaign::kill(campaign::KILLS, campaign::KILL_SEED).map(|()| "docs/kills.md")),
    ("model", || campaign::model().map(|()| "docs/model.md")),
    ("bench", || bench().map(|()| "docs/benchmarks.md")),
    ("windows", || {
        windows::run(windows::Extent::Long).map(|leg| match leg {
            windows::Leg::Ran => "printed above",
            windows::Leg::Skipped => "SKIPPED, see above",
        })
    }),
    ("fuzz", || fuzz::run(None, fuzz::Length::Seconds(FUZZED), fuzz::SEED).map(|()| "printed above")),
];

/// Runs all campaigns, even after one has failed, and prints how each ended.
pub(crate) fn run() -> Result<(), Failure> {
    let mut table = String::new();
    let mut failed = Vec::new();
    for (name, campaign) in CAMPAIGNS {
        eprintln!("\n== {name} ==");
        let since = Instant::now();
        let ended = match campaign() {
            Ok(figures) => figures.to_owned(),
            Err(error) => {
                failed.push(name);
                format!("FAILED: {error}")
            }
        };
        table.push_str(&line(name, since.elapsed(), &ended));
    }
    println!("\n{table}");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn line(name: &str, took: Duration, ended: &str) -> String {
    format!("{name:<8} {:>6} s  {ended}\n", took.as_secs())
}

/// Runs the benchmark as a task of its own, in a build that can measure.
fn bench() -> Result<(), Failure> {
    process::run(process::cargo().args(["xtask", "bench", "--write"]))
}
