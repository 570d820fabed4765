//! Finds the parts of stores that a journal names. A journal names places as the hosts call them. Only the topology
//! says where this machine finds such a place, and a place is found only if the topology declares it for that very
//! store. "Cannot look" and "not declared" are never taken for "is not there".

use std::path::{Path, PathBuf};

use trustmason_keystore::{Digest, Interner};
use trustmason_plan::site::PieceAt;
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::{HostPath, Keystore, PemPair, Reach, StoreDef, StoreKind, Topology};
use trustmason_spec::windows::{Location, SystemStore};

use crate::disk;
use crate::live::{self, SystemStores};
use crate::state::State;
use crate::volume::{self, Volumes};

/// The stores of an estate as this machine reaches them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sites<'a> {
    pub topology: &'a Topology,
    pub system: &'a dyn SystemStores,
}

/// A part of a store, as this machine reaches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PieceHere {
    /// A file, which may be absent. Its folder exists, and the disks of its host are there.
    File(PathBuf),
    /// A system store of this machine.
    System(Location, SystemStore),
}

/// Why a part of a store cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// The spec declares no such place for the store, or the store is not written by trustmason.
    #[error("{0}")]
    Undeclared(String),
    /// The place is declared and cannot be read now.
    #[error("{0}")]
    Unseen(String),
}

impl<'a> Sites<'a> {
    /// The stores of an estate; the state folder gives access to the system's own stores.
    pub(crate) fn of(topology: &'a Topology, state: &'a State) -> Self {
        Self { topology, system: state.system() }
    }

    /// The disks of the estate's hosts.
    pub(crate) fn volumes(&self) -> Volumes<'a> {
        Volumes::of(self.topology)
    }

    /// Finds a part of a store.
    pub(crate) fn locate(&self, id: &StoreId, at: &PieceAt) -> Result<PieceHere, SiteError> {
        let undeclared = |why: String| Err(SiteError::Undeclared(why));
        let Some(def) = self.topology.stores.get(id) else {
            return undeclared(format!("the spec declares no store {id}"));
        };
        if *at.host() != id.host {
            return undeclared(format!("{at} is not on the host of {id}"));
        }
        if def.is_hand_off() {
            return undeclared(format!("the spec declares {id} as a store that people change"));
        }
        match at {
            PieceAt::System { location, store, .. } => {
                let declared = match &def.reach {
                    Reach::System { place, .. } => place.location == *location && place.stores().contains(store),
                    Reach::Direct(_) | Reach::Mirror(_) => false,
                };
                if !declared {
                    return undeclared(format!("{} is not a part of {id}", at.path()));
                }
                let called = live::is_called(self.system, id.host.as_str());
                called.map_err(|other| SiteError::Unseen(other.to_string()))?;
                Ok(PieceHere::System(location.clone(), *store))
            }
            PieceAt::File(file) => match declared(def, &file.path) {
                Some(path) => self.found(&path).map(PieceHere::File),
                None => undeclared(format!("{} is not a file of {id}", file.path)),
            },
        }
    }

    /// The digest of a part of a store; `None` if it is certainly not there.
    pub(crate) fn digest(&self, id: &StoreId, at: &PieceAt) -> Result<Option<Digest>, SiteError> {
        match self.locate(id, at)? {
            PieceHere::File(path) => disk::digest_if_there(&path).map_err(|error| SiteError::Unseen(error.to_string())),
            PieceHere::System(location, store) => {
                let part = live::part(self.system, &location, store, &Interner::new());
                part.map(|part| Some(live::digest_of(&part))).map_err(|error| SiteError::Unseen(error.0))
            }
        }
    }

    /// The folder of a store that is one, if it can be found.
    pub(crate) fn folder(&self, id: &StoreId) -> Option<PathBuf> {
        self.topology.stores.get(id)?.folder().and_then(|path| self.found(path).ok())
    }

    /// Every folder in which a run may have left temporary files: those of the store's own files.
    pub(crate) fn folders(&self, id: &StoreId) -> Vec<PathBuf> {
        let Some(def) = self.topology.stores.get(id) else { return Vec::new() };
        let parent = |path: &HostPath| self.found(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        if let Some(folder) = def.folder() {
            return self.found(folder).into_iter().collect();
        }
        let file = def.path().and_then(|path| self.found(path).ok()).and_then(own_folder);
        file.into_iter().chain(def.pair().into_iter().flat_map(PemPair::paths).filter_map(parent)).collect()
    }

    /// Where this machine finds a path of a host. If the folder is missing, nothing is known about the file: a disk may
    /// be away.
    fn found(&self, path: &HostPath) -> Result<PathBuf, SiteError> {
        match self.volumes().find(path) {
            Ok(volume::Located::Found(path) | volume::Located::Absent { path, parent: true }) => Ok(path),
            Ok(volume::Located::Absent { path, parent: false }) => {
                Err(SiteError::Unseen(format!("the folder of {} is not there", path.display())))
            }
            Err(error) => Err(SiteError::Unseen(error.why())),
        }
    }
}

/// The path itself if a store declared as a file is a folder, else the folder that the file is in.
fn own_folder(path: PathBuf) -> Option<PathBuf> {
    match disk::facts_if_there(&path) {
        Ok(Some(facts)) if facts.is_folder() => Some(path),
        Ok(_) | Err(_) => path.parent().map(Path::to_owned),
    }
}

/// The declared path that a journal means by the host's name of a file.
fn declared(def: &StoreDef, path: &str) -> Option<HostPath> {
    let Reach::Direct(files) = &def.reach else { return None };
    match &files.kind {
        StoreKind::Keystore(Keystore { path: own, .. }) | StoreKind::PemFile(own) => {
            own.is_written(path).then(|| own.clone())
        }
        StoreKind::PemFolder(folder) => folder.name_in(path).map(|name| folder.child(name)),
        StoreKind::PemPair(pair) => pair.paths().find(|own| own.is_written(path)).cloned(),
    }
}

/// The host's name of a store's file that this machine found.
///
/// # Errors
/// Fails if the store declares no such file.
pub(crate) fn written(volumes: Volumes<'_>, id: &StoreId, kind: &StoreKind, file: &Path) -> Result<PieceAt, SiteError> {
    let leads_there = |path: &&HostPath| match volumes.find(path) {
        Ok(volume::Located::Found(found) | volume::Located::Absent { path: found, .. }) => found == file,
        Err(_) => false,
    };
    let path = match kind {
        StoreKind::Keystore(Keystore { path, .. }) | StoreKind::PemFile(path) => Some(path.shown.clone()),
        StoreKind::PemFolder(folder) => file.file_name().and_then(|n| n.to_str()).map(|name| folder.child(name).shown),
        StoreKind::PemPair(pair) => pair.paths().find(leads_there).map(|path| path.shown.clone()),
    };
    let undeclared = || SiteError::Undeclared(format!("{} is not a file of {id}", file.display()));
    let path = path.ok_or_else(undeclared)?;
    Ok(PieceAt::file(&id.host, path))
}
