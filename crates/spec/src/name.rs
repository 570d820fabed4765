//! The names everything else is addressed by. Each is a type, so that a store id cannot be passed where an identity
//! id is meant, and each has one spelling (lower case where the field treats case as noise).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fully qualified host name, lower case, without a trailing dot (RFC 1123 §2.1: labels of letters, digits and hyphens).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fqdn(String);

impl TryFrom<String> for Fqdn {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Fqdn> for String {
    fn from(name: Fqdn) -> Self {
        name.0
    }
}

impl Fqdn {
    /// Reads a host name in any case. Errors say what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let lower = text.trim_end_matches('.').to_ascii_lowercase();
        if lower.is_empty() || lower.len() > 253 {
            return Err(NameError::new(text, "a host name has 1 to 253 characters"));
        }
        if !lower.contains('.') {
            return Err(NameError::new(text, "a fully qualified name has at least one dot"));
        }
        if lower.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err(NameError::new(text, "an address is not a name; certificates name hosts"));
        }
        if lower.contains('*') {
            return Err(NameError::new(
                text,
                "a wildcard does not count as the name of a host, because its key can be used for any of these hosts",
            ));
        }
        for label in lower.split('.') {
            let bad = label.is_empty()
                || label.len() > 63
                || label.starts_with('-')
                || label.ends_with('-')
                || !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if bad {
                return Err(NameError::new(text, "each label is 1 to 63 letters, digits or inner hyphens"));
            }
        }
        Ok(Self(lower))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label: the short host name that export files are named after.
    pub fn host(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Fqdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether Windows takes a file name for something else: for a device, whatever follows a dot, or for the name without the dots
/// and blanks at its end. (Microsoft, *Naming Files, Paths, and Namespaces*.)
pub fn is_no_windows_name(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    const NUMBERED: [&str; 2] = ["COM", "LPT"];
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    // Superscript digits count as digits there.
    let unnumbered = stem.strip_suffix(|c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'));
    let is = |word: &str, devices: &[&str]| devices.iter().any(|device| word.eq_ignore_ascii_case(device));
    name.ends_with(['.', ' ']) || is(stem, &DEVICES) || unnumbered.is_some_and(|word| is(word, &NUMBERED))
}

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a usable name: {why}", if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") })]
pub struct NameError {
    text: String,
    why: &'static str,
}

impl NameError {
    /// What is wrong with it.
    pub(crate) fn why(&self) -> &'static str {
        self.why
    }

    pub(crate) fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.to_owned(), why }
    }
}

macro_rules! host_scoped {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// The host it belongs to.
            pub host: Fqdn,
            /// Its name within that host, as the profile gives it.
            pub name: String,
        }

        impl $name {
            /// Puts an id together.
            pub fn new(host: Fqdn, name: impl Into<String>) -> Self {
                Self { host, name: name.into() }
            }

            /// Reads `FQDN/NAME`.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let (host, name) = text
                    .split_once('/')
                    .ok_or_else(|| NameError::new(text, "write it as FQDN/NAME"))?;
                if name.is_empty() {
                    return Err(NameError::new(text, "write it as FQDN/NAME"));
                }
                Ok(Self::new(Fqdn::parse(host)?, name))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", self.host, self.name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

host_scoped! {
    /// A store: `FQDN/STORE`.
    StoreId
}
host_scoped! {
    /// A certificate identity of a host: `FQDN/IDENTITY`.
    IdentityId
}
host_scoped! {
    /// A service that is restarted: `FQDN/SERVICE`.
    ServiceId
}

/// A rule of a profile, `PROFILE/RULE`, or `spec/trust/N` for the N-th entry of the estate's own `trust:` list (from 1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(String);

impl RuleId {
    /// Puts an id together.
    pub fn new(profile: &str, rule: &str) -> Self {
        Self(format!("{profile}/{rule}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
