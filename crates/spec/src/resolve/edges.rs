//! Turns rules and `trust:` entries into edges. The rules that apply are those of the truster's profile. Rules that
//! want the same edge give one edge, and must agree on the alias. The rule id that sorts first gives the edge its why
//! and source; the older aliases of all are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use trustmason_keystore::Alias;

use super::Resolver;
use super::hosts::ResolvedHost;
use super::reach::{ReferenceKind, find, own, shares};
use crate::estate::{RuleTweak, TrustSpec};
use crate::fault::{At, Span, nearest};
use crate::name::{IdentityId, RuleId, StoreId};
use crate::profile::{Rule, dangling, takes_alias};
use crate::template;
use crate::topology::{
    Anchor, CertificateSource, Edge, IdentityDef, KeyAt, KeyPlace, NeededBy, OlderAlias, StoreDef, Subject, UsageNeed,
};

/// All edges, sorted by id, and the usages that the rules behind them need of each identity.
pub(crate) fn edges<'n>(
    work: &mut Resolver<'_>,
    machines: &'n [ResolvedHost<'n>],
    stores: &'n BTreeMap<StoreId, StoreDef>,
    identities: &BTreeMap<IdentityId, IdentityDef>,
) -> (Vec<Edge>, BTreeMap<IdentityId, BTreeSet<UsageNeed>>) {
    let mut net = Net {
        stores,
        subjects: BTreeMap::new(),
        found: BTreeMap::new(),
        used: BTreeSet::new(),
        needs: BTreeMap::new(),
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
    let needs = std::mem::take(&mut net.needs);
    (net.close(work, identities), needs)
}

struct Net<'n> {
    stores: &'n BTreeMap<StoreId, StoreDef>,
    /// The subjects of each rule, searched once. The key is the rule's profile and id.
    subjects: BTreeMap<(&'n str, &'n str), Subjects<'n>>,
    found: BTreeMap<String, (Edge, Span)>,
    /// Indices of the `rules:` entries that matched a rule.
    used: BTreeSet<usize>,
    /// The usages that rules need of each identity. An entry of `trust:` does not say what its subject does.
    needs: BTreeMap<IdentityId, BTreeSet<UsageNeed>>,
}

/// Hosts, each with its identities that a rule names.
type Subjects<'n> = Rc<Vec<(&'n ResolvedHost<'n>, BTreeSet<&'n str>)>>;

impl<'n> Net<'n> {
    fn rule(
        &mut self,
        work: &mut Resolver<'_>,
        machines: &'n [ResolvedHost<'n>],
        truster: &ResolvedHost<'_>,
        rule: &'n Rule,
    ) {
        let stores: BTreeSet<&str> =
            rule.truster.iter().filter_map(|at| own(truster, &at.value, ReferenceKind::Store)).collect();
        if stores.is_empty() {
            return;
        }
        let tweak = self.tweak(work, truster, rule);
        if tweak.is_some_and(|t| t.enabled == Some(false)) {
            return;
        }
        // A host that is never opened trusts too, so its rules say what its subjects need. Its stores get no edges.
        let stores = if truster.is_opened() { stores } else { BTreeSet::new() };
        let mut labels: Vec<&str> = rule.same.iter().map(String::as_str).collect();
        labels.extend(tweak.and_then(|t| t.same.as_ref()).into_iter().flatten().map(String::as_str));
        let alias = tweak.and_then(|t| t.alias.as_ref()).or(rule.alias.as_ref());
        let id = RuleId::new(&rule.origin.profile, &rule.id);
        for name in rule.certificates.iter().filter(|name| work.spec.certificates.contains_key(*name)) {
            for store in &stores {
                let draft = EdgeDraft {
                    store: StoreId::new(truster.host.fqdn.clone(), *store),
                    subject: Subject::Certificate(name.clone()),
                    alias: Some(Alias::of(alias.map_or(name, |at| &at.value))),
                    was: older(truster, rule.was.iter().cloned()),
                    rule: id.clone(),
                    why: reason(rule, tweak),
                    source: rule.source.clone(),
                    place: tweak.map_or(truster.spec.place, |t| t.rule.place),
                };
                self.add(work, draft);
            }
        }
        for (subject, own_identities) in self.subjects(machines, rule).iter() {
            let itself = subject.host.fqdn == truster.host.fqdn;
            if (itself && !rule.own) || !shares(work, &labels, truster, subject, &id, tweak) {
                continue;
            }
            for identity in own_identities {
                self.need(IdentityId::new(subject.host.fqdn.clone(), *identity), rule, &id);
                for store in &stores {
                    let draft = EdgeDraft {
                        store: StoreId::new(truster.host.fqdn.clone(), *store),
                        subject: Subject::Identity(IdentityId::new(subject.host.fqdn.clone(), *identity)),
                        alias: alias.map(|at| name(at, subject, identity)),
                        was: older(truster, rule.was.iter().map(|text| filled(text, subject, identity))),
                        rule: id.clone(),
                        why: reason(rule, tweak),
                        source: rule.source.clone(),
                        place: tweak.map_or(truster.spec.place, |t| t.rule.place),
                    };
                    self.add(work, draft);
                }
            }
        }
    }

    fn need(&mut self, identity: IdentityId, rule: &Rule, id: &RuleId) {
        let needs = self.needs.entry(identity).or_default();
        needs.extend(rule.purpose.usages().iter().map(|usage| UsageNeed {
            usage: *usage,
            by: NeededBy::Rule { rule: id.clone(), why: rule.why.clone() },
            source: rule.source.clone(),
        }));
    }

    fn subjects(&mut self, machines: &'n [ResolvedHost<'n>], rule: &'n Rule) -> Subjects<'n> {
        let key = (rule.origin.profile.as_str(), rule.id.as_str());
        let all = self.subjects.entry(key).or_insert_with(|| {
            let meant = |subject: &'n ResolvedHost<'n>| {
                let pairs = rule.subject.iter();
                let identities: BTreeSet<&str> =
                    pairs.filter_map(|at| own(subject, &at.value, ReferenceKind::Identity)).collect();
                let publisher = rule.publisher.is_none_or(|wanted| wanted == subject.host.publisher);
                (publisher && !identities.is_empty()).then_some((subject, identities))
            };
            Rc::new(machines.iter().filter_map(meant).collect())
        });
        Rc::clone(all)
    }

    /// The `rules:` entry for a rule. An entry with the truster's own profile beats one with the profile that writes
    /// the rule.
    fn tweak<'s>(&mut self, work: &mut Resolver<'s>, truster: &ResolvedHost<'_>, rule: &Rule) -> Option<&'s RuleTweak> {
        let mut best = None;
        for profile in [&truster.effective.name, &rule.origin.profile] {
            let key = format!("{profile}/{}", rule.id);
            if let Some((index, tweak)) = work.spec.rules.iter().enumerate().find(|(_, t)| t.rule.value == key) {
                self.used.insert(index);
                best = best.or(Some(tweak));
            }
        }
        if let Some(at) = best.and_then(|tweak: &RuleTweak| tweak.alias.as_ref()) {
            let (variables, hint): (&[&str], _) = if rule.certificates.is_empty() {
                (&template::ALIAS, "an alias may use {fqdn}, {host} and {identity}")
            } else {
                (&[], "the rule is about certificates without a host; write a plain name")
            };
            if let Err(why) = template::check(&at.value, variables) {
                work.once(work.spec.source.error(at.place, why).hint(hint));
            }
        }
        best
    }

    fn entry(&mut self, work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>], number: usize, entry: &TrustSpec) {
        let id = RuleId::new("spec", &format!("trust/{number}"));
        for at in entry.alias.iter().chain(&entry.was) {
            if let Err(why) = template::check(&at.value, &template::ALIAS) {
                work.faults
                    .push(work.spec.source.error(at.place, why).hint("an alias may use {fqdn}, {host} and {identity}"));
                return;
            }
        }
        let mut trusters: Vec<(&ResolvedHost<'_>, &str)> = Vec::new();
        for at in &entry.stores {
            trusters.extend(find(work, machines, at, ReferenceKind::Store));
        }
        let draft = |store: StoreId, subject: Subject, alias: Option<Alias>, was: Vec<OlderAlias>| EdgeDraft {
            store,
            subject,
            alias,
            was,
            rule: id.clone(),
            why: entry.why.clone(),
            source: "the estate spec".to_owned(),
            place: entry.place,
        };
        let plain = |at: &At<String>| Alias::of(&at.value);
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
            let alias = entry.alias.as_ref().map_or_else(|| Alias::of(&certificate.value), plain);
            if alias.as_str().contains('{') {
                let at = entry.alias.as_ref().map_or(entry.place, |at| at.place);
                let fault = work.spec.source.error(at, "an alias of a certificate without a host cannot use variables");
                work.faults.push(fault.hint("write a plain name"));
            }
            for (truster, store) in trusters {
                let store = StoreId::new(truster.host.fqdn.clone(), store);
                let subject = Subject::Certificate(certificate.value.clone());
                let was = older(truster, entry.was.iter().map(|at| at.value.clone()));
                self.add(work, draft(store, subject, Some(alias.clone()), was));
            }
            return;
        }
        let mut subjects: Vec<(&ResolvedHost<'_>, &str)> = Vec::new();
        for at in &entry.subjects {
            subjects.extend(find(work, machines, at, ReferenceKind::Identity));
        }
        for (truster, store) in &trusters {
            for (subject, identity) in &subjects {
                if truster.host.fqdn == subject.host.fqdn {
                    continue;
                }
                let store = StoreId::new(truster.host.fqdn.clone(), *store);
                let whom = Subject::Identity(IdentityId::new(subject.host.fqdn.clone(), *identity));
                let alias = entry.alias.as_ref().map(|at| name(at, subject, identity));
                let was = older(truster, entry.was.iter().map(|at| filled(&at.value, subject, identity)));
                self.add(work, draft(store, whom, alias, was));
            }
        }
    }

    fn add(&mut self, work: &mut Resolver<'_>, draft: EdgeDraft) {
        let Some(store) = self.stores.get(&draft.store) else {
            return;
        };
        let with_alias = takes_alias(store.format());
        if with_alias && draft.alias.is_none() {
            let message = format!("{} gives no alias, but entries of {} need one", draft.rule, draft.store);
            work.faults.push(work.spec.source.error(draft.place, message).hint("add `alias:`, such as '{fqdn}'"));
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
                let shown = |alias: &Option<Alias>| alias.as_ref().map(ToString::to_string).unwrap_or_default();
                let message = format!(
                    "{} and {} want {id} under two different aliases, `{}` and `{}`",
                    known.rule,
                    edge.rule,
                    shown(&known.alias),
                    shown(&edge.alias)
                );
                let hint = format!(
                    "give one of them the other's alias under `rules:`, such as `{}: {{ alias: … }}`",
                    edge.rule
                );
                work.faults.push(work.spec.source.error(draft.place, message).hint(hint));
                return;
            }
            let (mut first, second) =
                if known.rule <= edge.rule { (known.clone(), edge) } else { (edge, known.clone()) };
            first.was.extend(second.was);
            edge = first;
        }
        self.found.insert(id, (edge, draft.place));
    }

    /// Reports `rules:` entries that match no rule of any host.
    fn idle(&self, work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) {
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
            let rule = named.split_once('/').map_or("", |(_, rule)| rule);
            let removed = machines.iter().find_map(|m| m.effective.removed_rules.get(rule));
            if let Some((profile, why)) = removed.filter(|_| !known.contains(named)) {
                let message = format!("the profile `{profile}` has no rule `{rule}`: {why}");
                let fault = work.spec.source.error(tweak.rule.place, message).hint("remove the entry");
                work.faults.push(fault);
                continue;
            }
            let message = if known.contains(named) {
                format!("no host of this estate follows the rule `{named}`")
            } else {
                format!("there is no rule `{named}` in the profiles of this estate")
            };
            let meant = known.iter().find(|k| *k != named && k.ends_with(&format!("/{rule}"))).cloned();
            let meant = meant.or_else(|| nearest(named, known.iter().map(String::as_str)));
            let fault = work.spec.source.error(tweak.rule.place, message);
            work.faults.push(
                fault
                    .suggest(meant.filter(|m| m != named))
                    .hint("`trustmason profile show NAME` prints a profile with its rules"),
            );
        }
    }

    /// Checks that aliases are unique in each store. Drops an older alias if another entry uses it today.
    fn close(self, work: &mut Resolver<'_>, identities: &BTreeMap<IdentityId, IdentityDef>) -> Vec<Edge> {
        let mut taken: BTreeMap<(StoreId, Alias), String> = BTreeMap::new();
        for def in identities.values() {
            if let CertificateSource::KeyEntry(KeyPlace { store, at: KeyAt::Alias(alias) }) = &def.source {
                taken.insert((store.clone(), alias.clone()), format!("the key of {}", def.id));
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
                    let hint = if edge.rule.as_str().starts_with("spec/") {
                        "write another `alias:` in this entry".to_owned()
                    } else {
                        format!(
                            "give one of them another alias under `rules:`, such as `{}: {{ alias: '{{fqdn}}_{{identity}}' }}`",
                            edge.rule
                        )
                    };
                    work.faults.push(work.spec.source.error(place, message).hint(hint));
                } else {
                    taken.insert(slot, format!("{} ({})", edge.subject, edge.rule));
                }
            }
            edges.push(edge);
        }
        for edge in &mut edges {
            let is_taken = |old: &Alias| taken.contains_key(&(edge.store.clone(), old.clone()));
            edge.was.retain(|old| !old.exact().is_some_and(is_taken));
            edge.was.sort();
            edge.was.dedup();
        }
        edges
    }
}

struct EdgeDraft {
    store: StoreId,
    subject: Subject,
    alias: Option<Alias>,
    was: Vec<OlderAlias>,
    rule: RuleId,
    why: String,
    source: String,
    place: Span,
}

/// Why a rule's edge is wanted, with the estate's own reason added.
fn reason(rule: &Rule, tweak: Option<&RuleTweak>) -> String {
    match tweak.and_then(|t| t.why.as_ref()) {
        Some(why) => format!("{}; this estate: {why}", rule.why),
        None => rule.why.clone(),
    }
}

/// Fills in an alias. Its template was checked before, so no variable is left.
fn name(at: &At<String>, subject: &ResolvedHost<'_>, identity: &str) -> Alias {
    filled(&at.value, subject, identity).into()
}

/// Older aliases, and how the aliases begin that another tool gives in the truster's stores.
fn older(truster: &ResolvedHost<'_>, texts: impl Iterator<Item = String>) -> Vec<OlderAlias> {
    texts.chain(truster.effective.was.iter().cloned()).map(|text| OlderAlias::of(&text)).collect()
}

/// The text of an alias with its variables filled in.
fn filled(text: &str, subject: &ResolvedHost<'_>, identity: &str) -> String {
    let value = |name: &str| match name {
        "fqdn" => Some(subject.host.fqdn.as_str().to_owned()),
        "host" => Some(subject.host.fqdn.host().to_owned()),
        "identity" => Some(identity.to_owned()),
        _ => None,
    };
    template::fill(text, &value).unwrap_or_else(|_| text.to_owned())
}
