//! Where a store is ([`Site`]), and where a part of one is ([`PieceAt`]), in the words of the host. A plan shows such a
//! place. A record keeps it, and outlives the run, the working folder and the machine that wrote it. Nothing here is a
//! path of this machine.

use std::fmt;

use serde::{Deserialize, Serialize};
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::{Exported, HostPath, Keystore, Mirror, PemPair, Reach, StoreDef, StoreKind};
use trustmason_spec::windows::{Location, SystemPlace, SystemStore};

/// A file or folder as its host calls it: `C:\Cisco\CVP\conf\security\.keystore` of `cvp1.acme.example`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileAt {
    /// The host.
    pub host: Fqdn,
    /// The path as the host writes it.
    pub path: String,
}

impl FileAt {
    /// The place of a path in the spec.
    pub fn of(path: &HostPath) -> Self {
        Self { host: path.host.clone(), path: path.shown.clone() }
    }
}

/// Where a store is, whether or not it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// One file.
    File(FileAt),
    /// A folder of files.
    Folder(FileAt),
    /// A certificate and its key, two files.
    Pair {
        /// The file of the certificate.
        certificate: FileAt,
        /// The file of the key.
        key: FileAt,
    },
    /// Certificate stores of a Windows system.
    System {
        /// The host.
        host: Fqdn,
        /// The owner of the stores, and which certificate belongs in which store.
        place: SystemPlace,
    },
}

impl Site {
    /// The place that the spec gives for a store, or for its export.
    pub fn of(def: &StoreDef) -> Self {
        match &def.reach {
            Reach::System { place, .. } => Self::System { host: def.id.host.clone(), place: place.clone() },
            Reach::Direct(files) => match &files.kind {
                StoreKind::Keystore(Keystore { path, .. }) | StoreKind::PemFile(path) => Self::File(FileAt::of(path)),
                StoreKind::PemFolder(path) => Self::Folder(FileAt::of(path)),
                StoreKind::PemPair(pair) => Self::pair(pair),
            },
            Reach::Mirror(Mirror::Pair(pair)) => Self::pair(pair),
            Reach::Mirror(Mirror::Export { path, of, .. }) => match of {
                Exported::PemFolder => Self::Folder(FileAt::of(path)),
                Exported::Keystore { .. } | Exported::PemFile | Exported::System(_) => Self::File(FileAt::of(path)),
            },
        }
    }

    fn pair(pair: &PemPair) -> Self {
        Self::Pair { certificate: FileAt::of(&pair.certificate), key: FileAt::of(&pair.key) }
    }

    /// The host.
    pub fn host(&self) -> &Fqdn {
        match self {
            Self::File(at) | Self::Folder(at) | Self::Pair { certificate: at, .. } => &at.host,
            Self::System { host, .. } => host,
        }
    }

    /// The path as the host writes it: for a pair the certificate's path, for a system store the path that a spec has
    /// for it.
    pub fn path(&self) -> String {
        match self {
            Self::File(at) | Self::Folder(at) | Self::Pair { certificate: at, .. } => at.path.clone(),
            Self::System { place, .. } => place.to_string(),
        }
    }
}

/// `FQDN PATH`, for people.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host(), self.path())
    }
}

/// One part of a store that is written in one step: a file, or one of the system stores of a Windows host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SiteRecord", into = "SiteRecord")]
pub enum PieceAt {
    /// A file.
    File(FileAt),
    /// A system store.
    System {
        /// The host.
        host: Fqdn,
        /// The owner of the stores.
        location: Location,
        /// The system store.
        store: SystemStore,
    },
}

impl PieceAt {
    /// A file of a host.
    pub fn file(host: &Fqdn, path: impl Into<String>) -> Self {
        Self::File(FileAt { host: host.clone(), path: path.into() })
    }

    /// The host.
    pub fn host(&self) -> &Fqdn {
        match self {
            Self::File(at) => &at.host,
            Self::System { host, .. } => host,
        }
    }

    /// The path as the host writes it; for a system store the path that a spec has for it.
    pub fn path(&self) -> String {
        match self {
            Self::File(at) => at.path.clone(),
            Self::System { location, store, .. } => SystemPlace::path_of(location, *store),
        }
    }
}

/// `FQDN PATH`, for people.
impl fmt::Display for PieceAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host(), self.path())
    }
}

/// A part of a store as a journal has it: a host with a path, or with the name of a system store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteRecord {
    host: Fqdn,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    system: Option<String>,
}

impl From<PieceAt> for SiteRecord {
    fn from(at: PieceAt) -> Self {
        let path = at.path();
        match at {
            PieceAt::File(at) => Self { host: at.host, path: Some(path), system: None },
            PieceAt::System { host, .. } => Self { host, path: None, system: Some(path) },
        }
    }
}

impl TryFrom<SiteRecord> for PieceAt {
    type Error = String;

    fn try_from(written: SiteRecord) -> Result<Self, String> {
        match written {
            SiteRecord { host, path: Some(path), system: None } if !path.is_empty() => Ok(Self::file(&host, path)),
            SiteRecord { host, path: None, system: Some(name) } => {
                let read = SystemPlace::read_path(&name);
                let (location, store) = read.ok_or_else(|| format!("`{name}` is not a system store"))?;
                Ok(Self::System { host, location, store })
            }
            SiteRecord { .. } => Err("a place has a host and either a path or a system store".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let host = Fqdn::parse("cvp1.acme.example").unwrap();
        let file = PieceAt::file(&host, r"C:\Cisco\.keystore");
        let system = PieceAt::System { host, location: Location::LocalMachine, store: SystemStore::Root };
        for (at, text) in [
            (file, r#"{"host":"cvp1.acme.example","path":"C:\\Cisco\\.keystore"}"#),
            (system, r#"{"host":"cvp1.acme.example","system":"windows://LocalMachine/Root"}"#),
        ] {
            assert_eq!(serde_json::to_string(&at).unwrap(), text);
            assert_eq!(serde_json::from_str::<PieceAt>(text).unwrap(), at);
        }
        for text in [
            r#"{"host":"cvp1.acme.example"}"#,
            r#"{"host":"cvp1.acme.example","path":""}"#,
            r#"{"host":"cvp1.acme.example","path":"x","system":"windows://LocalMachine/Root"}"#,
            r#"{"host":"cvp1.acme.example","system":"/etc/passwd"}"#,
            r#"{"host":"cvp1.acme.example","path":"x","root":"/"}"#,
            r#"{"host":"../x","path":"x"}"#,
        ] {
            assert!(serde_json::from_str::<PieceAt>(text).is_err(), "{text}");
        }
    }
}
