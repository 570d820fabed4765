//! Facts about an options file: nothing here is a secret.

use std::collections::BTreeMap;

use trustmason_keystore::Password;
use trustmason_spec::topology::{OptionsDef, SettingDef, Wanted};

use super::compare;
use super::given::{Raw, Reading, SectionLook, Spelling};

/// What was seen of one options file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsLook {
    /// Nobody says where it lies.
    Undeclared,
    /// It is not there.
    Absent,
    /// It cannot be read; why, and what to try.
    Unreadable(String),
    /// It was read.
    Read(OptionsFacts),
}

/// What an options file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsFacts {
    /// Whether its section is there.
    pub section: SectionLook,
    /// Whether arguments come from a variable that it does not set, so that what is missing may be there.
    pub open_ended: bool,
    /// What it says of each setting, in its order.
    pub said: BTreeMap<String, Vec<Said>>,
}

/// One place where a setting is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The line, from 1.
    pub line: usize,
    /// How its name is written.
    pub spelling: Spelling,
    /// What its value is.
    pub value: ValueLook,
}

/// What stands as the value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueLook {
    /// Nothing: the text ends, or another setting follows.
    Missing,
    /// An empty text.
    Empty,
    /// It depends on something that is not in the text.
    Unclear,
    /// This, which is no secret.
    Text(String),
    /// The right path, cut at its first blank because quotes are missing.
    Unquoted,
    /// Something that is not repeated, since it may be a secret.
    Withheld,
    /// A password: what the store says to it, and which of the host's different passwords it is.
    Password(PasswordLook, usize),
}

/// What a store says to a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLook {
    /// It is the one the spec names.
    Named,
    /// It opens the store.
    Opens,
    /// It does not.
    DoesNotOpen,
    /// The store cannot be tried; it is not the one the spec names.
    Differs,
    /// Neither could be tried.
    Unknown,
}

/// Longer paths are not repeated.
const LONGEST: usize = 400;

/// So many times a setting is looked at. To try a password takes time, and to know that a file repeats itself two are enough.
const MOST: usize = 4;

/// What a reading says, without its secrets: `judge` is asked about each password and gives its verdict and its number among the
/// different ones of the host.
pub fn sift(
    def: &OptionsDef,
    reading: &Reading,
    mut judge: impl FnMut(&SettingDef, &Password) -> (PasswordLook, usize),
) -> OptionsFacts {
    let mut said: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for given in &reading.given {
        let Some(setting) = def.settings.get(given.setting) else { continue };
        if said.get(&setting.name).is_some_and(|known| known.len() >= MOST) {
            continue;
        }
        let value = match &given.value {
            Raw::Missing => ValueLook::Missing,
            Raw::Unclear => ValueLook::Unclear,
            Raw::Text { value, .. } if value.expose().is_empty() => ValueLook::Empty,
            Raw::Text { value, run } => match &setting.wanted {
                Wanted::Password => {
                    let (look, number) = judge(setting, value);
                    ValueLook::Password(look, number)
                }
                wanted => plain(wanted, value.expose(), run.as_ref().map(Password::expose)),
            },
        };
        let one = Said { line: given.line, spelling: given.spelling.clone(), value };
        said.entry(setting.name.clone()).or_default().push(one);
    }
    OptionsFacts { section: reading.section.clone(), open_ended: reading.open_ended, said }
}

/// A value that is no password by its name. It may be one by mistake, so only what cannot be is kept.
fn plain(wanted: &Wanted, value: &str, run: Option<&str>) -> ValueLook {
    if let (Wanted::Path(path), Some(run)) = (wanted, run)
        && compare::path(path, value) != compare::Path::Same
        && compare::path(path, run) == compare::Path::Same
    {
        return ValueLook::Unquoted;
    }
    if let Wanted::Path(path) = wanted
        && compare::may_become(path, value)
    {
        return ValueLook::Unclear;
    }
    let shown = match wanted {
        Wanted::Path(_) => compare::is_absolute(value) && value.len() <= LONGEST,
        Wanted::Word(word) | Wanted::Format(word) => compare::is_near(value, word) || compare::is_format(value),
        Wanted::Unset | Wanted::Password => false,
    };
    if shown { ValueLook::Text(value.to_owned()) } else { ValueLook::Withheld }
}
