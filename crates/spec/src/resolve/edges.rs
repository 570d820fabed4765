//! Rules and `trust:` entries → edges. A rule follows the truster's profile. Two ways to the same edge become one edge if
//! they agree on the alias: it keeps the rule id that sorts first, with its why and source, and the older names of both.

use std::collections::{BTreeMap, BTreeSet};

use super::Work;
use super::hosts::Machine;
use super::template;
use crate::estate::{RuleTweak, TrustSpec};
use crate::fault::{At, Place, nearest};
use crate::name::{IdentityId, RuleId, StoreId};
use crate::profile::{Rule, dangling, takes_alias};
use crate::topology::{Anchor, Edge, IdentityDef, Source, StoreDef, Subject};

/// All edges, sorted by id.
pub(crate) fn edges(
    work: &mut Work<'_>,
    machines: &[Machine<'_>],
    stores: &BTreeMap<StoreId, StoreDef>,
    identities: &BTreeMap<IdentityId, IdentityDef>,
) -> Vec<Edge> {
    let mut net = Net {
        stores,
        found: BTreeMap::new(),
        used: BTreeSet::new(),
    };
    for truster in machines {
        for rule in truster.effective.rules.values() {
            net.rule(work, machines, truster, rule);
        }
    }
    for (index, entry) in work.spec.trust.iter().enumerate() {
        net.entry(work, machines, index + 1, entry);
    }
    net.idle(work, machines);
    net.close(work, identities)
}

struct Net<'n> {
    stores: &'n BTreeMap<StoreId, StoreDef>,
    found: BTreeMap<String, (Edge, Place)>,
    /// Indices of the `rules:` entries that meant something.
    used: BTreeSet<usize>,
}

impl Net<'_> {
    fn rule(
        &mut self,
        work: &mut Work<'_>,
        machines: &[Machine<'_>],
        truster: &Machine<'_>,
        rule: &Rule,
    ) {
        let stores: BTreeSet<&str> = rule
            .truster
            .iter()
            .filter_map(|at| own(truster, &at.value, Part::Store))
            .collect();
        if stores.is_empty() {
            return;
        }
        let tweak = self.tweak(work, truster, rule);
        if truster.disks.is_none() || tweak.is_some_and(|t| t.enabled == Some(false)) {
            return;
        }
        let mut labels: Vec<&str> = rule.same.iter().map(String::as_str).collect();
        labels.extend(
            tweak
                .and_then(|t| t.same.as_ref())
                .into_iter()
                .flatten()
                .map(String::as_str),
        );
        let alias = tweak.and_then(|t| t.alias.as_ref()).or(rule.alias.as_ref());
        let id = RuleId::new(&rule.origin.profile, &rule.id);
        for subject in machines {
            let own_identities: BTreeSet<&str> = rule
                .subject
                .iter()
                .filter_map(|at| own(subject, &at.value, Part::Identity))
                .collect();
            let itself = subject.host.fqdn == truster.host.fqdn;
            if own_identities.is_empty()
                || (itself && !rule.own)
                || rule
                    .publisher
                    .is_some_and(|wanted| wanted != subject.host.publisher)
                || !shares(work, &labels, truster, subject, &id, tweak)
            {
                continue;
            }
            for identity in own_identities {
                for store in &stores {
                    let draft = Draft {
                        store: StoreId::new(truster.host.fqdn.clone(), *store),
                        subject: Subject::Identity(IdentityId::new(
                            subject.host.fqdn.clone(),
                            identity,
                        )),
                        alias: alias.map(|at| name(at, subject, identity)),
                        was: rule
                            .was
                            .iter()
                            .map(|text| {
                                name(&At::new(text.clone(), Place::default()), subject, identity)
                            })
                            .collect(),
                        rule: id.clone(),
                        why: rule.why.clone(),
                        source: rule.source.clone(),
                        place: tweak.map_or(truster.spec.place, |t| t.rule.place),
                    };
                    self.add(work, draft);
                }
            }
        }
    }

    /// The `rules:` entry for a rule: the truster's own profile by name beats the profile the rule is written in.
    fn tweak<'s>(
        &mut self,
        work: &mut Work<'s>,
        truster: &Machine<'_>,
        rule: &Rule,
    ) -> Option<&'s RuleTweak> {
        let mut best = None;
        for profile in [&truster.effective.name, &rule.origin.profile] {
            let key = format!("{profile}/{}", rule.id);
            if let Some((index, tweak)) = work
                .spec
                .rules
                .iter()
                .enumerate()
                .find(|(_, t)| t.rule.value == key)
            {
                self.used.insert(index);
                best = best.or(Some(tweak));
            }
        }
        if let Some(at) = best.and_then(|tweak: &RuleTweak| tweak.alias.as_ref())
            && let Err(why) = template::check(&at.value, &template::ALIAS)
        {
            work.faults.push(
                work.spec
                    .source
                    .error(at.place, why)
                    .hint("an alias may use {fqdn}, {host} and {identity}"),
            );
        }
        best
    }

    fn entry(
        &mut self,
        work: &mut Work<'_>,
        machines: &[Machine<'_>],
        number: usize,
        entry: &TrustSpec,
    ) {
        let id = RuleId::new("spec", &format!("trust/{number}"));
        for at in entry.alias.iter().chain(&entry.was) {
            if let Err(why) = template::check(&at.value, &template::ALIAS) {
                work.faults.push(
                    work.spec
                        .source
                        .error(at.place, why)
                        .hint("an alias may use {fqdn}, {host} and {identity}"),
                );
                return;
            }
        }
        let mut trusters: Vec<(&Machine<'_>, &str)> = Vec::new();
        for at in &entry.stores {
            trusters.extend(find(work, machines, at, Part::Store));
        }
        let draft =
            |store: StoreId, subject: Subject, alias: Option<String>, was: Vec<String>| Draft {
                store,
                subject,
                alias,
                was,
                rule: id.clone(),
                why: entry.why.clone(),
                source: "the estate spec".to_owned(),
                place: entry.place,
            };
        let plain = |at: &At<String>| at.value.to_lowercase();
        if let Some(certificate) = &entry.certificate {
            if !work.spec.certificates.contains_key(&certificate.value) {
                let fault = dangling(
                    &work.spec.source,
                    certificate.place,
                    "certificate",
                    &certificate.value,
                    work.spec.certificates.keys(),
                );
                work.faults.push(fault);
                return;
            }
            let alias = entry
                .alias
                .as_ref()
                .map_or_else(|| certificate.value.to_lowercase(), plain);
            if alias.contains('{') {
                let at = entry.alias.as_ref().map_or(entry.place, |at| at.place);
                let fault = work.spec.source.error(
                    at,
                    "the alias of a certificate without a host has no variables",
                );
                work.faults.push(fault.hint("write a plain name"));
            }
            for (truster, store) in trusters {
                let store = StoreId::new(truster.host.fqdn.clone(), store);
                let subject = Subject::Certificate(certificate.value.clone());
                self.add(
                    work,
                    draft(
                        store,
                        subject,
                        Some(alias.clone()),
                        entry.was.iter().map(plain).collect(),
                    ),
                );
            }
            return;
        }
        let mut subjects: Vec<(&Machine<'_>, &str)> = Vec::new();
        for at in &entry.subjects {
            subjects.extend(find(work, machines, at, Part::Identity));
        }
        for (truster, store) in &trusters {
            for (subject, identity) in &subjects {
                if truster.host.fqdn == subject.host.fqdn {
                    continue;
                }
                let store = StoreId::new(truster.host.fqdn.clone(), *store);
                let whom = Subject::Identity(IdentityId::new(subject.host.fqdn.clone(), *identity));
                let alias = entry.alias.as_ref().map(|at| name(at, subject, identity));
                self.add(
                    work,
                    draft(
                        store,
                        whom,
                        alias,
                        entry
                            .was
                            .iter()
                            .map(|at| name(at, subject, identity))
                            .collect(),
                    ),
                );
            }
        }
    }

    fn add(&mut self, work: &mut Work<'_>, draft: Draft) {
        let Some(store) = self.stores.get(&draft.store) else {
            return;
        };
        let with_alias = takes_alias(store.format);
        if with_alias && draft.alias.is_none() {
            let message = format!(
                "{} gives no alias, and entries of {} need one",
                draft.rule, draft.store
            );
            work.faults.push(
                work.spec
                    .source
                    .error(draft.place, message)
                    .hint("add `alias:`, such as '{fqdn}'"),
            );
            return;
        }
        let id = format!("{} <- {}", draft.store, draft.subject);
        let mut edge = Edge {
            id: id.clone(),
            anchor: match draft.subject {
                Subject::Identity(_) => Anchor::ByIssuer,
                Subject::Certificate(_) => Anchor::Leaf,
            },
            store: draft.store,
            subject: draft.subject,
            alias: draft.alias.filter(|_| with_alias),
            was: if with_alias { draft.was } else { Vec::new() },
            rule: draft.rule,
            why: draft.why,
            source: draft.source,
        };
        if let Some((known, _)) = self.found.get(&id) {
            if known.alias != edge.alias {
                let shown = |alias: &Option<String>| alias.clone().unwrap_or_default();
                let message = format!(
                    "{} and {} want {id} under two aliases, `{}` and `{}`",
                    known.rule,
                    edge.rule,
                    shown(&known.alias),
                    shown(&edge.alias)
                );
                let hint = format!(
                    "give one of them the other's alias under `rules:`, such as `{}: {{ alias: … }}`",
                    edge.rule
                );
                work.faults
                    .push(work.spec.source.error(draft.place, message).hint(hint));
                return;
            }
            let (mut first, second) = if known.rule <= edge.rule {
                (known.clone(), edge)
            } else {
                (edge, known.clone())
            };
            first.was.extend(second.was);
            edge = first;
        }
        self.found.insert(id, (edge, draft.place));
    }

    /// `rules:` entries that no host follows.
    fn idle(&self, work: &mut Work<'_>, machines: &[Machine<'_>]) {
        let known: BTreeSet<String> = machines
            .iter()
            .flat_map(|m| m.effective.rules.values())
            .map(|rule| format!("{}/{}", rule.origin.profile, rule.id))
            .collect();
        for (index, tweak) in work.spec.rules.iter().enumerate() {
            if self.used.contains(&index) || machines.is_empty() {
                continue;
            }
            let named = &tweak.rule.value;
            let message = if known.contains(named) {
                format!("no host of this estate follows the rule `{named}`")
            } else {
                format!("there is no rule `{named}` in the profiles of this estate")
            };
            let rule = named.split_once('/').map_or("", |(_, rule)| rule);
            let meant = known
                .iter()
                .find(|k| *k != named && k.ends_with(&format!("/{rule}")))
                .cloned();
            let meant = meant.or_else(|| nearest(named, known.iter().map(String::as_str)));
            let fault = work.spec.source.error(tweak.rule.place, message);
            work.faults.push(
                fault
                    .suggest(meant.filter(|m| m != named))
                    .hint("`trustmason profile show NAME` prints a profile with its rules"),
            );
        }
    }

    /// Checks that aliases are unique per store, and lets older names go that somebody else uses today.
    fn close(
        self,
        work: &mut Work<'_>,
        identities: &BTreeMap<IdentityId, IdentityDef>,
    ) -> Vec<Edge> {
        let mut taken: BTreeMap<(StoreId, String), String> = BTreeMap::new();
        for def in identities.values() {
            if let Source::KeyEntry { store, alias } = &def.source {
                taken.insert(
                    (store.clone(), alias.clone()),
                    format!("the key of {}", def.id),
                );
            }
        }
        let mut edges = Vec::new();
        for (edge, place) in self.found.into_values() {
            if let Some(alias) = &edge.alias {
                let slot = (edge.store.clone(), alias.clone());
                if let Some(other) = taken.get(&slot) {
                    let message = format!(
                        "`{alias}` in {} would be the alias of both {other} and {} ({})",
                        edge.store, edge.subject, edge.rule
                    );
                    let hint = format!(
                        "give one of them another alias, such as `{}: {{ alias: '{{fqdn}}_{{identity}}' }}` under `rules:`",
                        edge.rule
                    );
                    work.faults
                        .push(work.spec.source.error(place, message).hint(hint));
                } else {
                    taken.insert(slot, format!("{} ({})", edge.subject, edge.rule));
                }
            }
            edges.push(edge);
        }
        for edge in &mut edges {
            edge.was
                .retain(|old| !taken.contains_key(&(edge.store.clone(), old.clone())));
            edge.was.sort();
            edge.was.dedup();
        }
        edges
    }
}

struct Draft {
    store: StoreId,
    subject: Subject,
    alias: Option<String>,
    was: Vec<String>,
    rule: RuleId,
    why: String,
    source: String,
    place: Place,
}

/// What the right side of `LEFT/RIGHT` names.
#[derive(Clone, Copy)]
enum Part {
    Store,
    Identity,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Identity => "identity",
        }
    }

    fn names<'m>(self, machine: &'m Machine<'_>) -> Vec<&'m String> {
        match self {
            Self::Store => machine.role.stores.keys().collect(),
            Self::Identity => machine.role.identities.keys().collect(),
        }
    }
}

/// The store or identity of `ROLE/NAME` if this host has that role.
fn own<'a>(machine: &Machine<'_>, pair: &'a str, part: Part) -> Option<&'a str> {
    let (role, name) = pair.split_once('/')?;
    let role = machine.has(role)?;
    let there = match part {
        Part::Store => role.stores.contains_key(name),
        Part::Identity => role.identities.contains_key(name),
    };
    there.then_some(name)
}

/// Everything `ROLE/NAME` or `FQDN/NAME` means in this estate. What means nothing is a fault.
fn find<'m, 's>(
    work: &mut Work<'_>,
    machines: &'m [Machine<'s>],
    at: &'m At<String>,
    part: Part,
) -> Vec<(&'m Machine<'s>, &'m str)> {
    let source = &work.spec.source;
    let (left, right) = at.value.split_once('/').unwrap_or_default();
    let hits: Vec<(&Machine<'_>, &str)> = if left.contains('.') {
        let host = machines.iter().find(|m| {
            m.host
                .fqdn
                .as_str()
                .eq_ignore_ascii_case(left.trim_end_matches('.'))
        });
        let Some(host) = host else {
            let known: Vec<&str> = machines.iter().map(|m| m.host.fqdn.as_str()).collect();
            let fault = source
                .error(at.place, format!("there is no host `{left}`"))
                .suggest(nearest(left, known));
            work.faults
                .push(fault.hint("name a host of this spec, or a role"));
            return Vec::new();
        };
        if !part.names(host).iter().any(|name| *name == right) {
            work.faults.push(dangling(
                source,
                at.place,
                part.word(),
                right,
                part.names(host).into_iter(),
            ));
            return Vec::new();
        }
        if matches!(part, Part::Store) && host.disks.is_none() {
            let fault = source.error(
                at.place,
                format!("{left} has `access: none`, so nothing can be brought into its stores"),
            );
            work.faults
                .push(fault.hint("take the entry out, or give the host an access root"));
            return Vec::new();
        }
        vec![(host, right)]
    } else {
        machines
            .iter()
            .filter_map(|m| own(m, &at.value, part).map(|name| (m, name)))
            .collect()
    };
    if hits.is_empty() {
        let known: BTreeSet<String> = machines
            .iter()
            .flat_map(|m| {
                m.host.roles.iter().flat_map(move |role| {
                    part.names(m)
                        .into_iter()
                        .map(move |name| format!("{role}/{name}"))
                })
            })
            .collect();
        let message = format!(
            "no host of this estate has the {} `{}`",
            part.word(),
            at.value
        );
        let fault = source
            .error(at.place, message)
            .suggest(nearest(&at.value, known.iter().map(String::as_str)));
        work.faults.push(fault.hint(format!(
            "write ROLE/{0} or FQDN/{0}",
            part.word().to_uppercase()
        )));
    }
    hits
}

/// Whether truster and subject carry equal labels. A host without the label is a fault: leaving it out in silence would
/// take trust away.
fn shares(
    work: &mut Work<'_>,
    labels: &[&str],
    truster: &Machine<'_>,
    subject: &Machine<'_>,
    rule: &RuleId,
    tweak: Option<&RuleTweak>,
) -> bool {
    let mut equal = true;
    for label in labels {
        let (left, right) = (truster.label(label), subject.label(label));
        for (machine, value) in [(truster, &left), (subject, &right)] {
            if value.is_none() {
                let because =
                    tweak.map_or(String::new(), |t| format!(" (line {})", t.rule.place.line));
                let message = format!(
                    "{} has no label `{label}`, which the rule {rule} asks for{because}",
                    machine.host.fqdn
                );
                let hint = match *label {
                    "side" => "add `side: a` or `side: b`".to_owned(),
                    "cluster" => "add `cluster:`".to_owned(),
                    _ => format!("add `labels: {{ {label}: … }}`"),
                };
                work.faults.push(
                    work.spec
                        .source
                        .error(machine.spec.place, message)
                        .hint(hint),
                );
            }
        }
        equal &= left == right;
    }
    equal
}

/// An alias filled in, in lower case. Templates were checked before, so nothing is left open.
fn name(at: &At<String>, subject: &Machine<'_>, identity: &str) -> String {
    let value = |name: &str| match name {
        "fqdn" => Some(subject.host.fqdn.as_str().to_owned()),
        "host" => Some(subject.host.fqdn.host().to_owned()),
        "identity" => Some(identity.to_owned()),
        _ => None,
    };
    template::fill(&at.value, &value)
        .unwrap_or_else(|_| at.value.clone())
        .to_lowercase()
}
