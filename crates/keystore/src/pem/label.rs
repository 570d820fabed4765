//! What labels mean, and what others did to the text of a block.

/// The labels of a certificate (RFC 7468 §5.1 and Appendix A; `TRUSTED` is OpenSSL's own).
pub(super) fn is_certificate_label(label: &str) -> bool {
    matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
}

/// What a block without a certificate is, in words.
pub(super) fn meaning(label: &str) -> String {
    let what = match label {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            "a certificate request, which its authority has yet to answer"
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

/// A private key, in words. An old encrypted one says so in a header of RFC 1421 §4.6.1.1.
pub(super) fn private_key(label: &str, body: Result<&[u8], &String>) -> String {
    let header = |line: &[u8]| line.starts_with(b"Proc-Type:") && line.ends_with(b",ENCRYPTED");
    let mut lines = body.unwrap_or_default().split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii);
    let encrypted = label.starts_with("ENCRYPTED ") || lines.any(header);
    format!("{} private key ({label})", if encrypted { "an encrypted" } else { "a" })
}

/// What was done to a block whose body is no Base64.
pub(super) fn disguise(body: &[u8]) -> Option<&'static str> {
    let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    let mut lines =
        body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).peekable();
    let mut soft = false;
    while let Some(line) = lines.next() {
        soft |= line.ends_with(b"=") && lines.peek().is_some();
    }
    if has(b"\\n") || has(b"\\r") {
        Some("its line breaks are written out as `\\n`, as in JSON or YAML; put real line breaks in their place")
    } else if has(b"=3D") || has(b"=0D") || has(b"=0A") || soft {
        Some(
            "it is quoted-printable, as mail programs write it; save the attachment itself, or decode it (perl -MMIME::QuotedPrint)",
        )
    } else if body.contains(&b':') {
        Some("it has header lines (RFC 1421), which no certificate has; remove them")
    } else if has(b"...") || body.windows(3).any(|window| window == "…".as_bytes()) {
        Some("a part of it was left out (`...`); copy the whole block")
    } else {
        None
    }
}
