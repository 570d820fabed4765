//! Older aliases of an edge: those that older documents gave its certificate, and the beginnings of those that another tool
//! gave it. This module compares aliases; it never says whether an entry is renamed.

use std::fmt;

use trustmason_keystore::Alias;

/// An alias under which the certificate of an edge may be found in place of the edge's own alias.
///
/// ```
/// use trustmason_keystore::Alias;
/// use trustmason_spec::topology::OlderAlias;
///
/// let document = OlderAlias::of("AW_cert");
/// let tool = OlderAlias::of("Util-*");
/// let found = Alias::of("util-adsa.acme.example-443");
/// assert_eq!((document.is_exactly(&found), tool.is_exactly(&found)), (false, false));
/// assert_eq!((document.begins(&found), tool.begins(&found)), (false, true));
/// assert_eq!(tool.to_string(), "util-*");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OlderAlias {
    /// The alias that an older document gave the certificate. It is the edge's whatever certificate of the subject it holds.
    Exact(Alias),
    /// The beginning of the aliases of another tool. An entry under such an alias counts only if it holds exactly the
    /// certificate that the edge asks for.
    Prefix(AliasPrefix),
}

/// The beginning of aliases: folded as aliases are, and never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AliasPrefix(Alias);

impl OlderAlias {
    /// Reads an alias, or the beginning of aliases if the text ends with `*`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.strip_suffix('*').filter(|beginning| !beginning.is_empty()) {
            Some(beginning) => Self::Prefix(AliasPrefix(Alias::of(beginning))),
            None => Self::Exact(Alias::of(text)),
        }
    }

    /// The alias, unless this is only the beginning of aliases.
    #[must_use]
    pub fn exact(&self) -> Option<&Alias> {
        match self {
            Self::Exact(alias) => Some(alias),
            Self::Prefix(_) => None,
        }
    }

    /// Whether this is exactly that alias.
    #[must_use]
    pub fn is_exactly(&self, alias: &Alias) -> bool {
        self.exact() == Some(alias)
    }

    /// Whether this is the beginning of that alias.
    #[must_use]
    pub fn begins(&self, alias: &Alias) -> bool {
        match self {
            Self::Exact(_) => false,
            Self::Prefix(AliasPrefix(beginning)) => alias.as_str().starts_with(beginning.as_str()),
        }
    }
}

impl fmt::Display for OlderAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(alias) => alias.fmt(f),
            Self::Prefix(AliasPrefix(beginning)) => write!(f, "{beginning}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_makes_a_beginning_and_anywhere_else_it_is_a_character() {
        for plain in ["aw_cert", "*.acme.example", "a*b", "*"] {
            assert_eq!(OlderAlias::of(plain), OlderAlias::Exact(Alias::of(plain)));
        }
        let beginning = OlderAlias::of("UTIL-*");
        assert!(beginning.begins(&Alias::of("Util-RootCA-for-x")) && beginning.begins(&Alias::of("util-")));
        assert!(!beginning.begins(&Alias::of("xutil-1")) && !beginning.begins(&Alias::of("util")));
    }
}
