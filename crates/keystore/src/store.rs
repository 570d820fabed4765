//! An opened store, whatever its format. This is the only module that knows all formats: [`origin`] names each of them once, and
//! all else goes through [`Content`], which each format's own type implements.
//!
//! A further format that is read only costs a folder (reader, a type that implements [`Content`]), its name in
//! [`Format`](crate::format) with how `detect` knows it, and one line in [`origin`].

use std::any::Any;

use crate::alias::Alias;
use crate::certificate::unrecoverable;
use crate::content::{Content, Input};
use crate::detect::{Detected, detect, ruin};
use crate::digest::Digest;
use crate::edit::{Edits, Image, check_positions};
use crate::entry::{Credential, Entry, EntryId};
use crate::error::{Class, EditError, KeyError, ReadError};
use crate::format::{AliasModel, Format};
use crate::intern::{CertificateSlot, Interner};
use crate::jks::{self, Java};
use crate::key::{KeyMatch, OpenedKey, SealedKey};
use crate::pem::bundle::{self, Bundle};
use crate::pem::directory::{self, Folder};
use crate::pem::pair::{self, Pair};
use crate::pem::{self, Pem};
use crate::pkcs12::{self, Pkcs12, Protection};
use crate::remark::Remark;
use crate::single::{self, Der};
use crate::tried::Trial;
use crate::windows::{self, Windows};

/// A store and its bytes.
pub struct Store {
    content: Box<dyn Content>,
}

type Open = fn(Input<'_>) -> Result<Box<dyn Content>, ReadError>;
type Empty = fn() -> Box<dyn Content>;

/// How stores of a format come to be.
struct Origin {
    /// From a file.
    open: Open,
    /// From nothing: no entries, and no file yet.
    empty: Empty,
}

fn boxed<C: Content>(content: C) -> Box<dyn Content> {
    Box::new(content)
}

/// What is several files is opened by a function of its own.
fn several_files(_: Input<'_>) -> Result<Box<dyn Content>, ReadError> {
    Err(ReadError::new(Class::NotAStore, "a folder was given as a file", "open it as a folder"))
}

/// Every format, once.
fn origin(format: Format) -> Origin {
    use jks::Kind::{Jceks, Jks};
    use windows::Kind::{Element, Hive, Reg, Sst};

    let (open, empty): (Open, Empty) = match format {
        Format::Jks => (|file| jks::open(Jks, file).map(boxed), || boxed(Java::empty(Jks))),
        Format::Jceks => (|file| jks::open(Jceks, file).map(boxed), || boxed(Java::empty(Jceks))),
        Format::Pkcs12 => (|file| pkcs12::open(file).map(boxed), || boxed(Pkcs12::Empty(Protection::java8()))),
        Format::Pem => (|file| pem::open(file).map(boxed), || boxed(Pem::default())),
        Format::PemDirectory => (several_files, || boxed(Folder::default())),
        Format::PemPair => (several_files, || boxed(Pair::default())),
        Format::Der => (|file| single::open(file).map(boxed), || boxed(Der::default())),
        Format::Pkcs7 => (|file| bundle::open(file).map(boxed), || boxed(Bundle::default())),
        Format::WindowsSst => (|file| windows::open(Sst, file).map(boxed), || boxed(Windows::empty(Sst))),
        Format::WindowsElement => (|file| windows::open(Element, file).map(boxed), || boxed(Windows::empty(Element))),
        Format::WindowsReg => (|file| windows::open(Reg, file).map(boxed), || boxed(Windows::empty(Reg))),
        Format::WindowsHive => (|file| windows::open(Hive, file).map(boxed), || boxed(Windows::empty(Hive))),
    };
    Origin { open, empty }
}

impl Store {
    /// Opens a store from a file's content. The format is told by the content, never by a name.
    ///
    /// # Errors
    /// [`ReadError`], whose class tells a wrong password, damage, an unsupported format and no store at all apart.
    pub fn open(bytes: Vec<u8>, credential: Credential<'_>, certificates: &Interner) -> Result<Self, ReadError> {
        let format = detect(&bytes).readable()?;
        if matches!(credential, Credential::NotNeeded) && is_protected(format, &bytes) {
            let cause = "it needs a password, but none was given";
            let error = ReadError::new(Class::WrongPassword, cause, "give the store's own password");
            return Err(error.format(format.as_str()));
        }
        let binary = matches!(format, Format::Jks | Format::Jceks | Format::Pkcs12 | Format::Der | Format::WindowsSst);
        let text_mode = ruin::crlf_only(&bytes).filter(|_| binary);
        let opened = (origin(format).open)(Input { bytes, credential, certificates });
        opened.map(|content| Self { content }).map_err(|error| match (error.class, text_mode) {
            (Class::Corrupt | Class::WrongPassword, Some(first)) => ReadError::new(
                Class::Corrupt,
                "there is a carriage return before each of its line feeds, as after a transfer in text mode",
                "copy the original again as a binary file",
            )
            .format(format.as_str())
            .offset(first),
            _ => error,
        })
    }

    /// Opens a folder of certificate files: names and contents, in any order. A file that holds no certificate becomes an
    /// [`EntryKind::Opaque`](crate::EntryKind::Opaque) entry and is kept.
    ///
    /// # Errors
    /// None today; a folder may hold anything. The result leaves room for a limit.
    pub fn open_directory(files: Vec<(String, Vec<u8>)>, certificates: &Interner) -> Result<Self, ReadError> {
        Ok(Self { content: boxed(directory::open(files, certificates)) })
    }

    /// Opens a certificate and its private key from two PEM files; the parts of [`Store::files`] and of the image of an edit
    /// are called `certificate` and `key`. A half may be missing: the entry says what is there.
    ///
    /// # Errors
    /// [`ReadError`] if the certificate file holds no certificate in PEM, or a damaged one. The key is looked at by
    /// [`Store::open_key`] only.
    pub fn open_pair(
        certificate: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        certificates: &Interner,
    ) -> Result<Self, ReadError> {
        Ok(Self { content: boxed(pair::open(certificate, key, certificates)?) })
    }

    /// An empty store, to be filled by [`Store::edit`]. A PKCS#12 file gets [`Protection::java8`](crate::Protection::java8),
    /// which every JRE reads.
    #[must_use]
    pub fn create(format: Format) -> Self {
        Self { content: (origin(format).empty)() }
    }

    /// An empty PKCS#12 file with this protection.
    #[must_use]
    pub fn create_pkcs12(protection: Protection) -> Self {
        Self { content: boxed(Pkcs12::Empty(protection)) }
    }

    /// The content, if it is of this format.
    pub(crate) fn content<C: Content>(&self) -> Option<&C> {
        let content: &dyn Any = &*self.content;
        content.downcast_ref()
    }

    /// How a PKCS#12 file protects what it holds, or is to protect it, so that another one can be made alike; `None` for other
    /// formats.
    #[must_use]
    pub fn protection(&self) -> Option<Protection> {
        self.content().map(Pkcs12::protection)
    }

    /// How the whole file is protected, in words, where the format has a choice (PKCS#12).
    #[must_use]
    pub fn protected_by(&self) -> Option<String> {
        self.content().and_then(Pkcs12::summary)
    }

    /// Why Java releases before 8u301 cannot open it: AES, or a MAC of SHA-2, in a PKCS#12 file (`com.sun.crypto.provider` has
    /// them since then). `None`: they open it, or the format has no choice.
    #[must_use]
    pub fn needs_java_8u301(&self) -> Option<String> {
        self.content().and_then(Pkcs12::needs_java_8u301)
    }

    /// Whether opening a file with this content takes a password: a JKS has a digest, a PKCS#12 mostly a MAC.
    #[must_use]
    pub fn needs_password(bytes: &[u8]) -> bool {
        match detect(bytes) {
            Detected::Readable(format) => is_protected(format, bytes),
            Detected::Refused { .. } => false,
        }
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.content.format()
    }

    /// The format's version (JKS and JCEKS: 1 or 2; PKCS#12: 3; 0 where there is none). A write keeps it.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.content.version()
    }

    /// Whether the content was checked against a digest, or needs no such check.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.content.verified()
    }

    /// All entries, in the file's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.content.listed().entries()
    }

    /// The entry at this position.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries().get(id.0)
    }

    /// What is odd about it.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        self.content.listed().remarks()
    }

    /// The file's bytes; empty for a folder and for a store just created.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.content.bytes()
    }

    /// The files of a folder, in the order of their names; empty for one file.
    #[must_use]
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        self.content.files()
    }

    /// An entry's own bytes exactly as they stand in the file: what an edit that does not name it must leave as it is.
    /// The entries of a PKCS#7 bundle under PEM lines share their block.
    #[must_use]
    pub fn raw(&self, id: EntryId) -> Option<&[u8]> {
        self.content.raw(id)
    }

    /// An entry's friendly name (Windows, property 11), for people only: it identifies nothing.
    #[must_use]
    pub fn label(&self, id: EntryId) -> Option<&str> {
        self.content::<Windows>()?.label(id)
    }

    /// The registry key of the Windows store that an entry is in (`HKEY_LOCAL_MACHINE\…\Root`), where the file says it.
    /// In a hive it is relative to the hive's root.
    #[must_use]
    pub fn registry_key(&self, id: EntryId) -> Option<&str> {
        self.content::<Windows>()?.store_key(id)
    }

    /// The digest of what a serialised store of Windows says: which certificates, and of each its name, its limits and whether
    /// there is a key for it. The order does not count, nor what the system works out by itself. `None` for another format.
    #[must_use]
    pub fn listing_digest(&self) -> Option<Digest> {
        self.content::<Windows>()?.listing_digest()
    }

    /// Whether the alias of an entry stands in the file. A JVM numbers the nameless entries of a PKCS#12 file, so a write around
    /// such an entry may have to write its number out.
    #[must_use]
    pub fn is_named(&self, id: EntryId) -> bool {
        self.content.is_named(id)
    }

    /// All entries of this alias as the format compares aliases; none where it has no aliases.
    #[must_use]
    pub fn find(&self, alias: &Alias) -> Vec<EntryId> {
        let format = self.format();
        match format.alias_model() {
            AliasModel::None => Vec::new(),
            AliasModel::Folded | AliasModel::FileName => {
                let named = self.entries().iter().filter(|entry| entry.takes_alias(format));
                named.filter(|entry| entry.is_called(alias)).map(|entry| entry.id).collect()
            }
        }
    }

    /// Opens a private key. That of a pair stands in the clear and needs no password.
    ///
    /// # Errors
    /// [`KeyError`]: the wrong password, a damaged or unsupported protection, a key that the JDK cannot recover from a store of
    /// Java's formats, or no private key there.
    pub fn open_key<'a>(&self, entry: EntryId, credential: impl Into<Credential<'a>>) -> Result<OpenedKey, KeyError> {
        let plain = self.content.plain_key(entry, credential.into())?;
        if let Some(why) = self.format().is_java().then(|| unrecoverable(&plain)).flatten() {
            return Err(KeyError::Unrecoverable(why.to_owned()));
        }
        let chain = self.entry(entry).map(Entry::certificates).unwrap_or_default();
        crate::key::opened(plain, chain.first().and_then(CertificateSlot::certificate).map(|leaf| &**leaf))
    }

    /// Whether this opens a private key, and whether the key belongs to its certificate: what [`Store::open_key`] finds, derived once in
    /// a run for all stores in which the same protected key stands under the same certificate. That matters because a JDK protects
    /// a key of a JCEKS store by 400,000 digests.
    ///
    /// # Errors
    /// As of [`Store::open_key`].
    pub fn try_key<'a>(
        &self,
        entry: EntryId,
        credential: impl Into<Credential<'a>>,
        known: &Interner,
    ) -> Result<KeyMatch, KeyError> {
        let credential = credential.into();
        let open = || self.open_key(entry, credential).map(|key| key.matches_certificate);
        // A key in the clear, or none, costs nothing to ask for again.
        let (Some(password), Some(sealed)) = (credential.password(), self.content.sealed_key(entry)) else {
            return open();
        };
        let chain = self.entry(entry).map(Entry::certificates).unwrap_or_default();
        let leaf = chain.first().map(CertificateSlot::der).unwrap_or_default();
        known.tried().once(Trial::of(self.format(), sealed, leaf, password), open)
    }

    /// The protected key as it is, to be carried into a store of the same format and password without opening it; `None` for a
    /// key that stands in the clear.
    #[must_use]
    pub fn sealed_key(&self, entry: EntryId) -> Option<SealedKey> {
        let bytes = self.content.sealed_key(entry)?.to_vec();
        Some(SealedKey { format: self.format(), bytes })
    }

    /// Makes the store's next content. The store itself does not change. All edits happen at once, so that names may be
    /// swapped; entries not named stay as they are, bit for bit.
    ///
    /// # Errors
    /// [`EditError`]; nothing is produced then.
    pub fn edit<'a>(
        &self,
        edits: &Edits,
        credential: impl Into<Credential<'a>>,
        rng: &mut dyn rand_core::CryptoRng,
    ) -> Result<Image, EditError> {
        check_positions(self.entries(), edits)?;
        self.content.edit(edits, credential.into(), rng)
    }
}

/// Whether opening a content of this format takes a password.
fn is_protected(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Pkcs12 => pkcs12::needs_password(bytes),
        _ => format.needs_password(),
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("format", &self.format())
            .field("version", &self.version())
            .field("verified", &self.verified())
            .field("entries", &self.entries())
            .field("remarks", &self.remarks())
            .finish_non_exhaustive()
    }
}
