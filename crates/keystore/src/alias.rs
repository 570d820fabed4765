//! Aliases of entries: [`Alias`] is an alias as a JVM looks it up, [`StoredAlias`] is an alias as a file holds it. This
//! module folds and compares aliases; it never decides whether a store may hold one.
//!
//! The JDK folds an alias before it compares: `convertAlias` of `sun.security.provider.JavaKeyStore.JKS` is
//! `alias.toLowerCase(Locale.ENGLISH)`, and `com.sun.crypto.provider.JceKeyStore` and
//! `sun.security.pkcs12.PKCS12KeyStore` do the same in each of their methods. An alias in a file need not be folded,
//! because another program may have written the file. A JVM lists an entry with such an alias in a JKS, but never finds
//! the entry by name. For this reason there are two types: a caller asks for an [`Alias`], and a reader finds a
//! [`StoredAlias`].
//!
//! Both may be empty: a JKS may hold an entry whose alias is the empty string, and a caller must be able to find,
//! rename and remove that entry. Only a *new* alias may not be empty: an edit that would write one is refused
//! ([`EditError::BadAlias`](crate::EditError::BadAlias)). In lists and messages such an entry would have no visible
//! name.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Folds an alias as a JVM does when it looks the alias up: `String.toLowerCase(Locale.ENGLISH)`.
pub(crate) fn fold_alias(alias: &str) -> Cow<'_, str> {
    let folded_already = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if alias.bytes().all(folded_already) { Cow::Borrowed(alias) } else { Cow::Owned(alias.to_lowercase()) }
}

/// An alias for looking up an entry or for writing a new one. The text is folded, so two aliases are equal exactly
/// where a JVM takes them for the same alias.
///
/// ```
/// use trustmason_keystore::{Alias, StoredAlias};
///
/// let asked = Alias::of("My-Root-CA");
/// assert_eq!(asked.as_str(), "my-root-ca");
/// assert_eq!(asked, Alias::of("MY-ROOT-ca"));
///
/// // A file may hold another spelling.
/// let stored = StoredAlias::from("My-Root-CA");
/// assert!(stored.folds_to(&asked));
/// assert!(!stored.is_spelled(&asked), "a JVM lists this entry of a JKS, but cannot look it up");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(String);

impl Alias {
    /// Folds this spelling of an alias.
    #[must_use]
    pub fn of(spelling: &str) -> Self {
        Self(fold_alias(spelling).into_owned())
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the alias is the empty string. No new entry may be written under an empty alias.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Alias {
    fn from(spelling: &str) -> Self {
        Self::of(spelling)
    }
}

impl From<String> for Alias {
    fn from(spelling: String) -> Self {
        match fold_alias(&spelling) {
            Cow::Owned(folded) => Self(folded),
            Cow::Borrowed(_) => Self(spelling),
        }
    }
}

impl Borrow<str> for Alias {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// An alias exactly as a file holds it; in a folder of files, the name of the file. Two stored aliases are equal only
/// if they are spelled alike. [`StoredAlias::fold`] gives what a JVM compares.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredAlias(String);

impl StoredAlias {
    /// The text as the file holds it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The alias under which a JVM looks the entry up.
    #[must_use]
    pub fn fold(&self) -> Alias {
        Alias::of(&self.0)
    }

    /// Whether the stored spelling is exactly the folded one, so that a JVM finds the entry by this alias.
    #[must_use]
    pub fn is_spelled(&self, alias: &Alias) -> bool {
        self.0 == alias.0
    }

    /// Whether a JVM takes the stored alias for this one, whatever its spelling.
    #[must_use]
    pub fn folds_to(&self, alias: &Alias) -> bool {
        fold_alias(&self.0) == alias.0
    }
}

impl From<&str> for StoredAlias {
    fn from(stored: &str) -> Self {
        Self(stored.to_owned())
    }
}

impl From<String> for StoredAlias {
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

/// An entry that is written under an alias is stored under the folded text.
impl From<Alias> for StoredAlias {
    fn from(written: Alias) -> Self {
        Self(written.0)
    }
}

impl From<StoredAlias> for String {
    fn from(stored: StoredAlias) -> Self {
        stored.0
    }
}

/// Gives the stored text to code that shows it or compares its spelling.
impl Deref for StoredAlias {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoredAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StoredAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folding_is_javas() {
        assert_eq!(fold_alias("MyRootCA"), "myrootca");
        assert_eq!(fold_alias("ÄÖ"), "äö");
        assert!(matches!(fold_alias("a-b_1"), Cow::Borrowed(_)));
    }

    #[test]
    fn spellings_of_one_alias_are_one_key() {
        let held = HashMap::from([(Alias::of("Root-CA"), 1)]);
        assert_eq!(held.get(&Alias::of("ROOT-ca")), Some(&1));
        assert_eq!(held.get("root-ca"), Some(&1));
        assert_eq!(held.get("Root-CA"), None, "a text is looked up as it is");
        assert_ne!(StoredAlias::from("Root-CA"), StoredAlias::from("root-ca"));
        assert!(StoredAlias::from("").folds_to(&Alias::of("")) && StoredAlias::from("").fold().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn folding_once_is_enough(text in any::<String>()) {
            let alias = Alias::of(&text);
            prop_assert_eq!(&Alias::of(alias.as_str()), &alias);
            prop_assert_eq!(&Alias::from(text.clone()), &alias);
            prop_assert_eq!(alias.to_string(), fold_alias(&text));
        }

        /// An alias finds what is stored under any spelling of it, and nothing else.
        #[test]
        fn a_stored_alias_folds_to_its_alias_alone(one in "[a-cA-CäÄßİΣσς0 ]{0,4}", other in "[a-cA-CäÄßİΣσς0 ]{0,4}") {
            let (stored, alias) = (StoredAlias::from(one.as_str()), Alias::of(&other));
            prop_assert_eq!(stored.folds_to(&alias), stored.fold() == alias);
            prop_assert_eq!(stored.folds_to(&alias), fold_alias(&one) == fold_alias(&other));
            prop_assert!(stored.folds_to(&stored.fold()));
            prop_assert_eq!((stored.as_str(), stored.to_string()), (one.as_str(), one.clone()));
        }
    }
}
