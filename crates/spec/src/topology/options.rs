//! What a product is told about its stores, beside them: an options file, arguments, a batch file.

use super::HostPath;
use crate::name::{Fqdn, StoreId};

/// One text in which a product is told about its stores. It is read and never written.
#[derive(Clone, Debug)]
pub struct OptionsDef {
    /// The host.
    pub host: Fqdn,
    /// Its name in the role.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// Where it lies.
    pub at: OptionsAt,
    /// How it is written.
    pub syntax: OptionsSyntax,
    /// The section its settings stand in, of a text with sections.
    pub section: Option<String>,
    /// Whether one that has none of the settings is taken to be unused.
    pub only_if_used: bool,
    /// The settings, in the order of the profile's names.
    pub settings: Vec<SettingDef>,
    /// The document that names it.
    pub source: String,
}

/// Where an options file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsAt {
    /// At this path of the host.
    File(HostPath),
    /// Nobody says: these variables of the host have no value.
    Undeclared(Vec<String>),
}

/// How settings are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsSyntax {
    /// `[section]` and `name = value`.
    Ini,
    /// `-name value -name value`, as in a field of an application object.
    Arguments,
    /// A Windows batch file whose commands have arguments.
    Batch,
}

/// One setting and what it should be.
#[derive(Clone, Debug)]
pub struct SettingDef {
    /// Its name.
    pub name: String,
    /// The store it binds.
    pub store: StoreId,
    /// What its value should be.
    pub wanted: Wanted,
    /// Whether it must be there.
    pub needed: bool,
    /// Names that documents and people give it by mistake; one that ends in `*` is a beginning.
    pub was: Vec<String>,
    /// What comes of it where it is missing, for people.
    pub without: Option<String>,
}

/// What a setting should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This path, as the host writes it.
    Path(String),
    /// This word.
    Word(String),
    /// The format of its store, in the words of Java (`jks`, `pkcs12`), which are read in any case.
    Format(String),
    /// The password of its store.
    Password,
    /// Nothing: it must not be there.
    Unset,
}
