//! `check`: the spec alone.

use crate::args::CheckArgs;
use crate::console::Console;
use crate::exit::Facts;
use crate::stop::Stop;
use crate::{load, view};

pub(crate) fn run(args: &CheckArgs, console: Console) -> Result<Facts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    console.report(&view::check::text(&estate.topology, &estate.name, estate.warnings));
    Ok(Facts::FINE)
}
