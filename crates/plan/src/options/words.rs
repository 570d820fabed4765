//! A line of arguments → words, each with its line.

use trustmason_keystore::Password;
use zeroize::Zeroizing;

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
    // Room for all of it from the start: growing would leave copies of a password behind.
    let mut open = Open { text: Zeroizing::new(String::with_capacity(text.len())), line: None, words: Vec::new() };
    let mut line = first;
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\n' => {
                line += 1;
                if manner == Manner::Plain {
                    quoted = false;
                    open.close();
                }
                continue;
            }
            '"' => {
                quoted = !quoted;
                // Quotes with nothing between them are a word too.
                open.line.get_or_insert(line);
                continue;
            }
            c if quoted => c,
            c if c.is_whitespace() => {
                open.close();
                continue;
            }
            '^' if manner == Manner::Cmd => match chars.next() {
                Some(next) => next,
                None => continue,
            },
            '&' | '|' | '<' | '>' if manner == Manner::Cmd => {
                open.close();
                open.words.push(Word { text: Password::new(c), line, stop: true });
                continue;
            }
            c => c,
        };
        open.line.get_or_insert(line);
        open.text.push(plain);
    }
    open.close();
    open.words
}

/// The words so far, and one that is not over yet.
struct Open {
    text: Zeroizing<String>,
    line: Option<usize>,
    words: Vec<Word>,
}

impl Open {
    fn close(&mut self) {
        if let Some(line) = self.line.take() {
            self.words.push(Word { text: Password::new(self.text.as_str()), line, stop: false });
            self.text.clear();
        }
    }
}
