//! Command lines for people to copy. It takes words and gives one line of text. Every word that is not the program's
//! own is quoted for the shell, so that a name with blanks is one word and `$(…)` is text. It runs nothing.

use std::fmt::{self, Display, Write as _};

use trustmason_keystore::is_hidden;

/// The shell in which a line is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// `sh` (POSIX.1-2024 XCU 2.2), and every shell that reads the same.
    Posix,
    /// Windows PowerShell 5.1 and later (about_Quoting_Rules).
    PowerShell,
}

impl Shell {
    /// The shell of the machine this program runs on.
    pub fn here() -> Self {
        if cfg!(windows) { Self::PowerShell } else { Self::Posix }
    }

    /// Quotes a word. A hidden character is written as an escape of the shell, so that the reader sees what is there.
    pub fn quote(self, word: &str) -> String {
        let plain = |c: char| c.is_alphanumeric() && !is_hidden(c) || "_-./:+%,".contains(c);
        // PowerShell splits an unquoted word at commas. A word that begins with `-` is an option in both shells, quoted
        // or not.
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

/// A word as `$'…'` (POSIX.1-2024 XCU 2.2.4), with bytes in octal: three digits end by themselves.
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

/// A word in single quotes. PowerShell also takes typographic quotes for quotes, and a doubled quote for one.
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

/// A word in double quotes, with an expression for each hidden character: PowerShell 5.1 has no escape for them.
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
///
/// ```
/// use trustmason_plan::shell::{Command, Shell};
///
/// let confirm = Command::new(Shell::Posix, "trustmason confirm").file("my estate.yaml").word("ads1.acme.example/cacerts");
/// assert_eq!(confirm.to_string(), "trustmason confirm 'my estate.yaml' ads1.acme.example/cacerts");
///
/// // Text from elsewhere stays text, in every shell.
/// let ack = Command::new(Shell::PowerShell, "trustmason ack").word("$(Restart-Computer)");
/// assert_eq!(ack.to_string(), "trustmason ack '$(Restart-Computer)'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    line: String,
    shell: Shell,
}

impl Command {
    /// Begins a line with these words.
    pub fn new(shell: Shell, own: &'static str) -> Self {
        Self { line: own.to_owned(), shell }
    }

    /// Begins a line with `trustmason` and a subcommand, for the shell of this machine.
    pub fn here(own: &'static str) -> Self {
        Self::new(Shell::here(), own)
    }

    /// Adds more words of the program's own.
    #[must_use]
    pub fn own(mut self, words: &'static str) -> Self {
        self.line.push(' ');
        self.line.push_str(words);
        self
    }

    /// Adds one word from elsewhere, quoted.
    #[must_use]
    pub fn word(mut self, word: impl Display) -> Self {
        self.line.push(' ');
        self.line.push_str(&self.shell.quote(&word.to_string()));
        self
    }

    /// Adds the path of a file, quoted. A path that begins with `-` would be taken for an option, so it gets `./`
    /// before it.
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
