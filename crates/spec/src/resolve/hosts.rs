//! Resolves hosts: joins their roles, sets their variables, decides how their disks are reached, and checks their clusters
//! and former names. Never contacts a host.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Resolver;
use crate::estate::{AccessSpec, HostSpec, ProfileRef};
use crate::fault::{At, Span};
use crate::profile::dangling;
use crate::profile::{Catalog, JoinedProfile, Role, Sequence, join};
use crate::template;
use crate::topology::{Access, Disks, Drives, Host, HostPath, PathVariable};

/// The restart order of a role that sets none.
const RESTART_ORDER: u32 = 50;

/// A host during resolving, with everything its roles give it.
pub(crate) struct ResolvedHost<'s> {
    pub(crate) spec: &'s HostSpec,
    pub(crate) host: Host,
    pub(crate) effective: Rc<JoinedProfile>,
    /// All roles of the host joined into one.
    pub(crate) role: Role,
    vars: BTreeMap<String, String>,
}

impl ResolvedHost<'_> {
    /// Fills in a template with the host's names and variables.
    pub(crate) fn fill(&self, text: &str) -> Result<String, String> {
        template::fill(text, &|name| self.value(name))
    }

    /// The variables that a text of this host may use, for people.
    pub(crate) fn known_vars(&self) -> String {
        let names = ["fqdn", "host"].into_iter().chain(self.role.vars.keys().map(String::as_str));
        names.map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
    }

    /// The role's variables that a text uses and that have no value on this host.
    pub(crate) fn unset(&self, text: &str) -> Vec<String> {
        let missing = |name: &&String| !self.vars.contains_key(*name) && text.contains(&format!("{{{name}}}"));
        self.role.vars.keys().filter(missing).cloned().collect()
    }

    /// The advice about the role's variables that a text uses and that have no value on this host. `None` if each has one.
    pub(crate) fn unset_hint(&self, text: &str) -> Option<String> {
        let unset = self.unset(text);
        let [first, ..] = unset.as_slice() else { return None };
        let about = self.role.vars.get(first).and_then(|var| var.about.as_deref()).map(|about| format!(" ({about})"));
        Some(format!("write {first} under `vars:` of {}{}", self.host.fqdn, about.unwrap_or_default()))
    }

    /// The role's variables that a text uses, with their values on this host.
    pub(crate) fn used(&self, text: &str) -> Vec<PathVariable> {
        let used = self.vars.iter().filter(|(name, _)| text.contains(&format!("{{{name}}}")));
        used.map(|(name, value)| PathVariable {
            name: name.clone(),
            value: value.clone(),
            in_spec: self.spec.vars.iter().any(|(written, _)| written.value == *name),
        })
        .collect()
    }

    /// Whether the host's disks are ever opened.
    pub(crate) fn is_opened(&self) -> bool {
        self.host.access != Access::None
    }

    /// Reads a path of this host. `None` if the host is never opened.
    pub(crate) fn path(&self, text: &str) -> Option<Result<HostPath, String>> {
        self.is_opened().then(|| self.fill(text).and_then(|shown| HostPath::parse(&self.host.fqdn, &shown)))
    }

    /// The definition of a role. `None` if the host does not have the role.
    pub(crate) fn has(&self, role: &str) -> Option<&Role> {
        if self.host.roles.iter().any(|r| r == role) { self.effective.roles.get(role) } else { None }
    }

    /// The restart rank of the host's services: the lowest order of its roles.
    pub(crate) fn rank(&self) -> u32 {
        let roles = self.host.roles.iter().filter_map(|role| self.has(role));
        roles.map(|role| role.restart_order.unwrap_or(RESTART_ORDER)).min().unwrap_or(RESTART_ORDER)
    }

    /// The value of a label for `same:`. `fqdn`, `side` and `cluster` count as labels too.
    pub(crate) fn label(&self, label: &str) -> Option<String> {
        match label {
            "fqdn" => Some(self.host.fqdn.as_str().to_owned()),
            "side" => self.host.side.map(|side| format!("{side:?}")),
            "cluster" => self.host.cluster.clone(),
            _ => self.host.labels.get(label).cloned(),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "fqdn" => Some(self.host.fqdn.as_str().to_owned()),
            "host" => Some(self.host.fqdn.host().to_owned()),
            _ => self.vars.get(name).cloned(),
        }
    }
}

/// All hosts, sorted by name. A host without a usable profile or role is reported and left out.
pub(crate) fn machines<'s>(work: &mut Resolver<'s>, catalog: &Catalog<'_>) -> Vec<ResolvedHost<'s>> {
    let spec = work.spec;
    let mut cache: BTreeMap<Vec<ProfileRef>, Option<Rc<JoinedProfile>>> = BTreeMap::new();
    let mut machines = Vec::new();
    let mut names = BTreeSet::new();
    for host in &spec.hosts {
        let wanted: &[At<ProfileRef>] = host.profiles.as_deref().unwrap_or(&spec.profiles);
        let key: Vec<ProfileRef> = wanted.iter().map(|at| at.value.clone()).collect();
        let effective = cache.entry(key).or_insert_with(|| match catalog.effective(wanted, &spec.source) {
            Ok(effective) => Some(Rc::new(effective)),
            Err(fault) => {
                work.faults.push(*fault);
                None
            }
        });
        let Some(effective) = effective.clone() else {
            continue;
        };
        if names.insert(host.fqdn.clone()) {
            machines.extend(machine(work, host, &effective));
        }
    }
    here(work, &machines);
    publishers(work, &mut machines);
    former(work, &machines);
    machines.sort_by(|a, b| a.host.fqdn.cmp(&b.host.fqdn));
    machines
}

fn machine<'s>(work: &mut Resolver<'s>, spec: &'s HostSpec, effective: &Rc<JoinedProfile>) -> Option<ResolvedHost<'s>> {
    let source = &work.spec.source;
    let mut role = Role::default();
    let mut joined: Vec<(&str, &Role)> = Vec::new();
    for at in &spec.roles {
        let Some(found) = effective.roles.get(&at.value) else {
            work.faults.push(match effective.removed_roles.get(&at.value) {
                Some((profile, why)) => source
                    .error(at.place, format!("the profile `{profile}` has no role `{}`: {why}", at.value))
                    .hint("remove the role, or give the host the `profile:` of the release that it runs"),
                None => dangling(source, at.place, "role", &at.value, effective.roles.keys()),
            });
            continue;
        };
        if joined.iter().any(|(name, _)| *name == at.value) {
            work.faults
                .push(source.error(at.place, format!("the role `{}` is listed twice", at.value)).hint("keep one"));
        } else if let Err(what) = role.absorb(found) {
            let other = joined.iter().find(|(_, r)| (*r).clone().absorb(found).is_err()).map_or("", |(name, _)| name);
            let message =
                format!("the roles `{other}` and `{}` of {} define the {what} differently", at.value, spec.fqdn);
            work.faults.push(source.error(at.place, message).hint(
                "one machine cannot have both roles; give one role to another host, or write a profile that joins them",
            ));
        }
        joined.push((&at.value, found));
    }
    if joined.is_empty() {
        return None;
    }
    let mut vars: BTreeMap<String, String> =
        role.vars.iter().filter_map(|(k, v)| Some((k.clone(), v.default.clone()?))).collect();
    for (name, value) in &spec.vars {
        if role.vars.contains_key(&name.value) {
            vars.insert(name.value.clone(), value.value.clone());
        } else {
            work.faults.push(dangling(source, name.place, "variable", &name.value, role.vars.keys()));
        }
    }
    sequences(work, spec, &role, &vars);
    let mut machine = ResolvedHost {
        spec,
        host: Host {
            fqdn: spec.fqdn.clone(),
            roles: joined.iter().map(|(name, _)| (*name).to_owned()).collect(),
            side: spec.side,
            cluster: spec.cluster.as_ref().map(|at| at.value.clone()),
            publisher: spec.publisher.as_ref().is_some_and(|at| at.value),
            labels: spec.labels.clone(),
            formerly: spec.formerly.iter().map(|at| at.value.clone()).collect(),
            access: Access::None,
            profile: effective.name.clone(),
        },
        effective: Rc::clone(effective),
        role,
        vars,
    };
    machine.host.access = access(work, &machine);
    Some(machine)
}

/// How a host's disks are reached. An unusable root or drive is reported.
fn access(work: &mut Resolver<'_>, machine: &ResolvedHost<'_>) -> Access {
    let source = &work.spec.source;
    let (root, drive) = match machine.spec.access.as_ref().unwrap_or(&work.spec.access) {
        AccessSpec::None => return Access::None,
        AccessSpec::Here => return Access::Here(Disks::own()),
        AccessSpec::Root { root, drive } => (root, drive),
    };
    let filled = template::fill(&root.0.value, &|name| match name {
        "fqdn" | "host" => machine.value(name),
        _ => None,
    });
    let disks = match filled {
        Ok(filled) => Some(Disks::below(join(work.base, &filled))),
        Err(why) => {
            work.faults.push(source.error(root.0.place, why).hint("a root may use {fqdn} and {host}"));
            None
        }
    };
    let drives = drive.as_ref().map(|drive| (drive, Drives::of(&drive.0.value)));
    match (disks, drives) {
        (Some(disks), Some((_, Ok(drives)))) => Access::Root(Disks { drives, ..disks }),
        (disks, Some((drive, Err(why)))) => {
            let fault = source.error(drive.0.place, why).hint("write '{letter}$' for Windows admin shares");
            work.faults.push(fault);
            disks.map_or(Access::None, Access::Root)
        }
        (disks, _) => disks.map_or(Access::None, Access::Root),
    }
}

/// Warns if a number that a product derives from another variable has a different value. Checked only on hosts that set one
/// of the two.
fn sequences(work: &mut Resolver<'_>, spec: &HostSpec, role: &Role, vars: &BTreeMap<String, String>) {
    for (name, var) in &role.vars {
        let Some(Sequence { of, first, step }) = &var.sequence else { continue };
        let of = &of.value;
        let written = |wanted: &str| spec.vars.iter().find(|(n, _)| n.value == wanted);
        let Some(at) = written(name).or_else(|| written(of)) else { continue };
        let number = |name: &str| vars.get(name).and_then(|text| text.parse::<u32>().ok()).filter(|n| *n > 0);
        let counted = number(of).map(|of| u64::from(*first) + u64::from(*step) * u64::from(of - 1));
        let text = |name: &str| vars.get(name).map_or("", String::as_str);
        let message = match (counted, number(name)) {
            (Some(counted), Some(given)) if counted == u64::from(given) => continue,
            (Some(counted), _) => {
                format!("{name} is `{}`, but for {of} {} it should be {counted}", text(name), text(of))
            }
            (None, _) => format!("{of} is `{}`, which is not a number from 1 upwards", text(of)),
        };
        let hint = format!("{name} is {first} + {step} * ({of} - 1)");
        work.warnings.push(work.spec.source.warning(at.1.place, message).hint(hint));
    }
}

/// Reports two hosts that are both declared to be this machine.
fn here(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) {
    let here: Vec<&ResolvedHost<'_>> = machines.iter().filter(|m| m.host.access.is_here()).collect();
    if let [first, second, ..] = here.as_slice() {
        let message = format!("{} and {} are both said to be this machine", first.host.fqdn, second.host.fqdn);
        let fault = work.spec.source.error(second.spec.place, message);
        work.faults.push(fault.hint("write `access: this-machine` on one host, and give the others a root or `none`"));
    }
}

/// Checks that a cluster of several nodes has exactly one publisher. A single node is its own publisher unless the spec
/// says otherwise.
fn publishers(work: &mut Resolver<'_>, machines: &mut [ResolvedHost<'_>]) {
    let mut clusters: BTreeMap<String, Vec<(String, Span, bool)>> = BTreeMap::new();
    for machine in &*machines {
        if let Some(at) = &machine.spec.cluster {
            let node = (machine.host.fqdn.to_string(), at.place, machine.host.publisher);
            clusters.entry(at.value.clone()).or_default().push(node);
        }
    }
    for (name, nodes) in clusters.iter().filter(|(_, nodes)| nodes.len() > 1) {
        let publishers: Vec<&str> = nodes.iter().filter(|(_, _, p)| *p).map(|(fqdn, _, _)| fqdn.as_str()).collect();
        if publishers.len() == 1 {
            continue;
        }
        let message = if publishers.is_empty() {
            let all = nodes.iter().map(|(fqdn, _, _)| fqdn.as_str()).collect::<Vec<_>>().join(", ");
            format!("the cluster `{name}` has {} nodes and no publisher ({all})", nodes.len())
        } else {
            format!("the cluster `{name}` has {} publishers: {}", publishers.len(), publishers.join(", "))
        };
        let place = nodes.first().map(|(_, place, _)| *place).unwrap_or_default();
        work.faults
            .push(work.spec.source.error(place, message).hint("write `publisher: true` on exactly one of its nodes"));
    }
    for machine in machines {
        let alone = machine.spec.cluster.as_ref().is_none_or(|at| clusters.get(&at.value).is_none_or(|n| n.len() < 2));
        if machine.role.clustered && alone {
            machine.host.publisher = machine.spec.publisher.as_ref().is_none_or(|at| at.value);
        }
    }
}

/// Reports a retired or former name that is also the name of a host.
fn former(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) {
    let source = &work.spec.source;
    let live: BTreeMap<_, _> = work.spec.hosts.iter().map(|host| (&host.fqdn, host.place.line)).collect();
    for at in &work.spec.retired {
        if let Some(line) = live.get(&at.value) {
            let message = format!("{} is retired here, but a host on line {line}", at.value);
            work.faults.push(source.error(at.place, message).hint("remove it from `retired:` or from `hosts:`"));
        }
    }
    for machine in machines {
        for at in &machine.spec.formerly {
            if let Some(line) = live.get(&at.value) {
                let message =
                    format!("{} is the former name of {} here, but a host on line {line}", at.value, machine.host.fqdn);
                work.faults.push(
                    source.error(at.place, message).hint("a name belongs to one host; remove it from `formerly:`"),
                );
            }
        }
    }
}
