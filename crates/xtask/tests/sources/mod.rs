//! Finds the source files of all crates, for the tests that read them.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// A path as messages show it: from the root of the workspace.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The source files below `src` of all crates, sorted.
pub(crate) fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(root().join("crates")).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        let below_src =
            path.strip_prefix(root()).unwrap().components().nth(2).is_some_and(|part| part.as_os_str() == "src");
        if below_src && path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    assert!(found.len() > 300, "only {} sources found below {}", found.len(), root().display());
    found
}
