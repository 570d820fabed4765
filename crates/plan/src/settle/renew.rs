//! An identity whose key entry was found, or is missing: is its certificate good, and if not, is it made anew at once, in stages,
//! or not at all.

use std::sync::Arc;

use trustmason_keystore::{Certificate, Entry, EntryId, Fingerprint};
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{Edge, IdentityDef, Issuer, Source, Subject};

use super::course::{Asked, Course, Installation, KeyPlace, NewKey, Settled};
use super::{Ground, Held, find_key, issued};
use crate::authority;
use crate::change::{From, FromKind, Material};
use crate::constraints::{self, End, Fault, Terms};
use crate::finding::{Finding, Kind, Severity};
use crate::observed::{KeyLook, StagedKey};
use crate::overlap::{self, Next};
use crate::standing::Standing;
use crate::text;
use crate::why::Why;

pub(super) fn present(
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
            message: match chain {
                [] => format!("{} has no certificate", Source::key_entry(&standing.def.id, alias)),
                _ => format!("the certificate of {} does not parse", Source::key_entry(&standing.def.id, alias)),
            },
        };
        return Settled::unknown(why);
    };
    let mut findings = key_findings(def, standing, entry, &current);
    if let Some(key) = ground.observed.staged(&def.id).filter(|key| overlap::is_outdated(key, &current)) {
        let day = text::day(key.since.as_second());
        let message = format!(
            "a key made on {day} waits in staging and is older than the certificate in use; it is not used, remove {}",
            key.path.display()
        );
        findings.push(Finding::of_identity(Kind::Stale, &def.id, message).with_severity(Severity::Info));
    }
    let faults = constraints::judge(&current, def, ground.now);
    let from = From {
        kind: FromKind::Store,
        place: Source::key_path(&standing.def.id, alias),
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
    if let Issuer::Authority(name) = &def.issuer {
        findings.extend(soft_findings(ground, def, &current, &faults));
        let entry = Some(entry.id);
        let place = issued::Place { home: standing, alias, entry, current: Some(current), findings, reason };
        return issued::settle(ground, def, name, place);
    }
    let back = def.issuer_explicit && authority::issuer_of(ground.authorities, &current).is_some();
    let reason = reason.or_else(|| {
        let from = text::escape(current.issuer());
        back.then(|| (Kind::IssuerMismatch, format!("it was issued by {from}, the spec wants it self-signed")))
    });
    let usable = !reason.as_ref().is_some_and(|(kind, _)| overlap::is_useless(*kind));
    let settling = overlap::is_staged(def) && usable;
    let settling = settling.then(|| overlap::settling(ground, def, standing, &current)).flatten();
    let foreign = !current.is_self_issued() && def.issuer == Issuer::SelfSigned && !def.issuer_explicit;
    let cause = match (reason, staged) {
        (Some((_, reason)), _) if foreign => {
            findings.extend(soft_findings(ground, def, &current, &faults));
            return ca_issued(def, current, distrusted, &reason, findings);
        }
        // One change after the other: trusters keep two certificates of an identity, never three.
        (_, _) if settling.is_some() => None,
        (Some(reason), _) => Some(reason),
        (None, Some(look)) if !foreign => {
            let day = text::day(look.since.as_second());
            Some((Kind::RotationWaiting, format!("its next key, made on {day}, waits in staging")))
        }
        (None, _) => None,
    };
    let Some((finding, reason)) = cause else {
        findings.extend(soft_findings(ground, def, &current, &faults));
        findings.extend(settling.iter().flat_map(|overlap| overlap::findings(ground, def, overlap)));
        let asked = Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) });
        let course = settling.map_or(Course::Rest, |overlap| Course::Rotate(Box::new(overlap)));
        return Settled { asked, present: Some(current), course, findings };
    };
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
    staged: Option<&StagedKey>,
    from: From,
) -> Settled {
    let Some(current) = draft.current.clone().filter(|c| overlap::is_in_use(ground, def, c, draft.finding)) else {
        return renew(ground, def, home, draft);
    };
    let asked = Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) });
    if staged.is_none() {
        if !home.selected {
            // Nobody asked to judge it, and until somebody does its trusters have what they need.
            return Settled {
                asked,
                present: Some(current),
                course: Course::Stuck { obstacle: None },
                findings: Vec::new(),
            };
        }
        if home.blocking().is_some() || newer_elsewhere(ground, def, &current).is_some() {
            return renew(ground, def, home, draft);
        }
    }
    let Draft { alias, entry, finding, reason, mut findings, current: _ } = draft;
    let place = KeyPlace { store: home.def.id.clone(), alias: alias.to_owned() };
    let overlap = match staged {
        Some(look) => {
            let installation = Installation {
                place,
                entry,
                finding: Kind::RotationWaiting,
                severity: overlap::patience(ground, look.since),
                reason: "every truster knows its next certificate".to_owned(),
                key: NewKey::Staged(Arc::clone(&look.certificate)),
            };
            overlap::go_on(ground, def, home, &current, Next::of(look), installation)
        }
        None => {
            // A wish is no fault.
            let wished = finding == Kind::Stale && ground.options.replace.contains(&def.id);
            let severity = if wished { Severity::Info } else { finding.severity() };
            let told = Finding::of_identity(finding, &def.id, reason).with_severity(severity);
            findings.push(told.at(super::stored(alias), Some(current.fingerprint())));
            overlap::begin(ground, def, &current, place)
        }
    };
    findings.extend(overlap::findings(ground, def, &overlap));
    Settled { asked, present: Some(current), course: Course::Rotate(Box::new(overlap)), findings }
}

/// A CA's reply that passed its guards.
pub(super) struct Reply {
    pub next: Next,
    /// Who issued it, nearest first.
    pub issuers: Vec<Arc<Certificate>>,
    /// The file.
    pub from: From,
}

/// Brings a CA's reply to its identity: where somebody relies on the present certificate not before all know the issuers.
pub(super) fn with_reply(
    ground: &Ground<'_>,
    def: &IdentityDef,
    home: &Standing<'_>,
    draft: Draft<'_>,
    reply: Reply,
) -> Settled {
    let Draft { alias, entry, current, finding, reason, mut findings } = draft;
    let Reply { next, issuers, from } = reply;
    let leaf = Arc::clone(&next.certificate);
    // Until then its trusters need what it presents now.
    let material = Material::Known(Arc::clone(current.as_ref().unwrap_or(&leaf)));
    let asked = Ok(Asked { material, from: Some(from.clone()) });
    let installation = Installation {
        place: KeyPlace { store: home.def.id.clone(), alias: alias.to_owned() },
        entry,
        finding,
        severity: overlap::patience(ground, next.since),
        reason,
        key: NewKey::Replied { leaf, issuers, from },
    };
    let in_use = current.as_ref().filter(|c| overlap::is_staged(def) && overlap::is_in_use(ground, def, c, finding));
    let course = if let Some(current) = in_use {
        let installation = Installation {
            finding: Kind::RotationWaiting,
            reason: "every truster knows the issuers of its reply".to_owned(),
            ..installation
        };
        let overlap = overlap::go_on(ground, def, home, current, next, installation);
        findings.extend(overlap::findings(ground, def, &overlap));
        Course::Rotate(Box::new(overlap))
    } else if home.selected && home.blocking().is_none() {
        Course::Renew(installation)
    } else {
        Course::Replied
    };
    Settled { asked, present: current, course, findings }
}

/// A CA's certificate stays, whatever is wrong with it, until somebody says otherwise; edges follow it if it names its host.
fn ca_issued(
    def: &IdentityDef,
    current: Arc<Certificate>,
    distrusted: Option<&String>,
    reason: &str,
    mut findings: Vec<Finding>,
) -> Settled {
    let why = Why::IssuerMismatch { identity: def.id.clone(), issuer: text::escape(current.issuer()) };
    findings.push(
        Finding::of_identity(Kind::IssuerMismatch, &def.id, format!("{reason}; {why}"))
            .at(None, Some(current.fingerprint())),
    );
    let place = def.id.to_string();
    let asked = match distrusted {
        // What the spec distrusts goes into no store, whoever presents it.
        Some(why) => Err(Why::Distrusted { subject: place, why: why.clone() }),
        None if constraints::names(&current, def) => {
            let from = From { kind: FromKind::Store, place, sha256: Some(current.fingerprint()) };
            Ok(Asked { material: Material::Known(Arc::clone(&current)), from: Some(from) })
        }
        None => Err(why),
    };
    Settled { asked, present: Some(current), course: Course::Stuck { obstacle: None }, findings }
}

fn key_findings(def: &IdentityDef, standing: &Standing<'_>, entry: &Entry, current: &Certificate) -> Vec<Finding> {
    let Some(look) = standing.facts().and_then(|f| f.keys.get(&entry.id)) else {
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
pub(super) fn soft_findings(
    ground: &Ground<'_>,
    def: &IdentityDef,
    current: &Certificate,
    faults: &[Fault],
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = faults
        .iter()
        .filter(|f| !f.demands_new())
        .map(|f| Finding::of_identity(f.kind(), &def.id, f.to_string()).at(None, Some(current.fingerprint())))
        .collect();
    let terms =
        Terms { renew_before_days: def.renew_before_days, warn_before_days: ground.topology.policy.warn_before_days };
    if constraints::dates(current, terms, ground.now).end == End::Soon {
        let message = format!("it ends on {}", text::day(current.not_after()));
        findings.push(Finding::of_identity(Kind::Expiring, &def.id, message).at(None, Some(current.fingerprint())));
    }
    findings
}

/// A certificate that is to be made anew, and why.
pub(super) struct Draft<'a> {
    pub alias: &'a str,
    pub entry: Option<EntryId>,
    pub current: Option<Arc<Certificate>>,
    pub finding: Kind,
    pub reason: String,
    pub findings: Vec<Finding>,
}

pub(super) fn renew(ground: &Ground<'_>, def: &IdentityDef, standing: &Standing<'_>, draft: Draft<'_>) -> Settled {
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
        return Settled { asked: Err(why), present: draft.current, course: Course::Stuck { obstacle: None }, findings };
    }
    // Who asks for a new key gets one that did not lie about.
    let resumed = overlap::staged(ground, def, draft.current.as_deref())
        .filter(|_| !ground.options.replace.contains(&def.id))
        .map(|look| &look.certificate);
    let (material, key) = match resumed {
        Some(certificate) => (Material::Known(Arc::clone(certificate)), NewKey::Staged(Arc::clone(certificate))),
        None => (Material::Minted(def.id.clone()), NewKey::Made),
    };
    let from = From { kind: FromKind::Generated, place: def.id.to_string(), sha256: resumed.map(|c| c.fingerprint()) };
    let installation = Installation {
        place: KeyPlace { store: standing.def.id.clone(), alias: draft.alias.to_owned() },
        entry: draft.entry,
        finding: draft.finding,
        severity: draft.finding.severity(),
        reason: draft.reason,
        key,
    };
    Settled {
        asked: Ok(Asked { material, from: Some(from) }),
        present: draft.current,
        course: Course::Renew(installation),
        findings: draft.findings,
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
    let entries = truster.facts().into_iter().flat_map(|f| &f.entries);
    entries.filter(|e| e.alias.as_deref() == edge.alias.as_deref() && edge.alias.is_some()).any(|entry| {
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
        let Some(facts) = ground.standings.get(store).and_then(Standing::facts) else { return false };
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
        if let Some(finding) = truster.blocking().filter(|_| works && !truster.is_hand_off() && id != home) {
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
