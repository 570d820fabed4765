//! A model of what the JDK reads while it loads a certificate in a keystore. The module takes bytes and gives a
//! [`JvmJudgement`]: a JVM loads them, refuses them, or the model cannot tell. A single certificate that a JVM refuses
//! makes the whole store unloadable.
//!
//! The model follows the classes of OpenJDK 8 and 17, with one module for each group of classes: [`certificate`]
//! (`X509CertImpl`, `X509CertInfo` and its fields), [`extensions`] (`OIDMap` and its classes), [`names`] (`X500Name`,
//! `GeneralName`), [`uri`] (`URIName`), [`algorithms`] (`AlgorithmId` and `AlgorithmParameters`), [`indefinite`]
//! (`DerIndefLenConverter`), [`keys`] (`X509Key` and `KeyFactory`), [`private`] (`PKCS8Key`), [`time`] and [`value`]
//! (`DerValue`). The model needs no parsed certificate, because a JVM may load bytes whose form this crate refuses.
//!
//! Where the model ends, the judgement is [`JvmJudgement::CannotTell`]; the model never guesses.

mod algorithms;
mod certificate;
mod classes;
mod curves;
mod extensions;
mod indefinite;
mod keys;
mod names;
mod private;
mod time;
mod uri;
mod value;

use std::fmt;

use certificate::Objection;
pub(crate) use private::unrecoverable;
use value::StopKind;

/// A release of Java whose rules the model contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JavaRelease {
    Java8,
    Java17,
}

/// The releases of Java that are known to refuse a certificate, of those that the model contains (8 and 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JavaReleases {
    /// Java 8.
    Java8,
    /// Java 17.
    Java17,
    /// Java 8 and Java 17.
    Both,
}

impl fmt::Display for JavaReleases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Java8 => "Java 8",
            Self::Java17 => "Java 17",
            Self::Both => "Java",
        })
    }
}

/// A part of a certificate (RFC 5280 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificatePart {
    /// The structure around the fields.
    Encoding,
    /// The type of certificate that the entry of a store names.
    Type,
    /// The version, or a field that the version does not allow.
    Version,
    /// The serial number.
    SerialNumber,
    /// The algorithm of the signature, inside or outside the signed part.
    SignatureAlgorithm,
    /// The value of the signature.
    Signature,
    /// The issuer's name.
    Issuer,
    /// The validity.
    Validity,
    /// The subject's name.
    Subject,
    /// The public key and its algorithm.
    PublicKey,
    /// The unique identifier of the issuer or the subject.
    UniqueIdentifier,
    /// The list of extensions.
    Extensions,
    /// The extension with this dotted object identifier.
    Extension(String),
}

impl fmt::Display for CertificatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "its encoding",
            Self::Type => "its type",
            Self::Version => "its version",
            Self::SerialNumber => "its serial number",
            Self::SignatureAlgorithm => "its signature algorithm",
            Self::Signature => "its signature",
            Self::Issuer => "its issuer name",
            Self::Validity => "its validity",
            Self::Subject => "its subject name",
            Self::PublicKey => "its public key",
            Self::UniqueIdentifier => "its unique identifier",
            Self::Extensions => "its extensions",
            Self::Extension(oid) => return write!(f, "its extension {oid}"),
        })
    }
}

/// A place in a certificate and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JvmFault {
    place: CertificatePart,
    oid: Option<String>,
    what: &'static str,
}

impl JvmFault {
    fn new(objection: Objection) -> Self {
        Self { place: objection.place, oid: objection.stop.oid, what: objection.stop.what }
    }

    /// The object identifier of the fault: that of the extension, else that of an algorithm or curve at the place.
    fn oid(&self) -> Option<&str> {
        match &self.place {
            CertificatePart::Extension(oid) => Some(oid),
            _ => self.oid.as_deref(),
        }
    }
}

impl fmt::Display for JvmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.oid {
            Some(oid) => write!(f, " ({oid})"),
            None => Ok(()),
        }
    }
}

/// Why a JVM refuses to load a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JvmRefusal {
    releases: JavaReleases,
    fault: JvmFault,
}

impl JvmRefusal {
    /// The refusal of an entry whose certificate type is not X.509.
    pub(super) fn of_type() -> Self {
        let fault = JvmFault { place: CertificatePart::Type, oid: None, what: "another type than X.509" };
        Self { releases: JavaReleases::Both, fault }
    }

    /// The releases that are known to refuse the certificate. If the model cannot tell for one release, only the other
    /// is named.
    #[must_use]
    pub fn releases(&self) -> JavaReleases {
        self.releases
    }

    /// The place of the reason in the certificate.
    #[must_use]
    pub fn place(&self) -> &CertificatePart {
        &self.fault.place
    }

    /// The dotted object identifier of the reason: of the extension, the algorithm or the curve.
    #[must_use]
    pub fn oid(&self) -> Option<&str> {
        self.fault.oid()
    }
}

impl fmt::Display for JvmRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.releases {
            JavaReleases::Both => write!(f, "{}", self.fault),
            one => write!(f, "{} ({one} refuses it)", self.fault),
        }
    }
}

/// Why it is not known whether a JVM loads a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JvmDoubt(JvmFault);

impl JvmDoubt {
    /// The place of the reason in the certificate.
    #[must_use]
    pub fn place(&self) -> &CertificatePart {
        &self.0.place
    }

    /// The dotted object identifier of the reason: of the extension, the algorithm or the curve.
    #[must_use]
    pub fn oid(&self) -> Option<&str> {
        self.0.oid()
    }
}

impl fmt::Display for JvmDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The behaviour of a JVM that loads a keystore with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JvmJudgement {
    /// Java 8 and Java 17 load the store.
    Loads,
    /// At least one of the two releases refuses the certificate, and with it the whole store.
    Refused(JvmRefusal),
    /// No release is known to refuse the certificate, and the model does not cover everything in it.
    CannotTell(JvmDoubt),
}

impl JvmJudgement {
    /// Judges the bytes of a certificate in a keystore (source: `sun.security.provider.X509Factory` and the code that
    /// it calls). The bytes may be anything. Bytes that are no certificate are refused, and bytes after the end of a
    /// certificate are ignored, as a JVM does.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let eight = certificate::check(bytes, JavaRelease::Java8).err();
        let seventeen = certificate::check(bytes, JavaRelease::Java17).err();
        let refuses = |objection: &Option<Objection>| {
            objection.as_ref().is_some_and(|objection| objection.stop.kind == StopKind::Refused)
        };
        let (releases, objection) = match (refuses(&eight), refuses(&seventeen)) {
            (true, true) => (JavaReleases::Both, seventeen),
            (true, false) => (JavaReleases::Java8, eight),
            (false, true) => (JavaReleases::Java17, seventeen),
            (false, false) => {
                return match eight.or(seventeen) {
                    Some(objection) => Self::CannotTell(JvmDoubt(JvmFault::new(objection))),
                    None => Self::Loads,
                };
            }
        };
        match objection {
            Some(objection) => Self::Refused(JvmRefusal { releases, fault: JvmFault::new(objection) }),
            None => Self::Loads,
        }
    }

    /// Why a JVM refuses the certificate, if one does.
    #[must_use]
    pub fn refusal(&self) -> Option<&JvmRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Loads | Self::CannotTell(_) => None,
        }
    }

    /// Why the model cannot tell, if it cannot.
    #[must_use]
    pub fn doubt(&self) -> Option<&JvmDoubt> {
        match self {
            Self::CannotTell(doubt) => Some(doubt),
            Self::Loads | Self::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::encode;

    #[test]
    fn what_is_hostile_ends_soon() {
        // Algorithms nested in the parameters of algorithms.
        let oid = |last: u8| encode(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last]);
        let mut parameters = Vec::new();
        for _ in 0..20_000 {
            let inner = encode(0x30, &[oid(10), parameters].concat());
            parameters = encode(0x30, &encode(0xa0, &inner));
        }
        let algorithm = encode(0x30, &[oid(10), parameters].concat());
        let certificate = encode(0x30, &[encode(0x30, &[]), algorithm, encode(3, &[0, 1])].concat());
        let judgement = JvmJudgement::of(&certificate);
        assert_eq!(judgement.doubt().map(JvmDoubt::place), Some(&CertificatePart::SignatureAlgorithm));
        for hostile in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30; 1000]] {
            assert_ne!(JvmJudgement::of(hostile), JvmJudgement::Loads);
        }
    }
}
