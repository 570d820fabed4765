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

use crate::args::CliCommand;
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::stop::Stop;

/// Runs a command.
pub(crate) fn run(command: CliCommand, console: Console) -> Result<ExitFacts, Stop> {
    match command {
        CliCommand::Plan(args) => plan::run(args, console),
        CliCommand::Apply(args) => apply::run(args, console),
        CliCommand::Drift(args) => drift::run(args, console),
        CliCommand::Explain(args) => explain::run(&args, console),
        CliCommand::Check(args) => check::run(&args, console),
        CliCommand::List(args) => list::run(&args, console),
        CliCommand::Collect(args) => collect::run(args, console),
        CliCommand::Confirm(args) => confirm::run(&args, console),
        CliCommand::Ack(args) => ack::run(&args, console),
        CliCommand::Runs(args) => runs::run(&args, console),
        CliCommand::Rollback(args) => rollback::run(&args, console),
        CliCommand::Profile(args) => reference::profile(&args, console),
        CliCommand::Schema(args) => reference::schema(&args, console),
        CliCommand::Completions(args) => Ok(reference::completions(&args, console)),
        CliCommand::Demo(args) => demo::run(&args, console),
    }
}
