//! Certificate stores of a Windows system: their names in a spec, and which store a certificate belongs into. Nothing here
//! calls Windows.
//!
//! One trust store of a spec may consist of several system stores. Certificates that are trusted without an issuer belong
//! into `Root`, and the authorities below them into `CA`. Windows reports no error for an intermediate in `Root`, but the
//! certificate is then trusted too much. A root in `CA` is not trusted at all. So a store has a [`Placement`], and its path
//! names the main system store.

use std::fmt;

/// The beginning of a live store's path.
pub(crate) const SCHEME: &str = "windows://";

/// The owner of certificate stores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// The machine. Every service and user sees its stores.
    LocalMachine,
    /// One service, by the service's short name.
    Service(String),
}

/// A system store by its Windows name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemStore {
    /// Trusted Root Certification Authorities.
    Root,
    /// Intermediate Certification Authorities.
    Ca,
    /// Personal.
    My,
}

impl SystemStore {
    /// All system stores, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::Root, Self::Ca, Self::My];

    /// The store's name in the registry and for `certutil`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::Ca => "CA",
            Self::My => "My",
        }
    }

    /// Finds the store of this name. Case does not matter.
    pub fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|store| store.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SystemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind of a certificate for Windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateKind {
    /// A certificate that issued itself: a root, or the self-signed certificate of a server.
    Root,
    /// An authority that another authority issued.
    Intermediate,
    /// Any other certificate.
    Leaf,
}

/// The system store for each kind of certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The store for self-signed certificates.
    pub root: SystemStore,
    /// The store for authorities below a root.
    pub intermediate: SystemStore,
    /// The store for all other certificates.
    pub leaf: SystemStore,
}

impl Placement {
    /// The placement that a path alone means. With `Root`, intermediates go into `CA`. Any other store takes every kind.
    pub(crate) fn of(main: SystemStore) -> Self {
        let intermediate = if main == SystemStore::Root { SystemStore::Ca } else { main };
        Self { root: main, intermediate, leaf: main }
    }
}

/// The system stores that make up one trust store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPlace {
    /// The owner of the stores: the machine or a service.
    pub location: Location,
    /// The store that the path names. `Root` for a mirror.
    pub main: SystemStore,
    /// The system store for each kind of certificate.
    pub placement: Placement,
}

impl SystemPlace {
    /// The machine's roots and the authorities below them: the stores of a mirror without `place:`.
    pub fn machine() -> Self {
        let main = SystemStore::Root;
        Self { location: Location::LocalMachine, main, placement: Placement::of(main) }
    }

    /// The path of a store at this location: `windows://LocalMachine/CA`.
    pub fn path(&self, store: SystemStore) -> String {
        Self::path_of(&self.location, store)
    }

    /// The path of a system store of any location.
    pub fn path_of(location: &Location, store: SystemStore) -> String {
        match location {
            Location::LocalMachine => format!("{SCHEME}LocalMachine/{store}"),
            Location::Service(name) => format!("{SCHEME}Service/{name}/{store}"),
        }
    }

    /// Reads a path that [`Self::path`] made. `None` for any other path.
    pub fn read_path(path: &str) -> Option<(Location, SystemStore)> {
        if is_system(path) { parse(path).ok() } else { None }
    }

    /// The key of a store in the registry (MS-GPEF 2.2.1.1.1).
    pub fn registry_key(&self, store: SystemStore) -> String {
        let home = match &self.location {
            Location::LocalMachine => r"SOFTWARE\Microsoft".to_owned(),
            Location::Service(name) => format!(r"SOFTWARE\Microsoft\Cryptography\Services\{name}"),
        };
        format!(r"HKEY_LOCAL_MACHINE\{home}\SystemCertificates\{store}")
    }

    /// The system stores of this place, each once.
    pub fn stores(&self) -> Vec<SystemStore> {
        let Placement { root, intermediate, leaf } = self.placement;
        SystemStore::ALL.into_iter().filter(|store| [self.main, root, intermediate, leaf].contains(store)).collect()
    }

    /// The system store for this kind of certificate.
    pub fn store_of(&self, kind: CertificateKind) -> SystemStore {
        match kind {
            CertificateKind::Root => self.placement.root,
            CertificateKind::Intermediate => self.placement.intermediate,
            CertificateKind::Leaf => self.placement.leaf,
        }
    }

    /// The system store for this certificate.
    pub fn store_for(&self, certificate: &trustmason_keystore::Certificate) -> SystemStore {
        self.store_of(CertificateKind::of(certificate))
    }
}

/// Writes the path of the main store.
impl fmt::Display for SystemPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path(self.main))
    }
}

impl CertificateKind {
    /// The kind of a certificate.
    pub fn of(certificate: &trustmason_keystore::Certificate) -> Self {
        if certificate.is_self_issued() {
            Self::Root
        } else if certificate.is_ca() {
            Self::Intermediate
        } else {
            Self::Leaf
        }
    }
}

/// Whether a path means a system store and not a file.
pub(crate) fn is_system(path: &str) -> bool {
    path.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Reads a path. The error is a sentence about the path and one thing to try.
pub(crate) fn parse(path: &str) -> Result<(Location, SystemStore), (String, &'static str)> {
    const FORMS: &str =
        "write windows://LocalMachine/Root (or CA, My), or windows://Service/NAME/Root for the store of one service";
    let rest = path.get(SCHEME.len()..).unwrap_or_default();
    let steps: Vec<&str> = rest.split('/').collect();
    let named = |name: &str| {
        SystemStore::read(name).ok_or_else(|| {
            let message = format!("`{path}` names the store `{name}`; Root, CA and My are known");
            (message, "other stores are changed by hand: declare `write: hand-off` with the path of a mirror")
        })
    };
    match steps.as_slice() {
        [location, store] if location.eq_ignore_ascii_case("LocalMachine") => {
            Ok((Location::LocalMachine, named(store)?))
        }
        [location, ..] if location.eq_ignore_ascii_case("CurrentUser") => {
            let message = format!(
                "`{path}` is the store of one user, and trustmason never writes it: Windows asks that user in a dialogue"
            );
            Err((message, "declare windows://LocalMachine/Root, which all users and services use"))
        }
        [location, service, store] if location.eq_ignore_ascii_case("Service") => {
            let fits =
                !service.is_empty() && service.len() <= 255 && !service.contains(|c: char| c == '\\' || c.is_control());
            if fits && service.trim() == *service {
                Ok((Location::Service((*service).to_owned()), named(store)?))
            } else {
                Err((format!("`{path}` lacks the name of a service"), FORMS))
            }
        }
        [location, ..] => Err((
            format!(
                "`{path}` is not a certificate store: the location `{location}` is not known, or the path has a part too few or too many"
            ),
            FORMS,
        )),
        [] => Err((format!("`{path}` is not a certificate store"), FORMS)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn paths_name_a_location_and_a_store() {
        assert_eq!(parse("windows://LocalMachine/Root").unwrap(), (Location::LocalMachine, SystemStore::Root));
        assert_eq!(parse("Windows://localmachine/ca").unwrap(), (Location::LocalMachine, SystemStore::Ca));
        let service = parse("windows://Service/Tomcat9/My").unwrap();
        assert_eq!(service, (Location::Service("Tomcat9".to_owned()), SystemStore::My));
    }

    #[test]
    fn what_is_no_store_says_why() {
        for (path, why) in [
            ("windows://CurrentUser/Root", "Windows asks that user"),
            ("windows://CurrentUser", "Windows asks that user"),
            ("windows://LocalMachine", "not known, or the path has"),
            ("windows://LocalMachine/Root/x", "not known, or the path has"),
            ("windows://LocalMachine/TrustedPeople", "Root, CA and My are known"),
            ("windows://Machine/Root", "`Machine` is not known"),
            ("windows://Service//Root", "lacks the name of a service"),
            (r"windows://Service/a\b/Root", "lacks the name of a service"),
            ("windows://", "not a certificate store"),
        ] {
            let (message, _) = parse(path).unwrap_err();
            assert!(message.contains(why) && message.contains(path), "{path}: {message}");
        }
    }

    #[test]
    fn a_path_says_where_each_kind_belongs() {
        let machine = SystemPlace::machine();
        assert_eq!(machine.stores(), [SystemStore::Root, SystemStore::Ca]);
        assert_eq!(machine.store_of(CertificateKind::Intermediate), SystemStore::Ca);
        assert_eq!(machine.store_of(CertificateKind::Leaf), SystemStore::Root);
        assert_eq!(machine.to_string(), "windows://LocalMachine/Root");
        let own = SystemPlace { main: SystemStore::My, placement: Placement::of(SystemStore::My), ..machine };
        assert_eq!(own.stores(), [SystemStore::My]);
    }
}
