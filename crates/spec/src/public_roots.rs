//! The public roots: fingerprints of the certificates that Debian and the JDK ship (`specs/public-roots.txt`; the script
//! that makes the list is in the same folder). The planner never treats one of them as trustmason's own, even if the ledger
//! says so.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use trustmason_keystore::Fingerprint;

const LIST: &str = include_str!("../../../specs/public-roots.txt");

/// The fingerprints of all public roots.
pub fn all() -> &'static BTreeSet<Fingerprint> {
    static ROOTS: LazyLock<BTreeSet<Fingerprint>> = LazyLock::new(|| {
        let first_words = LIST.lines().filter_map(|line| line.split_whitespace().next());
        first_words.filter_map(|word| word.parse().ok()).collect()
    });
    &ROOTS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_line_of_the_list_is_a_fingerprint_and_a_subject() {
        let lines: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 140, "{}", lines.len());
        for line in lines {
            let (print, subject) = line.split_once("  ").unwrap();
            assert!(all().contains(&print.parse().unwrap()) && !subject.is_empty(), "{line}");
        }
        // ISRG Root X1.
        let known = "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6";
        assert!(all().contains(&known.parse().unwrap()));
        assert!(!all().contains(&Fingerprint::of(b"")));
    }
}
