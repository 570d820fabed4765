//! Names in foreign certificates, aliases and texts of the spec have no effect in any output. Each output is read by a real
//! parser of its format.

use crate::markdown::{options, words};
use crate::support;

use std::collections::{BTreeMap, BTreeSet};

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, parse_document};
use support::{CertificateContent, Estate, SPEC, certificate};
use trustmason_keystore::{Alias, Certificate, is_hidden};
use trustmason_plan::text::escape;

fn corpus() -> Vec<String> {
    serde_json::from_str(include_str!("../../../fixtures/hostile.json")).unwrap()
}

/// A text as YAML. Characters that cannot be printed become numbers (YAML 1.2 §5.7).
fn yaml(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if is_hidden(c) => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// An estate whose first store has every text of the corpus as an alias and a common name. Each text is also the reason
/// for a distrusted certificate.
fn hostile() -> (Estate, BTreeMap<String, String>) {
    let mut aliases = BTreeSet::new();
    let pieces: Vec<String> =
        corpus().into_iter().filter(|text| !text.is_empty() && aliases.insert(Alias::of(text).to_string())).collect();
    let mut spec = SPEC.to_owned();
    spec.push_str("distrust:\n");
    let mut planted = Vec::new();
    let mut whys = BTreeMap::new();
    for (n, text) in pieces.into_iter().enumerate() {
        let content =
            CertificateContent { cn: text.clone(), ..CertificateContent::of("cvp9.acme.example", 9000 + n as u64) };
        let der = certificate(&content);
        let print = Certificate::parse(&der).unwrap().fingerprint().to_string();
        // The spec needs a reason without control characters.
        if !text.trim().is_empty() && !text.contains(char::is_control) {
            spec.push_str(&format!("  - {{ sha256: '{print}', why: {} }}\n", yaml(&text)));
            whys.insert(print, text.clone());
        }
        planted.push((text, der));
    }
    let estate = Estate::of(&spec);
    for (alias, der) in planted {
        estate.put("adsa/cacerts", &alias, der);
    }
    (estate, whys)
}

#[derive(Default)]
struct FileState {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn walk<'a>(node: &'a AstNode<'a>, seen: &mut FileState) {
    for one in node.descendants() {
        match &one.data().value {
            NodeValue::Heading(_) => seen.headings.push(words(one)),
            NodeValue::TableRow(false) => seen.rows.push(one.children().map(words).collect()),
            NodeValue::Document
            | NodeValue::Paragraph
            | NodeValue::Text(_)
            | NodeValue::Code(_)
            | NodeValue::CodeBlock(_)
            | NodeValue::Strong
            | NodeValue::List(_)
            | NodeValue::Item(_)
            | NodeValue::TaskItem(_)
            | NodeValue::Table(_)
            | NodeValue::TableRow(_)
            | NodeValue::TableCell => {}
            other => panic!("the ticket has {other:?}"),
        }
    }
}

#[test]
fn a_ticket_shows_names_of_strangers_as_text() {
    let (estate, whys) = hostile();
    let args = ["plan", "--allow-deletes", "1000", "--format"];
    let ticket = estate.run(&[&args[..], &["markdown"]].concat()).code(0).out;
    let mut seen = FileState::default();
    let arena = Arena::new();
    walk(parse_document(&arena, &ticket, &options()), &mut seen);
    let own = [
        "Certificate trust of estate acme",
        "Changes",
        "adsa.acme.example",
        "Restarts",
        "Stopping half-way",
        "Going back",
        "Checks",
    ];
    assert_eq!(seen.headings, own);
    // Every change is one row and has the same content as in the JSON, where only JSON's own escapes are used.
    let plan = estate.run(&[&args[..], &["json"]].concat()).code(0).json();
    let changes = plan["changes"].as_array().unwrap();
    assert!(changes.len() > 100, "{}", changes.len());
    for change in changes {
        let id = change["id"].to_string();
        let row = seen.rows.iter().find(|row| row[0] == id).unwrap();
        assert_eq!(row.len(), 9, "{row:?}");
        assert_eq!(row[4], escape(change["alias"].as_str().unwrap()), "{row:?}");
        assert_eq!(row[5].trim(), escape(change["reason"].as_str().unwrap()).trim(), "{row:?}");
        let print = change["before"]["sha256"].as_str().unwrap();
        assert!(row[6].starts_with(print), "{row:?}");
        if let Some(why) = whys.get(print) {
            assert!(change["reason"].as_str().unwrap().contains(why), "{change}");
        }
    }
}

#[test]
fn a_terminal_and_the_log_get_no_more_than_they_should() {
    let (estate, whys) = hostile();
    let plain = |text: &str| {
        for line in text.lines() {
            assert!(!line.contains(is_hidden), "{line:?}");
            assert!(!line.trim_start().starts_with("FORGED-LINE"), "{text}");
        }
    };
    let store = estate.file("adsa/cacerts");
    for args in [
        &["plan", "--allow-deletes", "1000"][..],
        &["plan"],
        &["plan", "-v", "--allow-deletes", "1000"],
        &["drift"],
        &["list", store.to_str().unwrap()],
        &["list", "-v", store.to_str().unwrap()],
        &["explain", "adsa.acme.example/cacerts"],
        &["explain", "adsa.acme.example/cacerts/\u{1b}[31m"],
        &["check"],
        &["check", "no\u{1b}[2Jsuch.yaml"],
        &["plan", "--host", "\u{202e}x"],
        &["confirm", "\u{1b}]0;x\u{7}"],
        &["ack", "line\nFORGED-LINE"],
        &["apply", "--auto-approve", "--allow-deletes", "1000"],
        &["runs"],
    ] {
        let said = estate.run(args);
        plain(&said.out);
        plain(&said.err);
    }
    let log = std::fs::read_to_string(estate.path(".trustmason/audit.jsonl")).unwrap();
    let log: Vec<serde_json::Value> =
        log.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    let aliases: BTreeSet<&str> = log.iter().filter_map(|line| line["alias"].as_str()).collect();
    let gone = whys.values().map(|text| Alias::of(text).to_string());
    let missing: Vec<String> = gone.filter(|alias| !aliases.contains(alias.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_spec_of_any_name_is_one_word_of_the_commands_that_are_printed() {
    for name in ["my estate.yaml", "$(touch FORGED).yaml", "it's;x.yaml", "`id`.yaml"] {
        let estate = Estate::new();
        std::fs::rename(estate.path("estate.yaml"), estate.path(name)).unwrap();
        let ticket = estate.run(&["plan", name, "--format", "markdown"]).code(0).out;
        let arena = Arena::new();
        let root = parse_document(&arena, &ticket, &options());
        let mut commands = 0;
        for node in root.descendants() {
            let NodeValue::Code(code) = &node.data().value else { continue };
            let Some(rest) = code.literal.strip_prefix("trustmason drift ") else { continue };
            commands += 1;
            let line = format!("printf %s {rest}");
            let output =
                std::process::Command::new("sh").args(["-c", &line]).current_dir(estate.dir.path()).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), name, "{rest}");
        }
        assert_eq!(commands, 1, "{ticket}");
    }
}
