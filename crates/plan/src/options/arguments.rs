//! Reads `-name value -name value`: the arguments of an application object, and those of the commands of a batch file.

use trustmason_keystore::Password;
use trustmason_spec::topology::{OptionsDef, Wanted};

use super::decode::Text;
use super::given::{Given, Raw, Spelling};
use super::names::{self, Found, is_dash};
use super::words::{HANDED_IN, Manner, UNKNOWN, Word, words};

/// The settings that a text of arguments gives. A line that begins with `#` is a note.
pub(super) fn read(def: &OptionsDef, text: &Text) -> Vec<Given> {
    let kept: Vec<&str> =
        text.text.expose().split('\n').map(|line| if line.trim_start().starts_with('#') { "" } else { line }).collect();
    let kept = Password::new(kept.join("\n"));
    pairs(def, text, &words(kept.expose(), 1, Manner::Plain))
}

/// The settings that the words give.
pub(super) fn pairs(def: &OptionsDef, text: &Text, words: &[Word]) -> Vec<Given> {
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
            (Spelling::Beginning(_), _) => Raw::Unclear,
            _ => match words.get(at).filter(|next| !next.stop && !is_name(def, next)) {
                Some(next) => {
                    at += 1;
                    raw(text, next.text.expose(), run(next, words.get(at..).unwrap_or_default()))
                }
                None => Raw::Missing,
            },
        };
        given.push(Given { setting: found.setting, spelling: found.spelling, line: word.line, value });
    }
    given
}

/// The setting that a word names. A dash that stands alone belongs to the next word.
fn meant<'w>(def: &OptionsDef, words: &'w [Word], word: &'w Word, at: &mut usize) -> Option<Found<'w>> {
    let name = word.text.expose();
    if word.stop || !name.starts_with(|c| c == '-' || is_dash(c)) {
        return None;
    }
    let alone = name.chars().all(|c| c == '-' || is_dash(c));
    if let (true, Some(next)) = (alone, words.get(*at)) {
        let (setting, _) = names::exact(def, Password::new(format!("-{}", next.text.expose())).expose())?;
        *at += 1;
        return Some(Found { setting, spelling: Spelling::Dash, rest: None });
    }
    let begun = names::begun(def, name);
    let password =
        |found: &Found<'_>| def.settings.get(found.setting).is_some_and(|one| one.wanted == Wanted::Password);
    // The rest of a word that begins with a password's name may be the password, however short it is. Such a word is
    // not repeated as a misspelling.
    match begun {
        Some(begun) if password(&begun) && names::exact(def, name).is_none() => Some(begun),
        begun => names::find(def, name).or(begun),
    }
}

/// Whether a word is a known name, and therefore no value.
fn is_name(def: &OptionsDef, word: &Word) -> bool {
    let name = word.text.expose();
    names::exact(def, name).is_some() || names::hyphens(name).is_some_and(|name| names::exact(def, &name).is_some())
}

/// A value with the words after it that may belong to it: the value as it would be in quotes.
fn run(value: &Word, after: &[Word]) -> Option<Password> {
    let more = after.iter().take(16).take_while(|word| !word.stop && !word.text.expose().starts_with('-'));
    let parts: Vec<&str> = std::iter::once(value).chain(more).map(|word| word.text.expose()).collect();
    (parts.len() > 1).then(|| Password::new(parts.join(" ")))
}

fn raw(text: &Text, value: &str, run: Option<Password>) -> Raw {
    if value.contains([UNKNOWN, HANDED_IN]) || text.doubts(value) {
        Raw::Unclear
    } else {
        Raw::Text { value: Password::new(value), run }
    }
}
