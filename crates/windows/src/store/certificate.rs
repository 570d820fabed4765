//! A certificate in a store: its bytes and its properties. The values are copies; nothing here changes a store.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use windows_sys::Win32::Security::Cryptography::{
    CERT_ARCHIVED_PROP_ID, CERT_DISALLOWED_CA_FILETIME_PROP_ID, CERT_DISALLOWED_ENHKEY_USAGE_PROP_ID,
    CERT_DISALLOWED_FILETIME_PROP_ID, CERT_ENHKEY_USAGE_PROP_ID, CERT_FRIENDLY_NAME_PROP_ID,
    CERT_KEY_PROV_INFO_PROP_ID, CERT_NOT_BEFORE_ENHKEY_USAGE_PROP_ID, CERT_NOT_BEFORE_FILETIME_PROP_ID,
};

use super::context::CertificateContext;
use super::error::SystemStoreError;
use crate::wide;

/// The identification of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// The SHA-1 of its bytes, which Windows shows as the thumbprint.
    Sha1([u8; 20]),
    /// The SHA-256 of its bytes.
    Sha256([u8; 32]),
}

impl Id {
    /// Whether this is the id of a certificate.
    pub fn is_of(self, der: &[u8]) -> bool {
        match self {
            Self::Sha1(id) => Sha1::digest(der).as_slice() == id,
            Self::Sha256(id) => Sha256::digest(der).as_slice() == id,
        }
    }
}

/// The kind of a property that limits the trust in a certificate. Only Windows obeys such properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// The certificate is trusted for these usages only (id 9, usages).
    Usage,
    /// The certificate is archived and no longer used (id 19, no value).
    Archived,
    /// The certificate is not trusted since a moment (id 104, time; 0 means always).
    Disallowed,
    /// The certificate is not trusted for these usages (id 122, usages).
    DisallowedUsage,
    /// Certificates issued after a moment are not trusted (id 126, time).
    NotBefore,
    /// The usages to which that moment applies (id 127, usages).
    NotBeforeUsage,
    /// The certificate is not trusted as an authority since a moment (id 128, time).
    DisallowedAuthority,
}

impl LimitKind {
    pub(super) fn of(property: u32) -> Option<Self> {
        Some(match property {
            CERT_ENHKEY_USAGE_PROP_ID => Self::Usage,
            CERT_ARCHIVED_PROP_ID => Self::Archived,
            CERT_DISALLOWED_FILETIME_PROP_ID => Self::Disallowed,
            CERT_DISALLOWED_ENHKEY_USAGE_PROP_ID => Self::DisallowedUsage,
            CERT_NOT_BEFORE_FILETIME_PROP_ID => Self::NotBefore,
            CERT_NOT_BEFORE_ENHKEY_USAGE_PROP_ID => Self::NotBeforeUsage,
            CERT_DISALLOWED_CA_FILETIME_PROP_ID => Self::DisallowedAuthority,
            _ => return None,
        })
    }
}

/// A limit and its value: usages as DER (`SEQUENCE OF OBJECT IDENTIFIER`), a time as a `FILETIME` of eight bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageLimit {
    /// The kind of the limit.
    pub kind: LimitKind,
    /// The usages or the moment.
    pub value: Vec<u8>,
}

/// A certificate as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCertificate {
    der: Vec<u8>,
    friendly_name: Option<String>,
    limits: Vec<UsageLimit>,
    properties: Vec<u32>,
    element: Vec<u8>,
}

impl StoredCertificate {
    pub(super) fn of(context: &CertificateContext, store: &str) -> Result<Self, SystemStoreError> {
        let properties = context.properties();
        let friendly_name = properties.contains(&CERT_FRIENDLY_NAME_PROP_ID).then(|| {
            context.property(CERT_FRIENDLY_NAME_PROP_ID, store).map(|value| {
                let (pairs, _) = value.as_chunks::<2>();
                wide::read(&pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect::<Vec<_>>())
            })
        });
        let limits = properties.iter().filter_map(|id| {
            LimitKind::of(*id).map(|kind| context.property(*id, store).map(|value| UsageLimit { kind, value }))
        });
        Ok(Self {
            der: context.der().to_vec(),
            friendly_name: friendly_name.transpose()?,
            limits: limits.collect::<Result<_, _>>()?,
            element: context.element(store)?,
            properties,
        })
    }

    /// The bytes of the certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The friendly name, if there is one.
    pub fn friendly_name(&self) -> Option<&str> {
        self.friendly_name.as_deref()
    }

    /// The properties that limit the trust in the certificate.
    pub fn limits(&self) -> &[UsageLimit] {
        &self.limits
    }

    /// The ids of all properties, including the limits.
    pub fn properties(&self) -> &[u32] {
        &self.properties
    }

    /// Whether the store says that the machine has the private key.
    pub fn has_key(&self) -> bool {
        self.properties.contains(&CERT_KEY_PROV_INFO_PROP_ID)
    }

    /// The certificate with its properties, serialised as in the registry. The element serves as a backup, and the
    /// keystore crate reads it (`windows-element`).
    pub fn element(&self) -> &[u8] {
        &self.element
    }

    /// The SHA-1 of the certificate's bytes, which Windows shows as the thumbprint.
    pub fn sha1(&self) -> [u8; 20] {
        Sha1::digest(&self.der).into()
    }

    /// The SHA-256 of the certificate's bytes.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }
}
