//! Words in, words out: the command line of trustmason. It reads arguments, walks the data's way (spec, look, plan, run)
//! as far as a command needs, renders what came out, and exits with one number.
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
            // There is no place left to say that a stream is closed.
            let _closed = error.print();
            return if error.use_stderr() { exit::Facts::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let console = console::Console::open(args.log);
    match command::run(args.command, console) {
        Ok(facts) => facts.into(),
        Err(stop) => stop.say(console).into(),
    }
}
