//! One change: what will be done to one entry, why, and what stands there before and after.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trustmason_keystore::{Alias, Certificate, EntryId, Fingerprint, StoredAlias};
use trustmason_spec::name::{IdentityId, RuleId, StoreId};
use trustmason_spec::topology::KeyAt;

pub use crate::change_id::ChangeId;
use crate::finding::Kind;

/// The three steps of every certificate change (contract §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Trusters learn the new certificate.
    Extend,
    /// The identity changes.
    Install,
    /// The old certificate leaves, aliases settle.
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

/// What kind of change it is; the public word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A trusted certificate entry is added.
    Import,
    /// A trusted certificate entry gets another certificate.
    Replace,
    /// A trusted certificate entry gets another alias.
    Rename,
    /// A trusted certificate entry leaves.
    Delete,
    /// An identity gets a new key and certificate.
    Regenerate,
    /// A CA's reply becomes an identity's chain.
    Install,
}

impl Action {
    /// The public word.
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

    /// The sign in front of a plan line.
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

/// Why an entry leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeleteReason {
    /// An identity had it before.
    Predecessor,
    /// It names only hosts that left.
    Retired,
    /// The spec distrusts it.
    Distrust,
    /// We placed it and nobody wants it any more.
    NoLongerWanted,
    /// The store is exclusive and nobody declared it.
    Exclusive,
}

impl DeleteReason {
    /// The public word.
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

/// A certificate that goes somewhere.
#[derive(Clone, Debug)]
pub enum Material {
    /// It exists.
    Known(Arc<Certificate>),
    /// This run mints it.
    Minted(IdentityId),
}

impl Material {
    /// The fingerprint of a certificate that exists already.
    pub fn known(&self) -> Option<Fingerprint> {
        self.key().ok()
    }

    /// What tells one from another; those that exist come first.
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

/// Where the certificate of a key comes from that is put in an identity's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// Self-signed, made by this run or staged by one before.
    Minted,
    /// A CA's reply.
    Replied,
}

/// What the executor does to one entry. Everything it needs is here; it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Add a trusted certificate entry.
    Import {
        /// Its alias; `None` where the store has none.
        alias: Option<Alias>,
        /// Its certificate.
        material: Material,
    },
    /// Put another certificate in the place of these entries.
    Replace {
        /// The entries that leave; more than one where the file holds twins of an alias.
        entries: Vec<EntryId>,
        /// The alias afterwards.
        alias: Option<Alias>,
        /// The certificate.
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
    /// Put a new key in an identity's entry, with its self-signed certificate or with what its CA replied.
    InstallKey {
        /// The present entry, if there is one.
        entry: Option<EntryId>,
        /// Which key of the store it is.
        at: KeyAt,
        /// The identity.
        identity: IdentityId,
        /// Where its certificate comes from.
        issued: Issued,
    },
}

impl Deed {
    /// The public word for it.
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

    /// The identity whose minting it waits for.
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
    /// Issuer.
    pub issuer: String,
    /// Serial, lower-case hex.
    pub serial: String,
    /// SHA-256 over the DER.
    pub sha256: Fingerprint,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Whether it is a CA's by its basic constraints (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
}

impl CertificateView {
    /// Takes them from a certificate.
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

/// What stands there afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// This certificate.
    Known(CertificateView),
    /// One this run makes; its subject is known, the rest after apply.
    Minted {
        /// The subject.
        subject: String,
    },
    /// The same certificate under another alias.
    Alias(Alias),
    /// Nothing.
    Gone,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// `generated`, `store`, `file` or `reply`.
    pub kind: FromKind,
    /// The identity, store and alias, or file.
    pub place: String,
    /// Its fingerprint, once known.
    pub sha256: Option<Fingerprint>,
}

/// Kinds of origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FromKind {
    /// Made by this run (or staged by one before).
    Generated,
    /// A key entry of the subject's own store.
    Store,
    /// A file.
    File,
    /// A CA's reply.
    Reply,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub id: ChangeId,
    /// Its phase.
    pub phase: Phase,
    /// The store.
    pub store: StoreId,
    /// The alias as it stands in the store now (new entries: as it will).
    pub alias: Option<StoredAlias>,
    /// What the executor does.
    pub deed: Deed,
    /// The finding it mends.
    pub finding: Kind,
    /// For people.
    pub reason: String,
    /// The rule behind it.
    pub rule: Option<RuleId>,
    /// The document behind the rule.
    pub source: Option<String>,
    /// What stands there now.
    pub before: Option<CertificateView>,
    /// What will.
    pub after: After,
    /// Where that comes from.
    pub from: Option<From>,
    /// Changes that must have succeeded first.
    pub depends_on: Vec<ChangeId>,
}

impl fmt::Display for Change {
    /// The one line for it in plans, logs and reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.deed.action();
        write!(f, "{} {action}", action.symbol())?;
        if let Some(alias) = &self.alias {
            write!(f, " {}", crate::text::escape(alias))?;
        }
        if let After::Alias(to) = &self.after {
            write!(f, " to {}", crate::text::escape(to.as_str()))?;
        }
        Ok(())
    }
}
