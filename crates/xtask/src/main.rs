//! Chores of the workspace: `cargo xtask <chore>`. A tool for the people who build trustmason, never a dependency of it.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a chore speaks to the person who started it")]

mod fixtures;
mod process;
mod schema;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
        /// Passed on to the test runner
        #[arg(last = true)]
        runner: Vec<String>,
    },
    /// Makes the checked-in fixtures anew by the scripts that lie beside them
    Fixtures {
        /// Only scripts whose path contains this
        filter: Option<String>,
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
        Chore::Test { no_judges, runner } => test::run(no_judges, &runner),
        Chore::Fixtures { filter } => fixtures::run(filter.as_deref()),
        Chore::Schema { check } => schema::run(check),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
