//! Each file of `specs/invalid/` is named after its fault. Its fault report is kept as a snapshot.

use std::path::{Path, PathBuf};

use trustmason_spec::{Faults, parse, profile, resolve};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/invalid")
}

fn faults_of(text: &str, name: &str) -> Faults {
    let spec = match parse(text, name) {
        Ok(spec) => spec,
        Err(faults) => return faults,
    };
    let missing = |_: &Path| Err("there is no such file".to_owned());
    let profiles = match profile::load(&spec, Path::new("/estate"), missing) {
        Ok(profiles) => profiles,
        Err(faults) => return faults,
    };
    match resolve(&spec, &profiles, Path::new("/estate")) {
        Ok(resolved) => panic!("{name} has no fault; warnings: {}", resolved.warnings),
        Err(faults) => faults,
    }
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder())
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn each_invalid_file_has_its_fault() {
    let files = files();
    assert!(files.len() >= 40, "only {} files", files.len());
    for path in files {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let faults = faults_of(&text, &format!("{stem}.yaml"));
        let expected = match stem {
            "ten-faults" => 10,
            "not-a-share" => 4,
            _ => 1,
        };
        assert_eq!(faults.len(), expected, "{stem}:\n{faults}");
        for fault in &faults {
            assert!(fault.hint.is_some(), "{stem}: no hint\n{fault}");
            assert!(fault.place.line > 1 || stem == "empty", "{stem}: place\n{fault}");
            assert!(!fault.message.ends_with('.'), "{stem}: {}", fault.message);
        }
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("invalid__{stem}"), faults.to_string());
        });
    }
}

#[test]
fn ten_faults_come_in_the_order_of_the_lines() {
    let text = std::fs::read_to_string(folder().join("ten-faults.yaml")).unwrap();
    let faults = faults_of(&text, "ten-faults.yaml");
    let lines: Vec<usize> = faults.iter().map(|fault| fault.place.line).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(lines, sorted);
}
