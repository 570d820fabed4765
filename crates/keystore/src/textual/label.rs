//! The meaning of labels, and damage to the text of a block. The module takes a label or a body, and gives words for
//! people. It never undoes the damage.

use base64::DecodeError;

use crate::text::is_unseen;

/// The damage that a decoder of Base64 found, in words.
pub(crate) fn damage(error: &DecodeError) -> String {
    match error {
        DecodeError::InvalidByte(_, byte) if byte.is_ascii_graphic() => {
            format!("its Base64 is damaged (it contains `{}`)", char::from(*byte))
        }
        DecodeError::InvalidByte(_, byte) => format!("its Base64 is damaged (it contains byte {byte:#04x})"),
        DecodeError::InvalidLength(_) | DecodeError::InvalidLastSymbol(..) | DecodeError::InvalidPadding => {
            "its Base64 is damaged (a part of it is missing, or its end is)".to_owned()
        }
    }
}

/// Whether this is the label of a certificate (RFC 7468 §5.1 and Appendix A; `TRUSTED` is OpenSSL's own).
pub(crate) fn is_certificate_label(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
}

/// The kind of a block without a certificate, in words.
pub(crate) fn meaning(label: &str) -> String {
    let what = match label {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            "a certificate request that its authority has not answered yet"
        }
        "X509 CRL" | "CRL" => "a certificate revocation list",
        "ATTRIBUTE CERTIFICATE" => "an attribute certificate",
        "DH PARAMETERS" | "X9.42 DH PARAMETERS" | "DSA PARAMETERS" | "EC PARAMETERS" => "parameters of a key",
        _ if label.starts_with("PGP ") => "an OpenPGP block",
        _ if label.ends_with("PUBLIC KEY") => "a public key without a certificate",
        _ => return format!("a PEM block labelled `{label}`"),
    };
    format!("{what} ({label})")
}

/// The kind of a private key, in words. An old encrypted key is marked by a header of RFC 1421 §4.6.1.1.
pub(crate) fn private_key(label: &str, body: Result<&[u8], &String>) -> String {
    let header = |line: &[u8]| line.starts_with(b"Proc-Type:") && line.ends_with(b",ENCRYPTED");
    let mut lines = body.unwrap_or_default().split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii);
    let encrypted = label.starts_with("ENCRYPTED ") || lines.any(header);
    format!("{} private key ({label})", if encrypted { "an encrypted" } else { "a" })
}

/// How a body that is no Base64 was changed, if the change is a known one.
pub(crate) fn disguise(body: &[u8]) -> Option<&'static str> {
    let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    let text = String::from_utf8_lossy(body);
    let url =
        |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || matches!(c, '+' | '/' | '=' | '-' | '_');
    let mut lines =
        body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).peekable();
    let mut soft = false;
    while let Some(line) = lines.next() {
        soft |= line.ends_with(b"=") && lines.peek().is_some();
    }
    if body.starts_with(b"-") || body.ends_with(b"-") {
        Some("there are more than five hyphens next to its BEGIN or END; leave five (-----)")
    } else if has(b"\\n") || has(b"\\r") {
        Some("its line breaks are written as `\\n`, as in JSON or YAML; replace them with real line breaks")
    } else if has(b"=3D") || has(b"=0D") || has(b"=0A") || soft {
        Some(
            "it is quoted-printable, as mail programs write it; save the attachment itself, or decode it (perl -MMIME::QuotedPrint)",
        )
    } else if text.contains('\u{fffd}') {
        Some("a text filter replaced a part of it by U+FFFD; take the original")
    } else if text.contains(is_unseen) {
        Some(
            "its lines hold no-break spaces (U+00A0) or other invisible characters, as text from web pages does; remove them",
        )
    } else if ["%2B", "%2F", "%3D", "%0A", "%0D", "%2b", "%2f", "%3d", "%0a", "%0d"]
        .iter()
        .any(|code| text.contains(code))
    {
        Some("it is in percent-encoding (%2B, %0A), as in a web address; decode it")
    } else if text.contains(['-', '_']) && text.chars().all(url) {
        Some("it is in the url-safe alphabet of Base64 (- and _ for + and /); replace them with + and /")
    } else if body.contains(&b':') {
        Some("it has header lines (RFC 1421), which no certificate has; remove them")
    } else if has(b"...") || body.windows(3).any(|window| window == "…".as_bytes()) {
        Some("a part of it was left out (`...`); copy the whole block")
    } else {
        None
    }
}
