//! What detection says of a file.

use crate::error::{Class, ReadError};
use crate::format::Format;

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// One of the formats read here.
    Readable(Format),
    /// Recognised, and not read here.
    Refused {
        /// Its name, where it has one.
        format: Option<&'static str>,
        /// `Unsupported` for another kind of store, `NotAStore` for anything else.
        class: Class,
        /// What it is, and what to do about it.
        what: &'static str,
        /// One thing to try.
        hint: &'static str,
    },
}

impl Detected {
    pub(crate) fn readable(self) -> Result<Format, ReadError> {
        match self {
            Self::Readable(format) => Ok(format),
            Self::Refused { format, class, what, hint } => {
                let error = ReadError::new(class, what, hint);
                Err(match format {
                    Some(format) => error.format(format),
                    None => error,
                })
            }
        }
    }
}
