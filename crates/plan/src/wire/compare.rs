//! Compares a saved plan with a new one, and gives the differences in words. It judges nothing.

use std::collections::BTreeSet;

use super::{ChangeDocument, Document};
use crate::observed::InputKind;
use crate::text;

impl Document {
    /// The differences between a saved plan and a new one for the same question, one line each. The tool's version, the
    /// options, the inputs and the changes are compared. Times and the texts of findings are not.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.format_version != now.format_version || self.tool_version != now.tool_version {
            lines.push(format!(
                "the plan was made by version {}, but this is version {}",
                self.tool_version, now.tool_version
            ));
        }
        if self.options != now.options {
            lines.push("the options differ".to_owned());
        }
        let then: BTreeSet<_> = self.inputs.iter().map(|i| (i.kind, &i.path, &i.sha256)).collect();
        let today: BTreeSet<_> = now.inputs.iter().map(|i| (i.kind, &i.path, &i.sha256)).collect();
        let paths: BTreeSet<_> = then.symmetric_difference(&today).map(|(kind, path, _)| (*kind, *path)).collect();
        for (kind, path) in paths {
            let old = then.iter().find(|(k, p, _)| (*k, *p) == (kind, path)).map(|i| i.2.as_str());
            let new = today.iter().find(|(k, p, _)| (*k, *p) == (kind, path)).map(|i| i.2.as_str());
            lines.push(match (old, new) {
                (Some(old), Some(new)) => {
                    format!("{} {path} changed: {} → {}", kind_text(kind), short(old), short(new))
                }
                (Some(_), None) => format!("{} {path} is no longer read", kind_text(kind)),
                _ => format!("{} {path} is new", kind_text(kind)),
            });
        }
        for (old, new) in paired(&self.changes, &now.changes) {
            match (old, new) {
                (Some(old), Some(new)) if old == new => {}
                (Some(old), None) => {
                    lines.push(format!("a change of the saved plan is no longer needed: {}", line(old)))
                }
                (None, Some(new)) => lines.push(format!("a change is not in the saved plan: {}", line(new))),
                (Some(old), Some(_)) => lines.push(format!("a change differs: {}", line(old))),
                (None, None) => {}
            }
        }
        lines
    }
}

type ValuePair<'a> = (Option<&'a ChangeDocument>, Option<&'a ChangeDocument>);

fn paired<'a>(old: &'a [ChangeDocument], new: &'a [ChangeDocument]) -> Vec<ValuePair<'a>> {
    let key = |c: &'a ChangeDocument| (&c.store, &c.alias, c.action);
    let mut pairs: Vec<ValuePair<'a>> = old.iter().map(|o| (Some(o), new.iter().find(|n| key(n) == key(o)))).collect();
    pairs.extend(new.iter().filter(|n| !old.iter().any(|o| key(o) == key(n))).map(|n| (None, Some(n))));
    pairs
}

fn line(change: &ChangeDocument) -> String {
    let alias = change.alias.as_deref().map(text::escape).unwrap_or_default();
    format!("{} {} in {}", change.action, alias, change.store)
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn kind_text(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Spec => "spec",
        InputKind::Profile => "profile",
        InputKind::Store => "store",
        InputKind::Certificate => "certificate",
        InputKind::Mirror => "mirror",
        InputKind::Reply => "reply",
        InputKind::OptionsFile => "options file",
        InputKind::Staging => "staging",
        InputKind::Ledger => "ledger",
    }
}
