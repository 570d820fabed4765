//! A password on its way from the caller to a digest. It takes the text, gives it to the few functions that need it,
//! and never shows it; the text is wiped when the value is dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// The password of a store or of a key.
///
/// The type has no `Display` and no equality, and its `Debug` shows no text, so a password cannot reach a log, an error
/// or a plan by accident.
///
/// ```
/// use trustmason_keystore::{Credential, Interner, Password, Store};
/// # const JKS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore/jks/mixed/store"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
///
/// let password = Password::new("changeit");
/// assert_eq!(format!("{password:?}"), "Password(…)");
///
/// let store = Store::open(JKS.to_vec(), Credential::Password(&password), &Interner::new())?;
/// assert!(store.verified(), "the password matches the digest of the file");
///
/// let wrong = Password::new("guess");
/// assert!(Store::open(JKS.to_vec(), Credential::Password(&wrong), &Interner::new()).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes ownership of the text. The text is wiped when the value is dropped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text of the password, for the few callers that must pass it on. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a JCEKS store (or a PKCS#12 file of a JDK) can use the password for a key: the JDK's `PBEKey` accepts
    /// only U+0020..=U+007E.
    #[must_use]
    pub fn is_printable_ascii(&self) -> bool {
        self.0.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
    }

    /// The UTF-16 code units of the password, high byte first, as the JDK's JKS and JCEKS providers digest them.
    pub(crate) fn utf16_be(&self) -> Zeroizing<Vec<u8>> {
        // The vector is sized once: a growing vector would leave unwiped copies of the password in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len().saturating_mul(2)));
        for mut unit in self.0.encode_utf16() {
            bytes.extend_from_slice(&unit.to_be_bytes());
            unit.zeroize();
        }
        bytes
    }
}

/// How many rounds of a key derivation are run, given the number that a file asks for: all of them. Only a build for
/// fuzzing runs at most 64, because the thousandth round finds no defect and takes the time of a thousand inputs.
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
    /// How many rounds this thread has run. A test reads it to show that a refusal came before any work.
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
