//! Command lines that people are told to copy. A word that is not the program's own stands quoted for the shell it is typed in,
//! so that a name with blanks is one word and `$(…)` is text.

use std::fmt::{self, Display, Write as _};

use trustmason_keystore::is_hidden;

/// The shell that a line is typed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `sh` (POSIX.1-2024 XCU 2.2), and those that read what it reads.
    Posix,
    /// Windows PowerShell 5.1 and later (about_Quoting_Rules).
    PowerShell,
}

impl Shell {
    /// The shell of the machine this program runs on.
    pub fn here() -> Self {
        if cfg!(windows) { Self::PowerShell } else { Self::Posix }
    }

    /// A word as it is typed. What is hidden is written as an escape of the shell, so that what is read is what is there.
    pub fn quote(self, word: &str) -> String {
        let plain = |c: char| c.is_alphanumeric() && !is_hidden(c) || "_-./:+%,".contains(c);
        // PowerShell splits an unquoted word at commas; a word that begins with `-` is an option in both, quoted or not.
        if !word.is_empty() && word.chars().all(plain) && (self == Self::Posix || !word.contains(',')) {
            return word.to_owned();
        }
        let hidden = word.chars().any(is_hidden);
        match self {
            Self::Posix if hidden => dollar_single(word),
            Self::Posix => format!("'{}'", word.replace('\'', r"'\''")),
            Self::PowerShell if hidden => double(word),
            Self::PowerShell => single(word),
        }
    }
}

/// `$'…'` (POSIX.1-2024 XCU 2.2.4), bytes in octal: three digits end by themselves.
fn dollar_single(word: &str) -> String {
    let mut out = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a String cannot fail.
                    let _infallible = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// PowerShell takes the typographic quotes for quotes too, and each of them doubled for one.
fn single(word: &str) -> String {
    let mut out = "'".to_owned();
    for c in word.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// `"…"` with an expression for each hidden character: PowerShell 5.1 has no escape for them.
fn double(word: &str) -> String {
    let mut out = "\"".to_owned();
    for c in word.chars() {
        match c {
            '"' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '$' | '`' => out.extend(['`', c]),
            c if is_hidden(c) => {
                let _infallible = write!(out, "$([char]::ConvertFromUtf32({}))", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A command line: the program's own words as they are, every other word quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    line: String,
    shell: Shell,
}

impl Command {
    /// A line that begins with these words.
    pub fn new(shell: Shell, own: &'static str) -> Self {
        Self { line: own.to_owned(), shell }
    }

    /// `trustmason` and a subcommand, for the shell of this machine.
    pub fn here(own: &'static str) -> Self {
        Self::new(Shell::here(), own)
    }

    /// The line with more words of the program's own.
    #[must_use]
    pub fn own(mut self, words: &'static str) -> Self {
        self.line.push(' ');
        self.line.push_str(words);
        self
    }

    /// The line with one word from elsewhere.
    #[must_use]
    pub fn word(mut self, word: impl Display) -> Self {
        self.line.push(' ');
        self.line.push_str(&self.shell.quote(&word.to_string()));
        self
    }

    /// The line with the path of a file. One that begins with `-` would be taken for an option and gets `./` before it.
    #[must_use]
    pub fn file(self, path: impl Display) -> Self {
        let path = path.to_string();
        if path.starts_with('-') { self.word(format_args!("./{path}")) } else { self.word(path) }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
