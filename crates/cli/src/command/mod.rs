//! The commands, one module each. A command takes its arguments, does its work through the library crates, prints, and
//! gives the facts for the exit code.

pub(crate) mod ack;
pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod confirm;
pub(crate) mod demo;
pub(crate) mod drift;
pub(crate) mod explain;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod rollback;
pub(crate) mod runs;

use crate::args::Command;
use crate::console::Console;
use crate::exit::Facts;
use crate::stop::Stop;

/// Runs a command.
pub(crate) fn run(command: Command, console: Console) -> Result<Facts, Stop> {
    match command {
        Command::Plan(args) => plan::run(args, console),
        Command::Apply(args) => apply::run(args, console),
        Command::Drift(args) => drift::run(args, console),
        Command::Explain(args) => explain::run(&args, console),
        Command::Check(args) => check::run(&args, console),
        Command::List(args) => list::run(&args, console),
        Command::Collect(args) => collect::run(args, console),
        Command::Confirm(args) => confirm::run(&args, console),
        Command::Ack(args) => ack::run(&args, console),
        Command::Runs(args) => runs::run(&args, console),
        Command::Rollback(args) => rollback::run(&args, console),
        Command::Profile(args) => reference::profile(&args, console),
        Command::Schema(args) => reference::schema(&args, console),
        Command::Completions(args) => Ok(reference::completions(&args, console)),
        Command::Demo(args) => demo::run(&args, console),
    }
}
