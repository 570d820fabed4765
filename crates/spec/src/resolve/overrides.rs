//! `stores:`: which stores an entry means, and which entry wins a field.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::Work;
use super::hosts::Machine;
use crate::estate::StoreOverride;
use crate::fault::{At, Place, nearest};
use crate::name::StoreId;

/// Which stores an override means. The order is the rank: later beats earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Glob,
    Role,
    Host,
}

pub(super) struct Override<'s> {
    rank: Rank,
    glob: Option<GlobMatcher>,
    spec: &'s StoreOverride,
}

impl Override<'_> {
    pub(super) fn hits(&self, machine: &Machine<'_>, store: &str) -> bool {
        let (left, right) = self.spec.pattern.value.split_once('/').unwrap_or_default();
        match self.rank {
            Rank::Glob => self.glob.as_ref().is_some_and(|g| g.is_match(format!("{}/{store}", machine.host.fqdn))),
            Rank::Role => right == store && machine.has(left).is_some_and(|role| role.stores.contains_key(store)),
            Rank::Host => right == store && left.trim_end_matches('.').eq_ignore_ascii_case(machine.host.fqdn.as_str()),
        }
    }
}

/// All entries of `stores:`, those that mean nothing reported.
pub(super) fn overrides<'s>(work: &mut Work<'s>, machines: &[Machine<'_>]) -> Vec<Override<'s>> {
    let mut all = Vec::new();
    for spec in &work.spec.stores {
        let pattern = &spec.pattern;
        let (left, right) = pattern.value.split_once('/').unwrap_or_default();
        let mut glob = None;
        let rank = if pattern.value.contains(['*', '?', '[', '{']) {
            match globset::GlobBuilder::new(&pattern.value).literal_separator(true).case_insensitive(true).build() {
                Ok(found) => glob = Some(found.compile_matcher()),
                Err(error) => {
                    let message = format!("`{}` is no usable pattern: {}", pattern.value, error.kind());
                    work.faults.push(work.spec.source.error(pattern.place, message).hint("write it like '*/cacerts'"));
                    continue;
                }
            }
            Rank::Glob
        } else if left.contains('.') {
            Rank::Host
        } else {
            Rank::Role
        };
        let one = Override { rank, glob, spec };
        if !machines.iter().any(|m| m.role.stores.keys().any(|store| one.hits(m, store))) {
            let known: BTreeSet<String> = machines
                .iter()
                .flat_map(|m| {
                    m.role.stores.keys().flat_map(move |store| {
                        let roles = m
                            .host
                            .roles
                            .iter()
                            .filter(move |r| m.has(r).is_some_and(|role| role.stores.contains_key(store)));
                        let by_role = roles.map(move |r| format!("{r}/{store}"));
                        by_role.chain(std::iter::once(format!("{}/{store}", m.host.fqdn)))
                    })
                })
                .collect();
            let meant = nearest(&pattern.value, known.iter().map(String::as_str));
            let why = match rank {
                Rank::Glob => "matches no store".to_owned(),
                Rank::Role => {
                    format!("means no store: no host of a role `{left}` has a store `{right}`")
                }
                Rank::Host => format!("means no store: no host `{left}` has a store `{right}`"),
            };
            let fault = work.spec.source.error(pattern.place, format!("`{}` {why}", pattern.value)).suggest(meant);
            work.faults.push(fault.hint("write ROLE/STORE, FQDN/STORE or a glob over FQDN/STORE"));
        }
        all.push(one);
    }
    all
}

/// The value an override field ends up with. Two overrides of the same rank that differ are a fault.
pub(super) fn top<'o, T>(
    work: &mut Work<'_>,
    id: &StoreId,
    hits: &[&'o Override<'_>],
    field: &str,
    get: impl Fn(&'o StoreOverride) -> Option<&'o At<T>>,
    same: impl Fn(&T, &T) -> bool,
) -> Option<&'o At<T>> {
    let mut best: Option<(Rank, &At<T>, Place)> = None;
    for hit in hits {
        let Some(at) = get(hit.spec) else { continue };
        match best {
            Some((rank, known, first)) if rank == hit.rank => {
                if !same(&known.value, &at.value) {
                    let message = format!(
                        "two overrides of the same rank give {id} a different `{field}`; the other is on line {}",
                        first.line
                    );
                    let fault = work.spec.source.error(hit.spec.pattern.place, message);
                    work.faults.push(
                        fault.hint(format!("write `{id}:` with the `{field}` that is meant; a host's own entry wins")),
                    );
                }
            }
            Some((rank, _, _)) if rank > hit.rank => {}
            Some(_) | None => best = Some((hit.rank, at, hit.spec.pattern.place)),
        }
    }
    best.map(|(_, at, _)| at)
}
