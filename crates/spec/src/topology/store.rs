//! One store: what it is, where it is, who writes it, and whose entries it holds. What cannot be has no words here.

use super::{DeclaredFormat, HostPath, PathVariable, SecretRef};
use crate::name::{ServiceId, StoreId};
use crate::windows::SystemPlace;

/// One store.
#[derive(Clone, Debug)]
pub struct StoreDef {
    /// Its id.
    pub id: StoreId,
    /// What it is, and how changes get in.
    pub reach: Reach,
    /// The variables that its path is made with.
    pub variables: Vec<PathVariable>,
    /// Whose trusted entries it holds beside those that the spec wants.
    pub ownership: Ownership,
    /// Files that, if they exist, are used instead of this store (JSSE's `jssecacerts`).
    pub shadows: Vec<HostPath>,
    /// Services that read it at start.
    pub restart: Vec<ServiceId>,
    /// What a person does to bring a pack in, one step a line; `{fqdn}` and the like already filled in.
    pub steps: Vec<String>,
    /// What a person does to take certificates out, one step a line. Where it is empty, `steps` says both.
    pub removal_steps: Vec<String>,
}

/// How a store is reached, which decides what it can be.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Its files are opened where they are, and trustmason writes them.
    Direct(Files),
    /// It is certificate stores of the host's own system, opened where they are.
    System {
        /// The system's certificate stores that make up this store.
        place: SystemPlace,
        /// Whether a person changes them with a pack (`write: hand-off`), and trustmason only lists them.
        by_hand: bool,
    },
    /// A person writes it with a pack; what that person exports of it is only read.
    Mirror(Mirror),
}

/// The files of a store that trustmason writes.
#[derive(Clone, Debug)]
pub struct Files {
    /// The format of the store and what trustmason does with it.
    pub kind: StoreKind,
    /// Whether the store may be created where its folder exists.
    pub create: bool,
}

/// What a store in files is.
#[derive(Clone, Debug)]
pub enum StoreKind {
    /// A Java keystore or a PKCS#12 file.
    Keystore(Keystore),
    /// A PEM file.
    PemFile(HostPath),
    /// A folder of PEM files.
    PemFolder(HostPath),
    /// A certificate and its key, two PEM files.
    PemPair(PemPair),
}

/// A keystore file.
#[derive(Clone, Debug)]
pub struct Keystore {
    /// The file.
    pub path: HostPath,
    /// The format the profile declares.
    pub format: KeystoreFormat,
    /// Where its password comes from; `None` where the profile names none.
    pub password: Option<SecretRef>,
    /// Which protection of a PKCS#12 file its Java opens. A store that is declared JKS has one as well: Java opens either format
    /// under either name, so that what is there may be PKCS#12.
    pub scheme: Pkcs12Scheme,
}

/// The format a profile says a keystore has. What is really there is detected by magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeystoreFormat {
    /// Java keystore.
    Jks,
    /// Java Cryptography Extension keystore.
    Jceks,
    /// PKCS#12 (RFC 7292).
    Pkcs12,
}

/// How a PKCS#12 file that is made new is protected. One that is there keeps what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pkcs12Scheme {
    /// Triple DES and SHA-1: every JRE reads it, also those before 8u301.
    #[default]
    Java8,
    /// AES-256 and SHA-256, as JDK 17 writes it.
    Modern,
}

/// A certificate and its key in two PEM files, with what goes along with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemPair {
    /// The certificate file.
    pub certificate: HostPath,
    /// The private key file.
    pub key: HostPath,
    /// Where the very first certificate is kept; a file that is there is never written over.
    pub previous: Option<HostPath>,
    /// Files that hold the certificate as well, where their folder exists.
    pub copies: Vec<HostPath>,
}

impl PemPair {
    /// Every file of it.
    pub fn paths(&self) -> impl Iterator<Item = &HostPath> {
        [&self.certificate, &self.key].into_iter().chain(&self.previous).chain(&self.copies)
    }
}

/// What is seen of a store that only people write.
#[derive(Clone, Debug)]
pub enum Mirror {
    /// What was exported, in whatever format it was.
    Export {
        /// Where an export is expected: one file, or a folder of files.
        path: HostPath,
        /// Where the password of an export that has one comes from.
        password: Option<SecretRef>,
        /// What the store itself is.
        of: Exported,
    },
    /// A pair: nothing is exported of it.
    Pair(PemPair),
}

/// What a store is whose export is read.
#[derive(Clone, Debug)]
pub enum Exported {
    /// A Java keystore or a PKCS#12 file.
    Keystore {
        /// The format the profile declares.
        format: KeystoreFormat,
        /// As for [`Keystore::scheme`].
        scheme: Pkcs12Scheme,
    },
    /// A PEM file.
    PemFile,
    /// A folder of PEM files.
    PemFolder,
    /// Certificate stores of a Windows system.
    System(SystemPlace),
}

/// Whose trusted entries a store holds beside those that the spec wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The vendor's too (`vendor_entries: true`), which stay.
    Vendor,
    /// Anybody's (`ownership: shared`); they are told and stay.
    Shared,
    /// Nobody's (`ownership: exclusive`): every trusted entry that nobody declared leaves.
    Exclusive,
}

impl StoreDef {
    /// Whether a person writes it, with a pack.
    pub fn is_hand_off(&self) -> bool {
        match &self.reach {
            Reach::Direct(_) => false,
            Reach::System { by_hand, .. } => *by_hand,
            Reach::Mirror(_) => true,
        }
    }

    /// Whether it may be made where its folder exists.
    pub fn may_be_made(&self) -> bool {
        match &self.reach {
            Reach::Direct(files) => files.create,
            Reach::System { .. } | Reach::Mirror(_) => false,
        }
    }

    /// The format that the profile declares, in the words of a spec.
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

    /// Where its password, or that of its export, comes from.
    pub fn password(&self) -> Option<&SecretRef> {
        match &self.reach {
            Reach::Direct(files) => files.kind.password(),
            Reach::Mirror(Mirror::Export { password, .. }) => password.as_ref(),
            Reach::System { .. } | Reach::Mirror(Mirror::Pair(_)) => None,
        }
    }

    /// The system stores that it is, whether they are opened where they are or exported.
    pub fn system(&self) -> Option<&SystemPlace> {
        match &self.reach {
            Reach::System { place, .. } | Reach::Mirror(Mirror::Export { of: Exported::System(place), .. }) => {
                Some(place)
            }
            Reach::Direct(_) | Reach::Mirror(_) => None,
        }
    }

    /// The one file or folder that is looked at.
    pub fn path(&self) -> Option<&HostPath> {
        match &self.reach {
            Reach::Direct(files) => files.kind.path(),
            Reach::Mirror(Mirror::Export { path, .. }) => Some(path),
            Reach::System { .. } | Reach::Mirror(Mirror::Pair(_)) => None,
        }
    }

    /// The folder of PEM files that it is, or that is exported of it.
    pub fn folder(&self) -> Option<&HostPath> {
        match &self.reach {
            Reach::Direct(Files { kind: StoreKind::PemFolder(path), .. })
            | Reach::Mirror(Mirror::Export { of: Exported::PemFolder, path, .. }) => Some(path),
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => None,
        }
    }

    /// The pair of files that it is.
    pub fn pair(&self) -> Option<&PemPair> {
        match &self.reach {
            Reach::Direct(Files { kind: StoreKind::PemPair(pair), .. }) | Reach::Mirror(Mirror::Pair(pair)) => {
                Some(pair)
            }
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => None,
        }
    }

    /// What a Java that reads it opens; what is no keystore is read by the oldest.
    pub fn scheme(&self) -> Pkcs12Scheme {
        match &self.reach {
            Reach::Direct(Files { kind: StoreKind::Keystore(Keystore { scheme, .. }), .. })
            | Reach::Mirror(Mirror::Export { of: Exported::Keystore { scheme, .. }, .. }) => *scheme,
            Reach::Direct(_) | Reach::System { .. } | Reach::Mirror(_) => Pkcs12Scheme::default(),
        }
    }
}

impl StoreKind {
    /// The format that the profile declares, in the words of a spec.
    pub fn format(&self) -> DeclaredFormat {
        match self {
            Self::Keystore(keystore) => keystore.format.declared(),
            Self::PemFile(_) => DeclaredFormat::Pem,
            Self::PemFolder(_) => DeclaredFormat::PemDir,
            Self::PemPair(_) => DeclaredFormat::PemPair,
        }
    }

    /// Where its password comes from.
    pub fn password(&self) -> Option<&SecretRef> {
        match self {
            Self::Keystore(keystore) => keystore.password.as_ref(),
            Self::PemFile(_) | Self::PemFolder(_) | Self::PemPair(_) => None,
        }
    }

    /// The one file or folder that it is.
    pub fn path(&self) -> Option<&HostPath> {
        match self {
            Self::Keystore(Keystore { path, .. }) | Self::PemFile(path) | Self::PemFolder(path) => Some(path),
            Self::PemPair(_) => None,
        }
    }
}

impl KeystoreFormat {
    /// In the words of a spec.
    pub fn declared(self) -> DeclaredFormat {
        match self {
            Self::Jks => DeclaredFormat::Jks,
            Self::Jceks => DeclaredFormat::Jceks,
            Self::Pkcs12 => DeclaredFormat::Pkcs12,
        }
    }
}
