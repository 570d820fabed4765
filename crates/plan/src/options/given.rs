//! What the text of an options file gives of the settings that count, before anybody judged it: its values are still secrets.

use trustmason_keystore::Password;

/// What an options file gives. Its values are still secrets.
#[derive(Debug)]
pub struct Reading {
    /// The settings that count, in the order of the text.
    pub given: Vec<Given>,
    /// Whether the section is there.
    pub section: SectionLook,
    /// Whether arguments come from a variable that the text does not set.
    pub open_ended: bool,
}

/// A setting that is given.
#[derive(Debug)]
pub struct Given {
    /// Which, by its place in the definition.
    pub setting: usize,
    /// How its name is written.
    pub spelling: Spelling,
    /// The line, from 1.
    pub line: usize,
    /// Its value.
    pub value: Raw,
}

/// A value as it is written.
#[derive(Debug)]
pub enum Raw {
    /// There is none.
    Missing,
    /// What it is depends on something else than the text.
    Unclear,
    /// The text of the value.
    Text {
        /// The value.
        value: Password,
        /// The same with the words after it: what it would be with quotes around.
        run: Option<Password>,
    },
}

/// Whether the section of the settings is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionLook {
    /// It is, or the text has no sections at all.
    Found,
    /// It is not; the one that may be meant.
    Missing(Option<String>),
}

/// How the name of a setting is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As it should be.
    Right,
    /// In another case.
    OtherCase,
    /// With a dash of a word processor instead of a hyphen.
    Dash,
    /// Like this.
    Mistake(String),
    /// As something longer that begins like this; the rest may be a secret.
    Beginning(String),
}
