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

/// Whether a distinguished name, as `keytool` or RFC 2253 writes it, is the subject of a public root. A name proves less
/// than a fingerprint: it serves where the root itself is not at hand.
pub fn has_subject(name: &str) -> bool {
    static SUBJECTS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let lines = LIST.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once("  ")).map(|(_, subject)| bare(subject)).collect()
    });
    SUBJECTS.contains(&bare(name))
}

/// A distinguished name without what the two notations write in different ways.
fn bare(name: &str) -> String {
    let kept = name.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\\' | '"'));
    kept.collect::<String>().to_lowercase()
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

    #[test]
    fn a_subject_is_known_in_both_notations() {
        for name in [
            "CN=ISRG Root X1, O=Internet Security Research Group, C=US",
            "CN=DigiCert TLS ECC P384 Root G5, O=\"DigiCert, Inc.\", C=US",
            r"CN=DigiCert TLS ECC P384 Root G5,O=DigiCert\, Inc.,C=US",
        ] {
            assert!(has_subject(name), "{name}");
        }
        assert!(!has_subject("CN=Acme Root CA") && !has_subject("") && !has_subject("CN=ISRG Root X1"));
    }
}
