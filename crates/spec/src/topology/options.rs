//! Texts that tell a product where its stores are and how to open them: an options file, arguments or a batch file.
//! Trustmason reads such a text, compares it, and never writes it.

use super::HostPath;
use crate::name::{Fqdn, StoreId};

/// One text that tells a product about its stores.
#[derive(Clone, Debug)]
pub struct OptionsDef {
    /// The host.
    pub host: Fqdn,
    /// The name of the text in its role.
    pub name: String,
    /// A description for people.
    pub about: String,
    /// The place of the text.
    pub at: OptionsAt,
    /// The syntax of the text.
    pub syntax: OptionsSyntax,
    /// The section that holds the settings, if the syntax has sections.
    pub section: Option<String>,
    /// Whether a text without any of the settings counts as unused.
    pub only_if_used: bool,
    /// The settings, in the order of the profile's names.
    pub settings: Vec<SettingDef>,
    /// The document that describes the text.
    pub source: String,
}

/// The place of an options file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsAt {
    /// At this path of the host.
    File(HostPath),
    /// The place is unknown, because these variables of the host have no value.
    Undeclared(Vec<String>),
}

/// The syntax of an options text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionsSyntax {
    /// `[section]` and `name = value`.
    Ini,
    /// `-name value -name value`, as in a field of an application object.
    Arguments,
    /// A Windows batch file whose commands have arguments.
    Batch,
}

/// One setting and the value it should have.
#[derive(Clone, Debug)]
pub struct SettingDef {
    /// The name of the setting.
    pub name: String,
    /// The store that the setting is about.
    pub store: StoreId,
    /// The value the setting should have.
    pub wanted: WantedValue,
    /// Whether the setting must be present.
    pub needed: bool,
    /// Wrong names that documents and people give the setting. A name that ends in `*` matches a beginning.
    pub misspellings: Vec<String>,
    /// The effect of a missing setting, for people.
    pub without: Option<String>,
}

/// The value a setting should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedValue {
    /// This path as the host writes it.
    Path(String),
    /// This word.
    Word(String),
    /// The format of the setting's store in Java's words (`jks`, `pkcs12`), compared without case.
    Format(String),
    /// The password of the setting's store.
    Password,
    /// No value: the setting must be absent.
    Unset,
}
