//! Resolves services: the order of their restarts, and the command that restarts each (`services:`; FQDN beats ROLE beats
//! glob). Never runs a command.

use std::collections::BTreeMap;

use super::Resolver;
use super::hosts::ResolvedHost;
use super::overrides::{Override, overrides, winning_value};
use super::reach::ReferenceKind;
use super::secrets::{self, Literal};
use crate::estate::ServiceOverride;
use crate::fault::At;
use crate::name::ServiceId;
use crate::topology::{RestartCommand, ServiceDef};

/// The time limit of a restart whose `timeout` is not set.
const TIMEOUT_SECONDS: u32 = 120;

/// All services of all hosts.
pub(crate) fn services(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) -> BTreeMap<ServiceId, ServiceDef> {
    let spec = work.spec;
    let overrides = overrides(work, machines, ReferenceKind::Service, &spec.services);
    let literals = secrets::literals(spec, machines);
    let mut services = BTreeMap::new();
    // Each `timeout` by its place, with whether any service it applies to has a command.
    let mut timeouts = BTreeMap::new();
    for machine in machines {
        for (name, title) in &machine.role.services {
            let id = ServiceId::new(machine.host.fqdn.clone(), name.clone());
            let hits: Vec<&Override<'_, ServiceOverride>> =
                overrides.iter().filter(|o| o.hits(machine, name)).collect();
            let same = |a: &Vec<At<String>>, b: &Vec<At<String>>| {
                a.iter().map(|at| &at.value).eq(b.iter().map(|at| &at.value))
            };
            let restart = winning_value(work, &id, &hits, "restart", |o| o.restart.as_ref(), same);
            let timeout = winning_value(work, &id, &hits, "timeout", |o| o.timeout_seconds.as_ref(), |a, b| a == b);
            for at in hits.iter().filter_map(|hit| hit.spec.timeout_seconds.as_ref()) {
                *timeouts.entry(at.place).or_insert(false) |= restart.is_some();
            }
            let argv = restart.and_then(|at| argv(work, machine, &id, &at.value, &literals));
            let restart = argv
                .map(|argv| RestartCommand { argv, timeout_seconds: timeout.map_or(TIMEOUT_SECONDS, |at| at.value) });
            services.insert(id.clone(), ServiceDef { id, name: title.clone(), rank: machine.rank(), restart });
        }
    }
    for (place, _) in timeouts.into_iter().filter(|(_, used)| !used) {
        let fault = spec.source.error(place, "`timeout` says how long a restart may take, but there is no `restart`");
        work.faults.push(fault.hint("add `restart:` with the program and its arguments, or leave `timeout` out"));
    }
    services
}

/// The program and its arguments, with the host's variables filled in. An argument that holds a secret is refused, and the
/// message does not repeat it: arguments are visible in the process list and in plans.
fn argv(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &ServiceId,
    written: &[At<String>],
    literals: &[Literal<'_>],
) -> Option<Vec<String>> {
    let source = &work.spec.source;
    let filled: Vec<Result<String, String>> = written.iter().map(|at| machine.fill(&at.value)).collect();
    for (at, filled) in written.iter().zip(&filled) {
        let texts = [Some(&at.value), filled.as_ref().ok()];
        if let Some(held) = literals.iter().find(|literal| texts.into_iter().flatten().any(|text| literal.is_in(text)))
        {
            let mut fault = source.error(at.place, format!("the restart of {id} has {} in an argument", held.what));
            fault.text = None;
            work.once(fault.hint(
                "everybody on the machine can read the arguments of a program; let the program fetch the secret itself",
            ));
            return None;
        }
    }
    let mut argv = Vec::new();
    for (at, filled) in written.iter().zip(filled) {
        match filled {
            Ok(text) => argv.push(text),
            Err(why) => {
                let fault = work.spec.source.error(at.place, format!("the restart of {id}: {why}"));
                work.once(fault.hint(format!("known variables: {}", machine.known_vars())));
            }
        }
    }
    (argv.len() == written.len()).then_some(argv)
}
