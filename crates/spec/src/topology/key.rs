//! The place of a private key: its store, and the entry in that store. Nothing here reads a key.

use std::fmt;

use trustmason_keystore::{Alias, StoredAlias};

use crate::name::StoreId;

/// Tells which key of a store is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAt {
    /// The key entry with this alias in a keystore.
    Alias(Alias),
    /// The only key of a store without aliases (a pair of files).
    Only,
}

impl KeyAt {
    /// The alias of the key's entry. `None` in a store without aliases.
    #[must_use]
    pub fn alias(&self) -> Option<&Alias> {
        match self {
            Self::Alias(alias) => Some(alias),
            Self::Only => None,
        }
    }

    /// The alias under which a new key is stored.
    #[must_use]
    pub fn stored(&self) -> Option<StoredAlias> {
        self.alias().cloned().map(StoredAlias::from)
    }

    /// Whether a private key entry stored under this alias, or under none, is the key meant here.
    #[must_use]
    pub fn is_at(&self, stored: Option<&StoredAlias>) -> bool {
        match (self, stored) {
            (Self::Alias(alias), Some(stored)) => stored.folds_to(alias),
            (Self::Only, None) => true,
            (Self::Alias(_), None) | (Self::Only, Some(_)) => false,
        }
    }
}

/// The place of a private key on a host: its store, and which key of that store it is.
///
/// As text it is "the key entry `wsm_certificate` in cvp1.acme.example/keystore", or "the key of pga.acme.example/host".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPlace {
    /// The store.
    pub store: StoreId,
    /// Which key of the store.
    pub at: KeyAt,
}

impl KeyPlace {
    /// The place as a path: `cvp1.acme.example/keystore/wsm_certificate`, or the store alone if it has only one key.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.at {
            KeyAt::Alias(alias) => format!("{}/{alias}", self.store),
            KeyAt::Only => self.store.to_string(),
        }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            KeyAt::Alias(alias) => write!(f, "the key entry `{alias}` in {}", self.store),
            KeyAt::Only => write!(f, "the key of {}", self.store),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_is_found_by_its_alias_or_is_the_only_one() {
        let (entry, only) = (KeyAt::Alias("WSM".into()), KeyAt::Only);
        let stored = StoredAlias::from("Wsm");
        assert!(entry.is_at(Some(&stored)) && only.is_at(None));
        assert!(!entry.is_at(None) && !entry.is_at(Some(&"other".into())));
        assert!(!only.is_at(Some(&stored)) && !only.is_at(Some(&"".into())), "an empty alias is an alias");
        assert_ne!(KeyAt::Alias("".into()), KeyAt::Only);
    }

    #[test]
    fn a_place_is_a_sentence_and_a_path() {
        let store = StoreId::parse("cvp1.acme.example/keystore").unwrap();
        let said = |at| {
            let place = KeyPlace { store: store.clone(), at };
            (place.to_string(), place.path())
        };
        let (sentence, path) = said(KeyAt::Alias("WSM".into()));
        assert_eq!(sentence, "the key entry `wsm` in cvp1.acme.example/keystore");
        assert_eq!(path, "cvp1.acme.example/keystore/wsm");
        let (sentence, path) = said(KeyAt::Only);
        assert_eq!(sentence, "the key of cvp1.acme.example/keystore");
        assert_eq!(path, "cvp1.acme.example/keystore");
    }
}
