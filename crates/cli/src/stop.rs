//! The early end of a command: the facts for its exit code, and the message.

use trustmason_spec::Faults;

use crate::console::Console;
use crate::exit::ExitFacts;
use crate::view::named;

/// An early end of a command.
#[derive(Debug)]
pub(crate) struct Stop {
    facts: ExitFacts,
    words: StopMessage,
}

#[derive(Debug)]
enum StopMessage {
    /// One message.
    Message(String),
    /// Faults of a file, each with its place.
    Faults(Faults),
}

impl Stop {
    /// Nothing was done. The message says why.
    pub(crate) fn refused(message: impl std::fmt::Display) -> Self {
        Self { facts: ExitFacts::REFUSED, words: StopMessage::Message(named(message)) }
    }

    /// Nothing was done because of this error.
    pub(crate) fn because(error: impl std::error::Error) -> Self {
        Self::refused(error)
    }

    /// The saved plan no longer holds, so nothing was done.
    pub(crate) fn outdated(message: impl Into<String>) -> Self {
        Self { facts: ExitFacts::OUTDATED, words: StopMessage::Message(message.into()) }
    }

    /// Prints the message, and gives the facts for the exit code.
    pub(crate) fn say(self, console: Console) -> ExitFacts {
        match self.words {
            StopMessage::Message(message) => console.error(&message),
            StopMessage::Faults(faults) => {
                for fault in &faults {
                    console.fault(fault);
                }
                let n = faults.len();
                let noun = if n == 1 { "error" } else { "errors" };
                console.error(&format!("{n} {noun} in the spec; nothing was done"));
            }
        }
        self.facts
    }
}

impl From<Faults> for Stop {
    fn from(faults: Faults) -> Self {
        Self { facts: ExitFacts::REFUSED, words: StopMessage::Faults(faults) }
    }
}
