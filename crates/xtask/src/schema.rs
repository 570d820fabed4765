//! `cargo xtask schema`: writes the JSON Schemas in `docs/schema/`, or compares them, with what the binary prints.

use std::fs;

use crate::process::{self, Failure};

const SCHEMAS: &[&str] = &["spec", "profile", "plan"];

pub(crate) fn run(check: bool) -> Result<(), Failure> {
    let folder = process::root().join("docs/schema");
    let mut differing = Vec::new();
    for name in SCHEMAS {
        let text = process::output(process::cargo().args([
            "run",
            "--quiet",
            "--package",
            "trustmason",
            "--",
            "schema",
            name,
        ]))?;
        let path = folder.join(format!("{name}.json"));
        let same = match fs::read(&path) {
            Ok(bytes) => bytes == text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        };
        if same {
            continue;
        }
        if check {
            differing.push(format!("docs/schema/{name}.json"));
        } else {
            fs::create_dir_all(&folder)?;
            fs::write(&path, &text)?;
            println!("wrote docs/schema/{name}.json");
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    Err(format!("{} differ from `trustmason schema`; run `cargo xtask schema`", differing.join(", ")).into())
}
