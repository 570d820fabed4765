//! Ring 7: what keytool, openssl and JVMs say of estates that trustmason converged. Nothing in here asks trustmason what it
//! wants; the estate is built by keytool as document 003 leaves it, and judged by the JVM against a table written from the
//! same document.

pub mod authority;
pub mod build;
pub mod cast;
pub mod craft;
#[path = "../../../../fixtures/judge/javas.rs"]
pub mod javas;
pub mod jvm;
pub mod matrix;
pub mod room;
pub mod services;
pub mod tool;

/// Verdicts of one judgement, so that a failure names all that is wrong and not the first thing only.
#[derive(Default)]
pub struct Verdicts {
    wrong: Vec<String>,
    right: usize,
}

impl Verdicts {
    /// Adds one.
    pub fn that(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if holds {
            self.right += 1;
        } else {
            self.wrong.push(otherwise());
        }
    }

    /// Fails if any was wrong.
    pub fn close(self, about: &str) {
        let (right, wrong) = (self.right, self.wrong.len());
        assert!(wrong == 0, "{about}: {wrong} of {} wrong\n  {}", right + wrong, self.wrong.join("\n  "));
        assert!(right > 0, "{about}: nothing was judged");
        eprintln!("{about}: {right} judged");
    }
}
