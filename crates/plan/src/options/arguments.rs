//! Reads `-name value -name value`: the arguments of an application object, and those of the commands of a batch file.

use trustmason_keystore::Password;
use trustmason_spec::topology::{OptionsDef, WantedValue};

use super::decode::DecodedText;
use super::given::{GivenSetting, RawValue, Spelling};
use super::names::{self, MatchedName, is_dash};
use super::words::{HANDED_IN, Manner, Token, UNKNOWN, words};

/// The settings that a text of arguments gives. A line that begins with `#` is a note.
pub(super) fn read(def: &OptionsDef, text: &DecodedText) -> Vec<GivenSetting> {
    let kept: Vec<&str> =
        text.text.expose().split('\n').map(|line| if line.trim_start().starts_with('#') { "" } else { line }).collect();
    let kept = Password::new(kept.join("\n"));
    pairs(def, text, &words(kept.expose(), 1, Manner::Plain))
}

/// The settings that the words give.
pub(super) fn pairs(def: &OptionsDef, text: &DecodedText, words: &[Token]) -> Vec<GivenSetting> {
    let mut given = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let Some(found) = meant(def, words, word, &mut at) else { continue };
        let rest = found.rest.map(|rest| rest.strip_prefix(['=', ':']).unwrap_or(rest));
        let value = match (&found.spelling, rest) {
            (Spelling::Beginning(_), Some(rest)) if super::compare::is_absolute(rest) => raw(text, rest, None),
            (Spelling::Beginning(_), Some(rest)) if found.rest != Some(rest) => raw(text, rest, None),
            // It cannot be told whether the next word is the value of such a name.
            (Spelling::Beginning(_), _) => RawValue::Unclear,
            _ => match words.get(at).filter(|next| !next.stop && !is_name(def, next)) {
                Some(next) => {
                    at += 1;
                    raw(text, next.text.expose(), run(next, words.get(at..).unwrap_or_default()))
                }
                None => RawValue::Missing,
            },
        };
        given.push(GivenSetting { setting: found.setting, spelling: found.spelling, line: word.line, value });
    }
    given
}

/// The setting that a word names. A dash that stands alone belongs to the next word.
fn meant<'w>(def: &OptionsDef, words: &'w [Token], word: &'w Token, at: &mut usize) -> Option<MatchedName<'w>> {
    let name = word.text.expose();
    if word.stop || !name.starts_with(|c| c == '-' || is_dash(c)) {
        return None;
    }
    let alone = name.chars().all(|c| c == '-' || is_dash(c));
    if let (true, Some(next)) = (alone, words.get(*at)) {
        let (setting, _) = names::exact(def, Password::new(format!("-{}", next.text.expose())).expose())?;
        *at += 1;
        return Some(MatchedName { setting, spelling: Spelling::Dash, rest: None });
    }
    let begun = names::begun(def, name);
    let password = |found: &MatchedName<'_>| {
        def.settings.get(found.setting).is_some_and(|one| one.wanted == WantedValue::Password)
    };
    // The rest of a word that begins with a password's name may be the password, however short it is. Such a word is
    // not repeated as a misspelling.
    match begun {
        Some(begun) if password(&begun) && names::exact(def, name).is_none() => Some(begun),
        begun => names::find(def, name).or(begun),
    }
}

/// Whether a word is a known name, and therefore no value.
fn is_name(def: &OptionsDef, word: &Token) -> bool {
    let name = word.text.expose();
    names::exact(def, name).is_some() || names::hyphens(name).is_some_and(|name| names::exact(def, &name).is_some())
}

/// A value with the words after it that may belong to it: the value as it would be in quotes.
fn run(value: &Token, after: &[Token]) -> Option<Password> {
    let more = after.iter().take(16).take_while(|word| !word.stop && !word.text.expose().starts_with('-'));
    let parts: Vec<&str> = std::iter::once(value).chain(more).map(|word| word.text.expose()).collect();
    (parts.len() > 1).then(|| Password::new(parts.join(" ")))
}

fn raw(text: &DecodedText, value: &str, run: Option<Password>) -> RawValue {
    if value.contains([UNKNOWN, HANDED_IN]) || text.doubts(value) {
        RawValue::Unclear
    } else {
        RawValue::Text { value: Password::new(value), run }
    }
}
