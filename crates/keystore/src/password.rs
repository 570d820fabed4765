//! A password on its way from the caller to a digest: wiped when dropped, never shown.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A store or key password.
///
/// It has no `Display` and no equality, and its `Debug` is elided, so it cannot reach a log, an error or a plan by accident.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text over; it is wiped when the value is dropped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the few callers that must hand it on. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether JCEKS (and a JDK's PKCS#12) can use it for a key: the JDK's `PBEKey` takes U+0020..=U+007E only.
    #[must_use]
    pub fn is_printable_ascii(&self) -> bool {
        self.0.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
    }

    /// The UTF-16 code units, high byte first, as the JDK's JKS and JCEKS providers digest them.
    pub(crate) fn utf16_be(&self) -> Zeroizing<Vec<u8>> {
        // Sized once: a growing vector would leave unwiped copies of the password behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len().saturating_mul(2)));
        for mut unit in self.0.encode_utf16() {
            bytes.extend_from_slice(&unit.to_be_bytes());
            unit.zeroize();
        }
        bytes
    }
}

/// How many rounds of a key derivation are run of those a file asks for: all of them. Only in a build for fuzzing a few stand
/// for many, because the thousandth round finds no defect and takes the time of a thousand inputs.
pub(crate) fn rounds_run(asked: u64) -> u64 {
    #[cfg(test)]
    ROUNDS.set(ROUNDS.get().saturating_add(asked));
    if cfg!(fuzzing) && asked > 64 { 64 } else { asked }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
thread_local! {
    /// How many rounds this thread has run: a test of what is refused before any work counts the work.
    pub(crate) static ROUNDS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::new("hunter2")), "Password(…)");
    }

    #[test]
    fn code_units_are_big_endian_and_supplementary_characters_are_two() {
        assert_eq!(*Password::new("aü😀").utf16_be(), [0, 0x61, 0, 0xfc, 0xd8, 0x3d, 0xde, 0x00]);
    }

    #[test]
    fn a_jceks_key_password_is_printable_ascii() {
        assert!(Password::new("change it~").is_printable_ascii());
        assert!(!Password::new("pässwörd").is_printable_ascii());
        assert!(!Password::new("tab\t").is_printable_ascii());
    }
}
