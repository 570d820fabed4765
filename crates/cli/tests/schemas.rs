//! Checks that the JSON Schemas in `docs/schema/` are what the binary prints. `cargo xtask schema` writes them.

use std::path::Path;
use std::process::Command;

#[test]
fn schemas_in_the_docs_are_the_programs_own() {
    for name in ["spec", "profile", "plan"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(format!("{name}.json"));
        let written = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let printed = Command::new(env!("CARGO_BIN_EXE_trustmason")).args(["schema", name]).output().unwrap().stdout;
        let same = written.as_bytes() == printed;
        assert!(same, "docs/schema/{name}.json differs from `trustmason schema {name}`: run `cargo xtask schema`");
    }
}
