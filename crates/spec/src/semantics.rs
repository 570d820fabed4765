//! Checks that the tables of `grammar` cannot express: which fields belong together, and what a value must contain.
//! Takes the tree of a spec or a profile, gives faults, and never changes the tree.

use crate::fault::{Faults, SourceText};
use crate::tree::{Node, NodeKind};

/// Checks secrets: `key` needs `properties` and the reverse, `empty` is never `false`, and a command names a program.
pub(crate) fn secrets(source: &SourceText, root: &Node) -> Faults {
    let mut faults = Faults::default();
    let named = root.pairs_of("secrets").into_iter().map(|(_, node)| node);
    let inline = root.pairs_of("stores").into_iter().filter_map(|(_, node)| node.get("password"));
    for node in named.chain(inline).filter(|node| matches!(node.kind, NodeKind::Map(_))) {
        match (node.get("properties"), node.get("key")) {
            (Some(properties), None) => {
                let fault = source.error(properties.place, "a secret in a properties file needs the field `key`");
                faults.push(fault.hint("add `key:` with the name of the property, such as Security.keystorePW"));
            }
            (None, Some(key)) => {
                let fault = source.error(key.place, "`key` says which property to read, but there is no `properties`");
                faults.push(fault.hint("add `properties:` with the file, or leave `key` out"));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some(empty) = node.get("empty").filter(|empty| empty.text() == Some("false")) {
            let fault = source
                .error(empty.place, "`empty` can only be `true`; a secret that is not empty needs another source");
            faults.push(
                fault.hint("write `empty: true` for the empty password, or name `env`, `file` or `properties` instead"),
            );
        }
        if let Some(command) = node.get("command").filter(|c| lacks_program(c)) {
            let fault = source.error(command.place, "a secret's command has no program");
            faults.push(fault.hint("write the program and its arguments as a list: [/usr/bin/pass, show, cvp]"));
        }
    }
    faults
}

/// Checks restarts: a command names a program.
pub(crate) fn restarts(source: &SourceText, root: &Node) -> Faults {
    let mut faults = Faults::default();
    for (pattern, node) in root.pairs_of("services") {
        if let Some(restart) = node.get("restart").filter(|r| lacks_program(r)) {
            let fault = source.error(restart.place, format!("the restart of `{}` has no program", pattern.value));
            faults.push(fault.hint("write the program and its arguments as a list: [/usr/bin/ssh, '{fqdn}', …]"));
        }
    }
    faults
}

/// Whether a command's list is empty or its first item has only blanks. (An empty first item has a fault of its own.)
fn lacks_program(command: &Node) -> bool {
    let NodeKind::List(items) = &command.kind else { return false };
    items.first().is_none_or(|first| first.text().is_some_and(|text| !text.is_empty() && text.trim().is_empty()))
}
