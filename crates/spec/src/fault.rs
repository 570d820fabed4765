//! Faults of a file. A fault has the file, line and column, the cause and one hint, and is shown as the line with a caret
//! below the place. A line that may hold a secret is never shown, and a message about it repeats none of its text.

use std::fmt;
use std::sync::Arc;

use crate::redaction::Redaction;

/// A place in a file. Line and column count from 1. Column and length are in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The number of characters that are marked (at least 1).
    pub length: usize,
}

/// A value and the place where it was written.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The place where the value was written.
    pub place: Span,
}

impl<T> At<T> {
    /// Makes a value with its place.
    pub fn new(value: T, place: Span) -> Self {
        Self { value, place }
    }
}

/// Whether a fault stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultSeverity {
    /// Nothing is done until the fault is repaired.
    Error,
    /// Deserves a look. The work goes on.
    Warning,
}

impl fmt::Display for FaultSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One fault of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether the fault stops the work.
    pub severity: FaultSeverity,
    /// The file's name as the caller gave it.
    pub file: String,
    /// The place in the file.
    pub place: Span,
    /// The text of the line. `None` if the line may hold a secret.
    pub text: Option<String>,
    /// The cause, one sentence without a full stop.
    pub message: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
    /// One thing to try.
    pub hint: Option<String>,
}

impl Fault {
    /// Adds the name that was probably meant.
    #[must_use]
    pub fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    /// Adds one thing to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.place.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{}: {}", self.severity, self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.file, self.place.line, self.place.column)?;
        writeln!(f, "{margin} |")?;
        let aside = self.suggestion.as_ref().map(|s| format!(" did you mean `{s}`?")).unwrap_or_default();
        if let Some(text) = &self.text {
            let (shown, before, carets) = window(text, self.place);
            writeln!(f, "{number} | {shown}")?;
            writeln!(f, "{margin} | {}{}{aside}", " ".repeat(before), "^".repeat(carets))?;
        } else {
            writeln!(f, "{number} | (line withheld: it may hold a secret)")?;
            if !aside.is_empty() {
                writeln!(f, "{margin} |{aside}")?;
            }
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "{margin} = help: {hint}")?;
        }
        Ok(())
    }
}

/// The largest number of characters of a line that are shown.
const WIDTH: usize = 140;

/// The part of a line around a place, the number of characters before the carets, and the number of carets.
fn window(text: &str, place: Span) -> (String, usize, usize) {
    let chars: Vec<char> = text.chars().map(|c| if c == '\t' || c.is_control() { ' ' } else { c }).collect();
    let column = place.column.saturating_sub(1).min(chars.len());
    let start = if chars.len() > WIDTH { column.saturating_sub(WIDTH / 3) } else { 0 };
    let shown: String = chars.iter().skip(start).take(WIDTH).collect();
    let room = chars.len().min(start.saturating_add(WIDTH)).saturating_sub(column).max(1);
    let (lead, cut) = if start > 0 { ("…", 1) } else { ("", 0) };
    (format!("{lead}{}", shown.trim_end()), column - start + cut, place.length.clamp(1, room))
}

/// A list of faults.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Faults {
    all: Vec<Fault>,
}

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: Fault) {
        self.all.push(fault);
    }

    /// Adds several faults.
    pub(crate) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.all.extend(faults);
    }

    /// Adds all faults of another list.
    pub fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number of faults.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The faults in the order of the list.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.all.iter()
    }

    /// Sorts the faults by file and place, and drops repeated ones.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.all.sort_by(|a, b| (&a.file, a.place, &a.message).cmp(&(&b.file, b.place, &b.message)));
        self.all.dedup();
        self
    }

    /// Gives the value if the list is empty, else the faults in order.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self.sorted()) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { all: vec![fault] }
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.all.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The name and text of a file, kept so that a fault found late can still show its line. `Debug` shows the name only,
/// because the text may hold secrets.
#[derive(Clone)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    redaction: Arc<Redaction>,
}

impl SourceText {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into(), redaction: Arc::new(Redaction::over(text)) }
    }

    /// The file's name as the caller gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a line may hold a secret.
    pub(crate) fn is_redacted(&self, line: usize) -> bool {
        self.redaction.covers(line)
    }

    pub(crate) fn error(&self, place: Span, message: impl Into<String>) -> Fault {
        self.fault(FaultSeverity::Error, place, message.into())
    }

    pub(crate) fn warning(&self, place: Span, message: impl Into<String>) -> Fault {
        self.fault(FaultSeverity::Warning, place, message.into())
    }

    fn fault(&self, severity: FaultSeverity, place: Span, message: String) -> Fault {
        // Messages put the written text in backticks. An empty text would show as two backticks, so words replace it.
        let message = message.replace("``", "an empty text");
        let text = if self.is_redacted(place.line) { None } else { Some(self.line(place.line).to_owned()) };
        Fault { severity, file: self.name.to_string(), place, text, message, suggestion: None, hint: None }
    }

    fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number.saturating_sub(1)).unwrap_or_default()
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

/// The candidate most similar to the written word, if it is similar enough to be meant.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = written.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&folded, &c.to_ascii_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.len().max(written.len()) / 3).max(1) && *distance < written.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c.to_owned())
}
