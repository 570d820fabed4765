//! Tasks for the people who build trustmason. Run them as `cargo xtask TASK`; `cargo xtask --help` lists them. The
//! product never depends on this crate.
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

/// The exit code that test runners read as "skipped".
const SKIPPED: u8 = 77;

/// Tasks for people who build trustmason
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Installs what the tests need if it is missing, then runs every test
    Test {
        /// Leave out the tests with judges: nothing is installed, and keytool, openssl and the JVM are not started
        #[arg(long)]
        no_judges: bool,
        /// Needs that may be missing in CI: names from the list of tests that did not run, separated by commas
        #[arg(long, value_delimiter = ',')]
        allow_missing: Vec<String>,
        /// Build in the release profile, which a run of the demo has already built
        #[arg(long)]
        release: bool,
        /// Arguments for the test runner
        #[arg(last = true)]
        runner: Vec<String>,
    },
    /// Lists the tests that did not run from the file in which they recorded it, as `test` does at its end
    #[command(hide = true)]
    Skipped {
        /// The file that `TRUSTMASON_SKIPPED` named
        file: PathBuf,
    },
    /// Measures CPU time and memory against references in the same run
    Bench {
        /// Measure a tenth of the size
        #[arg(long)]
        quick: bool,
        /// Write docs/benchmarks.md
        #[arg(long)]
        write: bool,
        /// Fail if a target is missed
        #[arg(long)]
        strict: bool,
    },
    /// Measures one plan; started by `bench`
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchProbe {
        /// The spec of the estate
        spec: PathBuf,
    },
    /// Opens one large store; started by `bench`
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    BenchOpen {
        /// The path of the store
        store: PathBuf,
    },
    /// Runs every long campaign once: loads, chains, all tests in full, forge, kill, model, bench, windows --long and fuzz
    Full,
    /// Kills real applies at random moments and checks the result; writes the figures to docs/kills.md
    Kill {
        /// The number of kills
        #[arg(long, default_value_t = campaign::KILLS)]
        kills: u32,
        /// The seed for the moments
        #[arg(long, default_value_t = campaign::KILL_SEED)]
        seed: u64,
    },
    /// Forges state folders, rolls back with them and checks the result; writes the figures to docs/forgeries.md
    Forge {
        /// The number of forged folders
        #[arg(long, default_value_t = campaign::FORGERIES)]
        count: u32,
        /// The seed of the first folder
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Makes chains of certificates and lets openssl and JSSE judge them; writes the figures to docs/chains.md
    Chains {
        /// The number of chains
        #[arg(long, default_value_t = campaign::CHAINS)]
        count: u32,
        /// The seed of the first chain
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Searches the model of rotation in its larger worlds too; writes the figures to docs/model.md
    Model,
    /// Lets Java 17 and Java 8 judge generated certificates and mutants of real ones; writes the figures to docs/loads.md
    Loads {
        /// The number of certificates of each kind
        #[arg(long, default_value_t = campaign::LOADS)]
        count: u32,
        /// The seed for the certificates
        #[arg(long, default_value_t = campaign::SEED)]
        seed: u64,
    },
    /// Unpacks a Java 8 into target/java8, as another judge
    #[command(after_help = "Exit code 77 says that it cannot be had on this machine.")]
    Java8,
    /// Fuzzes the parsers, one target per format, and prints the figures
    Fuzz {
        /// Fuzz only this target
        #[arg(long)]
        target: Option<String>,
        /// The duration of each target in seconds
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// The seed for the mutations
        #[arg(long, default_value_t = fuzz::SEED)]
        seed: u32,
        /// Run a fixed number of inputs instead
        #[arg(long)]
        smoke: bool,
    },
    /// Runs the scripts that make the checked-in fixtures
    Fixtures {
        /// Run only scripts whose path contains this text
        filter: Option<String>,
    },
    /// Builds the program and its tests for Windows and runs them under Wine
    #[command(after_help = "Exit code 77 says that something cannot be had on this machine and the leg was skipped.")]
    Windows {
        /// Exit with 0 even if the task is skipped
        #[arg(long)]
        allow_skip: bool,
        /// Also run the unit tests, and the campaigns that stop the whole run at each of its steps
        #[arg(long)]
        long: bool,
        /// Only build, so that the build can run beside something else
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
            bench::run(bench::BenchOptions { quick, write, strict })
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

/// Runs the benchmark in a release build with the feature `bench`, which has the libraries for measuring.
fn optimised(quick: bool, write: bool, strict: bool) -> Result<(), process::Failure> {
    let mut again = process::cargo();
    again.args(["run", "--release", "--quiet", "--package", "xtask", "--features", "bench", "--", "bench"]);
    let flags = [("--quick", quick), ("--write", write), ("--strict", strict)];
    again.args(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| flag));
    process::run(&mut again)
}
