//! The names of temporary files: each lies beside its target and says which run made it.

use std::path::{Path, PathBuf};

use trustmason_plan::run_id::RunId;

/// The first part of every temporary file's name.
pub(super) const MARK: &str = ".trustmason-";

/// The temporary file of a run for a target, beside it.
pub(super) fn temporary(target: &Path, run: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{MARK}{run}-{name}"))
}

/// The second name of the target, where there must be one.
pub(super) fn aside(temporary: &Path) -> PathBuf {
    let name = temporary.file_name().unwrap_or_default().to_string_lossy();
    temporary.with_file_name(format!("{name}~"))
}

/// Both names a run may have left a target's file under.
pub(crate) fn temporaries(target: &Path, run: &str) -> [PathBuf; 2] {
    let temporary = temporary(target, run);
    let aside = aside(&temporary);
    [temporary, aside]
}

/// The run that left this temporary file, if it is one.
pub(crate) fn left_by(path: &Path) -> Option<RunId> {
    let rest = path.file_name()?.to_str()?.strip_prefix(MARK)?;
    let (run, name) = rest.split_at_checked(RunId::LENGTH)?;
    RunId::parse(run).ok().filter(|_| name.starts_with('-'))
}
