//! A certificate as the JDK reads it: `sun.security.provider.X509Factory`, then `X509CertImpl`, `X509CertInfo` and the
//! class of each field (`CertificateVersion`, `SerialNumber`, `CertificateValidity`, `UniqueIdentity`), all of
//! `sun.security.x509`. The module takes bytes and a release of Java, and gives nothing or an [`Objection`].

use std::collections::BTreeMap;

use super::algorithms::{Algorithm, algorithm};
use super::classes::ExtensionClass;
use super::indefinite::converted;
use super::keys::public_key;
use super::names::{NameContent, directory};
use super::time::instant;
use super::value::{JvmStop, OID, Parsed, SEQUENCE, StopKind, Stream, Value, doubt, refuse, require};
use super::{CertificatePart, JavaRelease};
use crate::der::dotted;

/// Why a certificate does not load, and the place of the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) place: CertificatePart,
    pub(super) stop: JvmStop,
}

type Checked<T> = Result<T, Objection>;

/// Adds the place to an error.
fn at<T>(place: CertificatePart, parsed: Parsed<T>) -> Checked<T> {
    parsed.map_err(|stop| Objection { place, stop })
}

/// Reads the bytes as a `CertificateFactory` does in a keystore. Bytes after the certificate are ignored.
pub(super) fn check(bytes: &[u8], java: JavaRelease) -> Checked<()> {
    let bytes = at(CertificatePart::Encoding, converted(bytes))?;
    let mut outer = at(CertificatePart::Encoding, whole(&bytes, java))?;
    let body = at(CertificatePart::Encoding, outer.next())?;
    let outer_algorithm = at(CertificatePart::Encoding, outer.next())?;
    let signature = at(CertificatePart::Encoding, outer.next())?;
    at(CertificatePart::Encoding, require(outer.is_empty(), "bytes after its signature"))?;
    at(CertificatePart::Encoding, require(body.tag == SEQUENCE, "no SEQUENCE where one belongs"))?;
    let outside = at(CertificatePart::SignatureAlgorithm, algorithm(&outer_algorithm))?;
    at(CertificatePart::Signature, signature.bits())?;
    let inside = fields(&body)?;
    let equal = require(outside.equals(&inside), "another algorithm inside the signed part than outside");
    at(CertificatePart::SignatureAlgorithm, equal.map_err(|stop| stop.about(outside.oid)))
}

/// `X509Factory.readOneBlock`: one SEQUENCE. The JDK reads bytes that begin otherwise as PEM.
fn whole(bytes: &[u8], java: JavaRelease) -> Parsed<Stream<'_>> {
    match bytes {
        [SEQUENCE, ..] => Ok(Stream::new(bytes, java).next()?.stream()),
        _ if bytes.contains(&b'-') => doubt("text that may be PEM"),
        _ => refuse("no SEQUENCE where one belongs"),
    }
}

/// `X509CertInfo.parse`: gives the algorithm of the signature.
fn fields<'a>(body: &Value<'a>) -> Checked<Algorithm<'a>> {
    let mut fields = body.stream();
    let mut next = at(CertificatePart::Encoding, fields.next())?;
    let mut version = 0;
    if next.is_context(0) {
        version = at(CertificatePart::Version, self::version(&next))?;
        next = at(CertificatePart::Encoding, fields.next())?;
    }
    at(CertificatePart::SerialNumber, next.big_integer())?;
    let inside = at(CertificatePart::SignatureAlgorithm, fields.next().and_then(|value| algorithm(&value)))?;
    let issuer = at(CertificatePart::Issuer, directory(&mut fields))?;
    at(CertificatePart::Issuer, require(issuer == NameContent::Some, "no attribute"))?;
    at(CertificatePart::Validity, fields.next().and_then(|value| validity(&value)))?;
    let subject = at(CertificatePart::Subject, directory(&mut fields))?;
    let named = subject == NameContent::Some;
    at(CertificatePart::Subject, require(named || version != 0, "no attribute, in a certificate of version 1"))?;
    at(CertificatePart::PublicKey, fields.next().and_then(|value| public_key(&value)))?;
    if fields.is_empty() {
        return Ok(inside);
    }
    at(CertificatePart::Version, require(version != 0, "further fields in a certificate of version 1"))?;
    let mut next = at(CertificatePart::Encoding, fields.next())?;
    for number in [1, 2] {
        if next.is_context(number) {
            at(CertificatePart::UniqueIdentifier, next.implicit_bits())?;
            if fields.is_empty() {
                return Ok(inside);
            }
            next = at(CertificatePart::Encoding, fields.next())?;
        }
    }
    at(CertificatePart::Version, require(version == 2, "extensions in a certificate of another version than 3"))?;
    // The JDK ignores elements after the extensions, and an element in their place that is not tagged as extensions.
    let mut alternative = AlternativeName::Absent;
    if next.is_constructed_context(3) {
        alternative = extensions(&next)?;
    }
    if !named {
        let place = CertificatePart::Extension(ALTERNATIVE_NAME.to_owned());
        match alternative {
            AlternativeName::Critical => {}
            AlternativeName::Plain => at(place, refuse("not critical, though the subject name is empty"))?,
            AlternativeName::Absent => {
                at(CertificatePart::Subject, refuse("no attribute, and no alternative name instead"))?
            }
            AlternativeName::Unknown(stop) => return Err(Objection { place, stop }),
        }
    }
    Ok(inside)
}

const ALTERNATIVE_NAME: &str = "2.5.29.17";

/// `CertificateVersion`: any number of 32 bits; bytes after it are ignored. A primitive element counts as no version.
fn version(value: &Value<'_>) -> Parsed<i32> {
    if value.is_constructed() { value.stream().next()?.integer() } else { Ok(0) }
}

/// `CertificateValidity`: two times.
fn validity(value: &Value<'_>) -> Parsed<()> {
    let times = value.sequence()?.all()?;
    require(times.len() == 2, "another number of times than two")?;
    times.iter().try_for_each(instant)
}

/// The subject alternative name, as `X509CertInfo.verifyCert` finds it.
enum AlternativeName {
    Absent,
    Plain,
    Critical,
    /// It is not known whether the extension parses.
    Unknown(JvmStop),
}

/// `CertificateExtensions.init`: bytes after the list are ignored.
fn extensions(wrapped: &Value<'_>) -> Checked<AlternativeName> {
    let mut alternative = AlternativeName::Absent;
    // Each type that occurred, with the reason if it is not known whether the JDK keeps that extension.
    let mut seen: BTreeMap<&[u8], Option<JvmStop>> = BTreeMap::new();
    for extension in at(CertificatePart::Extensions, wrapped.stream().sequence())? {
        let (oid, critical, bytes) = at(CertificatePart::Extensions, self::extension(&extension))?;
        let place = || CertificatePart::Extension(dotted(oid).unwrap_or_default());
        let mut doubt = None;
        if let Some(class) = ExtensionClass::of(oid) {
            match class.read(critical, bytes, wrapped.java) {
                Ok(()) => {}
                Err(stop) if critical => return Err(Objection { place: place(), stop }),
                Err(stop) if stop.kind == StopKind::Doubt => doubt = Some(stop),
                // `UnparseableExtension`: the JDK keeps it apart, so the same type may occur again.
                Err(_) => continue,
            }
            if class == ExtensionClass::SubjectAlternativeName {
                alternative = match &doubt {
                    Some(stop) => AlternativeName::Unknown(stop.clone()),
                    None if critical => AlternativeName::Critical,
                    None => AlternativeName::Plain,
                };
            }
        }
        // Two extensions of one type are refused if the JDK keeps both.
        if let Some(earlier) = seen.insert(oid, doubt.clone()) {
            let refused = JvmStop { kind: StopKind::Refused, what: "there twice", oid: None };
            return Err(Objection { place: place(), stop: earlier.or(doubt).unwrap_or(refused) });
        }
    }
    Ok(alternative)
}

/// `Extension(DerValue)`: bytes after the value are ignored.
fn extension<'a>(extension: &Value<'a>) -> Parsed<(&'a [u8], bool, &'a [u8])> {
    let mut parts = extension.collection()?;
    let oid = parts.next()?;
    require(oid.tag == OID, "an extension without its type")?;
    let oid = oid.oid()?;
    let mut value = parts.next().map_err(|stop| stop.about(oid))?;
    let mut critical = false;
    if value.tag == super::value::BOOLEAN {
        critical = value.boolean().map_err(|stop| stop.about(oid))?;
        value = parts.next().map_err(|stop| stop.about(oid))?;
    }
    Ok((oid, critical, value.octets().map_err(|stop| stop.about(oid))?))
}
