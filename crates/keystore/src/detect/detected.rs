//! The result of detection.

use crate::error::{ErrorClass, ReadError};
use crate::format::Format;

/// The format of a file, or the reason why it is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// One of the formats that this crate reads.
    Readable(Format),
    /// A content that is recognised, but not read.
    Refused {
        /// The name of the format, if it has one.
        format: Option<&'static str>,
        /// `Unsupported` for a store of another kind, `NotAStore` for anything else.
        class: ErrorClass,
        /// The kind of the file, in words.
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
