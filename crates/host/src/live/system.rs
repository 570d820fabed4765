//! The certificate stores of a real Windows.

use trustmason_keystore::Fingerprint;
use trustmason_spec::windows::{Location, SystemStore};
use trustmason_windows::store::{self, Id, Managed, RegistryStore, StoreName, SystemStoreError, SystemStoreErrorKind};

use super::{LiveError, SystemStores};

/// The stores of this machine.
#[derive(Debug)]
pub(super) struct Windows;

impl From<SystemStoreError> for LiveError {
    fn from(error: SystemStoreError) -> Self {
        Self(error.to_string())
    }
}

fn name(at: &Location, store: SystemStore) -> Result<StoreName, LiveError> {
    let name = StoreName::parse(store.as_str());
    let name = match at {
        Location::LocalMachine => name,
        Location::Service(service) => name.and_then(|name| name.of_service(service)),
    };
    name.ok_or_else(|| {
        LiveError(format!("{store} of {at:?} is not a valid name of a certificate store; correct the path"))
    })
}

impl SystemStores for Windows {
    fn machine(&self) -> Vec<String> {
        let named = ["COMPUTERNAME", "HOSTNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let mut names: Vec<String> = named.collect();
        if names.is_empty() {
            names.push(crate::machine::name());
        }
        names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        names
    }

    fn own(&self, at: &Location, store: SystemStore) -> Result<Option<Vec<Vec<u8>>>, LiveError> {
        match store::list(&name(at, store)?) {
            Ok(held) => Ok(Some(held.iter().map(|certificate| certificate.element().to_vec()).collect())),
            Err(error) if error.kind() == SystemStoreErrorKind::NoStore => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn others(&self, at: &Location, store: SystemStore) -> Result<Vec<(String, Vec<u8>)>, LiveError> {
        let name = name(at, store)?;
        let mut found = Vec::new();
        for by in Managed::ALL {
            let who = match by {
                Managed::GroupPolicy => "group policy",
                Managed::AuthRoot => "the root program of Windows",
                Managed::Enterprise => "the directory",
            };
            let held = store::list_managed(&name, by)?;
            found.extend(held.iter().map(|certificate| (who.to_owned(), certificate.element().to_vec())));
        }
        Ok(found)
    }

    fn change(
        &self,
        at: &Location,
        store: SystemStore,
        add: &[Vec<u8>],
        remove: &[Fingerprint],
    ) -> Result<(), LiveError> {
        let name = name(at, store)?;
        let open = if add.is_empty() { RegistryStore::open(&name)? } else { RegistryStore::open_or_make(&name)? };
        let done = add
            .iter()
            .try_for_each(|element| open.restore(element))
            .and_then(|()| remove.iter().try_for_each(|print| open.remove(Id::Sha256(*print.as_bytes())).map(|_| ())));
        // The changes made before a failure are committed too.
        open.commit()?;
        done.map_err(LiveError::from)
    }
}
