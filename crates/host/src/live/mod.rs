//! The certificate stores of the system that this runs on. They are reached through one small trait ([`SystemStores`]),
//! so that changes to them can be tested on every system.
//!
//! A listing is turned into the bytes of a serialised store, which the keystore crate reads like any export. So the
//! code that looks at, edits and verifies stores needs no special case. A system store is never written as a whole;
//! certificates are added and removed one by one. The digest of its listing ([`Store::listing_digest`]) shows whether a
//! system store changed.

#[cfg(windows)]
mod system;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use trustmason_keystore::{Credential, Digest, EntryId, Fingerprint, Interner, Store, serialised_store};
use trustmason_plan::observed::{ManagedBy, SystemStoreEntry};
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};

/// The system's certificate stores. An element is serialised as the registry keeps it: properties, then the
/// certificate.
pub trait SystemStores: fmt::Debug + Send + Sync {
    /// The names of the machine.
    fn machine(&self) -> Vec<String>;

    /// The elements of the machine's own physical store; `None` if there is no store of that name.
    ///
    /// # Errors
    /// Fails if the store is there and cannot be read, or if this system has no such stores.
    fn own(&self, at: &Location, store: SystemStore) -> Result<Option<Vec<Vec<u8>>>, LiveError>;

    /// The elements that others put there, each with a name for them: group policy, the vendor's root program, the
    /// directory.
    ///
    /// # Errors
    /// Fails if they are there and cannot be read.
    fn others(&self, at: &Location, store: SystemStore) -> Result<Vec<(String, Vec<u8>)>, LiveError>;

    /// Adds certificates to the machine's own store and then removes others, and commits this to the registry.
    ///
    /// # Errors
    /// The first failure; changes made before it stay.
    fn change(
        &self,
        at: &Location,
        store: SystemStore,
        add: &[Vec<u8>],
        remove: &[Fingerprint],
    ) -> Result<(), LiveError>;
}

/// A failed action on a store of the system, with its cause and one thing to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LiveError(pub String);

impl From<String> for LiveError {
    fn from(why: String) -> Self {
        Self(why)
    }
}

/// The stores of the system that this runs on.
pub fn here() -> Arc<dyn SystemStores> {
    #[cfg(windows)]
    return Arc::new(system::Windows);
    #[cfg(not(windows))]
    Arc::new(NoSystemStores)
}

/// A system without such stores.
#[cfg(not(windows))]
#[derive(Debug)]
struct NoSystemStores;

#[cfg(not(windows))]
impl NoSystemStores {
    fn none<T>() -> Result<T, LiveError> {
        Err(LiveError(
            "this system is not Windows and has no such stores; run trustmason on the machine itself, or declare `write: hand-off` with \
             the path of a mirror: a serialised store (.sst), a registry export (.reg) or a folder of PEM files"
                .to_owned(),
        ))
    }
}

#[cfg(not(windows))]
impl SystemStores for NoSystemStores {
    fn machine(&self) -> Vec<String> {
        vec![crate::machine::name()]
    }

    fn own(&self, _: &Location, _: SystemStore) -> Result<Option<Vec<Vec<u8>>>, LiveError> {
        Self::none()
    }

    fn others(&self, _: &Location, _: SystemStore) -> Result<Vec<(String, Vec<u8>)>, LiveError> {
        Self::none()
    }

    fn change(&self, _: &Location, _: SystemStore, _: &[Vec<u8>], _: &[Fingerprint]) -> Result<(), LiveError> {
        Self::none()
    }
}

/// A host that the spec says is this machine, although it is another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the spec declares that {host} is this machine (`access: this-machine`), but this machine is called {}; run this program on {host}",
    names.join(" or ")
)]
pub struct OtherMachine {
    /// The host.
    pub host: String,
    /// The names of this machine.
    pub names: Vec<String>,
}

/// Checks that a host of this name is this machine: one of the machine's names is the host's name, or has the same
/// first label. Windows cuts the name it shows after fifteen characters.
pub(crate) fn is_called(stores: &dyn SystemStores, fqdn: &str) -> Result<(), OtherMachine> {
    const CUT: usize = 15;
    let label = fqdn.split('.').next().unwrap_or(fqdn);
    let names = stores.machine();
    let fits = |name: &String| {
        let name = name.trim_end_matches('.').to_lowercase();
        name == fqdn
            || name == label
            || (name.len() == CUT && label.get(..CUT) == Some(name.as_str()))
            || name.split_once('.').is_some_and(|(first, _)| first == label)
    };
    if names.iter().any(fits) {
        return Ok(());
    }
    Err(OtherMachine { host: fqdn.to_owned(), names })
}

/// The content of a trust store across its system stores: the machine's own certificates, and those of others.
pub(crate) struct SystemListing {
    /// All of it as one serialised store.
    pub store: Store,
    /// For each entry, its system store and who manages it.
    pub system_entries: BTreeMap<EntryId, SystemStoreEntry>,
    /// The machine's own part of each system store.
    pub parts: BTreeMap<SystemStore, Store>,
}

impl SystemListing {
    /// The digest that a plan is bound to, over every part in order.
    pub(crate) fn digest(&self) -> Digest {
        let lines = self.parts.iter().map(|(name, part)| format!("{name} {}\n", digest_of(part)));
        Digest::of(lines.collect::<String>().as_bytes())
    }
}

/// The digest of one part.
pub(crate) fn digest_of(part: &Store) -> Digest {
    part.listing_digest().unwrap_or_else(|| Digest::of(part.bytes()))
}

/// Opens the elements as one serialised store.
pub(crate) fn opened<'a>(
    elements: impl IntoIterator<Item = &'a [u8]>,
    certificates: &Interner,
) -> Result<Store, LiveError> {
    let opened = Store::open(serialised_store(elements), Credential::Withheld, certificates);
    opened.map_err(|error| LiveError(format!("the data from the system cannot be read: {error}")))
}

/// Reads the machine's own part of one system store. A store of the machine that was never created counts as empty. A
/// missing store of a service is an error, because the service may not exist.
pub(crate) fn part(
    stores: &dyn SystemStores,
    at: &Location,
    store: SystemStore,
    certificates: &Interner,
) -> Result<Store, LiveError> {
    let elements = match (stores.own(at, store)?, at) {
        (Some(elements), _) => elements,
        (None, Location::LocalMachine) => Vec::new(),
        (None, Location::Service(name)) => {
            return Err(LiveError(format!(
                "the service `{name}` has no certificate store {store}; check its short name with `sc query`, and create \
                 the store in MMC (Certificates, Service account)"
            )));
        }
    };
    opened(elements.iter().map(Vec::as_slice), certificates)
}

/// Lists a trust store.
///
/// # Errors
/// Fails if one of its system stores cannot be read.
pub(crate) fn list(
    stores: &dyn SystemStores,
    place: &SystemPlace,
    certificates: &Interner,
) -> Result<SystemListing, LiveError> {
    let (mut parts, mut all, mut kept) = (BTreeMap::new(), Vec::new(), Vec::new());
    for store in place.stores() {
        let named = |error: LiveError| LiveError(format!("{} cannot be read: {error}", place.path(store)));
        let own = part(stores, &place.location, store, certificates).map_err(named)?;
        let ids: Vec<EntryId> = own.entries().iter().map(|entry| entry.id).collect();
        let keyed = |id: EntryId| own.remarks().iter().any(|r| r.is_key_elsewhere() && r.entry() == Some(id));
        for id in ids {
            all.push(own.raw(id).unwrap_or_default().to_vec());
            kept.push(SystemStoreEntry {
                store,
                managed_by: if keyed(id) { ManagedBy::Key } else { ManagedBy::Machine },
            });
        }
        for (by, element) in stores.others(&place.location, store).map_err(named)? {
            let one = opened([element.as_slice()], certificates)?;
            let print =
                |store: &Store| store.entries().first().and_then(|e| Some(e.certificates().first()?.fingerprint()));
            let mut ours = own.entries().iter().filter_map(|e| Some(e.certificates().first()?.fingerprint()));
            // A certificate in both parts is listed as the machine's own. If the machine's copy is removed, it is
            // listed as the others'.
            if print(&one).is_some_and(|wanted| !ours.any(|print| print == wanted)) {
                all.push(element);
                kept.push(SystemStoreEntry { store, managed_by: ManagedBy::Other(by) });
            }
        }
        parts.insert(store, own);
    }
    let store = opened(all.iter().map(Vec::as_slice), certificates)?;
    let system_entries = store.entries().iter().map(|entry| entry.id).zip(kept).collect();
    Ok(SystemListing { store, system_entries, parts })
}

/// The digest of the listing in a backup of a system store.
pub(crate) fn digest_of_copy(bytes: Vec<u8>) -> Digest {
    let print = Digest::of(&bytes);
    let store = Store::open(bytes, Credential::Withheld, &Interner::new());
    store.ok().and_then(|store| store.listing_digest()).unwrap_or(print)
}
