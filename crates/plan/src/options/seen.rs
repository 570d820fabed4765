//! The facts of an options file. Nothing here is a secret.

use std::collections::BTreeMap;

use trustmason_keystore::Password;
use trustmason_spec::topology::{OptionsDef, SettingDef, WantedValue};

use super::compare;
use super::given::{GivenSettings, RawValue, SectionLook, Spelling};

/// The result of looking at an options file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsLook {
    /// The spec does not say where the file is.
    Undeclared,
    /// The file does not exist.
    Absent,
    /// The file cannot be read; why, and what to try.
    Unreadable(String),
    /// The file was read.
    Read(OptionsFacts),
}

/// The facts of an options file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsFacts {
    /// Whether the section is there.
    pub section: SectionLook,
    /// Whether arguments come from a variable that the file does not set. A missing setting may then be in that
    /// variable.
    pub open_ended: bool,
    /// For each setting, the places where the file gives it, in file order.
    pub said: BTreeMap<String, Vec<SettingLook>>,
}

/// One place where a setting is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingLook {
    /// The line, from 1.
    pub line: usize,
    /// How the name is written.
    pub spelling: Spelling,
    /// The fact about the value.
    pub value: ValueLook,
}

/// The fact about a setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLook {
    /// There is no value: the text ends, or another setting follows.
    Missing,
    /// The value is empty.
    Empty,
    /// The value depends on something outside the text.
    Unclear,
    /// The value is this text, which is no secret.
    Text(String),
    /// The value is the right path, cut at its first blank because quotes are missing.
    Unquoted,
    /// The value is not repeated, because it may be a secret.
    Withheld,
    /// The value is a password: the verdict on it, and its number among the host's different passwords.
    Password(PasswordLook, usize),
}

/// The verdict on a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLook {
    /// The password is the one that the spec names.
    Named,
    /// The password opens the store.
    Opens,
    /// The password does not open the store.
    DoesNotOpen,
    /// The store cannot be tried, and the password is not the one that the spec names.
    Differs,
    /// Neither could be tried: the store, and the password that the spec names.
    Unknown,
}

/// The longest path that is repeated.
const LONGEST: usize = 400;

/// The most places of one setting that are judged. Trying a password takes time, and two places are enough to see that
/// a file repeats itself.
const MOST: usize = 4;

/// The facts of a reading, without its secrets. `judge` gets each password, and gives the verdict and its number among
/// the host's different passwords.
pub fn facts_of(
    def: &OptionsDef,
    reading: &GivenSettings,
    mut judge: impl FnMut(&SettingDef, &Password) -> (PasswordLook, usize),
) -> OptionsFacts {
    let mut said: BTreeMap<String, Vec<SettingLook>> = BTreeMap::new();
    for given in &reading.given {
        let Some(setting) = def.settings.get(given.setting) else { continue };
        if said.get(&setting.name).is_some_and(|known| known.len() >= MOST) {
            continue;
        }
        let value = match &given.value {
            RawValue::Missing => ValueLook::Missing,
            RawValue::Unclear => ValueLook::Unclear,
            RawValue::Text { value, .. } if value.expose().is_empty() => ValueLook::Empty,
            RawValue::Text { value, run } => match &setting.wanted {
                WantedValue::Password => {
                    let (look, number) = judge(setting, value);
                    ValueLook::Password(look, number)
                }
                wanted => plain(wanted, value.expose(), run.as_ref().map(Password::expose)),
            },
        };
        let one = SettingLook { line: given.line, spelling: given.spelling.clone(), value };
        said.entry(setting.name.clone()).or_default().push(one);
    }
    OptionsFacts { section: reading.section.clone(), open_ended: reading.open_ended, said }
}

/// The fact about a value that is no password by its name. It may be one by mistake, so only a value that cannot be a
/// password is kept.
fn plain(wanted: &WantedValue, value: &str, run: Option<&str>) -> ValueLook {
    if let (WantedValue::Path(path), Some(run)) = (wanted, run)
        && compare::path(path, value) != compare::PathComparison::Same
        && compare::path(path, run) == compare::PathComparison::Same
    {
        return ValueLook::Unquoted;
    }
    if let WantedValue::Path(path) = wanted
        && compare::may_become(path, value)
    {
        return ValueLook::Unclear;
    }
    let shown = match wanted {
        WantedValue::Path(_) => compare::is_absolute(value) && value.len() <= LONGEST,
        WantedValue::Word(word) | WantedValue::Format(word) => {
            compare::is_near(value, word) || compare::is_format(value)
        }
        WantedValue::Unset | WantedValue::Password => false,
    };
    if shown { ValueLook::Text(value.to_owned()) } else { ValueLook::Withheld }
}
