//! The data that all parts of a run share, and the first step of a run: every key of the run is made, or resumed, and
//! is in staging before any store is touched.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use trustmason_keystore::{Certificate, Credential, Format, Password, Protection, Store};
use trustmason_plan::change::Change;
use trustmason_plan::memory::LedgerEffect;
use trustmason_plan::observed::{Observed, SourceLook, StoreLook};
use trustmason_plan::outline::{Mint, Plan};
use trustmason_plan::pack::KnownCertificates;
use trustmason_plan::run_id::RunId;
use trustmason_plan::undo::Presented;
use trustmason_plan::work::NewIdentity;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::{
    AuthorityDef, Keystore, KeystoreFormat, Pkcs12Scheme, Reach, StoreDef, StoreKind, Subject, Topology,
};
use zeroize::Zeroizing;

use super::error::{AuthorityError, DeclarationError, NewKeyError};
use super::{RunContext, RunEvent};
use crate::disk::{self, DiskError, ReadLimit};
use crate::mint::{self, MintError, Minted};
use crate::parallel;
use crate::record::journal::{Journal, Record};
use crate::record::sites::Sites;
use crate::state::State;
use crate::state::staging::{self, Staged, StagingTarget};

/// A run at work.
pub(super) struct RunInProgress<'a> {
    pub plan: &'a Plan,
    pub topology: &'a Topology,
    pub observed: &'a Observed,
    pub context: RunContext<'a>,
    pub state: State,
    pub run: RunId,
    pub now: Timestamp,
    /// The keys in staging, or why there is none.
    pub staged: BTreeMap<IdentityId, Result<Staged, Arc<NewKeyError>>>,
    /// The certificates of these keys, for the planner's functions.
    pub minted: BTreeMap<IdentityId, Arc<Certificate>>,
    pub identities: BTreeMap<IdentityId, NewIdentity>,
    /// The requests that were written for authorities.
    pub requests: BTreeMap<IdentityId, PathBuf>,
    /// For each store, the certificates that the identities which the store should trust presented when the run was
    /// planned.
    pub presented: BTreeMap<StoreId, BTreeMap<IdentityId, Presented>>,
}

impl RunInProgress<'_> {
    /// Every certificate that the plan names.
    pub(super) fn resolved(&self) -> KnownCertificates<'_> {
        KnownCertificates { minted: &self.minted }
    }

    /// The creation date of new entries, in milliseconds since 1970.
    pub(super) fn created_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// Where the stores are.
    pub(super) fn sites(&self) -> Sites<'_> {
        Sites::of(self.topology, &self.state)
    }

    /// The effect on the ledger of changes that are about to be made to a store.
    pub(super) fn memory(&self, store: &Store, changes: &[&Change]) -> LedgerEffect {
        LedgerEffect::of(self.plan, store, changes, &self.resolved(), &self.run, self.now)
    }

    /// The certificates that the identities which a store should trust presented when the run was planned.
    pub(super) fn presented(&self, store: &StoreId) -> BTreeMap<IdentityId, Presented> {
        self.presented.get(store).cloned().unwrap_or_default()
    }

    pub(super) fn store(&self, id: &StoreId) -> Result<&StoreDef, DeclarationError> {
        self.topology.stores.get(id).ok_or_else(|| DeclarationError::Unknown(id.clone()))
    }

    /// The kind of the store that an identity's key is in.
    fn home(&self, id: &StoreId) -> Result<&StoreKind, DeclarationError> {
        match &self.store(id)?.reach {
            Reach::Direct(files) => Ok(&files.kind),
            Reach::System { .. } | Reach::Mirror(_) => Err(DeclarationError::Format(id.clone())),
        }
    }

    /// A store's password, if it has one.
    pub(super) fn password(&self, kind: &StoreKind) -> Result<Option<Password>, DeclarationError> {
        Ok(kind.password().map(|secret| self.context.secrets.get(secret)).transpose()?)
    }

    /// The format that a store has, or will be created in.
    fn format(&self, id: &StoreId, kind: &StoreKind) -> Format {
        let seen = self.plan.stores.iter().find(|view| view.id == *id).and_then(|view| view.format);
        seen.unwrap_or(match kind {
            StoreKind::Keystore(keystore) => match keystore.format {
                KeystoreFormat::Jks => Format::Jks,
                KeystoreFormat::Jceks => Format::Jceks,
                KeystoreFormat::Pkcs12 => Format::Pkcs12,
            },
            StoreKind::PemFile(_) => Format::Pem,
            StoreKind::PemFolder(_) => Format::PemDirectory,
            StoreKind::PemPair(_) => Format::PemPair,
        })
    }

    /// An empty store, for one that is not there yet.
    pub(super) fn blank(&self, id: &StoreId, kind: &StoreKind) -> Store {
        match (self.format(id, kind), kind) {
            (Format::Pkcs12, StoreKind::Keystore(keystore)) => Store::create_pkcs12(scheme(keystore)),
            (format, _) => Store::create(format),
        }
    }

    /// How a PKCS#12 store protects its content, or will; `None` for other formats.
    fn protection(
        &self,
        id: &StoreId,
        kind: &StoreKind,
        credential: Credential<'_>,
    ) -> Result<Option<Protection>, NewKeyError> {
        let StoreKind::Keystore(keystore) = kind else { return Ok(None) };
        if self.format(id, kind) != Format::Pkcs12 {
            return Ok(None);
        }
        let Some(StoreLook::Readable(_)) = self.observed.stores.get(id) else {
            return Ok(Some(scheme(keystore)));
        };
        let path = self.sites().volumes().find(&keystore.path)?.into_path();
        let bytes = disk::read(&path, ReadLimit::Store)?;
        let store = Store::open(bytes, credential, self.context.certificates);
        store
            .map(|store| store.protection())
            .map_err(|error| NewKeyError::Unopened { store: id.clone(), cause: Box::new(error) })
    }

    /// Makes every key of the plan and stages it. A failed key stops no other; the changes that wait for it are left
    /// out later.
    pub(super) fn mint(
        &mut self,
        journal: &Journal<'_>,
        progress: &mut dyn FnMut(RunEvent<'_>),
    ) -> Result<(), DiskError> {
        let plan = self.plan;
        let new: Vec<&Mint> = plan.mints.values().filter(|mint| mint.resumed.is_none()).collect();
        for mint in &new {
            progress(RunEvent::Minting { identity: &mint.identity });
        }
        // Generating RSA keys takes most of the time of a small run, so all processors are used.
        let made = parallel::map(&new, |mint| self.make(mint));
        let mut made: BTreeMap<_, _> = new.iter().map(|mint| &mint.identity).zip(made).collect();
        for mint in plan.mints.values() {
            let staged = match made.remove(&mint.identity) {
                Some(made) => made.and_then(|minted| self.stage_and_ask(mint, &minted)),
                None => self.resume(mint),
            };
            if let Ok(staged) = &staged {
                journal.note(&Record::Staged {
                    identity: mint.identity.clone(),
                    sha256: staged.certificate.fingerprint(),
                    resumed: mint.resumed.is_some(),
                })?;
                progress(RunEvent::Staged { identity: &mint.identity, certificate: &staged.certificate });
                self.minted.insert(mint.identity.clone(), Arc::clone(&staged.certificate));
                let new = NewIdentity { key: staged.key.clone(), chain: staged.chain.clone() };
                self.identities.insert(mint.identity.clone(), new);
            }
            self.staged.insert(mint.identity.clone(), staged.map_err(Arc::new));
        }
        Ok(())
    }

    fn make(&self, mint: &Mint) -> Result<Minted, NewKeyError> {
        let def = self.topology.identities.get(&mint.identity);
        let def = def.ok_or_else(|| NewKeyError::Unknown(mint.identity.clone()))?;
        let failed = |cause: MintError| NewKeyError::Mint { identity: mint.identity.clone(), cause };
        let Some(name) = &mint.request else {
            return mint::mint(def, self.context.keys, self.now).map_err(failed);
        };
        let authority = self.authority(name)?;
        let Some(file) = &authority.sign_with else {
            return mint::request(def, self.context.keys, self.now).map_err(failed);
        };
        let key = disk::read(file, ReadLimit::Key).map_err(AuthorityError::Disk)?;
        let key = Zeroizing::new(String::from_utf8(key).map_err(|_| AuthorityError::KeyNotPem(file.clone()))?);
        let mut issuers = self.issuers(name, authority)?;
        let certificate = issuers.remove(0);
        let signer = mint::Signer { certificate: &certificate, issuers: &issuers, key: &key };
        mint::signed(def, self.context.keys, self.now, signer).map_err(|error| NewKeyError::Signing {
            identity: mint.identity.clone(),
            cause: Box::new(error),
            file: file.clone(),
        })
    }

    fn authority(&self, name: &str) -> Result<&AuthorityDef, AuthorityError> {
        self.topology.authorities.get(name).ok_or_else(|| AuthorityError::Unknown(name.to_owned()))
    }

    /// The certificates of an authority, the signing one first and the root last. The list is never empty.
    fn issuers(&self, name: &str, authority: &AuthorityDef) -> Result<Vec<Arc<Certificate>>, AuthorityError> {
        let below = (0..authority.intermediates.len()).rev().map(|place| AuthorityDef::intermediate(name, place));
        below
            .chain([AuthorityDef::root(name)])
            .map(|subject| match self.observed.sources.get(&Subject::Certificate(subject.clone())) {
                Some(SourceLook::Found { certificate, .. }) => Ok(Arc::clone(certificate)),
                Some(SourceLook::Missing { .. } | SourceLook::Ambiguous { .. } | SourceLook::Unreadable(_)) | None => {
                    Err(AuthorityError::CertificateUnread(subject))
                }
            })
            .collect()
    }

    /// Stages a new key and writes its request where its authority takes it. If the request cannot be written, the key
    /// is not kept.
    fn stage_and_ask(&mut self, mint: &Mint, minted: &Minted) -> Result<Staged, NewKeyError> {
        let staged = self.stage(mint, minted)?;
        let (Some(name), Some(pem)) = (&mint.request, &minted.request) else { return Ok(staged) };
        let written = self.authority(name).and_then(|authority| {
            let folder = authority.requests_dir.as_ref();
            let folder = folder.ok_or_else(|| AuthorityError::NoRequestsDir(name.clone()))?;
            let path = folder.join(format!("{}_{}.csr", mint.identity.host, mint.identity.name));
            let disk = self.context.disk;
            disk.make_dir(folder)?;
            disk.keep(&path, pem.as_bytes(), ReadLimit::Certificate, self.run.as_str())?;
            Ok(path)
        });
        match written {
            Ok(path) => {
                self.requests.insert(mint.identity.clone(), path);
                Ok(staged)
            }
            Err(error) => {
                let cause = Box::new(error);
                let left = self.context.disk.remove(&staged.path).err();
                Err(NewKeyError::Request { identity: mint.identity.clone(), cause, left })
            }
        }
    }

    fn target_password(&self, mint: &Mint) -> Result<(Option<Password>, Format), NewKeyError> {
        let store = &mint.place.store;
        let kind = self.home(store)?;
        let format = self.format(store, kind);
        if format == Format::PemPair {
            return Ok((None, format));
        }
        let password = self.password(kind)?;
        let password = password.ok_or_else(|| NewKeyError::NoPassword(store.clone()))?;
        Ok((Some(password), format))
    }

    fn stage(&self, mint: &Mint, minted: &Minted) -> Result<Staged, NewKeyError> {
        let (password, format) = self.target_password(mint)?;
        let credential = Credential::declared(password.as_ref());
        let protection = self.protection(&mint.place.store, self.home(&mint.place.store)?, credential)?;
        let target = StagingTarget {
            identity: &mint.identity,
            at: &mint.place.at,
            format,
            protection: protection.as_ref(),
            credential,
            created_ms: self.created_ms(),
        };
        Ok(staging::stage(self.context.disk, &self.state, &self.run, &target, minted)?)
    }

    fn resume(&self, mint: &Mint) -> Result<Staged, NewKeyError> {
        let (password, _) = self.target_password(mint)?;
        let credential = Credential::declared(password.as_ref());
        let look = self.observed.staged(&mint.identity);
        let look = look.ok_or_else(|| NewKeyError::Gone(mint.identity.clone()))?;
        let staged = staging::take(&look.path, credential, self.context.certificates)?;
        let reply = mint.resumed.as_ref().filter(|_| !mint.issuers.is_empty());
        let staged = match reply {
            Some(leaf) => staged.with_reply(leaf, &mint.issuers)?,
            None => staged,
        };
        if Some(&staged.certificate) != mint.resumed.as_ref() {
            return Err(NewKeyError::Changed(look.path.clone()));
        }
        Ok(staged)
    }
}

/// How a PKCS#12 file that is created now is protected.
fn scheme(keystore: &Keystore) -> Protection {
    match keystore.scheme {
        Pkcs12Scheme::Java8 => Protection::java8(),
        Pkcs12Scheme::Modern => Protection::modern(),
    }
}
