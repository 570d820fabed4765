//! Stores: the profile's definition, the overrides over it (FQDN beats ROLE beats glob), its place, its password.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobMatcher;

use super::Work;
use super::hosts::Machine;
use crate::estate::{PasswordSpec, SecretSpec, StoreOverride};
use crate::fault::{At, Place, nearest};
use crate::name::{ServiceId, StoreId};
use crate::profile::{Spot, Store, join};
use crate::topology::{DeclaredFormat, Place as StorePlace, SecretRef, SecretSource, StoreDef};

/// Which stores an override means. The order is the rank: later beats earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Glob,
    Role,
    Host,
}

struct Override<'s> {
    rank: Rank,
    glob: Option<GlobMatcher>,
    spec: &'s StoreOverride,
}

impl Override<'_> {
    fn hits(&self, machine: &Machine<'_>, store: &str) -> bool {
        let (left, right) = self.spec.pattern.value.split_once('/').unwrap_or_default();
        match self.rank {
            Rank::Glob => self
                .glob
                .as_ref()
                .is_some_and(|g| g.is_match(format!("{}/{store}", machine.host.fqdn))),
            Rank::Role => {
                right == store
                    && machine
                        .has(left)
                        .is_some_and(|role| role.stores.contains_key(store))
            }
            Rank::Host => {
                right == store
                    && left
                        .trim_end_matches('.')
                        .eq_ignore_ascii_case(machine.host.fqdn.as_str())
            }
        }
    }
}

/// All stores of hosts that are ever opened.
pub(crate) fn stores(work: &mut Work<'_>, machines: &[Machine<'_>]) -> BTreeMap<StoreId, StoreDef> {
    let overrides = overrides(work, machines);
    let mut stores = BTreeMap::new();
    let mut secrets = Secrets::default();
    for machine in machines.iter().filter(|machine| machine.disks.is_some()) {
        for (name, store) in &machine.role.stores {
            let hits: Vec<&Override<'_>> =
                overrides.iter().filter(|o| o.hits(machine, name)).collect();
            let id = StoreId::new(machine.host.fqdn.clone(), name.clone());
            if let Some(def) = one(work, &mut secrets, machine, &id, store, &hits) {
                stores.insert(id, def);
            }
        }
    }
    secrets.lint(work, machines);
    stores
}

fn overrides<'s>(work: &mut Work<'s>, machines: &[Machine<'_>]) -> Vec<Override<'s>> {
    let mut all = Vec::new();
    for spec in &work.spec.stores {
        let pattern = &spec.pattern;
        let (left, right) = pattern.value.split_once('/').unwrap_or_default();
        let mut glob = None;
        let rank = if pattern.value.contains(['*', '?', '[', '{']) {
            match globset::GlobBuilder::new(&pattern.value)
                .literal_separator(true)
                .case_insensitive(true)
                .build()
            {
                Ok(found) => glob = Some(found.compile_matcher()),
                Err(error) => {
                    let message =
                        format!("`{}` is no usable pattern: {}", pattern.value, error.kind());
                    work.faults.push(
                        work.spec
                            .source
                            .error(pattern.place, message)
                            .hint("write it like '*/cacerts'"),
                    );
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
        if !machines
            .iter()
            .any(|m| m.role.stores.keys().any(|store| one.hits(m, store)))
        {
            let known: BTreeSet<String> = machines
                .iter()
                .flat_map(|m| {
                    m.role.stores.keys().flat_map(move |store| {
                        let roles = m.host.roles.iter().filter(move |r| {
                            m.has(r).is_some_and(|role| role.stores.contains_key(store))
                        });
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
            let fault = work
                .spec
                .source
                .error(pattern.place, format!("`{}` {why}", pattern.value))
                .suggest(meant);
            work.faults
                .push(fault.hint("write ROLE/STORE, FQDN/STORE or a glob over FQDN/STORE"));
        }
        all.push(one);
    }
    all
}

/// The value an override field ends up with. Two overrides of the same rank that differ are a fault.
fn top<'o, T>(
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
                    work.faults.push(fault.hint(format!(
                        "write `{id}:` with the `{field}` that is meant; a host's own entry wins"
                    )));
                }
            }
            Some((rank, _, _)) if rank > hit.rank => {}
            Some(_) | None => best = Some((hit.rank, at, hit.spec.pattern.place)),
        }
    }
    best.map(|(_, at, _)| at)
}

fn one(
    work: &mut Work<'_>,
    secrets: &mut Secrets,
    machine: &Machine<'_>,
    id: &StoreId,
    store: &Store,
    hits: &[&Override<'_>],
) -> Option<StoreDef> {
    let eq = |a: &String, b: &String| a == b;
    let path = top(work, id, hits, "path", |o| o.path.as_ref(), eq);
    let certificate = top(
        work,
        id,
        hits,
        "certificate",
        |o| o.certificate.as_ref(),
        eq,
    );
    let key = top(work, id, hits, "key", |o| o.key.as_ref(), eq);
    let format = top(
        work,
        id,
        hits,
        "format",
        |o| o.format.as_ref(),
        |a, b| a == b,
    )
    .map_or(store.format, |at| at.value);
    let password = top(
        work,
        id,
        hits,
        "password",
        |o| o.password.as_ref(),
        PasswordSpec::same,
    );
    let exclusive = top(
        work,
        id,
        hits,
        "ownership",
        |o| o.exclusive.as_ref(),
        |a, b| a == b,
    );
    let create = top(
        work,
        id,
        hits,
        "create",
        |o| o.create.as_ref(),
        |a, b| a == b,
    )
    .map_or(store.create, |at| at.value);
    if let Some(at) = exclusive.filter(|at| at.value && store.vendor_entries) {
        let message =
            format!("{id} cannot be exclusive: its vendor ships certificates of its own in it");
        work.faults.push(
            work.spec
                .source
                .error(at.place, message)
                .hint("name the certificates that must go under `distrust:`"),
        );
    }
    let place = place(work, machine, id, store, format, path, (certificate, key))?;
    let mut shadows = Vec::new();
    for text in &store.shadows {
        shadows.extend(located(work, machine, id, text, None));
    }
    Some(StoreDef {
        id: id.clone(),
        place,
        format,
        password: secrets.of(work, machine, id, store, password),
        write: store.write,
        create,
        vendor_entries: store.vendor_entries,
        exclusive: exclusive.is_some_and(|at| at.value),
        shadows,
        restart: store
            .restart
            .iter()
            .map(|s| ServiceId::new(id.host.clone(), s.clone()))
            .collect(),
        steps: filled(work, machine, &store.steps),
    })
}

fn place(
    work: &mut Work<'_>,
    machine: &Machine<'_>,
    id: &StoreId,
    store: &Store,
    format: DeclaredFormat,
    path: Option<&At<String>>,
    pair: (Option<&At<String>>, Option<&At<String>>),
) -> Option<StorePlace> {
    let (own_path, own_certificate, own_key) = match &store.spot {
        Spot::Path(path) => (Some(path.as_str()), None, None),
        Spot::Pair { certificate, key } => (None, Some(certificate.as_str()), Some(key.as_str())),
    };
    let pick = |over: Option<&At<String>>, own: Option<&str>| match over {
        Some(at) => Some((at.value.clone(), Some(at.place))),
        None => own.map(|text| (text.to_owned(), None)),
    };
    let mut locate = |spot: Option<(String, Option<Place>)>| match spot {
        Some((text, at)) => located(work, machine, id, &text, at),
        None => {
            let message = format!("{id} has format {format:?} and lacks its path");
            let place = path
                .or(pair.0)
                .or(pair.1)
                .map_or(machine.spec.place, |at| at.place);
            work.faults.push(
                work.spec
                    .source
                    .error(place, message)
                    .hint("a pem-pair has `certificate` and `key`, every other format has `path`"),
            );
            None
        }
    };
    match format {
        DeclaredFormat::PemPair => {
            let certificate = locate(pick(pair.0, own_certificate))?;
            let key = locate(pick(pair.1, own_key))?;
            Some(StorePlace::Pair { certificate, key })
        }
        DeclaredFormat::PemDir => Some(StorePlace::Directory(locate(pick(path, own_path))?)),
        DeclaredFormat::Jks
        | DeclaredFormat::Jceks
        | DeclaredFormat::Pkcs12
        | DeclaredFormat::Pem
        | DeclaredFormat::Windows => Some(StorePlace::File(locate(pick(path, own_path))?)),
    }
}

/// A path of the host; `at` is where an override wrote it, else the host itself is named.
fn located(
    work: &mut Work<'_>,
    machine: &Machine<'_>,
    id: &StoreId,
    text: &str,
    at: Option<Place>,
) -> Option<crate::topology::HostPath> {
    match machine.path(text)? {
        Ok(path) => Some(path),
        Err(why) => {
            let fault = work.spec.source.error(
                at.unwrap_or(machine.spec.place),
                format!("the path of {id}: {why}"),
            );
            work.faults.push(fault.hint(format!(
                "check `vars:` of {}; known variables: {}",
                machine.host.fqdn,
                known_vars(machine)
            )));
            None
        }
    }
}

pub(crate) fn known_vars(machine: &Machine<'_>) -> String {
    let names = ["fqdn", "host"]
        .into_iter()
        .chain(machine.role.vars.keys().map(String::as_str));
    names
        .map(|name| format!("{{{name}}}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Steps with the host's names filled in.
pub(crate) fn filled(work: &mut Work<'_>, machine: &Machine<'_>, steps: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for step in steps {
        match machine.fill(step) {
            Ok(text) => out.push(text),
            Err(why) => {
                let fault = work.spec.source.error(
                    machine.spec.place,
                    format!("a step of {}: {why}", machine.host.fqdn),
                );
                work.faults.push(fault.hint(format!(
                    "set it in `vars:`; known variables: {}",
                    known_vars(machine)
                )));
            }
        }
    }
    out
}

/// Passwords by name: which were asked for, which were found missing.
#[derive(Default)]
struct Secrets {
    missing: BTreeSet<String>,
}

impl Secrets {
    fn of(
        &mut self,
        work: &mut Work<'_>,
        machine: &Machine<'_>,
        id: &StoreId,
        store: &Store,
        over: Option<&At<PasswordSpec>>,
    ) -> Option<SecretRef> {
        let (name, at) = match over.map(|at| (&at.value, at.place)) {
            Some((PasswordSpec::Inline(secret), at)) => {
                let from = source(work, machine, id, secret, at)?;
                return Some(SecretRef {
                    name: format!("stores.{id}"),
                    from,
                });
            }
            Some((PasswordSpec::Named(name), at)) => (name, Some(at)),
            None => (store.password.as_ref()?, None),
        };
        let place = at.unwrap_or(machine.spec.place);
        if let Some(secret) = work.spec.secrets.get(name) {
            let from = source(work, machine, id, &secret.value, secret.place)?;
            return Some(SecretRef {
                name: name.clone(),
                from,
            });
        }
        if let Some(secret) = machine.effective.secrets.get(name) {
            let from = source(work, machine, id, secret, place)?;
            return Some(SecretRef {
                name: name.clone(),
                from,
            });
        }
        let known: Vec<&str> = work
            .spec
            .secrets
            .keys()
            .chain(machine.effective.secrets.keys())
            .map(String::as_str)
            .collect();
        if at.is_some() {
            // What was written may be the password itself instead of its name, so it is not repeated.
            let fault = work.spec.source.error(
                place,
                format!("`password` of {id} is no name under `secrets:`"),
            );
            work.faults.push(
                fault
                    .suggest(nearest(name, known.iter().copied()))
                    .hint(format!(
                        "name one of {}, or write the way to it: {{ env: VARIABLE }}",
                        known.join(", ")
                    )),
            );
        } else if self.missing.insert(name.clone()) {
            let fault = work.spec.source.error(
                place,
                format!("nobody says where the password `{name}` of {id} is"),
            );
            let hint = format!("add `{name}: {{ env: VARIABLE }}` under `secrets:`");
            work.faults.push(
                fault
                    .suggest(nearest(name, work.spec.secrets.keys().map(String::as_str)))
                    .hint(hint),
            );
        }
        None
    }

    /// Literals that are no public default, and secrets that no store asks for.
    fn lint(&self, work: &mut Work<'_>, machines: &[Machine<'_>]) {
        let spec = work.spec;
        let warn = |place: Place, what: &str| {
            spec.source
                .warning(place, format!("{what} is written in the spec, where everybody who reads it sees it"))
                .hint("use `env`, `file`, `properties` or `command`; a literal is meant for the public default `changeit`")
        };
        let mut asked: BTreeSet<&str> = machines
            .iter()
            .flat_map(|m| m.effective.roles.values())
            .flat_map(|r| r.stores.values())
            .filter_map(|s| s.password.as_deref())
            .collect();
        for over in &spec.stores {
            match over.password.as_ref().map(|at| (&at.value, at.place)) {
                Some((PasswordSpec::Named(name), _)) => drop(asked.insert(name)),
                Some((PasswordSpec::Inline(SecretSpec::Literal(_, false)), place)) => {
                    work.warnings.push(warn(
                        place,
                        &format!("the password of `{}`", over.pattern.value),
                    ));
                }
                Some((PasswordSpec::Inline(_), _)) | None => {}
            }
        }
        for (name, at) in &spec.secrets {
            if matches!(at.value, SecretSpec::Literal(_, false)) {
                work.warnings
                    .push(warn(at.place, &format!("the secret `{name}`")));
            }
            if !machines.is_empty() && !asked.contains(name.as_str()) {
                let fault = spec
                    .source
                    .warning(at.place, format!("no store asks for the secret `{name}`"));
                work.warnings.push(
                    fault
                        .suggest(nearest(name, asked.iter().copied()))
                        .hint("take it out, or mend its name"),
                );
            }
        }
    }
}

fn source(
    work: &mut Work<'_>,
    machine: &Machine<'_>,
    id: &StoreId,
    secret: &SecretSpec,
    at: Place,
) -> Option<SecretSource> {
    Some(match secret {
        SecretSpec::Literal(password, _) => SecretSource::Literal(password.clone()),
        SecretSpec::Env(name) => SecretSource::Env(name.clone()),
        SecretSpec::File(path) => SecretSource::File(join(work.base, path)),
        SecretSpec::Command(argv) => SecretSource::Command(argv.clone()),
        SecretSpec::Properties { path, key } => {
            let path = match machine.path(&path.value)? {
                Ok(path) => path,
                Err(why) => {
                    // The text of a secret's source is not repeated: `why` would quote it.
                    let variable = why.split_once("uses ").map_or("a part", |(_, tail)| tail);
                    let fault = work.spec.source.error(
                        at,
                        format!("the properties file for the password of {id}: {variable}"),
                    );
                    work.faults
                        .push(fault.hint(format!("known variables: {}", known_vars(machine))));
                    return None;
                }
            };
            SecretSource::Properties {
                path,
                key: key.clone(),
            }
        }
    })
}
