//! A line of arguments → words, each with its line.

use trustmason_keystore::Password;

/// What a part that only the running system knows is while a batch file is read: no text has it.
pub(super) const UNKNOWN: char = '\u{ffff}';
/// The same of what whoever starts a batch file hands in.
pub(super) const HANDED_IN: char = '\u{fffe}';

/// One word.
pub(super) struct Word {
    pub(super) text: Password,
    pub(super) line: usize,
    /// It ends a command instead of being a part of one.
    pub(super) stop: bool,
}

/// How words are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Blanks part them, double quotes hold them together.
    Plain,
    /// And what cmd.exe does: `^` takes the meaning from a sign, `& | < >` end a command.
    Cmd,
}

/// Takes a text apart; a line end is a blank, or for cmd.exe, which has joined its lines, nothing.
pub(super) fn words(text: &str, first: usize, manner: Manner) -> Vec<Word> {
    let mut words = Vec::new();
    let mut line = first;
    let mut open: Option<(String, usize)> = None;
    let mut quoted = false;
    let close = |open: &mut Option<(String, usize)>, words: &mut Vec<Word>| {
        if let Some((text, line)) = open.take() {
            words.push(Word { text: Password::new(text), line, stop: false });
        }
    };
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\n' => {
                line += 1;
                if manner == Manner::Plain {
                    quoted = false;
                    close(&mut open, &mut words);
                }
                continue;
            }
            '"' => {
                quoted = !quoted;
                // Quotes with nothing between them are a word too.
                open.get_or_insert_with(|| (String::with_capacity(text.len()), line));
                continue;
            }
            c if quoted => c,
            c if c.is_whitespace() => {
                close(&mut open, &mut words);
                continue;
            }
            '^' if manner == Manner::Cmd => match chars.next() {
                Some(next) => next,
                None => continue,
            },
            '&' | '|' | '<' | '>' if manner == Manner::Cmd => {
                close(&mut open, &mut words);
                words.push(Word { text: Password::new(c), line, stop: true });
                continue;
            }
            c => c,
        };
        // Sized once, so that growing leaves no copy of a password behind.
        open.get_or_insert_with(|| (String::with_capacity(text.len()), line)).0.push(plain);
    }
    close(&mut open, &mut words);
    words
}
