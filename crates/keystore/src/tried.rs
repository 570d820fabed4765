//! Results of trying to open protected private keys, so that a run derives each key only once. The module takes a trial
//! and a function that opens the key, and gives the result. It never stores a key or a password.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::error::KeyError;
use crate::format::Format;
use crate::key::KeyMatch;
use crate::password::Password;

/// Everything that decides whether a protected key opens: SHA-256 over the format, the protected key, its certificate
/// and the password. The digest stays in the memory of the process, as the password does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyTrial([u8; 32]);

impl KeyTrial {
    pub(crate) fn of(format: Format, sealed: &[u8], leaf: &[u8], password: &Password) -> Self {
        let mut digest = Sha256::new();
        for part in [format.as_str().as_bytes(), sealed, leaf, password.expose().as_bytes()] {
            // Each part is preceded by its length, so that two different lists of parts never have the same input.
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

/// The result of each trial. Threads may share it. Nothing iterates over it, so nothing depends on its order.
#[derive(Default)]
pub(crate) struct KeyTrials(Mutex<HashMap<KeyTrial, Result<KeyMatch, KeyError>>>);

impl KeyTrials {
    /// Gives the result of this trial, and opens the key only if the trial is new.
    pub(crate) fn once(
        &self,
        trial: KeyTrial,
        open: impl FnOnce() -> Result<KeyMatch, KeyError>,
    ) -> Result<KeyMatch, KeyError> {
        // A poisoned map still holds complete results, because each is inserted in one step.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&trial) {
            return found.clone();
        }
        // The derivation happens outside the lock. If two threads race, the first result is kept.
        let found = open();
        known().entry(trial).or_insert(found).clone()
    }
}
