//! Names of entries, as a JVM compares them.

use std::borrow::Cow;

/// An alias as a JVM looks it up: `String.toLowerCase(Locale.ENGLISH)`.
#[must_use]
pub fn fold_alias(alias: &str) -> Cow<'_, str> {
    let folded_already = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if alias.bytes().all(folded_already) { Cow::Borrowed(alias) } else { Cow::Owned(alias.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_javas() {
        assert_eq!(fold_alias("MyRootCA"), "myrootca");
        assert_eq!(fold_alias("ÄÖ"), "äö");
        assert!(matches!(fold_alias("a-b_1"), Cow::Borrowed(_)));
    }
}
