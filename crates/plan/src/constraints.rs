//! One judge of certificates: it decides whether an identity must be made anew, and it checks what was minted.
#![warn(clippy::arithmetic_side_effects)]

use std::fmt;

use jiff::Timestamp;
use trustmason_keystore::{CaMark, Certificate, HashAlgorithm, JvmJudgement, KeyAlgorithm};
use trustmason_spec::topology::{IdentityDef, KeyKind, SignatureHash};

use crate::days;
use crate::finding::Kind;
use crate::text;

/// Something a certificate does not fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not name its host.
    NotNamed {
        /// The names it carries.
        carries: String,
        /// The name it must carry.
        must: String,
    },
    /// Its CN is not the FQDN though the role demands it (document 003 L71).
    CnNotFqdn {
        /// The CN it has.
        cn: String,
        /// The CN it must have.
        must: String,
    },
    /// The key is of another kind or too short.
    Key {
        /// The key that the certificate has.
        is: String,
        /// What the role demands.
        must: String,
    },
    /// The signature uses a hash the role does not allow.
    Signature {
        /// The signature algorithm that the certificate has.
        is: String,
        /// What the role demands.
        must: String,
    },
    /// It has ended.
    Expired {
        /// When, seconds since 1970.
        at: i64,
    },
    /// It ends within `renew_before`.
    RenewDue {
        /// When, seconds since 1970.
        at: i64,
        /// Days left.
        days: usize,
        /// `renew_before`, in days.
        before: u32,
    },
    /// It is not valid yet.
    NotYetValid {
        /// When it will be, seconds since 1970.
        from: i64,
    },
    /// It has no SAN; browsers and newer clients want one.
    SanMissing,
    /// A validator may take it for a CA's.
    IsCa {
        /// By what.
        by: CaMark,
    },
    /// It limits its use and leaves out one the role needs.
    EkuMissing {
        /// The usage.
        usage: String,
    },
}

impl Fault {
    /// Whether only a new certificate mends it (contract §2: the reasons to regenerate).
    pub fn demands_new(&self) -> bool {
        match self {
            Self::NotNamed { .. }
            | Self::CnNotFqdn { .. }
            | Self::Key { .. }
            | Self::Signature { .. }
            | Self::Expired { .. }
            | Self::RenewDue { .. } => true,
            Self::NotYetValid { .. } | Self::SanMissing | Self::IsCa { .. } | Self::EkuMissing { .. } => false,
        }
    }

    /// Whether it is one of the dates.
    pub fn is_of_dates(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::RenewDue { .. } | Self::NotYetValid { .. } => true,
            Self::NotNamed { .. }
            | Self::CnNotFqdn { .. }
            | Self::Key { .. }
            | Self::Signature { .. }
            | Self::SanMissing
            | Self::IsCa { .. }
            | Self::EkuMissing { .. } => false,
        }
    }

    /// The finding it is reported as.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotNamed { .. } | Self::CnNotFqdn { .. } => Kind::NameMismatch,
            Self::Key { .. } => Kind::WeakKey,
            Self::Signature { .. } => Kind::WeakSignature,
            Self::Expired { .. } => Kind::Expired,
            Self::RenewDue { .. } => Kind::Expiring,
            Self::NotYetValid { .. } => Kind::NotYetValid,
            Self::SanMissing => Kind::SanMissing,
            Self::IsCa { .. } => Kind::HostIsCa,
            Self::EkuMissing { .. } => Kind::EkuMissing,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed { carries, must } => write!(f, "it names {carries}, but must name {must}"),
            Self::CnNotFqdn { cn, must } => write!(f, "CN is {cn}, but must be {must}"),
            Self::Key { is, must } => write!(f, "its key is {is}, but must be {must}"),
            Self::Signature { is, must } => write!(f, "it is signed with {is}, but must be signed with {must}"),
            Self::Expired { at } => write!(f, "it expired on {}", text::day(*at)),
            Self::RenewDue { at, days, before } => {
                write!(f, "it ends on {}, in {} (renew_before is {before}d)", text::day(*at), text::count(*days, "day"))
            }
            Self::NotYetValid { from } => write!(f, "it is not valid before {}", text::time(*from)),
            Self::SanMissing => f.write_str("it has no subject alternative name"),
            Self::IsCa { by } => {
                write!(
                    f,
                    "its certificate {by}: a person with its key can impersonate any host to every store that trusts it"
                )
            }
            Self::EkuMissing { usage } => write!(f, "its extended key usage leaves out {usage}"),
        }
    }
}

/// How long before its end a certificate is to be made anew, and how long before its end somebody wants to hear of it; none of
/// both for one whose end is all that counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// `renew_before`, in days.
    pub renew_before_days: u32,
    /// `warn_before`, in days.
    pub warn_before_days: u32,
}

/// How a moment stands to the dates of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// When it becomes valid, seconds since 1970, where that is to come.
    pub begins: Option<i64>,
    /// How near its end is.
    pub end: End,
}

/// How near the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is behind.
    Past,
    /// So near that it is to be made anew.
    Due,
    /// So near that somebody wants to hear of it.
    Soon,
    /// Not near.
    Far,
}

impl Dates {
    /// Whether the certificate has ended.
    pub fn is_past(self) -> bool {
        self.end == End::Past
    }
}

/// Judges the dates of a certificate, whoever's it is: an identity's, an authority's, one that a person declared or that lies in a
/// store.
pub fn dates(certificate: &Certificate, terms: Terms, now: Timestamp) -> Dates {
    let now = now.as_second();
    let (from, at) = (certificate.not_before(), certificate.not_after());
    let end = if at < now {
        End::Past
    } else if at < days::after(now, terms.renew_before_days) {
        End::Due
    } else if days::between(now, at) < days::term(terms.warn_before_days) {
        End::Soon
    } else {
        End::Far
    };
    Dates { begins: (from > now).then_some(from), end }
}

/// The names a certificate carries, for people.
pub fn carries(certificate: &Certificate) -> String {
    let names = certificate.names_carried();
    if names.is_empty() { "no host at all".to_owned() } else { text::escape(&names.join(", ")) }
}

/// Whether one of the names a certificate carries is a wildcard (RFC 6125 §6.4.3), which is taken for no host's name here.
pub(crate) fn has_wildcard(certificate: &Certificate) -> bool {
    certificate.names_carried().iter().any(|name| name.contains('*'))
}

/// What to say of names when there is a wildcard among them.
pub(crate) const OF_WILDCARDS: &str = "a wildcard does not count as the name of a host";

/// Whether a certificate names an identity's host, or one of the names the spec adds (contract §1b).
pub fn names(certificate: &Certificate, identity: &IdentityDef) -> bool {
    certificate.names_host(identity.id.host.as_str())
        || identity.names.iter().any(|n| certificate.names_host(n.as_str()))
}

/// Everything a certificate does not fulfil, gravest first.
pub fn judge(certificate: &Certificate, identity: &IdentityDef, now: Timestamp) -> Vec<Fault> {
    let mut faults = Vec::new();
    let constraints = &identity.constraints;
    let must = identity.id.host.as_str();
    if !names(certificate, identity) {
        let only_cn = !certificate.has_san() && certificate.common_name().is_some();
        faults.push(match certificate.common_name() {
            Some(cn) if only_cn && !cn.contains('*') => {
                Fault::CnNotFqdn { cn: text::escape(cn), must: must.to_owned() }
            }
            _ if has_wildcard(certificate) => {
                let carries = format!("{} ({OF_WILDCARDS})", carries(certificate));
                Fault::NotNamed { carries, must: must.to_owned() }
            }
            _ => Fault::NotNamed { carries: carries(certificate), must: must.to_owned() },
        });
    } else if constraints.cn_is_fqdn && !certificate.common_name().is_some_and(|cn| cn.eq_ignore_ascii_case(must)) {
        let cn = certificate.common_name().map_or_else(|| "absent".to_owned(), text::escape);
        faults.push(Fault::CnNotFqdn { cn, must: must.to_owned() });
    }
    let at = certificate.not_after();
    let before = identity.renew_before_days;
    let dates = dates(certificate, Terms { renew_before_days: before, warn_before_days: 0 }, now);
    if dates.is_past() {
        faults.push(Fault::Expired { at });
    }
    if let Some(kind) = constraints.key
        && !key_fits(certificate, kind)
    {
        faults.push(Fault::Key { is: certificate.public_key().to_string(), must: key_text(kind) });
    }
    if !constraints.signature.is_empty() && !hash_fits(certificate, &constraints.signature) {
        let must: Vec<_> = constraints.signature.iter().map(|h| hash_text(*h)).collect();
        faults.push(Fault::Signature { is: certificate.signature().name.clone(), must: must.join(" or ") });
    }
    if dates.end == End::Due {
        faults.push(Fault::RenewDue { at, days: days::whole(days::between(now.as_second(), at)), before });
    }
    faults.extend(dates.begins.map(|from| Fault::NotYetValid { from }));
    if let Some(usages) = certificate.extended_key_usage() {
        for usage in &constraints.eku {
            if !usages.iter().any(|u| u == usage || u == "anyExtendedKeyUsage") {
                faults.push(Fault::EkuMissing { usage: usage.clone() });
            }
        }
    }
    if !certificate.has_san() {
        faults.push(Fault::SanMissing);
    }
    if let Some(by) = certificate.taken_for_ca_by() {
        faults.push(Fault::IsCa { by });
    }
    faults
}

/// Why a certificate may not be written into a store, because a JVM does not load it or nobody can tell; a clause, for people.
pub fn unwritable(certificate: &Certificate) -> Option<String> {
    match certificate.jvm() {
        JvmJudgement::Loads => None,
        JvmJudgement::Refused(why) => Some(format!("a JVM refuses every store that holds this certificate: {why}")),
        JvmJudgement::CannotTell(why) => {
            Some(format!("cannot tell whether a JVM loads a store that holds this certificate: {why}"))
        }
    }
}

fn key_fits(certificate: &Certificate, kind: KeyKind) -> bool {
    let key = certificate.public_key();
    match kind {
        KeyKind::Rsa(bits) => key.algorithm == KeyAlgorithm::Rsa && key.bits >= bits,
        KeyKind::Ec(bits) => key.algorithm == KeyAlgorithm::Ec && key.bits >= bits,
    }
}

fn key_text(kind: KeyKind) -> String {
    match kind {
        KeyKind::Rsa(bits) => format!("RSA {bits} or longer"),
        KeyKind::Ec(bits) => format!("EC {bits} or longer"),
    }
}

fn hash_fits(certificate: &Certificate, allowed: &[SignatureHash]) -> bool {
    let Some(hash) = certificate.signature().hash else {
        return false;
    };
    allowed.iter().any(|a| match a {
        SignatureHash::Sha256 => hash == HashAlgorithm::Sha256,
        SignatureHash::Sha384 => hash == HashAlgorithm::Sha384,
        SignatureHash::Sha512 => hash == HashAlgorithm::Sha512,
    })
}

fn hash_text(hash: SignatureHash) -> &'static str {
    match hash {
        SignatureHash::Sha256 => "SHA-256",
        SignatureHash::Sha384 => "SHA-384",
        SignatureHash::Sha512 => "SHA-512",
    }
}
