//! The formats, and how a file's content (never its name) tells which one it is.

use std::borrow::Cow;

use crate::der;
use crate::error::{Class, ReadError};
use crate::{foreign, pem, pkcs7, ruin, windows};

/// A format that is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Sun's JKS, `FEEDFEED`, versions 1 and 2.
    Jks,
    /// SunJCE's JCEKS, `CECECECE`, versions 1 and 2.
    Jceks,
    /// PKCS#12 (RFC 7292), also under the name of PFX.
    Pkcs12,
    /// One file of PEM blocks.
    Pem,
    /// A folder of certificate files.
    PemDirectory,
    /// A certificate and its private key, two PEM files.
    PemPair,
    /// One file of DER certificates, one after another (usually one).
    Der,
    /// A PKCS#7 or CMS certificate bundle in DER, BER or PEM; read, not written.
    Pkcs7,
    /// A Windows serialised store, `.sst`.
    WindowsSst,
    /// One serialised certificate of Windows: a registry value `Blob`, a file of a user's own store.
    WindowsElement,
    /// A registry export, `.reg`, with certificate stores of Windows in it.
    WindowsReg,
    /// A registry hive, `SOFTWARE` or `NTUSER.DAT`, with certificate stores of Windows in it. Never written.
    WindowsHive,
}

/// How entries are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasModel {
    /// By an alias whose case does not count.
    Folded,
    /// Not at all.
    None,
    /// By the name of the file they are in.
    FileName,
}

impl Format {
    /// The name in JSON output: `jks`, `jceks`, `pkcs12`, `pem`, `pem-dir`, `pem-pair`, `der`, `pkcs7`, `windows-sst`, `windows-element`,
    /// `windows-reg`, `windows-hive`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jks => "jks",
            Self::Jceks => "jceks",
            Self::Pkcs12 => "pkcs12",
            Self::Pem => "pem",
            Self::PemDirectory => "pem-dir",
            Self::PemPair => "pem-pair",
            Self::Der => "der",
            Self::Pkcs7 => "pkcs7",
            Self::WindowsSst => "windows-sst",
            Self::WindowsElement => "windows-element",
            Self::WindowsReg => "windows-reg",
            Self::WindowsHive => "windows-hive",
        }
    }

    /// How its entries are named.
    #[must_use]
    pub fn alias_model(self) -> AliasModel {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 => AliasModel::Folded,
            Self::Pem | Self::PemPair | Self::Der | Self::Pkcs7 => AliasModel::None,
            Self::PemDirectory => AliasModel::FileName,
            // A friendly name is a note, not a name: any number of certificates may bear it.
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => AliasModel::None,
        }
    }

    /// Whether it can hold private keys.
    #[must_use]
    pub fn holds_keys(self) -> bool {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 | Self::PemPair => true,
            Self::Pem | Self::PemDirectory | Self::Der | Self::Pkcs7 => false,
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => false,
        }
    }

    /// Whether Java reads keys from it.
    pub(crate) fn is_java(self) -> bool {
        matches!(self, Self::Jks | Self::Jceks | Self::Pkcs12)
    }

    /// Whether it is written under a password.
    #[must_use]
    pub fn needs_password(self) -> bool {
        self.holds_keys() && self != Self::PemPair
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An alias as a JVM looks it up: `String.toLowerCase(Locale.ENGLISH)`.
#[must_use]
pub fn fold_alias(alias: &str) -> Cow<'_, str> {
    let folded_already = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if alias.bytes().all(folded_already) { Cow::Borrowed(alias) } else { Cow::Owned(alias.to_lowercase()) }
}

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// One of the formats read here.
    Readable(Format),
    /// Recognised, and not read here.
    Refused {
        /// Its name, where it has one.
        format: Option<&'static str>,
        /// `Unsupported` for another kind of store, `NotAStore` for anything else.
        class: Class,
        /// What it is, and what to do about it.
        what: &'static str,
        /// One thing to try.
        hint: &'static str,
    },
}

impl Detected {
    pub(crate) fn readable(self) -> Result<Format, ReadError> {
        match self {
            Self::Readable(format) => Ok(format),
            Self::Refused { format, class, what, hint } => {
                let error = ReadError::new(class, what, hint);
                Err(match format {
                    Some(format) => error.format(format),
                    None => error,
                })
            }
        }
    }
}

const fn nothing(what: &'static str, hint: &'static str) -> Detected {
    Detected::Refused { format: None, class: Class::NotAStore, what, hint }
}

/// Tells the format by content alone; the extension lies too often.
#[must_use]
pub fn detect(bytes: &[u8]) -> Detected {
    const RESTORE: &str = "restore it from a backup";
    if let Some(refused) = ruin::binary_as_text(bytes).or_else(|| foreign::magic(bytes)) {
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
        _ if pem::is_text(bytes) => Detected::Readable(pem::bundle::format(bytes)),
        [0x30, ..] => asn1(bytes),
        _ => text(bytes),
    }
}

/// PKCS#12, PKCS#7 or a certificate, by the first inner elements. BER is recognised as well.
fn asn1(bytes: &[u8]) -> Detected {
    if let Some(refused) = foreign::asn1(bytes) {
        return refused;
    }
    // Only headers are looked at: the outermost length may be wrong, indefinite or cut.
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
            pkcs7::content(kind).unwrap_or(Detected::Readable(Format::Der))
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
            "fetch the file again and look at it",
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
    if let Some(ruined) = ruin::text(bytes) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_is_javas() {
        assert_eq!(fold_alias("MyRootCA"), "myrootca");
        assert_eq!(fold_alias("ÄÖ"), "äö");
        assert!(matches!(fold_alias("a-b_1"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_refused_says_why() {
        for (bytes, class) in [
            (&b""[..], Class::NotAStore),
            (b"\0\0\0\0\0", Class::NotAStore),
            (b"\x1f\x8b\x08", Class::NotAStore),
            (b"<!DOCTYPE html><title>502</title>", Class::NotAStore),
            (b"\0\0\0\x02\0\0\0\x14", Class::Unsupported),
            (b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", Class::Unsupported),
        ] {
            let refused = detect(bytes).readable();
            assert!(
                matches!(&refused, Err(error) if error.class == class && !error.hint().is_empty()),
                "{bytes:?}: {refused:?}"
            );
        }
    }
}
