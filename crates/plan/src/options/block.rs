//! The right text of an options file, for people to paste. It takes the settings of the spec. It never holds a
//! password.

use trustmason_spec::topology::{OptionsDef, OptionsSyntax, SettingDef, WantedValue};

/// The lines that an options file should have. In the place of a password they name the store that it belongs to.
pub fn block(def: &OptionsDef) -> Vec<String> {
    let needed = def.settings.iter().filter(|one| one.needed && one.wanted != WantedValue::Unset);
    match def.syntax {
        OptionsSyntax::Ini => {
            let head = def.section.iter().map(|section| format!("[{section}]"));
            head.chain(needed.map(|one| format!("{} = {}", one.name, value(one)))).collect()
        }
        OptionsSyntax::Arguments => {
            let all: Vec<String> = needed.map(|one| line(def, one)).collect();
            vec![all.join(" ")]
        }
        OptionsSyntax::Batch => {
            let mut lines: Vec<String> = needed.map(|one| format!("{} ^", line(def, one))).collect();
            if let Some(last) = lines.last_mut() {
                last.truncate(last.len().saturating_sub(2));
            }
            lines
        }
    }
}

/// The settings that must not be in the file.
pub fn forbidden(def: &OptionsDef) -> impl Iterator<Item = &SettingDef> {
    def.settings.iter().filter(|one| one.wanted == WantedValue::Unset)
}

/// The right line of one setting.
pub(crate) fn line(def: &OptionsDef, setting: &SettingDef) -> String {
    let value = value(setting);
    match def.syntax {
        OptionsSyntax::Ini => format!("{} = {value}", setting.name),
        OptionsSyntax::Batch if value.starts_with('<') => format!("{} \"{value}\"", setting.name),
        OptionsSyntax::Arguments | OptionsSyntax::Batch if value.contains(' ') && !value.starts_with('<') => {
            format!("{} \"{value}\"", setting.name)
        }
        OptionsSyntax::Arguments | OptionsSyntax::Batch => format!("{} {value}", setting.name),
    }
}

fn value(setting: &SettingDef) -> String {
    match &setting.wanted {
        WantedValue::Path(text) | WantedValue::Word(text) | WantedValue::Format(text) => text.clone(),
        WantedValue::Password => format!("<the password of {}>", setting.store),
        WantedValue::Unset => String::new(),
    }
}
