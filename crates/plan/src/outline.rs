//! The whole plan: its changes, and everything a person needs around them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trustmason_keystore::{Alias, Certificate, Digest, Fingerprint, Format, StoredAlias};
use trustmason_spec::name::{Fqdn, IdentityId, RuleId, ServiceId, StoreId};
use trustmason_spec::topology::{KeyPlace, Side};
use trustmason_spec::windows::SystemPlace;

use crate::change::{Action, Change, ChangeId, Material, Phase};
use crate::finding::{Finding, Kind};
use crate::ledger::Reading;
use crate::observed::Input;
use crate::site::Site;
use crate::target::{Called, HandOffTarget};
use crate::why::Why;

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

/// What a store must be when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No file.
    Absent,
    /// A file with this digest.
    Digest(Digest),
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
    /// Where the machine that looked found it, or would look for it; for people.
    pub path: String,
    /// Where it is, for the executor; `None` where nothing can be written.
    pub site: Option<Site>,
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
    pub alias: Option<Alias>,
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

    /// Whether it is about the next certificate, which a CA issues, and not about the present one.
    pub fn is_of_next(self) -> bool {
        matches!(self, Self::CsrPending | Self::AtCa | Self::Validated)
    }
}

/// What a person has to mend before something can be judged or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The finding that names it.
    pub kind: Kind,
    /// The obstacle, and what to do about it.
    pub why: String,
}

impl Obstacle {
    /// The obstacle that a reason is.
    pub fn of(why: &Why) -> Self {
        Self { kind: why.finding(), why: why.to_string() }
    }
}

/// An identity's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityVerdict {
    /// Nothing becomes of it in this plan.
    Rests,
    /// This change gives it its new key.
    Change(ChangeId),
    /// This plan makes its next key, which waits in staging: its trusters learn the certificate first, or a person installs it.
    Begins,
    /// A change of its certificate is under way, and this plan goes on with it.
    GoesOn,
    /// This plan makes a key and a request for its authority.
    Requests,
    /// Something must happen first that no plan does: a restart, a hand-off, an authority's reply.
    Waits {
        /// Why what its authority replied so far may not be used.
        obstacle: Option<Obstacle>,
    },
    /// A person makes it anew; why.
    Manual(String),
    /// A change of its certificate is under way or begins, and cannot go on.
    Held(Obstacle),
    /// Whether it needs another certificate cannot be judged, or it cannot get it, for a reason that is its own.
    Blocked(Obstacle),
    /// Which certificate it has cannot be told, or may not be used; the store it lives in and the edges to it say so.
    Unknown,
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
    pub certificate: Option<Arc<Certificate>>,
    /// What it waits for.
    pub awaits: Option<String>,
    /// The verdict.
    pub verdict: IdentityVerdict,
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
    HandOff(Called),
    /// A CA replied.
    Reply(IdentityId),
}

impl Wait {
    /// The service, where it is a restart.
    pub fn restart(&self) -> Option<&ServiceId> {
        match self {
            Self::Restart(service) => Some(service),
            Self::HandOff(_) | Self::Reply(_) => None,
        }
    }

    /// The identity, where it is a CA's reply.
    pub fn reply(&self) -> Option<&IdentityId> {
        match self {
            Self::Reply(identity) => Some(identity),
            Self::HandOff(_) | Self::Restart(_) => None,
        }
    }

    /// The host it happens on.
    pub fn host(&self) -> &Fqdn {
        match self {
            Self::Restart(id) => &id.host,
            Self::HandOff(called) => called.target().host(),
            Self::Reply(id) => &id.host,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart(service) => write!(f, "the restart of {service}"),
            Self::HandOff(called) => write!(f, "the hand-off of {called}"),
            Self::Reply(identity) => write!(f, "the reply for {identity}"),
        }
    }
}

/// A change of a later phase, as far as it is sure already. What it will find there is only known then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forecast {
    /// Its phase.
    pub phase: Phase,
    /// The store.
    pub store: StoreId,
    /// The alias then.
    pub alias: Option<StoredAlias>,
    /// What will be done.
    pub action: Action,
    /// The alias afterwards, where that is what changes.
    pub to: Option<Alias>,
    /// The identity whose rotation it belongs to.
    pub identity: IdentityId,
}

impl Forecast {
    /// Whether a change is the one that was foretold.
    pub fn foretells(&self, change: &Change) -> bool {
        self.phase == change.phase
            && self.store == change.store
            && self.alias == change.alias
            && self.action == change.deed.action()
    }
}

/// Trust that fails for a while because an identity changes before its trusters can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The identity.
    pub identity: IdentityId,
    /// Why its trusters cannot learn of it first.
    pub why: String,
    /// The edges that fail until their trusters have followed and were restarted, by id.
    pub edges: Vec<String>,
}

/// A restart that becomes needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The service.
    pub service: ServiceId,
    /// Its name for people.
    pub name: String,
    /// The changes behind it; none where an earlier run's are.
    pub because: Vec<ChangeId>,
    /// Since when it is pending, where an earlier run's changes are behind it.
    pub pending_since: Option<Timestamp>,
    /// Whether a rotation waits for it before its next phase.
    pub rotation: bool,
    /// Whether `apply` restarts it, by the command the spec gives for it.
    pub by_command: bool,
    /// In which step it is restarted, from 1: the sides of a role, and the nodes of a cluster, never in one.
    pub step: u32,
}

/// Work for a person on one store or identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    /// The store or identity, by the name people have for it.
    pub called: Called,
    /// What kind of work it is.
    pub kind: ManualKind,
    /// Why it must be done, where no certificate of it says so.
    pub reason: Option<String>,
    /// Certificates that must be there afterwards.
    pub add: Vec<ManualItem>,
    /// Certificates to look for, and to add if absent (nobody can see the store).
    pub verify: Vec<ManualItem>,
    /// Certificates that must leave.
    pub remove: Vec<Withdrawal>,
    /// Of a Windows store: which system stores it is.
    pub system: Option<SystemPlace>,
    /// Certificates that the pack of another store brings into the same system store of this host.
    pub elsewhere: BTreeMap<Material, Called>,
    /// What to do, one step a line.
    pub steps: Vec<String>,
    /// Services to restart afterwards.
    pub restarts: Vec<Restart>,
    /// Since when a pack of this very content waits.
    pub waiting_since: Option<Timestamp>,
}

impl Manual {
    /// The store or identity.
    pub fn target(&self) -> &HandOffTarget {
        self.called.target()
    }
}

/// Kinds of work for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ManualKind {
    /// Bring certificates into a store we cannot write.
    #[serde(rename = "trust")]
    Store,
    /// Make an identity anew where we cannot.
    #[serde(rename = "certificate")]
    Identity,
    /// Export a certificate again: the one known here is older than one in use.
    Export,
}

/// One certificate in a person's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualItem {
    /// The certificate.
    pub material: Material,
    /// The identity or certificate of the spec that it belongs to.
    pub subject: String,
    /// What it is for.
    pub why: String,
    /// The rule.
    pub rule: Option<RuleId>,
}

/// One certificate that a person takes out of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its fingerprint.
    pub sha256: Fingerprint,
    /// The certificate itself, where it was seen: of one that a person once said to be there nobody may know more.
    pub certificate: Option<Arc<Certificate>>,
    /// The identity or certificate of the spec that it belonged to.
    pub subject: String,
    /// Why it leaves.
    pub why: String,
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
    pub request: usize,
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
            request,
            unchanged: _,
            manual: _,
            blocked: _,
            unobserved: _,
            waiting: _,
        } = *self;
        import + replace + rename + delete + regenerate + install + request
    }
}

/// Something that cannot be judged or done before a person has mended what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What: a trust relation, a store or an identity.
    pub what: String,
    /// The finding that names the obstacle.
    pub kind: Kind,
    /// The obstacle, and what to do about it.
    pub why: String,
}

/// A key this run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// The identity.
    pub identity: IdentityId,
    /// Where its key goes.
    pub place: KeyPlace,
    /// A key of an earlier run that is resumed: its certificate.
    pub resumed: Option<Arc<Certificate>>,
    /// Who issued that, nearest first; nobody if it is self-signed.
    pub issuers: Vec<Arc<Certificate>>,
    /// The authority a request is made for; the key waits until it replied.
    pub request: Option<String>,
    /// The certificate it replaces.
    pub replaces: Option<Fingerprint>,
    /// Whether trusters know the new certificate beside the old one, which they keep until its service was restarted.
    pub staged: bool,
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
    pub forecast: Vec<Forecast>,
    /// What stands between phases.
    pub barriers: Vec<Barrier>,
    /// The hand-offs that must be confirmed before a restart counts for the rotations that wait for it: until then the service has
    /// nothing new to read.
    pub first: BTreeMap<ServiceId, BTreeSet<Called>>,
    /// The next certificates of rotations that a service reads when it is restarted now.
    pub readers: BTreeMap<ServiceId, Reading>,
    /// Trust that fails for a while.
    pub interruptions: Vec<Interruption>,
    /// Findings, sorted.
    pub findings: Vec<Finding>,
    /// Restarts that become needed or are still pending, in the order they are made.
    pub restarts: Vec<Restart>,
    /// Work for people.
    pub manual: Vec<Manual>,
    /// Keys to make.
    pub mints: BTreeMap<IdentityId, Mint>,
    /// What is blocked; [`Summary::blocked`] is their number.
    pub blocked: Vec<Blocked>,
    /// The numbers.
    pub summary: Summary,
}

impl Plan {
    /// The obstacles, each once with all that it blocks, in the order in which they first stand in the way.
    pub fn obstacles(&self) -> Vec<(&Blocked, BTreeSet<&str>)> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all: Vec<(&Blocked, BTreeSet<&str>)> = Vec::new();
        for one in &self.blocked {
            let number = *numbers.entry(&one.why).or_insert(all.len());
            match all.get_mut(number) {
                Some((_, what)) => drop(what.insert(&one.what)),
                None => all.push((one, BTreeSet::from([one.what.as_str()]))),
            }
        }
        all
    }

    /// A change by its number.
    pub fn change(&self, id: ChangeId) -> Option<&Change> {
        self.changes.iter().find(|c| c.id == id)
    }

    /// What people call a hand-off: as its work is called, or, where it has none in this plan, in full.
    pub fn called(&self, target: &HandOffTarget) -> String {
        let work = self.manual.iter().find(|work| work.target() == target);
        work.map_or_else(|| target.full(), |work| work.called.to_string())
    }

    /// Whether there is nothing to do and nothing unknown: the only state called "No changes." without a but.
    pub fn is_settled(&self) -> bool {
        let s = &self.summary;
        s.changes() == 0 && s.manual == 0 && s.blocked == 0 && s.unobserved == 0 && s.waiting == 0
    }
}
