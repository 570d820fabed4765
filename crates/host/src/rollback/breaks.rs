//! What the planner is told before it says who would break: what each restored store will hold.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::{Fingerprint, Store, Unlock};
use trustmason_plan::observed::StoreLook;
use trustmason_plan::undo::{After, Break, Restored, Undo};
use trustmason_spec::name::ServiceId;
use trustmason_spec::topology::{DeclaredFormat, Place, StoreDef};

use super::Looking;
use super::restore::Restore;
use crate::disk::{self, Limit};
use crate::volume;
use crate::volume::pair;

/// What is to be taken back, in the planner's words.
pub(super) fn undo(looking: Looking<'_>, restores: &[Restore]) -> Undo {
    let stores = restores.iter().filter(|restore| !restore.parts.is_empty());
    let stores = stores.map(|restore| {
        let after = after(looking, restore).unwrap_or_else(After::Unreadable);
        let presented = restore.intent.presented.clone();
        (restore.intent.store.clone(), Restored { after, presented })
    });
    Undo { stores: stores.collect() }
}

/// What a store will hold.
fn after(looking: Looking<'_>, restore: &Restore) -> Result<After, String> {
    let id = &restore.intent.store;
    let def = looking.topology.stores.get(id).ok_or_else(|| format!("the spec declares no store {id}"))?;
    let store = match &def.place {
        Place::File(_) => match restore.parts.first().and_then(|part| part.backup.as_ref()) {
            None => return Ok(After::Gone),
            Some(backup) => {
                let bytes = disk::read(&backup.copy, Limit::Store).map_err(|error| error.to_string())?;
                opened(looking, def, bytes)?
            }
        },
        Place::Directory(_) | Place::Pair { .. } => {
            let files = files(looking, restore, def)?;
            let gone = files.is_empty();
            let store = if def.format == DeclaredFormat::PemPair {
                pair::open(&files, looking.certificates)
            } else {
                Store::open_directory(files, looking.certificates)
            };
            let store = store.map_err(|error| format!("{id} as it was does not open: {error}"))?;
            if gone {
                return Ok(After::Gone);
            }
            store
        }
        Place::Windows => {
            // Its parts are restored one by one; what others keep there stays as it is.
            let mut entries = match looking.observed.stores.get(id) {
                Some(StoreLook::Readable(facts)) => facts.entries.clone(),
                _ => return Err(format!("{id} cannot be looked at")),
            };
            let gone: BTreeSet<Fingerprint> = restore.facts.iter().filter_map(|fact| fact.after).collect();
            entries.retain(|e| e.certificates().first().is_none_or(|slot| !gone.contains(&slot.fingerprint())));
            let mut format = None;
            for backup in restore.parts.iter().filter_map(|part| part.backup.as_ref()) {
                let bytes = disk::read(&backup.copy, Limit::Store).map_err(|error| error.to_string())?;
                let store = Store::open(bytes, Unlock::Unverified, looking.certificates);
                let store = store.map_err(|error| format!("{} does not open: {error}", backup.copy.display()))?;
                format = Some(store.format());
                entries.extend(store.entries().iter().cloned());
            }
            let format = format.ok_or_else(|| format!("no part of {id} is restored"))?;
            return Ok(After::Holds(format, entries));
        }
    };
    Ok(After::Holds(store.format(), store.entries().to_vec()))
}

/// A file, opened with the store's password as the spec has it now, else without: then what is in the clear is seen.
fn opened(looking: Looking<'_>, def: &StoreDef, bytes: Vec<u8>) -> Result<Store, String> {
    let password = def.password.as_ref().and_then(|secret| looking.secrets.get(secret).ok());
    let with = password
        .and_then(|password| Store::open(bytes.clone(), Unlock::Password(&password), looking.certificates).ok());
    match with {
        Some(store) => Ok(store),
        None if Store::needs_password(&bytes) && def.format == DeclaredFormat::Pkcs12 => {
            Err(format!("{} as it was does not open with the password of today", def.id))
        }
        None => Store::open(bytes, Unlock::Unverified, looking.certificates)
            .map_err(|error| format!("{} as it was does not open: {error}", def.id)),
    }
}

/// The files of a folder, or the halves of a pair, as they will be.
fn files(looking: Looking<'_>, restore: &Restore, def: &StoreDef) -> Result<Vec<(String, Vec<u8>)>, String> {
    let volumes = looking.sites().volumes();
    let mut files: BTreeMap<String, Vec<u8>> = match &def.place {
        Place::Directory(folder) => match volumes.find(folder) {
            Ok(volume::Place::Found(folder)) => {
                disk::read_folder(&folder).map_err(|error| error.to_string())?.into_iter().collect()
            }
            Ok(volume::Place::Absent { .. }) => BTreeMap::new(),
            Err(error) => return Err(error.to_string()),
        },
        Place::Pair { .. } => match pair::find(volumes, &def.place).map_err(|error| error.to_string())? {
            Some(pair) => pair.read().map_err(|error| error.to_string())?.into_iter().collect(),
            None => BTreeMap::new(),
        },
        Place::File(_) | Place::Windows => BTreeMap::new(),
    };
    for part in &restore.parts {
        let path = part.piece.at.path();
        let name = match &def.place {
            Place::Pair { certificate, .. } if certificate.is_written(&path) => pair::CERTIFICATE.to_owned(),
            Place::Pair { key, .. } if key.is_written(&path) => pair::KEY.to_owned(),
            // What goes along with a pair is no half of it.
            Place::Pair { .. } => continue,
            Place::Directory(folder) => folder.name_in(&path).unwrap_or(&path).to_owned(),
            Place::File(_) | Place::Windows => path,
        };
        match &part.backup {
            Some(backup) => {
                let bytes = disk::read(&backup.copy, Limit::Store).map_err(|error| error.to_string())?;
                files.insert(name, bytes);
            }
            None => {
                files.remove(&name);
            }
        }
    }
    Ok(files.into_iter().collect())
}

/// What a person can do about it.
pub(super) fn cure(breaks: &[Break]) -> String {
    let services: BTreeSet<&ServiceId> = breaks.iter().flat_map(Break::restarts).collect();
    let curable = breaks.iter().all(|one| one.restarts().next().is_some());
    if curable {
        let names: Vec<String> = services.iter().map(ToString::to_string).collect();
        let names = names.join(" ");
        format!("; restart {names}, say so (`trustmason ack`), then roll back again")
    } else {
        "; let a new plan change what is not wanted".to_owned()
    }
}
