//! PKCS#7 and CMS messages that bundle certificates (`.p7b`, `.p7c`, `.spc`). The module takes the bytes of a message
//! and gives its certificates with their places; `pem::bundle` makes a store of them. It never verifies a signature.
//!
//! A bundle is a ContentInfo of type signedData (RFC 5652 §3 and §5.1; RFC 2315 §7 and §9.1) in DER, in BER, or in
//! either of them under PEM lines. Its certificates are trusted because the bundle holds them, in the order of the
//! file. Revocation lists and attribute certificates are kept as opaque entries. A bundle is trusted because of where
//! it was found, as every other store is; for this reason the signatures of its signers are not verified. One
//! certificate that does not parse makes the bundle unreadable, as it does for a JVM. A message of any other content
//! type is refused, and the error names that type.

use std::ops::Range;

use crate::alias::StoredAlias;
use crate::der::{self, CONTEXT_0, DerError, DerReader, Tlv};
use crate::entries::Entries;
use crate::entry::EntryKind;
use crate::error::{ErrorClass, ReadError};
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};
use crate::remark::Remark;

/// `[1] IMPLICIT`: the revocation lists of a SignedData.
const CONTEXT_1: u8 = 0xa1;
/// 1.2.840.113549.1.7: the prefix of the content types of PKCS#7 (RFC 2315 §14).
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
/// 1.2.840.113549.1.9.16.1: the prefix of the content types that CMS added (RFC 5652, RFC 3274, RFC 5083).
const SMIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1];
const AGAIN: &str = "export the bundle again (PKCS#7, .p7b), or fetch it again";
/// The hint for a message of another type.
pub(crate) const ASK: &str = "ask for the certificates as a bundle (.p7b) or as Base-64 (.cer)";

/// The content type of a ContentInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentType {
    /// signedData: the type that bundles certificates.
    SignedData,
    /// Another type; the text names it.
    Other(&'static str),
}

/// The content type with these bytes as its object identifier, if it is known.
pub(crate) fn content(kind: &[u8]) -> Option<ContentType> {
    let what = if let Some(number) = kind.strip_prefix(PKCS7) {
        match number {
            [1] => "this is plain data in a PKCS#7 message, not a certificate bundle",
            [2] => return Some(ContentType::SignedData),
            [3] => "this is an enveloped (encrypted) PKCS#7 message, not a certificate bundle",
            [4] => "this is a signed and enveloped (encrypted) PKCS#7 message, not a certificate bundle",
            [5] => "this is a digested PKCS#7 message, not a certificate bundle",
            [6] => "this is an encrypted PKCS#7 message, not a certificate bundle",
            _ => return None,
        }
    } else {
        match kind.strip_prefix(SMIME)? {
            [2] => "this is an authenticated CMS message, not a certificate bundle",
            [9] => "this is a compressed CMS message, not a certificate bundle",
            [23] => "this is an enveloped and authenticated (encrypted) CMS message, not a certificate bundle",
            _ => return None,
        }
    };
    Some(ContentType::Other(what))
}

/// Whether the bytes begin like a ContentInfo of a known type. Only the headers are read: the rest may be missing.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let inner = match bytes {
        [der::SEQUENCE, 0..=0x80, inner @ ..] => inner,
        [der::SEQUENCE, long, rest @ ..] => rest.get(usize::from(long & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    match inner {
        [der::OID, length, rest @ ..] => rest.get(..usize::from(*length)).and_then(content).is_some(),
        _ => false,
    }
}

/// The content of a bundle.
pub(crate) struct Bundle {
    members: Vec<BundleMember>,
    /// How many signers the message has; a plain bundle has none.
    signers: usize,
    /// Whether the message has content of its own.
    content: bool,
    /// How many bytes follow the end of the message.
    excess: usize,
}

/// One element of `certificates` or `crls`.
struct BundleMember {
    kind: EntryKind,
    /// The place of the element in the encoding.
    whole: Range<usize>,
    /// Why the certificate is kept as bytes, if it is.
    unread: Option<String>,
}

impl Bundle {
    /// How many certificates the bundle holds.
    pub(crate) fn certificates(&self) -> usize {
        self.members.iter().filter(|member| matches!(member.kind, EntryKind::Trusted(_))).count()
    }

    /// Adds the members of the bundle to the entries, with their remarks. Under PEM lines all entries have the same
    /// place, `block`. In a folder `file` is the name of the file. `place` turns a range of bytes into the format's
    /// place.
    pub(crate) fn take_in<P>(
        self,
        entries: &mut Entries<P>,
        file: Option<&str>,
        block: Option<&Range<usize>>,
        place: impl Fn(Range<usize>) -> P,
    ) {
        let named = || file.map(str::to_owned);
        if self.signers > 0 {
            let (signers, content) = (self.signers, self.content);
            entries.remark(Remark::SignedMessage { signers, content, file: named() });
        }
        if self.excess > 0 {
            entries.remark(Remark::TrailingBytes { count: self.excess as u64 });
        }
        for member in self.members {
            if let Some(why) = member.unread {
                let entry = entries.next_id();
                entries.remark(Remark::UnreadCertificate { entry, alias: named(), why });
            }
            let whole = block.cloned().unwrap_or(member.whole);
            entries.push(file.map(StoredAlias::from), None, member.kind, place(whole));
        }
    }
}

/// Reads a bundle in DER or BER.
pub(crate) fn read(bytes: &[u8], certificates: &Interner) -> Result<Bundle, ReadError> {
    let damaged = |error: DerError| {
        let cause = format!("the PKCS#7 message is damaged: {}", error.fault.what());
        ReadError::new(ErrorClass::Corrupt, cause, AGAIN).offset(error.at)
    };
    let mut file = DerReader::ber(bytes);
    let mut info = file.expect(der::SEQUENCE).map_err(damaged)?.inner();
    let kind = info.expect(der::OID).map_err(damaged)?;
    match content(kind.body) {
        Some(ContentType::SignedData) => {}
        Some(ContentType::Other(what)) => {
            return Err(ReadError::new(ErrorClass::Unsupported, what, ASK).format(Format::Pkcs7.as_str()));
        }
        None => {
            let name = der::dotted(kind.body).unwrap_or_else(|| "of no OID".to_owned());
            let cause = format!("this is a PKCS#7 message of the unknown type {name}, not a certificate bundle");
            return Err(ReadError::new(ErrorClass::Unsupported, cause, ASK).offset(kind.at));
        }
    };
    let parts = parts(&mut info).map_err(damaged)?;
    let mut members = Vec::new();
    for element in elements(parts.certificates).map_err(damaged)? {
        members.push(certificate(&element, members.len() + 1, certificates)?);
    }
    for element in elements(parts.crls).map_err(damaged)? {
        let what = match element.tag {
            der::SEQUENCE => "a certificate revocation list",
            CONTEXT_1 => "revocation information that is no X.509 list",
            _ => return Err(damaged(DerError { fault: der::DerFault::Unexpected, at: element.at })),
        };
        members.push(BundleMember { kind: EntryKind::Opaque(what.to_owned()), whole: range(&element), unread: None });
    }
    let signers = elements(Some(parts.signers)).map_err(damaged)?.len();
    Ok(Bundle { members, signers, content: parts.content, excess: bytes.len().saturating_sub(file.position()) })
}

/// The fields of a SignedData that the reader uses (RFC 5652 §5.1).
struct SignedDataParts<'a> {
    content: bool,
    certificates: Option<Tlv<'a>>,
    crls: Option<Tlv<'a>>,
    signers: Tlv<'a>,
}

fn parts<'a>(info: &mut DerReader<'a>) -> der::Result<SignedDataParts<'a>> {
    let mut content = info.expect(CONTEXT_0)?.inner();
    info.end()?;
    let mut signed = content.expect(der::SEQUENCE)?.inner();
    content.end()?;
    signed.expect(der::INTEGER)?;
    signed.expect(der::SET)?;
    let mut message = signed.expect(der::SEQUENCE)?.inner();
    message.expect(der::OID)?;
    let has_content = message.optional(CONTEXT_0)?.is_some();
    message.end()?;
    let certificates = signed.optional(CONTEXT_0)?;
    let crls = signed.optional(CONTEXT_1)?;
    let signers = signed.expect(der::SET)?;
    signed.end()?;
    Ok(SignedDataParts { content: has_content, certificates, crls, signers })
}

fn elements(set: Option<Tlv<'_>>) -> der::Result<Vec<Tlv<'_>>> {
    let mut found = Vec::new();
    if let Some(set) = set {
        let mut reader = set.inner();
        while !reader.is_empty() {
            found.push(reader.next()?);
        }
    }
    Ok(found)
}

fn range(element: &Tlv<'_>) -> Range<usize> {
    element.at..element.at + element.raw.len()
}

/// Reads one of the CertificateChoices (RFC 5652 §10.2.2).
fn certificate(element: &Tlv<'_>, number: usize, certificates: &Interner) -> Result<BundleMember, ReadError> {
    let opaque =
        |what: &str| Ok(BundleMember { kind: EntryKind::Opaque(what.to_owned()), whole: range(element), unread: None });
    let corrupt = |cause: String| Err(ReadError::new(ErrorClass::Corrupt, cause, AGAIN).offset(element.at));
    match element.tag {
        der::SEQUENCE => {}
        CONTEXT_0 => return opaque("an extended certificate of PKCS#6"),
        CONTEXT_1 | 0xa2 => return opaque("an attribute certificate"),
        0xa3 => return opaque("a certificate of another kind than X.509"),
        tag => return corrupt(format!("element {number} of the PKCS#7 bundle (tag {tag:#04x}) is no certificate")),
    }
    let slot = certificates.intern(element.raw);
    let unread = match &slot {
        CertificateSlot::Unparsed(bad) if !bad.reason().jvm_loads() => {
            return corrupt(format!("certificate {number} of the PKCS#7 bundle cannot be read: {}", bad.reason()));
        }
        CertificateSlot::Unparsed(odd) => Some(odd.reason().to_string()),
        CertificateSlot::Parsed(_) => None,
    };
    Ok(BundleMember { kind: EntryKind::Trusted(slot), whole: range(element), unread })
}

#[cfg(test)]
mod tests;
