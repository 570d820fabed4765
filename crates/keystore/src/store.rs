//! A store, whatever its format. This is the only module that knows all formats: [`origin`] names each of them once,
//! and every other function goes through [`StoreContent`], which the type of each format implements. The module takes and
//! gives bytes; it never opens a file.
//!
//! A further format that is only read needs a folder (a reader, and a type that implements [`StoreContent`]), a variant of
//! [`Format`](crate::format), a rule in `detect`, and one line in [`origin`].

use std::any::Any;

use crate::alias::Alias;
use crate::certificate::unrecoverable;
use crate::content::{ContentInput, StoreContent};
use crate::detect::{Detected, damage, detect};
use crate::digest::Digest;
use crate::edit::{Edits, Image, check_positions};
use crate::entry::{Credential, Entry, EntryId};
use crate::error::{EditError, ErrorClass, KeyError, ReadError};
use crate::format::{AliasModel, Format};
use crate::intern::{CertificateSlot, Interner};
use crate::jks::{self, JavaStore};
use crate::key::{KeyMatch, OpenedKey, SealedKey};
use crate::pem::bundle::{self, BundleFile};
use crate::pem::directory::{self, Folder};
use crate::pem::pair::{self, Pair};
use crate::pem::{self, Pem};
use crate::pkcs12::{self, Pkcs12, Protection};
use crate::remark::Remark;
use crate::single::{self, DerFile};
use crate::tried::KeyTrial;
use crate::windows::{self, WindowsStore};

/// An opened store, or a new one without entries. The value itself never changes: [`Store::edit`] gives the bytes of
/// the next content.
///
/// ```
/// use trustmason_keystore::{Alias, Credential, EntryKind, Interner, KeyMatch, Password, Store};
/// # const JKS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore/jks/mixed/store"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
///
/// let password = Password::new("changeit");
/// let store = Store::open(JKS.to_vec(), Credential::Password(&password), &Interner::new())?;
/// let aliases: Vec<&str> = store.entries().iter().filter_map(|entry| entry.alias.as_deref()).collect();
/// assert_eq!(aliases, ["root", "rsa", "server"]);
///
/// // An alias may name several entries, so a search gives positions.
/// let rsa = store.find(&Alias::of("RSA"))[0];
/// assert!(matches!(store.entries()[rsa.position()].kind, EntryKind::PrivateKey { .. }));
///
/// // A key may have a password of its own; this one has the store's.
/// let key = store.open_key(rsa, &password)?;
/// assert_eq!(key.matches_certificate, KeyMatch::Yes);
/// # Ok(())
/// # }
/// ```
pub struct Store {
    content: Box<dyn StoreContent>,
}

type Open = fn(ContentInput<'_>) -> Result<Box<dyn StoreContent>, ReadError>;
type Empty = fn() -> Box<dyn StoreContent>;

/// How a store of a format is made.
struct Origin {
    /// Opens a store from a file.
    open: Open,
    /// Makes a store without entries and without a file.
    empty: Empty,
}

fn boxed<C: StoreContent>(content: C) -> Box<dyn StoreContent> {
    Box::new(content)
}

/// Refuses one file for a format of several files: [`Store::open_directory`] and [`Store::open_pair`] open such a
/// store.
fn several_files(_: ContentInput<'_>) -> Result<Box<dyn StoreContent>, ReadError> {
    Err(ReadError::new(ErrorClass::NotAStore, "a folder was given as a file", "open it as a folder"))
}

/// Gives the functions of a format. Every format has one line here.
fn origin(format: Format) -> Origin {
    use jks::JavaFormat::{Jceks, Jks};
    use windows::WindowsFileKind::{Element, Hive, Reg, Sst};

    let (open, empty): (Open, Empty) = match format {
        Format::Jks => (|file| jks::open(Jks, file).map(boxed), || boxed(JavaStore::empty(Jks))),
        Format::Jceks => (|file| jks::open(Jceks, file).map(boxed), || boxed(JavaStore::empty(Jceks))),
        Format::Pkcs12 => (|file| pkcs12::open(file).map(boxed), || boxed(Pkcs12::Empty(Protection::java8()))),
        Format::Pem => (|file| pem::open(file).map(boxed), || boxed(Pem::default())),
        Format::PemDirectory => (several_files, || boxed(Folder::default())),
        Format::PemPair => (several_files, || boxed(Pair::default())),
        Format::Der => (|file| single::open(file).map(boxed), || boxed(DerFile::default())),
        Format::Pkcs7 => (|file| bundle::open(file).map(boxed), || boxed(BundleFile::default())),
        Format::WindowsSst => (|file| windows::open(Sst, file).map(boxed), || boxed(WindowsStore::empty(Sst))),
        Format::WindowsElement => {
            (|file| windows::open(Element, file).map(boxed), || boxed(WindowsStore::empty(Element)))
        }
        Format::WindowsReg => (|file| windows::open(Reg, file).map(boxed), || boxed(WindowsStore::empty(Reg))),
        Format::WindowsHive => (|file| windows::open(Hive, file).map(boxed), || boxed(WindowsStore::empty(Hive))),
    };
    Origin { open, empty }
}

impl Store {
    /// Opens a store from the content of a file. The content decides the format; the name of the file plays no part.
    ///
    /// # Errors
    /// [`ReadError`]: its class tells apart a wrong password, damage, an unsupported format and a content that is no
    /// store.
    pub fn open(bytes: Vec<u8>, credential: Credential<'_>, certificates: &Interner) -> Result<Self, ReadError> {
        let format = detect(&bytes).readable()?;
        if matches!(credential, Credential::NotNeeded) && is_protected(format, &bytes) {
            let cause = "it needs a password, but none was given";
            let error = ReadError::new(ErrorClass::WrongPassword, cause, "give the store's own password");
            return Err(error.format(format.as_str()));
        }
        let binary = matches!(format, Format::Jks | Format::Jceks | Format::Pkcs12 | Format::Der | Format::WindowsSst);
        let text_mode = damage::crlf_only(&bytes).filter(|_| binary);
        let opened = (origin(format).open)(ContentInput { bytes, credential, certificates });
        opened.map(|content| Self { content }).map_err(|error| match (error.class, text_mode) {
            (ErrorClass::Corrupt | ErrorClass::WrongPassword, Some(first)) => ReadError::new(
                ErrorClass::Corrupt,
                "there is a carriage return before each of its line feeds, as after a transfer in text mode",
                "copy the original again as a binary file",
            )
            .format(format.as_str())
            .offset(first),
            _ => error,
        })
    }

    /// Opens a folder of certificate files from their names and contents, in any order. A file that holds no
    /// certificate becomes an [`EntryKind::Opaque`](crate::EntryKind::Opaque) entry and is kept.
    ///
    /// # Errors
    /// None today, because a folder may hold anything. The result type leaves room for a limit.
    pub fn open_directory(files: Vec<(String, Vec<u8>)>, certificates: &Interner) -> Result<Self, ReadError> {
        Ok(Self { content: boxed(directory::open(files, certificates)) })
    }

    /// Opens a certificate and its private key from two PEM files. Either file may be missing; the entry says what is
    /// there. In [`Store::files`] and in the image of an edit the two files are called `certificate` and `key`.
    ///
    /// # Errors
    /// [`ReadError`] if the certificate file holds no certificate in PEM, or a damaged one. Only [`Store::open_key`]
    /// reads the key.
    pub fn open_pair(
        certificate: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        certificates: &Interner,
    ) -> Result<Self, ReadError> {
        Ok(Self { content: boxed(pair::open(certificate, key, certificates)?) })
    }

    /// Makes a store without entries; [`Store::edit`] adds them. A PKCS#12 file gets
    /// [`Protection::java8`](crate::Protection::java8), which every JRE reads.
    #[must_use]
    pub fn create(format: Format) -> Self {
        Self { content: (origin(format).empty)() }
    }

    /// Makes a PKCS#12 file without entries, with this protection.
    #[must_use]
    pub fn create_pkcs12(protection: Protection) -> Self {
        Self { content: boxed(Pkcs12::Empty(protection)) }
    }

    /// The content of the store, if it has this type.
    pub(crate) fn content<C: StoreContent>(&self) -> Option<&C> {
        let content: &dyn Any = &*self.content;
        content.downcast_ref()
    }

    /// The protection of a PKCS#12 file, as it is or as an edit will write it, so that another file can be made with
    /// the same one. `None` for other formats.
    #[must_use]
    pub fn protection(&self) -> Option<Protection> {
        self.content().map(Pkcs12::protection)
    }

    /// The protection of the whole file, in words, where the format offers a choice (PKCS#12).
    #[must_use]
    pub fn protected_by(&self) -> Option<String> {
        self.content().and_then(Pkcs12::summary)
    }

    /// Why Java releases before 8u301 cannot open the store: a PKCS#12 file with AES or a MAC of SHA-2, which
    /// `com.sun.crypto.provider` knows only since that release. `None` if they open it, and for a format without a
    /// choice.
    #[must_use]
    pub fn needs_java_8u301(&self) -> Option<String> {
        self.content().and_then(Pkcs12::needs_java_8u301)
    }

    /// Whether a file with this content needs a password to be opened. A JKS always does, because of its digest; a
    /// PKCS#12 file usually does, because of its MAC.
    #[must_use]
    pub fn needs_password(bytes: &[u8]) -> bool {
        match detect(bytes) {
            Detected::Readable(format) => is_protected(format, bytes),
            Detected::Refused { .. } => false,
        }
    }

    /// The format of the store.
    #[must_use]
    pub fn format(&self) -> Format {
        self.content.format()
    }

    /// The version of the format: 1 or 2 for JKS and JCEKS, 3 for PKCS#12, 0 for a format without versions. An edit
    /// keeps it.
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

    /// The remarks: what is odd about the store.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        self.content.listed().remarks()
    }

    /// The bytes of the file. They are empty for a folder and for a store that was just created.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.content.bytes()
    }

    /// The files of a folder or of a pair, in the order of their names. There are none for a store of one file.
    #[must_use]
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        self.content.files()
    }

    /// The entry's own bytes, exactly as the file holds them. An edit that does not name the entry must keep these
    /// bytes. The entries of a PKCS#7 bundle under PEM lines share their block.
    #[must_use]
    pub fn raw(&self, id: EntryId) -> Option<&[u8]> {
        self.content.raw(id)
    }

    /// The friendly name of an entry (Windows, property 11). It is for people only and identifies nothing.
    #[must_use]
    pub fn label(&self, id: EntryId) -> Option<&str> {
        self.content::<WindowsStore>()?.label(id)
    }

    /// The registry key of the Windows store that holds the entry (`HKEY_LOCAL_MACHINE\…\Root`), where the file
    /// contains it. In a hive the key is relative to the root of the hive.
    #[must_use]
    pub fn registry_key(&self, id: EntryId) -> Option<&str> {
        self.content::<WindowsStore>()?.store_key(id)
    }

    /// The digest of the content of a serialised Windows store: its certificates, and for each the friendly name, the
    /// limits of trust, and whether there is a private key for it. Neither the order nor the properties that Windows
    /// computes change the digest. `None` for another format.
    #[must_use]
    pub fn listing_digest(&self) -> Option<Digest> {
        self.content::<WindowsStore>()?.listing_digest()
    }

    /// Whether the file holds the alias of the entry. A JVM numbers the nameless entries of a PKCS#12 file, so an edit
    /// may have to write the number of such an entry into the file.
    #[must_use]
    pub fn is_named(&self, id: EntryId) -> bool {
        self.content.is_named(id)
    }

    /// All entries with this alias, compared as the format compares aliases. There are none where the format has no
    /// aliases.
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

    /// Opens a private key. The key of a PEM pair is in the clear and needs no password.
    ///
    /// # Errors
    /// [`KeyError`]: the password is wrong, the protection is damaged or not supported, the JDK cannot recover the key
    /// from a store of a Java format, or the entry holds no private key.
    pub fn open_key<'a>(&self, entry: EntryId, credential: impl Into<Credential<'a>>) -> Result<OpenedKey, KeyError> {
        let plain = self.content.plain_key(entry, credential.into())?;
        if let Some(why) = self.format().is_java().then(|| unrecoverable(&plain)).flatten() {
            return Err(KeyError::Unrecoverable(why.to_owned()));
        }
        let chain = self.entry(entry).map(Entry::certificates).unwrap_or_default();
        crate::key::opened(plain, chain.first().and_then(CertificateSlot::certificate).map(|leaf| &**leaf))
    }

    /// Whether the credential opens a private key, and whether the key belongs to its certificate, as
    /// [`Store::open_key`] finds out. A run derives a protected key only once for all stores that hold it with the same
    /// certificate. That saves time, because a JDK protects a key of a JCEKS store by 400,000 digests.
    ///
    /// # Errors
    /// The same as [`Store::open_key`].
    pub fn try_key<'a>(
        &self,
        entry: EntryId,
        credential: impl Into<Credential<'a>>,
        known: &Interner,
    ) -> Result<KeyMatch, KeyError> {
        let credential = credential.into();
        let open = || self.open_key(entry, credential).map(|key| key.matches_certificate);
        // Asking again about a key in the clear, or about an entry without a key, costs nothing.
        let (Some(password), Some(sealed)) = (credential.password(), self.content.sealed_key(entry)) else {
            return open();
        };
        let chain = self.entry(entry).map(Entry::certificates).unwrap_or_default();
        let leaf = chain.first().map(CertificateSlot::der).unwrap_or_default();
        known.tried().once(KeyTrial::of(self.format(), sealed, leaf, password), open)
    }

    /// The protected key as the file holds it. It can be copied, without being opened, into a store of the same format
    /// and password. `None` for a key in the clear.
    #[must_use]
    pub fn sealed_key(&self, entry: EntryId) -> Option<SealedKey> {
        let bytes = self.content.sealed_key(entry)?.to_vec();
        Some(SealedKey { format: self.format(), bytes })
    }

    /// Makes the next content of the store; the store itself does not change. All edits happen at the same time, so
    /// that two entries may swap their aliases. An entry that the edits do not name stays as it is, bit for bit.
    ///
    /// # Errors
    /// [`EditError`]: the edit was refused, and nothing is produced.
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

/// Whether a content of this format needs a password to be opened.
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
