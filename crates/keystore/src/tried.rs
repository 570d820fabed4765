//! Private keys that a run has tried to open, so that none is derived twice.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::error::KeyError;
use crate::format::Format;
use crate::key::KeyMatch;
use crate::password::Password;

/// Everything that decides whether a protected key opens: SHA-256 over the format, the protected key, its certificate and the
/// password. It stays in the memory of the process, as the password does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Trial([u8; 32]);

impl Trial {
    pub(crate) fn of(format: Format, sealed: &[u8], leaf: &[u8], password: &Password) -> Self {
        let mut digest = Sha256::new();
        for part in [format.as_str().as_bytes(), sealed, leaf, password.expose().as_bytes()] {
            // With its length, so that no two lists of parts have one digest.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

/// What came of each trial. Shareable between threads; never iterated, so nothing depends on its order.
#[derive(Default)]
pub(crate) struct Tried(Mutex<HashMap<Trial, Result<KeyMatch, KeyError>>>);

impl Tried {
    /// What came of this trial, or comes of it now.
    pub(crate) fn once(
        &self,
        trial: Trial,
        open: impl FnOnce() -> Result<KeyMatch, KeyError>,
    ) -> Result<KeyMatch, KeyError> {
        // A poisoned map still holds whole answers: they are inserted in one step.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&trial) {
            return found.clone();
        }
        // Derived outside the lock; if two threads race, the first to come back wins.
        let found = open();
        known().entry(trial).or_insert(found).clone()
    }
}
