//! The names of hosts, stores, identities, services and rules. Each name has a type of its own, so that a store id cannot
//! be passed for an identity id. A host name has one spelling (lower case), and is never looked up in DNS.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fully qualified host name in lower case, without a final dot.
///
/// Labels have letters, digits, inner hyphens (RFC 1123 §2.1) and underscores. Addresses and wildcards are refused.
///
/// ```
/// # fn main() -> Result<(), trustmason_spec::name::NameError> {
/// use trustmason_spec::name::Fqdn;
///
/// let host = Fqdn::parse("CVP1.Acme.Example.")?;
/// assert_eq!(host, Fqdn::parse("cvp1.acme.example")?);
/// assert_eq!(host.host(), "cvp1");
/// assert!(Fqdn::parse("cvp1").is_err(), "the domain is missing");
/// # Ok(())
/// # }
/// ```
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
    /// Reads a host name in any case.
    ///
    /// # Errors
    /// The text and the reason why it is no usable host name.
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

    /// The first label: the short host name, used in the names of export files.
    pub fn host(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for Fqdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether Windows would take a file name for something else. Windows takes some names for devices, whatever follows their
/// first dot, and drops dots and blanks at the end. (Microsoft, *Naming Files, Paths, and Namespaces*.)
pub fn is_no_windows_name(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    const NUMBERED: [&str; 2] = ["COM", "LPT"];
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    // Windows also counts superscript digits as digits here.
    let unnumbered = stem.strip_suffix(|c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'));
    let is = |word: &str, devices: &[&str]| devices.iter().any(|device| word.eq_ignore_ascii_case(device));
    name.ends_with(['.', ' ']) || is(stem, &DEVICES) || unnumbered.is_some_and(|word| is(word, &NUMBERED))
}

/// The error for a name that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a usable name: {why}", if text.is_empty() { "an empty text".to_owned() } else { format!("`{text}`") })]
pub struct NameError {
    text: String,
    why: &'static str,
}

impl NameError {
    /// The reason for the refusal.
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
            /// The name within the host, as the profile gives it.
            pub name: String,
        }

        impl $name {
            /// Makes an id of a host and a name.
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
    /// The id of a store: `FQDN/STORE`.
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
