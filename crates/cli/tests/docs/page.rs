//! A Markdown page for the documentation test: fenced blocks with their info words, links, headings and code spans.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A Markdown page.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block. `line` is the line of its opening fence.
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) info: Vec<String>,
    pub(crate) body: String,
}

impl Block {
    /// The language of the block.
    pub(crate) fn language(&self) -> &str {
        self.info.first().map_or("", String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.info.iter().any(|w| w == word)
    }

    /// The value of `name=value` in the info line.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.info.iter().find_map(|w| w.strip_prefix(name)?.strip_prefix('='))
    }
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (n, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(info), None) => {
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    open = Some(Block { line: n + 1, info, body: String::new() });
                }
                (None, Some(block)) => {
                    block.body.push_str(line);
                    block.body.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is never closed", path.display());
        Self { path: path.to_owned(), text, blocks }
    }

    /// The text `page:line` for messages.
    pub(crate) fn at(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }

    /// The text without its fenced blocks.
    pub(crate) fn prose(&self) -> String {
        let mut inside = false;
        let keep = self.text.lines().filter(|line| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        keep.collect::<Vec<_>>().join("\n")
    }

    /// Targets of inline links.
    pub(crate) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let tails = prose.split("](").skip(1);
        tails.filter_map(|tail| Some(tail.split_once(')')?.0.to_owned())).collect()
    }

    /// The anchors a Markdown viewer gives the headings.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let text = line.trim_start_matches('#').trim().to_lowercase();
                let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.collect::<String>().replace(' ', "-")
            })
            .collect()
    }

    /// Code spans of the prose, and the lines of its console blocks that are commands.
    pub(crate) fn commands(&self) -> Vec<String> {
        let prose = self.prose();
        let spans =
            prose.split('`').skip(1).step_by(2).map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
        let consoles = self.blocks.iter().filter(|b| b.language() == "console");
        let lines = consoles.flat_map(|b| b.body.lines()).filter_map(|l| l.strip_prefix("$ ").map(str::to_owned));
        spans.chain(lines).collect()
    }

    /// The rows of the page's tables, as cells.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let prose = self.prose();
        let rows = prose.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        rows.map(|row| row.split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
    }
}

/// Whether a text matches an example: `...` alone on a line matches any lines, `[..]` for any text in a line.
pub(crate) fn matches(expected: &[&str], actual: &[&str]) -> bool {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => (0..=actual.len()).any(|skip| matches(rest, &actual[skip..])),
        (Some((line, rest)), Some((found, others))) => line_matches(line, found) && matches(rest, others),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (expected.trim_end(), actual.trim_end());
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
