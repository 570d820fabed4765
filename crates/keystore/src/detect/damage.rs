//! Certificates and stores that a mail program, a word processor, a text filter or a build has damaged. The module
//! takes bytes and names the damage and its remedy. It never undoes the damage, because the product that reads the file
//! would not undo it either.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::detected::Detected;
use crate::error::ErrorClass;
use crate::text::is_unseen;

const AGAIN: &str = "export the certificate again as Base-64 (.cer), or send the file in an archive";
const BINARY: &str = "take the original, and copy it as a binary file (no text mode, no filter)";
/// How many bytes of a file are examined.
const HEAD: usize = 4096;

const fn ruined(what: &'static str, hint: &'static str) -> Option<Detected> {
    Some(Detected::Refused { format: None, class: ErrorClass::NotAStore, what, hint })
}

/// Whether a character looks like a hyphen but is none: U+2010 to U+2015, the minus sign, small and full-width hyphens,
/// and the soft hyphen.
fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '\u{ad}')
}

/// The beginning of a file as text, if it is text in UTF-8.
fn head(bytes: &[u8]) -> Option<&str> {
    let head = bytes.get(..bytes.len().min(HEAD))?;
    match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The last character may be cut off.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(head.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
}

/// A binary file that a program treated as text: each byte above 127 became U+FFFD, or two bytes.
pub(super) fn binary_as_text(bytes: &[u8]) -> Option<Detected> {
    let begins = match bytes {
        [0xef, 0xbf, 0xbd, ..] | [0xc3, 0xbe, 0xc3, 0xad, ..] | [0xc3, 0x8e, 0xc3, 0x8e, ..] => true,
        [0x30, rest @ ..] => {
            rest.starts_with(&[0xef, 0xbf, 0xbd]) || rest.starts_with(&[0xc2]) || rest.starts_with(&[0xe2])
        }
        _ => false,
    };
    let text = head(bytes).filter(|text| begins && text.chars().any(|c| c.is_control() && !c.is_whitespace()))?;
    if text.contains('\u{fffd}') {
        return ruined(
            "a text filter changed this binary file: each byte that is not UTF-8 text was replaced by U+FFFD (EF BF BD) and is lost",
            BINARY,
        );
    }
    ruined("this binary file was encoded as UTF-8 text: each byte above 127 became two or three bytes", BINARY)
}

/// The first carriage return of a binary file in which one precedes each line feed. No binary file of some size has
/// this by chance.
pub(crate) fn crlf_only(bytes: &[u8]) -> Option<usize> {
    let feeds = bytes.iter().filter(|byte| **byte == b'\n').count();
    let pairs = bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
    let first = bytes.windows(2).position(|pair| pair == b"\r\n");
    first.filter(|_| feeds >= 2 && feeds == pairs)
}

/// Whether a text mentions a PEM block.
fn is_marked(lower: &str) -> bool {
    lower.contains("begin") && ["certificate", "private key", "pkcs7", "x509"].iter().any(|label| lower.contains(label))
}

/// Damage to a text that was PEM.
pub(super) fn text(bytes: &[u8]) -> Option<Detected> {
    let text = head(bytes)?;
    let lower = text.to_ascii_lowercase();
    if !is_marked(&lower) {
        return None;
    }
    if lower.contains("begin%20") || lower.contains("begin+") || lower.contains("%0a") {
        return ruined(
            "this is PEM in percent-encoding (%20, %2B, %0A), as in a web address",
            "decode it, or export it again",
        );
    }
    if text.contains(is_dash) {
        return ruined(
            "the dashes of its BEGIN line are typographic ones, as word processors and mail programs make them, not hyphens",
            AGAIN,
        );
    }
    if text.contains(is_unseen) {
        return ruined("its BEGIN line holds a no-break space (U+00A0) or another invisible character", AGAIN);
    }
    if text.contains("BEGIN=20") || text.contains("=2D") {
        return ruined("this is PEM in quoted-printable, as mail programs write it", "save the attachment itself");
    }
    if !text.contains("BEGIN ") && lower.contains("-----begin ") {
        return ruined("its BEGIN line is not in capital letters", AGAIN);
    }
    if text.contains("-BEGIN ") || text.contains("BEGIN ") {
        return ruined("its BEGIN line does not have five hyphens (-----) on both sides", AGAIN);
    }
    None
}

/// The first bytes of Base64 text without PEM lines around it, decoded.
pub(super) fn base64(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = head(bytes).filter(|text| !is_marked(&text.to_ascii_lowercase()))?;
    let letters: String = text.chars().filter(|c| !c.is_ascii_whitespace()).take(64).collect();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=');
    if letters.len() < 16 || !letters.chars().all(fits) {
        return None;
    }
    let whole = letters.get(..letters.len() / 4 * 4)?;
    STANDARD.decode(whole).or_else(|_| URL_SAFE.decode(whole)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::entry::Credential;
    use crate::intern::Interner;
    use crate::store::Store;

    const DER: &[u8] = include_bytes!("../../../../fixtures/keystore/der/one/store");

    fn pem() -> String {
        let text = STANDARD.encode(DER);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    fn said(bytes: Vec<u8>) -> String {
        match Store::open(bytes, Credential::Withheld, &Interner::new()) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// Each kind of damage to a good file is named in words of this crate, not of a library.
    #[test]
    fn what_was_done_to_a_certificate_is_named() {
        let good = pem();
        let url: String = STANDARD.encode(DER).replace('+', "-").replace('/', "_");
        let percent = good.replace('+', "%2B").replace(' ', "%20").replace('\n', "%0A");
        let cases: Vec<(String, &str)> = vec![
            (good.replace("-----BEGIN", "\u{2014}----BEGIN"), "typographic"),
            (good.replace("-----", "\u{2013}\u{2013}\u{2013}\u{2013}\u{2013}"), "typographic"),
            (good.replace("-----", "\u{2212}\u{2212}"), "typographic"),
            (good.replacen("-----", "----", 1), "five hyphens"),
            (good.replace("-----", "---"), "five hyphens"),
            (good.replace("-----", "------"), "more than five hyphens"),
            (good.replace("BEGIN", "begin").replace("END CERT", "end cert"), "capital"),
            (good.to_lowercase(), "capital"),
            (good.replace("BEGIN ", "BEGIN\u{a0}"), "no-break space"),
            (good.replace('\n', "\u{a0}\n"), "no-break space"),
            (good.replace("\nMII", "\n\u{200b}MII"), "invisible"),
            (percent, "percent-encoding"),
            (good.replace('\n', "%0A\n").replacen("%0A", "", 1), "percent-encoding"),
            (format!("-----BEGIN CERTIFICATE-----\n{}_-\n-----END CERTIFICATE-----\n", url), "url-safe"),
            (good.replacen("MII", "MI\u{fffd}", 1), "U+FFFD"),
            (good.replacen("MII", "MI!", 1), "Base64 is damaged (it contains `!`"),
            (STANDARD.encode(DER), "Base64 without BEGIN"),
            (STANDARD.encode([&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..], DER].concat()), "JKS store in Base64"),
            (STANDARD.encode([&[0xce, 0xce, 0xce, 0xce, 0, 0, 0, 2][..], DER].concat()), "JCEKS store in Base64"),
        ];
        for (bad, word) in cases {
            let said = said(bad.clone().into_bytes());
            assert!(said.contains(word), "{word}: {said:?}\n{bad}");
            assert!(!said.contains("offset") && !said.contains("no known store"), "{said}");
        }
    }

    #[test]
    fn binary_files_that_went_through_a_text_filter_are_known() {
        let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes();
        let jks = [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1][..], DER].concat();
        let jceks = [&[0xce, 0xce, 0xce, 0xce, 0, 0, 0, 2][..], DER].concat();
        for store in [jks.as_slice(), &jceks, DER] {
            let lossy = String::from_utf8_lossy(store).into_owned().into_bytes();
            assert!(said(lossy).contains("U+FFFD"));
            assert!(said(latin(store)).contains("encoded as UTF-8"));
            assert!(binary_as_text(store).is_none());
        }
        let feeds = [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 9][..], b"\r\nab\r\n", DER].concat();
        let feeds: Vec<u8> = feeds
            .into_iter()
            .filter(|byte| *byte != b'\n')
            .flat_map(|byte| match byte {
                b'\r' => vec![b'\r', b'\n'],
                byte => vec![byte],
            })
            .collect();
        let said = said(feeds);
        assert!(said.contains("text mode"), "{said}");
    }
}
