//! Estates that trustmason converged, judged by keytool, openssl and JVMs. Nothing here asks trustmason what it wants:
//! keytool builds the estate as document 003 leaves it, and a JVM compares the result with a table written from the
//! same document.

pub mod authority;
pub mod build;
pub mod cast;
pub mod craft;
#[path = "../../../../fixtures/judge/javas.rs"]
pub mod javas;
pub mod jvm;
pub mod matrix;
pub mod reference;
pub mod room;
pub mod services;
pub mod tool;

/// The lines of a list without comments and empty lines.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The verdicts of one test, so that a failure lists everything that is wrong and not only the first thing.
#[derive(Default)]
pub struct Verdicts {
    wrong: Vec<String>,
    right: usize,
}

impl Verdicts {
    /// Adds a verdict.
    pub fn that(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if holds {
            self.right += 1;
        } else {
            self.wrong.push(otherwise());
        }
    }

    /// Fails the test if any verdict was wrong.
    pub fn close(self, about: &str) {
        let (right, wrong) = (self.right, self.wrong.len());
        assert!(wrong == 0, "{about}: {wrong} of {} wrong\n  {}", right + wrong, self.wrong.join("\n  "));
        assert!(right > 0, "{about}: nothing was judged");
        eprintln!("{about}: {right} judged");
    }
}
