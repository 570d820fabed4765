//! Damage in a file of Windows.

use crate::error::{Class, ReadError};

const AGAIN: &str = "export it again on the machine it comes from";

/// Damage at this byte.
pub(super) fn corrupt(cause: impl Into<String>, at: usize) -> ReadError {
    ReadError::new(Class::Corrupt, cause, AGAIN).offset(at)
}
