//! Chores of the workspace: `cargo xtask <chore>`. A tool for the people who build trustmason, never a dependency of it.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore speaks to the person who started it")]

#[cfg(feature = "bench")]
mod bench;
mod campaign;
mod fixtures;
mod full;
mod fuzz;
mod java8;
mod process;
mod schema;
mod skipped;
mod test;
mod tools;
mod windows;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What test runners take for "skipped".
const SKIPPED: u8 = 77;

/// Chores of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Sets up what the tests need if it is missing, then runs every test
    Test {
        /// Leave out ring 7: nothing is installed, keytool, openssl and the JVM are not started
        #[arg(long)]
        no_judges: bool,
        /// What may be missing in CI: names from the list of tests that did not run, separated by commas
        #[arg(long, value_delimiter = ',')]
        allow_missing: Vec<String>,
        /// Build in the release profile, which a run of the demo has built already
        #[arg(long)]
        release: bool,
        /// Passed on to the test runner
        #[arg(last = true)]
        runner: Vec<String>,
    },
    /// Lists what tests recorded in a file because they did not run, as `test` does at its end
    #[command(hide = true)]
    Skipped {
        /// What `TRUSTMASON_SKIPPED` named
        file: PathBuf,
    },
    /// Measures CPU time and memory against references in the same run
    Bench {
        /// A tenth of the size, for a quick look
        #[arg(long)]
        quick: bool,
        /// Write docs/benchmarks.md
        #[arg(long)]
        write: bool,
        /// Fail if a target is missed
        #[arg(long)]
        strict: bool,
    },
    /// One measured plan, started by `bench`
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchProbe {
        /// The estate
        spec: PathBuf,
    },
    /// One large store opened, started by `bench`
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchOpen {
        /// The store
        store: PathBuf,
    },
    /// Runs every long campaign once: loads, chains, all tests at their whole extent, forge, kill, model, bench, windows --long and fuzz
    Full,
    /// Kills real applies at random moments and judges what is left; writes the figures to docs/kills.md
    Kill {
        /// How many
        #[arg(long, default_value_t = campaign::KILLS)]
        kills: u32,
        /// Where the moments come from
        #[arg(long, default_value_t = campaign::KILL_SEED)]
        seed: u64,
    },
    /// Forges state folders, rolls back under them and judges what came of it; writes the figures to docs/forgeries.md
    Forge {
        /// How many
        #[arg(long, default_value_t = campaign::FORGERIES)]
        count: u32,
        /// The number of the first
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Makes chains of certificates and has openssl and JSSE judge them; writes the figures to docs/chains.md
    Chains {
        /// How many
        #[arg(long, default_value_t = campaign::CHAINS)]
        count: u32,
        /// The number of the first
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Searches the model of rotation in its larger worlds too; writes the figures to docs/model.md
    Model,
    /// Judges generated certificates and mutants of real ones by Java 17 and Java 8; writes the figures to docs/loads.md
    Loads {
        /// How many of each
        #[arg(long, default_value_t = campaign::LOADS)]
        count: u32,
        /// Where they come from
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Unpacks a Java 8 into target/java8, as a further judge
    #[command(after_help = "Exit code 77 says that it cannot be had on this machine.")]
    Java8,
    /// Fuzzes the parsers, one target per format, and prints what was run
    Fuzz {
        /// Only this one
        #[arg(long)]
        target: Option<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Where the mutations come from
        #[arg(long, default_value_t = fuzz::SEED)]
        seed: u32,
        /// A bounded number of inputs instead, for the gate
        #[arg(long)]
        smoke: bool,
    },
    /// Makes the checked-in fixtures anew by the scripts that lie beside them
    Fixtures {
        /// Only scripts whose path contains this
        filter: Option<String>,
    },
    /// Builds the program and its tests for Windows and runs them under Wine
    #[command(after_help = "Exit code 77 says that something cannot be had on this machine and the leg was skipped.")]
    Windows {
        /// End well where the leg must be skipped
        #[arg(long)]
        allow_skip: bool,
        /// With the unit tests, and the campaigns that stop the whole way at each of its steps
        #[arg(long)]
        long: bool,
        /// Build only, so that the build can go on beside something else
        #[arg(long, conflicts_with = "long")]
        build: bool,
    },
    /// Writes docs/schema/*.json from `trustmason schema`
    Schema {
        /// Write nothing; fail if a file differs
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Test { no_judges, allow_missing, release, runner } => {
            test::run(no_judges, allow_missing, release, &runner)
        }
        Chore::Skipped { file } => skipped::tell(&file, None, &skipped::allowed(Vec::new())),
        #[cfg(feature = "bench")]
        Chore::Bench { quick, write, strict } if !cfg!(debug_assertions) => {
            bench::run(bench::Plan { quick, write, strict })
        }
        Chore::Bench { quick, write, strict } => optimised(quick, write, strict),
        #[cfg(feature = "bench")]
        Chore::BenchProbe { spec } => bench::probe(&spec),
        #[cfg(feature = "bench")]
        Chore::BenchOpen { store } => bench::open_probe(&store),
        Chore::Full => full::run(),
        Chore::Kill { kills, seed } => campaign::kill(kills, seed),
        Chore::Forge { count, seed } => campaign::forge(count, seed),
        Chore::Chains { count, seed } => campaign::chains(count, seed),
        Chore::Model => campaign::model(),
        Chore::Loads { count, seed } => campaign::loads(count, seed),
        Chore::Java8 => match java8::ensure() {
            Some(root) => {
                println!("{}", root.display());
                Ok(())
            }
            None => return ExitCode::from(SKIPPED),
        },
        Chore::Fuzz { target, seconds, seed, smoke } => {
            let length = if smoke { fuzz::Length::Runs(5_000) } else { fuzz::Length::Seconds(seconds) };
            fuzz::run(target.as_deref(), length, seed)
        }
        Chore::Fixtures { filter } => fixtures::run(filter.as_deref()),
        Chore::Schema { check } => schema::run(check),
        Chore::Windows { allow_skip, long, build } => {
            let extent = match (long, build) {
                (true, _) => windows::Extent::Long,
                (false, true) => windows::Extent::Build,
                (false, false) => windows::Extent::Usual,
            };
            match windows::run(extent) {
                Ok(windows::Leg::Skipped) if !allow_skip => return ExitCode::from(SKIPPED),
                other => other.map(|_leg| ()),
            }
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same chore in a build that can measure: with what it links, and compiled for speed.
fn optimised(quick: bool, write: bool, strict: bool) -> Result<(), process::Failure> {
    let mut again = process::cargo();
    again.args(["run", "--release", "--quiet", "--package", "xtask", "--features", "bench", "--", "bench"]);
    let flags = [("--quick", quick), ("--write", write), ("--strict", strict)];
    again.args(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| flag));
    process::run(&mut again)
}
