//! Stores: the profile's definition, the overrides over it (FQDN beats ROLE beats glob), its place, its password.

use std::collections::BTreeMap;

use super::Work;
use super::hosts::Machine;
use super::overrides::{Override, overrides, top};
use super::reach::Part;
use super::secrets::Secrets;
use crate::estate::{PasswordSpec, StoreOverride};
use crate::fault::{At, Place};
use crate::name::{ServiceId, StoreId};
use crate::profile::{Spot, Store};
use crate::topology::{DeclaredFormat, HostPath, Place as StorePlace, StoreDef};

/// All stores of hosts that are ever opened.
pub(crate) fn stores(work: &mut Work<'_>, machines: &[Machine<'_>]) -> BTreeMap<StoreId, StoreDef> {
    let overrides = overrides(work, machines, Part::Store, &work.spec.stores);
    let mut stores = BTreeMap::new();
    let mut secrets = Secrets::default();
    for machine in machines.iter().filter(|machine| machine.is_opened()) {
        for (name, store) in &machine.role.stores {
            let hits: Vec<&Override<'_, StoreOverride>> = overrides.iter().filter(|o| o.hits(machine, name)).collect();
            let id = StoreId::new(machine.host.fqdn.clone(), name.clone());
            if let Some(def) = one(work, &mut secrets, machine, &id, store, &hits) {
                stores.insert(id, def);
            }
        }
    }
    secrets.lint(work, machines);
    stores
}

fn one(
    work: &mut Work<'_>,
    secrets: &mut Secrets,
    machine: &Machine<'_>,
    id: &StoreId,
    store: &Store,
    hits: &[&Override<'_, StoreOverride>],
) -> Option<StoreDef> {
    let eq = |a: &String, b: &String| a == b;
    let path = top(work, id, hits, "path", |o| o.path.as_ref(), eq);
    let certificate = top(work, id, hits, "certificate", |o| o.certificate.as_ref(), eq);
    let key = top(work, id, hits, "key", |o| o.key.as_ref(), eq);
    let format =
        top(work, id, hits, "format", |o| o.format.as_ref(), |a, b| a == b).map_or(store.format, |at| at.value);
    let password = top(work, id, hits, "password", |o| o.password.as_ref(), PasswordSpec::same);
    let system = super::windows::system(work, machine, id, store, format, path, hits).ok()?;
    let live = system.as_ref().is_some_and(|system| system.live);
    let write = super::windows::write(work, id, store, format, live, hits);
    // The system brings roots of its own.
    let vendor_entries = store.vendor_entries || live;
    let exclusive = top(work, id, hits, "ownership", |o| o.exclusive.as_ref(), |a, b| a == b);
    let create =
        top(work, id, hits, "create", |o| o.create.as_ref(), |a, b| a == b).map_or(store.create, |at| at.value);
    let scheme =
        top(work, id, hits, "scheme", |o| o.scheme.as_ref(), |a, b| a == b).map_or(store.scheme, |at| at.value);
    if let Some(at) = exclusive.filter(|at| at.value && vendor_entries) {
        let message = format!("{id} cannot be exclusive: its vendor ships certificates of its own in it");
        work.faults.push(
            work.spec.source.error(at.place, message).hint("name the certificates that must go under `distrust:`"),
        );
    }
    let place =
        if live { StorePlace::Windows } else { place(work, machine, id, store, format, path, (certificate, key))? };
    let over = [path, certificate, key].into_iter().flatten().map(|at| at.value.as_str());
    let own = match &store.spot {
        Spot::Path(path) => vec![path.as_str()],
        Spot::Pair { certificate, key, .. } => vec![certificate.as_str(), key.as_str()],
    };
    let texts: Vec<&str> = if path.or(certificate).is_some() { over.collect() } else { own };
    let variables = texts.iter().flat_map(|text| machine.used(text)).collect();
    let mut shadows = Vec::new();
    for text in &store.shadows {
        shadows.extend(located(work, machine, id, text, None));
    }
    Some(StoreDef {
        id: id.clone(),
        place,
        variables,
        format,
        system: system.map(|system| system.place),
        password: secrets.of(work, machine, id, store, password),
        write,
        create,
        scheme,
        vendor_entries,
        exclusive: exclusive.is_some_and(|at| at.value),
        shadows,
        restart: store.restart.iter().map(|s| ServiceId::new(id.host.clone(), s.clone())).collect(),
        steps: filled(work, machine, &store.steps),
        removal_steps: filled(work, machine, &store.removal_steps),
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
        Spot::Pair { certificate, key, .. } => (None, Some(certificate.as_str()), Some(key.as_str())),
    };
    let pick = |over: Option<&At<String>>, own: Option<&str>| match over {
        Some(at) => Some((at.value.clone(), Some(at.place))),
        None => own.map(|text| (text.to_owned(), None)),
    };
    let mut locate = |spot: Option<(String, Option<Place>)>| match spot {
        Some((text, at)) => located(work, machine, id, &text, at),
        None => {
            let message = format!("{id} has format {format:?} and lacks its path");
            let place = path.or(pair.0).or(pair.1).map_or(machine.spec.place, |at| at.place);
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
            if certificate.shown == key.shown {
                let message = format!("the certificate and the key of {id} are one file");
                let at = pair.0.or(pair.1).map_or(machine.spec.place, |at| at.place);
                work.faults.push(work.spec.source.error(at, message).hint("a pem-pair is two files"));
                return None;
            }
            let (previous, copies) = match &store.spot {
                Spot::Pair { previous, copies, .. } => (previous.as_deref(), copies.as_slice()),
                Spot::Path(_) => (None, &[][..]),
            };
            let previous = previous.map(|text| located(work, machine, id, text, None));
            let copies = copies.iter().map(|text| located(work, machine, id, text, None)).collect::<Option<_>>()?;
            Some(StorePlace::Pair { certificate, key, previous: previous.map_or(Some(None), |p| p.map(Some))?, copies })
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
) -> Option<HostPath> {
    match machine.path(text)? {
        Ok(path) => Some(path),
        Err(why) => {
            let fault = work.spec.source.error(at.unwrap_or(machine.spec.place), format!("the path of {id}: {why}"));
            work.faults.push(fault.hint(format!(
                "check `vars:` of {}; known variables: {}",
                machine.host.fqdn,
                machine.known_vars()
            )));
            None
        }
    }
}

/// Steps with the host's names filled in.
pub(crate) fn filled(work: &mut Work<'_>, machine: &Machine<'_>, steps: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for step in steps {
        match machine.fill(step) {
            Ok(text) => out.push(text),
            Err(why) => {
                let fault =
                    work.spec.source.error(machine.spec.place, format!("a step of {}: {why}", machine.host.fqdn));
                work.faults.push(fault.hint(format!("set it in `vars:`; known variables: {}", machine.known_vars())));
            }
        }
    }
    out
}
