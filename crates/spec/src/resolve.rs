//! Turns a `Spec` and its profiles into a [`Topology`]: looks up every name, fills in every template and turns rules
//! into edges. Resolving joins paths with the spec's folder and never looks at a disk. All faults are collected, each
//! with its place.

mod anchors;
mod edges;
mod hosts;
mod identities;
mod options;
mod overrides;
mod reach;
mod secrets;
mod services;
mod stores;
mod windows;

use std::collections::BTreeMap;
use std::path::Path;

use crate::estate::Spec;
use crate::fault::{Fault, Faults};
use crate::profile::{Catalog, LoadedProfile, join};
use crate::topology::{Accept, Policy, Topology};

/// The estate of a spec in which everything fits together, and warnings about the spec.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The estate: every name resolved, every template filled in, every rule turned into edges.
    pub topology: Topology,
    /// Faults that deserve a look but do not stop the work.
    pub warnings: Faults,
}

/// The work in progress: the spec, the spec's folder, and the faults found so far.
pub(crate) struct Resolver<'s> {
    pub(crate) spec: &'s Spec,
    pub(crate) base: &'s Path,
    pub(crate) faults: Faults,
    pub(crate) warnings: Faults,
}

impl Resolver<'_> {
    /// Reports a fault of a text that many hosts share. Only the first fault of a place is kept.
    pub(crate) fn once(&mut self, fault: Fault) {
        if !self.faults.iter().any(|known| known.place == fault.place) {
            self.faults.push(fault);
        }
    }
}

/// Resolves a spec with the profiles it names ([`crate::profile::load`]). `base` is the spec's folder, where relative
/// paths start. The same input always gives the same topology.
///
/// # Errors
/// Every unknown name, unusable value and contradiction, sorted by file and line.
pub fn resolve(spec: &Spec, profiles: &[LoadedProfile], base: &Path) -> Result<Resolved, Faults> {
    let catalog = Catalog::new(profiles)?;
    let mut work = Resolver { spec, base, faults: Faults::default(), warnings: Faults::default() };
    let machines = hosts::machines(&mut work, &catalog);
    let stores = stores::stores(&mut work, &machines);
    let options = options::options(&mut work, &machines, &stores);
    let services = services::services(&mut work, &machines);
    let mut identities = identities::identities(&mut work, &machines);
    let (anchors, authorities) = anchors::anchors(&mut work, &machines);
    let (edges, needs) = edges::edges(&mut work, &machines, &stores, &identities);
    for (id, needs) in needs {
        if let Some(def) = identities.get_mut(&id) {
            def.needs.splice(0..0, needs);
        }
    }
    let Resolver { faults, warnings, .. } = work;
    let mut profiles: Vec<String> = Vec::new();
    for name in machines.iter().flat_map(|machine| &machine.effective.members) {
        if !profiles.contains(name) {
            profiles.push(name.clone());
        }
    }
    let secret_variables = secrets::variables(spec, &machines).map(str::to_owned).collect();
    let topology = Topology {
        secret_variables,
        estate: spec.estate.clone(),
        state: join(base, &spec.state),
        certificates_dir: join(base, &spec.certificates_dir),
        profiles,
        hosts: machines.into_iter().map(|machine| (machine.host.fqdn.clone(), machine.host)).collect(),
        stores,
        identities,
        services,
        options,
        anchors,
        authorities,
        edges,
        retired: spec.retired.iter().map(|at| at.value.clone()).collect(),
        distrust: spec.distrust.iter().map(|at| at.value.clone()).collect::<BTreeMap<_, _>>(),
        public_roots: crate::public_roots::all(),
        accept: spec
            .accept
            .iter()
            .map(|one| Accept {
                finding: one.finding.clone(),
                store: one.store.as_ref().map(|at| at.value.clone()),
                sha256: one.sha256,
                until: one.until.clone(),
                why: one.why.clone(),
            })
            .collect(),
        policy: Policy {
            warn_before: spec.warn_before.unwrap_or_default(),
            grace_days: spec.grace_days.unwrap_or(7),
            observation_max_age_days: spec.observation_max_age_days.unwrap_or(30),
            keep_runs: spec.keep_runs.unwrap_or(20),
            keep_days: spec.keep_days.unwrap_or(90),
        },
    };
    faults.into_result(Resolved { topology, warnings: warnings.sorted() })
}
