//! Detects the format of a file. The module takes the content and gives the format, or says what else the file is. It
//! never looks at a file's name.

pub(crate) mod damage;
mod detected;
pub(crate) mod foreign;

pub use detected::Detected;

use crate::der;
use crate::error::ErrorClass;
use crate::format::Format;
use crate::pkcs7::ContentType;
use crate::{pkcs7, textual, windows};

const fn nothing(what: &'static str, hint: &'static str) -> Detected {
    Detected::Refused { format: None, class: ErrorClass::NotAStore, what, hint }
}

/// Detects the format from the content alone, because the extension of a file's name is often wrong.
#[must_use]
pub fn detect(bytes: &[u8]) -> Detected {
    const RESTORE: &str = "restore it from a backup";
    if let Some(refused) = damage::binary_as_text(bytes).or_else(|| foreign::magic(bytes)) {
        return refused;
    }
    match bytes {
        [] => nothing("the file is empty", "copy or export it again, or restore it from a backup"),
        [0xfe, 0xed, 0xfe, 0xed, ..] => Detected::Readable(Format::Jks),
        [0xce, 0xce, 0xce, 0xce, ..] => Detected::Readable(Format::Jceks),
        [0, 0, 0, 0, b'C', b'E', b'R', b'T', ..] => Detected::Readable(Format::WindowsSst),
        [b'r', b'e', b'g', b'f', ..] => Detected::Readable(Format::WindowsHive),
        _ if windows::reg::looks_like(bytes) => Detected::Readable(Format::WindowsReg),
        _ if windows::element::looks_like(bytes) => Detected::Readable(Format::WindowsElement),
        [0x1f, 0x8b, ..] => nothing("this is a gzip archive, not a store", "unpack it first"),
        [b'P', b'K', 3, 4, ..] => nothing("this is a zip archive, not a store", "unpack it first"),
        [0xca, 0xfe, 0xba, 0xbe, ..] => nothing("this is a Java class file, not a store", "check the path"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            nothing("this is UTF-16 text, not a store", "save it again as plain ASCII or UTF-8")
        }
        _ if bytes.iter().all(|byte| *byte == 0) => {
            nothing("the file holds nothing but zero bytes, as after a crash or from a sparse copy", RESTORE)
        }
        _ if textual::is_text(bytes) => Detected::Readable(textual::format(bytes)),
        [0x30, ..] => asn1(bytes),
        _ => text(bytes),
    }
}

/// PKCS#12, PKCS#7 or a certificate, by the first inner elements. BER is recognised as well.
fn asn1(bytes: &[u8]) -> Detected {
    if let Some(refused) = foreign::asn1(bytes) {
        return refused;
    }
    // Only the headers are read: the outermost length may be wrong, indefinite or cut off.
    let inner = |bytes: &[u8]| -> Option<usize> {
        match bytes.get(1)? {
            length @ 0..=0x80 if *length <= 0x80 => Some(2),
            length => Some(2 + usize::from(length & 0x7f)),
        }
    };
    let contents = inner(bytes).and_then(|skip| bytes.get(skip..)).unwrap_or_default();
    match contents {
        [der::INTEGER, 1, 3, der::SEQUENCE, ..] => Detected::Readable(Format::Pkcs12),
        [der::OID, length, rest @ ..] => {
            let kind = rest.get(..usize::from(*length)).unwrap_or_default();
            match pkcs7::content(kind) {
                Some(ContentType::SignedData) => Detected::Readable(Format::Pkcs7),
                Some(ContentType::Other(what)) => Detected::Refused {
                    format: Some(Format::Pkcs7.as_str()),
                    class: ErrorClass::Unsupported,
                    what,
                    hint: pkcs7::ASK,
                },
                None => Detected::Readable(Format::Der),
            }
        }
        _ => Detected::Readable(Format::Der),
    }
}

fn text(bytes: &[u8]) -> Detected {
    const PATH: &str = "check the path";
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let starts = |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    let head = text.get(..text.len().min(1024)).unwrap_or_default();
    let has = |part: &[u8]| head.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    if starts(b"<!doctype html") || starts(b"<html") || (starts(b"<?xml") && has(b"<html")) {
        return nothing(
            "this is a web page, not a store; perhaps a download that failed",
            "fetch the file again and check it",
        );
    }
    if starts(b"<!doctype plist") || starts(b"<plist") || (starts(b"<?xml") && has(b"<plist")) {
        return nothing("this is an Apple property list, not a store; a configuration profile, perhaps", PATH);
    }
    if starts(b"<?xml") || starts(b"<!doctype") {
        return nothing("this is an XML document, not a store", PATH);
    }
    if starts(b"ssh-") || starts(b"ecdsa-sha2-") || starts(b"---- BEGIN SSH2 ") {
        return nothing("this is an SSH public key, not a certificate", PATH);
    }
    if text.starts_with(b"{") && text.get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"")) {
        return nothing("this is JSON, not a store", PATH);
    }
    if let Some(ruined) = damage::text(bytes).or_else(|| base64(bytes)) {
        return ruined;
    }
    if starts(b"MII") {
        return nothing(
            "this is Base64 without BEGIN and END lines",
            "put -----BEGIN CERTIFICATE----- before and -----END CERTIFICATE----- after it",
        );
    }
    nothing("no known store or certificate format begins like this", "check the path and the file's type")
}

/// A store or certificate in Base64 without BEGIN and END lines; the decoded bytes decide what it is.
fn base64(bytes: &[u8]) -> Option<Detected> {
    const DECODE: &str = "decode it (certutil -decode, base64 -d)";
    Some(match detect(&damage::base64(bytes)?) {
        Detected::Readable(Format::Jks) => nothing("this is a JKS store in Base64", DECODE),
        Detected::Readable(Format::Jceks) => nothing("this is a JCEKS store in Base64", DECODE),
        Detected::Readable(Format::Pkcs12) => nothing("this is a PKCS#12 store in Base64", DECODE),
        Detected::Readable(Format::Der | Format::Pkcs7) => nothing(
            "this is Base64 without BEGIN and END lines",
            "put -----BEGIN CERTIFICATE----- before and -----END CERTIFICATE----- after it",
        ),
        Detected::Readable(_) | Detected::Refused { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_says_why() {
        for (bytes, class) in [
            (&b""[..], ErrorClass::NotAStore),
            (b"\0\0\0\0\0", ErrorClass::NotAStore),
            (b"\x1f\x8b\x08", ErrorClass::NotAStore),
            (b"<!DOCTYPE html><title>502</title>", ErrorClass::NotAStore),
            (b"\0\0\0\x02\0\0\0\x14", ErrorClass::Unsupported),
            (b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", ErrorClass::Unsupported),
        ] {
            let refused = detect(bytes).readable();
            assert!(
                matches!(&refused, Err(error) if error.class == class && !error.hint().is_empty()),
                "{bytes:?}: {refused:?}"
            );
        }
    }
}
