//! Files that are recognised by their content, but not read: stores of other products, keys, requests, archives, pages.
//! The module takes bytes and gives a refusal that says what the file is, so that nobody searches for the password of a
//! file that has none. It never refuses a format that this crate reads.

use super::detected::Detected;
use crate::der::{self, DerReader};
use crate::error::ErrorClass;
use crate::reader::Reader;

const LIST: &str = "open it with its own product and export its certificates as Base-64 (.cer)";
const BOUNCY: &str = "convert it with keytool -importkeystore and the Bouncy Castle provider (-providerpath), -deststoretype as the role needs";
const UNPACK: &str = "unpack it first";
const PATH: &str = "check the path";
const NOT_A_KEY: &str =
    "check the path; only certificates are trusted, and a key belongs in the store of its own service";

/// A store or a file of certificates that this crate does not read.
const fn store(format: &'static str, what: &'static str, hint: &'static str) -> Option<Detected> {
    Some(Detected::Refused { format: Some(format), class: ErrorClass::Unsupported, what, hint })
}

/// A file that is no store.
const fn nothing(what: &'static str, hint: &'static str) -> Option<Detected> {
    Some(Detected::Refused { format: None, class: ErrorClass::NotAStore, what, hint })
}

/// Recognises a file that is not ASN.1 by its first bytes.
pub(crate) fn magic(bytes: &[u8]) -> Option<Detected> {
    match bytes {
        [0, 0, 0, 1 | 2, 0, 0, 0, 20, ..] => bouncy_castle(bytes),
        [b'k', b'y', b'c', b'h', ..] => {
            store("keychain", "this is a macOS keychain, which trustmason does not read", LIST)
        }
        // GSKit's CMS key database: two numbers, then the name of the format.
        [_, _, _, _, _, _, _, _, b'X', b'5', b'0', b'9', b'K', b'E', b'Y', ..] => store(
            "kdb",
            "this is an IBM key database (CMS .kdb), which trustmason does not read",
            "export its certificates with gskcapicmd or ikeyman, or convert it to PKCS#12",
        ),
        [0xa1, 0xf8, 0x4e, b'6'..=b'9', ..] => store(
            "oracle-sso",
            "this is an Oracle auto-login wallet (cwallet.sso), which trustmason does not read",
            LIST,
        ),
        [0, 6, 0x15, 0x61, ..] | [0x61, 0x15, 6, 0, ..] => store(
            "nss",
            "this is a Berkeley database, perhaps an NSS store (cert8.db), which trustmason does not read",
            "export its certificates with certutil -L -a",
        ),
        _ if bytes.starts_with(b"SQLite format 3\0") => store(
            "nss",
            "this is an SQLite database, perhaps an NSS store (cert9.db), which trustmason does not read",
            "export its certificates with certutil -L -a",
        ),
        _ if bytes.starts_with(b"GnomeKeyring\n\r\0\n") => {
            store("gnome-keyring", "this is a GNOME keyring, which trustmason does not read", LIST)
        }
        [0x03, 0xd9, 0xa2, 0x9a, ..] => {
            store("keepass", "this is a KeePass database, which trustmason does not read", LIST)
        }
        [0xac, 0xed, 0, 5, ..] => nothing("this is a serialised Java object, not a store", PATH),
        [b'b', b'p', b'l', b'i', b's', b't', ..] => {
            nothing("this is an Apple property list, not a store; a configuration profile, perhaps", PATH)
        }
        [b'P', b'K', 5 | 7, 6 | 8, ..] => nothing("this is a zip archive, not a store", UNPACK),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => nothing("this is a bzip2 archive, not a store", UNPACK),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => nothing("this is an xz archive, not a store", UNPACK),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => nothing("this is a zstd archive, not a store", UNPACK),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => nothing("this is a 7-Zip archive, not a store", UNPACK),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => nothing("this is a RAR archive, not a store", UNPACK),
        [b'M', b'S', b'C', b'F', ..] => nothing("this is a Windows cabinet (.cab), not a store", UNPACK),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => nothing("this is an OLE file (.msi, .doc), not a store", UNPACK),
        [0xed, 0xab, 0xee, 0xdb, ..] => nothing("this is an RPM package, not a store", UNPACK),
        _ if bytes.starts_with(b"!<arch>\n") => {
            nothing("this is an ar archive (a Debian package, a static library), not a store", UNPACK)
        }
        _ if bytes.get(257..262) == Some(b"ustar") => nothing("this is a tar archive, not a store", UNPACK),
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', _, 0, ..] => nothing("this is a program, not a store", PATH),
        [b'%', b'P', b'D', b'F', b'-', ..] => nothing("this is a PDF document, not a store", PATH),
        _ if bytes.starts_with(b"openssh-key-v1\0") => {
            nothing("this is an OpenSSH private key, not a store", NOT_A_KEY)
        }
        _ if bytes.starts_with(b"PuTTY-User-Key-File-") => {
            nothing("this is a PuTTY key (.ppk), not a store", NOT_A_KEY)
        }
        _ if bytes.get(8..12) == Some(b"KBXf") => nothing("this is a GnuPG keybox, not a store", PATH),
        _ if is_pgp(bytes) => nothing("this is an OpenPGP key, not a store of X.509 certificates", PATH),
        _ if is_utf16(bytes) => nothing("this is UTF-16 text, not a store", "save it again as plain ASCII or UTF-8"),
        _ => None,
    }
}

/// BKS and UBER begin alike: a version, a salt of 20 bytes, a number of iterations. After that, a BKS continues with
/// its first entry in the clear, and an UBER is encrypted (Bouncy Castle, `BcKeyStoreSpi`).
fn bouncy_castle(bytes: &[u8]) -> Option<Detected> {
    let entry = bytes.get(32..).unwrap_or_default();
    if is_bks(entry) {
        store("bks", "this is a Bouncy Castle BKS store, which trustmason does not read", BOUNCY)
    } else if !entry.is_empty() && entry.len().is_multiple_of(16) {
        store("uber", "this is a Bouncy Castle UBER store, which trustmason does not read", BOUNCY)
    } else {
        store("bks", "this is a Bouncy Castle store (BKS or UBER) that was cut off, and neither is read here", BOUNCY)
    }
}

/// Whether the bytes are the first entry of a BKS, or the end of an empty one with its digest.
fn is_bks(bytes: &[u8]) -> bool {
    let entry = || -> Option<bool> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8().ok()?;
        if kind == 0 {
            return Some(bytes.len() == 21);
        }
        let alias = reader.u16().ok()?;
        let alias = reader.take(usize::from(alias)).ok()?;
        let _created = reader.i64().ok()?;
        let chain = reader.u32().ok()?;
        // A random 32-bit number is hardly ever a plausible length of a chain.
        Some((1..=4).contains(&kind) && std::str::from_utf8(alias).is_ok() && chain <= 100)
    };
    entry().unwrap_or(false)
}

/// Whether this is an OpenPGP key (RFC 9580 §4.2): tag 5 or 6 with any form of length, then a version from 2 to 6.
fn is_pgp(bytes: &[u8]) -> bool {
    let version = match bytes {
        [0x94 | 0x98, _, version, ..]
        | [0x95 | 0x99, _, _, version, ..]
        | [0x96 | 0x9a, _, _, _, _, version, ..]
        | [0xc5 | 0xc6, 0..=191, version, ..]
        | [0xc5 | 0xc6, 192..=223, _, version, ..]
        | [0xc5 | 0xc6, 255, _, _, _, _, version, ..] => *version,
        _ => return false,
    };
    (2..=6).contains(&version)
}

/// Whether this is ASCII text in two bytes a letter, without a byte order mark.
fn is_utf16(bytes: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match bytes {
        [a, 0, b, 0, c, 0, d, 0, ..] | [0, a, 0, b, 0, c, 0, d, ..] => [*a, *b, *c, *d].into_iter().all(letter),
        _ => false,
    }
}

/// Recognises an ASN.1 file by the tags of its first elements. Only the headers are read: the rest may be missing.
pub(crate) fn asn1(bytes: &[u8]) -> Option<Detected> {
    let outer = shape(bytes);
    let first = outer.first().map_or(&[][..], |(_, raw)| *raw);
    let tags: Vec<u8> = outer.iter().map(|(tag, _)| *tag).collect();
    let inner = shape(first);
    let inner_tags: Vec<u8> = inner.iter().map(|(tag, _)| *tag).collect();
    let number = |raw: Option<&(u8, &[u8])>| raw.and_then(|(_, raw)| raw.get(2..)).map(<[u8]>::to_vec);
    let small = number(outer.first());
    match (&tags[..], &inner_tags[..]) {
        // PrivateKeyInfo (RFC 5208 §5, RFC 5958 §2)
        ([der::INTEGER, der::SEQUENCE, der::OCTET_STRING, ..], _) if matches!(small.as_deref(), Some([0 | 1])) => {
            nothing("this is a private key (PKCS#8), not a store", NOT_A_KEY)
        }
        // RSAPrivateKey (RFC 8017 A.1.2), RSAPublicKey (A.1.1), and the same for DSA
        ([der::INTEGER, der::INTEGER, der::INTEGER, der::INTEGER, ..], _) => {
            nothing("this is a private key (PKCS#1), not a store", NOT_A_KEY)
        }
        ([der::INTEGER, der::INTEGER], _) => nothing("this is a public key without a certificate", PATH),
        // ECPrivateKey (RFC 5915 §3)
        ([der::INTEGER, der::OCTET_STRING, ..], _) if small.as_deref() == Some(&[1]) => {
            nothing("this is an elliptic curve private key, not a store", NOT_A_KEY)
        }
        // EncryptedPrivateKeyInfo (RFC 5208 §6)
        ([der::SEQUENCE, der::OCTET_STRING], [der::OID, ..]) => {
            nothing("this is an encrypted private key (PKCS#8), not a store", NOT_A_KEY)
        }
        // SubjectPublicKeyInfo (RFC 5280 §4.1)
        ([der::SEQUENCE, der::BIT_STRING], [der::OID, ..]) => {
            nothing("this is a public key without a certificate", PATH)
        }
        // OCSPResponse (RFC 6960 §4.2.1)
        ([0x0a, ..], _) => nothing("this is an OCSP response, not a store", PATH),
        // NetscapeCertSequence
        ([der::OID, ..], _) if first.starts_with(b"\x06\x09\x60\x86\x48\x01\x86\xf8\x42\x02\x05") => store(
            "netscape",
            "this is a Netscape certificate sequence, which trustmason does not read",
            "export the certificates as PKCS#7 (.p7b) instead",
        ),
        ([der::SEQUENCE, ..], [der::SEQUENCE, der::OCTET_STRING, ..]) => bcfks(),
        // CertificateList, versions 1 and 2 (RFC 5280 §5.1): a time, in the place where a certificate has its validity
        ([der::SEQUENCE, ..], [der::SEQUENCE, der::SEQUENCE, 0x17 | 0x18, ..])
        | ([der::SEQUENCE, ..], [der::INTEGER, der::SEQUENCE, der::SEQUENCE, 0x17 | 0x18, ..]) => {
            nothing("this is a certificate revocation list (CRL), not a store", PATH)
        }
        // CertificationRequest (RFC 2986 §4.2): names, in the place where a certificate has its algorithm
        ([der::SEQUENCE, ..], [der::INTEGER, der::SEQUENCE, der::SEQUENCE, ..])
            if inner.get(1).is_some_and(|(_, raw)| shape(raw).first().is_none_or(|(tag, _)| *tag == der::SET)) =>
        {
            nothing(
                "this is a certificate request (PKCS#10), not a certificate",
                "send it to the certificate authority and use the certificate from the reply",
            )
        }
        _ => None,
    }
}

const fn bcfks() -> Option<Detected> {
    store("bcfks", "this is a Bouncy Castle FIPS store (BCFKS), which trustmason does not read", BOUNCY)
}

/// The tags and encodings of the first elements inside an element. An element that is longer than the available bytes
/// is the last one.
fn shape(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let contents = match bytes {
        [_, 0..=0x80, rest @ ..] => rest,
        [_, long, rest @ ..] => rest.get(usize::from(long & 0x7f)..).unwrap_or_default(),
        _ => return Vec::new(),
    };
    let contents = match DerReader::ber(bytes).next() {
        Ok(whole) => whole.body,
        Err(_) => contents,
    };
    let mut found = Vec::new();
    let mut reader = DerReader::ber(contents);
    while let Some(tag) = reader.peek().filter(|_| found.len() < 5) {
        let rest = contents.get(reader.position()..).unwrap_or_default();
        match reader.next() {
            Ok(element) => found.push((tag, element.raw)),
            Err(_) => {
                found.push((tag, rest));
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
