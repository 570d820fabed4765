//! What a JVM loads: a model of what the JDK reads while it loads a certificate in a keystore. One certificate that it refuses
//! makes the whole store unloadable.
//!
//! The model follows the classes of OpenJDK 8 and 17, one module for each group of them: [`certificate`] (`X509CertImpl`,
//! `X509CertInfo` and its fields), [`extensions`] (`OIDMap` and its classes), [`names`] (`X500Name`, `GeneralName`), [`uri`]
//! (`URIName`), [`algorithms`] (`AlgorithmId` and `AlgorithmParameters`), [`indefinite`] (`DerIndefLenConverter`), [`keys`] (`X509Key` and `KeyFactory`), [`private`] (`PKCS8Key`), [`time`] and
//! [`value`] (`DerValue`). It reads bytes, and it needs no parsed certificate: what is refused here for its form may load there.
//!
//! Where the model ends, it says so and claims nothing.

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

/// A release of Java whose rules are modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Java {
    Java8,
    Java17,
}

/// Which releases of Java are known to refuse a certificate, of those that are modelled (8 and 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JavaReleases {
    /// Java 8.
    Java8,
    /// Java 17.
    Java17,
    /// Both.
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
pub enum Place {
    /// The structure around the fields.
    Encoding,
    /// The kind of certificate that a store's entry names.
    Type,
    /// The version, or what the version does not allow.
    Version,
    /// The serial number.
    SerialNumber,
    /// The signature's algorithm, inside or outside the signed part.
    SignatureAlgorithm,
    /// The signature's value.
    Signature,
    /// The issuer's name.
    Issuer,
    /// The validity.
    Validity,
    /// The subject's name.
    Subject,
    /// The public key and its algorithm.
    PublicKey,
    /// The unique identifier of issuer or subject.
    UniqueIdentifier,
    /// The list of extensions.
    Extensions,
    /// The extension with this dotted object identifier.
    Extension(String),
}

impl fmt::Display for Place {
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

/// A place in a certificate and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    place: Place,
    oid: Option<String>,
    what: &'static str,
}

impl Fault {
    fn new(objection: Objection) -> Self {
        Self { place: objection.place, oid: objection.stop.oid, what: objection.stop.what }
    }

    /// The object identifier that it is about: of the extension, else of what stands in it.
    fn oid(&self) -> Option<&str> {
        match &self.place {
            Place::Extension(oid) => Some(oid),
            _ => self.oid.as_deref(),
        }
    }
}

impl fmt::Display for Fault {
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
    fault: Fault,
}

impl JvmRefusal {
    /// The refusal of an entry that says it holds another kind of certificate than X.509.
    pub(super) fn of_type() -> Self {
        let fault = Fault { place: Place::Type, oid: None, what: "another type than X.509" };
        Self { releases: JavaReleases::Both, fault }
    }

    /// Which releases are known to refuse it. Where the model ends for one of them, only the other is named.
    #[must_use]
    pub fn releases(&self) -> JavaReleases {
        self.releases
    }

    /// Where in the certificate the reason lies.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.fault.place
    }

    /// The dotted object identifier that the reason is about: of the extension, the algorithm or the curve.
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

/// Why it cannot be told whether a JVM loads a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JvmDoubt(Fault);

impl JvmDoubt {
    /// Where in the certificate the reason lies.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The dotted object identifier that the reason is about: of the extension, the algorithm or the curve.
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

/// What a JVM does with a keystore that holds a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JvmJudgement {
    /// Java 8 and 17 load it.
    Loads,
    /// At least one of them refuses it, and with it the whole store.
    Refused(JvmRefusal),
    /// No release is known to refuse it, and the model does not cover everything in it.
    CannotTell(JvmDoubt),
}

impl JvmJudgement {
    /// Judges the bytes of a certificate in a keystore (source: `sun.security.provider.X509Factory` and what it calls). The
    /// bytes may be anything: what is no certificate is refused, and bytes after its end are ignored, as a JVM does.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let eight = certificate::check(bytes, Java::Java8).err();
        let seventeen = certificate::check(bytes, Java::Java17).err();
        let refuses = |objection: &Option<Objection>| {
            objection.as_ref().is_some_and(|objection| objection.stop.kind == StopKind::Refused)
        };
        let (releases, objection) = match (refuses(&eight), refuses(&seventeen)) {
            (true, true) => (JavaReleases::Both, seventeen),
            (true, false) => (JavaReleases::Java8, eight),
            (false, true) => (JavaReleases::Java17, seventeen),
            (false, false) => {
                return match eight.or(seventeen) {
                    Some(objection) => Self::CannotTell(JvmDoubt(Fault::new(objection))),
                    None => Self::Loads,
                };
            }
        };
        match objection {
            Some(objection) => Self::Refused(JvmRefusal { releases, fault: Fault::new(objection) }),
            None => Self::Loads,
        }
    }

    /// Why a JVM refuses it, if one does.
    #[must_use]
    pub fn refusal(&self) -> Option<&JvmRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Loads | Self::CannotTell(_) => None,
        }
    }

    /// Why it cannot be told, if it cannot.
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
        // Algorithms in the parameters of algorithms.
        let oid = |last: u8| encode(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last]);
        let mut parameters = Vec::new();
        for _ in 0..20_000 {
            let inner = encode(0x30, &[oid(10), parameters].concat());
            parameters = encode(0x30, &encode(0xa0, &inner));
        }
        let algorithm = encode(0x30, &[oid(10), parameters].concat());
        let certificate = encode(0x30, &[encode(0x30, &[]), algorithm, encode(3, &[0, 1])].concat());
        let judgement = JvmJudgement::of(&certificate);
        assert_eq!(judgement.doubt().map(JvmDoubt::place), Some(&Place::SignatureAlgorithm));
        for hostile in [&[][..], &[0x30], &[0x30, 0x80], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30; 1000]] {
            assert_ne!(JvmJudgement::of(hostile), JvmJudgement::Loads);
        }
    }
}
