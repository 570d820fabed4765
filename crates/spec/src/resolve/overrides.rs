//! Resolves `stores:` and `services:`: which stores or services an entry matches, and which entry wins for a field.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::Resolver;
use super::hosts::ResolvedHost;
use super::reach::ReferenceKind;
use crate::fault::{At, Span, nearest};

/// How an override names its hosts. A later variant beats an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Glob,
    Role,
    Host,
}

/// An entry, with what its key matches.
pub(super) struct Override<'s, T> {
    rank: Rank,
    glob: Option<GlobMatcher>,
    part: ReferenceKind,
    pattern: &'s At<String>,
    pub(super) spec: &'s T,
}

impl<T> Override<'_, T> {
    /// Whether the entry matches the store or service of this name on this host.
    pub(super) fn hits(&self, machine: &ResolvedHost<'_>, name: &str) -> bool {
        let (left, right) = self.pattern.value.split_once('/').unwrap_or_default();
        match self.rank {
            Rank::Glob => self.glob.as_ref().is_some_and(|g| g.is_match(format!("{}/{name}", machine.host.fqdn))),
            Rank::Role => right == name && machine.has(left).is_some_and(|role| self.part.within(role, name)),
            Rank::Host => right == name && left.trim_end_matches('.').eq_ignore_ascii_case(machine.host.fqdn.as_str()),
        }
    }
}

/// All usable entries of a section. Entries that match nothing are reported.
pub(super) fn overrides<'s, T>(
    work: &mut Resolver<'s>,
    machines: &[ResolvedHost<'_>],
    part: ReferenceKind,
    entries: &'s [(At<String>, T)],
) -> Vec<Override<'s, T>> {
    let mut all = Vec::new();
    let (word, sign) = (part.word(), part.word().to_uppercase());
    for (pattern, spec) in entries {
        let (left, right) = pattern.value.split_once('/').unwrap_or_default();
        let mut glob = None;
        let rank = if pattern.value.contains(['*', '?', '[', '{']) {
            match globset::GlobBuilder::new(&pattern.value).literal_separator(true).case_insensitive(true).build() {
                Ok(found) => glob = Some(found.compile_matcher()),
                Err(error) => {
                    let message = format!("`{}` is not a usable pattern: {}", pattern.value, error.kind());
                    let fault = work.spec.source.error(pattern.place, message);
                    work.faults.push(fault.hint(format!("write it like '*/{right}'")));
                    continue;
                }
            }
            Rank::Glob
        } else if left.contains('.') {
            Rank::Host
        } else {
            Rank::Role
        };
        let one = Override { rank, glob, part, pattern, spec };
        if !machines.iter().any(|m| part.names(&m.role).into_iter().any(|name| one.hits(m, name))) {
            let known = known(machines, part);
            let meant = nearest(&pattern.value, known.iter().map(String::as_str));
            let why = match rank {
                Rank::Glob => format!("matches no {word}"),
                Rank::Role => format!("means no {word}: no host of a role `{left}` has a {word} `{right}`"),
                Rank::Host => format!("means no {word}: no host `{left}` has a {word} `{right}`"),
            };
            let fault = work.spec.source.error(pattern.place, format!("`{}` {why}", pattern.value)).suggest(meant);
            work.faults.push(fault.hint(format!("write ROLE/{sign}, FQDN/{sign} or a glob over FQDN/{sign}")));
        }
        all.push(one);
    }
    all
}

/// Every existing `ROLE/NAME` and `FQDN/NAME`.
fn known(machines: &[ResolvedHost<'_>], part: ReferenceKind) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for machine in machines {
        for name in part.names(&machine.role) {
            let roles =
                machine.host.roles.iter().filter(|r| machine.has(r).is_some_and(|role| part.within(role, name)));
            known.extend(roles.map(|role| format!("{role}/{name}")));
            known.insert(format!("{}/{name}", machine.host.fqdn));
        }
    }
    known
}

/// The value that wins for a field. Two different values of the same rank are a fault.
pub(super) fn winning_value<'o, T, V>(
    work: &mut Resolver<'_>,
    id: &impl std::fmt::Display,
    hits: &[&'o Override<'_, T>],
    field: &str,
    get: impl Fn(&'o T) -> Option<&'o At<V>>,
    same: impl Fn(&V, &V) -> bool,
) -> Option<&'o At<V>> {
    let mut best: Option<(Rank, &At<V>, Span)> = None;
    for hit in hits {
        let Some(at) = get(hit.spec) else { continue };
        match best {
            Some((rank, known, first)) if rank == hit.rank => {
                if !same(&known.value, &at.value) {
                    let message = format!(
                        "two equally specific entries give {id} a different `{field}`; the other is on line {}",
                        first.line
                    );
                    let fault = work.spec.source.error(hit.pattern.place, message);
                    work.faults.push(
                        fault.hint(format!("write `{id}:` with the right `{field}`; an entry for one host wins")),
                    );
                }
            }
            Some((rank, _, _)) if rank > hit.rank => {}
            Some(_) | None => best = Some((hit.rank, at, hit.pattern.place)),
        }
    }
    best.map(|(_, at, _)| at)
}
