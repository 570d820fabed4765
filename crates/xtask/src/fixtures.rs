//! `cargo xtask fixtures`: runs each `generate.sh` below `fixtures/`. The keys differ in each run, so a person decides
//! whether to commit the result. No test runs the scripts.

use std::process::Command;

use crate::process::{self, Failure};
use crate::tools;

pub(crate) fn run(filter: Option<&str>) -> Result<(), Failure> {
    tools::ensure_judges()?;
    let root = process::root();
    let mut ran = 0_usize;
    for entry in walkdir::WalkDir::new(root.join("fixtures")).sort_by_file_name() {
        let entry = entry?;
        let shown = entry.path().strip_prefix(&root)?.display().to_string();
        if entry.file_name() != "generate.sh" || filter.is_some_and(|wanted| !shown.contains(wanted)) {
            continue;
        }
        let folder = entry.path().parent().unwrap_or(&root);
        process::run(Command::new("bash").arg(entry.path()).current_dir(folder))?;
        ran += 1;
    }
    match (ran, filter) {
        (0, Some(filter)) => Err(format!("no fixtures/**/generate.sh has `{filter}` in its path").into()),
        (0, None) => Err("there is no generate.sh below fixtures/".into()),
        _ => Ok(()),
    }
}
