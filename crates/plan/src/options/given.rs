//! The settings that the text of an options file gives, before they are judged. Their values are still secrets.

use trustmason_keystore::Password;

/// The settings that an options file gives. Their values are still secrets.
#[derive(Debug)]
pub struct GivenSettings {
    /// The settings that count, in the order of the text.
    pub given: Vec<GivenSetting>,
    /// Whether the section is there.
    pub section: SectionLook,
    /// Whether arguments come from a variable that the text does not set.
    pub open_ended: bool,
}

/// One setting that is given.
#[derive(Debug)]
pub struct GivenSetting {
    /// The setting, by its position in the definition.
    pub setting: usize,
    /// How the name is written.
    pub spelling: Spelling,
    /// The line, from 1.
    pub line: usize,
    /// The value, as it is written.
    pub value: RawValue,
}

/// A value as it is written.
#[derive(Debug)]
pub enum RawValue {
    /// There is no value.
    Missing,
    /// The value depends on something outside the text.
    Unclear,
    /// The text of the value.
    Text {
        /// The value.
        value: Password,
        /// The value with the words after it: the value as it would be in quotes.
        run: Option<Password>,
    },
}

/// Whether the section of the settings is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionLook {
    /// The section is there, or the text has no sections at all.
    Found,
    /// The section is not there; the section that may be meant.
    Missing(Option<String>),
}

/// How the name of a setting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The name is right.
    Right,
    /// The name is in another case.
    OtherCase,
    /// The name has a dash of a word processor instead of a hyphen.
    Dash,
    /// The name is misspelled like this.
    Mistake(String),
    /// The word is longer than the name and begins like this; the rest may be a secret.
    Beginning(String),
}
