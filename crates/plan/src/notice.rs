//! Identities whose certificate changed though nobody noted it: a person replaced the key, or the state folder is an older one that
//! was put back and has forgotten the run that did. Their service may still present the certificate it had before, and until its
//! restart is acknowledged whoever trusts it keeps that one.

use jiff::Timestamp;
use trustmason_keystore::{Alias, Fingerprint};
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::{IdentityDef, Rotation, Source, Subject, Topology, Write};

use crate::ledger::{Ledger, PendingRestart, Predecessor};
use crate::observed::{Observed, StoreLook, certificate};
use crate::{authority, constraints, overlap};

/// Takes into a ledger what the stores of identities hold now: as a change that was made just now where it is another certificate
/// than was known, or where trusters stand between two. Pure; taking it twice changes nothing more.
pub fn notice(ledger: &mut Ledger, topology: &Topology, observed: &Observed, now: Timestamp) {
    for def in topology.identities.values() {
        let at_home = matches!(def.source, Source::KeyEntry(_)) && def.write == Write::Direct;
        let Some(current) = authority::present(observed, def).filter(|_| at_home) else { continue };
        let print = current.fingerprint();
        let known = ledger.presented.insert(def.id.clone(), print);
        let old = known.or_else(|| between(ledger, topology, observed, def, print));
        if let Some(old) = old.filter(|old| *old != print) {
            replaced(ledger, def, old, print, now);
        }
    }
}

/// The certificate that a truster holds at the alias of an edge while the present one stands beside it, though nobody knows of a
/// change.
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
        let old = at(alias).into_iter().find(|old| old.fingerprint() != print && constraints::names(old, def))?;
        Some(old.fingerprint())
    })
}

/// A change that is taken as made just now.
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
