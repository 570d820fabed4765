//! The one judge of certificates. It takes a certificate, an identity and a moment, and gives the faults of the
//! certificate. The same rules decide whether an identity needs a new certificate and check each certificate that was
//! created.
#![warn(clippy::arithmetic_side_effects)]

use std::fmt;

use jiff::Timestamp;
use trustmason_keystore::{CaMark, Certificate, HashAlgorithm, JvmJudgement, KeyAlgorithm};
use trustmason_spec::topology::{
    CommonName, ExtendedUsage, IdentityDef, KeyKind, LeadTime, NeededBy, SignatureHash, UsageNeed,
};

use crate::days;
use crate::finding::FindingKind;
use crate::text;

/// A requirement that a certificate does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The certificate does not name its host.
    NotNamed {
        /// The names that the certificate carries.
        carries: String,
        /// The name that the certificate must carry.
        must: String,
    },
    /// The CN is not the FQDN, though the role requires that, or though nothing else in the certificate names its host.
    CnNotFqdn {
        /// The CN that the certificate has.
        cn: String,
        /// The CN that the certificate must have, or the CNs that it may have.
        must: String,
        /// The document that says so, if the role names one.
        source: Option<String>,
    },
    /// The key is of another kind or too short.
    Key {
        /// The key that the certificate has.
        is: String,
        /// The requirement of the role.
        must: String,
    },
    /// The signature uses a hash the role does not allow.
    Signature {
        /// The signature algorithm that the certificate has.
        is: String,
        /// The requirement of the role.
        must: String,
    },
    /// The certificate has ended.
    Expired {
        /// The end of the certificate, in seconds since 1970.
        at: i64,
    },
    /// The certificate ends within `renew_before`.
    RenewDue {
        /// The end of the certificate, in seconds since 1970.
        at: i64,
        /// The days that are left.
        days: usize,
        /// `renew_before`, applied to the certificate.
        rule: RenewalRule,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// The first second of the certificate, in seconds since 1970.
        from: i64,
    },
    /// The certificate has no SAN; browsers and newer clients require one.
    SanMissing,
    /// A validator may take the certificate for a CA's.
    IsCa {
        /// The property that makes it look like a CA's.
        by: CaMark,
    },
    /// The certificate limits its use and leaves out a usage that the role needs.
    EkuMissing {
        /// The usage that is missing.
        usage: ExtendedUsage,
        /// The first rule or guide that needs the usage.
        need: UsageNeed,
        /// How many other rules and identities of the profiles need it too.
        others: usize,
    },
}

impl Violation {
    /// Whether only a new certificate repairs this fault.
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

    /// Whether the fault is about a date of the certificate.
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

    /// The kind of finding that reports this fault.
    pub fn kind(&self) -> FindingKind {
        match self {
            Self::NotNamed { .. } | Self::CnNotFqdn { .. } => FindingKind::NameMismatch,
            Self::Key { .. } => FindingKind::WeakKey,
            Self::Signature { .. } => FindingKind::WeakSignature,
            Self::Expired { .. } => FindingKind::Expired,
            Self::RenewDue { .. } => FindingKind::Expiring,
            Self::NotYetValid { .. } => FindingKind::NotYetValid,
            Self::SanMissing => FindingKind::SanMissing,
            Self::IsCa { .. } => FindingKind::HostIsCa,
            Self::EkuMissing { .. } => FindingKind::EkuMissing,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed { carries, must } => write!(f, "it names {carries}, but must name {must}"),
            Self::CnNotFqdn { cn, must, source } => {
                write!(f, "CN is {cn}, but must be {must}")?;
                source.iter().try_for_each(|source| write!(f, " ({source})"))
            }
            Self::Key { is, must } => write!(f, "its key is {is}, but must be {must}"),
            Self::Signature { is, must } => write!(f, "it is signed with {is}, but must be signed with {must}"),
            Self::Expired { at } => write!(f, "it expired on {}", text::day(*at)),
            Self::RenewDue { at, days, rule } => {
                write!(f, "it ends on {}, in {} ({rule})", text::day(*at), text::count(*days, "day"))
            }
            Self::NotYetValid { from } => write!(f, "it is not valid before {}", text::time(*from)),
            Self::SanMissing => f.write_str("it has no subject alternative name"),
            Self::IsCa { by } => {
                write!(
                    f,
                    "its certificate {by}: a person with its key can impersonate any host to every store that trusts it"
                )
            }
            Self::EkuMissing { usage, need, others } => {
                match &need.by {
                    NeededBy::Rule { rule, why } => {
                        write!(f, "its extended key usage leaves out {usage}, which {rule} needs: {why}")?;
                    }
                    NeededBy::Identity(id) => {
                        write!(f, "its extended key usage leaves out {usage}, which {id} needs ({})", need.source)?;
                    }
                }
                if *others == 0 { Ok(()) } else { write!(f, " (and {others} more)") }
            }
        }
    }
}

/// How long before its end a certificate is renewed, and how long before its end people are warned. By default only the
/// end matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// `renew_before`. `None` for a certificate that this program does not renew.
    pub renew_before: Option<LeadTime>,
    /// `warn_before`. `None` for a certificate about which nobody is warned before its end.
    pub warn_before: Option<LeadTime>,
}

/// The seconds that a certificate lives. Its last second belongs to its lifetime (RFC 5280 §4.1.2.5).
fn lifetime(certificate: &Certificate) -> i64 {
    days::between(certificate.not_before(), days::later(certificate.not_after(), 1))
}

/// `renew_before` of an identity, applied to a certificate with a lifetime of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalRule {
    /// The setting.
    before: LeadTime,
    /// The seconds that the certificate lives.
    lifetime: i64,
}

impl RenewalRule {
    /// Whether the certificate was due from its first second: no certificate with this lifetime satisfies the setting.
    pub fn is_whole_life(self) -> bool {
        self.before.is_whole_life(self.lifetime)
    }

    /// The setting.
    pub fn before(self) -> LeadTime {
        self.before
    }

    /// The lifetime of the certificate, in words.
    pub fn lifetime(self) -> String {
        text::span(self.lifetime)
    }
}

impl fmt::Display for RenewalRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, lifetime } = *self;
        let seconds = before.seconds(lifetime);
        let part = match before {
            LeadTime::Days(days) if self.is_whole_life() => {
                let lives = self.lifetime();
                return write!(
                    f,
                    "renew_before is {days}d, but it was issued for {lives}: it was due from its first day"
                );
            }
            LeadTime::Days(days) => return write!(f, "renew_before is {days}d"),
            LeadTime::Default if seconds >= days::term(LeadTime::DEFAULT_DAYS) => {
                return write!(f, "renew_before is {}d", LeadTime::DEFAULT_DAYS);
            }
            LeadTime::Default => "a third".to_owned(),
            LeadTime::Share(percent) => percent.to_string(),
        };
        write!(f, "renew_before is {part} of its {}: {}", self.lifetime(), text::span(seconds))
    }
}

/// How the dates of a certificate relate to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// The first second of the certificate in seconds since 1970, if it is still to come.
    pub begins: Option<i64>,
    /// How near the end of the certificate is.
    pub end: ExpiryStage,
}

/// How near the end of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryStage {
    /// The certificate has ended.
    Past,
    /// The end is so near that the certificate must be renewed.
    Due,
    /// The end is so near that people are warned.
    Soon,
    /// The end is not near.
    Far,
}

impl Dates {
    /// Whether the certificate has ended.
    pub fn is_past(self) -> bool {
        self.end == ExpiryStage::Past
    }
}

/// Judges the dates of any certificate: an identity's, an authority's, a declared one, or one in a store.
pub fn dates(certificate: &Certificate, terms: Terms, now: Timestamp) -> Dates {
    let now = now.as_second();
    let (from, at) = (certificate.not_before(), certificate.not_after());
    let is_within = |before: Option<LeadTime>| {
        before.is_some_and(|lead| days::between(now, at) < lead.seconds(lifetime(certificate)))
    };
    let end = if at < now {
        ExpiryStage::Past
    } else if is_within(terms.renew_before) {
        ExpiryStage::Due
    } else if is_within(terms.warn_before) {
        ExpiryStage::Soon
    } else {
        ExpiryStage::Far
    };
    Dates { begins: (from > now).then_some(from), end }
}

/// The names that a certificate carries, as text for people.
pub fn carries(certificate: &Certificate) -> String {
    let names = certificate.names_carried();
    if names.is_empty() { "no host at all".to_owned() } else { text::escape(&names.join(", ")) }
}

/// Whether a certificate carries a wildcard name (RFC 6125 §6.4.3). A wildcard counts as the name of no host here.
pub(crate) fn has_wildcard(certificate: &Certificate) -> bool {
    certificate.names_carried().iter().any(|name| name.contains('*'))
}

/// The words that explain why a wildcard name does not count.
pub(crate) const OF_WILDCARDS: &str = "a wildcard does not count as the name of a host";

/// Whether the identity's own certificate names its host: by its full name, by a name that the spec adds to the
/// identity, or by a common name that a document gives it.
///
/// Only for a certificate whose owner is known: from the identity's key entry or file, for its key, or from its
/// service. [`identifies`] judges the others.
pub fn names(certificate: &Certificate, identity: &IdentityDef) -> bool {
    names_in_full(certificate, identity) || common_name(certificate, identity).is_some()
}

/// Whether a certificate that was found elsewhere, such as in a truster's store, can only be this identity's host's. A
/// common name that another host of the estate can have proves nothing.
pub fn identifies(certificate: &Certificate, identity: &IdentityDef) -> bool {
    names_in_full(certificate, identity) || has_unique_cn(certificate, identity)
}

/// Whether a certificate has a common name of a document that no other host of the estate can have.
pub(crate) fn has_unique_cn(certificate: &Certificate, identity: &IdentityDef) -> bool {
    common_name(certificate, identity).is_some_and(|name| name.is_unique)
}

fn names_in_full(certificate: &Certificate, identity: &IdentityDef) -> bool {
    certificate.names_host(identity.id.host.as_str())
        || identity.names.iter().any(|n| certificate.names_host(n.as_str()))
}

/// The common name of a document that the certificate has. A DNS name in the certificate counts more than its CN (RFC
/// 6125 §6.4.4), so a certificate with DNS names has none.
fn common_name<'i>(certificate: &Certificate, identity: &'i IdentityDef) -> Option<&'i CommonName> {
    let cn = certificate.common_name().filter(|_| certificate.dns_names().is_empty())?;
    identity.constraints.common_names.iter().find(|known| known.text.eq_ignore_ascii_case(cn))
}

/// All faults of a certificate, the gravest first.
pub fn judge(certificate: &Certificate, identity: &IdentityDef, now: Timestamp) -> Vec<Violation> {
    let mut faults = Vec::new();
    let constraints = &identity.constraints;
    let must = identity.id.host.as_str();
    let source = constraints.source.clone();
    if !names(certificate, identity) {
        let only_cn = !certificate.has_san() && certificate.common_name().is_some();
        faults.push(match certificate.common_name() {
            Some(cn) if only_cn && !cn.contains('*') => {
                let allowed = constraints.common_names.iter().map(|name| name.text.as_str());
                let must = std::iter::once(must).chain(allowed.filter(|name| *name != must)).collect::<Vec<_>>();
                Violation::CnNotFqdn { cn: text::escape(cn), must: must.join(" or "), source }
            }
            _ if has_wildcard(certificate) => {
                let carries = format!("{} ({OF_WILDCARDS})", carries(certificate));
                Violation::NotNamed { carries, must: must.to_owned() }
            }
            _ => Violation::NotNamed { carries: carries(certificate), must: must.to_owned() },
        });
    } else if constraints.cn_is_fqdn && !certificate.common_name().is_some_and(|cn| cn.eq_ignore_ascii_case(must)) {
        let cn = certificate.common_name().map_or_else(|| "absent".to_owned(), text::escape);
        faults.push(Violation::CnNotFqdn { cn, must: must.to_owned(), source });
    }
    let at = certificate.not_after();
    let before = identity.renew_before;
    let dates = dates(certificate, Terms { renew_before: Some(before), warn_before: None }, now);
    if dates.is_past() {
        faults.push(Violation::Expired { at });
    }
    if let Some(kind) = constraints.key
        && !key_fits(certificate, kind)
    {
        faults.push(Violation::Key { is: certificate.public_key().to_string(), must: key_text(kind) });
    }
    if !constraints.signature.is_empty() && !hash_fits(certificate, &constraints.signature) {
        let must: Vec<_> = constraints.signature.iter().map(|h| hash_text(*h)).collect();
        faults.push(Violation::Signature { is: certificate.signature().name.clone(), must: must.join(" or ") });
    }
    if dates.end == ExpiryStage::Due {
        let rule = RenewalRule { before, lifetime: lifetime(certificate) };
        faults.push(Violation::RenewDue { at, days: days::whole(days::between(now.as_second(), at)), rule });
    }
    faults.extend(dates.begins.map(|from| Violation::NotYetValid { from }));
    let missing = [ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth].into_iter();
    let missing = missing.filter(|usage| !allows(certificate, *usage));
    faults.extend(missing.filter_map(|usage| eku_missing(identity, usage)));
    if !certificate.has_san() {
        faults.push(Violation::SanMissing);
    }
    if let Some(by) = certificate.taken_for_ca_by() {
        faults.push(Violation::IsCa { by });
    }
    faults
}

/// The fault of a certificate that leaves out a usage. `None` if the identity does not need the usage.
pub(crate) fn eku_missing(identity: &IdentityDef, usage: ExtendedUsage) -> Option<Violation> {
    let mut needs = identity.needs.iter().filter(|need| need.usage == usage);
    let need = needs.next()?.clone();
    Some(Violation::EkuMissing { usage, need, others: needs.count() })
}

/// Whether a certificate may be used so: it does not limit its use, or allows this one.
pub(crate) fn allows(certificate: &Certificate, usage: ExtendedUsage) -> bool {
    let limits = certificate.extended_key_usage();
    limits.is_none_or(|usages| usages.iter().any(|u| u == usage.as_str() || u == "anyExtendedKeyUsage"))
}

/// Why a certificate must not be written into a store: a JVM does not load it, or that cannot be told. A clause for
/// people.
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
