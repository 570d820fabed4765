//! An opened store: entries by position, each with its own bytes behind it.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::certificate::unrecoverable;
use crate::edit::{Edits, Image};
use crate::error::{EditError, KeyError, ReadError};
use crate::format::{AliasModel, Detected, Format, detect, fold_alias};
use crate::intern::{CertificateSlot, Interner};
use crate::key::{OpenedKey, SealedKey};
use crate::password::Password;
use crate::remark::Remark;
use crate::{jks, pem, pkcs7, pkcs12, ruin, single, windows};

/// With what a store is opened.
#[derive(Debug, Clone, Copy)]
pub enum Unlock<'a> {
    /// The store's password: a digest that does not match is [`crate::Class::WrongPassword`]. Formats without a digest ignore it.
    Password(&'a Password),
    /// No password: the structure is read, the digest is not checked, [`Store::verified`] is false and a remark says so.
    Unverified,
}

/// An entry's position in its store. Aliases name nothing reliably: duplicates, case twins and nameless entries exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) usize);

impl EntryId {
    /// The position, counted from 0.
    #[must_use]
    pub fn position(self) -> usize {
        self.0
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its position.
    pub id: EntryId,
    /// Its alias exactly as stored (the file's name in a folder); `None` where the format has none.
    pub alias: Option<String>,
    /// Its creation date in milliseconds since 1970-01-01T00:00:00Z; `None` where the format has none.
    pub created_ms: Option<i64>,
    /// What it is.
    pub kind: EntryKind,
}

impl Entry {
    /// All its certificates, leaf first.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateSlot] {
        match &self.kind {
            EntryKind::Trusted(slot) | EntryKind::Untrusted(slot) => std::slice::from_ref(slot),
            EntryKind::PrivateKey { chain } => chain,
            EntryKind::SecretKey | EntryKind::Opaque(_) => &[],
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone)]
pub enum EntryKind {
    /// A certificate that is trusted because it is here.
    Trusted(CertificateSlot),
    /// A protected private key and its chain, leaf first.
    PrivateKey {
        /// The chain; a JVM allows it to be empty.
        chain: Vec<CertificateSlot>,
    },
    /// A sealed secret key (JCEKS, PKCS#12). Never opened.
    SecretKey,
    /// A certificate that is in the file but is no trust anchor.
    Untrusted(CertificateSlot),
    /// Anything else, kept as it is; the text says what it seems to be.
    Opaque(String),
}

impl EntryKind {
    /// The name in JSON output: `trusted-certificate`, `private-key`, `secret-key`, `untrusted-certificate`, `unknown`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Trusted(_) => "trusted-certificate",
            Self::PrivateKey { .. } => "private-key",
            Self::SecretKey => "secret-key",
            Self::Untrusted(_) => "untrusted-certificate",
            Self::Opaque(_) => "unknown",
        }
    }
}

/// Where an entry's bytes are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Which file of a folder; 0 elsewhere.
    pub(crate) file: usize,
    /// All of it.
    pub(crate) whole: Range<usize>,
    /// Its alias without the length before it (JKS, JCEKS).
    pub(crate) alias: Range<usize>,
    /// Its protected key without the length before it (JKS, JCEKS).
    pub(crate) key: Option<Range<usize>>,
    /// It stands in a PKCS#7 bundle, whose parts cannot be cut out one by one.
    pub(crate) bundled: bool,
}

/// A store and its bytes.
pub struct Store {
    pub(crate) format: Format,
    pub(crate) version: u32,
    pub(crate) verified: bool,
    /// Made by [`Store::create`]: there are no bytes yet.
    pub(crate) fresh: bool,
    pub(crate) bytes: Vec<u8>,
    /// Where entries end and the digest begins (JKS, JCEKS).
    pub(crate) body_end: usize,
    /// The files of a folder, in the order of their names.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) places: Vec<Place>,
    pub(crate) remarks: Vec<Remark>,
    /// The inner structure of a PKCS#12 file that was opened.
    pub(crate) pfx: Option<Box<pkcs12::Pfx>>,
    /// How a PKCS#12 file just created is to be protected.
    pub(crate) protection: Option<pkcs12::Protection>,
    /// Friendly names, where the format has them beside aliases.
    pub(crate) labels: BTreeMap<EntryId, String>,
    /// The registry keys of the stores that entries are in (registry exports).
    pub(crate) keys: BTreeMap<EntryId, String>,
}

impl Store {
    /// Opens a store from a file's content. The format is told by the content, never by a name.
    ///
    /// # Errors
    /// [`ReadError`], whose class tells a wrong password, damage, an unsupported format and no store at all apart.
    pub fn open(bytes: Vec<u8>, unlock: Unlock<'_>, certificates: &Interner) -> Result<Self, ReadError> {
        let format = detect(&bytes).readable()?;
        let binary = matches!(format, Format::Jks | Format::Jceks | Format::Pkcs12 | Format::Der | Format::WindowsSst);
        let text_mode = ruin::crlf_only(&bytes).filter(|_| binary);
        let opened = match format {
            format @ (Format::Jks | Format::Jceks) => jks::open(format, bytes, unlock, certificates),
            Format::Pkcs12 => pkcs12::open(bytes, unlock, certificates),
            Format::Pem => pem::open(bytes, certificates),
            Format::Der => single::open(bytes, certificates),
            Format::Pkcs7 => pkcs7::open(bytes, certificates),
            format @ (Format::WindowsSst | Format::WindowsElement | Format::WindowsReg | Format::WindowsHive) => {
                windows::open(format, bytes, certificates)
            }
            Format::PemDirectory | Format::PemPair => {
                Err(ReadError::new(crate::Class::NotAStore, "a folder was given as a file", "open it as a folder"))
            }
        };
        opened.map_err(|error| match (error.class, text_mode) {
            (crate::Class::Corrupt | crate::Class::WrongPassword, Some(first)) => ReadError::new(
                crate::Class::Corrupt,
                "a carriage return stands before each of its line feeds, as after a transfer in text mode",
                "take the original, and copy it as a binary file",
            )
            .format(format.as_str())
            .offset(first),
            _ => error,
        })
    }

    /// Opens a folder of certificate files: names and contents, in any order. A file that holds no certificate becomes an
    /// [`EntryKind::Opaque`] entry and is kept.
    ///
    /// # Errors
    /// None today; a folder may hold anything. The result leaves room for a limit.
    pub fn open_directory(files: Vec<(String, Vec<u8>)>, certificates: &Interner) -> Result<Self, ReadError> {
        Ok(pem::directory::open(files, certificates))
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
        pem::pair::open(certificate, key, certificates)
    }

    /// An empty store, to be filled by [`Store::edit`]. A PKCS#12 file gets [`Protection::java8`](crate::Protection::java8),
    /// which every JRE reads.
    #[must_use]
    pub fn create(format: Format) -> Self {
        Self::new(format, Vec::new(), true)
    }

    /// An empty PKCS#12 file with this protection.
    #[must_use]
    pub fn create_pkcs12(protection: pkcs12::Protection) -> Self {
        Self { protection: Some(protection), ..Self::new(Format::Pkcs12, Vec::new(), true) }
    }

    /// How a PKCS#12 file protects what it holds, so that another one can be made alike; `None` for other formats.
    #[must_use]
    pub fn protection(&self) -> Option<pkcs12::Protection> {
        match &self.pfx {
            Some(pfx) => Some(pkcs12::Protection::of(pfx, &self.bytes)),
            None => self.protection.clone(),
        }
    }

    /// How the whole file is protected, in words, where the format has a choice (PKCS#12).
    #[must_use]
    pub fn protected_by(&self) -> Option<String> {
        self.pfx.as_ref().map(|pfx| pfx.summary())
    }

    /// Why Java releases before 8u301 cannot open it: AES, or a MAC of SHA-2, in a PKCS#12 file (`com.sun.crypto.provider` has
    /// them since then). `None`: they open it, or the format has no choice.
    #[must_use]
    pub fn needs_java_8u301(&self) -> Option<String> {
        self.pfx.as_ref()?.needs_java_8u301(&self.bytes)
    }

    /// Whether opening a file with this content takes a password: a JKS has a digest, a PKCS#12 mostly a MAC.
    #[must_use]
    pub fn needs_password(bytes: &[u8]) -> bool {
        match detect(bytes) {
            Detected::Readable(Format::Pkcs12) => pkcs12::needs_password(bytes),
            Detected::Readable(format) => format.needs_password(),
            Detected::Refused { .. } => false,
        }
    }

    pub(crate) fn new(format: Format, bytes: Vec<u8>, fresh: bool) -> Self {
        Self {
            format,
            version: match format {
                Format::Jks | Format::Jceks => 2,
                Format::Pkcs12 => 3,
                Format::Pem
                | Format::PemDirectory
                | Format::PemPair
                | Format::Der
                | Format::Pkcs7
                | Format::WindowsSst
                | Format::WindowsElement
                | Format::WindowsReg
                | Format::WindowsHive => 0,
            },
            verified: true,
            fresh,
            bytes,
            body_end: 0,
            files: Vec::new(),
            entries: Vec::new(),
            places: Vec::new(),
            remarks: Vec::new(),
            pfx: None,
            protection: None,
            labels: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn push(
        &mut self,
        alias: Option<String>,
        created_ms: Option<i64>,
        kind: EntryKind,
        place: Place,
    ) -> EntryId {
        let id = EntryId(self.entries.len());
        self.entries.push(Entry { id, alias, created_ms, kind });
        self.places.push(place);
        id
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The format's version (JKS and JCEKS: 1 or 2; PKCS#12: 3; 0 where there is none). A write keeps it.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether the content was checked against a digest, or needs no such check.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.verified
    }

    /// All entries, in the file's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at this position.
    #[must_use]
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(id.0)
    }

    /// What is odd about it.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The file's bytes; empty for a folder and for a store just created.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The files of a folder, in the order of their names; empty for one file.
    #[must_use]
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// An entry's own bytes exactly as they stand in the file: what an edit that does not name it must leave as it is.
    /// The entries of a PKCS#7 bundle under PEM lines share their block.
    #[must_use]
    pub fn raw(&self, id: EntryId) -> Option<&[u8]> {
        let place = self.places.get(id.0)?;
        if let Some(pfx) = &self.pfx {
            return pfx.raw(&self.bytes, place);
        }
        let bytes = match self.format {
            Format::PemDirectory | Format::PemPair => &self.files.get(place.file)?.1,
            Format::Jks
            | Format::Jceks
            | Format::Pkcs12
            | Format::Pem
            | Format::Der
            | Format::Pkcs7
            | Format::WindowsSst
            | Format::WindowsElement
            | Format::WindowsReg
            | Format::WindowsHive => &self.bytes,
        };
        let raw = bytes.get(place.whole.clone())?;
        // The line break after the last block belongs to nobody: where it is missing, the block that follows brings it.
        let text = matches!(self.format, Format::Pem | Format::PemDirectory | Format::PemPair) && pem::is_text(bytes);
        Some(if text { raw.trim_ascii_end() } else { raw })
    }

    /// An entry's friendly name (Windows, property 11), for people only: it identifies nothing.
    #[must_use]
    pub fn label(&self, id: EntryId) -> Option<&str> {
        self.labels.get(&id).map(String::as_str)
    }

    /// The registry key of the Windows store that an entry is in (`HKEY_LOCAL_MACHINE\…\Root`), where the file says it.
    /// In a hive it is relative to the hive's root.
    #[must_use]
    pub fn registry_key(&self, id: EntryId) -> Option<&str> {
        self.keys.get(&id).map(String::as_str)
    }

    /// Whether the alias of an entry stands in the file. A JVM numbers the nameless entries of a PKCS#12 file, so a write around
    /// such an entry may have to write its number out.
    #[must_use]
    pub fn is_named(&self, id: EntryId) -> bool {
        match (&self.pfx, self.places.get(id.0)) {
            (Some(pfx), Some(place)) => pfx.is_named(place),
            _ => self.entry(id).is_some_and(|entry| entry.alias.is_some()),
        }
    }

    /// Whether an entry takes up its alias. What no JVM sees of a PKCS#12 file takes none.
    pub(crate) fn takes_alias(&self, entry: &Entry) -> bool {
        self.format != Format::Pkcs12 || !matches!(entry.kind, EntryKind::Untrusted(_) | EntryKind::Opaque(_))
    }

    /// All entries of this alias as the format compares aliases; none where it has no aliases.
    #[must_use]
    pub fn find(&self, alias: &str) -> Vec<EntryId> {
        match self.format.alias_model() {
            AliasModel::None => Vec::new(),
            AliasModel::Folded | AliasModel::FileName => {
                let wanted = fold_alias(alias);
                let same = |entry: &&Entry| entry.alias.as_deref().is_some_and(|alias| fold_alias(alias) == wanted);
                self.entries.iter().filter(|entry| self.takes_alias(entry)).filter(same).map(|entry| entry.id).collect()
            }
        }
    }

    /// Opens a private key. That of a pair stands in the clear, and the password is not used.
    ///
    /// # Errors
    /// [`KeyError`]: the wrong password, a damaged or unsupported protection, a key that the JDK cannot recover from a store of
    /// Java's formats, or no private key there.
    pub fn open_key(&self, entry: EntryId, password: &Password) -> Result<OpenedKey, KeyError> {
        let chain = self.entry(entry).map(Entry::certificates).unwrap_or_default();
        let plain: Zeroizing<Vec<u8>> = match (&self.pfx, self.places.get(entry.0)) {
            (Some(pfx), Some(place)) => pkcs12::open_key(pfx, &self.bytes, place, password)?,
            _ if self.format == Format::PemPair => match self.entry(entry).map(|entry| &entry.kind) {
                Some(EntryKind::PrivateKey { .. }) => pem::pair::plain_key(self)?,
                _ => return Err(KeyError::NotAKey),
            },
            _ => {
                let sealed = self.sealed_key(entry).ok_or(KeyError::NotAKey)?;
                jks::protect::open(self.format, &sealed.bytes, password)?
            }
        };
        if let Some(why) = self.format.is_java().then(|| unrecoverable(&plain)).flatten() {
            return Err(KeyError::Unrecoverable(why.to_owned()));
        }
        crate::key::opened(plain, chain.first().and_then(CertificateSlot::certificate).map(|leaf| &**leaf))
    }

    /// The protected key as it is, to be carried into a store of the same format and password without opening it; `None` for a
    /// key that stands in the clear.
    #[must_use]
    pub fn sealed_key(&self, entry: EntryId) -> Option<SealedKey> {
        let place = self.places.get(entry.0)?;
        if let Some(pfx) = &self.pfx {
            return Some(SealedKey { format: self.format, bytes: pfx.sealed_key(&self.bytes, place)?.to_vec() });
        }
        let range = place.key.clone()?;
        Some(SealedKey { format: self.format, bytes: self.bytes.get(range)?.to_vec() })
    }

    /// Makes the store's next content. The store itself does not change. All edits happen at once, so that names may be
    /// swapped; entries not named stay as they are, bit for bit.
    ///
    /// # Errors
    /// [`EditError`]; nothing is produced then.
    pub fn edit(
        &self,
        edits: &Edits,
        password: Option<&Password>,
        rng: &mut dyn rand_core::CryptoRng,
    ) -> Result<Image, EditError> {
        crate::edit::check_positions(self, edits)?;
        match self.format {
            Format::Jks | Format::Jceks => jks::write::edit(self, edits, password, rng).map(Image::File),
            Format::Pkcs12 => pkcs12::edit(self, edits, password, rng).map(Image::File),
            Format::Pem => pem::edit(self, edits).map(Image::File),
            Format::PemDirectory => pem::directory::edit(self, edits).map(Image::Directory),
            Format::PemPair => pem::pair::edit(self, edits).map(Image::Directory),
            Format::Der => single::edit(self, edits).map(Image::File),
            Format::Pkcs7 => pkcs7::edit(self, edits).map(Image::File),
            Format::WindowsSst | Format::WindowsElement | Format::WindowsReg | Format::WindowsHive => {
                windows::edit(self, edits).map(Image::File)
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("format", &self.format)
            .field("version", &self.version)
            .field("verified", &self.verified)
            .field("entries", &self.entries)
            .field("remarks", &self.remarks)
            .finish_non_exhaustive()
    }
}
