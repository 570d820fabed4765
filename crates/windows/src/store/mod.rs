//! The machine's certificate stores: `Root`, `CA`, `My` and any other by name.
//!
//! What the system shows as `LocalMachine\Root` is a collection of physical stores. Only one of them, the registry's own
//! (`.Default`), belongs to whoever administers this machine; the others are filled by group policy, by the directory and by
//! the vendor's root program, and a change there would come back. So [`Store`] opens the registry's own store and nothing
//! else, and [`list_managed`] reads the others.
//!
//! [`change`] is the whole way of a change: it adds and removes, commits, closes, opens again and compares. [`list`] opens for
//! reading only. [`chain::judge`] asks the system whether it trusts a certificate now.
//!
//! `CurrentUser` has no place here: its `Root` asks a person in a dialogue, and its `My` is a folder of files.

mod certificate;
pub mod chain;
mod context;
mod error;
mod handle;

use windows_sys::Win32::Security::Cryptography::{
    CERT_SYSTEM_STORE_LOCAL_MACHINE, CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE_ID,
    CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY_ID, CERT_SYSTEM_STORE_LOCATION_SHIFT, CERT_SYSTEM_STORE_SERVICES_ID,
};

pub use certificate::{Certificate, Id, Limit, LimitKind};
pub use error::{Kind, StoreError};

use context::Context;
use handle::{Access, Handle};

/// The name of a store. It may not reach into another: no `\`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName {
    name: String,
    /// Whose it is, if not the machine's.
    service: Option<String>,
}

impl StoreName {
    /// Reads one; `None` if no store can be called so.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.encode_utf16().count())
            && !text.chars().any(|c| c == '\\' || c.is_control())
            && text.trim() == text;
        fits.then(|| Self { name: text.to_owned(), service: None })
    }

    /// The trusted roots.
    pub fn root() -> Self {
        Self { name: "Root".to_owned(), service: None }
    }

    /// The intermediate authorities.
    pub fn ca() -> Self {
        Self { name: "CA".to_owned(), service: None }
    }

    /// The machine's own certificates.
    pub fn my() -> Self {
        Self { name: "My".to_owned(), service: None }
    }

    /// The store of this name that one service has, by the service's short name; `None` if none can be called so.
    pub fn of_service(self, service: &str) -> Option<Self> {
        let service = Self::parse(service)?.name;
        Some(Self { service: Some(service), ..self })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What the system is asked for, and where (System Store Locations).
    fn asked(&self) -> (String, u32) {
        match &self.service {
            None => (self.name.clone(), CERT_SYSTEM_STORE_LOCAL_MACHINE),
            Some(service) => {
                (format!(r"{service}\{}", self.name), CERT_SYSTEM_STORE_SERVICES_ID << CERT_SYSTEM_STORE_LOCATION_SHIFT)
            }
        }
    }

    /// The name as people find it in the system's console. Names are the same in any case.
    fn shown(&self) -> String {
        match &self.service {
            None => format!(r"LocalMachine\{}", self.name),
            Some(service) => format!(r"Services\{service}\{}", self.name),
        }
    }
}

/// A physical store that somebody else fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Managed {
    /// `.GroupPolicy`: group policy of the domain or of the machine.
    GroupPolicy,
    /// `.AuthRoot`: the vendor's root program. Part of `Root` only.
    AuthRoot,
    /// `.Enterprise`: the directory (`NTAuth` and what `certutil -enterprise` writes).
    Enterprise,
}

impl Managed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::GroupPolicy, Self::AuthRoot, Self::Enterprise];

    /// What the system calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GroupPolicy => ".GroupPolicy",
            Self::AuthRoot => ".AuthRoot",
            Self::Enterprise => ".Enterprise",
        }
    }

    /// Whether a store of this name has such a part.
    pub fn is_part_of(self, name: &StoreName) -> bool {
        name.service.is_none() && (self != Self::AuthRoot || name.name.eq_ignore_ascii_case("Root"))
    }
}

/// The certificates of a store, in the system's order, archived ones among them. The store is opened for reading only.
///
/// # Errors
/// [`Kind::NoStore`] if the machine has none of that name.
pub fn list(name: &StoreName) -> Result<Vec<Certificate>, StoreError> {
    let (asked, location) = name.asked();
    Handle::open(&asked, location, Access::Read, name.shown())?.certificates()
}

/// The certificates that somebody else put into a store. A part that is not there has none.
///
/// # Errors
/// That the part is there and could not be read.
pub fn list_managed(name: &StoreName, by: Managed) -> Result<Vec<Certificate>, StoreError> {
    if !by.is_part_of(name) {
        return Ok(Vec::new());
    }
    let at = |id: u32| id << CERT_SYSTEM_STORE_LOCATION_SHIFT;
    let (store, location) = match by {
        Managed::GroupPolicy => (name.name.as_str(), at(CERT_SYSTEM_STORE_LOCAL_MACHINE_GROUP_POLICY_ID)),
        Managed::Enterprise => (name.name.as_str(), at(CERT_SYSTEM_STORE_LOCAL_MACHINE_ENTERPRISE_ID)),
        // In the registry it is a store beside Root.
        Managed::AuthRoot => ("AuthRoot", CERT_SYSTEM_STORE_LOCAL_MACHINE),
    };
    let shown = format!(r"{}\{}", name.shown(), by.as_str());
    match Handle::open(store, location, Access::Read, shown) {
        Ok(handle) => handle.certificates(),
        Err(error) if error.kind() == Kind::NoStore => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A certificate to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// The certificate.
    pub der: Vec<u8>,
    /// The friendly name people see in the console.
    pub friendly_name: Option<String>,
}

/// The registry's own store of a name, open for writing. What was done is certain after [`Store::commit`]; a value that is
/// dropped without it may or may not have changed the store.
#[derive(Debug)]
pub struct Store {
    handle: Handle,
}

impl Store {
    /// Opens a store that is there.
    ///
    /// # Errors
    /// [`Kind::NoStore`] if the machine has none of that name, [`Kind::Denied`] if this user may not write it.
    pub fn open(name: &StoreName) -> Result<Self, StoreError> {
        Self::with(name, Access::Write)
    }

    /// Opens a store, and makes it if it is not there.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_or_make(name: &StoreName) -> Result<Self, StoreError> {
        Self::with(name, Access::Make)
    }

    fn with(name: &StoreName, access: Access) -> Result<Self, StoreError> {
        let (asked, location) = name.asked();
        Handle::open(&asked, location, access, name.shown()).map(|handle| Self { handle })
    }

    /// What it holds now.
    ///
    /// # Errors
    /// That it could not be read.
    pub fn certificates(&self) -> Result<Vec<Certificate>, StoreError> {
        self.handle.certificates()
    }

    /// Adds a certificate.
    ///
    /// # Errors
    /// [`Kind::Present`] if it is there, [`Kind::NotACertificate`] if it is none.
    pub fn add(&self, new: &New) -> Result<(), StoreError> {
        let context = Context::new(&new.der, self.handle.shown())?;
        if let Some(name) = &new.friendly_name {
            context.set_friendly_name(name, self.handle.shown())?;
        }
        self.handle.add(&context)
    }

    /// Adds a certificate with all its properties, as [`Certificate::element`] kept it: the way back of a removal.
    ///
    /// # Errors
    /// As for [`Store::add`].
    pub fn restore(&self, element: &[u8]) -> Result<(), StoreError> {
        self.handle.add_element(element)
    }

    /// Removes a certificate and gives it, so that it can be restored.
    ///
    /// # Errors
    /// [`Kind::Absent`] if it is not there.
    pub fn remove(&self, id: Id) -> Result<Certificate, StoreError> {
        self.handle.remove(id)
    }

    /// Brings what was done into the registry.
    ///
    /// # Errors
    /// That the system would not.
    pub fn commit(&self) -> Result<(), StoreError> {
        self.handle.commit()
    }
}

/// Adds and removes certificates in one store, commits, closes it, opens it again and compares. Gives what it holds then.
/// Additions come first, so that nothing is missing in between.
///
/// # Errors
/// The first thing that failed; what was done before it stays. [`Kind::Unproven`] if the store does not hold afterwards what it
/// should.
pub fn change(name: &StoreName, add: &[New], remove: &[Id]) -> Result<Vec<Certificate>, StoreError> {
    let store = if add.is_empty() { Store::open(name)? } else { Store::open_or_make(name)? };
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
            return Err(StoreError::unproven(name.shown(), "a certificate that was added is not there"));
        }
    }
    if remove.iter().any(|id| held.iter().any(|c| id.is_of(c.der()))) {
        return Err(StoreError::unproven(name.shown(), "a certificate that was removed is still there"));
    }
    Ok(held)
}

#[cfg(test)]
mod tests;
