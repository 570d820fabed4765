//! A certificate in a store: its bytes, and what the store says of it beside them.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use windows_sys::Win32::Security::Cryptography::{
    CERT_ARCHIVED_PROP_ID, CERT_DISALLOWED_CA_FILETIME_PROP_ID, CERT_DISALLOWED_ENHKEY_USAGE_PROP_ID,
    CERT_DISALLOWED_FILETIME_PROP_ID, CERT_ENHKEY_USAGE_PROP_ID, CERT_FRIENDLY_NAME_PROP_ID,
    CERT_KEY_PROV_INFO_PROP_ID, CERT_NOT_BEFORE_ENHKEY_USAGE_PROP_ID, CERT_NOT_BEFORE_FILETIME_PROP_ID,
};

use super::context::Context;
use super::error::StoreError;
use crate::wide;

/// By what a certificate is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// The SHA-1 over its bytes: what Windows shows as its thumbprint.
    Sha1([u8; 20]),
    /// The SHA-256 over its bytes.
    Sha256([u8; 32]),
}

impl Id {
    /// Whether a certificate is the one.
    pub fn is_of(self, der: &[u8]) -> bool {
        match self {
            Self::Sha1(id) => Sha1::digest(der).as_slice() == id,
            Self::Sha256(id) => Sha256::digest(der).as_slice() == id,
        }
    }
}

/// What a property takes away from a certificate. Windows obeys it; nobody else sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// Trusted for these usages only (id 9, usages).
    Usage,
    /// Archived: nothing uses it any more (id 19, no value).
    Archived,
    /// Not trusted since a moment (id 104, time; 0 is "ever").
    Disallowed,
    /// Not trusted for these usages (id 122, usages).
    DisallowedUsage,
    /// What was issued after a moment is not trusted (id 126, time).
    NotBefore,
    /// The usages that moment is about (id 127, usages).
    NotBeforeUsage,
    /// Not trusted as an authority since a moment (id 128, time).
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

/// A limit with its value: usages as DER (`SEQUENCE OF OBJECT IDENTIFIER`), a time as a `FILETIME` of eight bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// What it takes away.
    pub kind: LimitKind,
    /// For what, or since when.
    pub value: Vec<u8>,
}

/// A certificate as a store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    friendly_name: Option<String>,
    limits: Vec<Limit>,
    properties: Vec<u32>,
    element: Vec<u8>,
}

impl Certificate {
    pub(super) fn of(context: &Context, store: &str) -> Result<Self, StoreError> {
        let properties = context.properties();
        let friendly_name = properties.contains(&CERT_FRIENDLY_NAME_PROP_ID).then(|| {
            context.property(CERT_FRIENDLY_NAME_PROP_ID, store).map(|value| {
                let (pairs, _) = value.as_chunks::<2>();
                wide::read(&pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect::<Vec<_>>())
            })
        });
        let limits = properties.iter().filter_map(|id| {
            LimitKind::of(*id).map(|kind| context.property(*id, store).map(|value| Limit { kind, value }))
        });
        Ok(Self {
            der: context.der().to_vec(),
            friendly_name: friendly_name.transpose()?,
            limits: limits.collect::<Result<_, _>>()?,
            element: context.element(store)?,
            properties,
        })
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The friendly name, where it has one.
    pub fn friendly_name(&self) -> Option<&str> {
        self.friendly_name.as_deref()
    }

    /// What takes trust away from it.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The ids of all its properties, those of the limits among them.
    pub fn properties(&self) -> &[u32] {
        &self.properties
    }

    /// Whether the store says that the machine has a private key for it.
    pub fn has_key(&self) -> bool {
        self.properties.contains(&CERT_KEY_PROV_INFO_PROP_ID)
    }

    /// The certificate with its properties, serialised as the registry keeps it: for a backup, and for whoever reads such
    /// elements (`windows-element`).
    pub fn element(&self) -> &[u8] {
        &self.element
    }

    /// What Windows shows as its thumbprint.
    pub fn sha1(&self) -> [u8; 20] {
        Sha1::digest(&self.der).into()
    }

    /// The SHA-256 over its bytes.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }
}
