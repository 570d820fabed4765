//! Reads an options file. It takes bytes and gives the settings that count.

use trustmason_spec::topology::{OptionsDef, OptionsSyntax};

use super::given::{GivenSettings, SectionLook};
use super::{arguments, batch, decode, ini};

/// Reads an options file; `None` if the bytes are no text. Every text has a reading, even if the reading is empty.
pub fn read(bytes: &[u8], def: &OptionsDef) -> Option<GivenSettings> {
    let text = decode::decode(bytes)?;
    Some(match def.syntax {
        OptionsSyntax::Ini => ini::read(def, &text),
        OptionsSyntax::Arguments => {
            GivenSettings { given: arguments::read(def, &text), section: SectionLook::Found, open_ended: false }
        }
        OptionsSyntax::Batch => batch::read(def, &text),
    })
}
