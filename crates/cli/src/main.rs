//! The command line of trustmason. The program reads arguments, goes as far along spec, look, plan and run as the
//! command needs, prints the result and ends with one exit code.
//!
//! Run it as `trustmason COMMAND`, or as `cargo run -- COMMAND` in a checkout. `trustmason demo` needs nothing else, and
//! `trustmason --help` lists the commands. `docs/exit-codes.md` explains the exit codes.
#![forbid(unsafe_code)]

mod args;
mod causes;
mod clock;
mod command;
mod console;
mod demo;
mod exit;
mod load;
mod nearest;
mod network;
mod progress;
mod signals;
mod stop;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

/// The version that plans and reports name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // If the stream is closed, nothing is left to report that on.
            let _closed = error.print();
            return if error.use_stderr() { exit::ExitFacts::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let console = console::Console::open(args.log);
    match command::run(args.command, console) {
        Ok(facts) => facts.into(),
        Err(stop) => stop.say(console).into(),
    }
}
