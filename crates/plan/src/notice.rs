//! Finds identities whose certificate changed although no run recorded it: a person replaced the key, or an older state
//! folder was put back that does not know the run. The service may still present the earlier certificate. Trusters keep
//! that certificate until the restart is acknowledged. Only the ledger changes here.

use jiff::Timestamp;
use trustmason_keystore::{Alias, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{CertificateSource, IdentityDef, Rotation, Subject, Topology, WriteMode};

use crate::ledger::{Ledger, PendingRestart, Predecessor};
use crate::observed::{Observed, StoreLook, certificate};
use crate::{authority, constraints, overlap};

/// Records in the ledger which certificate each identity's store holds now. If it differs from the recorded one, or if
/// a truster holds two certificates of the identity, the change counts as made just now. Pure; a second call changes
/// nothing more.
pub fn notice(ledger: &mut Ledger, topology: &Topology, observed: &Observed, now: Timestamp) {
    for def in topology.identities.values() {
        let at_home = matches!(def.source, CertificateSource::KeyEntry(_)) && def.write == WriteMode::Direct;
        let Some(current) = authority::present(observed, def).filter(|_| at_home) else { continue };
        let print = current.fingerprint();
        let known = ledger.presented.insert(def.id.clone(), print);
        let old = known.or_else(|| between(ledger, topology, observed, def, print));
        if let Some(old) = old.filter(|old| *old != print) {
            replaced(ledger, def, old, print, now);
        }
    }
}

/// The certificate that a truster holds at the alias of an edge while it holds the present one beside it, although no
/// change is recorded.
fn between(
    ledger: &Ledger,
    topology: &Topology,
    observed: &Observed,
    def: &IdentityDef,
    print: Fingerprint,
) -> Option<Fingerprint> {
    let known = |id: &IdentityId| ledger.predecessors.values().any(|p| p.identity == *id && p.replaced_by == print);
    if known(&def.id) {
        return None;
    }
    let edges = topology.edges.iter().filter(|edge| edge.subject == Subject::Identity(def.id.clone()));
    edges.filter_map(|edge| Some((edge, edge.alias.as_ref()?))).find_map(|(edge, alias)| {
        let StoreLook::Readable(facts) = observed.stores.get(&edge.store)? else { return None };
        let at = |alias: &Alias| {
            let here = facts.entries.iter().filter(|e| e.is_called(alias));
            here.filter_map(certificate).collect::<Vec<_>>()
        };
        if !at(&overlap::next_alias(alias)).iter().any(|certificate| certificate.fingerprint() == print) {
            return None;
        }
        let old = at(alias).into_iter().find(|old| old.fingerprint() != print && constraints::identifies(old, def))?;
        Some(old.fingerprint())
    })
}

/// Records a change as made just now.
fn replaced(ledger: &mut Ledger, def: &IdentityDef, old: Fingerprint, new: Fingerprint, now: Timestamp) {
    let staged = def.rotation == Rotation::Staged;
    ledger.changed([&def.id]);
    let predecessor = Predecessor { identity: def.id.clone(), replaced_by: new, run: None, at: now, staged };
    ledger.predecessors.insert(old, predecessor);
    for service in def.restart.iter().filter(|_| staged) {
        let pending = || PendingRestart { since: now, run: None };
        ledger.restarts.entry(service.clone()).or_insert_with(pending);
    }
}
