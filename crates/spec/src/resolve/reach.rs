//! Finds what `ROLE/NAME` and `FQDN/NAME` mean in this estate, and which hosts carry equal labels.

use std::collections::BTreeSet;

use super::Resolver;
use super::hosts::ResolvedHost;
use crate::estate::RuleTweak;
use crate::fault::{At, nearest};
use crate::name::RuleId;
use crate::profile::{Role, dangling};

/// The kind of thing that the right side of `LEFT/RIGHT` names.
#[derive(Clone, Copy)]
pub(super) enum ReferenceKind {
    Store,
    Identity,
    Service,
}

impl ReferenceKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Identity => "identity",
            Self::Service => "service",
        }
    }

    /// The names of this kind in a role.
    pub(super) fn names(self, role: &Role) -> Vec<&String> {
        match self {
            Self::Store => role.stores.keys().collect(),
            Self::Identity => role.identities.keys().collect(),
            Self::Service => role.services.keys().collect(),
        }
    }

    /// Whether a role has this name.
    pub(super) fn within(self, role: &Role, name: &str) -> bool {
        match self {
            Self::Store => role.stores.contains_key(name),
            Self::Identity => role.identities.contains_key(name),
            Self::Service => role.services.contains_key(name),
        }
    }
}

/// The right side of `ROLE/NAME` if this host has the role, and the role has the name.
pub(super) fn own<'a>(machine: &ResolvedHost<'_>, pair: &'a str, part: ReferenceKind) -> Option<&'a str> {
    let (role, name) = pair.split_once('/')?;
    part.within(machine.has(role)?, name).then_some(name)
}

/// Everything that `ROLE/NAME` or `FQDN/NAME` means in this estate. A text that means nothing is a fault.
pub(super) fn find<'m, 's>(
    work: &mut Resolver<'_>,
    machines: &'m [ResolvedHost<'s>],
    at: &'m At<String>,
    part: ReferenceKind,
) -> Vec<(&'m ResolvedHost<'s>, &'m str)> {
    let source = &work.spec.source;
    let (left, right) = at.value.split_once('/').unwrap_or_default();
    let hits: Vec<(&ResolvedHost<'_>, &str)> = if left.contains('.') {
        let host = machines.iter().find(|m| m.host.fqdn.as_str().eq_ignore_ascii_case(left.trim_end_matches('.')));
        let Some(host) = host else {
            let known: Vec<&str> = machines.iter().map(|m| m.host.fqdn.as_str()).collect();
            let fault = source.error(at.place, format!("there is no host `{left}`")).suggest(nearest(left, known));
            work.faults.push(fault.hint("name a host of this spec, or a role"));
            return Vec::new();
        };
        if !part.within(&host.role, right) {
            work.faults.push(dangling(source, at.place, part.word(), right, part.names(&host.role).into_iter()));
            return Vec::new();
        }
        if matches!(part, ReferenceKind::Store) && !host.is_opened() {
            let fault = source.error(at.place, format!("{left} has `access: none`, so its stores cannot be changed"));
            work.faults.push(fault.hint("remove the entry, or give the host an access root"));
            return Vec::new();
        }
        vec![(host, right)]
    } else {
        machines.iter().filter_map(|m| own(m, &at.value, part).map(|name| (m, name))).collect()
    };
    if hits.is_empty() {
        let known: BTreeSet<String> = machines
            .iter()
            .flat_map(|m| {
                m.host
                    .roles
                    .iter()
                    .flat_map(move |role| part.names(&m.role).into_iter().map(move |name| format!("{role}/{name}")))
            })
            .collect();
        let message = format!("no host of this estate has the {} `{}`", part.word(), at.value);
        let fault = source.error(at.place, message).suggest(nearest(&at.value, known.iter().map(String::as_str)));
        work.faults.push(fault.hint(format!("write ROLE/{0} or FQDN/{0}", part.word().to_uppercase())));
    }
    hits
}

/// Whether truster and subject carry equal labels. A host without the label is a fault, because leaving it out silently
/// would remove trust.
pub(super) fn shares(
    work: &mut Resolver<'_>,
    labels: &[&str],
    truster: &ResolvedHost<'_>,
    subject: &ResolvedHost<'_>,
    rule: &RuleId,
    tweak: Option<&RuleTweak>,
) -> bool {
    let mut equal = true;
    for label in labels {
        let (left, right) = (truster.label(label), subject.label(label));
        for (machine, value) in [(truster, &left), (subject, &right)] {
            if value.is_none() {
                let because = tweak.map_or(String::new(), |t| format!(" (line {})", t.rule.place.line));
                let message =
                    format!("{} has no label `{label}`, which the rule {rule} needs{because}", machine.host.fqdn);
                let hint = match *label {
                    "side" => "add `side: a` or `side: b`".to_owned(),
                    "cluster" => "add `cluster:`".to_owned(),
                    _ => format!("add `labels: {{ {label}: … }}`"),
                };
                work.faults.push(work.spec.source.error(machine.spec.place, message).hint(hint));
            }
        }
        equal &= left == right;
    }
    equal
}
