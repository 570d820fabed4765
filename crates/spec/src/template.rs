//! Replaces `{name}` in paths, aliases, file names and steps. The caller supplies the values.

/// The variables that an alias may use.
pub(crate) const ALIAS: [&str; 3] = ["fqdn", "host", "identity"];

/// The variables that the alias of an identity's key may use.
pub(crate) const KEY_ALIAS: [&str; 2] = ["fqdn", "host"];

/// The variables that a common name may use.
pub(crate) const COMMON_NAME: [&str; 2] = ["fqdn", "host"];

/// Fills in a text. The error names the unknown variable, or says that a brace is never closed.
pub(crate) fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find('}') else {
            return Err(format!("`{text}` has a brace that is never closed"));
        };
        let name = after.get(1..close).unwrap_or_default();
        let filled = value(name).ok_or_else(|| format!("`{text}` uses {{{name}}}, which has no value here"))?;
        out.push_str(&filled);
        rest = after.get(close + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(out)
}

/// Checks that a text uses these variables only.
pub(crate) fn check(text: &str, known: &[&str]) -> Result<(), String> {
    fill(text, &|name| known.contains(&name).then(String::new)).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fills_what_it_knows_and_names_what_it_does_not() {
        let value = |name: &str| (name == "fqdn").then(|| "a.b".to_owned());
        assert_eq!(fill("{fqdn}_iis", &value).unwrap(), "a.b_iis");
        assert_eq!(fill("plain", &value).unwrap(), "plain");
        assert!(fill("{fqnd}", &value).unwrap_err().contains("{fqnd}"));
        assert!(fill("{fqdn", &value).unwrap_err().contains("never closed"));
    }
}
