//! A certificate as the system holds it. All calls on a certificate's context are in this module.

use std::ptr::null_mut;

use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_FRIENDLY_NAME_PROP_ID, CRYPT_INTEGER_BLOB, CertCreateCertificateContext,
    CertEnumCertificateContextProperties, CertFreeCertificateContext, CertGetCertificateContextProperty,
    CertSerializeCertificateStoreElement, CertSetCertificateContextProperty, PKCS_7_ASN_ENCODING, X509_ASN_ENCODING,
};

use super::error::{SystemStoreError, SystemStoreErrorKind};
use crate::wide;

/// A certificate context, freed on drop.
#[derive(Debug)]
pub(super) struct CertificateContext(*const CERT_CONTEXT);

impl Drop for CertificateContext {
    fn drop(&mut self) {
        // SAFETY: the context is valid and freed once: here. The call cannot fail.
        let _always = unsafe { CertFreeCertificateContext(self.0) };
    }
}

impl CertificateContext {
    /// Takes ownership of a context. `None` for a null pointer.
    ///
    /// # Safety
    /// The pointer is null, or a valid context that nothing else frees.
    pub(super) unsafe fn from_raw(context: *const CERT_CONTEXT) -> Option<Self> {
        (!context.is_null()).then_some(Self(context))
    }

    /// Gives up ownership of the context. The receiver must free it.
    pub(super) fn into_raw(self) -> *const CERT_CONTEXT {
        let context = self.0;
        std::mem::forget(self);
        context
    }

    pub(super) fn as_raw(&self) -> *const CERT_CONTEXT {
        self.0
    }

    /// Makes the context of a certificate that is in no store yet.
    pub(super) fn new(der: &[u8], store: &str) -> Result<Self, SystemStoreError> {
        const ACTION: &str = "add a certificate to";
        // The system would also accept a certificate with further bytes after it.
        let whole = whole(der).ok_or_else(|| {
            SystemStoreError::refused(ACTION, store, "it is not exactly one certificate")
                .of_kind(SystemStoreErrorKind::NotACertificate)
        })?;
        let length = u32::try_from(whole.len())
            .map_err(|_| SystemStoreError::refused(ACTION, store, "it is larger than any certificate"))?;
        // SAFETY: the bytes are readable and as many as said; the call copies them.
        let made =
            unsafe { CertCreateCertificateContext(X509_ASN_ENCODING | PKCS_7_ASN_ENCODING, der.as_ptr(), length) };
        // SAFETY: the context that the call made is valid and owned here.
        let context = unsafe { Self::from_raw(made) };
        context.ok_or_else(|| SystemStoreError::last(ACTION, store).of_kind(SystemStoreErrorKind::NotACertificate))
    }

    /// The certificate's bytes.
    pub(super) fn der(&self) -> &[u8] {
        // SAFETY: the context is valid as long as `self`, and never changed.
        let context = unsafe { &*self.0 };
        let length = usize::try_from(context.cbCertEncoded).unwrap_or_default();
        if context.pbCertEncoded.is_null() {
            return &[];
        }
        // SAFETY: the context says where its certificate is and how long; it keeps it as long as it lives itself.
        unsafe { std::slice::from_raw_parts(context.pbCertEncoded, length) }
    }

    pub(super) fn set_friendly_name(&self, name: &str, store: &str) -> Result<(), SystemStoreError> {
        const ACTION: &str = "name a certificate for";
        let mut wide =
            wide::text(name).map_err(|_| SystemStoreError::refused(ACTION, store, "a NUL within its name"))?;
        let bytes = u32::try_from(wide.len() * 2).unwrap_or(u32::MAX);
        let blob = CRYPT_INTEGER_BLOB { cbData: bytes, pbData: wide.as_mut_ptr().cast() };
        // SAFETY: this property takes a blob; it and the text it points to live until the call returns, which copies them.
        let done = unsafe {
            CertSetCertificateContextProperty(self.0, CERT_FRIENDLY_NAME_PROP_ID, 0, (&raw const blob).cast())
        };
        if done == 0 { Err(SystemStoreError::last(ACTION, store)) } else { Ok(()) }
    }

    /// The ids of the certificate's properties.
    pub(super) fn properties(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut before = 0;
        loop {
            // SAFETY: the context is valid.
            match unsafe { CertEnumCertificateContextProperties(self.0, before) } {
                0 => return ids,
                id => ids.push(id),
            }
            before = ids.last().copied().unwrap_or_default();
        }
    }

    /// The value of a property that is plain bytes. (Handles and key records are not, and are not read here.)
    pub(super) fn property(&self, id: u32, store: &str) -> Result<Vec<u8>, SystemStoreError> {
        let failed = || SystemStoreError::last("read a property of a certificate in", store);
        let mut length = 0;
        // SAFETY: without a buffer the call only says how long the value is.
        if unsafe { CertGetCertificateContextProperty(self.0, id, null_mut(), &raw mut length) } == 0 {
            return Err(failed());
        }
        let mut value = vec![0; usize::try_from(length).unwrap_or_default()];
        // SAFETY: the buffer is writable and as long as said.
        if unsafe { CertGetCertificateContextProperty(self.0, id, value.as_mut_ptr().cast(), &raw mut length) } == 0 {
            return Err(failed());
        }
        value.truncate(usize::try_from(length).unwrap_or_default());
        Ok(value)
    }

    /// The certificate with its properties, serialised.
    pub(super) fn element(&self, store: &str) -> Result<Vec<u8>, SystemStoreError> {
        let failed = || SystemStoreError::last("serialise a certificate of", store);
        let mut length = 0;
        // SAFETY: without a buffer the call only says how long the element is.
        if unsafe { CertSerializeCertificateStoreElement(self.0, 0, null_mut(), &raw mut length) } == 0 {
            return Err(failed());
        }
        let mut element = vec![0; usize::try_from(length).unwrap_or_default()];
        // SAFETY: the buffer is writable and as long as said.
        if unsafe { CertSerializeCertificateStoreElement(self.0, 0, element.as_mut_ptr(), &raw mut length) } == 0 {
            return Err(failed());
        }
        element.truncate(usize::try_from(length).unwrap_or_default());
        Ok(element)
    }
}

/// The bytes, if they are exactly one DER sequence.
fn whole(der: &[u8]) -> Option<&[u8]> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, body) = match first {
        short @ 0..=0x7f => (usize::from(*short), rest),
        // 0x80 is BER's indefinite length. No certificate needs five bytes of length.
        long @ 0x81..=0x84 => {
            let (length, body) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), body)
        }
        _ => return None,
    };
    (*tag == 0x30 && body.len() == length).then_some(der)
}
