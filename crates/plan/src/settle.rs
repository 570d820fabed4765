//! Settles each subject: which certificate an edge asks for. Known (it was seen), minted (this run makes it) or unknown
//! (blocked). Nothing is diffed here.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{AliasModel, Certificate, Entry, EntryId, EntryKind, Fingerprint, fold_alias};
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{Edge, IdentityDef, Issuer, Source, Subject, Topology, Write};

use crate::change::{From, FromKind, IdentityState, Material, Options};
use crate::constraints::{self, DAY, Fault};
use crate::finding::{Finding, Kind, Severity};
use crate::observed::{KeyLook, Observed, SourceLook, StagedLook, StoreFacts};
use crate::overlap::{self, Overlap, Stage};
use crate::standing::{Selection, Standing};
use crate::text;
use crate::why::Why;

/// A subject, settled.
pub(crate) struct Settled {
    pub state: IdentityState,
    pub current: Option<Arc<Certificate>>,
    /// What edges to it ask for.
    pub material: Result<Material, Why>,
    /// Where a known one comes from.
    pub from: Option<From>,
    /// The certificate this run makes for it.
    pub renewal: Option<Renewal>,
    /// The certificate it is changed for while both are trusted.
    pub overlap: Option<Overlap>,
    /// Why a person must make it anew (hand-off identities).
    pub by_hand: Option<(Kind, String)>,
    pub findings: Vec<Finding>,
}

/// A certificate this run makes.
pub(crate) struct Renewal {
    pub store: StoreId,
    pub alias: String,
    pub entry: Option<EntryId>,
    pub finding: Kind,
    pub severity: Severity,
    pub reason: String,
    pub resumed: Option<Arc<Certificate>>,
}

/// What settling needs to know.
pub(crate) struct Ground<'a> {
    pub topology: &'a Topology,
    pub observed: &'a Observed,
    pub standings: &'a BTreeMap<StoreId, Standing<'a>>,
    pub selection: &'a Selection,
    pub options: &'a Options,
    pub now: Timestamp,
    pub index: &'a Index<'a>,
}

/// The topology by what is asked of it once for every store; made once for a plan.
pub(crate) struct Index<'a> {
    /// The edges that end in a store, with their numbers, by id.
    pub edges_of: BTreeMap<&'a StoreId, Vec<(usize, &'a Edge)>>,
    /// The edges that begin at a subject, by id.
    pub trusters_of: BTreeMap<&'a Subject, Vec<&'a Edge>>,
    /// The identities whose key entries live in a store.
    pub homes: BTreeMap<&'a StoreId, Vec<&'a IdentityDef>>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(topology: &'a Topology) -> Self {
        let mut index = Self { edges_of: BTreeMap::new(), trusters_of: BTreeMap::new(), homes: BTreeMap::new() };
        let mut edges: Vec<(usize, &Edge)> = topology.edges.iter().enumerate().collect();
        edges.sort_by_key(|(_, edge)| &edge.id);
        for (number, edge) in edges {
            index.edges_of.entry(&edge.store).or_default().push((number, edge));
            index.trusters_of.entry(&edge.subject).or_default().push(edge);
        }
        for def in topology.identities.values() {
            if let Source::KeyEntry { store, .. } = &def.source {
                index.homes.entry(store).or_default().push(def);
            }
        }
        index
    }
}

/// Every subject settled, and what follows from all of them together.
pub(crate) struct Settlement<'a> {
    pub subjects: BTreeMap<Subject, Settled>,
    /// The certificates that this plan or earlier runs know to be replaced, and whose they were.
    pub predecessors: BTreeMap<Fingerprint, IdentityId>,
    /// Names of hosts that left, and former names of hosts all of whose identities are settled, with those of them that
    /// are made anew in this run.
    gone: BTreeMap<&'a str, Vec<IdentityId>>,
}

impl Settlement<'_> {
    /// The identity that is made anew in this run in the place of a certificate.
    pub(crate) fn successor_of(&self, old: Fingerprint) -> Vec<IdentityId> {
        let renewed = |id: &&IdentityId| {
            self.subjects.get(&Subject::Identity((*id).clone())).is_some_and(|one| one.renewal.is_some())
        };
        self.predecessors.get(&old).filter(renewed).cloned().into_iter().collect()
    }

    /// Where every name a certificate carries belongs to a host that left, or is a former name of one that is settled: the
    /// identities that must have their new certificate before it may go.
    pub(crate) fn gone_for_good(&self, certificate: &Certificate) -> Option<Vec<IdentityId>> {
        if self.gone.is_empty() {
            return None;
        }
        let names = certificate.names_in_full();
        let mut waits = Vec::new();
        for name in &names {
            let (_, first) = self.gone.iter().find(|(gone, _)| is_name_of(name, gone))?;
            waits.extend(first.iter().cloned());
        }
        (!names.is_empty()).then_some(waits)
    }
}

impl Ground<'_> {
    /// Whether a trusted entry leaves whoever holds on to its alias: distrusted, or of hosts that left.
    pub(crate) fn leaves(&self, entry: &Entry) -> bool {
        let Some(slot) = crate::observed::trusted(entry) else { return false };
        self.topology.distrust.contains_key(&slot.fingerprint())
            || slot.certificate().is_some_and(|c| self.is_retired(c))
    }

    /// Whether every name a certificate carries is a retired host's.
    pub(crate) fn is_retired(&self, certificate: &Certificate) -> bool {
        if self.topology.retired.is_empty() {
            return false;
        }
        let names = certificate.names_in_full();
        !names.is_empty() && names.iter().all(|n| self.topology.retired.iter().any(|r| is_name_of(n, r.as_str())))
    }
}

/// Whether a name in a certificate means this host: the FQDN, or its first label where a common name was kept short.
pub(crate) fn is_name_of(name: &str, fqdn: &str) -> bool {
    name == fqdn || (!name.contains('.') && fqdn.split('.').next() == Some(name))
}

/// Settles every identity and every certificate of the spec.
pub(crate) fn settle<'a>(ground: &Ground<'a>) -> Settlement<'a> {
    let mut settled = BTreeMap::new();
    for def in ground.topology.identities.values() {
        let one = match &def.source {
            Source::KeyEntry { store, alias } => key_entry(ground, def, store, alias),
            Source::Exported { .. } | Source::File(_) => exported(ground, def),
        };
        settled.insert(Subject::Identity(def.id.clone()), one);
    }
    for name in ground.topology.anchors.keys() {
        settled.insert(Subject::Certificate(name.clone()), anchor(ground, name));
    }
    let predecessors = predecessors(ground.observed, &settled);
    let gone = gone_names(ground.topology, &settled);
    Settlement { subjects: settled, predecessors, gone }
}

impl Settled {
    /// Nothing is made anew and nobody is asked.
    fn plain(state: IdentityState, current: Option<Arc<Certificate>>, material: Result<Material, Why>) -> Self {
        Self { state, current, material, from: None, renewal: None, overlap: None, by_hand: None, findings: Vec::new() }
    }
}

fn unknown(why: Why) -> Settled {
    Settled::plain(IdentityState::Unknown, None, Err(why))
}

fn key_entry(ground: &Ground<'_>, def: &IdentityDef, store: &StoreId, alias: &str) -> Settled {
    let Some(standing) = ground.standings.get(store) else {
        let why = Why::SourceMissing { subject: def.id.to_string(), looked: format!("no store {store}") };
        return unknown(why);
    };
    let Some(facts) = standing.facts else {
        let finding = standing.blocking().unwrap_or(Kind::StoreMissing);
        return unknown(Why::SourceBlocked { store: store.clone(), finding });
    };
    match find_key(ground, facts, alias) {
        Held::Key(entry, chain) => present(ground, def, standing, alias, entry, chain),
        Held::Nothing => renew(
            ground,
            def,
            standing,
            Draft {
                alias,
                entry: None,
                current: None,
                finding: Kind::Missing,
                reason: format!("the store has no private key entry `{alias}`"),
                findings: Vec::new(),
            },
        ),
        Held::Other(what) => {
            let why = Why::AliasConflict {
                alias: alias.to_owned(),
                holder: what,
                remedy: format!("move it, or override the alias of {} in the spec", def.id),
            };
            unknown(why)
        }
    }
}

enum Held<'a> {
    Key(&'a Entry, &'a [trustmason_keystore::CertificateSlot]),
    Other(String),
    Nothing,
}

/// The last entry of that alias counts, as in the JDK. One that leaves in this run leaves its alias free.
fn find_key<'a>(ground: &Ground<'_>, facts: &'a StoreFacts, alias: &str) -> Held<'a> {
    let folded = |e: &&Entry| e.alias.as_deref().is_some_and(|a| fold_alias(a) == alias) && !ground.leaves(e);
    // A JVM looks up the lower-case spelling only; another spelling is a key nobody presents.
    let exact = facts.entries.iter().rev().filter(folded).find(|e| e.alias.as_deref() == Some(alias));
    let unseen = |e: &&Entry| facts.format.alias_model() == AliasModel::Folded && e.alias.as_deref() != Some(alias);
    match exact.or_else(|| facts.entries.iter().rev().find(folded)) {
        None => Held::Nothing,
        Some(entry) if unseen(&entry) => {
            let stored = text::escape(entry.alias.as_deref().unwrap_or(""));
            Held::Other(format!("{} spelled `{stored}`, which a JVM cannot look up", describe(&entry.kind)))
        }
        Some(entry) => match &entry.kind {
            EntryKind::PrivateKey { chain } => Held::Key(entry, chain),
            other => Held::Other(describe(other)),
        },
    }
}

/// What an entry is, for people.
pub(crate) fn describe(kind: &EntryKind) -> String {
    match kind {
        EntryKind::Trusted(slot) => match slot.certificate() {
            Some(c) => format!("a trusted certificate of {}", text::escape(c.subject())),
            None => "a trusted certificate that does not parse".to_owned(),
        },
        EntryKind::PrivateKey { .. } => "a private key entry".to_owned(),
        EntryKind::SecretKey => "a secret key entry".to_owned(),
        EntryKind::Untrusted(_) => "a certificate that is no trust anchor".to_owned(),
        EntryKind::Opaque(what) => format!("an entry of unknown kind ({})", text::escape(what)),
    }
}

fn present(
    ground: &Ground<'_>,
    def: &IdentityDef,
    standing: &Standing<'_>,
    alias: &str,
    entry: &Entry,
    chain: &[trustmason_keystore::CertificateSlot],
) -> Settled {
    let Some(current) = chain.first().and_then(|slot| slot.certificate()).cloned() else {
        let why = Why::SourceUnreadable {
            subject: def.id.to_string(),
            class: crate::observed::FailureClass::Unreadable,
            message: format!("the certificate of entry `{alias}` in {} does not parse", standing.def.id),
        };
        return unknown(why);
    };
    let mut findings = key_findings(def, standing, entry, &current);
    let faults = constraints::judge(&current, def, ground.now);
    let from = From {
        kind: FromKind::Store,
        place: format!("{}/{alias}", standing.def.id),
        sha256: Some(current.fingerprint()),
    };
    let asked = ground.options.replace.contains(&def.id);
    let staged = overlap::staged(ground, def, Some(&current));
    let distrusted = ground.topology.distrust.get(&current.fingerprint());
    let reason = if let Some(why) = distrusted {
        Some((Kind::Distrusted, format!("its certificate is distrusted: {why}")))
    } else if let Some(fault) = faults.iter().find(|f| f.demands_new()) {
        Some((fault.kind(), fault.to_string()))
    } else {
        asked.then(|| (Kind::Stale, "asked for with --replace".to_owned()))
    };
    let usable = !reason.as_ref().is_some_and(|(kind, _)| overlap::is_useless(*kind));
    let settling = overlap::is_staged(def) && usable;
    let settling = settling.then(|| overlap::settling(ground, def, &current)).flatten();
    let foreign = !current.is_self_issued() && def.issuer == Issuer::SelfSigned && !def.issuer_explicit;
    let (finding, reason) = match (reason, staged) {
        (Some((_, reason)), _) if foreign => {
            findings.extend(soft_findings(ground, def, &current, &faults));
            return ca_issued(def, current, &reason, findings);
        }
        // One change after the other: trusters keep two certificates of an identity, never three.
        (_, _) if settling.is_some() => (Kind::RotationWaiting, String::new()),
        (Some(reason), _) => reason,
        (None, Some(look)) if !foreign => {
            let day = text::day(look.since.as_second());
            (Kind::RotationWaiting, format!("its next key, made on {day}, waits in staging"))
        }
        (None, _) => (Kind::RotationWaiting, String::new()),
    };
    if reason.is_empty() {
        findings.extend(soft_findings(ground, def, &current, &faults));
        findings.extend(settling.iter().flat_map(|overlap| overlap::findings(ground, def, overlap)));
        let material = Ok(Material::Known(current.fingerprint()));
        return Settled {
            from: Some(from),
            overlap: settling,
            findings,
            ..Settled::plain(IdentityState::Active, Some(current), material)
        };
    }
    let draft = Draft { alias, entry: Some(entry.id), current: Some(current), finding, reason, findings };
    if overlap::is_staged(def) {
        renew_staged(ground, def, standing, draft, staged, from)
    } else {
        renew(ground, def, standing, draft)
    }
}

/// Makes an identity anew without an outage where somebody may rely on its present certificate; at once where nobody does.
fn renew_staged(
    ground: &Ground<'_>,
    def: &IdentityDef,
    home: &Standing<'_>,
    draft: Draft<'_>,
    staged: Option<&StagedLook>,
    from: From,
) -> Settled {
    let Some(current) = draft.current.clone().filter(|c| overlap::is_in_use(ground, def, c, draft.finding)) else {
        return renew(ground, def, home, draft);
    };
    let material = Ok(Material::Known(current.fingerprint()));
    if staged.is_none() {
        if !home.selected {
            // Nobody asked to judge it, and until somebody does its trusters have what they need.
            let plain = Settled::plain(IdentityState::RenewDue, Some(current), material);
            return Settled { from: Some(from), ..plain };
        }
        if home.blocking().is_some() || newer_elsewhere(ground, def, &current).is_some() {
            return renew(ground, def, home, draft);
        }
    }
    let Draft { alias, entry, finding, reason, mut findings, current: _ } = draft;
    let overlap = overlap::begin_or_go_on(ground, def, home, &current, staged, finding, reason);
    if overlap.since.is_none() {
        let told = Finding::of_identity(finding, &def.id, overlap.reason.clone());
        // A wish is no fault.
        let wished = finding == Kind::Stale && ground.options.replace.contains(&def.id);
        let severity = if wished { Severity::Info } else { finding.severity() };
        findings.push(told.with_severity(severity).at(Some(alias), Some(current.fingerprint())));
    }
    findings.extend(overlap::findings(ground, def, &overlap));
    let renewal = (overlap.stage == Stage::Install).then(|| Renewal {
        store: home.def.id.clone(),
        alias: alias.to_owned(),
        entry,
        finding: overlap.kind(),
        severity: overlap.severity(ground),
        reason: "every truster knows its next certificate".to_owned(),
        resumed: overlap.certificate.clone(),
    });
    let state = if overlap.since.is_some() { IdentityState::Minted } else { IdentityState::RenewDue };
    let plain = Settled::plain(state, Some(current), material);
    Settled { from: Some(from), renewal, overlap: Some(overlap), findings, ..plain }
}

/// A CA's certificate stays, whatever is wrong with it, until somebody says otherwise; edges follow it if it names its host.
fn ca_issued(def: &IdentityDef, current: Arc<Certificate>, reason: &str, mut findings: Vec<Finding>) -> Settled {
    let why = Why::IssuerMismatch { identity: def.id.clone(), issuer: text::escape(current.issuer()) };
    findings.push(
        Finding::of_identity(Kind::IssuerMismatch, &def.id, format!("{reason}; {why}"))
            .at(None, Some(current.fingerprint())),
    );
    let material =
        if constraints::names(&current, def) { Ok(Material::Known(current.fingerprint())) } else { Err(why) };
    let from = From { kind: FromKind::Store, place: def.id.to_string(), sha256: Some(current.fingerprint()) };
    Settled { from: Some(from), findings, ..Settled::plain(IdentityState::RenewDue, Some(current), material) }
}

fn key_findings(def: &IdentityDef, standing: &Standing<'_>, entry: &Entry, current: &Certificate) -> Vec<Finding> {
    let Some(look) = standing.facts.and_then(|f| f.keys.get(&entry.id)) else {
        return Vec::new();
    };
    let text = match look {
        KeyLook::Opens => return Vec::new(),
        KeyLook::OtherPassword => {
            "the private key has another password than its store, the service will fail to start with \
             UnrecoverableKeyException; set it with keytool -keypasswd"
        }
        KeyLook::Mismatch => "the private key does not belong to the certificate beside it; make the identity anew",
        KeyLook::Unknown(why) => {
            let finding = Finding::of_identity(
                Kind::KeyPasswordMismatch,
                &def.id,
                format!("the private key could not be judged: {why}"),
            );
            return vec![finding.at(entry.alias.as_deref(), Some(current.fingerprint()))];
        }
    };
    let mut finding = Finding::of_identity(Kind::KeyPasswordMismatch, &def.id, text);
    finding.store = Some(standing.def.id.clone());
    vec![finding.at(entry.alias.as_deref(), Some(current.fingerprint()))]
}

/// Findings that do not by themselves demand a new certificate.
fn soft_findings(ground: &Ground<'_>, def: &IdentityDef, current: &Certificate, faults: &[Fault]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = faults
        .iter()
        .filter(|f| !f.demands_new())
        .map(|f| Finding::of_identity(f.kind(), &def.id, f.to_string()).at(None, Some(current.fingerprint())))
        .collect();
    let left = current.not_after().saturating_sub(ground.now.as_second());
    let due = faults.iter().any(|f| matches!(f, Fault::RenewDue { .. } | Fault::Expired { .. }));
    if !due && left >= 0 && left < i64::from(ground.topology.policy.warn_before_days) * DAY {
        let message = format!("it ends on {}", text::day(current.not_after()));
        findings.push(Finding::of_identity(Kind::Expiring, &def.id, message).at(None, Some(current.fingerprint())));
    }
    findings
}

struct Draft<'a> {
    alias: &'a str,
    entry: Option<EntryId>,
    current: Option<Arc<Certificate>>,
    finding: Kind,
    reason: String,
    findings: Vec<Finding>,
}

fn renew(ground: &Ground<'_>, def: &IdentityDef, standing: &Standing<'_>, draft: Draft<'_>) -> Settled {
    let blocked = if let Some(finding) = standing.blocking() {
        Some(Why::SourceBlocked { store: standing.def.id.clone(), finding })
    } else if !standing.selected {
        Some(Why::OutsideSelection { what: format!("{}, which needs a new certificate ({}),", def.id, draft.reason) })
    } else {
        truster_left_behind(ground, def, &standing.def.id, &draft)
    };
    if let Some(why) = blocked {
        let mut findings = draft.findings;
        if standing.selected {
            let message = format!("{}; {why}", draft.reason);
            let finding = Finding::of_identity(why.finding(), &def.id, message);
            findings.push(finding.at(Some(draft.alias), draft.current.as_ref().map(|c| c.fingerprint())));
        }
        return Settled { findings, ..Settled::plain(IdentityState::RenewDue, draft.current, Err(why)) };
    }
    // Who asks for a new key gets one that did not lie about.
    let resumed = overlap::staged(ground, def, draft.current.as_deref())
        .filter(|_| !ground.options.replace.contains(&def.id))
        .map(|look| &look.certificate);
    let material = match resumed {
        Some(certificate) => Material::Known(certificate.fingerprint()),
        None => Material::Minted(def.id.clone()),
    };
    let state = if resumed.is_some() { IdentityState::Minted } else { IdentityState::RenewDue };
    let from = From { kind: FromKind::Generated, place: def.id.to_string(), sha256: resumed.map(|c| c.fingerprint()) };
    Settled {
        from: Some(from),
        renewal: Some(Renewal {
            store: standing.def.id.clone(),
            alias: draft.alias.to_owned(),
            entry: draft.entry,
            severity: draft.finding.severity(),
            finding: draft.finding,
            reason: draft.reason,
            resumed: resumed.cloned(),
        }),
        findings: draft.findings,
        ..Settled::plain(state, draft.current, Ok(material))
    }
}

/// Whether a truster has, at the edge's own alias, a later certificate of the identity that we did not place there.
fn holds_newer(
    ground: &Ground<'_>,
    def: &IdentityDef,
    edge: &Edge,
    truster: &Standing<'_>,
    current: &Certificate,
) -> bool {
    let entries = truster.facts.iter().flat_map(|f| &f.entries);
    entries.filter(|e| e.alias == edge.alias && edge.alias.is_some()).any(|entry| {
        let Some(held) = crate::observed::certificate(entry) else { return false };
        let print = held.fingerprint();
        let ours = entry.alias.as_deref().is_some_and(|a| ground.observed.ledger.placed(&truster.def.id, a, print));
        held.not_before() > current.not_before()
            && constraints::names(held, def)
            && !ours
            && !ground.observed.ledger.predecessors.contains_key(&print)
            && !ground.topology.distrust.contains_key(&print)
            && !is_somebodys(ground, print)
    })
}

/// Whether a certificate is the present one of any identity whose store was seen: then its whereabouts are known.
fn is_somebodys(ground: &Ground<'_>, print: Fingerprint) -> bool {
    ground.index.homes.values().flatten().any(|def| {
        let Source::KeyEntry { store, alias } = &def.source else { return false };
        let Some(facts) = ground.standings.get(store).and_then(|s| s.facts) else { return false };
        match find_key(ground, facts, alias) {
            Held::Key(_, chain) => chain.first().is_some_and(|slot| slot.fingerprint() == print),
            Held::Other(_) | Held::Nothing => false,
        }
    })
}

/// A new certificate must reach every truster in the same run: one outside the selection, one that cannot be written, or one
/// that knows better would break.
fn truster_left_behind(ground: &Ground<'_>, def: &IdentityDef, home: &StoreId, draft: &Draft<'_>) -> Option<Why> {
    let subject = Subject::Identity(def.id.clone());
    // What nobody can use any more is not worth waiting for.
    let works = draft.current.is_some() && !overlap::is_useless(draft.finding);
    let edges = ground.index.trusters_of.get(&subject).into_iter().flatten();
    edges.filter_map(|e| ground.standings.get(&e.store).map(|s| (e, s))).find_map(|(edge, truster)| {
        let id = &truster.def.id;
        if !truster.selected {
            return Some(Why::OutsideSelection { what: format!("{id}, which trusts {} and would break,", def.id) });
        }
        if let Some(finding) = truster.blocking().filter(|_| works && !truster.hand_off && id != home) {
            return Some(Why::TrusterBlocked { identity: def.id.clone(), truster: id.clone(), finding });
        }
        holds_newer(ground, def, edge, truster, draft.current.as_deref()?)
            .then(|| Why::Newer { identity: def.id.clone(), truster: id.clone() })
    })
}

/// A truster that knows better than the identity's own store.
fn newer_elsewhere<'a>(ground: &Ground<'a>, def: &IdentityDef, current: &Certificate) -> Option<&'a StoreId> {
    overlap::trusters(ground, &def.id)
        .find(|(edge, truster)| holds_newer(ground, def, edge, truster, current))
        .map(|(edge, _)| &edge.store)
}

fn exported(ground: &Ground<'_>, def: &IdentityDef) -> Settled {
    let subject = Subject::Identity(def.id.clone());
    let (certificate, from) = match found(ground, &subject) {
        Ok(found) => found,
        Err(why) => return unknown(why),
    };
    let faults = constraints::judge(&certificate, def, ground.now);
    let mut findings = soft_findings(ground, def, &certificate, &faults);
    let fingerprint = certificate.fingerprint();
    let named = constraints::names(&certificate, def);
    let material = if let Some(why) = ground.topology.distrust.get(&fingerprint) {
        Err(Why::Distrusted { subject: def.id.to_string(), why: why.clone() })
    } else if named {
        Ok(Material::Known(fingerprint))
    } else {
        Err(Why::NameMismatch { subject: def.id.to_string(), carries: constraints::carries(&certificate) })
    };
    let mut by_hand = None;
    if ground.options.replace.contains(&def.id) && def.write == Write::HandOff {
        by_hand = Some((Kind::Stale, "asked for with --replace".to_owned()));
    }
    if let Some(fault) = faults.iter().find(|f| f.demands_new()) {
        let message = format!("{fault}; its owner makes a new one by hand");
        findings.push(Finding::of_identity(fault.kind(), &def.id, message).at(None, Some(fingerprint)));
        if def.write == Write::HandOff && ground.selection.takes(ground.topology, &def.id.host) {
            by_hand = Some((fault.kind(), fault.to_string()));
        }
    }
    let state = if by_hand.is_some() { IdentityState::RenewDue } else { IdentityState::Active };
    Settled { from: Some(from), by_hand, findings, ..Settled::plain(state, Some(certificate), material) }
}

fn anchor(ground: &Ground<'_>, name: &str) -> Settled {
    let subject = Subject::Certificate(name.to_owned());
    let (certificate, from) = match found(ground, &subject) {
        Ok(found) => found,
        Err(why) => return unknown(why),
    };
    let fingerprint = certificate.fingerprint();
    let pinned = ground.topology.anchors.get(name).and_then(|a| a.sha256);
    if let Some(pinned) = pinned.filter(|p| *p != fingerprint) {
        return unknown(Why::PinMismatch { subject: subject.to_string(), pinned, found: fingerprint });
    }
    let material = match ground.topology.distrust.get(&fingerprint) {
        Some(why) => Err(Why::Distrusted { subject: subject.to_string(), why: why.clone() }),
        None => Ok(Material::Known(fingerprint)),
    };
    Settled { from: Some(from), ..Settled::plain(IdentityState::Active, Some(certificate), material) }
}

fn found(ground: &Ground<'_>, subject: &Subject) -> Result<(Arc<Certificate>, From), Why> {
    let name = subject.to_string();
    match ground.observed.sources.get(subject) {
        Some(SourceLook::Found { certificate, path }) => {
            let from = From {
                kind: FromKind::File,
                place: path.display().to_string(),
                sha256: Some(certificate.fingerprint()),
            };
            Ok((certificate.clone(), from))
        }
        Some(SourceLook::Missing { folder, names }) => Err(Why::SourceMissing {
            subject: name,
            looked: if names.is_empty() {
                format!("{} does not exist", folder.display())
            } else {
                format!("{} has no {}", folder.display(), names.join(" or "))
            },
        }),
        Some(SourceLook::Ambiguous { paths }) => {
            let files: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
            Err(Why::SourceAmbiguous { subject: name, files: files.join(", ") })
        }
        Some(SourceLook::Unreadable(failure)) => {
            Err(Why::SourceUnreadable { subject: name, class: failure.class, message: failure.message.clone() })
        }
        None => Err(Why::SourceMissing { subject: name, looked: "it was not looked for".to_owned() }),
    }
}

/// A former name is gone once every identity of its host is known to carry the new one, or gets it in this run.
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
        if own.iter().all(|(_, one)| one.material.is_ok() && one.by_hand.is_none() && one.overlap.is_none()) {
            let renewed = own.iter().filter(|(_, one)| one.renewal.is_some());
            let waits: Vec<IdentityId> = renewed.map(|(id, _)| (*id).clone()).collect();
            gone.extend(host.formerly.iter().map(|name| (name.as_str(), waits.clone())));
        }
    }
    gone
}

/// The certificates that this plan or earlier runs know to be replaced, and by whose new one.
fn predecessors(observed: &Observed, settled: &BTreeMap<Subject, Settled>) -> BTreeMap<Fingerprint, IdentityId> {
    let mut all: BTreeMap<Fingerprint, IdentityId> =
        observed.ledger.predecessors.iter().map(|(f, p)| (*f, p.identity.clone())).collect();
    for (subject, one) in settled {
        if let (Subject::Identity(id), Some(current), Some(_)) = (subject, &one.current, &one.renewal) {
            all.insert(current.fingerprint(), id.clone());
        }
    }
    // What is in use again, or may still be, is nobody's predecessor.
    for one in settled.values() {
        if let Ok(Material::Known(fingerprint)) = &one.material {
            all.remove(fingerprint);
        }
        if let Some(overlap) = &one.overlap {
            all.remove(&overlap.old);
        }
    }
    all
}
