//! Settles each subject: which certificate its edges ask for. The certificate is known (it was seen), minted (this run
//! creates it) or unknown (the edges are blocked). No store is compared here.
#![warn(clippy::arithmetic_side_effects)]

mod issued;
mod present_key;
mod purpose;
mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trustmason_keystore::{Alias, AliasModel, Certificate, Entry, EntryKind, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{
    CertificateSource, IdentityDef, Issuer, KeyAt, KeyPlace, Subject, Topology, WriteMode,
};

use crate::authority::{self, Authority};
use crate::by_name::{named_in_full, served};
use crate::change::{CertificateOrigin, FromKind, Material};
use crate::constraints::{self, ExpiryStage, Terms};
use crate::context::PlanContext;
use crate::course::{Asked, Course, Settled};
use crate::finding::{Finding, FindingKind};
use crate::observed::{Observed, SourceLook, StagedLook, StoreFacts};
use crate::status::StoreStatus;
use crate::target::HandOffTarget;
use crate::text;
use crate::why::Why;

/// Every settled subject, and what follows from all of them together.
pub(crate) struct Settlement<'a> {
    pub subjects: BTreeMap<Subject, Settled>,
    /// The certificates that this plan or earlier runs know to be replaced, with the identity that had each.
    pub predecessors: BTreeMap<Fingerprint, IdentityId>,
    /// Certificates that stay even if no edge asks for them: those of authorities, and the old certificate of a
    /// rotation whose next certificate an authority issued.
    pub vouched: BTreeSet<Fingerprint>,
    /// Whether an authority cannot be used. Then it is not known of every certificate who issued it.
    pub in_doubt: bool,
    /// The certificates that live hosts present now and go on presenting. None of them is deleted by name.
    presented: BTreeSet<Fingerprint>,
    /// The names of hosts that left, and the former names of hosts whose identities are all settled. With each name
    /// come the identities of that host that get a new key in this run.
    gone: BTreeMap<&'a str, Vec<IdentityId>>,
}

impl Settlement<'_> {
    /// The identity that had this certificate, if it gets a new key in this run.
    pub(crate) fn successor_of(&self, old: Fingerprint) -> Vec<IdentityId> {
        let renewed =
            |id: &&IdentityId| self.subjects.get(&Subject::Identity((*id).clone())).is_some_and(Settled::is_renewed);
        self.predecessors.get(&old).filter(renewed).cloned().into_iter().collect()
    }

    /// Whether a certificate names a host that left, or the former name of a host, perhaps among other names.
    pub(crate) fn names_one_gone(&self, certificate: &Certificate) -> bool {
        certificate.names_in_full().iter().any(|name| self.gone.contains_key(name.as_str()))
    }

    /// Whether a live host presents a certificate now and goes on presenting it.
    pub(crate) fn is_presented(&self, print: Fingerprint) -> bool {
        self.presented.contains(&print)
    }

    /// The identities that must have their new certificates before this certificate may be deleted. `None` unless every
    /// name on it is a host's that left, or a settled former name.
    pub(crate) fn gone_for_good(&self, certificate: &Certificate) -> Option<Vec<IdentityId>> {
        if self.gone.is_empty() || self.is_presented(certificate.fingerprint()) {
            return None;
        }
        let hosts = named_in_full(certificate, &|name| self.gone.get_key_value(name).map(|(host, _)| *host))?;
        Some(hosts.into_iter().filter_map(|host| self.gone.get(host)).flatten().cloned().collect())
    }
}

/// Settles every identity and every certificate of the spec.
pub(crate) fn settle<'a>(context: &PlanContext<'a>) -> Settlement<'a> {
    let mut settled = BTreeMap::new();
    for def in context.topology.identities.values() {
        let one = match &def.source {
            CertificateSource::KeyEntry(place) => key_entry(context, def, place),
            CertificateSource::Exported { .. } | CertificateSource::File(_) => exported(context, def),
        };
        settled.insert(Subject::Identity(def.id.clone()), one);
    }
    for name in context.topology.anchors.keys() {
        let (subject, one) = (Subject::Certificate(name.clone()), anchor(context, name));
        let findings = one.present.as_ref().and_then(|present| ended(context, &subject, present)).into_iter().collect();
        settled.insert(subject, Settled { findings, ..one });
    }
    for authority in context.authorities.values() {
        for (subject, certificate) in authority.certificates() {
            let subject = Subject::Certificate(subject);
            let one = settle_authority_certificate(context, authority.place(certificate), certificate);
            let mut findings: Vec<Finding> = ended(context, &subject, certificate).into_iter().collect();
            if authority.is_root(certificate) {
                findings.extend(withheld(authority));
                findings.extend(purpose::public_root(context, authority, certificate));
            }
            settled.insert(subject, Settled { findings, ..one });
        }
    }
    let mut predecessors = predecessors(context.observed, &settled);
    // A public root never belonged to an identity, whatever the ledger says.
    predecessors.retain(|print, _| !context.topology.public_roots.contains(print));
    let gone = gone_names(context.topology, &settled);
    let presented = settled.values().filter_map(|one| one.course.overlap()).filter(|overlap| overlap.is_by_chain());
    let mut vouched: BTreeSet<Fingerprint> = presented.map(|overlap| overlap.old).collect();
    let authoritys = context.authorities.values().flat_map(Authority::certificates);
    vouched.extend(authoritys.map(|(_, certificate)| certificate.fingerprint()));
    let in_doubt = authority::is_any_at_fault(context.authorities);
    let stays =
        |id: &IdentityId| settled.get(&Subject::Identity(id.clone())).is_none_or(|one: &Settled| !one.is_renewed());
    let current = settled.iter().filter_map(|(subject, one)| match subject {
        Subject::Identity(_) if !one.is_renewed() => one.present.as_ref().map(|c| c.fingerprint()),
        Subject::Identity(_) | Subject::Certificate(_) => None,
    });
    let served = served(context.observed).filter(|(id, _)| stays(id)).map(|(_, print)| print);
    let presented = current.chain(served).collect();
    Settlement { subjects: settled, predecessors, vouched, in_doubt, presented, gone }
}

fn key_entry(context: &PlanContext<'_>, def: &IdentityDef, place: &KeyPlace) -> Settled {
    let store = &place.store;
    let Some(status) = context.statuses.get(store) else {
        let why = Why::SourceMissing { subject: def.id.to_string(), looked: format!("no store {store}"), near: None };
        return Settled::unknown(why);
    };
    let Some(facts) = status.facts() else {
        let finding = status.blocking().unwrap_or(FindingKind::StoreMissing);
        return Settled::unknown(Why::SourceBlocked { store: store.clone(), finding });
    };
    if let Some(StagedLook::Unreadable(failure)) = context.observed.staging.get(&def.id) {
        // A rotation may be under way. It is neither continued nor given up.
        let why = Why::SourceUnreadable {
            subject: def.id.to_string(),
            class: failure.class,
            message: failure.message.clone(),
        };
        return Settled::unknown(why);
    }
    match find_key(context, facts, &place.at) {
        Held::Key(entry, chain) => present_key::present(context, def, status, place, entry, chain),
        Held::Nothing => missing(context, def, status, place),
        Held::Other { alias, holder } => {
            let why = Why::AliasConflict {
                alias: alias.clone(),
                holder,
                remedy: format!("move that entry, or override the alias of {} in the spec", def.id),
            };
            Settled::unknown(why)
        }
    }
}

/// Settles an identity without a key: this run makes the key, or requests a certificate from the authority.
fn missing(context: &PlanContext<'_>, def: &IdentityDef, status: &StoreStatus<'_>, place: &KeyPlace) -> Settled {
    let reason = match &place.at {
        KeyAt::Only => "the store has no private key".to_owned(),
        KeyAt::Alias(alias) => format!("the store has no private key entry `{alias}`"),
    };
    let (entry, current, findings) = (None, None, Vec::new());
    match &def.issuer {
        Issuer::Authority(name) => {
            let reason = Some((FindingKind::Missing, reason));
            issued::settle(
                context,
                def,
                name,
                issued::KnownEntry { home: status, key: place, entry, current, findings, reason },
            )
        }
        Issuer::SelfSigned => {
            let finding = FindingKind::Missing;
            renewal::renew(context, def, status, renewal::Renewal { place, entry, current, finding, reason, findings })
        }
    }
}

enum Held<'a> {
    Key(&'a Entry, &'a [trustmason_keystore::CertificateSlot]),
    /// Another entry has the alias of the key.
    Other {
        alias: &'a Alias,
        holder: String,
    },
    Nothing,
}

/// Finds the key. The last entry with its alias counts, as in the JDK. An entry that is deleted in this run leaves its
/// alias free.
fn find_key<'a>(context: &PlanContext<'_>, facts: &'a StoreFacts, at: &'a KeyAt) -> Held<'a> {
    let KeyAt::Alias(alias) = at else {
        return facts.only_key().map_or(Held::Nothing, |(entry, chain)| Held::Key(entry, chain));
    };
    let folded = |e: &&Entry| at.is_at(e.alias.as_ref()) && !context.leaves(e);
    let spelled = |e: &&Entry| e.is_spelled(alias);
    // A JVM looks up only the lower-case spelling. Nobody presents a key under another spelling.
    let exact = facts.entries.iter().rev().filter(folded).find(spelled);
    let unseen = |e: &&Entry| facts.format.alias_model() == AliasModel::Folded && !spelled(e);
    match exact.or_else(|| facts.entries.iter().rev().find(folded)) {
        None => Held::Nothing,
        Some(entry) if unseen(&entry) => {
            let stored = text::escape(entry.alias.as_deref().unwrap_or(""));
            let holder = format!("{} spelled `{stored}`, which a JVM cannot look up", describe(&entry.kind));
            Held::Other { alias, holder }
        }
        Some(entry) => match &entry.kind {
            EntryKind::PrivateKey { chain } => Held::Key(entry, chain),
            other => Held::Other { alias, holder: describe(other) },
        },
    }
}

/// The kind of an entry, in words for people.
pub(crate) fn describe(kind: &EntryKind) -> String {
    match kind {
        EntryKind::Trusted(slot) => match slot.certificate() {
            Some(c) => format!("a trusted certificate of {}", text::escape(c.subject())),
            None => "a trusted certificate that does not parse".to_owned(),
        },
        EntryKind::PrivateKey { .. } => "a private key entry".to_owned(),
        EntryKind::SecretKey => "a secret key entry".to_owned(),
        EntryKind::Untrusted(_) => "a certificate that is not a trust anchor".to_owned(),
        EntryKind::Opaque(what) => format!("an entry of unknown kind ({})", text::escape(what)),
    }
}

fn exported(context: &PlanContext<'_>, def: &IdentityDef) -> Settled {
    let subject = Subject::Identity(def.id.clone());
    let (certificate, from) = match found(context, &subject) {
        Ok(found) => found,
        Err(why) => return Settled::unknown(why),
    };
    let faults = constraints::judge(&certificate, def, context.now);
    let mut findings = renewal::soft_findings(context, def, &certificate, &faults);
    findings.extend(purpose::public_issuer(context, def, &certificate, &[]));
    findings.extend(purpose::client_auth_lost_by_export(context, def, &certificate, &from.place));
    let fingerprint = certificate.fingerprint();
    let named = constraints::names(&certificate, def);
    let asked = if let Some(why) = context.topology.distrust.get(&fingerprint) {
        Err(Why::Distrusted { subject: def.id.to_string(), why: why.clone() })
    } else if named {
        Ok(Asked { material: Material::Known(Arc::clone(&certificate)), from: Some(from) })
    } else {
        Err(Why::NameMismatch {
            subject: def.id.to_string(),
            carries: constraints::carries(&certificate),
            wildcard: constraints::has_wildcard(&certificate),
        })
    };
    let mut by_hand = None;
    // Only its owner can renew it, and that takes longer than one command.
    let handoff = context.observed.ledger.handoffs.get(&HandOffTarget::Identity(def.id.clone()));
    let still_asked = handoff.is_some_and(|pack| pack.replaces == Some(fingerprint) && pack.confirmed.is_none());
    if (context.options.replace.contains(&def.id) || still_asked) && def.write == WriteMode::HandOff {
        by_hand = Some((FindingKind::Stale, "asked for with --replace".to_owned()));
    }
    if let Some(fault) = faults.iter().find(|f| f.demands_new()) {
        let message = format!("{fault}; its owner must make a new certificate by hand");
        findings.push(Finding::of_identity(fault.kind(), &def.id, message).at(None, Some(fingerprint)));
        if def.write == WriteMode::HandOff && context.selection.takes(context.topology, &def.id.host) {
            by_hand = Some((fault.kind(), fault.to_string()));
        }
    }
    if let (Issuer::Authority(name), WriteMode::HandOff, None) = (&def.issuer, def.write, &by_hand) {
        let authority = context.authorities.get(name.as_str());
        if authority.is_some_and(|a| a.fault().is_none() && a.chain(&certificate).is_none()) {
            let is = if certificate.is_self_issued() { "is self-signed" } else { "was not issued by it" };
            let message = format!("the spec wants a certificate issued by {name}, but its certificate {is}");
            findings.push(
                Finding::of_identity(FindingKind::IssuerMismatch, &def.id, message.clone()).at(None, Some(fingerprint)),
            );
            by_hand = Some((FindingKind::IssuerMismatch, message));
        }
    }
    let course = by_hand.map_or(Course::Rest, |(finding, why)| Course::ByHand { finding, why });
    Settled { asked, present: Some(certificate), course, findings }
}

/// The finding on the dates of a trusted certificate that is no host's. After its end nobody accepts what was issued
/// below it, and this program cannot renew it.
fn ended(context: &PlanContext<'_>, subject: &Subject, certificate: &Certificate) -> Option<Finding> {
    let wanted = context.index.edges_of.values().flatten().any(|(_, edge)| edge.subject == *subject);
    // This program never renews it.
    let terms = Terms { renew_before: None, warn_before: Some(context.topology.policy.warn_before) };
    let day = text::day(certificate.not_after());
    let dates = constraints::dates(certificate, terms, context.now);
    let (kind, dates) = match (dates.end, dates.begins) {
        (ExpiryStage::Past, _) => {
            (FindingKind::Expired, format!("ended on {day}, and with it every certificate below it"))
        }
        (ExpiryStage::Due | ExpiryStage::Soon | ExpiryStage::Far, Some(from)) => {
            (FindingKind::NotYetValid, format!("is not valid before {}", text::day(from)))
        }
        (ExpiryStage::Due | ExpiryStage::Soon, None) => {
            (FindingKind::Expiring, format!("ends on {day}, and with it every certificate below it"))
        }
        (ExpiryStage::Far, None) => return None,
    };
    let name = text::escape(certificate.subject());
    let message = format!("{subject}, {name}, {dates}; ask its owner for the next certificate and declare it");
    wanted.then(|| Finding::new(kind, message).at(None, Some(certificate.fingerprint())))
}

/// Reports which declared intermediates of an authority are no trust anchors.
fn withheld(authority: &Authority<'_>) -> Vec<Finding> {
    let one = |(certificate, lost): (&Arc<Certificate>, Vec<&'static str>)| {
        let message = format!(
            "{} is not imported as a trust anchor, because services that use the store would then ignore its {}; services \
             send this certificate with their own (to import it all the same, write `as_anchor: unconstrained` next to its \
             `file:`)",
            text::escape(certificate.subject()),
            lost.join(", ")
        );
        Finding::new(FindingKind::IssuerWithheld, message).at(None, Some(certificate.fingerprint()))
    };
    authority.withheld().map(one).collect()
}

/// Settles a certificate that stays as it is: edges ask for it, unless the spec distrusts it.
fn pinned(
    context: &PlanContext<'_>,
    certificate: Arc<Certificate>,
    subject: String,
    from: CertificateOrigin,
) -> Settled {
    let fingerprint = certificate.fingerprint();
    let asked = match context.topology.distrust.get(&fingerprint) {
        Some(why) => Err(Why::Distrusted { subject, why: why.clone() }),
        None => Ok(Asked { material: Material::Known(Arc::clone(&certificate)), from: Some(from) }),
    };
    Settled { asked, present: Some(certificate), course: Course::Rest, findings: Vec::new() }
}

/// Settles a certificate of an authority, which is trusted because of its own pin or its root's.
fn settle_authority_certificate(context: &PlanContext<'_>, place: String, certificate: &Arc<Certificate>) -> Settled {
    let from = CertificateOrigin { kind: FromKind::File, place, sha256: Some(certificate.fingerprint()) };
    pinned(context, Arc::clone(certificate), text::escape(certificate.subject()), from)
}

fn anchor(context: &PlanContext<'_>, name: &str) -> Settled {
    let subject = Subject::Certificate(name.to_owned());
    let (certificate, from) = match found(context, &subject) {
        Ok(found) => found,
        Err(why) => return Settled::unknown(why),
    };
    let fingerprint = certificate.fingerprint();
    let pin = context.topology.anchors.get(name).and_then(|a| a.sha256);
    if let Some(pinned) = pin.filter(|p| *p != fingerprint) {
        return Settled::unknown(Why::PinMismatch { subject: subject.to_string(), pinned, found: fingerprint });
    }
    pinned(context, certificate, subject.to_string(), from)
}

fn found(context: &PlanContext<'_>, subject: &Subject) -> Result<(Arc<Certificate>, CertificateOrigin), Why> {
    let name = subject.to_string();
    match context.observed.sources.get(subject) {
        Some(SourceLook::Found { certificate, path }) => {
            let from = CertificateOrigin {
                kind: FromKind::File,
                place: path.display().to_string(),
                sha256: Some(certificate.fingerprint()),
            };
            Ok((certificate.clone(), from))
        }
        Some(SourceLook::Missing { folder, names, near }) => {
            let looked = if names.is_empty() {
                format!("{} does not exist", folder.display())
            } else {
                format!("{} has no {}", folder.display(), names.join(" or "))
            };
            Err(Why::SourceMissing { subject: name, looked, near: near.clone() })
        }
        Some(SourceLook::Ambiguous { paths }) => {
            let files: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            Err(Why::SourceAmbiguous { subject: name, files: files.join(", ") })
        }
        Some(SourceLook::Unreadable(failure)) => {
            Err(Why::SourceUnreadable { subject: name, class: failure.class, message: failure.message.clone() })
        }
        None => {
            Err(Why::SourceMissing { subject: name, looked: "trustmason did not look for it".to_owned(), near: None })
        }
    }
}

/// The names that are gone. A former name of a host is gone once every identity of the host has the new name, or gets
/// it in this run.
fn gone_names<'a>(topology: &'a Topology, settled: &BTreeMap<Subject, Settled>) -> BTreeMap<&'a str, Vec<IdentityId>> {
    let mut gone: BTreeMap<&'a str, Vec<IdentityId>> =
        topology.retired.iter().map(|r| (r.as_str(), Vec::new())).collect();
    for host in topology.hosts.values().filter(|h| !h.formerly.is_empty()) {
        let own: Vec<(&IdentityId, &Settled)> = settled
            .iter()
            .filter_map(|(subject, one)| match subject {
                Subject::Identity(id) if id.host == host.fqdn => Some((id, one)),
                Subject::Identity(_) | Subject::Certificate(_) => None,
            })
            .collect();
        let stays = |one: &Settled| match &one.course {
            Course::Rotate(_) | Course::Request(_) | Course::ByHand { .. } => false,
            Course::Unknown
            | Course::Rest
            | Course::Renew(_)
            | Course::AtAuthority { .. }
            | Course::Replied
            | Course::Stuck { .. } => one.asked.is_ok(),
        };
        if own.iter().all(|(_, one)| stays(one)) {
            let renewed = own.iter().filter(|(_, one)| one.is_renewed());
            let waits: Vec<IdentityId> = renewed.map(|(id, _)| (*id).clone()).collect();
            gone.extend(host.formerly.iter().map(|name| (name.as_str(), waits.clone())));
        }
    }
    gone
}

/// The certificates that this plan or earlier runs know to be replaced, with the identity that had each.
fn predecessors(observed: &Observed, settled: &BTreeMap<Subject, Settled>) -> BTreeMap<Fingerprint, IdentityId> {
    let mut all: BTreeMap<Fingerprint, IdentityId> =
        observed.ledger.predecessors.iter().map(|(f, p)| (*f, p.identity.clone())).collect();
    for (subject, one) in settled {
        if let (Subject::Identity(id), Some(present), true) = (subject, &one.present, one.is_renewed()) {
            all.insert(present.fingerprint(), id.clone());
        }
    }
    // A certificate that is in use again, or may still be in use, is no predecessor.
    for one in settled.values() {
        if let Some(fingerprint) = one.known() {
            all.remove(&fingerprint);
        }
        if let Some(overlap) = one.course.overlap() {
            all.remove(&overlap.old);
        }
    }
    all
}
