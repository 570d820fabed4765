//! One change of a plan: what is done to one entry, why, and what the entry holds before and after. Plain data: nothing
//! here writes a store.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trustmason_keystore::{Alias, Certificate, EntryId, Fingerprint, StoredAlias};
use trustmason_spec::name::{IdentityId, RuleId, StoreId};
use trustmason_spec::topology::KeyAt;

pub use crate::change_id::ChangeId;
use crate::finding::FindingKind;

/// The three phases of a certificate change, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The trusting stores get the new certificate.
    Extend,
    /// The identity gets its new certificate.
    Install,
    /// The old certificate is deleted, and entries get their final aliases.
    Withdraw,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Extend => "extend",
            Self::Install => "install",
            Self::Withdraw => "withdraw",
        })
    }
}

/// The kind of a change, as plans and reports name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A trusted certificate entry is added.
    Import,
    /// A trusted certificate entry gets another certificate.
    Replace,
    /// A trusted certificate entry gets another alias.
    Rename,
    /// A trusted certificate entry is deleted.
    Delete,
    /// An identity gets a new key and certificate.
    Regenerate,
    /// A CA's reply is installed as an identity's chain.
    Install,
}

impl Action {
    /// The word for the action in plans and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Replace => "replace",
            Self::Rename => "rename",
            Self::Delete => "delete",
            Self::Regenerate => "regenerate",
            Self::Install => "install",
        }
    }

    /// The sign at the beginning of a plan line.
    pub fn symbol(self) -> char {
        match self {
            Self::Import => '+',
            Self::Replace | Self::Regenerate | Self::Install => '~',
            Self::Rename => '>',
            Self::Delete => '-',
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an entry is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeleteReason {
    /// An identity had the certificate before.
    Predecessor,
    /// The certificate names only hosts that left the estate.
    Retired,
    /// The spec distrusts the certificate.
    Distrust,
    /// This tool imported the certificate, and no rule wants it any more.
    NoLongerWanted,
    /// The store is exclusive, and the spec does not declare the certificate.
    Exclusive,
}

impl DeleteReason {
    /// The word for the reason in plans and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predecessor => "predecessor",
            Self::Retired => "retired",
            Self::Distrust => "distrust",
            Self::NoLongerWanted => "no-longer-wanted",
            Self::Exclusive => "exclusive",
        }
    }
}

/// A certificate that a change puts into a store.
#[derive(Clone, Debug)]
pub enum Material {
    /// The certificate exists already.
    Known(Arc<Certificate>),
    /// This run creates the certificate, for this identity.
    Minted(IdentityId),
}

impl Material {
    /// The fingerprint of a certificate that exists already.
    pub fn known(&self) -> Option<Fingerprint> {
        self.key().ok()
    }

    /// The value by which two materials are compared. Certificates that exist come first.
    fn key(&self) -> Result<Fingerprint, &IdentityId> {
        match self {
            Self::Known(certificate) => Ok(certificate.fingerprint()),
            Self::Minted(identity) => Err(identity),
        }
    }
}

impl PartialEq for Material {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Material {}

impl Ord for Material {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Material {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The origin of the certificate that is installed with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// Self-signed; created by this run, or by an earlier run that left it in staging.
    Minted,
    /// A CA's reply.
    Replied,
}

/// The edit that the executor makes to one entry. It holds everything that the executor needs; the executor decides
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Add a trusted certificate entry.
    Import {
        /// The alias of the new entry; `None` if the store has no aliases.
        alias: Option<Alias>,
        /// The certificate of the new entry.
        material: Material,
    },
    /// Replace these entries by one entry with another certificate.
    Replace {
        /// The entries that are removed; several if their aliases differ only in case or not at all.
        entries: Vec<EntryId>,
        /// The alias of the new entry.
        alias: Option<Alias>,
        /// The certificate of the new entry.
        material: Material,
    },
    /// Give an entry another alias.
    Rename {
        /// The entry.
        entry: EntryId,
        /// The new alias.
        to: Alias,
    },
    /// Remove an entry.
    Delete {
        /// The entry.
        entry: EntryId,
        /// Why the entry is removed.
        because: DeleteReason,
    },
    /// Install a new key in an identity's entry, with its self-signed certificate or with its CA's reply.
    InstallKey {
        /// The entry that holds the key now, if there is one.
        entry: Option<EntryId>,
        /// Where in the store the key belongs.
        at: KeyAt,
        /// The identity.
        identity: IdentityId,
        /// The origin of the certificate.
        issued: Issued,
    },
}

impl Edit {
    /// The kind of the change.
    pub fn action(&self) -> Action {
        match self {
            Self::Import { .. } => Action::Import,
            Self::Replace { .. } => Action::Replace,
            Self::Rename { .. } => Action::Rename,
            Self::Delete { .. } => Action::Delete,
            Self::InstallKey { issued: Issued::Minted, .. } => Action::Regenerate,
            Self::InstallKey { issued: Issued::Replied, .. } => Action::Install,
        }
    }

    /// The identity whose new key must exist before this edit.
    pub fn waits_for(&self) -> Option<&IdentityId> {
        match self {
            Self::Import { material: Material::Minted(id), .. }
            | Self::Replace { material: Material::Minted(id), .. }
            | Self::InstallKey { identity: id, .. } => Some(id),
            Self::Import { .. } | Self::Replace { .. } | Self::Rename { .. } | Self::Delete { .. } => None,
        }
    }
}

/// The public facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateView {
    /// Subject in keytool's order.
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// Serial, lower-case hex.
    pub serial: String,
    /// SHA-256 over the DER.
    pub sha256: Fingerprint,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Whether the certificate is a CA's by its basic constraints (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
}

impl CertificateView {
    /// Takes the facts from a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            sha256: certificate.fingerprint(),
            not_after: certificate.not_after(),
            is_ca: certificate.is_ca(),
        }
    }
}

/// The state of the entry after the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryAfter {
    /// The entry holds this certificate.
    Known(CertificateView),
    /// The entry holds a certificate that this run creates. Only its subject is known before apply.
    Minted {
        /// The subject.
        subject: String,
    },
    /// The same certificate under another alias.
    Alias(Alias),
    /// The entry is deleted.
    Gone,
}

/// The origin of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateOrigin {
    /// The kind of origin.
    pub kind: FromKind,
    /// The identity, the store and alias, or the file.
    pub place: String,
    /// The fingerprint of the certificate, if known.
    pub sha256: Option<Fingerprint>,
}

/// The kind of origin of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FromKind {
    /// Created by this run, or by an earlier run that left it in staging.
    Generated,
    /// A key entry in the identity's own store.
    Store,
    /// A file.
    File,
    /// A CA's reply.
    Reply,
}

/// One change of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the change in its plan.
    pub id: ChangeId,
    /// The phase of the change.
    pub phase: Phase,
    /// The store.
    pub store: StoreId,
    /// The alias as the store spells it now; for a new entry the alias that it gets.
    pub alias: Option<StoredAlias>,
    /// The edit that the executor makes.
    pub edit: Edit,
    /// The finding that the change repairs.
    pub finding: FindingKind,
    /// The reason for the change, for people.
    pub reason: String,
    /// The rule behind the change.
    pub rule: Option<RuleId>,
    /// The document behind the rule.
    pub source: Option<String>,
    /// The certificate that the entry holds now.
    pub before: Option<CertificateView>,
    /// The state of the entry after the change.
    pub after: EntryAfter,
    /// The origin of the new certificate.
    pub from: Option<CertificateOrigin>,
    /// The changes that must succeed first.
    pub depends_on: Vec<ChangeId>,
}

impl fmt::Display for Change {
    /// The line for a change in plans, logs and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.edit.action();
        write!(f, "{} {action}", action.symbol())?;
        if let Some(alias) = &self.alias {
            write!(f, " {}", crate::text::escape(alias))?;
        }
        if let EntryAfter::Alias(to) = &self.after {
            write!(f, " to {}", crate::text::escape(to.as_str()))?;
        }
        Ok(())
    }
}
