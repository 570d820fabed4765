//! Foreign text has no meaning in what people are shown. The judges are a Markdown parser with the extensions of ticket
//! systems, a shell, and a strict model of a terminal.

use std::process::Command as Process;

use crate::markdown;

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, parse_document};
use proptest::prelude::*;
use trustmason_plan::inline;
use trustmason_plan::markdown::{Inline, Markdown, code, text};
use trustmason_plan::shell::{Command, Shell};
use trustmason_plan::text::{escape, terminal};

/// The list of hostile texts for every output of every crate.
fn corpus() -> Vec<String> {
    serde_json::from_str(include_str!("../../../fixtures/hostile.json")).unwrap()
}

/// The blocks that a viewer shows, each as its kind and its text.
fn seen(markdown: &str) -> Vec<(&'static str, String)> {
    let arena = Arena::new();
    let mut out = Vec::new();
    walk(parse_document(&arena, markdown, &markdown::options()), &mut out);
    out
}

fn walk<'a>(node: &'a AstNode<'a>, out: &mut Vec<(&'static str, String)>) {
    let kind = match &node.data().value {
        NodeValue::Heading(_) => Some("heading"),
        NodeValue::Paragraph => Some("paragraph"),
        NodeValue::TableCell => Some("cell"),
        NodeValue::Document
        | NodeValue::List(_)
        | NodeValue::Item(_)
        | NodeValue::TaskItem(_)
        | NodeValue::Table(_)
        | NodeValue::TableRow(_) => None,
        NodeValue::CodeBlock(block) => {
            out.push(("block", block.literal.clone()));
            return;
        }
        other => panic!("foreign text became {other:?}"),
    };
    match kind {
        Some(kind) => {
            let mut said = String::new();
            for child in node.children() {
                match &child.data().value {
                    NodeValue::Text(text) => said.push_str(text),
                    NodeValue::Code(code) => said.push_str(&code.literal),
                    other => panic!("foreign text became {other:?} in a {kind}"),
                }
                assert!(child.first_child().is_none());
            }
            out.push((kind, said));
        }
        None => node.children().for_each(|child| walk(child, out)),
    }
}

fn document(foreign: &str) -> String {
    let mut page = Markdown::new();
    page.heading(2, text(foreign));
    page.heading(2, inline!["of ", code(foreign)]);
    page.paragraph(text(foreign));
    page.paragraph(inline!["before ", text(foreign), " between ", code(foreign), " after"]);
    page.item(text(foreign));
    page.sub_item(inline![code(foreign), ": ", text(foreign)]);
    page.task(text(foreign));
    page.step(1, text(foreign));
    page.table(&["one", "two"]);
    page.row([text(foreign), code(foreign)]);
    page.row([inline![code(foreign), " ", text(foreign)], "–".into()]);
    page.commands([&Command::new(Shell::Posix, "trustmason ack").word(foreign)]);
    page.finish()
}

fn is_inert(foreign: &str) {
    let page = document(foreign);
    let shown = escape(foreign);
    let quoted = Shell::Posix.quote(foreign);
    let expected = [
        ("heading", shown.clone()),
        ("heading", format!("of {shown}")),
        ("paragraph", shown.clone()),
        ("paragraph", format!("before {shown} between {shown} after")),
        ("paragraph", shown.clone()),
        ("paragraph", format!("{shown}: {shown}")),
        ("paragraph", shown.clone()),
        ("paragraph", shown.clone()),
        ("cell", "one".to_owned()),
        ("cell", "two".to_owned()),
        ("cell", shown.clone()),
        ("cell", shown.clone()),
        ("cell", format!("{shown} {shown}")),
        ("cell", "–".to_owned()),
        ("block", format!("trustmason ack {quoted}\n")),
    ];
    assert_eq!(seen(&page), expected, "of {foreign:?}:\n{page}");
}

#[test]
fn a_viewer_of_markdown_shows_foreign_text_and_nothing_else() {
    let corpus = corpus();
    assert!(corpus.len() > 100);
    corpus.iter().for_each(|foreign| is_inert(foreign));
}

#[test]
fn the_judge_sees_what_is_not_escaped() {
    let raw = |foreign: &str| std::panic::catch_unwind(|| seen(foreign)).is_err();
    for foreign in ["<b>x</b>", "[x](http://y.example)", "see www.evil.example now", "a@evil.example", "~~x~~", "*x*"] {
        assert!(raw(foreign), "{foreign}");
    }
}

#[test]
fn names_of_everyday_stay_readable_without_a_viewer() {
    for plain in [
        "cvp1.acme.example/wsm",
        r#"C:\icm\bin\SSLUtil.exe: press "Uninstall", then "Install""#,
        "Security > Certificate Management > Find (tomcat-trust)",
        "wsm_certificate",
        "2026-06-01T00:00:00Z",
    ] {
        let mut page = Markdown::new();
        page.paragraph(text(plain));
        assert_eq!(page.finish(), format!("{plain}\n"));
    }
}

/// Texts made of the characters that Markdown reads.
fn marked() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "`", "``", "\\", "|", "*", "_", "[", "]", "(", ")", "<", ">", "!", "#", "-", "+", "=", "~", "&", ";", ":",
        "//", "@", ".", "www.", "http", " ", "  ", "\n", "a", "1", "x.y", "&#", "amp", "$", "^", "\"", "'", "é",
    ]);
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_text_is_markup(foreign in marked()) {
        is_inert(&foreign);
    }

    #[test]
    fn any_word_is_one_word_in_powershell(word in any::<String>()) {
        let said = powershell(&Shell::PowerShell.quote(&word));
        prop_assert_eq!(said, word);
    }
}

/// How PowerShell reads one quoted word (about_Quoting_Rules). Panics if PowerShell would see more than one word.
fn powershell(quoted: &str) -> String {
    let singles = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];
    let doubles = ['"', '\u{201c}', '\u{201d}', '\u{201e}'];
    let mut rest = quoted.chars().peekable();
    let mut out = String::new();
    match rest.next() {
        Some(open) if singles.contains(&open) => loop {
            let c = rest.next().expect("the quote is closed");
            if singles.contains(&c) {
                match rest.next() {
                    Some(next) if singles.contains(&next) => out.push(c),
                    None => return out,
                    Some(other) => panic!("{other:?} follows the word"),
                }
            } else {
                out.push(c);
            }
        },
        Some(open) if doubles.contains(&open) => loop {
            match rest.next().expect("the quote is closed") {
                '`' => {
                    let next = rest.next().unwrap();
                    assert!(!next.is_ascii_alphanumeric(), "`{next} is an escape");
                    out.push(next);
                }
                '$' => {
                    let tail: String = rest.clone().collect();
                    let number = tail.strip_prefix("([char]::ConvertFromUtf32(").expect("no variable");
                    let (number, _) = number.split_once("))").unwrap();
                    out.push(char::from_u32(number.parse().unwrap()).unwrap());
                    rest.nth("([char]::ConvertFromUtf32(".len() + number.len() + 1);
                }
                c if doubles.contains(&c) => {
                    assert!(rest.next().is_none(), "something follows the word");
                    return out;
                }
                c => out.push(c),
            }
        },
        _ => {
            assert!(
                !quoted.is_empty()
                    && !quoted.contains(|c: char| c.is_whitespace() || "\"'`$,;|&(){}<>@#*?~=".contains(c)),
                "{quoted:?}"
            );
            quoted.to_owned()
        }
    }
}

#[test]
fn a_word_is_one_word_in_the_shells() {
    // A word of the system cannot hold a NUL, and nothing that is named on a command line does.
    for word in corpus().into_iter().filter(|word| !word.contains('\0')) {
        let line = Command::new(Shell::Posix, "printf '%s|'").word(&word).word("end").to_string();
        assert_eq!(escape(&line), line, "what is typed is seen");
        let output = Process::new("bash").args(["--posix", "-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{word}|end|"), "{line}");
        assert_eq!(powershell(&Shell::PowerShell.quote(&word)), word);
    }
}

#[test]
fn a_terminal_gets_lines_and_colours_only() {
    for foreign in corpus() {
        let shown = terminal(&foreign);
        let bare = anstyle_free(&shown);
        assert!(!bare.chars().any(|c| trustmason_keystore::is_hidden(c) && c != '\n'), "{foreign:?}: {shown:?}");
        assert_eq!(escape(&escape(&foreign)), escape(&foreign));
        assert!(!escape(&foreign).contains(trustmason_keystore::is_hidden));
    }
    assert_eq!(terminal("\u{1b}[1;31mred\u{1b}[0m\n\u{1b}[2Jx"), "\u{1b}[1;31mred\u{1b}[0m\n\\u{1b}[2Jx");
}

/// The text without its colours (ECMA-48 SGR).
fn anstyle_free(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut out = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (parameters, rest) = piece.split_once('m').unwrap();
        assert!(parameters.chars().all(|c| c.is_ascii_digit() || c == ';'));
        out.push_str(rest);
    }
    out
}

#[test]
fn two_pieces_of_code_stay_two() {
    let mut page = Markdown::new();
    page.paragraph(inline![code("a"), code("b"), text("c@d.example")]);
    assert_eq!(seen(&page.finish()), [("paragraph", "a b c@d.example".to_owned())]);
}

#[test]
fn pieces_are_joined() {
    let joined = Inline::join(["a_", "b"].map(text), ", ");
    assert_eq!(joined, inline![text("a_"), ", ", text("b")]);
}

#[test]
fn the_name_of_a_file_is_no_option() {
    for (name, typed) in [("-x.yaml", "./-x.yaml"), ("- x", "'./- x'"), ("a-x.yaml", "a-x.yaml"), ("", "''")] {
        for shell in [Shell::Posix, Shell::PowerShell] {
            assert_eq!(
                Command::new(shell, "trustmason plan").file(name).to_string(),
                format!("trustmason plan {typed}")
            );
        }
    }
}
