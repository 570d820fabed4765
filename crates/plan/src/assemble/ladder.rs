//! The parts of a plan that surround its changes: the restarts, the later phases of rotations, what the phases wait
//! for, and the trust that fails where a certificate changes without a rotation. The changes stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use trustmason_keystore::Fingerprint;
use trustmason_spec::name::{IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{CertificateSource, Issuer, Subject, Topology};

use super::Assembly;
use crate::change::{Action, ChangeId, Edit, Phase};
use crate::course::{Course, Need, Overlap};
use crate::finding::{Finding, FindingKind};
use crate::ledger::ServiceReading;
use crate::outline::{Barrier, EdgeVerdict, Forecast, Interruption, Manual, ManualKind, Restart, Wait};
use crate::overlap;
use crate::shell::Command;
use crate::target::{HandOffTarget, TargetName};
use crate::{restart, text};

impl<'a> Assembly<'a> {
    /// The rotations that are under way or begin with this plan.
    pub(super) fn overlaps(&self) -> impl Iterator<Item = &'a Overlap> {
        self.settled.values().filter_map(|one| one.course.overlap())
    }

    /// Identities of selected hosts whose certificate authority has not replied.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &'a IdentityId> {
        let context = self.context;
        self.settled.iter().filter_map(move |(subject, one)| match subject {
            Subject::Identity(id) if matches!(one.course, Course::AtAuthority { .. }) => {
                context.selection.takes(context.topology, &id.host).then_some(id)
            }
            Subject::Identity(_) | Subject::Certificate(_) => None,
        })
    }

    /// Identities for which a person gets a certificate from an authority. With each come the certificates that every
    /// store that trusts the identity must hold first.
    fn issuers_by_hand(&self) -> impl Iterator<Item = (&'a IdentityId, Vec<Fingerprint>)> {
        let context = self.context;
        self.settled.iter().filter_map(move |(subject, one)| {
            let Subject::Identity(id) = subject else { return None };
            let def = context.topology.identities.get(id)?;
            Some((id, overlap::issuers_by_hand(context, def, one)?))
        })
    }

    pub(super) fn restarts(&self, extending: &[Need]) -> Vec<Restart> {
        let mut because: BTreeMap<&ServiceId, BTreeSet<ChangeId>> = BTreeMap::new();
        let topology = self.context.topology;
        for change in &self.changes {
            let services = match &change.edit {
                Edit::InstallKey { identity, .. } => topology.identities.get(identity).map(|i| &i.restart),
                Edit::Import { .. } | Edit::Replace { .. } | Edit::Rename { .. } | Edit::Delete { .. } => {
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

    /// The services that must restart before a rotation goes on to its next phase. Before the installation these are
    /// services of the trusters.
    fn rotating(&self, extending: &[Need]) -> BTreeSet<ServiceId> {
        let (topology, selection) = (self.context.topology, self.context.selection);
        let settling = self.overlaps().filter(|overlap| overlap.is_settling());
        let settling = settling.flat_map(|overlap| {
            let home = selection.takes(topology, &overlap.identity.host);
            let waits = overlap.needs.iter().flat_map(|need| &need.waits);
            waits.filter(move |wait| home || selection.takes(topology, wait.host()))
        });
        let extending = extending.iter().flat_map(|need| &need.waits);
        extending.chain(settling).filter_map(Wait::restart).cloned().collect()
    }

    /// The services of selected hosts whose restart is pending since an earlier run.
    fn pending(&self) -> impl Iterator<Item = (&'a ServiceId, Timestamp)> {
        let context = self.context;
        let known = |id: &ServiceId| context.topology.services.contains_key(id);
        context
            .observed
            .ledger
            .restarts
            .iter()
            .filter(move |(id, _)| known(id) && context.selection.takes(context.topology, &id.host))
            .map(|(id, pending)| (id, pending.since))
    }

    pub(super) fn restart_findings(&mut self) {
        let (topology, spec) = (self.context.topology, &self.context.options.spec);
        let findings = self.pending().map(|(service, since)| {
            let message = format!(
                "{} was not restarted since its store changed on {}; restart it, then: {}",
                service_name(topology, service),
                text::day(since.as_second()),
                Command::here("trustmason ack").file(spec).word(service)
            );
            Finding::of_host(FindingKind::RestartPending, &service.host, message)
        });
        let findings: Vec<Finding> = findings.collect();
        self.findings.extend(findings);
    }

    /// The changes of later phases: first the identities get their new certificates, then the old ones are deleted.
    pub(super) fn forecast(&self) -> Vec<Forecast> {
        let mut forecast = self.forecast.clone();
        for overlap in self.overlaps().filter(|overlap| overlap.is_extending()) {
            let source = self.context.topology.identities.get(&overlap.identity).map(|def| &def.source);
            if let Some(CertificateSource::KeyEntry(place)) = source {
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
        // A rollback of an installation puts the key back into staging. After the restart of the service the rotation
        // goes on, so the next certificate stays in the trusting stores.
        let goes_on: BTreeSet<&IdentityId> = self
            .overlaps()
            .filter(|overlap| overlap.is_settling())
            .map(|overlap| &overlap.identity)
            .filter(|id| self.context.observed.staged(id).is_some_and(|key| key.opens))
            .collect();
        forecast.retain(|one| one.phase != Phase::Withdraw || !goes_on.contains(&one.identity));
        forecast.sort();
        forecast
    }

    /// The restarts, hand-offs and replies that must happen between two phases. Only rotations whose identity or
    /// truster is on a selected host count.
    pub(super) fn barriers(&self, extending: &[Need]) -> Vec<Barrier> {
        let topology = self.context.topology;
        let mut install = BTreeSet::new();
        let mut extend: BTreeSet<Wait> = extending.iter().flat_map(|need| &need.waits).cloned().collect();
        for overlap in self.overlaps() {
            let home = self.context.selection.takes(topology, &overlap.identity.host);
            if overlap.is_settling() {
                let waits = overlap.needs.iter().flat_map(|need| &need.waits);
                install
                    .extend(waits.filter(|wait| home || self.context.selection.takes(topology, wait.host())).cloned());
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

    /// The needs of trusters that the selected rotations must meet before the identities may change.
    pub(super) fn extending(&self) -> Vec<Need> {
        let (topology, selection) = (self.context.topology, self.context.selection);
        let blocked: BTreeSet<&str> =
            self.edges.iter().filter(|e| matches!(e.verdict, EdgeVerdict::Blocked(_))).map(|e| e.id.as_str()).collect();
        let mut all = Vec::new();
        let mut take = |identity: &IdentityId, needs: &[Need]| {
            let home = selection.takes(topology, &identity.host);
            for need in needs {
                // A store that could not get the certificate needs no restart.
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
            take(identity, &overlap::needs(self.context, identity, &anchors));
        }
        all
    }

    /// For each service, the hand-offs that must be confirmed before its restart counts for a rotation.
    pub(super) fn hand_offs_before_restart(extending: &[Need]) -> BTreeMap<ServiceId, BTreeSet<TargetName>> {
        let mut first: BTreeMap<ServiceId, BTreeSet<TargetName>> = BTreeMap::new();
        for need in extending {
            let Some(called) = need.hand_off() else { continue };
            for service in need.waits.iter().filter_map(Wait::restart) {
                first.entry(service.clone()).or_default().insert(called.clone());
            }
        }
        first
    }

    pub(super) fn readers(&self) -> BTreeMap<ServiceId, ServiceReading> {
        let mut readers = BTreeMap::new();
        for overlap in self.overlaps() {
            overlap::readers(self.context, &overlap.identity, overlap.anchors(), &mut readers);
        }
        for (identity, anchors) in self.issuers_by_hand() {
            overlap::readers(self.context, identity, &anchors, &mut readers);
        }
        let statuses = self.context.statuses;
        let seen = |id: &StoreId| statuses.get(id).and_then(|status| Some(status.facts()?.seen()));
        let mut take = |service: &ServiceId, store: &StoreId| {
            if let Some(seen) = seen(store) {
                readers.entry(service.clone()).or_default().stores.insert(store.clone(), seen);
            }
        };
        for status in statuses.values().filter(|status| !status.is_hand_off()) {
            status.def.restart.iter().for_each(|service| take(service, &status.def.id));
        }
        for def in self.context.topology.identities.values() {
            if let CertificateSource::KeyEntry(place) = &def.source {
                def.restart.iter().for_each(|service| take(service, &place.store));
            }
        }
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(present)) = (subject, &one.present) else { continue };
            for service in self.context.topology.identities.get(id).into_iter().flat_map(|def| &def.restart) {
                let reading = readers.entry(service.clone()).or_default();
                reading.presents.insert(id.clone(), present.fingerprint());
            }
        }
        readers
    }

    /// The identities that change although a store trusts their present certificate and cannot get the new one first.
    pub(super) fn interruptions(&self) -> Vec<Interruption> {
        let mut all = Vec::new();
        for (subject, one) in self.settled {
            let (Subject::Identity(id), Some(present)) = (subject, &one.present) else { continue };
            let Some(def) = self.context.topology.identities.get(id) else { continue };
            let (finding, why) = match &one.course {
                Course::Renew(installation) => (installation.finding, "its rotation is `immediate`"),
                // The issuers of the new certificate are trusted before it is installed; the steps of the hand-off say
                // when.
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
            let edges = overlap::relying(self.context, def, present, finding);
            if !edges.is_empty() {
                all.push(Interruption { identity: id.clone(), why: why.to_owned(), edges });
            }
        }
        all
    }

    pub(super) fn manual_restarts(&self, work: &Manual) -> Vec<Restart> {
        let topology = self.context.topology;
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
