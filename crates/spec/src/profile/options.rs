//! Reads and checks `options:` of a role: the texts that tell the role's product about its stores. Nothing here opens such
//! a text.

use std::collections::{BTreeMap, BTreeSet};

use super::{DefinedAt, Role, Spot, dangling};
use crate::fault::{At, Faults, SourceText};
use crate::topology::{OptionsSyntax, WriteMode};
use crate::tree::Node;

/// One text that tells the product about its stores.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) origin: DefinedAt,
    pub(crate) about: Option<String>,
    pub(crate) path: String,
    pub(crate) syntax: OptionsSyntax,
    pub(crate) section: Option<String>,
    pub(crate) only_if_used: bool,
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) source: String,
}

/// One setting of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) store: String,
    pub(crate) expected: Expected,
    pub(crate) needed: bool,
    pub(crate) was: Vec<String>,
    pub(crate) without: Option<String>,
}

/// The value a setting should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Path,
    Format,
    Password,
    Unset,
    /// This text, with variables that are not yet filled in.
    Value(String),
}

impl Options {
    pub(super) fn read(origin: DefinedAt, node: &Node) -> Self {
        Self {
            origin,
            about: node.text_of("about"),
            path: node.text_of("path").unwrap_or_default(),
            syntax: match node.text_of("syntax").as_deref() {
                Some("arguments") => OptionsSyntax::Arguments,
                Some("batch") => OptionsSyntax::Batch,
                Some(_) | None => OptionsSyntax::Ini,
            },
            section: node.text_of("section"),
            only_if_used: node.flag_of("only_if_used").is_some_and(|at| at.value),
            settings: node.pairs_of("settings").into_iter().map(|(key, node)| (key.value, setting(node))).collect(),
            source: node.text_of("source").unwrap_or_default(),
        }
    }

    /// Whether both definitions mean the same text. Their places and documents do not matter.
    pub(super) fn same(&self, other: &Self) -> bool {
        let Self { origin: _, about, path, syntax, section, only_if_used, settings, source: _ } = self;
        *about == other.about
            && *path == other.path
            && *syntax == other.syntax
            && *section == other.section
            && *only_if_used == other.only_if_used
            && *settings == other.settings
    }

    /// Checks the section, the stores and the names of the settings.
    pub(super) fn check(&self, source: &SourceText, role: &Role, faults: &mut Faults) {
        let place = self.origin.place;
        if self.section.is_some() != (self.syntax == OptionsSyntax::Ini) {
            let fault = source.error(place, "`section` is only for `syntax: ini`");
            faults.push(fault.hint("name the section of an ini file; arguments and batch files have none"));
        }
        let mut names: BTreeSet<&str> = self.settings.keys().map(String::as_str).collect();
        for (name, setting) in &self.settings {
            match role.stores.get(&setting.store) {
                None => faults.push(dangling(source, place, "store", &setting.store, role.stores.keys())),
                Some(store) if setting.expected == Expected::Path => {
                    let own = store.write == WriteMode::Direct && matches!(store.spot, Spot::Path(_));
                    if !own {
                        let message =
                            format!("the setting `{name}` is the path of `{}`, which is not a file", setting.store);
                        faults.push(source.error(place, message).hint("write its right value as `value`"));
                    }
                }
                Some(_) => {}
            }
            for mistake in &setting.was {
                if !names.insert(mistake) {
                    let message = format!("`{mistake}` means two settings of these options");
                    faults.push(source.error(place, message).hint("keep it under one of them"));
                }
            }
        }
    }
}

fn setting(node: &Node) -> Setting {
    Setting {
        store: node.text_of("store").unwrap_or_default(),
        expected: match (node.text_of("is").as_deref(), node.text_of("value")) {
            (Some("path"), _) => Expected::Path,
            (Some("format"), _) => Expected::Format,
            (Some("password"), _) => Expected::Password,
            (_, Some(value)) => Expected::Value(value),
            (_, None) => Expected::Unset,
        },
        needed: node.flag_of("needed").is_none_or(|At { value, .. }| value),
        was: node.texts_of("was"),
        without: node.text_of("without"),
    }
}
