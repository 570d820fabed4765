//! Splits a line of arguments into words, each with its line number.

use trustmason_keystore::Password;
use zeroize::Zeroizing;

/// Stands for a part that only the running system knows. No text has this character.
pub(super) const UNKNOWN: char = '\u{ffff}';
/// Stands for a part that a batch file gets from outside when it starts.
pub(super) const HANDED_IN: char = '\u{fffe}';

/// One word.
pub(super) struct Token {
    pub(super) text: Password,
    pub(super) line: usize,
    /// Whether the word ends a command instead of being a part of it.
    pub(super) stop: bool,
}

/// How words are separated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Blanks separate words, and double quotes hold a word together.
    Plain,
    /// As `Plain`, and as cmd.exe does it: `^` takes the meaning from a character, and `& | < >` end a command.
    Cmd,
}

/// Splits a text into words. A line end is a blank. For cmd.exe, whose lines are joined already, it is nothing.
pub(super) fn words(text: &str, first: usize, manner: Manner) -> Vec<Token> {
    // Sized for the whole text: growing would leave copies of a password behind.
    let mut open = OpenToken { text: Zeroizing::new(String::with_capacity(text.len())), line: None, words: Vec::new() };
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
                open.words.push(Token { text: Password::new(c), line, stop: true });
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

/// The words so far, and a word that is not finished.
struct OpenToken {
    text: Zeroizing<String>,
    line: Option<usize>,
    words: Vec<Token>,
}

impl OpenToken {
    fn close(&mut self) {
        if let Some(line) = self.line.take() {
            self.words.push(Token { text: Password::new(self.text.as_str()), line, stop: false });
            self.text.clear();
        }
    }
}
