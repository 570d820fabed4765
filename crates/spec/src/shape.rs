//! The shape of a file as data: which fields exist, what each field holds and what it means. [`check`] compares a tree with
//! a shape and gives every structural fault. The "did you mean" and the JSON Schema read the same tables.

use std::collections::BTreeMap;

use crate::fault::{Faults, SourceText, Span, nearest};
use crate::lexeme::Lexeme;
use crate::redaction::sounds_secret;
use crate::tree::{Node, NodeKind};

/// The allowed content of a field, an item or a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A scalar.
    Scalar(Lexeme),
    /// One word of this list.
    Words(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A list whose items have this shape.
    List(&'static Shape),
    /// One value of this shape, or a list of at least one.
    OneOrMore(&'static Shape),
    /// A mapping with free keys of this kind and values of this shape.
    Map(Lexeme, &'static Shape),
    /// A mapping with known fields.
    Record(&'static KnownFields),
    /// A scalar of this shape, or a mapping with known fields.
    Either(&'static Shape, &'static KnownFields),
}

/// A mapping with known fields.
#[derive(Debug)]
pub(crate) struct KnownFields {
    /// The noun of the mapping with its article: `a host`.
    pub(crate) what: &'static str,
    /// The fields of the mapping.
    pub(crate) fields: &'static [Field],
    /// Exactly one of these fields must be present. An empty list demands nothing.
    pub(crate) one_of: &'static [&'static str],
}

/// A field of a record.
#[derive(Debug)]
pub(crate) struct Field {
    /// The name of the field.
    pub(crate) name: &'static str,
    /// The shape of the value.
    pub(crate) shape: Shape,
    /// The meaning of the field in one line.
    pub(crate) doc: &'static str,
    /// Whether the field must be present.
    pub(crate) required: bool,
}

/// An optional field.
pub(crate) const fn optional(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, shape, doc, required: false }
}

/// A required field.
pub(crate) const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { name, shape, doc, required: true }
}

/// A record without `one_of`.
pub(crate) const fn record(what: &'static str, fields: &'static [Field]) -> KnownFields {
    KnownFields { what, fields, one_of: &[] }
}

const QUOTES: &str = "put the value in single quotes";

/// Compares a tree with a shape and collects everything that does not fit.
pub(crate) fn check(source: &SourceText, root: &Node, shape: &KnownFields) -> Faults {
    let mut checker = Checker { source, faults: Faults::default() };
    if matches!(root.kind, NodeKind::Null) {
        let fault = source.error(root.place, format!("the file is empty, {} was expected", shape.what));
        checker.faults.push(fault.hint("`trustmason demo` writes a complete example"));
    } else {
        checker.record(root, shape, shape.what, false);
    }
    checker.faults
}

struct Checker<'s> {
    source: &'s SourceText,
    faults: Faults,
}

impl Checker<'_> {
    /// Checks a node. `name` names the node in messages. With `quiet`, messages repeat no text of the file.
    fn shape(&mut self, node: &Node, shape: &Shape, name: &str, quiet: bool) {
        match shape {
            Shape::Scalar(lexeme) => self.scalar(node, *lexeme, name, quiet),
            Shape::Words(words) => self.word(node, words, name, quiet),
            Shape::Flag => {
                let plain =
                    matches!(&node.kind, NodeKind::Scalar { text, plain: true } if text == "true" || text == "false");
                if !plain {
                    self.push(
                        node.place,
                        format!("`{name}` is true or false"),
                        None,
                        "write true or false, without quotes",
                    );
                }
            }
            Shape::List(item) => match &node.kind {
                NodeKind::List(items) => items.iter().for_each(|one| self.shape(one, item, name, quiet)),
                NodeKind::Null | NodeKind::Scalar { .. } | NodeKind::Map(_) => {
                    self.kind(node, name, "a list", "start each item with `- `, or write [a, b]")
                }
            },
            Shape::OneOrMore(item) => match &node.kind {
                NodeKind::List(items) if items.is_empty() => {
                    self.push(node.place, format!("`{name}` is an empty list"), None, "name at least one");
                }
                NodeKind::Null | NodeKind::Scalar { .. } | NodeKind::List(_) | NodeKind::Map(_) => {
                    if matches!(node.kind, NodeKind::Null) {
                        self.shape(node, item, name, quiet);
                    }
                    node.items().iter().for_each(|one| self.shape(one, item, name, quiet));
                }
            },
            Shape::Map(key, value) => self.map(node, *key, value, name, quiet),
            Shape::Record(record) => self.record(node, record, name, quiet),
            Shape::Either(scalar, record) => {
                if matches!(node.kind, NodeKind::Map(_)) {
                    self.record(node, record, name, quiet);
                } else {
                    self.shape(node, scalar, name, quiet);
                }
            }
        }
    }

    fn scalar(&mut self, node: &Node, lexeme: Lexeme, name: &str, quiet: bool) {
        match &node.kind {
            NodeKind::Null => {
                self.push(node.place, format!("`{name}` has no value"), None, "write the value or leave the field out")
            }
            NodeKind::Scalar { text, plain } => {
                let quoted = if quiet { format!("the value of `{name}`") } else { format!("`{text}`") };
                let boolean = ["yes", "no", "on", "off", "true", "false"].contains(&text.to_ascii_lowercase().as_str());
                if *plain
                    && boolean
                    && matches!(lexeme, Lexeme::Text | Lexeme::OlderAlias | Lexeme::Country | Lexeme::Name)
                {
                    let message = format!(
                        "{quoted} without quotes means true or false to many YAML readers, but {} was expected",
                        lexeme.noun()
                    );
                    let shown = if quiet { "…" } else { text };
                    self.push(node.place, message, None, &format!("{QUOTES}: '{shown}'"));
                } else if text.is_empty() {
                    self.push(node.place, format!("`{name}` is empty"), None, "write the value or leave the field out");
                } else if text.chars().any(|c| c.is_control() && c != '\n')
                    || (text.contains('\n') && lexeme != Lexeme::Text)
                {
                    let message = format!(
                        "the value of `{name}` has a control character: a backslash between double quotes makes one"
                    );
                    self.push(node.place, message, None, &format!(r"{QUOTES}, such as 'C:\temp'"));
                } else if let Err(flaw) = lexeme.check(text) {
                    self.push(node.place, format!("{quoted} is not {}: {}", lexeme.noun(), flaw.why), None, flaw.hint);
                }
            }
            NodeKind::Map(entries) => match entries.as_slice() {
                [(key, value)] if matches!(value.kind, NodeKind::Null) && !quiet => {
                    let key = key.text().unwrap_or("…").to_owned();
                    let message =
                        format!("braces without quotes make a mapping, {} was expected for `{name}`", lexeme.noun());
                    self.push(node.place, message, None, &format!("{QUOTES}: '{{{key}}}'"));
                }
                _ => self.kind(node, name, lexeme.noun(), "write one value on this line"),
            },
            NodeKind::List(_) => self.kind(node, name, lexeme.noun(), "write one value on this line"),
        }
    }

    fn word(&mut self, node: &Node, words: &[&str], name: &str, quiet: bool) {
        let Some(text) = node.text() else {
            self.kind(node, name, &one_of(words), "write one value on this line");
            return;
        };
        if !words.contains(&text) {
            let quoted = if quiet { "this".to_owned() } else { format!("`{text}`") };
            let meant = nearest(text, words.iter().copied());
            self.push(
                node.place,
                format!("{quoted} is not a value of `{name}`"),
                meant,
                &format!("write {}", one_of(words)),
            );
        }
    }

    fn map(&mut self, node: &Node, lexeme: Lexeme, value: &Shape, name: &str, quiet: bool) {
        let NodeKind::Map(entries) = &node.kind else {
            self.kind(node, name, "a mapping", "write `name: value` lines below it, or {} for none");
            return;
        };
        self.duplicates(entries, lexeme == Lexeme::Fqdn, quiet);
        for (key, child) in entries {
            self.scalar(key, lexeme, name, quiet);
            self.shape(child, value, key.text().filter(|_| !quiet).unwrap_or(name), quiet);
        }
    }

    fn record(&mut self, node: &Node, record: &KnownFields, name: &str, quiet: bool) {
        let NodeKind::Map(entries) = &node.kind else {
            let fields = record.fields.iter().take(6).map(|f| f.name).collect::<Vec<_>>().join(", ");
            self.kind(
                node,
                name,
                "a mapping",
                &format!("its fields are {fields}{}", if record.fields.len() > 6 { ", …" } else { "" }),
            );
            return;
        };
        self.duplicates(entries, false, quiet);
        for (key, value) in entries {
            let known = key.text().and_then(|text| record.fields.iter().find(|f| f.name == text));
            if let Some(field) = known {
                self.shape(value, &field.shape, field.name, quiet || secret_field(field.name));
            } else {
                self.unknown(key, record, quiet);
            }
        }
        for field in record.fields.iter().filter(|f| f.required && node.get(f.name).is_none()) {
            let message = format!("{} needs the field `{}`", record.what, field.name);
            self.push(start(node), message, None, &format!("add `{}:` ({})", field.name, field.doc));
        }
        let present: Vec<&str> = record.one_of.iter().copied().filter(|f| node.get(f).is_some()).collect();
        if !record.one_of.is_empty() && present.len() != 1 {
            let message = match present.len() {
                0 => format!("{} needs {}", record.what, one_of(record.one_of)),
                _ => format!("{} has {} at once", record.what, present.join(" and ")),
            };
            self.push(start(node), message, None, &format!("write exactly one of {}", record.one_of.join(", ")));
        }
    }

    fn unknown(&mut self, key: &Node, record: &KnownFields, quiet: bool) {
        let names = || record.fields.iter().map(|f| f.name);
        let Some(text) = key.text() else {
            self.kind(key, "a field name", "text", "field names are plain words");
            return;
        };
        let meant = nearest(text, names());
        let redacted = quiet || sounds_secret(text) || meant.as_deref().is_some_and(secret_field);
        let message = if redacted {
            format!("unknown field of {} (its name is withheld)", record.what)
        } else {
            format!("unknown field `{text}` of {}", record.what)
        };
        let mut fault = self
            .source
            .error(key.place, message)
            .suggest(meant)
            .hint(format!("known fields: {}", names().collect::<Vec<_>>().join(", ")));
        if redacted {
            fault.text = None;
        }
        self.faults.push(fault);
    }

    /// Reports every key that occurs a second time. With `fold`, keys are compared without case and without a final dot.
    fn duplicates(&mut self, entries: &[(Node, Node)], fold: bool, quiet: bool) {
        let mut seen: BTreeMap<String, (Span, String)> = BTreeMap::new();
        for (key, _) in entries {
            let Some(text) = key.text() else { continue };
            let folded = if fold { text.trim_end_matches('.').to_ascii_lowercase() } else { text.to_owned() };
            if let Some((first, spelling)) = seen.get(&folded) {
                let shown = if quiet { "this key".to_owned() } else { format!("`{text}`") };
                let why =
                    if spelling == text { String::new() } else { " (case does not matter in host names)".to_owned() };
                let message = format!("{shown} is given a second time{why}; the first is on line {}", first.line);
                self.push(key.place, message, None, "keep one of the two");
            } else {
                seen.insert(folded, (key.place, text.to_owned()));
            }
        }
    }

    fn kind(&mut self, node: &Node, name: &str, wanted: &str, hint: &str) {
        self.push(node.place, format!("`{name}` must be {wanted}, but this is {}", node.noun()), None, hint);
    }

    fn push(&mut self, place: Span, message: String, meant: Option<String>, hint: &str) {
        self.faults.push(self.source.error(place, message).suggest(meant).hint(hint));
    }
}

/// The place of a mapping's first key.
fn start(node: &Node) -> Span {
    node.entries().first().map_or(
        node.place,
        |(key, _)| {
            if key.place.line == node.place.line { node.place } else { key.place }
        },
    )
}

/// Whether the value of a field may be a secret or may tell where a secret is.
fn secret_field(name: &str) -> bool {
    matches!(name, "secrets" | "password" | "literal")
}

/// Joins words: `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}
