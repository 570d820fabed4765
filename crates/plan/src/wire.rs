//! The JSON plan (contract §5): a saved plan is a promise to compare with, not a program. Public facts only.

mod after;
mod compare;
mod words;

pub use after::AfterDocument;
pub use words::{EdgeVerdictWord, FormatWord, StoreVerdictWord, WaitKind};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Fingerprint;
use trustmason_spec::topology::Side;

use crate::change::{Action, After, CertificateView, Change, Deed, FromKind, Phase};
use crate::finding::{Kind, Severity};
use crate::observed::InputKind;
use crate::outline::{EdgeVerdict, IdentityState, Plan, StoreState, StoreVerdict, Summary, Wait};
use crate::target::TargetKind;
use crate::text;

/// Version of the document's layout. A change that old readers would misread raises the first number.
pub const FORMAT_VERSION: &str = "1.0";

/// A plan as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "trustmason plan")]
pub struct Document {
    /// Layout of this document.
    pub format_version: String,
    /// The version that made it.
    pub tool_version: String,
    /// The estate.
    pub estate: String,
    /// When, RFC 3339 UTC.
    pub created: String,
    /// What was asked.
    pub options: OptionsDocument,
    /// Everything it was made from.
    pub inputs: Vec<InputDocument>,
    /// Stores by id.
    pub stores: Vec<StoreDocument>,
    /// Edges by id.
    pub edges: Vec<EdgeDocument>,
    /// Identities by id.
    pub identities: Vec<IdentityDocument>,
    /// Changes of the next phase.
    pub changes: Vec<ChangeDocument>,
    /// Changes of later phases.
    pub forecast: Vec<ForecastDocument>,
    /// What stands between phases.
    pub barriers: Vec<BarrierDocument>,
    /// Findings.
    pub findings: Vec<FindingDocument>,
    /// Trust that fails for a while because an identity changes before its trusters can know.
    pub interruptions: Vec<InterruptionDocument>,
    /// Restarts that become needed or are still pending, in the order they are made.
    pub restarts: Vec<RestartDocument>,
    /// Work for people.
    pub manual: Vec<ManualDocument>,
    /// The numbers of the last line.
    pub summary: Summary,
}

macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty,)+ })+
    };
}

documents! {
    /// What was asked beside the spec.
    OptionsDocument {
        /// The spec's path, as given.
        spec: String,
        /// `--host` globs.
        hosts: Vec<String>,
        /// `--side`.
        side: Option<String>,
        /// `--replace`.
        replace: Vec<String>,
        /// `--allow-deletes`.
        allow_deletes: Option<u32>,
        /// `--at`.
        at: Option<String>,
    }
    /// One thing that was read.
    InputDocument {
        /// The kind of input.
        kind: InputKind,
        /// The file.
        path: String,
        /// SHA-256 of its bytes, or `absent`.
        sha256: String,
    }
    /// One store.
    StoreDocument {
        /// `FQDN/STORE`.
        store: String,
        /// The file.
        path: String,
        /// The format found.
        format: Option<FormatWord>,
        /// How it presented itself.
        state: StoreState,
        /// SHA-256 of its bytes when it must not change before apply.
        sha256: Option<String>,
        /// Number of entries.
        entries: Option<usize>,
        /// Its verdict.
        verdict: StoreVerdictWord,
        /// Why it is blocked.
        why: Option<String>,
    }
    /// One edge.
    EdgeDocument {
        /// Its id.
        id: String,
        /// The truster.
        store: String,
        /// The alias wanted; null where the store has none.
        alias: Option<String>,
        /// The subject.
        subject: String,
        /// The rule.
        rule: String,
        /// Its verdict.
        verdict: EdgeVerdictWord,
        /// The change that makes it so.
        change: Option<u32>,
        /// What it is for, or why it is blocked.
        why: String,
    }
    /// One identity.
    IdentityDocument {
        /// `FQDN/IDENTITY`.
        id: String,
        /// Its state.
        state: IdentityState,
        /// `self-signed` or the issuer.
        issuer: Option<String>,
        /// Its certificate.
        sha256: Option<String>,
        /// Its end.
        not_after: Option<String>,
        /// What it waits for.
        awaits: Option<String>,
    }
    /// A certificate's public facts.
    CertificateDocument {
        /// Subject.
        subject: String,
        /// Issuer.
        issuer: String,
        /// Serial, hex.
        serial: String,
        /// SHA-256 over the DER.
        sha256: String,
        /// End of validity.
        not_after: String,
        /// Whether it is a CA's; left out where it is not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ca: bool,
    }
    /// Where a certificate comes from.
    FromDocument {
        /// `generated`, `store`, `file` or `reply`.
        kind: FromKind,
        /// The identity, store and alias, or file.
        r#where: String,
        /// Its fingerprint, once known.
        sha256: Option<String>,
    }
    /// One change.
    ChangeDocument {
        /// Its number.
        id: u32,
        /// Its phase.
        phase: Phase,
        /// The host.
        host: String,
        /// The store.
        store: String,
        /// The alias as stored.
        alias: Option<String>,
        /// What is done.
        action: Action,
        /// The finding it mends.
        finding: Kind,
        /// For people; deletions begin with their class.
        reason: String,
        /// The rule.
        rule: Option<String>,
        /// The document.
        source: Option<String>,
        /// What stands there now.
        before: Option<CertificateDocument>,
        /// What will stand there; fields not known before apply are absent.
        after: Option<AfterDocument>,
        /// Names of the fields of `after` that are known after apply.
        after_unknown: Vec<String>,
        /// Where it comes from.
        from: Option<FromDocument>,
        /// Changes that must have succeeded first.
        depends_on: Vec<u32>,
    }
    /// A change of a later phase.
    ForecastDocument {
        /// Its phase.
        phase: Phase,
        /// The host.
        host: String,
        /// The store.
        store: String,
        /// The alias then.
        alias: Option<String>,
        /// What will be done.
        action: Action,
        /// The alias afterwards, where that is what changes.
        to: Option<String>,
        /// The identity whose rotation it belongs to.
        identity: String,
    }
    /// An identity that changes before its trusters can know.
    InterruptionDocument {
        /// The identity.
        identity: String,
        /// Why they cannot know first.
        why: String,
        /// The edges that fail until their trusters have followed.
        edges: Vec<String>,
    }
    /// What stands between two phases.
    BarrierDocument {
        /// The phase before it.
        after_phase: Phase,
        /// What must have happened.
        waits_for: Vec<WaitDocument>,
    }
    /// One thing a barrier waits for.
    WaitDocument {
        /// What must happen.
        kind: WaitKind,
        /// The host.
        host: String,
        /// The service, store or identity.
        service: String,
        /// Of a hand-off: whether it is of a store or of an identity. A plan that an older program saved does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TargetKind>,
    }
    /// One finding.
    FindingDocument {
        /// Its id.
        finding: Kind,
        /// The host.
        host: Option<String>,
        /// The store.
        store: Option<String>,
        /// The identity.
        identity: Option<String>,
        /// The alias as stored.
        alias: Option<String>,
        /// The certificate.
        sha256: Option<String>,
        /// How bad.
        severity: Severity,
        /// Whether the spec lives with it.
        accepted: bool,
        /// The change that mends it.
        change: Option<u32>,
        /// For people.
        message: String,
    }
    /// A restart.
    RestartDocument {
        /// The host.
        host: String,
        /// The service's id.
        service: String,
        /// Its name.
        name: String,
        /// The changes behind it; none where an earlier run's are.
        because: Vec<u32>,
        /// Since when it is pending, where an earlier run's changes are behind it.
        pending_since: Option<String>,
        /// Whether a rotation waits for it before its next phase; left out where none does.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rotation: bool,
        /// The hand-offs, `FQDN/NAME`, that must be confirmed before the restart counts for that rotation; left out where there are
        /// none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
        /// Whether `apply` restarts it, by the command the spec gives for it.
        by_command: bool,
        /// The step it is restarted in, from 1.
        step: u32,
    }
    /// Work for a person.
    ManualDocument {
        /// The host.
        host: String,
        /// The store or identity, `FQDN/NAME`.
        store: String,
        /// Which of the two it is. A plan that an older program saved does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TargetKind>,
        /// Why it must be done, where no certificate of it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The steps.
        steps: Vec<String>,
        /// Files of the pack, below its folder.
        files: Vec<String>,
    }
}

impl Document {
    /// The document of a plan.
    pub fn of(plan: &Plan, tool_version: &str) -> Self {
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            tool_version: tool_version.to_owned(),
            estate: plan.estate.clone(),
            created: plan.created.to_string(),
            options: options(plan),
            inputs: plan
                .inputs
                .iter()
                .map(|i| InputDocument {
                    kind: i.kind,
                    path: i.path.clone(),
                    sha256: i.sha256.map_or_else(|| "absent".to_owned(), |d| d.to_string()),
                })
                .collect(),
            stores: plan.stores.iter().map(store).collect(),
            edges: plan.edges.iter().map(edge).collect(),
            identities: plan.identities.iter().map(identity).collect(),
            changes: plan.changes.iter().map(change).collect(),
            forecast: plan.forecast.iter().map(forecast).collect(),
            barriers: plan.barriers.iter().map(barrier).collect(),
            interruptions: plan
                .interruptions
                .iter()
                .map(|i| InterruptionDocument {
                    identity: i.identity.to_string(),
                    why: i.why.clone(),
                    edges: i.edges.clone(),
                })
                .collect(),
            findings: plan.findings.iter().map(finding).collect(),
            restarts: plan
                .restarts
                .iter()
                .map(|r| RestartDocument {
                    host: r.service.host.to_string(),
                    service: r.service.name.clone(),
                    name: r.name.clone(),
                    because: r.because.iter().map(|c| c.0).collect(),
                    pending_since: r.pending_since.map(|since| since.to_string()),
                    rotation: r.rotation,
                    after: plan.first.get(&r.service).into_iter().flatten().map(ToString::to_string).collect(),
                    by_command: r.by_command,
                    step: r.step,
                })
                .collect(),
            manual: plan
                .manual
                .iter()
                .map(|m| ManualDocument {
                    host: m.target().host().to_string(),
                    store: m.target().id(),
                    of: Some(m.target().kind()),
                    why: m.reason.clone(),
                    steps: m.steps.clone(),
                    files: crate::pack::file_names(m),
                })
                .collect(),
            summary: plan.summary,
        }
    }

    /// The document as JSON, as it is saved. The digest of these bytes names the runs of the plan.
    ///
    /// # Errors
    /// That it cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}

fn options(plan: &Plan) -> OptionsDocument {
    let o = &plan.options;
    OptionsDocument {
        spec: o.spec.clone(),
        hosts: o.hosts.clone(),
        side: o.side.map(|s| match s {
            Side::A => "a".to_owned(),
            Side::B => "b".to_owned(),
        }),
        replace: o.replace.iter().map(ToString::to_string).collect(),
        allow_deletes: o.allow_deletes,
        at: o.at.map(|t| t.to_string()),
    }
}

fn hex(fingerprint: Fingerprint) -> String {
    fingerprint.to_string()
}

fn store(view: &crate::outline::StoreView) -> StoreDocument {
    let sha256 = match view.expect {
        Some(crate::outline::Expect::Digest(digest)) => Some(digest.to_string()),
        Some(crate::outline::Expect::Absent) | None => None,
    };
    let why = match &view.verdict {
        StoreVerdict::InSync | StoreVerdict::Change(_) => None,
        StoreVerdict::Blocked(why) => Some(why.to_string()),
    };
    StoreDocument {
        store: view.id.to_string(),
        path: view.path.clone(),
        format: view.format.map(FormatWord::from),
        state: view.state,
        sha256,
        entries: view.entries,
        verdict: (&view.verdict).into(),
        why,
    }
}

fn edge(view: &crate::outline::EdgeView) -> EdgeDocument {
    let (change, why) = match &view.verdict {
        EdgeVerdict::Change(id) => (Some(id.0), view.purpose.clone()),
        EdgeVerdict::Blocked(why) => (None, why.to_string()),
        EdgeVerdict::Manual(what) => (None, what.clone()),
        EdgeVerdict::Held | EdgeVerdict::Unobserved => (None, view.purpose.clone()),
    };
    EdgeDocument {
        id: view.id.clone(),
        store: view.store.to_string(),
        alias: view.alias.as_ref().map(ToString::to_string),
        subject: view.subject.clone(),
        rule: view.rule.to_string(),
        verdict: (&view.verdict).into(),
        change,
        why,
    }
}

fn identity(view: &crate::outline::IdentityView) -> IdentityDocument {
    IdentityDocument {
        id: view.id.to_string(),
        state: view.state,
        issuer: view.issuer.clone(),
        sha256: view.certificate.as_ref().map(|certificate| hex(certificate.fingerprint())),
        not_after: view.certificate.as_ref().map(|certificate| text::time(certificate.not_after())),
        awaits: view.awaits.clone(),
    }
}

fn certificate(view: &CertificateView) -> CertificateDocument {
    CertificateDocument {
        subject: view.subject.clone(),
        issuer: view.issuer.clone(),
        serial: view.serial.clone(),
        sha256: hex(view.sha256),
        not_after: text::time(view.not_after),
        ca: view.is_ca,
    }
}

fn change(change: &Change) -> ChangeDocument {
    let (after, unknown): (_, &[&str]) = match &change.after {
        After::Gone => (None, &[]),
        After::Alias(alias) => {
            (Some(AfterDocument { alias: Some(alias.to_string()), ..AfterDocument::default() }), &[])
        }
        After::Known(view) => {
            let c = certificate(view);
            let after = AfterDocument {
                alias: None,
                subject: Some(c.subject),
                issuer: Some(c.issuer),
                serial: Some(c.serial),
                sha256: Some(c.sha256),
                not_after: Some(c.not_after),
                ca: c.ca,
            };
            (Some(after), &[])
        }
        After::Minted { subject } => (
            Some(AfterDocument { subject: Some(subject.clone()), ..AfterDocument::default() }),
            &["sha256", "serial", "not_after"],
        ),
    };
    let reason = match &change.deed {
        Deed::Delete { because, .. } => format!("{}: {}", because.as_str(), change.reason),
        Deed::Import { .. } | Deed::Replace { .. } | Deed::Rename { .. } | Deed::InstallKey { .. } => {
            change.reason.clone()
        }
    };
    ChangeDocument {
        id: change.id.0,
        phase: change.phase,
        host: change.store.host.to_string(),
        store: change.store.to_string(),
        alias: change.alias.clone().map(String::from),
        action: change.deed.action(),
        finding: change.finding,
        reason,
        rule: change.rule.as_ref().map(ToString::to_string),
        source: change.source.clone(),
        before: change.before.as_ref().map(certificate),
        after,
        after_unknown: unknown.iter().map(|s| (*s).to_owned()).collect(),
        from: change.from.as_ref().map(|f| FromDocument {
            kind: f.kind,
            r#where: f.place.clone(),
            sha256: f.sha256.map(hex),
        }),
        depends_on: change.depends_on.iter().map(|c| c.0).collect(),
    }
}

fn forecast(forecast: &crate::outline::Forecast) -> ForecastDocument {
    ForecastDocument {
        phase: forecast.phase,
        host: forecast.store.host.to_string(),
        store: forecast.store.to_string(),
        alias: forecast.alias.clone().map(String::from),
        action: forecast.action,
        to: forecast.to.as_ref().map(ToString::to_string),
        identity: forecast.identity.to_string(),
    }
}

fn barrier(barrier: &crate::outline::Barrier) -> BarrierDocument {
    let waits_for = barrier
        .waits_for
        .iter()
        .map(|w| {
            let (service, of) = match w {
                Wait::Restart(id) => (id.name.as_str(), None),
                Wait::HandOff(called) => (called.target().name(), Some(called.target().kind())),
                Wait::Reply(id) => (id.name.as_str(), None),
            };
            WaitDocument { kind: w.into(), host: w.host().to_string(), service: service.to_owned(), of }
        })
        .collect();
    BarrierDocument { after_phase: barrier.after_phase, waits_for }
}

fn finding(finding: &crate::finding::Finding) -> FindingDocument {
    FindingDocument {
        finding: finding.kind,
        host: finding.host.as_ref().map(ToString::to_string),
        store: finding.store.as_ref().map(ToString::to_string),
        identity: finding.identity.as_ref().map(ToString::to_string),
        alias: finding.alias.clone().map(String::from),
        sha256: finding.sha256.map(hex),
        severity: finding.severity,
        accepted: finding.accepted,
        change: finding.change.map(|c| c.0),
        message: finding.message.clone(),
    }
}
