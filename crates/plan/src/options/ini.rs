//! Reads `[section]` and `name = value`.

use trustmason_keystore::Password;
use trustmason_spec::topology::OptionsDef;

use super::decode::DecodedText;
use super::given::{GivenSetting, GivenSettings, RawValue, SectionLook};
use super::{compare, names};

/// The settings that the section of a text gives. A text without any section counts as that section. `#`, `;` and `//`
/// begin a note.
pub(super) fn read(def: &OptionsDef, text: &DecodedText) -> GivenSettings {
    let wanted = def.section.as_deref().unwrap_or_default();
    let mut near = None;
    let (mut sections, mut found, mut inside) = (false, false, true);
    let mut given = Vec::new();
    for (line, number) in text.text.expose().split('\n').zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name.trim()) {
            if !sections {
                // Lines before the first section are in no section.
                given.clear();
            }
            sections = true;
            inside = name.eq_ignore_ascii_case(wanted);
            found |= inside;
            if !inside && compare::is_near(name, wanted) {
                near = Some(name.to_owned());
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else { continue };
        if let Some(found) = names::find(def, unquoted(name.trim())) {
            let value = unquoted(value.trim());
            let value = if text.doubts(value) {
                RawValue::Unclear
            } else {
                RawValue::Text { value: Password::new(value), run: None }
            };
            given.push(GivenSetting { setting: found.setting, spelling: found.spelling, line: number, value });
        }
    }
    let section = if found || !sections { SectionLook::Found } else { SectionLook::Missing(near) };
    GivenSettings { given, section, open_ended: false }
}

/// A text without the quotes around it.
fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}
