//! Bytes → what is given of the settings that count.

use trustmason_keystore::Password;
use trustmason_spec::topology::{OptionsDef, OptionsSyntax};

use super::seen::{SectionLook, Spelling};
use super::{arguments, batch, decode, ini};

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
    /// This.
    Text {
        /// The value.
        value: Password,
        /// The same with the words after it: what it would be with quotes around.
        run: Option<Password>,
    },
}

/// Reads an options file; `None` is no text. Every text has a reading, be it an empty one.
pub fn read(bytes: &[u8], def: &OptionsDef) -> Option<Reading> {
    let text = decode::decode(bytes)?;
    Some(match def.syntax {
        OptionsSyntax::Ini => ini::read(def, &text),
        OptionsSyntax::Arguments => {
            Reading { given: arguments::read(def, &text), section: SectionLook::Found, open_ended: false }
        }
        OptionsSyntax::Batch => batch::read(def, &text),
    })
}
