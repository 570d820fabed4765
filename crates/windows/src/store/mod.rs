//! The machine's certificate stores: `Root`, `CA`, `My` and others, by name. This module lists and changes them, and
//! asks whether the machine trusts a certificate.
//!
//! The system shows `LocalMachine\Root` as one store, but it consists of several physical stores. Only the registry's
//! own store (`.Default`) belongs to the machine's administrator. The others are filled by group policy, the directory
//! and the vendor's root program, and a change there would be undone. So [`RegistryStore`] opens the registry's own store only,
//! and [`list_managed`] reads the others.
//!
//! [`change`] makes a complete change: it adds and removes, commits, closes, opens again and compares. [`list`] opens
//! for reading only. [`chain::judge`] asks the system whether it trusts a certificate now.
//!
//! The stores of `CurrentUser` are never opened: its `Root` asks a person in a dialogue, and its `My` is a folder of files.

mod certificate;
pub mod chain;
mod context;
mod error;
mod handle;

use windows_sys::Win32::Security::Cryptography::{
    CERT_SYSTEM_STORE_LOCAL_MACHINE, CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE_ID,
    CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY_ID, CERT_SYSTEM_STORE_LOCATION_SHIFT, CERT_SYSTEM_STORE_SERVICES_ID,
};

pub use certificate::{Id, LimitKind, StoredCertificate, UsageLimit};
pub use error::{SystemStoreError, SystemStoreErrorKind};

use context::CertificateContext;
use handle::{Handle, OpenMode};

/// The name of a store. A name has no `\`, so it cannot lead into another store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName {
    name: String,
    /// The service that owns the store. `None` if the machine owns it.
    service: Option<String>,
}

impl StoreName {
    /// Reads a name. `None` if no store can have this name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.encode_utf16().count())
            && !text.chars().any(|c| c == '\\' || c.is_control())
            && text.trim() == text;
        fits.then(|| Self { name: text.to_owned(), service: None })
    }

    /// The store of trusted roots.
    pub fn root() -> Self {
        Self { name: "Root".to_owned(), service: None }
    }

    /// The store of intermediate authorities.
    pub fn ca() -> Self {
        Self { name: "CA".to_owned(), service: None }
    }

    /// The store of the machine's own certificates.
    pub fn my() -> Self {
        Self { name: "My".to_owned(), service: None }
    }

    /// The store of this name that belongs to a service, by the service's short name. `None` if no service can have
    /// that name.
    pub fn of_service(self, service: &str) -> Option<Self> {
        let service = Self::parse(service)?.name;
        Some(Self { service: Some(service), ..self })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name and the location flags for the system's call (System Store Locations).
    fn asked(&self) -> (String, u32) {
        match &self.service {
            None => (self.name.clone(), CERT_SYSTEM_STORE_LOCAL_MACHINE),
            Some(service) => {
                (format!(r"{service}\{}", self.name), CERT_SYSTEM_STORE_SERVICES_ID << CERT_SYSTEM_STORE_LOCATION_SHIFT)
            }
        }
    }

    /// The name as the system's console shows it. Case does not matter in names.
    fn shown(&self) -> String {
        match &self.service {
            None => format!(r"LocalMachine\{}", self.name),
            Some(service) => format!(r"Services\{service}\{}", self.name),
        }
    }
}

/// A physical store that the administrator does not fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Managed {
    /// `.GroupPolicy`: filled by the group policy of the domain or of the machine.
    GroupPolicy,
    /// `.AuthRoot`: filled by the vendor's root program. Only `Root` has this part.
    AuthRoot,
    /// `.Enterprise`: filled by the directory (`NTAuth` and what `certutil -enterprise` writes).
    Enterprise,
}

impl Managed {
    /// All managed physical stores.
    pub const ALL: [Self; 3] = [Self::GroupPolicy, Self::AuthRoot, Self::Enterprise];

    /// The system's name for the physical store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GroupPolicy => ".GroupPolicy",
            Self::AuthRoot => ".AuthRoot",
            Self::Enterprise => ".Enterprise",
        }
    }

    /// Whether a store of this name has this physical store.
    pub fn is_part_of(self, name: &StoreName) -> bool {
        name.service.is_none() && (self != Self::AuthRoot || name.name.eq_ignore_ascii_case("Root"))
    }
}

/// Lists the certificates in the registry's own part of a store, in the system's order, including archived ones. The store
/// is opened for reading only, and never created. [`list_managed`] lists the other parts.
///
/// # Errors
/// [`SystemStoreErrorKind::NoStore`] if the machine has no store of that name; another kind if the store cannot be read.
pub fn list(name: &StoreName) -> Result<Vec<StoredCertificate>, SystemStoreError> {
    let (asked, location) = name.asked();
    Handle::open(&asked, location, OpenMode::Read, name.shown())?.certificates()
}

/// Lists the certificates of a managed physical store. A physical store that does not exist has none.
///
/// # Errors
/// The physical store exists but could not be read.
pub fn list_managed(name: &StoreName, by: Managed) -> Result<Vec<StoredCertificate>, SystemStoreError> {
    if !by.is_part_of(name) {
        return Ok(Vec::new());
    }
    let at = |id: u32| id << CERT_SYSTEM_STORE_LOCATION_SHIFT;
    let (store, location) = match by {
        Managed::GroupPolicy => (name.name.as_str(), at(CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY_ID)),
        Managed::Enterprise => (name.name.as_str(), at(CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE_ID)),
        // In the registry, AuthRoot is a store beside Root.
        Managed::AuthRoot => ("AuthRoot", CERT_SYSTEM_STORE_LOCAL_MACHINE),
    };
    let shown = format!(r"{}\{}", name.shown(), by.as_str());
    match Handle::open(store, location, OpenMode::Read, shown) {
        Ok(handle) => handle.certificates(),
        Err(error) if error.kind() == SystemStoreErrorKind::NoStore => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A certificate to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// The friendly name that the system's console shows.
    pub friendly_name: Option<String>,
}

/// The registry's own store of a name, opened for writing. Changes are certain only after [`RegistryStore::commit`]. Without it
/// they may or may not be in the store.
#[derive(Debug)]
pub struct RegistryStore {
    handle: Handle,
}

impl RegistryStore {
    /// Opens a store that exists.
    ///
    /// # Errors
    /// [`SystemStoreErrorKind::NoStore`] if the machine has no store of that name, [`SystemStoreErrorKind::Denied`] if this user may not write it.
    pub fn open(name: &StoreName) -> Result<Self, SystemStoreError> {
        Self::with(name, OpenMode::Write)
    }

    /// Opens a store, and creates it if it does not exist.
    ///
    /// # Errors
    /// As for [`RegistryStore::open`].
    pub fn open_or_make(name: &StoreName) -> Result<Self, SystemStoreError> {
        Self::with(name, OpenMode::Make)
    }

    fn with(name: &StoreName, access: OpenMode) -> Result<Self, SystemStoreError> {
        let (asked, location) = name.asked();
        Handle::open(&asked, location, access, name.shown()).map(|handle| Self { handle })
    }

    /// The certificates that the store holds now.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn certificates(&self) -> Result<Vec<StoredCertificate>, SystemStoreError> {
        self.handle.certificates()
    }

    /// Adds a certificate.
    ///
    /// # Errors
    /// [`SystemStoreErrorKind::Present`] if the store has the certificate already, [`SystemStoreErrorKind::NotACertificate`] if the bytes are no
    /// certificate.
    pub fn add(&self, new: &NewCertificate) -> Result<(), SystemStoreError> {
        let context = CertificateContext::new(&new.der, self.handle.shown())?;
        if let Some(name) = &new.friendly_name {
            context.set_friendly_name(name, self.handle.shown())?;
        }
        self.handle.add(&context)
    }

    /// Adds a certificate with all its properties, from [`StoredCertificate::element`], and so undoes a removal.
    ///
    /// # Errors
    /// As for [`RegistryStore::add`].
    pub fn restore(&self, element: &[u8]) -> Result<(), SystemStoreError> {
        self.handle.add_element(element)
    }

    /// Removes a certificate and returns it, so that it can be restored.
    ///
    /// # Errors
    /// [`SystemStoreErrorKind::Absent`] if the store does not have the certificate.
    pub fn remove(&self, id: Id) -> Result<StoredCertificate, SystemStoreError> {
        self.handle.remove(id)
    }

    /// Writes the changes to the registry.
    ///
    /// # Errors
    /// The system refused.
    pub fn commit(&self) -> Result<(), SystemStoreError> {
        self.handle.commit()
    }
}

/// Adds and removes certificates in one store, commits, closes it, opens it again and compares. Returns the
/// certificates that the store then holds. Additions come first, so that no trust is missing in between.
///
/// # Errors
/// The first failure. Changes made before it stay. [`SystemStoreErrorKind::Unproven`] if the store then lacks an added certificate, or
/// still has a removed one.
pub fn change(
    name: &StoreName,
    add: &[NewCertificate],
    remove: &[Id],
) -> Result<Vec<StoredCertificate>, SystemStoreError> {
    let store = if add.is_empty() { RegistryStore::open(name)? } else { RegistryStore::open_or_make(name)? };
    let done = add
        .iter()
        .try_for_each(|new| store.add(new))
        .and_then(|()| remove.iter().try_for_each(|id| store.remove(*id).map(|_| ())));
    store.commit()?;
    drop(store);
    done?;
    let held = list(name)?;
    for new in add {
        let there = held.iter().any(|c| c.der() == new.der && c.friendly_name() == new.friendly_name.as_deref());
        if !there {
            return Err(SystemStoreError::unproven(name.shown(), "a certificate that was added is not there"));
        }
    }
    if remove.iter().any(|id| held.iter().any(|c| id.is_of(c.der()))) {
        return Err(SystemStoreError::unproven(name.shown(), "a certificate that was removed is still there"));
    }
    Ok(held)
}

#[cfg(test)]
mod tests;
