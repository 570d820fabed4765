//! The names of temporary files. Each lies beside its target and names the run that made it.

use std::path::{Path, PathBuf};

use trustmason_plan::run_id::RunId;

/// The first part of every temporary file's name.
pub(super) const MARK: &str = ".trustmason-";

/// The temporary file of a run for a target, beside the target.
pub(super) fn temporary(target: &Path, run: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{MARK}{run}-{name}"))
}

/// The second name of the target, used where names cannot be exchanged.
pub(super) fn aside(temporary: &Path) -> PathBuf {
    let name = temporary.file_name().unwrap_or_default().to_string_lossy();
    temporary.with_file_name(format!("{name}~"))
}

/// Both names under which a run may have left a target's file.
pub(crate) fn temporaries(target: &Path, run: &str) -> [PathBuf; 2] {
    let temporary = temporary(target, run);
    let aside = aside(&temporary);
    [temporary, aside]
}

/// The run that left this temporary file; `None` if the path is no temporary file.
pub(crate) fn left_by(path: &Path) -> Option<RunId> {
    let rest = path.file_name()?.to_str()?.strip_prefix(MARK)?;
    let (run, name) = rest.split_at_checked(RunId::LENGTH)?;
    RunId::parse(run).ok().filter(|_| name.starts_with('-'))
}
