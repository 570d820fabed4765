//! `profile`, `schema` and `completions`: print texts that are built into the program. No file is read.

use clap::CommandFactory as _;
use trustmason_spec::{profile as profiles, schema as spec_schema};

use crate::args::{Args, CompletionsArgs, ProfileArgs, ProfileCommand, SchemaArgs, SchemaOf};
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::load::did_you_mean;
use crate::stop::Stop;

/// Runs `profile list` and `profile show`.
pub(crate) fn profile(args: &ProfileArgs, console: Console) -> Result<ExitFacts, Stop> {
    match &args.what {
        ProfileCommand::List => {
            let names: String = profiles::names().map(|n| format!("{n}\n")).collect();
            console.report(&names);
        }
        ProfileCommand::Show { name } => match profiles::builtin(name) {
            Some(text) => console.data(text),
            None => {
                let hint = did_you_mean(name, profiles::names());
                return Err(Stop::refused(format!(
                    "there is no built-in profile `{name}`{hint} `trustmason profile list` shows them all",
                    hint = if hint.is_empty() { ";".to_owned() } else { hint }
                )));
            }
        },
    }
    Ok(ExitFacts::FINE)
}

/// Runs `schema`.
pub(crate) fn schema(args: &SchemaArgs, console: Console) -> Result<ExitFacts, Stop> {
    let schema = match args.what {
        SchemaOf::Spec => spec_schema::spec(),
        SchemaOf::Profile => spec_schema::profile(),
        SchemaOf::Plan => schemars::schema_for!(trustmason_plan::wire::Document).to_value(),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|e| Stop::refused(format!("the schema cannot be written: {e}")))?;
    console.data(&format!("{text}\n"));
    Ok(ExitFacts::FINE)
}

/// Runs `completions`.
pub(crate) fn completions(args: &CompletionsArgs, console: Console) -> ExitFacts {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "trustmason", &mut script);
    console.data(&String::from_utf8_lossy(&script));
    ExitFacts::FINE
}
