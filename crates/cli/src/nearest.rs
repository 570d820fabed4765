//! Finds the known word that a mistyped word probably means.

/// The known word most similar to a text, if it is similar enough to suggest. A text that equals the first part of a known
/// word, up to a dot or slash, counts as equal.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    known
        .map(|word| {
            let lower = word.to_lowercase();
            let likeness = strsim::jaro_winkler(&text, &lower);
            let begins = !text.is_empty() && lower.split(['.', '/']).next() == Some(text.as_str());
            (if begins { 1.0 } else { likeness }, word)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_and_far() {
        let hosts = ["cvp1.acme.example", "cvp2.acme.example", "adsa.acme.example"];
        assert_eq!(nearest("cpv1.acme.example", hosts.into_iter()), Some("cvp1.acme.example"));
        assert_eq!(nearest("adsa", hosts.into_iter()), Some("adsa.acme.example"));
        assert_eq!(nearest("zzz", hosts.into_iter()), None);
    }
}
