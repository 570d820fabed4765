//! The definition of one store: its format and place, who writes it, and whose entries it holds. The types cannot express
//! an impossible store, such as a keystore without a path. Nothing here opens a store.

use super::{DeclaredFormat, HostPath, PathVariable, SecretRef};
use crate::name::{ServiceId, StoreId};
use crate::windows::SystemPlace;

/// The definition of a store.
#[derive(Clone, Debug)]
pub struct StoreDef {
    /// The id of the store.
    pub id: StoreId,
    /// The kind of the store, and the way changes get into it.
    pub reach: Reach,
    /// The host's variables in the store's path.
    pub variables: Vec<PathVariable>,
    /// The owner of the trusted entries that the spec does not declare.
    pub ownership: Ownership,
    /// Files that a program reads instead of this store if they exist (JSSE's `jssecacerts`).
    pub shadows: Vec<HostPath>,
    /// Services that read the store when they start.
    pub restart: Vec<ServiceId>,
    /// Steps for a person who imports a pack, one per line. `{fqdn}` and other variables are filled in.
    pub steps: Vec<String>,
    /// Steps for a person who removes certificates, one per line. If empty, `steps` describes both.
    pub removal_steps: Vec<String>,
}

/// How a store is reached. The way also decides which kind the store can be.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Trustmason opens the store's own files and writes them.
    Direct(FileStore),
    /// Certificate stores of the host's own Windows system, opened directly.
    System {
        /// The system's certificate stores that this store consists of.
        place: SystemPlace,
        /// Whether a person changes the stores with a pack (`write: hand-off`). Trustmason then only lists their
        /// certificates.
        by_hand: bool,
    },
    /// A person changes the store with a pack. Trustmason only reads an export of the store.
    Mirror(Mirror),
}

/// The files of a store that trustmason writes.
#[derive(Clone, Debug)]
pub struct FileStore {
    /// The kind and the path of the files.
    pub kind: StoreKind,
    /// Whether trustmason may create the store if its folder exists.
    pub create: bool,
}

/// The kind of a store that consists of files.
#[derive(Clone, Debug)]
pub enum StoreKind {
    /// A Java keystore or a PKCS#12 file.
    Keystore(Keystore),
    /// A PEM file.
    PemFile(HostPath),
    /// A folder of PEM files.
    PemFolder(HostPath),
    /// A certificate and its key in two PEM files.
    PemPair(PemPair),
}

/// A keystore file.
#[derive(Clone, Debug)]
pub struct Keystore {
    /// The file.
    pub path: HostPath,
    /// The format the profile declares.
    pub format: KeystoreFormat,
    /// Where the password comes from. `None` if the profile names no password.
    pub password: Option<SecretRef>,
    /// Which protection of a PKCS#12 file the service's Java can open. A store declared JKS has a scheme too: Java
    /// opens either format under either name, so the file may be PKCS#12.
    pub scheme: Pkcs12Scheme,
}

/// The format that a profile declares for a keystore. The real format is detected from the file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeystoreFormat {
    /// Java keystore.
    Jks,
    /// Java Cryptography Extension keystore.
    Jceks,
    /// PKCS#12 (RFC 7292).
    Pkcs12,
}

/// The protection of a new PKCS#12 file. An existing file keeps its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pkcs12Scheme {
    /// Triple DES and SHA-1. Every JRE reads it, including those before 8u301.
    #[default]
    Java8,
    /// AES-256 and SHA-256, as JDK 17 writes.
    Modern,
}

/// A certificate and its key in two PEM files, with further files that belong to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemPair {
    /// The certificate file.
    pub certificate: HostPath,
    /// The private key file.
    pub key: HostPath,
    /// The file that keeps the very first certificate. If it exists, it is never overwritten.
    pub previous: Option<HostPath>,
    /// Copies of the pair, written only if their folder exists.
    pub copies: Vec<PairCopy>,
}

/// A copy of a pair: of its certificate alone, or of the certificate and the key, which are then always written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairCopy {
    /// The file that also holds the certificate.
    pub certificate: HostPath,
    /// The file that also holds the key.
    pub key: Option<HostPath>,
}

impl PemPair {
    /// Every file of the pair.
    pub fn paths(&self) -> impl Iterator<Item = &HostPath> {
        let copies = self.copies.iter().flat_map(|copy| std::iter::once(&copy.certificate).chain(&copy.key));
        [&self.certificate, &self.key].into_iter().chain(&self.previous).chain(copies)
    }
}

/// The part of a store that trustmason sees if only people write the store.
#[derive(Clone, Debug)]
pub enum Mirror {
    /// An export of the store, in any readable format.
    Export {
        /// Where the export is expected: one file, or a folder of files.
        path: HostPath,
        /// Where the password of a protected export comes from.
        password: Option<SecretRef>,
        /// The kind of the store itself.
        of: Exported,
    },
    /// A pair of PEM files. No export of it exists.
    Pair(PemPair),
}

/// The kind of a store whose export is read.
#[derive(Clone, Debug)]
pub enum Exported {
    /// A Java keystore or a PKCS#12 file.
    Keystore {
        /// The format the profile declares.
        format: KeystoreFormat,
        /// As in [`Keystore::scheme`].
        scheme: Pkcs12Scheme,
    },
    /// A PEM file.
    PemFile,
    /// A folder of PEM files.
    PemFolder,
    /// Certificate stores of a Windows system.
    System(SystemPlace),
}

/// The owner of the trusted entries that the spec does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The vendor owns some of the entries (`vendor_entries: true`). The undeclared entries stay.
    Vendor,
    /// Anybody may own some (`ownership: shared`). The undeclared entries are reported and stay.
    Shared,
    /// Nobody may own any (`ownership: exclusive`). Every undeclared trusted entry is deleted.
    Exclusive,
}

impl StoreDef {
    /// Whether a person writes the store with a pack.
    pub fn is_hand_off(&self) -> bool {
        match &self.reach {
            Reach::Direct(_) => false,
            Reach::System { by_hand, .. } => *by_hand,
            Reach::Mirror(_) => true,
        }
    }

    /// Whether trustmason may create the store if its folder exists.
    pub fn may_be_made(&self) -> bool {
        match &self.reach {
            Reach::Direct(files) => files.create,
            Reach::System { .. } | Reach::Mirror(_) => false,
        }
    }

    /// The declared format, as a spec writes it.
    pub fn format(&self) -> DeclaredFormat {
        match &self.reach {
            Reach::Direct(files) => files.kind.format(),
            Reach::System { .. } | Reach::Mirror(Mirror::Export { of: Exported::System(_), .. }) => {
                DeclaredFormat::Windows
            }
            Reach::Mirror(Mirror::Pair(_)) => DeclaredFormat::PemPair,
            Reach::Mirror(Mirror::Export { of: Exported::Keystore { format, .. }, .. }) => format.declared(),
            Reach::Mirror(Mirror::Export { of: Exported::PemFile, .. }) => DeclaredFormat::Pem,
            Reach::Mirror(Mirror::Export { of: Exported::PemFolder, .. }) => DeclaredFormat::PemDir,
        }
    }

    /// Where the password of the store or of its export comes from.
    pub fn password(&self) -> Option<&SecretRef> {
        match &self.reach {
            Reach::Direct(files) => files.kind.password(),
            Reach::Mirror(Mirror::Export { password, .. }) => password.as_ref(),
            Reach::System { .. } | Reach::Mirror(Mirror::Pair(_)) => None,
        }
    }

    /// The system stores that this store consists of, whether they are opened directly or exported.
    pub fn system(&self) -> Option<&SystemPlace> {
        match &self.reach {
            Reach::System { place, .. } | Reach::Mirror(Mirror::Export { of: Exported::System(place), .. }) => {
                Some(place)
            }
            Reach::Direct(_) | Reach::Mirror(_) => None,
        }
    }

    /// The one file or folder that trustmason reads.
    pub fn path(&self) -> Option<&HostPath> {
        match &self.reach {
            Reach::Direct(files) => files.kind.path(),
            Reach::Mirror(Mirror::Export { path, .. }) => Some(path),
            Reach::System { .. } | Reach::Mirror(Mirror::Pair(_)) => None,
        }
    }

    /// The folder of PEM files that is the store, or the export of such a folder.
    pub fn folder(&self) -> Option<&HostPath> {
        match &self.reach {
            Reach::Direct(FileStore { kind: StoreKind::PemFolder(path), .. })
            | Reach::Mirror(Mirror::Export { of: Exported::PemFolder, path, .. }) => Some(path),
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => None,
        }
    }

    /// The pair of files that is the store.
    pub fn pair(&self) -> Option<&PemPair> {
        match &self.reach {
            Reach::Direct(FileStore { kind: StoreKind::PemPair(pair), .. }) | Reach::Mirror(Mirror::Pair(pair)) => {
                Some(pair)
            }
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => None,
        }
    }

    /// The PKCS#12 protection that the store's Java can open. For a store that is no keystore, the oldest one.
    pub fn scheme(&self) -> Pkcs12Scheme {
        match &self.reach {
            Reach::Direct(FileStore { kind: StoreKind::Keystore(Keystore { scheme, .. }), .. })
            | Reach::Mirror(Mirror::Export { of: Exported::Keystore { scheme, .. }, .. }) => *scheme,
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => Pkcs12Scheme::default(),
        }
    }
}

impl StoreKind {
    /// The declared format, as a spec writes it.
    pub fn format(&self) -> DeclaredFormat {
        match self {
            Self::Keystore(keystore) => keystore.format.declared(),
            Self::PemFile(_) => DeclaredFormat::Pem,
            Self::PemFolder(_) => DeclaredFormat::PemDir,
            Self::PemPair(_) => DeclaredFormat::PemPair,
        }
    }

    /// Where the password comes from.
    pub fn password(&self) -> Option<&SecretRef> {
        match self {
            Self::Keystore(keystore) => keystore.password.as_ref(),
            Self::PemFile(_) | Self::PemFolder(_) | Self::PemPair(_) => None,
        }
    }

    /// The one file or folder of the store.
    pub fn path(&self) -> Option<&HostPath> {
        match self {
            Self::Keystore(Keystore { path, .. }) | Self::PemFile(path) | Self::PemFolder(path) => Some(path),
            Self::PemPair(_) => None,
        }
    }
}

impl KeystoreFormat {
    /// The declared format of a store with this keystore format.
    pub fn declared(self) -> DeclaredFormat {
        match self {
            Self::Jks => DeclaredFormat::Jks,
            Self::Jceks => DeclaredFormat::Jceks,
            Self::Pkcs12 => DeclaredFormat::Pkcs12,
        }
    }
}
