//! An open store. All calls on a store's handle are in this module.

use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_STORE_ADD_NEW, CERT_STORE_CTRL_COMMIT, CERT_STORE_ENUM_ARCHIVED_FLAG,
    CERT_STORE_OPEN_EXISTING_FLAG, CERT_STORE_PROV_MEMORY, CERT_STORE_PROV_SYSTEM_REGISTRY_W, CERT_STORE_READONLY_FLAG,
    CertAddCertificateContextToStore, CertAddSerializedElementToStore, CertCloseStore, CertControlStore,
    CertDeleteCertificateFromStore, CertEnumCertificatesInStore, CertOpenStore, HCERTSTORE,
};

use super::certificate::{Id, StoredCertificate};
use super::context::CertificateContext;
use super::error::{SystemStoreError, SystemStoreErrorKind};
use crate::wide;

/// `CERT_STORE_CERTIFICATE_CONTEXT_FLAG`: only elements that are certificates are accepted.
const CERTIFICATES_ONLY: u32 = 1 << 1;

/// The access for which a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenMode {
    Read,
    Write,
    /// Write access. A store that does not exist is created.
    Make,
}

/// An open store, closed on drop.
#[derive(Debug)]
pub(super) struct Handle {
    store: HCERTSTORE,
    /// The name of the store for people.
    shown: String,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and is closed once: here. Contexts that outlive it keep what they need.
        let _still_referred_to = unsafe { CertCloseStore(self.store, 0) };
    }
}

impl Handle {
    /// Opens the registry's store of this name at a location.
    pub(super) fn open(name: &str, location: u32, access: OpenMode, shown: String) -> Result<Self, SystemStoreError> {
        const ACTION: &str = "open";
        let wide = wide::text(name).map_err(|_| SystemStoreError::refused(ACTION, &shown, "a NUL within its name"))?;
        let access = match access {
            OpenMode::Read => CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG,
            OpenMode::Write => CERT_STORE_OPEN_EXISTING_FLAG,
            OpenMode::Make => 0,
        };
        let flags = location | access | CERT_STORE_ENUM_ARCHIVED_FLAG;
        // SAFETY: this provider takes a NUL-terminated name, which lives until the call returns.
        let store = unsafe { CertOpenStore(CERT_STORE_PROV_SYSTEM_REGISTRY_W, 0, 0, flags, wide.as_ptr().cast()) };
        if store.is_null() { Err(SystemStoreError::last(ACTION, &shown)) } else { Ok(Self { store, shown }) }
    }

    /// A temporary store in memory.
    pub(super) fn in_memory() -> Result<Self, SystemStoreError> {
        let shown = "in memory".to_owned();
        // SAFETY: this provider takes no parameter.
        let store = unsafe { CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, std::ptr::null()) };
        if store.is_null() { Err(SystemStoreError::last("make", &shown)) } else { Ok(Self { store, shown }) }
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn as_raw(&self) -> HCERTSTORE {
        self.store
    }

    /// Finds the first certificate that is wanted.
    fn find(&self, mut wanted: impl FnMut(&CertificateContext) -> bool) -> Option<CertificateContext> {
        let mut before: *const CERT_CONTEXT = std::ptr::null();
        loop {
            // SAFETY: the store is open; `before` is null or the context of the previous round, which the call takes back.
            let next = unsafe { CertEnumCertificatesInStore(self.store, before) };
            // SAFETY: a context from an enumeration is valid until it is given back, in the next round or by the drop.
            let context = unsafe { CertificateContext::from_raw(next) }?;
            if wanted(&context) {
                return Some(context);
            }
            before = context.into_raw();
        }
    }

    pub(super) fn certificates(&self) -> Result<Vec<StoredCertificate>, SystemStoreError> {
        let mut found = Vec::new();
        let stopped = self.find(|context| {
            found.push(StoredCertificate::of(context, &self.shown));
            false
        });
        drop(stopped);
        found.into_iter().collect()
    }

    pub(super) fn add(&self, context: &CertificateContext) -> Result<(), SystemStoreError> {
        // SAFETY: store and context are valid; the context that was added is not asked for.
        let done = unsafe {
            CertAddCertificateContextToStore(self.store, context.as_raw(), CERT_STORE_ADD_NEW, std::ptr::null_mut())
        };
        if done == 0 { Err(SystemStoreError::last("add a certificate to", &self.shown)) } else { Ok(()) }
    }

    pub(super) fn add_element(&self, element: &[u8]) -> Result<(), SystemStoreError> {
        const ACTION: &str = "restore a certificate in";
        let length = u32::try_from(element.len())
            .map_err(|_| SystemStoreError::refused(ACTION, &self.shown, "it is larger than any certificate"))?;
        // SAFETY: the element is readable and as long as said; type and context are not asked for.
        let done = unsafe {
            CertAddSerializedElementToStore(
                self.store,
                element.as_ptr(),
                length,
                CERT_STORE_ADD_NEW,
                0,
                CERTIFICATES_ONLY,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
        if done != 0 {
            return Ok(());
        }
        let error = SystemStoreError::last(ACTION, &self.shown);
        Err(if error.kind() == SystemStoreErrorKind::Other {
            error.of_kind(SystemStoreErrorKind::NotACertificate)
        } else {
            error
        })
    }

    pub(super) fn remove(&self, id: Id) -> Result<StoredCertificate, SystemStoreError> {
        const ACTION: &str = "remove a certificate from";
        let found = self
            .find(|context| id.is_of(context.der()))
            .ok_or_else(|| SystemStoreError::absent(ACTION, &self.shown))?;
        let kept = StoredCertificate::of(&found, &self.shown)?;
        // SAFETY: the context came from this store's enumeration; the call takes it back, whether it fails or not.
        let done = unsafe { CertDeleteCertificateFromStore(found.into_raw()) };
        if done == 0 { Err(SystemStoreError::last(ACTION, &self.shown)) } else { Ok(kept) }
    }

    pub(super) fn commit(&self) -> Result<(), SystemStoreError> {
        // SAFETY: the store is open; without a parameter the call commits what has changed.
        let done = unsafe { CertControlStore(self.store, 0, CERT_STORE_CTRL_COMMIT, std::ptr::null()) };
        if done == 0 { Err(SystemStoreError::last("commit", &self.shown)) } else { Ok(()) }
    }
}
