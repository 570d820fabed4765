//! Resolves stores: the profile's definition, the overrides (FQDN beats ROLE beats glob), the path and the password. Never
//! opens a store.

use std::collections::BTreeMap;

use super::Resolver;
use super::hosts::ResolvedHost;
use super::overrides::{Override, overrides, winning_value};
use super::reach::ReferenceKind;
use super::secrets::MissingSecrets;
use super::windows::{self, Reported, System};
use crate::estate::{PasswordSpec, StoreOverride};
use crate::fault::{At, Span};
use crate::name::{ServiceId, StoreId};
use crate::profile::{CopySpot, Spot, StoreTemplate};
use crate::topology::{
    DeclaredFormat, Exported, FileStore, HostPath, Keystore, KeystoreFormat, Mirror, Ownership, PairCopy, PemPair,
    Reach, StoreDef, StoreKind, WriteMode,
};
use crate::windows::SystemPlace;

/// All stores of hosts that are opened.
pub(crate) fn stores(work: &mut Resolver<'_>, machines: &[ResolvedHost<'_>]) -> BTreeMap<StoreId, StoreDef> {
    let overrides = overrides(work, machines, ReferenceKind::Store, &work.spec.stores);
    let mut stores = BTreeMap::new();
    let mut secrets = MissingSecrets::default();
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
    work: &mut Resolver<'_>,
    secrets: &mut MissingSecrets,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    store: &StoreTemplate,
    hits: &[&Override<'_, StoreOverride>],
) -> Option<StoreDef> {
    let eq = |a: &String, b: &String| a == b;
    let path = winning_value(work, id, hits, "path", |o| o.path.as_ref(), eq);
    let certificate = winning_value(work, id, hits, "certificate", |o| o.certificate.as_ref(), eq);
    let key = winning_value(work, id, hits, "key", |o| o.key.as_ref(), eq);
    let format = winning_value(work, id, hits, "format", |o| o.format.as_ref(), |a, b| a == b)
        .map_or(store.format, |at| at.value);
    let password = winning_value(work, id, hits, "password", |o| o.password.as_ref(), PasswordSpec::same);
    let declared = declared(work, machine, id, store, format, path, hits).ok()?;
    let live = declared.live();
    let write = windows::write(work, machine, id, store, live, hits);
    // Windows ships roots of its own.
    let vendor_entries = store.vendor_entries || live == Some(true);
    let exclusive = winning_value(work, id, hits, "ownership", |o| o.exclusive.as_ref(), |a, b| a == b);
    let create = winning_value(work, id, hits, "create", |o| o.create.as_ref(), |a, b| a == b)
        .map_or(store.create, |at| at.value);
    let scheme = winning_value(work, id, hits, "scheme", |o| o.scheme.as_ref(), |a, b| a == b)
        .map_or(store.scheme, |at| at.value);
    if let Some(at) = exclusive.filter(|at| at.value && vendor_entries) {
        let message = format!("{id} cannot be exclusive: its vendor ships certificates of its own in it");
        work.faults.push(
            work.spec
                .source
                .error(at.place, message)
                .hint("list the certificates that must be removed under `distrust:`"),
        );
    }
    let spots = Spots { id, store, path, certificate, key };
    let place = declared.place(work, machine, &spots)?;
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
    let password = secrets.of(work, machine, id, store, password);
    let by_hand = write != WriteMode::Direct;
    let files = |kind| Reach::Direct(FileStore { kind, create });
    let export = |path, of, password| Reach::Mirror(Mirror::Export { path, password, of });
    let reach = match place {
        LocatedStore::System(place) => Reach::System { place, by_hand },
        LocatedStore::Exported(path, place) => export(path, Exported::System(place), password),
        LocatedStore::Keystore(path, format) if by_hand => {
            export(path, Exported::Keystore { format, scheme }, password)
        }
        LocatedStore::Keystore(path, format) => files(StoreKind::Keystore(Keystore { path, format, password, scheme })),
        LocatedStore::PemFile(path) if by_hand => export(path, Exported::PemFile, password),
        LocatedStore::PemFile(path) => files(StoreKind::PemFile(path)),
        LocatedStore::PemFolder(path) if by_hand => export(path, Exported::PemFolder, password),
        LocatedStore::PemFolder(path) => files(StoreKind::PemFolder(path)),
        LocatedStore::PemPair(pair) if by_hand => Reach::Mirror(Mirror::Pair(pair)),
        LocatedStore::PemPair(pair) => files(StoreKind::PemPair(pair)),
    };
    let ownership = match exclusive {
        _ if vendor_entries => Ownership::Vendor,
        Some(at) if at.value => Ownership::Exclusive,
        Some(_) | None => Ownership::Shared,
    };
    Some(StoreDef {
        id: id.clone(),
        reach,
        variables,
        ownership,
        shadows,
        restart: store.restart.iter().map(|s| ServiceId::new(id.host.clone(), s.clone())).collect(),
        steps: filled(work, machine, &store.steps),
        removal_steps: filled(work, machine, &store.removal_steps),
    })
}

/// The declared kind of a store, before its path is read.
enum DeclaredStore {
    Keystore(KeystoreFormat),
    PemFile,
    PemFolder,
    PemPair,
    Windows(System),
}

/// The declared kind of a store with its path.
enum LocatedStore {
    Keystore(HostPath, KeystoreFormat),
    PemFile(HostPath),
    PemFolder(HostPath),
    PemPair(PemPair),
    System(SystemPlace),
    Exported(HostPath, SystemPlace),
}

fn declared(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    store: &StoreTemplate,
    format: DeclaredFormat,
    path: Option<&At<String>>,
    hits: &[&Override<'_, StoreOverride>],
) -> Result<DeclaredStore, Reported> {
    let declared = match format {
        DeclaredFormat::Windows => {
            return windows::system(work, machine, id, store, path, hits).map(DeclaredStore::Windows);
        }
        DeclaredFormat::Jks => DeclaredStore::Keystore(KeystoreFormat::Jks),
        DeclaredFormat::Jceks => DeclaredStore::Keystore(KeystoreFormat::Jceks),
        DeclaredFormat::Pkcs12 => DeclaredStore::Keystore(KeystoreFormat::Pkcs12),
        DeclaredFormat::Pem => DeclaredStore::PemFile,
        DeclaredFormat::PemDir => DeclaredStore::PemFolder,
        DeclaredFormat::PemPair => DeclaredStore::PemPair,
    };
    windows::foreign(work, machine, id, store, format, path, hits).map(|()| declared)
}

/// The paths of a store in the profile and in the overrides.
struct Spots<'a> {
    id: &'a StoreId,
    store: &'a StoreTemplate,
    path: Option<&'a At<String>>,
    certificate: Option<&'a At<String>>,
    key: Option<&'a At<String>>,
}

impl DeclaredStore {
    /// Whether the path of a Windows store means the system's own stores. `None` for other formats.
    fn live(&self) -> Option<bool> {
        match self {
            Self::Windows(system) => Some(system.live),
            Self::Keystore(_) | Self::PemFile | Self::PemFolder | Self::PemPair => None,
        }
    }

    fn place(self, work: &mut Resolver<'_>, machine: &ResolvedHost<'_>, spots: &Spots<'_>) -> Option<LocatedStore> {
        Some(match self {
            Self::Windows(System { place, live: true }) => LocatedStore::System(place),
            Self::Windows(System { place, live: false }) => {
                LocatedStore::Exported(spots.single(work, machine, DeclaredFormat::Windows)?, place)
            }
            Self::Keystore(format) => LocatedStore::Keystore(spots.single(work, machine, format.declared())?, format),
            Self::PemFile => LocatedStore::PemFile(spots.single(work, machine, DeclaredFormat::Pem)?),
            Self::PemFolder => LocatedStore::PemFolder(spots.single(work, machine, DeclaredFormat::PemDir)?),
            Self::PemPair => LocatedStore::PemPair(spots.pair(work, machine)?),
        })
    }
}

impl Spots<'_> {
    /// The only path of a store.
    fn single(&self, work: &mut Resolver<'_>, machine: &ResolvedHost<'_>, format: DeclaredFormat) -> Option<HostPath> {
        let own = match &self.store.spot {
            Spot::Path(path) => Some(path.as_str()),
            Spot::Pair { .. } => None,
        };
        self.locate(work, machine, format, self.path, own)
    }

    /// The files of a pair.
    fn pair(&self, work: &mut Resolver<'_>, machine: &ResolvedHost<'_>) -> Option<PemPair> {
        let (own_certificate, own_key, previous, copies) = match &self.store.spot {
            Spot::Path(_) => (None, None, None, &[][..]),
            Spot::Pair { certificate, key, previous, copies } => {
                (Some(certificate.as_str()), Some(key.as_str()), previous.as_deref(), copies.as_slice())
            }
        };
        let format = DeclaredFormat::PemPair;
        let certificate = self.locate(work, machine, format, self.certificate, own_certificate)?;
        let key = self.locate(work, machine, format, self.key, own_key)?;
        if certificate.shown == key.shown {
            let message = format!("the certificate and the key of {} are one file", self.id);
            let at = self.certificate.or(self.key).map_or(machine.spec.place, |at| at.place);
            work.faults.push(work.spec.source.error(at, message).hint("a pem-pair is two files"));
            return None;
        }
        let previous = previous.map(|text| located(work, machine, self.id, text, None));
        let copies = copies.iter().map(|copy| self.copy(work, machine, copy)).collect::<Option<_>>()?;
        let previous = previous.map_or(Some(None), |p| p.map(Some))?;
        let pair = PemPair { certificate, key, previous, copies };
        // A file that is both a key and a certificate would lose one of them.
        let copied = pair.copies.iter().filter_map(|copy| Some((&copy.certificate, copy.key.as_ref()?)));
        let twice = |key: &&HostPath| pair.paths().filter(|path| path.shown == key.shown).count() > 1;
        let shared =
            copied.map(|(certificate, key)| if certificate.shown == pair.key.shown { certificate } else { key });
        if let Some(path) = shared.into_iter().find(twice) {
            let message = format!("{} has {} for a key and for another of its files", self.id, path.shown);
            work.faults.push(work.spec.source.error(machine.spec.place, message).hint("each key is a file of its own"));
            return None;
        }
        Some(pair)
    }

    fn copy(&self, work: &mut Resolver<'_>, machine: &ResolvedHost<'_>, copy: &CopySpot) -> Option<PairCopy> {
        let certificate = located(work, machine, self.id, &copy.certificate, None)?;
        let key = match &copy.key {
            Some(text) => Some(located(work, machine, self.id, text, None)?),
            None => None,
        };
        Some(PairCopy { certificate, key })
    }

    /// The path of the override, else the path of the profile.
    fn locate(
        &self,
        work: &mut Resolver<'_>,
        machine: &ResolvedHost<'_>,
        format: DeclaredFormat,
        over: Option<&At<String>>,
        own: Option<&str>,
    ) -> Option<HostPath> {
        match (over, own) {
            (Some(at), _) => located(work, machine, self.id, &at.value, Some(at.place)),
            (None, Some(text)) => located(work, machine, self.id, text, None),
            (None, None) => {
                let message = format!("{} has format {format:?} but no path", self.id);
                let at = self.path.or(self.certificate).or(self.key);
                let place = at.map_or(machine.spec.place, |at| at.place);
                let hint = "a pem-pair has `certificate` and `key`, every other format has `path`";
                work.faults.push(work.spec.source.error(place, message).hint(hint));
                None
            }
        }
    }
}

/// Reads a path of the host. `at` is the place of the override that wrote it; without one, a fault points to the host.
fn located(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    text: &str,
    at: Option<Span>,
) -> Option<HostPath> {
    match machine.path(text)? {
        Ok(path) => Some(path),
        Err(why) => {
            let fault = work.spec.source.error(at.unwrap_or(machine.spec.place), format!("the path of {id}: {why}"));
            let hint = machine.unset_hint(text).unwrap_or_else(|| {
                format!("check `vars:` of {}; known variables: {}", machine.host.fqdn, machine.known_vars())
            });
            work.faults.push(fault.hint(hint));
            None
        }
    }
}

/// Steps with the host's variables filled in.
pub(crate) fn filled(work: &mut Resolver<'_>, machine: &ResolvedHost<'_>, steps: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    for step in steps {
        match machine.fill(step) {
            Ok(text) => out.push(text),
            Err(why) => {
                let fault =
                    work.spec.source.error(machine.spec.place, format!("in the steps of {}: {why}", machine.host.fqdn));
                work.faults.push(fault.hint(format!("set it in `vars:`; known variables: {}", machine.known_vars())));
            }
        }
    }
    out
}
