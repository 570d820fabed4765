//! Checks the shape of the workspace: five floors and the Windows crate beside them, dependencies only downwards, no
//! side effects in the pure crates, unsafe code in one crate only, short nouns as module names, short source files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sources::{root, shown, sources};

/// Package and folder of each crate, the lowest floor first.
const FLOORS: &[(&str, &str)] = &[
    ("trustmason-keystore", "keystore"),
    ("trustmason-spec", "spec"),
    ("trustmason-plan", "plan"),
    ("trustmason-host", "host"),
    ("trustmason", "cli"),
];
/// The crate of Windows calls, with unsafe code behind safe functions. Only `host` uses it, and only on Windows.
const ANNEX: &str = "trustmason-windows";
const PURE: &[&str] = &["trustmason-keystore", "trustmason-spec", "trustmason-plan"];
/// Packages that use the machine, the network, or random keys. A pure crate may not depend on them, even indirectly.
const IMPURE: &[&str] = &[
    "fs-err",
    "walkdir",
    "tempfile",
    "rustix",
    "nix",
    "memmap2",
    "notify",
    "tracing",
    "tracing-subscriber",
    "rcgen",
    "clap",
    "anstream",
    "indicatif",
    "mio",
    "socket2",
    "tokio",
    "hyper",
    "ureq",
    "reqwest",
    "curl",
    "rustls",
    "native-tls",
];
const REFUSED_NAMES: &[&str] =
    &["common", "core", "types", "util", "utils", "helper", "helpers", "manager", "misc", "shared"];
const MOST_LINES: usize = 600;

fn metadata(more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(more)
        .current_dir(root())
        .output()
        .expect("cargo metadata starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("cargo metadata: no `{key}`"))
}

/// The workspace's packages by name.
fn packages(metadata: &Value) -> BTreeMap<&str, &Value> {
    metadata["packages"].as_array().unwrap().iter().map(|package| (text(package, "name"), package)).collect()
}

#[test]
fn arrows_point_only_downwards() {
    let metadata = metadata(&["--no-deps"]);
    let packages = packages(&metadata);
    let floor = |name: &str| FLOORS.iter().position(|(package, _)| *package == name);
    let mut members: BTreeSet<&str> = FLOORS.iter().map(|(package, _)| *package).collect();
    members.extend(["xtask", ANNEX]);
    let found: BTreeSet<&str> = packages.keys().copied().collect();
    assert_eq!(found, members, "the workspace has five floors, an annex and xtask");

    for (name, package) in &packages {
        if let Some((_, folder)) = FLOORS.iter().find(|(package, _)| package == name) {
            let manifest = Path::new(text(package, "manifest_path"));
            assert_eq!(
                manifest,
                root().join("crates").join(folder).join("Cargo.toml"),
                "{name} lives in crates/{folder}"
            );
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let below = text(dependency, "name");
            assert_ne!(below, "xtask", "{name} depends on xtask, which is a tool");
            assert!(*name != ANNEX || floor(below).is_none(), "{ANNEX} depends on {below}: it stands on no floor");
            if below == ANNEX {
                let target = dependency["target"].as_str();
                assert_eq!((*name, target), ("trustmason-host", Some("cfg(windows)")), "only host, only on Windows");
            }
            let (Some(here), Some(there)) = (floor(name), floor(below)) else {
                continue;
            };
            assert!(
                there < here,
                "{name} (floor {here}) depends on {below} (floor {there}): arrows only point downwards"
            );
        }
    }
}

#[test]
fn pure_crates_reach_nothing_that_touches_the_machine() {
    let rustc = Command::new("rustc").args(["-vV"]).output().expect("rustc starts").stdout;
    let rustc = String::from_utf8(rustc).unwrap();
    let triple = rustc.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let metadata = metadata(&["--filter-platform", triple]);
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes: BTreeMap<&str, &Value> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (text(node, "id"), node)).collect();

    let mut breaches = Vec::new();
    for pure in PURE {
        let start = names.iter().find(|(_, name)| *name == pure).unwrap_or_else(|| panic!("{pure} is gone")).0;
        let mut ways: Vec<Vec<&str>> = vec![vec![*start]];
        let mut seen = BTreeSet::from([*start]);
        while let Some(way) = ways.pop() {
            for dependency in nodes[way.last().unwrap()]["deps"].as_array().unwrap() {
                let runs = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
                let id = text(dependency, "pkg");
                // A procedural macro runs in the compiler, so its dependencies do not count.
                let derives =
                    metadata["packages"].as_array().unwrap().iter().any(|package| {
                        text(package, "id") == id
                            && package["targets"].as_array().unwrap().iter().any(|target| {
                                target["kind"].as_array().unwrap().iter().any(|kind| kind == "proc-macro")
                            })
                    });
                if !runs || derives || !seen.insert(id) {
                    continue;
                }
                let mut longer = way.clone();
                longer.push(id);
                if IMPURE.contains(&names[id]) {
                    breaches.push(longer.iter().map(|id| names[id]).collect::<Vec<_>>().join(" -> "));
                }
                ways.push(longer);
            }
        }
    }
    assert!(breaches.is_empty(), "pure crates may not reach these:\n{}", breaches.join("\n"));
}

/// Checks that a crate's `clippy.toml` bans all of these.
#[track_caller]
fn bans(folder: &str, banned: &[&str]) {
    let path = root().join("crates").join(folder).join("clippy.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", shown(&path)));
    let lines: Vec<&str> = text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    for ban in banned {
        let quoted = format!("\"{ban}\"");
        assert!(lines.iter().any(|line| line.contains(&quoted)), "{} does not ban {ban}", shown(&path));
    }
}

#[test]
fn pure_crates_ban_files_environment_and_clock() {
    for (_, folder) in FLOORS.iter().filter(|(package, _)| PURE.contains(package)) {
        let banned = [
            "std::fs::read",
            "std::fs::write",
            "std::fs::File::open",
            "std::fs::File::create",
            "std::env::var",
            "std::time::SystemTime::now",
            "std::time::Instant::now",
        ];
        bans(folder, &banned);
    }
}

/// Calls that look at a disk without opening a file.
const LOOKS: [&str; 14] = [
    "std::fs::metadata",
    "std::fs::symlink_metadata",
    "std::fs::exists",
    "std::fs::canonicalize",
    "std::fs::read_link",
    "std::path::Path::metadata",
    "std::path::Path::symlink_metadata",
    "std::path::Path::exists",
    "std::path::Path::try_exists",
    "std::path::Path::is_file",
    "std::path::Path::is_dir",
    "std::path::Path::is_symlink",
    "std::path::Path::canonicalize",
    "std::path::Path::read_link",
];

/// Every file is opened by `host::disk`, which opens no pipe and no device and reads nothing without a limit.
#[test]
fn files_are_opened_in_one_place() {
    let std = [
        "std::fs::read",
        "std::fs::read_to_string",
        "std::fs::read_dir",
        "std::fs::copy",
        "std::fs::File::open",
        "std::fs::File::options",
        "std::fs::OpenOptions::new",
        "std::path::Path::read_dir",
    ];
    let fs_err = std.map(|path| path.replace("std::fs::", "fs_err::"));
    bans("host", &std);
    bans("host", &LOOKS);
    bans("host", &["std::fs::Metadata", "std::fs::DirEntry", "std::fs::ReadDir", "std::fs::DirBuilder"]);
    bans("cli", &std);
    bans("cli", &fs_err.each_ref().map(String::as_str));
    // Only tests and one module may allow what is banned.
    let mut leave = Vec::new();
    let rooms = ["host", "cli"].map(|folder| root().join("crates").join(folder).join("src"));
    for path in sources().into_iter().filter(|path| rooms.iter().any(|room| path.starts_with(room))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_test = path.file_stem().unwrap().to_string_lossy().ends_with("tests");
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if !is_test && (product.contains("clippy::disallowed_methods") || product.contains("clippy::disallowed_types"))
        {
            leave.push(shown(&path));
        }
    }
    // The clock is banned in the same way and read in one module, which opens no file.
    assert_eq!(leave, ["crates/cli/src/clock.rs", "crates/host/src/disk/mod.rs"]);
    let clock = std::fs::read_to_string(root().join("crates/cli/src/clock.rs")).unwrap();
    assert!(!clock.contains("fs::") && !clock.contains("File"), "the clock's module opens files");
}

/// clippy really refuses each call that looks at a disk, and the type of its result, in `host`.
#[test]
fn looking_at_a_disk_elsewhere_is_refused() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("looking");
    std::fs::create_dir_all(&dir).unwrap();
    let call = |path: &&str| match path.strip_prefix("std::path::Path::") {
        Some(_) => format!("    let _ = {path}(std::path::Path::new(\"x\"));\n"),
        None => format!("    let _ = {path}(\"x\");\n"),
    };
    let calls: String = LOOKS.iter().map(call).collect();
    let text = format!("pub fn look() {{\n{calls}}}\npub fn have(_: &std::fs::Metadata) {{}}\n");
    let source = dir.join("look.rs");
    std::fs::write(&source, text).unwrap();
    let refused = |configured: &Path| {
        let mut clippy = Command::new("clippy-driver");
        clippy.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"]).arg(&dir);
        clippy.args(["-D", "clippy::disallowed_methods", "-D", "clippy::disallowed_types"]).arg(&source);
        let output = clippy.env("CLIPPY_CONF_DIR", configured).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), !said.contains("error"), "{said}");
        said.lines().filter_map(|line| line.strip_prefix("error: use of a disallowed ")).map(str::to_owned).collect()
    };
    let mut expected: Vec<String> = LOOKS.iter().map(|path| format!("method `{path}`")).collect();
    expected.push("type `std::fs::Metadata`".to_owned());
    let said: Vec<String> = refused(&root().join("crates/host"));
    assert_eq!(said, expected);
    assert_eq!(refused(&dir), Vec::<String>::new(), "without the bans nothing is refused");
}

/// Test programs are named in the manifests, because cargo's own search would make a program of each file. A test file
/// that no manifest and no program names would not be compiled, and its tests would not run.
#[test]
fn every_test_file_is_a_part_of_a_test_program() {
    let (mut lost, mut files) = (Vec::new(), 0);
    for (_, folder) in FLOORS {
        let manifest = root().join("crates").join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        let tests = root().join("crates").join(folder).join("tests");
        if !manifest.contains("autotests = false") {
            continue;
        }
        let programs: Vec<&str> =
            manifest.split("[[test]]\nname = \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(programs.contains(&"all"), "crates/{folder} names its test programs: {programs:?}");
        let all = std::fs::read_to_string(tests.join("all.rs")).unwrap();
        for entry in std::fs::read_dir(&tests).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            // cargo would also make a program of a folder with `main.rs`.
            let is_test = path.extension().is_some_and(|ending| ending == "rs") || path.join("main.rs").exists();
            let module = format!("mod {stem};");
            files += usize::from(is_test);
            if is_test && !programs.contains(&stem) && !all.lines().any(|line| line == module) {
                lost.push(shown(&path));
            }
        }
    }
    assert!(files > 40, "{files} test files found");
    assert!(lost.is_empty(), "`mod` is missing in the crate's tests/all.rs for {lost:?}");
}

/// Command lines for people to copy are made by `shell::Command`, which quotes foreign text and always names the spec.
/// No other code puts a command line together.
#[test]
fn command_lines_are_made_in_one_place() {
    let mut written = Vec::new();
    for entry in walkdir::WalkDir::new(root().join("crates")).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        let shown = shown(&path);
        if path.extension().is_none_or(|ending| ending != "rs")
            || !shown.contains("/src/")
            || shown.starts_with("crates/xtask/")
        {
            continue;
        }
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let filled = code.split("trustmason ").skip(1).any(|rest| {
                let words = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
                words.len() < rest.len() && words.starts_with(" {")
            });
            if filled {
                written.push(format!("{shown}:{}: {}", number + 1, code.trim()));
            }
        }
    }
    assert!(written.is_empty(), "{written:#?}");
}

/// A test that ends before its first assertion did not run. Only `fixtures/needs.rs` may end a test so, because it
/// counts the test. No other file may check itself whether something is available.
#[test]
fn tests_end_early_only_where_it_is_counted() {
    let looks =
        ["TRUSTMASON_JUDGES", "TRUSTMASON_JAVA8", "TRUSTMASON_CORPUS", "var_os(\"CI\")", "var(\"CI\")", "on_path("];
    // The tasks set what tests read, and the keystore tests open the corpus only after a test has asked for it.
    let may_look = ["crates/xtask/", "crates/keystore/tests/support/mod.rs"];
    let (mut early, mut looking, mut tests) = (Vec::new(), Vec::new(), 0);
    for folder in ["crates", "fixtures/judge"] {
        for entry in walkdir::WalkDir::new(root().join(folder)).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            if path.extension().is_none_or(|ending| ending != "rs") || path.ancestors().any(|up| up.ends_with("fuzz")) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let shown = shown(&path);
            if shown == "crates/xtask/tests/floors.rs" {
                continue;
            }
            let code: String = text.lines().map(|line| line.split("//").next().unwrap()).collect();
            if looks.iter().any(|word| code.contains(word)) && !may_look.iter().any(|may| shown.starts_with(may)) {
                looking.push(shown.clone());
            }
            for (number, ends) in tests_of(&text) {
                tests += 1;
                if ends {
                    early.push(format!("{shown}:{number}"));
                }
            }
        }
    }
    assert!(tests > 700, "{tests} tests found");
    assert!(early.is_empty(), "these may end without having asserted anything; ask by `needs!`: {early:#?}");
    assert!(looking.is_empty(), "these look for themselves whether something is there; ask by `needs!`: {looking:#?}");
}

/// The tests of a file: the line number of each, and whether the test returns before it asserts.
fn tests_of(text: &str) -> Vec<(usize, bool)> {
    let lines: Vec<&str> = text.lines().collect();
    let marks = (0..lines.len()).filter(|at| lines[*at].trim() == "#[test]");
    let judged = marks.map(|mark| {
        let indentation = lines[mark].len() - lines[mark].trim_start().len();
        let end = format!("{}}}", " ".repeat(indentation));
        let body = lines[mark..].iter().take_while(|line| **line != end);
        let mut code = body.map(|line| line.split("//").next().unwrap());
        let says = code.find(|line| {
            line.contains("assert") || line.contains("panic!") || line.contains("return;") || line.contains("return }")
        });
        (mark + 1, says.is_some_and(|line| line.contains("return")))
    });
    judged.collect()
}

#[test]
fn an_early_end_is_seen() {
    let judged = |body: &str| tests_of(&format!("#[test]\nfn one() {{\n{body}\n}}\n"));
    assert_eq!(judged("    if off() {\n        return;\n    }\n    assert!(true);"), [(1, true)]);
    assert_eq!(judged("    let Some(it) = it() else { return };\n    assert!(it);"), [(1, true)]);
    assert_eq!(judged("    assert!(it);\n    if done {\n        return;\n    }"), [(1, false)]);
    assert_eq!(judged("    needs!(Jdk);\n    assert!(it);"), [(1, false)]);
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""), "the workspace's lint table forbids unsafe code");
    for folder in FLOORS.iter().map(|(_, folder)| *folder).chain(["xtask"]) {
        let manifest = root().join("crates").join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "crates/{folder} takes the workspace's lints");
        let source = root().join("crates").join(folder).join("src");
        let start = ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|path| path.exists()).unwrap();
        let lines = std::fs::read_to_string(&start).unwrap();
        assert!(lines.contains("#![forbid(unsafe_code)]"), "{} forbids unsafe code by attribute", shown(&start));
    }
}

#[test]
fn the_annex_may_call_the_system_and_nothing_more() {
    let lints = |manifest: &Path, table: &str| {
        let text = std::fs::read_to_string(manifest).unwrap();
        let (_, rest) = text.split_once(&format!("[{table}]\n")).unwrap_or_else(|| panic!("no [{table}]"));
        let lines = rest.lines().take_while(|line| !line.starts_with('['));
        lines.filter(|line| line.contains('=')).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (workspace, annex) = (root().join("Cargo.toml"), root().join("crates/windows/Cargo.toml"));
    for kind in ["rust", "clippy"] {
        let everywhere = lints(&workspace, &format!("workspace.lints.{kind}"));
        let here = lints(&annex, &format!("lints.{kind}"));
        let relaxed: Vec<_> = everywhere.difference(&here).filter(|line| !line.contains("check-cfg")).collect();
        let wanted: &[&str] =
            if kind == "rust" { &["missing_docs = \"warn\"", "unsafe_code = \"forbid\""] } else { &[] };
        assert_eq!(relaxed, wanted, "lints of the workspace that the annex does not have");
    }
    let here = lints(&annex, "lints.rust");
    assert!(here.contains("missing_docs = \"deny\"") && here.contains("unsafe_op_in_unsafe_fn = \"deny\""), "{here:?}");
    assert!(lints(&annex, "lints.clippy").contains("undocumented_unsafe_blocks = \"deny\""));
}

#[test]
fn modules_are_short_nouns() {
    let mut refused = Vec::new();
    for path in sources() {
        let relative = path.strip_prefix(root().join("crates")).unwrap();
        for part in relative.components() {
            let name = Path::new(part.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned();
            if REFUSED_NAMES.contains(&name.as_str()) {
                refused.push(shown(&path));
            }
        }
    }
    assert!(refused.is_empty(), "a type lives on the floor that first gives it a meaning, not in {refused:?}");
}

#[test]
fn only_one_room_has_a_door_to_the_network() {
    let door = root().join("crates/host/src/endpoint");
    let words = ["std::net", "rustls::", "TcpStream", "UdpSocket", "ToSocketAddrs"];
    let others: Vec<String> = sources()
        .into_iter()
        .filter(|path| !path.starts_with(&door))
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            words.iter().any(|word| text.contains(word))
        })
        .map(|path| shown(&path))
        .collect();
    assert!(others.is_empty(), "sockets are opened in {} alone, not in {others:?}", shown(&door));
}

/// The packages that a profile of the workspace's manifest optimises by name.
fn optimised(profile: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let rest = manifest.split_once(&format!("[profile.{profile}.package]\n")).unwrap().1;
    let lines = rest
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = { opt-level = 3 }"));
    lines.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn both_profiles_optimise_the_same_packages_and_all_are_there() {
    let metadata = metadata(&[]);
    let packages = packages(&metadata);
    let (dev, release) = (optimised("dev"), optimised("release"));
    assert!(dev.len() > 20, "{dev:?}");
    let gone: Vec<&String> = dev.iter().filter(|name| !packages.contains_key(name.as_str())).collect();
    assert!(gone.is_empty(), "no package of the lock: {gone:?}");
    assert_eq!(dev, release, "the gate optimises what a test build optimises");
}

#[test]
fn no_room_is_too_big() {
    let big: Vec<String> = sources()
        .into_iter()
        .filter_map(|path| {
            let lines = std::fs::read_to_string(&path).unwrap().lines().count();
            (lines > MOST_LINES).then(|| format!("{}: {lines} lines", shown(&path)))
        })
        .collect();
    assert!(big.is_empty(), "no source file over {MOST_LINES} lines; split these by meaning:\n{}", big.join("\n"));
}
