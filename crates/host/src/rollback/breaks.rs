//! Works out what each restored store will hold, so that the planner can judge which trust would break.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Credential, Fingerprint, Store};
use trustmason_plan::observed::StoreLook;
use trustmason_plan::undo::{Break, PlannedRollback, Restored, StoreAfter};
use trustmason_spec::name::{ServiceId, StoreId};
use trustmason_spec::topology::{HostPath, Keystore, KeystoreFormat, PemPair, Reach, StoreKind};

use super::RollbackContext;
use super::restore::Restore;
use crate::disk::{self, ReadLimit};
use crate::volume;
use crate::volume::pair;

/// The stores that a rollback would restore, as the planner's input.
pub(super) fn undo(context: RollbackContext<'_>, restores: &[Restore]) -> PlannedRollback {
    let stores = restores.iter().filter(|restore| !restore.parts.is_empty());
    let stores = stores.map(|restore| {
        let after = after(context, restore).unwrap_or_else(StoreAfter::Unreadable);
        let presented = restore.intent.presented.clone();
        (restore.intent.store.clone(), Restored { after, presented })
    });
    PlannedRollback { stores: stores.collect() }
}

/// The content of a store after the rollback.
fn after(context: RollbackContext<'_>, restore: &Restore) -> Result<StoreAfter, String> {
    let id = &restore.intent.store;
    let def = context.topology.stores.get(id).ok_or_else(|| format!("the spec declares no store {id}"))?;
    let store = match &def.reach {
        Reach::Direct(files) => match &files.kind {
            StoreKind::Keystore(keystore) => match one(restore)? {
                None => return Ok(StoreAfter::Gone),
                Some(bytes) => opened(context, id, keystore, bytes)?,
            },
            StoreKind::PemFile(_) => match one(restore)? {
                None => return Ok(StoreAfter::Gone),
                Some(bytes) => {
                    let store = Store::open(bytes, Credential::Withheld, context.certificates);
                    store.map_err(|error| format!("the old content of {id} does not open: {error}"))?
                }
            },
            StoreKind::PemFolder(folder) => {
                let files = folder_files(context, restore, folder)?;
                let gone = files.is_empty();
                let store = Store::open_directory(files, context.certificates);
                let store = store.map_err(|error| format!("the old content of {id} does not open: {error}"))?;
                if gone {
                    return Ok(StoreAfter::Gone);
                }
                store
            }
            StoreKind::PemPair(pair) => {
                let files = pair_files(context, restore, pair)?;
                let gone = files.is_empty();
                let store = pair::open(&files, context.certificates);
                let store = store.map_err(|error| format!("the old content of {id} does not open: {error}"))?;
                if gone {
                    return Ok(StoreAfter::Gone);
                }
                store
            }
        },
        Reach::Mirror(_) => return Err(format!("the spec declares {id} as a store that people change")),
        Reach::System { .. } => {
            // The system store's parts are restored one by one; certificates that others keep there stay as they are.
            let mut entries = match context.observed.stores.get(id) {
                Some(StoreLook::Readable(facts)) => facts.entries.clone(),
                _ => return Err(format!("{id} cannot be read")),
            };
            let gone: BTreeSet<Fingerprint> = restore.facts.iter().filter_map(|fact| fact.after).collect();
            entries.retain(|e| e.certificates().first().is_none_or(|slot| !gone.contains(&slot.fingerprint())));
            let mut format = None;
            for backup in restore.parts.iter().filter_map(|part| part.backup.as_ref()) {
                let bytes = disk::read(&backup.copy, ReadLimit::Store).map_err(|error| error.to_string())?;
                let store = Store::open(bytes, Credential::Withheld, context.certificates);
                let store = store.map_err(|error| format!("{} does not open: {error}", backup.copy.display()))?;
                format = Some(store.format());
                entries.extend(store.entries().iter().cloned());
            }
            let format = format.ok_or_else(|| format!("no part of {id} is restored"))?;
            return Ok(StoreAfter::Holds(format, entries));
        }
    };
    Ok(StoreAfter::Holds(store.format(), store.entries().to_vec()))
}

/// The one file of a store as it was; `None` if there was none.
fn one(restore: &Restore) -> Result<Option<Vec<u8>>, String> {
    let backup = restore.parts.first().and_then(|part| part.backup.as_ref());
    let bytes = backup.map(|backup| disk::read(&backup.copy, ReadLimit::Store)).transpose();
    bytes.map_err(|error| error.to_string())
}

/// Opens a file with the store's password from the present spec, else without a password, which shows what is not
/// encrypted.
fn opened(context: RollbackContext<'_>, id: &StoreId, keystore: &Keystore, bytes: Vec<u8>) -> Result<Store, String> {
    let password = keystore.password.as_ref().and_then(|secret| context.secrets.get(secret).ok());
    let with = password
        .and_then(|password| Store::open(bytes.clone(), Credential::Password(&password), context.certificates).ok());
    match with {
        Some(store) => Ok(store),
        None if Store::needs_password(&bytes) && keystore.format == KeystoreFormat::Pkcs12 => {
            Err(format!("the old content of {id} does not open with the present password"))
        }
        None => Store::open(bytes, Credential::Withheld, context.certificates)
            .map_err(|error| format!("the old content of {id} does not open: {error}")),
    }
}

/// Files by name, or halves of a pair by the name of their part.
type NamedFiles = Vec<(String, Vec<u8>)>;

/// The files of a folder as they will be.
fn folder_files(context: RollbackContext<'_>, restore: &Restore, folder: &HostPath) -> Result<NamedFiles, String> {
    let files = match context.sites().volumes().find(folder) {
        Ok(volume::Located::Found(folder)) => disk::read_folder(&folder).map_err(|error| error.to_string())?,
        Ok(volume::Located::Absent { .. }) => Vec::new(),
        Err(error) => return Err(error.to_string()),
    };
    restored(files, restore, |path| Some(folder.name_in(path).unwrap_or(path).to_owned()))
}

/// The halves of a pair as they will be. Other files of a pair are no halves.
fn pair_files(context: RollbackContext<'_>, restore: &Restore, spot: &PemPair) -> Result<NamedFiles, String> {
    let pair = pair::find(context.sites().volumes(), spot).map_err(|error| error.to_string())?;
    let files = pair.read().map_err(|error| error.to_string())?;
    restored(files, restore, |path| {
        let half = [(&spot.certificate, pair::CERTIFICATE), (&spot.key, pair::KEY)];
        half.into_iter().find(|(own, _)| own.is_written(path)).map(|(_, part)| part.to_owned())
    })
}

/// Files with the restored parts in place; `name` gives the name of the file that a part is.
fn restored(files: NamedFiles, restore: &Restore, name: impl Fn(&str) -> Option<String>) -> Result<NamedFiles, String> {
    let mut files: BTreeMap<String, Vec<u8>> = files.into_iter().collect();
    for part in &restore.parts {
        let Some(name) = name(&part.piece.at.path()) else { continue };
        match &part.backup {
            Some(backup) => {
                let bytes = disk::read(&backup.copy, ReadLimit::Store).map_err(|error| error.to_string())?;
                files.insert(name, bytes);
            }
            None => {
                files.remove(&name);
            }
        }
    }
    Ok(files.into_iter().collect())
}

/// The steps by which a person can prevent that trust breaks.
pub(super) fn remedy(breaks: &[Break]) -> String {
    let services: BTreeSet<&ServiceId> = breaks.iter().flat_map(Break::restarts).collect();
    let curable = breaks.iter().all(|one| one.restarts().next().is_some());
    if curable {
        let names: Vec<String> = services.iter().map(ToString::to_string).collect();
        let names = names.join(" ");
        format!("; restart {names}, acknowledge it (`trustmason ack`), then roll back again")
    } else {
        "; correct the spec and make a new plan instead".to_owned()
    }
}
