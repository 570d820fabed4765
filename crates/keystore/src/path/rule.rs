//! The rules of a path, and the text of a refusal. The module only names and collects: the other modules of `path`
//! judge.

use std::fmt;

use crate::certificate::Certificate;
use crate::fingerprint::Fingerprint;

/// A rule that a certificate of a path must fulfil (RFC 5280 §6.1). Each rule has a name, which messages and tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathRule {
    /// One of the given certificates has the name of the issuer (§6.1.3 a 4).
    Issuer,
    /// No path is longer than seven issuers, and a search ends after a hundred signatures. (A rule of this crate.)
    Length,
    /// The key identifier, the issuer and the serial number that a certificate states for its issuer are those of the
    /// issuer (§4.2.1.1).
    KeyIdentifier,
    /// The issuer's key made the signature (§6.1.3 a 1).
    Signature,
    /// The signature algorithm is one that Java 8, current JDKs and openssl all accept: RSA PKCS #1 and PSS, and ECDSA
    /// on P-256, P-384 and P-521, each with SHA-256, SHA-384 or SHA-512. (A rule of this crate; see the JDK's
    /// `jdk.certpath.disabledAlgorithms`.)
    Algorithm,
    /// The public key is RSA with 2048 to 8192 bits, or lies on P-256, P-384 or P-521. (A rule of this crate, for the
    /// same reason as [`PathRule::Algorithm`].)
    Key,
    /// Version, times and known extensions have the form of RFC 5280 §4.1 and §4.2.
    Form,
    /// The validity has begun (§6.1.3 a 2).
    NotYetValid,
    /// The validity has not ended (§6.1.3 a 2). A certificate has ended in the last second of its validity, as for
    /// openssl.
    Ended,
    /// Every issuer is a CA by its basic constraints (§6.1.4 k).
    BasicConstraints,
    /// No more issuers follow than the path length allows. Self-issued issuers are not counted (§6.1.4 l, m).
    PathLength,
    /// The key usage of an issuer, if it has one, allows it to sign certificates (§6.1.4 n).
    KeyCertSign,
    /// The end entity is no CA. (A rule of this crate: a service that presents a CA's certificate holds the key of a
    /// CA.)
    EndEntityIsCa,
    /// The key usage of the end entity, if it has one, allows digital signatures, because TLS needs them (RFC 8446
    /// §4.4.2.2).
    DigitalSignature,
    /// Extended key usage and Netscape certificate type, if present, allow the [`super::TlsUse`] (§4.2.1.12). The
    /// limit of an issuer also holds for the certificates that it issues. `anyExtendedKeyUsage` alone is not enough,
    /// because openssl and webpki do not accept it.
    Purpose,
    /// All names are allowed by the name constraints of the issuers (§6.1.3 b, c).
    NameConstraints,
    /// Name constraints have a form that this crate processes: DNS, address, mail, URI and directory names without
    /// distances (§4.2.1.10).
    NameConstraintsForm,
    /// Every critical extension is one that this crate processes (§6.1.4 o, §6.1.5 f).
    CriticalExtension,
    /// Where a certificate requires a policy, one policy is valid along the whole path (§6.1.3 d to f).
    Policy,
    /// rustls-webpki accepts the path too, if it processes everything that the path uses. (A rule of this crate.)
    SecondOpinion,
}

impl PathRule {
    /// All rules.
    pub const ALL: [Self; 20] = [
        Self::Issuer,
        Self::Length,
        Self::KeyIdentifier,
        Self::Signature,
        Self::Algorithm,
        Self::Key,
        Self::Form,
        Self::NotYetValid,
        Self::Ended,
        Self::BasicConstraints,
        Self::PathLength,
        Self::KeyCertSign,
        Self::EndEntityIsCa,
        Self::DigitalSignature,
        Self::Purpose,
        Self::NameConstraints,
        Self::NameConstraintsForm,
        Self::CriticalExtension,
        Self::Policy,
        Self::SecondOpinion,
    ];

    /// The rule's name, as messages and documents spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Length => "length",
            Self::KeyIdentifier => "key-identifier",
            Self::Signature => "signature",
            Self::Algorithm => "algorithm",
            Self::Key => "key",
            Self::Form => "form",
            Self::NotYetValid => "not-yet-valid",
            Self::Ended => "ended",
            Self::BasicConstraints => "basic-constraints",
            Self::PathLength => "path-length",
            Self::KeyCertSign => "key-cert-sign",
            Self::EndEntityIsCa => "end-entity-is-ca",
            Self::DigitalSignature => "digital-signature",
            Self::Purpose => "purpose",
            Self::NameConstraints => "name-constraints",
            Self::NameConstraintsForm => "name-constraints-form",
            Self::CriticalExtension => "critical-extension",
            Self::Policy => "policy",
            Self::SecondOpinion => "second-opinion",
        }
    }

    /// Whether another moment alone could change the result.
    #[must_use]
    pub fn is_of_time(self) -> bool {
        matches!(self, Self::NotYetValid | Self::Ended)
    }
}

impl fmt::Display for PathRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a path is refused: the broken rule and the certificate that breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The broken rule.
    pub rule: PathRule,
    /// The subject of the certificate that breaks the rule, in `keytool`'s order.
    pub certificate: String,
    /// The fingerprint of that certificate.
    pub fingerprint: Fingerprint,
    /// How the certificate breaks the rule, as a clause without a subject.
    pub what: String,
}

impl Refused {
    pub(super) fn new(rule: PathRule, certificate: &Certificate, what: impl Into<String>) -> Self {
        Self {
            rule,
            certificate: certificate.subject().to_owned(),
            fingerprint: certificate.fingerprint(),
            what: what.into(),
        }
    }
}

/// The faults of one path, in the order in which they are found.
pub(super) struct RuleFaults<'a> {
    found: Vec<Refused>,
    ignored: &'a [PathRule],
}

impl<'a> RuleFaults<'a> {
    /// `ignored` are rules that do not count.
    pub(super) fn new(ignored: &'a [PathRule]) -> Self {
        Self { found: Vec::new(), ignored }
    }

    pub(super) fn add(&mut self, rule: PathRule, certificate: &Certificate, what: impl Into<String>) {
        if !self.ignored.contains(&rule) {
            self.found.push(Refused::new(rule, certificate, what));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The first fault, if there is one.
    pub(super) fn first(self) -> Result<(), Refused> {
        self.found.into_iter().next().map_or(Ok(()), Err)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (rule `{}`)", self.certificate, self.what, self.rule)
    }
}

impl std::error::Error for Refused {}
