//! Markdown for people, in which foreign text has no meaning: a change ticket, the steps of a pack. It takes pieces of
//! text and gives a document. Foreign text never becomes markup.
//!
//! The only strings that become markup are `&'static str`: the program's own words. Every other text goes through
//! [`text`] or [`code`], so that a `format!` with a certificate's name in it does not compile. Escaped is everything
//! that CommonMark 0.31, GitHub's tables, strikethrough and extended autolinks, and the references (`@name`, `#12`) of
//! ticket systems would take for markup. Other characters stay as they are, because people also read the steps without
//! a viewer.

use std::fmt::{Display, Write as _};

use crate::shell::Command;
use crate::text::escape;

/// A piece of a line: markup of the program and inert text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inline(String);

impl From<&'static str> for Inline {
    /// Takes the program's own words as markup.
    fn from(own: &'static str) -> Self {
        Self(own.to_owned())
    }
}

impl From<usize> for Inline {
    fn from(number: usize) -> Self {
        Self(number.to_string())
    }
}

impl From<u32> for Inline {
    fn from(number: u32) -> Self {
        Self(number.to_string())
    }
}

impl From<&Command> for Inline {
    /// Takes a command line as a code span, for people to copy.
    fn from(command: &Command) -> Self {
        code(command)
    }
}

impl Inline {
    /// Joins the pieces.
    pub fn of(pieces: impl IntoIterator<Item = Self>) -> Self {
        pieces.into_iter().fold(Self::default(), Self::then)
    }

    /// Joins the pieces, with words of the program between them.
    pub fn join(pieces: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let mut pieces = pieces.into_iter();
        let first = pieces.next().unwrap_or_default();
        pieces.fold(first, |all, piece| all.then(between).then(piece))
    }

    /// Adds another piece. Two code spans that touch would become one (CommonMark §6.1), so they get a blank between
    /// them.
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        let next = next.into().0;
        if self.0.ends_with('`') && next.starts_with('`') {
            self.0.push(' ');
        }
        self.0.push_str(&next);
        self
    }

    /// Whether the piece is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Makes one line of pieces: own words as literals, all other text through [`text`] and [`code`].
#[macro_export]
macro_rules! inline {
    ($($piece:expr),* $(,)?) => { $crate::markdown::Inline::of([$($crate::markdown::Inline::from($piece)),*]) };
}

/// Foreign text in a line of prose. A word that a viewer would turn into a link or a mention becomes code.
pub fn text(foreign: impl Display) -> Inline {
    let shown = escape(&foreign.to_string());
    let mut out = String::with_capacity(shown.len());
    let last = shown.len();
    let mut at = 0_usize;
    for word in shown.split_inclusive(' ') {
        let (word, blank) = word.strip_suffix(' ').map_or((word, ""), |word| (word, " "));
        let first = at == 0;
        at = at.saturating_add(word.len()).saturating_add(blank.len());
        if is_reference(word) {
            spans(&mut out, word);
        } else {
            prose(&mut out, word, first);
        }
        if !blank.is_empty() {
            // A viewer would drop a blank at an end, break the line there, or begin a code block.
            let kept = out.is_empty() || at == last;
            out.push_str(if kept { "&#32;" } else { " " });
        }
    }
    Inline(out)
}

/// Foreign text as code: names, fingerprints, paths, command lines.
pub fn code(foreign: impl Display) -> Inline {
    let mut out = String::new();
    spans(&mut out, &escape(&foreign.to_string()));
    Inline(out)
}

/// Whether a viewer would turn a word into a link by itself.
fn is_reference(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let number = word.as_bytes().windows(2).any(|pair| matches!(pair, [b'#', digit] if digit.is_ascii_digit()));
    word.contains('@') || lower.contains("://") || lower.contains("www.") || number
}

/// Writes code spans (CommonMark §6.1). A bar would end a table's cell even inside a span, and viewers differ in how
/// they read a backslash before it. A bar is therefore written between two spans.
fn spans(out: &mut String, shown: &str) {
    for (n, piece) in shown.split('|').enumerate() {
        if n > 0 {
            out.push_str("&#124;");
        }
        // GitHub's parser accepts no fence longer than 80.
        if longest(piece, '`') > 16 {
            for (n, part) in piece.split('`').enumerate() {
                out.push_str(if n > 0 { "\\`" } else { "" });
                spans(out, part);
            }
            continue;
        }
        if piece.is_empty() {
            continue;
        }
        let fence = "`".repeat(longest(piece, '`').saturating_add(1));
        // A viewer removes one blank at each end, but none from a span that is all blanks.
        let all_blank = piece.bytes().all(|byte| byte == b' ');
        let pad = if !all_blank && (piece.starts_with(['`', ' ']) || piece.ends_with(['`', ' '])) { " " } else { "" };
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{fence}{pad}{piece}{pad}{fence}");
    }
}

/// The length of the longest run of a character.
fn longest(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// Writes one word of prose; `first` if the word may begin a line.
fn prose(out: &mut String, word: &str, first: bool) {
    let mut before = None;
    let mut rest = word.chars().peekable();
    let mut digits = first;
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        let opens = first && before.is_none();
        let marks = match c {
            '`' | '*' | '[' | ']' | '~' | '$' | '^' | '#' => true,
            // A backslash is an escape only before punctuation (CommonMark §2.4). The character after the text is not
            // known here.
            '\\' => after.is_none_or(|next| next.is_ascii_punctuation()),
            '&' => after.is_none_or(|next| next.is_ascii_alphanumeric() || next == '#'),
            // Inside a word an underscore emphasises nothing (CommonMark §6.2).
            '_' => {
                let inside = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
                !inside(before) || !inside(after)
            }
            '!' => after.is_none(),
            '-' | '+' | '=' | '>' | ':' => opens,
            '.' | ')' => digits && before.is_some_and(|b| b.is_ascii_digit()) && after.is_none(),
            // As an entity it is also safe in viewers that know HTML and little of Markdown.
            '<' => {
                out.push_str("&lt;");
                before = Some(c);
                continue;
            }
            '|' => {
                out.push_str("&#124;");
                before = Some(c);
                continue;
            }
            _ => false,
        };
        digits &= c.is_ascii_digit();
        if marks {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
}

/// The kind of a block. An empty line separates blocks of different kinds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MarkdownBlock {
    Heading,
    Paragraph,
    Items,
    Steps,
    Rows,
    Code,
}

/// A document, made block by block. An empty line separates blocks of different kinds.
#[derive(Default)]
pub struct Markdown {
    out: String,
    last: Option<MarkdownBlock>,
}

impl Markdown {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a heading of a level from 1 to 6.
    pub fn heading(&mut self, level: usize, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Heading);
        self.line(&"#".repeat(level.clamp(1, 6)), line);
    }

    /// Adds a paragraph of one line.
    pub fn paragraph(&mut self, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Paragraph);
        self.line("", line);
    }

    /// Adds an item to a list.
    pub fn item(&mut self, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Items);
        self.line("-", line);
    }

    /// Adds an item below the last item.
    pub fn sub_item(&mut self, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Items);
        self.line("  -", line);
    }

    /// Adds an item to tick off.
    pub fn task(&mut self, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Items);
        self.line("- [ ]", line);
    }

    /// Adds a step to a numbered list.
    pub fn step(&mut self, number: usize, line: impl Into<Inline>) {
        self.begin(MarkdownBlock::Steps);
        self.line(&format!("{number}."), line);
    }

    /// Begins a table; [`Self::row`] adds its rows.
    pub fn table(&mut self, columns: &[&'static str]) {
        self.begin(MarkdownBlock::Rows);
        // A table that follows another table stays a table of its own.
        self.row(columns.iter().map(|column| Inline::from(*column)));
        self.out.push('|');
        self.out.push_str(&"---|".repeat(columns.len()));
        self.out.push('\n');
    }

    /// Adds a row to the table.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Inline>) {
        self.out.push('|');
        for cell in cells {
            let _infallible = write!(self.out, " {} |", cell.0);
        }
        self.out.push('\n');
    }

    /// Adds command lines as a code block, for people to copy.
    pub fn commands<'a>(&mut self, lines: impl IntoIterator<Item = &'a Command>) {
        self.begin(MarkdownBlock::Code);
        let lines: Vec<String> = lines.into_iter().map(|line| escape(&line.to_string())).collect();
        let fence = lines.iter().map(|line| longest(line, '`').saturating_add(1)).max().unwrap_or(0).max(3);
        let fence = "`".repeat(fence);
        let _infallible = writeln!(self.out, "{fence}\n{}\n{fence}", lines.join("\n"));
    }

    /// The text of the document.
    pub fn finish(self) -> String {
        self.out
    }

    fn begin(&mut self, block: MarkdownBlock) {
        let goes_on = self.last == Some(block) && matches!(block, MarkdownBlock::Items | MarkdownBlock::Steps);
        if self.last.is_some() && !goes_on {
            self.out.push('\n');
        }
        self.last = Some(block);
    }

    fn line(&mut self, mark: &str, line: impl Into<Inline>) {
        let blank = if mark.is_empty() { "" } else { " " };
        let _infallible = writeln!(self.out, "{mark}{blank}{}", line.into().0);
    }
}
