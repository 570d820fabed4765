//! The purpose of a certificate: the sides of connections that its owner takes, and the extended key usages that follow from that.

use std::fmt;

use crate::name::RuleId;

/// An extended key usage that TLS connections look at (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExtendedUsage {
    /// The certificate authenticates a server.
    ServerAuth,
    /// The certificate authenticates a client.
    ClientAuth,
}

impl ExtendedUsage {
    /// The usage as profiles and certificates write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServerAuth => "serverAuth",
            Self::ClientAuth => "clientAuth",
        }
    }
}

impl fmt::Display for ExtendedUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The side that the subject of a rule takes on the connections of the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// The truster connects to the subject.
    #[default]
    Server,
    /// The subject connects to the truster, which asks for the subject's certificate.
    Client,
    /// Both, as the connections go.
    Both,
}

impl Purpose {
    /// The usages that a certificate for this purpose must allow.
    pub fn usages(self) -> &'static [ExtendedUsage] {
        match self {
            Self::Server => &[ExtendedUsage::ServerAuth],
            Self::Client => &[ExtendedUsage::ClientAuth],
            Self::Both => &[ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth],
        }
    }
}

/// A usage that an identity's certificate must allow, if the certificate limits its use at all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageNeed {
    /// The usage.
    pub usage: ExtendedUsage,
    /// The rule or guide that needs the usage.
    pub by: NeededBy,
    /// The document that says so.
    pub source: String,
}

/// The rule or guide that needs a usage of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeededBy {
    /// A rule: some store trusts the identity because of it.
    Rule {
        /// The rule.
        rule: RuleId,
        /// The purpose of the rule's trust.
        why: String,
    },
    /// The identity itself, whatever trusts it: the vendor's guide describes its certificate so.
    Identity(RuleId),
}

/// A common name that documents give an identity's certificate beside the FQDN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonName {
    /// The common name, for this host.
    pub text: String,
    /// Whether no other host of the estate, present or past, can have this common name. If another can, the name
    /// identifies only a certificate whose owner is known anyway.
    pub is_unique: bool,
}
