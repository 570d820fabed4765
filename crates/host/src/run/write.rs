//! Writes one store. It is read again and compared with what the plan expects, edited, and the result checked. The old
//! content is kept as a backup; the new content is put in place in one step and read back.
//!
//! A folder of PEM files, or a pair of a certificate and its key, has no single step: see `files`. The journal records
//! the intent, and the next run goes on from what it finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trustmason_keystore::{Credential, Digest, Edits, Image, Store};
use trustmason_plan::change::Change;
use trustmason_plan::outline::{Expect, StoreView};
use trustmason_plan::site::Site;
use trustmason_plan::work::edits;
use trustmason_spec::name::{Fqdn, StoreId};
use trustmason_spec::topology::{Keystore, Reach, StoreKind};

use super::error::{RefusedEdit, StaleError, StoreWriteError, StoreWriteFailure};
use super::work::RunInProgress;
use super::writer::{self, PlacedEntries, owner};
use super::{StoreOutcome, facts, files, proof, windows};
use crate::disk::{self, ReadLimit};
use crate::record::journal::{self, Intent, Journal, Piece, PieceOutcome, Record, Replayed};
use crate::record::sites::{self, SiteError};
use crate::volume::Volumes;
use crate::volume::pair::{self, PairPaths};

/// The outcome of a store, and what its record needs: also after a failure that came too late to undo anything.
pub(super) struct StoreWrite {
    pub outcome: StoreOutcome,
    /// The intent, if it was announced.
    pub intent: Option<Intent>,
    /// The outcomes of the parts. Empty without an intent.
    pub outcomes: Vec<PieceOutcome>,
}

impl StoreWrite {
    /// The outcome of a store that was not begun.
    pub(super) fn failed(error: StoreWriteError) -> Self {
        Self { outcome: StoreOutcome::Failed { error: Arc::new(error) }, intent: None, outcomes: Vec::new() }
    }

    /// The intent and what was done for it, if it was announced.
    pub(super) fn replayed(&self) -> Option<Replayed> {
        self.intent.as_ref().map(|intent| Replayed { intent: intent.clone(), outcomes: self.outcomes.clone() })
    }
}

/// Writes one store.
pub(super) fn store(
    work: &RunInProgress<'_>,
    journal: &Journal<'_>,
    view: &StoreView,
    placed: PlacedEntries<'_>,
    changes: &[&Change],
) -> StoreWrite {
    let mut intent = None;
    let outcome = match attempt(work, journal, view, placed, changes, &mut intent) {
        Ok(outcome) => outcome,
        Err(trouble) => trouble.into(),
    };
    let outcomes = match (&outcome, &intent) {
        (StoreOutcome::Written { .. }, Some(intent)) => intent.pieces.iter().map(|_| PieceOutcome::Written).collect(),
        (_, Some(intent)) => journal::piece_outcomes(intent, &work.run, work.sites()),
        (_, None) => Vec::new(),
    };
    StoreWrite { outcome, intent, outcomes }
}

/// The files of a store, where this machine found them.
enum StorePaths {
    /// One file, or a folder of files, which may be absent.
    Single(PathBuf),
    /// A certificate and its key.
    Pair(PairPaths),
}

impl StorePaths {
    fn of(volumes: Volumes<'_>, kind: &StoreKind) -> Result<Self, StoreWriteError> {
        Ok(match kind {
            StoreKind::Keystore(Keystore { path, .. }) | StoreKind::PemFile(path) | StoreKind::PemFolder(path) => {
                Self::Single(volumes.find(path)?.into_path())
            }
            StoreKind::PemPair(pair) => Self::Pair(pair::find(volumes, pair)?),
        })
    }

    /// The file or folder; for a pair the certificate.
    fn path(&self) -> &Path {
        match self {
            Self::Single(path) => path,
            Self::Pair(pair) => &pair.certificate,
        }
    }

    /// The path for people: the certificate's path for a pair.
    fn shown(&self) -> String {
        self.path().display().to_string()
    }

    /// The present content. `Nothing` is returned only if the disks of the host are there.
    fn find(&self, volumes: Volumes<'_>, host: &Fqdn) -> Result<PresentContent, StoreWriteError> {
        let found = match self {
            Self::Pair(pair) => {
                let files = pair.read()?;
                if files.is_empty() { PresentContent::Nothing } else { PresentContent::Folder(files) }
            }
            Self::Single(path) => match disk::facts_if_there(path)? {
                Some(facts) if facts.is_folder() => PresentContent::Folder(disk::read_folder(path)?),
                Some(_) => PresentContent::File(disk::read(path, ReadLimit::Store)?),
                None => PresentContent::Nothing,
            },
        };
        if let PresentContent::Nothing = found {
            volumes.reach(host)?;
        }
        Ok(found)
    }

    /// The one comparison that decides whether anything may be written.
    fn expected(&self, volumes: Volumes<'_>, host: &Fqdn, expect: Expect) -> Result<PresentContent, StoreWriteFailure> {
        let found = self.find(volumes, host)?;
        let place = || self.shown();
        match (expect, found.digest()) {
            (Expect::Absent, None) => Ok(found),
            (Expect::Digest(wanted), Some(digest)) if digest == wanted => Ok(found),
            (Expect::Absent, Some(_)) => Err(StaleError::Made { place: place() }.into()),
            (Expect::Digest(_), Some(_)) => Err(StaleError::Changed { place: place() }.into()),
            (Expect::Digest(_), None) => Err(StaleError::Gone { place: place() }.into()),
        }
    }
}

/// The content at the place of a store.
enum PresentContent {
    Nothing,
    File(Vec<u8>),
    /// The files of a folder, or the parts of a pair.
    Folder(proof::FolderFiles),
}

impl PresentContent {
    fn digest(&self) -> Option<Digest> {
        match self {
            Self::Nothing => None,
            Self::File(bytes) => Some(Digest::of(bytes)),
            Self::Folder(files) => Some(disk::folder_digest(files)),
        }
    }
}

fn attempt(
    work: &RunInProgress<'_>,
    journal: &Journal<'_>,
    view: &StoreView,
    placed: PlacedEntries<'_>,
    changes: &[&Change],
    meant: &mut Option<Intent>,
) -> Result<StoreOutcome, StoreWriteFailure> {
    let (Some(site), Some(expect)) = (&view.site, view.expect) else {
        return Err(StoreWriteError::NotWritable { place: view.id.to_string() }.into());
    };
    let def = work.store(&view.id)?;
    if Site::of(def) != *site {
        return Err(SiteError::Undeclared(format!("the spec does not declare {} at {site}", view.id)).into());
    }
    let kind = match &def.reach {
        Reach::System { place, .. } => return windows::attempt(work, journal, view, place, placed, changes, meant),
        Reach::Direct(files) => &files.kind,
        Reach::Mirror(_) => return Err(StoreWriteError::NotWritable { place: view.id.to_string() }.into()),
    };
    let (id, host) = (&view.id, &view.id.host);
    let volumes = work.sites().volumes();
    let context = StorePaths::of(volumes, kind)?;
    let path = context.path();
    let password = work.password(kind)?;
    let credential = Credential::declared(password.as_ref());
    let found = context.expected(volumes, host, expect)?;
    let before = found.digest();
    let store = open(work, (id, kind), path, found, credential)?;
    let left_alone = |cause: RefusedEdit| {
        let (place, cause) = (path.display().to_string(), Box::new(cause));
        StoreWriteError::LeftAlone { place, cause }
    };
    let (edits, image) = edited(work, &store, changes, credential).map_err(left_alone)?;
    let files = match &image {
        Image::File(bytes) if bytes == store.bytes() && before.is_some() => return Ok(StoreOutcome::Unchanged),
        Image::File(_) => Vec::new(),
        Image::Directory(files) if files.is_empty() => return Ok(StoreOutcome::Unchanged),
        Image::Directory(image) => match &context {
            StorePaths::Single(path) => files::of_folder(volumes, (id, kind), path, &store, image)?,
            StorePaths::Pair(pair) => files::of_pair(volumes, (id, kind), pair, &store, image)?,
        },
    };
    let (after, pieces) = match &image {
        Image::File(bytes) => {
            let after = Digest::of(bytes);
            (after, vec![Piece { at: sites::written(volumes, id, kind, path)?, before, after: Some(after) }])
        }
        Image::Directory(image) => {
            let after = disk::folder_digest(&proof::resulting(store.files(), image));
            (after, files.iter().map(files::PlannedFile::piece).collect())
        }
    };
    proof::holds(&store, &edits, &image, credential, work.context.certificates)
        .map_err(|error| left_alone(error.into()))?;
    let intent = Intent {
        store: view.id.clone(),
        before,
        after: Some(after),
        pieces,
        memory: work.memory(&store, changes),
        placed: placed.cloned().unwrap_or_default(),
        presented: work.presented(&view.id),
        facts: facts::of(work, &store, changes),
    };
    let announce = |meant: &mut Option<Intent>| {
        journal.note(&Record::Intent(Box::new(intent.clone()))).map(|()| *meant = Some(intent))
    };
    let copy = work.state.backup(&work.run, &view.id);
    let writer = writer::StoreWriter { disk: work.context.disk, run: &work.run, journal, store: &view.id };
    match &image {
        Image::File(bytes) => {
            let backup = before.is_some().then_some(copy);
            if let Some(copy) = &backup {
                let of = sites::written(volumes, id, kind, path)?;
                writer.back_up(path, &of, store.bytes(), copy)?;
            }
            announce(meant)?;
            let new = writer::NewContent { bytes, owner: owner(path, before.is_some())?, attributes: None };
            let check = || context.expected(volumes, host, expect).map(|_| ());
            writer.put(path, before.into(), new, backup.as_deref(), check)?;
            Ok(StoreOutcome::Written { backup })
        }
        Image::Directory(_) => {
            let mut backup = None;
            for file in &files {
                if let Some(bytes) = &file.old {
                    writer.back_up(&file.path, &file.at, bytes, &copy.join(&file.name))?;
                    backup = Some(copy.clone());
                }
            }
            announce(meant)?;
            context.expected(volumes, host, expect)?;
            files::put(&writer, &files, backup.as_deref())?;
            if context.find(volumes, host)?.digest() != Some(after) {
                return Err(StoreWriteError::OtherFiles { path: path.to_owned() }.into());
            }
            Ok(StoreOutcome::Written { backup })
        }
    }
}

fn open(
    work: &RunInProgress<'_>,
    (id, kind): (&StoreId, &StoreKind),
    path: &Path,
    found: PresentContent,
    credential: Credential<'_>,
) -> Result<Store, StoreWriteError> {
    let opened = match found {
        PresentContent::Nothing => {
            return Ok(work.blank(id, kind));
        }
        PresentContent::File(bytes) => Store::open(bytes, credential, work.context.certificates),
        PresentContent::Folder(files) => match kind {
            StoreKind::PemPair(_) => pair::open(&files, work.context.certificates),
            StoreKind::Keystore(_) | StoreKind::PemFile(_) | StoreKind::PemFolder(_) => {
                Store::open_directory(files, work.context.certificates)
            }
        },
    };
    opened.map_err(|cause| StoreWriteError::Unopened { path: path.to_owned(), cause })
}

fn edited(
    work: &RunInProgress<'_>,
    store: &Store,
    changes: &[&Change],
    credential: Credential<'_>,
) -> Result<(Edits, Image), RefusedEdit> {
    proof::allowed(store, changes)?;
    let edits = edits(changes.iter().copied(), &work.resolved(), &work.identities, work.created_ms())?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let image = store.edit(&edits, credential, &mut random)?;
    Ok((edits, image))
}
