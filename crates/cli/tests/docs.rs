//! Runs the documentation. Every `console` block of README.md and docs/*.md is run in a copy of the demo's estate and
//! its output is compared. Every `yaml` block is checked as an estate. Tables are compared with the program.

#[path = "docs/page.rs"]
mod page;
#[path = "docs/room.rs"]
mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use page::{Block, Page, matches};
use room::{Room, runnable};
use serde_json::Value;
use tempfile::TempDir;
use trustmason_host::disk::{MOST_IN_FOLDER, MOST_NAMES, ReadLimit};
use trustmason_plan::finding::FindingKind;
use trustmason_plan::wire;

const PROGRAM: &str = env!("CARGO_BIN_EXE_trustmason");

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// README.md, CHANGELOG.md and every page below docs/.
fn pages() -> Vec<Page> {
    let mut found: Vec<_> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].iter().map(|name| top().join(name)).collect();
    for folder in [top().join("docs"), top().join("docs/design")] {
        let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
        found.extend(files.filter(|f| f.extension().is_some_and(|e| e == "md")));
    }
    found.sort();
    found.iter().map(|path| Page::read(path)).collect()
}

fn page(name: &str) -> Page {
    Page::read(&top().join(name))
}

fn run(args: &[&str], folder: &Path) -> Output {
    Command::new(PROGRAM).args(args).current_dir(folder).output().unwrap()
}

fn says(args: &[&str]) -> String {
    let output = run(args, &top());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The top-level fields of a YAML text, each with its lines.
fn fields(text: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if !line.starts_with([' ', '#', '-']) && line.contains(':') {
            name = line.split(':').next().unwrap_or_default().to_owned();
        }
        let lines = fields.entry(name.clone()).or_default();
        lines.push_str(line);
        lines.push('\n');
    }
    fields
}

fn yaml(page: &Page, block: &Block, base: &str, folder: &Path, wrong: &mut Vec<String>) {
    if let Some(name) = block.value("save") {
        std::fs::write(folder.join(name), &block.body).unwrap();
        if !block.body.contains("\ntrustmason: ") && !block.body.starts_with("trustmason: ") {
            let used = page.blocks.iter().any(|b| b.line > block.line && b.body.contains(name));
            assert!(used, "{}: no example after this one uses {name}", page.at(block));
            return;
        }
    }
    let mut text = block.body.clone();
    if !fields(&text).contains_key("trustmason") {
        assert!(block.has("fragment") || block.has("error"), "{}: neither an estate nor a fragment", page.at(block));
        let mut all = fields(base);
        all.extend(fields(&text));
        text = all.into_values().collect();
    }
    let spec = folder.join("example.yaml");
    std::fs::write(&spec, text).unwrap();
    let output = run(&["check", "example.yaml"], folder);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let promised: Vec<&str> = block.body.lines().filter_map(|l| l.strip_prefix("# error: ")).collect();
    if block.has("error") {
        assert!(!promised.is_empty(), "{}: an error that is not named", page.at(block));
        let missing: Vec<_> = promised.iter().filter(|p| !said.contains(**p)).collect();
        if output.status.code() != Some(1) || !missing.is_empty() {
            wrong.push(format!("{}: {} and {missing:?} not in:\n{said}", page.at(block), output.status));
        }
    } else if !output.status.success() {
        wrong.push(format!("{}: {}\n{said}", page.at(block), output.status));
    }
}

#[test]
fn every_example_is_true() {
    let spec = page("docs/spec.md");
    let base = spec.blocks.iter().find(|b| b.language() == "yaml").unwrap().body.clone();
    let demo = TempDir::new().unwrap();
    let estate = demo.path().join("estate");
    let made = run(&["demo", estate.to_str().unwrap()], demo.path());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut wrong = Vec::new();
    let mut count = BTreeMap::new();
    for page in pages() {
        let room = Room::new(&estate, PROGRAM);
        for block in &page.blocks {
            *count.entry(block.language().to_owned()).or_insert(0) += 1;
            match block.language() {
                "console" => room.console(&page, block, &mut wrong),
                "yaml" => yaml(&page, block, &base, &room.estate(), &mut wrong),
                "json" => drop(
                    serde_json::from_str::<Value>(&block.body).unwrap_or_else(|e| panic!("{}: {e}", page.at(block))),
                ),
                // A picture, or lines for files on other machines.
                "text" => {}
                other => panic!("{}: examples in `{other}` cannot be run", page.at(block)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count:?} are wrong\n\n{}", wrong.len(), wrong.join("\n\n"));
    for (language, least) in [("console", 10), ("yaml", 30), ("json", 1)] {
        assert!(count.get(language).is_some_and(|n| *n >= least), "{language}: {count:?}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    for page in &pages {
        for link in page.links().into_iter().filter(|l| !l.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.path.with_file_name(file) };
            let Ok(target) = target.canonicalize() else {
                wrong.push(format!("{}: {link}", page.path.display()));
                continue;
            };
            let known = pages.iter().find(|p| p.path == target).map(Page::anchors);
            if !anchor.is_empty() && !known.is_some_and(|a| a.contains(anchor)) {
                wrong.push(format!("{}: {link}: no such heading", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Checks commands and options in examples and in sentences.
#[test]
fn every_command_exists() {
    let help = says(&["--help"]);
    let known: BTreeSet<&str> = help.lines().filter_map(|l| l.strip_prefix("  ")?.split_whitespace().next()).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for page in pages() {
        for command in page.commands() {
            let command = command.replace("cargo run --release -- ", "trustmason ");
            for piece in command.split(['|', ';', '&', '>']).filter_map(|p| p.trim().strip_prefix("trustmason ")) {
                let name = piece.split_whitespace().next().unwrap_or_default();
                if name.starts_with('-') || name == "help" {
                    continue;
                }
                if !known.contains(name) {
                    wrong.push(format!("{}: trustmason {name}", page.path.display()));
                    continue;
                }
                seen.insert(name.to_owned());
                let help = says(&[name, "--help"]);
                for flag in piece.split_whitespace().filter(|w| w.starts_with("--")) {
                    if !help.contains(flag.split('=').next().unwrap_or(flag)) {
                        wrong.push(format!("{}: trustmason {name} {flag}", page.path.display()));
                    }
                }
            }
        }
    }
    let chores = std::fs::read_to_string(top().join("crates/xtask/src/main.rs")).unwrap();
    for page in pages() {
        for chore in page.commands().iter().filter_map(|c| c.strip_prefix("cargo xtask ")?.split(' ').next()) {
            if !chores.lines().any(|l| l.trim().trim_end_matches([' ', '{', ',']).eq_ignore_ascii_case(chore)) {
                wrong.push(format!("{}: cargo xtask {chore}", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = [
        "plan",
        "apply",
        "drift",
        "explain",
        "check",
        "list",
        "collect",
        "confirm",
        "ack",
        "runs",
        "rollback",
        "profile",
        "schema",
        "completions",
        "demo",
    ];
    assert!(all.iter().all(|c| seen.contains(*c)), "not every command is in the docs: {seen:?}");
}

#[test]
fn findings_are_all_explained_with_their_severity() {
    let rows = page("docs/findings.md").rows();
    let expected = |k: &FindingKind| vec![format!("`{k}`"), k.severity().to_string(), k.meaning().to_owned()];
    for kind in FindingKind::ALL {
        let hits: Vec<_> = rows.iter().filter(|row| row[0] == format!("`{kind}`")).collect();
        assert_eq!(hits.len(), 1, "{kind} has {} rows", hits.len());
        assert_eq!(hits[0][..3], expected(kind)[..], "the row of {kind}");
        assert!(hits[0].len() == 4 && !hits[0][3].is_empty(), "{kind}: nothing to do about it");
    }
    for n in 1..=37 {
        let hits: Vec<_> = rows.iter().filter(|row| row[0] == format!("D{n}")).collect();
        assert_eq!(hits.len(), 1, "D{n}");
        for id in hits[0][2].split('`').skip(1).step_by(2).filter(|id| id.contains('-') && !id.contains('.')) {
            assert!(FindingKind::ALL.iter().any(|k| k.as_str() == id), "D{n}: there is no finding {id}");
        }
    }
}

#[test]
fn limits_are_those_of_the_program() {
    let page = page("docs/formats.md");
    let rows = page.rows();
    let (head, _) = rows.iter().enumerate().find(|(_, row)| row[0] == "a keystore").unwrap();
    let shown: Vec<_> = rows[head..].iter().take(ReadLimit::ALL.len()).map(|row| row[..2].to_vec()).collect();
    let limits: Vec<_> = ReadLimit::ALL.iter().map(|limit| vec![limit.noun().to_owned(), limit.to_string()]).collect();
    assert_eq!(shown, limits);
    let text = std::fs::read_to_string(top().join("docs/formats.md")).unwrap();
    let mebibytes = MOST_IN_FOLDER / 1024 / 1024;
    assert_eq!(MOST_NAMES, 100_000);
    assert!(text.contains(&format!("A folder may hold 100,000 names, and its files {mebibytes} MiB together.")));
}

/// The page has the codes and meanings that `--help` prints.
#[test]
fn exit_codes_are_those_of_the_program() {
    let plain = |text: &str| text.replace(['`', '*'], "").split_whitespace().collect::<Vec<_>>().join(" ");
    let help = says(&["--help"]);
    let (_, table) = help.split_once("Exit codes:\n").unwrap();
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    let mut code = String::new();
    for line in table.lines().take_while(|l| !l.is_empty()) {
        let (head, tail) = line.split_at(7.min(line.len()));
        if !head.trim().is_empty() {
            code = head.trim().to_owned();
        }
        let said = codes.entry(code.clone()).or_default();
        *said = plain(&format!("{said} {tail}"));
    }
    assert_eq!(codes.keys().map(String::as_str).collect::<Vec<_>>(), ["0", "1", "130", "2", "3", "4", "5", "64"]);
    for name in ["docs/exit-codes.md", "README.md"] {
        let rows = page(name).rows();
        let shown: BTreeSet<&String> = rows.iter().map(|r| &r[0]).filter(|c| c.parse::<u8>().is_ok()).collect();
        assert_eq!(shown, codes.keys().collect(), "{name}");
    }
    for row in page("docs/exit-codes.md").rows().iter().filter(|r| r[0].parse::<u8>().is_ok()) {
        assert_eq!(plain(&row[1]), codes[&row[0]], "exit code {}", row[0]);
    }
}

#[test]
fn the_trust_matrix_is_the_profiles() {
    let text = page("docs/profiles.md").text;
    let code = |items: Vec<&str>| match items.as_slice() {
        [] => "–".to_owned(),
        items => items.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", "),
    };
    let list = |value: &Value| match value {
        Value::Array(items) => code(items.iter().map(|i| i.as_str().unwrap()).collect()),
        Value::String(one) => code(vec![one]),
        _ => code(Vec::new()),
    };
    let names =
        |value: &Value| code(value.as_object().map(|m| m.keys().map(String::as_str).collect()).unwrap_or_default());
    for name in trustmason_spec::profile::names() {
        let profile: Value = serde_yaml::from_str(&says(&["profile", "show", name])).unwrap();
        let roles = profile["roles"].as_object().into_iter().flatten();
        for (role, def) in roles.filter(|_| !["cisco-base", "ucce-live-data"].contains(&name)) {
            // A role without an `about` of its own adds stores and identities to the role of an extended profile.
            let about = def["about"].as_str().map_or(String::new(), |about| format!(" {about} |"));
            let row = format!("| `{role}` | {} | {} |{about}\n", names(&def["stores"]), names(&def["identities"]));
            assert!(text.contains(&row), "{name}: docs/profiles.md lacks\n{row}");
        }
        for (rule, def) in profile["rules"].as_object().into_iter().flatten() {
            let certificates = def["certificates"].as_array().into_iter().flatten();
            let certificates: Vec<_> = certificates.map(|n| format!("certificate `{}`", n.as_str().unwrap())).collect();
            let mut subject = if certificates.is_empty() { list(&def["subject"]) } else { certificates.join(", ") };
            if def["where"]["publisher"] == true {
                subject.push_str(" (publishers only)");
            }
            match (def["self"] == true, def["same"] == "fqdn") {
                (true, true) => subject.push_str(" (only itself)"),
                (true, false) => subject.push_str(" (itself too)"),
                (false, _) => {}
            }
            match def["purpose"].as_str() {
                Some("client") => subject.push_str(" (as client)"),
                Some("both") => subject.push_str(" (as server and client)"),
                _ => {}
            }
            let cells = [rule.clone(), list(&def["truster"]), subject, list(&def["alias"]), list(&def["was"])];
            let (why, source) = (def["why"].as_str().unwrap(), def["source"].as_str().unwrap());
            let row = format!("| {} | {why} | {source} |", cells.join(" | "));
            assert!(text.contains(&row), "{name}: docs/profiles.md lacks\n{row}");
        }
        assert!(text.contains(&format!("`{name}`")), "docs/profiles.md does not name {name}");
    }
}

/// Every field of a schema is in the tables of its page.
#[test]
fn every_field_is_in_the_reference() {
    for (what, name) in [("spec", "docs/spec.md"), ("profile", "docs/profiles.md"), ("plan", "docs/plan-json.md")] {
        let schema: Value = serde_json::from_str(&says(&["schema", what])).unwrap();
        let mut fields = BTreeSet::new();
        properties(&schema, &mut fields);
        assert!(fields.len() > 20, "{what}: {fields:?}");
        let rows = page(name).rows();
        let cells: String = rows.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        let missing: Vec<_> = fields.iter().filter(|f| !cells.contains(&format!("`{f}`"))).collect();
        assert!(missing.is_empty(), "{name} does not explain {missing:?}");
    }
    let example = &page("docs/plan-json.md").blocks[0];
    let plan: wire::Document = serde_json::from_str(&example.body).expect("the JSON plan of docs/plan-json.md");
    assert_eq!(plan.format_version, wire::FORMAT_VERSION);
}

fn properties(schema: &Value, fields: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Object(inner) if key == "properties" => {
                        fields.extend(inner.keys().cloned());
                        inner.values().for_each(|v| properties(v, fields));
                    }
                    other => properties(other, fields),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| properties(v, fields)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_metric_is_explained() {
    let output = run(&["drift", "specs/lab.yaml", "--format", "prometheus"], &top());
    assert_eq!(output.status.code(), Some(4), "the lab's disks are not here");
    let text = String::from_utf8(output.stdout).unwrap();
    let metrics: BTreeSet<&str> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(metrics.len() >= 5, "{text}");
    let night = page("docs/night.md").text;
    let missing: Vec<_> = metrics.iter().filter(|m| !night.contains(&format!("`{m}"))).collect();
    assert!(missing.is_empty(), "docs/night.md does not explain {missing:?}");
}

#[test]
fn the_matcher_itself() {
    let lines = ["a 1 b", "c", "d"];
    for good in
        [&["a [..] b", "c", "d"][..], &["..."], &["...", "d"], &["a 1 b", "...", "d"], &["...", "[..]", "d", "..."]]
    {
        assert!(matches(good, &lines), "{good:?}");
    }
    for bad in [&["a [..] b", "c"][..], &["...", "e"], &[], &["a [..] b", "d", "..."], &["a 1 [..]c", "c", "d"]] {
        assert!(!matches(bad, &lines), "{bad:?}");
    }
    assert!(runnable("curl example.com | sh").is_err() && runnable("trustmason plan | head -3").is_ok());
}

/// Everything that an example needs is visible to the reader.
#[test]
fn no_page_hides_what_its_examples_need() {
    let hides =
        |text: &str| text.split("<!--").skip(1).any(|tail| tail.split("-->").next().is_some_and(|c| c.contains("```")));
    assert!(hides("<!--\n```console\n$ rm x\n```\n-->"));
    for page in pages() {
        assert!(!hides(&page.text), "{}: commands in a comment", page.path.display());
    }
}
