//! The plan: what will be done, to which store, why, and what it expects to find there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Certificate, EntryId, Fingerprint, Format};
use trustmason_spec::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};
use trustmason_spec::topology::Side;

use crate::finding::{Finding, Kind};
use crate::observed::Input;
use crate::why::Why;

/// Number of a change within its plan, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct ChangeId(pub u32);

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a person asked for beside the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The spec, as it was named.
    pub spec: String,
    /// `--host` globs; a store is selected if any matches its host.
    pub hosts: Vec<String>,
    /// `--side`.
    pub side: Option<Side>,
    /// `--replace`.
    pub replace: Vec<IdentityId>,
    /// `--allow-deletes`.
    pub allow_deletes: Option<u32>,
    /// `--at`: judge dates as of then.
    pub at: Option<Timestamp>,
}

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Material {
    /// It exists; its DER is in [`Plan::certificates`].
    Known(Fingerprint),
    /// This run mints it.
    Minted(IdentityId),
}

/// What the executor does to one entry. Everything it needs is here; it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Add a trusted certificate entry.
    Import {
        /// Its alias; `None` where the store has none.
        alias: Option<String>,
        /// Its certificate.
        material: Material,
    },
    /// Put another certificate in the place of these entries.
    Replace {
        /// The entries that leave; more than one where the file holds twins of an alias.
        entries: Vec<EntryId>,
        /// The alias afterwards.
        alias: Option<String>,
        /// The certificate.
        material: Material,
    },
    /// Give an entry another alias.
    Rename {
        /// The entry.
        entry: EntryId,
        /// The new alias.
        to: String,
    },
    /// Remove an entry.
    Delete {
        /// The entry.
        entry: EntryId,
        /// Why.
        because: DeleteReason,
    },
    /// Put a new key and self-signed certificate in an identity's entry.
    Regenerate {
        /// The present entry, if there is one.
        entry: Option<EntryId>,
        /// The alias.
        alias: String,
        /// The identity.
        identity: IdentityId,
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
            Self::Regenerate { .. } => Action::Regenerate,
        }
    }

    /// The identity whose minting it waits for.
    pub fn waits_for(&self) -> Option<&IdentityId> {
        match self {
            Self::Import { material: Material::Minted(id), .. }
            | Self::Replace { material: Material::Minted(id), .. }
            | Self::Regenerate { identity: id, .. } => Some(id),
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
    Alias(String),
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
    pub alias: Option<String>,
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
            write!(f, " to {}", crate::text::escape(to))?;
        }
        Ok(())
    }
}

/// What a store must be when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No file.
    Absent,
    /// A file with this digest.
    Digest(Fingerprint),
}

/// A store's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreVerdict {
    /// Nothing to do.
    InSync,
    /// Changes to make.
    Change(Vec<ChangeId>),
    /// Nothing may be written.
    Blocked(Why),
}

/// How a store presented itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreState {
    /// It opened.
    Readable,
    /// No file.
    Absent,
    /// It did not open.
    Unreadable,
    /// A hand-off store without a mirror, or a host never opened.
    Unobserved,
}

/// One store of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreView {
    /// Its id.
    pub id: StoreId,
    /// Where it is.
    pub path: String,
    /// The real file, for the executor.
    pub file: Option<PathBuf>,
    /// The format found, or the one it will be made in.
    pub format: Option<Format>,
    /// Its state.
    pub state: StoreState,
    /// What it must be when written; `None` if it is never written.
    pub expect: Option<Expect>,
    /// Number of entries seen.
    pub entries: Option<usize>,
    /// Its verdict.
    pub verdict: StoreVerdict,
}

/// An edge's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeVerdict {
    /// The store trusts it.
    Held,
    /// A change makes it so.
    Change(ChangeId),
    /// A person makes it so; what for.
    Manual(String),
    /// It cannot be judged or done.
    Blocked(Why),
    /// Nobody can see the store.
    Unobserved,
}

/// One edge of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeView {
    /// The edge's id.
    pub id: String,
    /// The truster.
    pub store: StoreId,
    /// The alias wanted.
    pub alias: Option<String>,
    /// The subject.
    pub subject: String,
    /// The rule.
    pub rule: RuleId,
    /// What it is for.
    pub purpose: String,
    /// The document.
    pub source: String,
    /// The certificate it asks for, where known.
    pub sha256: Option<Fingerprint>,
    /// The verdict.
    pub verdict: EdgeVerdict,
}

/// The state of an identity (contract §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityState {
    /// In use.
    Active,
    /// A new key waits in staging.
    Minted,
    /// A key and a request were made.
    CsrPending,
    /// The request is with its CA.
    AtCa,
    /// The reply passed its guards.
    Validated,
    /// It must be made anew.
    RenewDue,
    /// Nothing is known of it.
    Unknown,
}

impl IdentityState {
    /// The public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Minted => "minted",
            Self::CsrPending => "csr-pending",
            Self::AtCa => "at-ca",
            Self::Validated => "validated",
            Self::RenewDue => "renew-due",
            Self::Unknown => "unknown",
        }
    }
}

/// One identity of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityView {
    /// Its id.
    pub id: IdentityId,
    /// Its state.
    pub state: IdentityState,
    /// `self-signed` or the issuer's name.
    pub issuer: Option<String>,
    /// Its certificate now.
    pub sha256: Option<Fingerprint>,
    /// Its end, seconds since 1970.
    pub not_after: Option<i64>,
    /// What it waits for.
    pub awaits: Option<String>,
}

/// What stands between two phases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The phase before it.
    pub after_phase: Phase,
    /// What must have happened.
    pub waits_for: Vec<Wait>,
}

/// One thing a barrier waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// A service was restarted.
    Restart(ServiceId),
    /// A pack was confirmed.
    HandOff(StoreId),
    /// A CA replied.
    Reply(IdentityId),
}

/// A restart that becomes needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The service.
    pub service: ServiceId,
    /// Its name for people.
    pub name: String,
    /// The changes behind it.
    pub because: Vec<ChangeId>,
}

/// Work for a person on one store or identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    /// The host.
    pub host: Fqdn,
    /// The store, or `FQDN/IDENTITY` for an identity a person replaces.
    pub target: StoreId,
    /// What kind of work it is.
    pub kind: ManualKind,
    /// Certificates that must be there afterwards.
    pub add: Vec<ManualItem>,
    /// Certificates to look for, and to add if absent (nobody can see the store).
    pub verify: Vec<ManualItem>,
    /// Certificates that must leave.
    pub remove: Vec<ManualItem>,
    /// What to do, one step a line.
    pub steps: Vec<String>,
    /// Services to restart afterwards.
    pub restarts: Vec<Restart>,
    /// Since when a pack of this very content waits.
    pub waiting_since: Option<Timestamp>,
}

/// Kinds of work for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ManualKind {
    /// Bring certificates into a store we cannot write.
    Store,
    /// Make an identity anew where we cannot.
    Identity,
    /// Export a certificate again: the one known here is older than one in use.
    Export,
}

/// One certificate in a person's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualItem {
    /// The certificate.
    pub material: Material,
    /// Whose it is.
    pub subject: String,
    /// What it is for.
    pub why: String,
    /// The rule.
    pub rule: Option<RuleId>,
}

/// Numbers for the summary line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the contract's own words")]
pub struct Summary {
    pub import: usize,
    pub replace: usize,
    pub rename: usize,
    pub delete: usize,
    pub regenerate: usize,
    pub install: usize,
    pub unchanged: usize,
    pub manual: usize,
    pub blocked: usize,
    pub unobserved: usize,
    pub waiting: usize,
}

impl Summary {
    /// Changes in all.
    pub fn changes(&self) -> usize {
        let Self {
            import,
            replace,
            rename,
            delete,
            regenerate,
            install,
            unchanged: _,
            manual: _,
            blocked: _,
            unobserved: _,
            waiting: _,
        } = *self;
        import + replace + rename + delete + regenerate + install
    }
}

/// A key this run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// The identity.
    pub identity: IdentityId,
    /// The store its key goes to.
    pub store: StoreId,
    /// The alias there.
    pub alias: String,
    /// A key of an earlier run that is resumed: its certificate.
    pub resumed: Option<Fingerprint>,
    /// The certificate it replaces.
    pub replaces: Option<Fingerprint>,
}

/// A whole plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The estate.
    pub estate: String,
    /// When it was made (the clock that was passed in).
    pub created: Timestamp,
    /// What was asked.
    pub options: Options,
    /// Everything it was made from.
    pub inputs: Vec<Input>,
    /// Stores, by id.
    pub stores: Vec<StoreView>,
    /// Edges, by id.
    pub edges: Vec<EdgeView>,
    /// Identities, by id.
    pub identities: Vec<IdentityView>,
    /// Changes of the next phase (immediate rotation: of all phases), in the order they are reported.
    pub changes: Vec<Change>,
    /// Changes of later phases.
    pub forecast: Vec<Change>,
    /// What stands between phases.
    pub barriers: Vec<Barrier>,
    /// Findings, sorted.
    pub findings: Vec<Finding>,
    /// Restarts that become needed.
    pub restarts: Vec<Restart>,
    /// Work for people.
    pub manual: Vec<Manual>,
    /// Keys to make.
    pub mints: BTreeMap<IdentityId, Mint>,
    /// The certificates that changes and packs speak of.
    pub certificates: BTreeMap<Fingerprint, Arc<Certificate>>,
    /// The numbers.
    pub summary: Summary,
}

impl Plan {
    /// A change by its number.
    pub fn change(&self, id: ChangeId) -> Option<&Change> {
        self.changes.iter().find(|c| c.id == id)
    }

    /// Whether there is nothing to do and nothing unknown: the only state called "No changes." without a but.
    pub fn is_settled(&self) -> bool {
        let s = &self.summary;
        s.changes() == 0 && s.manual == 0 && s.blocked == 0 && s.unobserved == 0 && s.waiting == 0
    }
}
