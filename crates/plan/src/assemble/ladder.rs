//! What stands around the changes: restarts, and of rotations the phases to come, what they wait for, and what fails where
//! there are none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use trustmason_keystore::Fingerprint;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{Issuer, Source, Subject, Topology};

use super::Assembly;
use crate::change::{Action, ChangeId, Deed, Phase};
use crate::course::{Course, Need, Overlap};
use crate::finding::{Finding, Kind};
use crate::ledger::Reading;
use crate::outline::{Barrier, EdgeVerdict, Forecast, Interruption, Manual, ManualKind, Restart, Wait};
use crate::overlap;
use crate::shell::Command;
use crate::target::{Called, HandOffTarget};
use crate::{restart, text};

impl<'a> Assembly<'a> {
    /// Changes of certificate under way, or beginning with this plan.
    pub(super) fn overlaps(&self) -> impl Iterator<Item = &'a Overlap> {
        self.settled.values().filter_map(|one| one.course.overlap())
    }

    /// Identities of selected hosts whose authority has not replied.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &'a IdentityId> {
        let ground = self.ground;
        self.settled.iter().filter_map(move |(subject, one)| match subject {
            Subject::Identity(id) if matches!(one.course, Course::AtAuthority { .. }) => {
                ground.selection.takes(ground.topology, &id.host).then_some(id)
            }
            Subject::Identity(_) | Subject::Certificate(_) => None,
        })
    }

    /// Identities that a person has issued by an authority, each with the certificates that all who trust it must know first.
    fn issuers_by_hand(&self) -> impl Iterator<Item = (&'a IdentityId, Vec<Fingerprint>)> {
        let ground = self.ground;
        self.settled.iter().filter_map(move |(subject, one)| {
            let Subject::Identity(id) = subject else { return None };
            let def = ground.topology.identities.get(id)?;
            Some((id, overlap::issuers_by_hand(ground, def, one)?))
        })
    }

    pub(super) fn restarts(&self, extending: &[Need]) -> Vec<Restart> {
        let mut because: BTreeMap<&ServiceId, BTreeSet<ChangeId>> = BTreeMap::new();
        let topology = self.ground.topology;
        for change in &self.changes {
            let services = match &change.deed {
                Deed::InstallKey { identity, .. } => topology.identities.get(identity).map(|i| &i.restart),
                Deed::Import { .. } | Deed::Replace { .. } | Deed::Rename { .. } | Deed::Delete { .. } => {
                    topology.stores.get(&change.store).map(|s| &s.restart)
                }
            };
            for service in services.into_iter().flatten() {
                because.entry(service).or_default().insert(change.id);
            }
        }
        let pending: BTreeMap<&ServiceId, Timestamp> = self.pending().collect();
        let rotating = self.rotating(extending);
        let all: BTreeSet<&ServiceId> = because.keys().chain(pending.keys()).copied().chain(&rotating).collect();
        restart::steps(topology, all)
            .into_iter()
            .map(|(service, step)| Restart {
                name: service_name(topology, &service),
                because: because.remove(&service).into_iter().flatten().collect(),
                pending_since: pending.get(&service).copied(),
                rotation: rotating.contains(&service),
                by_command: topology.services.get(&service).is_some_and(|def| def.restart.is_some()),
                step,
                service,
            })
            .collect()
    }

    /// Services that rotations wait for before their next phase; of a rotation that has not installed yet, those of the trusters.
    fn rotating(&self, extending: &[Need]) -> BTreeSet<ServiceId> {
        let (topology, selection) = (self.ground.topology, self.ground.selection);
        let settling = self.overlaps().filter(|overlap| overlap.is_settling());
        let settling = settling.flat_map(|overlap| {
            let home = selection.takes(topology, &overlap.identity.host);
            let waits = overlap.needs.iter().flat_map(|need| &need.waits);
            waits.filter(move |wait| home || selection.takes(topology, wait.host()))
        });
        let extending = extending.iter().flat_map(|need| &need.waits);
        extending.chain(settling).filter_map(Wait::restart).cloned().collect()
    }

    /// Services of the selected hosts that earlier runs left to be restarted.
    fn pending(&self) -> impl Iterator<Item = (&'a ServiceId, Timestamp)> {
        let ground = self.ground;
        let known = |id: &ServiceId| ground.topology.services.contains_key(id);
        ground
            .observed
            .ledger
            .restarts
            .iter()
            .filter(move |(id, _)| known(id) && ground.selection.takes(ground.topology, &id.host))
            .map(|(id, pending)| (id, pending.since))
    }

    pub(super) fn restart_findings(&mut self) {
        let (topology, spec) = (self.ground.topology, &self.ground.options.spec);
        let findings = self.pending().map(|(service, since)| {
            let message = format!(
                "{} was not restarted since its store changed on {}; restart it, then: {}",
                service_name(topology, service),
                text::day(since.as_second()),
                Command::here("trustmason ack").file(spec).word(service)
            );
            Finding::of_host(Kind::RestartPending, &service.host, message)
        });
        let findings: Vec<Finding> = findings.collect();
        self.findings.extend(findings);
    }

    /// What later phases do: first the identities change, then the old certificates leave.
    pub(super) fn forecast(&self) -> Vec<Forecast> {
        let mut forecast = self.forecast.clone();
        for overlap in self.overlaps().filter(|overlap| overlap.is_extending()) {
            let source = self.ground.topology.identities.get(&overlap.identity).map(|def| &def.source);
            if let Some(Source::KeyEntry(place)) = source {
                forecast.push(Forecast {
                    phase: Phase::Install,
                    store: place.store.clone(),
                    alias: place.at.stored(),
                    action: if overlap.is_by_chain() { Action::Install } else { Action::Regenerate },
                    to: None,
                    identity: overlap.identity.clone(),
                });
            }
        }
        // Where an install was taken back its key waits again: once the service is restarted the rotation goes on, and what
        // trusters know of the next certificate stays.
        let goes_on: BTreeSet<&IdentityId> = self
            .overlaps()
            .filter(|overlap| overlap.is_settling())
            .map(|overlap| &overlap.identity)
            .filter(|id| self.ground.observed.staged(id).is_some_and(|key| key.opens))
            .collect();
        forecast.retain(|one| one.phase != Phase::Withdraw || !goes_on.contains(&one.identity));
        forecast.sort();
        forecast
    }

    /// What must have happened between the phases, for the rotations that end in a selected store or live in one.
    pub(super) fn barriers(&self, extending: &[Need]) -> Vec<Barrier> {
        let topology = self.ground.topology;
        let mut install = BTreeSet::new();
        let mut extend: BTreeSet<Wait> = extending.iter().flat_map(|need| &need.waits).cloned().collect();
        for overlap in self.overlaps() {
            let home = self.ground.selection.takes(topology, &overlap.identity.host);
            if overlap.is_settling() {
                let waits = overlap.needs.iter().flat_map(|need| &need.waits);
                install
                    .extend(waits.filter(|wait| home || self.ground.selection.takes(topology, wait.host())).cloned());
            } else if home {
                let services = topology.identities.get(&overlap.identity).into_iter().flat_map(|def| &def.restart);
                install.extend(services.map(|service| Wait::Restart(service.clone())));
            }
        }
        extend.extend(self.awaited().map(|identity| Wait::Reply(identity.clone())));
        [(Phase::Extend, extend), (Phase::Install, install)]
            .into_iter()
            .filter(|(_, waits)| !waits.is_empty())
            .map(|(after_phase, waits)| Barrier { after_phase, waits_for: waits.into_iter().collect() })
            .collect()
    }

    /// What the trusters of the selected rotations still lack before the identities may change.
    pub(super) fn extending(&self) -> Vec<Need> {
        let (topology, selection) = (self.ground.topology, self.ground.selection);
        let blocked: BTreeSet<&str> =
            self.edges.iter().filter(|e| matches!(e.verdict, EdgeVerdict::Blocked(_))).map(|e| e.id.as_str()).collect();
        let mut all = Vec::new();
        let mut take = |identity: &IdentityId, needs: &[Need]| {
            let home = selection.takes(topology, &identity.host);
            for need in needs {
                // Nobody need restart what could not learn anything.
                if need.edge.as_deref().is_some_and(|edge| blocked.contains(edge)) {
                    continue;
                }
                let taken = need.waits.iter().filter(|wait| home || selection.takes(topology, wait.host()));
                all.push(Need { edge: need.edge.clone(), waits: taken.cloned().collect(), hindered: None });
            }
        };
        for overlap in self.overlaps().filter(|overlap| overlap.is_extending()) {
            take(&overlap.identity, &overlap.needs);
        }
        for (identity, anchors) in self.issuers_by_hand() {
            take(identity, &overlap::needs(self.ground, identity, &anchors));
        }
        all
    }

    /// The hand-offs that must be confirmed before a restart of a service counts for the rotations that wait for it.
    pub(super) fn first(extending: &[Need]) -> BTreeMap<ServiceId, BTreeSet<Called>> {
        let mut first: BTreeMap<ServiceId, BTreeSet<Called>> = BTreeMap::new();
        for need in extending {
            let Some(called) = need.hand_off() else { continue };
            for service in need.waits.iter().filter_map(Wait::restart) {
                first.entry(service.clone()).or_default().insert(called.clone());
            }
        }
        first
    }

    pub(super) fn readers(&self) -> BTreeMap<ServiceId, Reading> {
        let mut readers = BTreeMap::new();
        for overlap in self.overlaps() {
            overlap::readers(self.ground, &overlap.identity, overlap.anchors(), &mut readers);
        }
        for (identity, anchors) in self.issuers_by_hand() {
            overlap::readers(self.ground, identity, &anchors, &mut readers);
        }
        let statuses = self.ground.statuses;
        let seen = |id: &StoreId| statuses.get(id).and_then(|status| Some(status.facts()?.seen()));
        let mut take = |service: &ServiceId, store: &StoreId| {
            if let Some(seen) = seen(store) {
                readers.entry(service.clone()).or_default().stores.insert(store.clone(), seen);
            }
        };
        for status in statuses.values().filter(|status| !status.is_hand_off()) {
            status.def.restart.iter().for_each(|service| take(service, &status.def.id));
        }
        for def in self.ground.topology.identities.values() {
            if let Source::KeyEntry(place) = &def.source {
                def.restart.iter().for_each(|service| take(service, &place.store));
            }
        }
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(present)) = (subject, &one.present) else { continue };
            for service in self.ground.topology.identities.get(id).into_iter().flat_map(|def| &def.restart) {
                let reading = readers.entry(service.clone()).or_default();
                reading.presents.insert(id.clone(), present.fingerprint());
            }
        }
        readers
    }

    /// Identities that change while somebody trusts what they present now and cannot learn of the new one first.
    pub(super) fn interruptions(&self) -> Vec<Interruption> {
        let mut all = Vec::new();
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(present)) = (subject, &one.present) else { continue };
            let Some(def) = self.ground.topology.identities.get(id) else { continue };
            let (finding, why) = match &one.course {
                Course::Renew(installation) => (installation.finding, "its rotation is `immediate`"),
                // The issuers of the one that comes are trusted before it: the steps say when it may.
                Course::ByHand { .. } if matches!(&def.issuer, Issuer::Authority(_)) => continue,
                Course::ByHand { finding, .. } => (
                    *finding,
                    "a person makes its new certificate, and trustmason sees that certificate only when it is already in use",
                ),
                Course::Unknown
                | Course::Rest
                | Course::Rotate(_)
                | Course::Request(_)
                | Course::AtAuthority { .. }
                | Course::Replied
                | Course::Stuck { .. } => continue,
            };
            let edges = overlap::relying(self.ground, def, present, finding);
            if !edges.is_empty() {
                all.push(Interruption { identity: id.clone(), why: why.to_owned(), edges });
            }
        }
        all
    }

    pub(super) fn manual_restarts(&self, work: &Manual) -> Vec<Restart> {
        let topology = self.ground.topology;
        let services = match (work.kind, work.target()) {
            (ManualKind::Export, _) => None,
            (_, HandOffTarget::Store(id)) => topology.stores.get(id).map(|s| &s.restart),
            (_, HandOffTarget::Identity(id)) => topology.identities.get(id).map(|i| &i.restart),
        };
        services
            .into_iter()
            .flatten()
            .map(|s| Restart {
                service: s.clone(),
                name: service_name(topology, s),
                because: Vec::new(),
                pending_since: None,
                rotation: false,
                by_command: false,
                step: 1,
            })
            .collect()
    }
}

fn service_name(topology: &Topology, service: &ServiceId) -> String {
    topology.services.get(service).map_or_else(|| service.name.clone(), |s| s.name.clone())
}
