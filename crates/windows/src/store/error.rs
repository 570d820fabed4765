//! The error of a certificate store: the operation, the store, and the system's code.

use std::fmt;
use std::io;

use windows_sys::Win32::Foundation::{
    CRYPT_E_EXISTS, CRYPT_E_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND,
};

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemStoreErrorKind {
    /// The machine has no such store.
    NoStore,
    /// This user has no permission.
    Denied,
    /// The store does not have the certificate.
    Absent,
    /// The store has the certificate already.
    Present,
    /// The bytes to add are no certificate.
    NotACertificate,
    /// The store does not hold what it should after a change.
    Unproven,
    /// Any other failure.
    Other,
}

/// A failure with its store and the system's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemStoreError {
    kind: SystemStoreErrorKind,
    action: &'static str,
    store: String,
    /// The system's code, if the system reported the failure.
    code: Option<u32>,
    why: Option<&'static str>,
}

impl SystemStoreError {
    /// The failure of the last system call. `action` continues "cannot …".
    pub(super) fn last(action: &'static str, store: &str) -> Self {
        let code = io::Error::last_os_error().raw_os_error().unwrap_or_default().cast_unsigned();
        // Some calls fail without an error code.
        let why = (code == 0).then_some("the system did not say why");
        Self { kind: Self::kind_of(code), action, store: store.to_owned(), code: (code != 0).then_some(code), why }
    }

    /// Replaces the kind, if the operation knows it better than the code does.
    pub(super) fn of_kind(mut self, kind: SystemStoreErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// The failure for a certificate that the store does not have.
    pub(super) fn absent(action: &'static str, store: &str) -> Self {
        let code = Some(CRYPT_E_NOT_FOUND.cast_unsigned());
        Self { kind: SystemStoreErrorKind::Absent, action, store: store.to_owned(), code, why: None }
    }

    /// The failure for an input that is wrong before the system is asked.
    pub(super) fn refused(action: &'static str, store: &str, why: &'static str) -> Self {
        Self { kind: SystemStoreErrorKind::Other, action, store: store.to_owned(), code: None, why: Some(why) }
    }

    pub(super) fn unproven(store: String, why: &'static str) -> Self {
        Self { kind: SystemStoreErrorKind::Unproven, action: "prove the change of", store, code: None, why: Some(why) }
    }

    /// The kind of the failure.
    pub fn kind(&self) -> SystemStoreErrorKind {
        self.kind
    }

    /// The system's code, if the system reported the failure.
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    fn kind_of(code: u32) -> SystemStoreErrorKind {
        const NOT_FOUND: u32 = CRYPT_E_NOT_FOUND.cast_unsigned();
        const EXISTS: u32 = CRYPT_E_EXISTS.cast_unsigned();
        // Some calls wrap a plain code in FACILITY_WIN32.
        match if code >> 16 == 0x8007 { code & 0xffff } else { code } {
            NOT_FOUND => SystemStoreErrorKind::Absent,
            EXISTS => SystemStoreErrorKind::Present,
            ERROR_ACCESS_DENIED => SystemStoreErrorKind::Denied,
            ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => SystemStoreErrorKind::NoStore,
            _ => SystemStoreErrorKind::Other,
        }
    }

    fn hint(&self) -> &'static str {
        match self.kind {
            SystemStoreErrorKind::Denied => "; run as an administrator",
            SystemStoreErrorKind::NoStore => "; check its name, `certutil -enumstore` lists what there is",
            _ => "",
        }
    }
}

impl fmt::Display for SystemStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} the certificate store {}", self.action, self.store)?;
        if let Some(why) = self.why {
            write!(f, ": {why}")?;
        }
        if let Some(code) = self.code {
            let said = io::Error::from_raw_os_error(code.cast_signed()).to_string();
            let said = said.split(" (os error").next().unwrap_or_default().trim_end_matches(['.', ' ']);
            write!(f, ": {said} (Windows error {code:#010x})")?;
        }
        f.write_str(self.hint())
    }
}

impl std::error::Error for SystemStoreError {}
