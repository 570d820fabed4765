//! The JSON plan. It takes a plan and gives a document of public facts. A saved document is there to be compared with a
//! new plan; it is never carried out.

mod after;
mod compare;
mod words;

pub use after::AfterDocument;
pub use words::{EdgeVerdictWord, FormatWord, StoreVerdictWord, WaitKind};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Fingerprint;
use trustmason_spec::topology::Side;

use crate::change::{Action, CertificateView, Change, Edit, EntryAfter, FromKind, Phase};
use crate::finding::{FindingKind, Severity};
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
    /// The version of this document's layout.
    pub format_version: String,
    /// The version of trustmason that made this document.
    pub tool_version: String,
    /// The estate.
    pub estate: String,
    /// When the plan was made, RFC 3339 UTC.
    pub created: String,
    /// The options that were given.
    pub options: OptionsDocument,
    /// Everything that the plan was made from.
    pub inputs: Vec<InputDocument>,
    /// The stores, by id.
    pub stores: Vec<StoreDocument>,
    /// The trust relations, by id.
    pub edges: Vec<EdgeDocument>,
    /// The identities, by id.
    pub identities: Vec<IdentityDocument>,
    /// The changes of the next phase.
    pub changes: Vec<ChangeDocument>,
    /// The changes of later phases.
    pub forecast: Vec<ForecastDocument>,
    /// The barriers between phases.
    pub barriers: Vec<BarrierDocument>,
    /// The findings.
    pub findings: Vec<FindingDocument>,
    /// Trust that fails for a while, because an identity changes before the stores that trust it can get the new
    /// certificate.
    pub interruptions: Vec<InterruptionDocument>,
    /// The restarts that are needed or still pending, in their order.
    pub restarts: Vec<RestartDocument>,
    /// The work for people.
    pub manual: Vec<ManualDocument>,
    /// The counts of the last line.
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
    /// The options that were given beside the spec.
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
    /// One thing that was read for the plan.
    InputDocument {
        /// The kind of input.
        kind: InputKind,
        /// The file.
        path: String,
        /// SHA-256 of the file's bytes, or `absent`.
        sha256: String,
    }
    /// One store.
    StoreDocument {
        /// `FQDN/STORE`.
        store: String,
        /// The file.
        path: String,
        /// The format that was found.
        format: Option<FormatWord>,
        /// How the store was found.
        state: StoreState,
        /// SHA-256 of the store's bytes, if they must not change before apply.
        sha256: Option<String>,
        /// The number of entries.
        entries: Option<usize>,
        /// The verdict on the store.
        verdict: StoreVerdictWord,
        /// Why the store is blocked.
        why: Option<String>,
    }
    /// One trust relation.
    EdgeDocument {
        /// The id of the trust relation.
        id: String,
        /// The trusting store.
        store: String,
        /// The wanted alias; null if the store has no aliases.
        alias: Option<String>,
        /// The identity or certificate that the store should trust.
        subject: String,
        /// The rule behind it.
        rule: String,
        /// The verdict on the trust relation.
        verdict: EdgeVerdictWord,
        /// The change that adds the trust.
        change: Option<u32>,
        /// The purpose of the trust, or why it is blocked.
        why: String,
    }
    /// One identity.
    IdentityDocument {
        /// `FQDN/IDENTITY`.
        id: String,
        /// The state of the identity.
        state: IdentityState,
        /// `self-signed` or the issuer.
        issuer: Option<String>,
        /// SHA-256 of the present certificate.
        sha256: Option<String>,
        /// The end of the present certificate.
        not_after: Option<String>,
        /// The event that the identity waits for.
        awaits: Option<String>,
        /// Why the renewal of the identity changes none of the stores that trust it; left out unless that is so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unchanged_trusters: Option<UnchangedTrustersDocument>,
    }
    /// Why the renewal of an identity changes none of the stores that trust it: they hold the certificates of an authority,
    /// and not the identity's own.
    UnchangedTrustersDocument {
        /// The authority that issued the present certificate.
        authority: String,
        /// Whether the next certificate is there, issued under the same certificates. Otherwise its reply is still to come.
        replied: bool,
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
        /// Whether the certificate is a CA's; left out if it is not.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ca: bool,
    }
    /// The origin of a certificate.
    FromDocument {
        /// `generated`, `store`, `file` or `reply`.
        kind: FromKind,
        /// The identity, the store and alias, or the file.
        r#where: String,
        /// SHA-256 of the certificate, if known.
        sha256: Option<String>,
    }
    /// One change.
    ChangeDocument {
        /// The number of the change.
        id: u32,
        /// The phase of the change.
        phase: Phase,
        /// The host.
        host: String,
        /// The store.
        store: String,
        /// The alias, as the store spells it.
        alias: Option<String>,
        /// The kind of the change.
        action: Action,
        /// The finding that the change repairs.
        finding: FindingKind,
        /// The reason, for people; for a deletion it begins with its class.
        reason: String,
        /// The rule behind the change.
        rule: Option<String>,
        /// The document behind the rule.
        source: Option<String>,
        /// The certificate that the entry holds now.
        before: Option<CertificateDocument>,
        /// The state of the entry after the change; fields that are not known before apply are absent.
        after: Option<AfterDocument>,
        /// The names of the fields of `after` that are known only after apply.
        after_unknown: Vec<String>,
        /// The origin of the new certificate.
        from: Option<FromDocument>,
        /// The changes that must succeed first.
        depends_on: Vec<u32>,
    }
    /// A change of a later phase.
    ForecastDocument {
        /// The phase of the change.
        phase: Phase,
        /// The host.
        host: String,
        /// The store.
        store: String,
        /// The alias at that time.
        alias: Option<String>,
        /// The kind of the change.
        action: Action,
        /// The alias after the change, if the alias changes.
        to: Option<String>,
        /// The identity whose rotation the change belongs to.
        identity: String,
    }
    /// An identity that changes before the stores that trust it can get the new certificate.
    InterruptionDocument {
        /// The identity.
        identity: String,
        /// Why these stores cannot get the certificate first.
        why: String,
        /// The trust relations that fail, by id, until their stores have the new certificate.
        edges: Vec<String>,
    }
    /// A barrier between two phases.
    BarrierDocument {
        /// The phase before the barrier.
        after_phase: Phase,
        /// The events that must happen before the next phase.
        waits_for: Vec<WaitDocument>,
    }
    /// One event that a barrier waits for.
    WaitDocument {
        /// The kind of event.
        kind: WaitKind,
        /// The host.
        host: String,
        /// The service, store or identity.
        service: String,
        /// For a hand-off: whether it is of a store or of an identity. Absent in a plan that an older version saved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TargetKind>,
    }
    /// One finding.
    FindingDocument {
        /// The id of the finding.
        finding: FindingKind,
        /// The host.
        host: Option<String>,
        /// The store.
        store: Option<String>,
        /// The identity.
        identity: Option<String>,
        /// The alias, as the store spells it.
        alias: Option<String>,
        /// SHA-256 of the certificate.
        sha256: Option<String>,
        /// How serious the finding is.
        severity: Severity,
        /// Whether the spec accepts the finding for now.
        accepted: bool,
        /// The change that repairs the finding.
        change: Option<u32>,
        /// The text for people.
        message: String,
    }
    /// A restart that is needed.
    RestartDocument {
        /// The host.
        host: String,
        /// The service's id.
        service: String,
        /// The service's name for people.
        name: String,
        /// The changes that make the restart necessary; empty if those of an earlier run do.
        because: Vec<u32>,
        /// Since when the restart is pending, if changes of an earlier run make it necessary.
        pending_since: Option<String>,
        /// Whether a rotation waits for the restart before its next phase; left out if none does.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rotation: bool,
        /// The hand-offs, `FQDN/NAME`, that must be confirmed before the restart counts for that rotation; left out if
        /// there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        after: Vec<String>,
        /// Whether `apply` restarts the service, by the command that the spec gives.
        by_command: bool,
        /// The step of the restart, from 1.
        step: u32,
    }
    /// Work for a person.
    ManualDocument {
        /// The host.
        host: String,
        /// The store or identity, `FQDN/NAME`.
        store: String,
        /// Whether that is a store or an identity. Absent in a plan that an older version saved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<TargetKind>,
        /// Why the work must be done, if none of its certificates says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// The steps.
        steps: Vec<String>,
        /// The files of the pack, below its folder.
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

    /// The document as JSON, as it is saved. The digest of these bytes is part of the ids of the plan's runs.
    ///
    /// # Errors
    /// If the document cannot be written as JSON.
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
        unchanged_trusters: view
            .unchanged
            .as_ref()
            .map(|one| UnchangedTrustersDocument { authority: one.authority.clone(), replied: one.replied }),
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
        EntryAfter::Gone => (None, &[]),
        EntryAfter::Alias(alias) => {
            (Some(AfterDocument { alias: Some(alias.to_string()), ..AfterDocument::default() }), &[])
        }
        EntryAfter::Known(view) => {
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
        EntryAfter::Minted { subject } => (
            Some(AfterDocument { subject: Some(subject.clone()), ..AfterDocument::default() }),
            &["sha256", "serial", "not_after"],
        ),
    };
    let reason = match &change.edit {
        Edit::Delete { because, .. } => format!("{}: {}", because.as_str(), change.reason),
        Edit::Import { .. } | Edit::Replace { .. } | Edit::Rename { .. } | Edit::InstallKey { .. } => {
            change.reason.clone()
        }
    };
    ChangeDocument {
        id: change.id.0,
        phase: change.phase,
        host: change.store.host.to_string(),
        store: change.store.to_string(),
        alias: change.alias.clone().map(String::from),
        action: change.edit.action(),
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
