//! The error for damage in a Windows file. The module takes a cause and an offset; it never names the format, which
//! `windows` adds.

use crate::error::{ErrorClass, ReadError};

const AGAIN: &str = "export it again on the machine it comes from";

/// The error for damage at this byte.
pub(super) fn corrupt(cause: impl Into<String>, at: usize) -> ReadError {
    ReadError::new(ErrorClass::Corrupt, cause, AGAIN).offset(at)
}
