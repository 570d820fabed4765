//! Reads a Windows batch file for the arguments of its commands: notes, lines joined by `^`, and variables that the
//! file itself sets. It runs nothing.
//!
//! A variable is unknown if it is set on a condition, read from a person, cut out of another variable or given from
//! outside. A value with an unknown variable is unknown too. (Microsoft, *cmd*, *set*.)

use std::collections::BTreeMap;

use trustmason_keystore::Password;
use trustmason_spec::topology::OptionsDef;
use zeroize::Zeroizing;

use super::arguments;
use super::decode::DecodedText;
use super::given::{GivenSetting, GivenSettings, SectionLook};
use super::words::{HANDED_IN, Manner, Token, UNKNOWN, words};

/// The most bytes that all lines together may become. Without a limit, a file that doubles a variable again and again
/// would never end.
const MOST: usize = 8 * 1024 * 1024;

/// The longest value of a variable. cmd.exe itself ends at 8191 characters, so a longer value is no argument of a
/// product.
const LONGEST: usize = 8191;

/// The settings that the commands of a batch file give.
pub(super) fn read(def: &OptionsDef, text: &DecodedText) -> GivenSettings {
    let mut variables = Variables::default();
    let mut given: Vec<GivenSetting> = Vec::new();
    let mut open_ended = false;
    let whole = text.text.expose();
    let delayed = whole.to_ascii_lowercase().contains("enabledelayedexpansion");
    for (first, line) in logical(whole) {
        let line = variables.fill(line.expose(), delayed);
        let command = line.expose().trim_start_matches(|c: char| c == '@' || (c.is_whitespace() && c != '\n'));
        if is_note(command) {
            continue;
        }
        let mut all = words(command, first, Manner::Cmd);
        if starts_with_word(command, "set") {
            variables.set(command.get(3..).unwrap_or_default());
            // The rest of the line is another command.
            let rest = all.iter().position(|word| word.stop && word.text.expose() == "&").unwrap_or(all.len());
            all.drain(..rest);
        }
        variables.doubt(&all);
        for command in all.split(|word| word.stop && matches!(word.text.expose(), "&" | "|")) {
            if command.first().is_some_and(|word| is_note(word.text.expose())) {
                break;
            }
            let found = arguments::pairs(def, text, command);
            let runs_java = command.iter().any(|word| word.text.expose().to_ascii_lowercase().contains("java"));
            open_ended |= (runs_java || !found.is_empty()) && has_unknown_word(command);
            given.extend(found);
        }
    }
    GivenSettings { given, section: SectionLook::Found, open_ended }
}

/// Whether a word is nothing but an unknown variable, which may hold whole arguments. The first word is the program and
/// does not count.
fn has_unknown_word(command: &[Token]) -> bool {
    command.iter().skip(1).any(|word| {
        let text = word.text.expose();
        !text.is_empty() && text.chars().all(|c| c == UNKNOWN)
    })
}

/// Whether a command is a note: `rem`, `::` or a label.
fn is_note(command: &str) -> bool {
    command.starts_with(':') || starts_with_word(command, "rem")
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let head = text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    head && text.get(word.len()..).is_none_or(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The lines with the numbers of their first lines. A line that ends in `^` is joined with the next one; the line end
/// stays for counting.
fn logical(text: &str) -> Vec<(usize, Password)> {
    let mut lines = Vec::new();
    // Sized for the whole text: growing would leave copies of a password behind.
    let mut joined = Zeroizing::new(String::with_capacity(text.len()));
    let (mut first, mut quotes) = (1, 0);
    for (line, number) in text.split('\n').zip(1..) {
        quotes += line.matches('"').count();
        match line.strip_suffix('^').filter(|rest| quotes % 2 == 0 && !ends_escaped(rest)) {
            Some(rest) => {
                joined.push_str(rest);
                joined.push('\n');
            }
            None => {
                joined.push_str(line);
                lines.push((first, Password::new(joined.as_str())));
                joined.clear();
                (first, quotes) = (number + 1, 0);
            }
        }
    }
    lines.push((first, Password::new(joined.as_str())));
    lines
}

/// Whether the character after a text has lost its meaning: an odd number of `^` is before it.
fn ends_escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'^').count() % 2 == 1
}

/// The variables that a batch file has set so far, by upper-case name; `None` if the value is unknown.
#[derive(Default)]
struct Variables {
    known: BTreeMap<String, Option<Password>>,
    /// How many bytes the lines so far have become.
    filled: usize,
}

impl Variables {
    /// Replaces `%name%` by its value.
    fn fill(&mut self, line: &str, delayed: bool) -> Password {
        let mut out = String::with_capacity(line.len().saturating_mul(2));
        let mut rest = line;
        while let Some(open) = rest.find(if delayed { ['%', '!'] } else { ['%', '%'] }) {
            let (before, after) = rest.split_at(open);
            out.push_str(before);
            let mark = if after.starts_with('!') { '!' } else { '%' };
            let after = after.get(1..).unwrap_or_default();
            rest = match after.chars().next() {
                Some('%') if mark == '%' => {
                    out.push('%');
                    after.get(1..).unwrap_or_default()
                }
                Some(c) if mark == '%' && (c.is_ascii_digit() || matches!(c, '*' | '~')) => {
                    out.push(HANDED_IN);
                    let tail = after.trim_start_matches(|c: char| c == '~' || c.is_ascii_alphabetic());
                    let one = tail.chars().next().filter(|c| c.is_ascii_digit() || *c == '*').map_or(0, char::len_utf8);
                    tail.get(one..).unwrap_or_default()
                }
                Some(_) | None => match after.split_once(mark).filter(|(name, _)| !name.contains('\n')) {
                    Some((name, tail)) => {
                        match self.known.get(&name.to_uppercase()) {
                            Some(Some(value)) if mark == '%' => out.push_str(value.expose()),
                            Some(_) | None => out.push(UNKNOWN),
                        }
                        tail
                    }
                    None => {
                        out.push(UNKNOWN);
                        after
                    }
                },
            };
            if self.filled + out.len() > MOST {
                return Password::new(UNKNOWN);
            }
        }
        out.push_str(rest);
        self.filled += out.len();
        Password::new(out)
    }

    /// Reads the text after `set`.
    fn set(&mut self, rest: &str) {
        let rest = rest.trim_start();
        if let Some(flags) = rest.strip_prefix('/') {
            let name = flags.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_start().trim_start_matches('"');
            if let Some((name, _)) = name.split_once('=') {
                self.known.insert(name.trim().to_uppercase(), None);
            }
            return;
        }
        let quoted = rest.strip_prefix('"');
        let whole = match quoted {
            Some(inner) => Password::new(inner.rsplit_once('"').map_or(inner, |(inner, _)| inner)),
            None => plain(rest),
        };
        if let Some((name, value)) = whole.expose().split_once('=') {
            let value = Some(Password::new(value)).filter(|value| value.expose().len() <= LONGEST);
            self.known.insert(name.trim().to_uppercase(), value);
        }
    }

    /// A `set` that is not the first word depends on the command before it, so its variable is unknown.
    fn doubt(&mut self, words: &[Token]) {
        let after =
            words.iter().zip(words.iter().skip(1)).filter(|(set, _)| set.text.expose().eq_ignore_ascii_case("set"));
        for (_, word) in after {
            let name = word.text.expose().split('=').next().unwrap_or_default();
            self.known.insert(name.trim().to_uppercase(), None);
        }
    }
}

/// An unquoted value. It ends at the next command; a character after `^` stays as it is.
fn plain(rest: &str) -> Password {
    let mut out = String::with_capacity(rest.len());
    let mut quoted = false;
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '^' if !quoted => out.extend(chars.next()),
            '&' | '|' | '<' | '>' if !quoted => break,
            '\n' => {}
            c => out.push(c),
        }
    }
    Password::new(out)
}
