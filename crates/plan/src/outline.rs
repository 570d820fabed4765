//! The plan, and the views of which it is made: changes, verdicts, findings, restarts and the work for people. Plain
//! data: other modules show a plan or carry it out.

mod unchanged;

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
use crate::finding::{Finding, FindingKind};
use crate::ledger::ServiceReading;
use crate::observed::Input;
use crate::site::Site;
use crate::target::{HandOffTarget, TargetName};
use crate::why::Why;

pub use unchanged::UnchangedTrusters;

/// The options that a person gives beside the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// The path of the spec, as the person gave it.
    pub spec: String,
    /// `--host` globs; a store is selected if any glob matches its host.
    pub hosts: Vec<String>,
    /// `--side`.
    pub side: Option<Side>,
    /// `--replace`.
    pub replace: Vec<IdentityId>,
    /// `--allow-deletes`.
    pub allow_deletes: Option<u32>,
    /// `--at`: the moment for which dates are judged.
    pub at: Option<Timestamp>,
}

/// The state that a store must have when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no file.
    Absent,
    /// The file has this digest.
    Digest(Digest),
}

/// The verdict on a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreVerdict {
    /// There is nothing to do.
    InSync,
    /// There are changes to make.
    Change(Vec<ChangeId>),
    /// Nothing may be written.
    Blocked(Why),
}

/// How a store was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreState {
    /// The store opened.
    Readable,
    /// There is no file.
    Absent,
    /// The store did not open.
    Unreadable,
    /// People change the store and it has no mirror, or its host is never opened.
    Unobserved,
}

/// One store of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreView {
    /// The id of the store.
    pub id: StoreId,
    /// The path where the machine that looked found the store, or would look for it; for people.
    pub path: String,
    /// Where the store is, for the executor; `None` if the store did not open and cannot be created.
    pub site: Option<Site>,
    /// The format that was found.
    pub format: Option<Format>,
    /// The state of the store.
    pub state: StoreState,
    /// The state that the store must have when it is written; `None` if it is never written.
    pub expect: Option<Expect>,
    /// The number of entries that were seen.
    pub entries: Option<usize>,
    /// The verdict on the store.
    pub verdict: StoreVerdict,
}

/// The verdict on an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeVerdict {
    /// The store trusts the subject.
    Held,
    /// A change adds the trust.
    Change(ChangeId),
    /// A person adds the trust; the work that is needed.
    Manual(String),
    /// The edge cannot be judged or served.
    Blocked(Why),
    /// Nobody can see the store.
    Unobserved,
}

/// One edge of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeView {
    /// The id of the edge.
    pub id: String,
    /// The trusting store.
    pub store: StoreId,
    /// The wanted alias.
    pub alias: Option<Alias>,
    /// The identity or certificate that the store should trust.
    pub subject: String,
    /// The rule behind the edge.
    pub rule: RuleId,
    /// The purpose of the trust.
    pub purpose: String,
    /// The document behind the rule.
    pub source: String,
    /// The fingerprint of the wanted certificate, if it is known.
    pub sha256: Option<Fingerprint>,
    /// The verdict.
    pub verdict: EdgeVerdict,
}

/// The state of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityState {
    /// The identity's certificate is in use.
    Active,
    /// A new key waits in staging.
    Minted,
    /// A key and a request are made.
    CsrPending,
    /// The request is at its CA.
    AtCa,
    /// The CA's reply passed its guards.
    Validated,
    /// The identity needs a new certificate.
    RenewDue,
    /// Nothing is known of the identity's certificate.
    Unknown,
}

impl IdentityState {
    /// The word for the state in documents.
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

    /// Whether the state is about the next certificate, which a CA issues, and not about the present one.
    pub fn is_of_next(self) -> bool {
        matches!(self, Self::CsrPending | Self::AtCa | Self::Validated)
    }
}

/// An obstacle that a person must remove before something can be judged or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The kind of finding that names the obstacle.
    pub kind: FindingKind,
    /// The obstacle, and what to do about it.
    pub why: String,
}

impl Obstacle {
    /// The obstacle that a reason describes.
    pub fn of(why: &Why) -> Self {
        Self { kind: why.finding(), why: why.to_string() }
    }
}

/// The verdict on an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityVerdict {
    /// Nothing happens to the identity in this plan.
    Rests,
    /// This change installs the identity's new key.
    Change(ChangeId),
    /// This plan makes the next key, which waits in staging. The trusters get its certificate first, or a person
    /// installs it.
    Begins,
    /// A rotation is under way, and this plan continues it.
    GoesOn,
    /// This plan makes a key and a request for the identity's authority.
    Requests,
    /// Something must happen first that no plan does: a restart, a hand-off, or an authority's reply.
    Waits {
        /// Why the authority's reply may not be used, if there is a reason.
        obstacle: Option<Obstacle>,
    },
    /// A person renews the certificate; the reason.
    Manual(String),
    /// A rotation is under way or begins, and cannot go on.
    Held(Obstacle),
    /// It cannot be judged whether the identity needs another certificate, or the identity cannot get one. The reason
    /// concerns only the identity.
    Blocked(Obstacle),
    /// The identity's certificate cannot be told, or may not be used. Its store and the edges to it report this.
    Unknown,
}

/// One identity of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityView {
    /// The id of the identity.
    pub id: IdentityId,
    /// The state of the identity.
    pub state: IdentityState,
    /// `self-signed` or the issuer's name.
    pub issuer: Option<String>,
    /// The present certificate.
    pub certificate: Option<Arc<Certificate>>,
    /// The event that the identity waits for.
    pub awaits: Option<String>,
    /// Why the renewal of the identity changes none of its trusters, if that is so.
    pub unchanged: Option<UnchangedTrusters>,
    /// The verdict on the identity.
    pub verdict: IdentityVerdict,
}

/// A barrier between two phases: events that must happen before the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The phase before the barrier.
    pub after_phase: Phase,
    /// The events that must happen.
    pub waits_for: Vec<Wait>,
}

/// One event that a barrier waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// The restart of a service.
    Restart(ServiceId),
    /// The confirmation of a pack.
    HandOff(TargetName),
    /// The reply of a CA for this identity.
    Reply(IdentityId),
}

impl Wait {
    /// The service, if the event is a restart.
    pub fn restart(&self) -> Option<&ServiceId> {
        match self {
            Self::Restart(service) => Some(service),
            Self::HandOff(_) | Self::Reply(_) => None,
        }
    }

    /// The identity, if the event is a CA's reply.
    pub fn reply(&self) -> Option<&IdentityId> {
        match self {
            Self::Reply(identity) => Some(identity),
            Self::HandOff(_) | Self::Restart(_) => None,
        }
    }

    /// The host of the event.
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

/// A change of a later phase, as far as it is certain already. The content of the store at that time is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forecast {
    /// The phase of the change.
    pub phase: Phase,
    /// The store.
    pub store: StoreId,
    /// The alias at that time.
    pub alias: Option<StoredAlias>,
    /// The kind of the change.
    pub action: Action,
    /// The alias after the change, if the alias changes.
    pub to: Option<Alias>,
    /// The identity whose rotation the change belongs to.
    pub identity: IdentityId,
}

impl Forecast {
    /// Whether a change is the one of this forecast.
    pub fn foretells(&self, change: &Change) -> bool {
        self.phase == change.phase
            && self.store == change.store
            && self.alias == change.alias
            && self.action == change.edit.action()
    }
}

/// Trust that fails for a while, because an identity changes before its trusters can get the new certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The identity.
    pub identity: IdentityId,
    /// Why the trusters cannot get the certificate first.
    pub why: String,
    /// The edges that fail, by id, until their trusters have the new certificate and were restarted.
    pub edges: Vec<String>,
}

/// A restart that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The service.
    pub service: ServiceId,
    /// The service's name for people.
    pub name: String,
    /// The changes that make the restart necessary; empty if those of an earlier run do.
    pub because: Vec<ChangeId>,
    /// Since when the restart is pending, if changes of an earlier run make it necessary.
    pub pending_since: Option<Timestamp>,
    /// Whether a rotation waits for the restart before its next phase.
    pub rotation: bool,
    /// Whether `apply` restarts the service, by the command that the spec gives.
    pub by_command: bool,
    /// The step of the restart, from 1. The two sides of a role, and the nodes of a cluster, are never in one step.
    pub step: u32,
}

/// Work for a person on one store or identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manual {
    /// The store or identity, by the name that people use.
    pub called: TargetName,
    /// The kind of work.
    pub kind: ManualKind,
    /// Why the work must be done, if none of its certificates says so.
    pub reason: Option<String>,
    /// The certificates that the store must hold afterwards.
    pub add: Vec<ManualItem>,
    /// The certificates to look for, and to add if they are not there; nobody can see the store.
    pub verify: Vec<ManualItem>,
    /// The certificates to remove.
    pub remove: Vec<Withdrawal>,
    /// For a Windows store: the system stores of which it is made.
    pub system: Option<SystemPlace>,
    /// The certificates that the pack of another store adds to the same system store of this host.
    pub elsewhere: BTreeMap<Material, TargetName>,
    /// The steps, one for each line.
    pub steps: Vec<String>,
    /// The services to restart afterwards.
    pub restarts: Vec<Restart>,
    /// Since when a pack with exactly this content waits.
    pub waiting_since: Option<Timestamp>,
}

impl Manual {
    /// The store or identity that the work is on.
    pub fn target(&self) -> &HandOffTarget {
        self.called.target()
    }
}

/// Kinds of work for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ManualKind {
    /// Change the certificates in a store that only people write.
    #[serde(rename = "trust")]
    Store,
    /// Renew an identity that only people change.
    #[serde(rename = "certificate")]
    Identity,
    /// Export a certificate whose file is missing.
    Export,
}

/// One certificate in the work of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualItem {
    /// The certificate.
    pub material: Material,
    /// The identity or certificate of the spec that the certificate belongs to.
    pub subject: String,
    /// The purpose of the certificate.
    pub why: String,
    /// The rule behind it, if there is one.
    pub rule: Option<RuleId>,
}

/// One certificate that a person removes from a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The fingerprint of the certificate.
    pub sha256: Fingerprint,
    /// The certificate itself, if it was seen. A certificate that a person reported may be known by its fingerprint
    /// alone.
    pub certificate: Option<Arc<Certificate>>,
    /// The identity or certificate of the spec that the certificate belonged to.
    pub subject: String,
    /// Why the certificate is removed.
    pub why: String,
}

/// The counts of the summary line.
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
    /// The number of changes and requests.
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

/// Something that cannot be judged or done until a person removes the obstacle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The trust relation, store or identity that is blocked.
    pub what: String,
    /// The kind of finding that names the obstacle.
    pub kind: FindingKind,
    /// The obstacle, and what to do about it.
    pub why: String,
}

/// A key that this run makes or installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mint {
    /// The identity.
    pub identity: IdentityId,
    /// Where the key belongs.
    pub place: KeyPlace,
    /// The certificate of an earlier run's key, if that key is used.
    pub resumed: Option<Arc<Certificate>>,
    /// The issuers of that certificate, the nearest first; empty if it is self-signed.
    pub issuers: Vec<Arc<Certificate>>,
    /// The authority that the request is for; the key waits until the authority has replied.
    pub request: Option<String>,
    /// The certificate that is replaced.
    pub replaces: Option<Fingerprint>,
    /// Whether trusters hold the new certificate beside the old one, which they keep until the service has restarted.
    pub staged: bool,
}

/// A whole plan: everything that would be done, and everything that stands in the way.
///
/// ```
/// # use std::path::Path;
/// # use trustmason_plan::observed::{HostLook, Observed};
/// # use trustmason_plan::{finding::FindingKind, outline::PlanOptions, plan};
/// # let text = "trustmason: 1\nestate: acme\nprofile: pcce-12.5\naccess: { root: '{fqdn}' }\n\
/// #     hosts: { a.acme.example: { role: ads } }\n";
/// # let spec = trustmason_spec::parse(text, "estate.yaml")?;
/// # let profiles = trustmason_spec::profile::load(&spec, Path::new("."), |_| Err("no file".to_owned()))?;
/// # let topology = trustmason_spec::resolve(&spec, &profiles, Path::new("."))?.topology;
/// # let away = HostLook::Unreachable("its folder is empty".to_owned());
/// # let hosts = topology.hosts.keys().map(|host| (host.clone(), away.clone())).collect();
/// # let observed = Observed { hosts, ..Observed::default() };
/// // The disk of the only host is away, so there is nothing to write, and one thing to repair.
/// let plan = plan(&topology, &observed, &PlanOptions::default(), "2026-06-01T00:00:00Z".parse()?);
/// assert!(plan.changes.is_empty() && !plan.is_settled());
/// assert_eq!(plan.obstacles()[0].0.kind, FindingKind::Unreachable);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the estate.
    pub estate: String,
    /// When the plan was made: the moment that was passed in.
    pub created: Timestamp,
    /// The options that were given.
    pub options: PlanOptions,
    /// Everything that the plan was made from.
    pub inputs: Vec<Input>,
    /// The stores, by id.
    pub stores: Vec<StoreView>,
    /// The edges, by id.
    pub edges: Vec<EdgeView>,
    /// The identities, by id.
    pub identities: Vec<IdentityView>,
    /// The changes of the next phase, in the order of reports. An immediate rotation has the changes of all phases
    /// here.
    pub changes: Vec<Change>,
    /// The changes of later phases.
    pub forecast: Vec<Forecast>,
    /// The barriers between phases.
    pub barriers: Vec<Barrier>,
    /// The hand-offs that must be confirmed before a restart counts for the rotations that wait for it. Until then the
    /// service has nothing new to read.
    pub first: BTreeMap<ServiceId, BTreeSet<TargetName>>,
    /// For each service, the content that it reads if it restarts now.
    pub readers: BTreeMap<ServiceId, ServiceReading>,
    /// Trust that fails for a while.
    pub interruptions: Vec<Interruption>,
    /// The findings, the most serious first.
    pub findings: Vec<Finding>,
    /// The restarts that are needed or still pending, in their order.
    pub restarts: Vec<Restart>,
    /// The work for people.
    pub manual: Vec<Manual>,
    /// The keys that the run makes or installs.
    pub mints: BTreeMap<IdentityId, Mint>,
    /// Everything that is blocked; [`Summary::blocked`] is the number.
    pub blocked: Vec<Blocked>,
    /// The counts of the summary line.
    pub summary: Summary,
}

impl Plan {
    /// The obstacles, each once with everything that it blocks, in the order of their first appearance.
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

    /// The name of a hand-off for people: the name of its work in this plan, or the full name if there is no such work.
    pub fn called(&self, target: &HandOffTarget) -> String {
        let work = self.manual.iter().find(|work| work.target() == target);
        work.map_or_else(|| target.full(), |work| work.called.to_string())
    }

    /// Whether nothing is left to do and nothing is unknown. Only such a plan is called "No changes." without a
    /// restriction.
    pub fn is_settled(&self) -> bool {
        let s = &self.summary;
        s.changes() == 0 && s.manual == 0 && s.blocked == 0 && s.unobserved == 0 && s.waiting == 0
    }
}
