//! The class that the JDK has for each extension: `sun.security.x509.OIDMap`. The module takes an object identifier and
//! gives a [`ExtensionClass`]. It never reads the extension.

/// A class of the JDK for an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExtensionClass {
    SubjectKeyIdentifier,
    KeyUsage,
    PrivateKeyUsage,
    SubjectAlternativeName,
    IssuerAlternativeName,
    BasicConstraints,
    CrlNumber,
    CrlReasonCode,
    DeltaCrlIndicator,
    IssuingDistributionPoint,
    CertificateIssuer,
    NameConstraints,
    CrlDistributionPoints,
    CertificatePolicies,
    PolicyMappings,
    AuthorityKeyIdentifier,
    PolicyConstraints,
    ExtendedKeyUsage,
    FreshestCrl,
    InhibitAnyPolicy,
    AuthorityInfoAccess,
    SubjectInfoAccess,
    NetscapeCertType,
    OcspNoCheck,
}

impl ExtensionClass {
    /// The class for an object identifier (`OIDMap.getClass`).
    pub(super) fn of(oid: &[u8]) -> Option<Self> {
        Some(match oid {
            [0x55, 0x1d, number] => match number {
                14 => Self::SubjectKeyIdentifier,
                15 => Self::KeyUsage,
                16 => Self::PrivateKeyUsage,
                17 => Self::SubjectAlternativeName,
                18 => Self::IssuerAlternativeName,
                19 => Self::BasicConstraints,
                20 => Self::CrlNumber,
                21 => Self::CrlReasonCode,
                27 => Self::DeltaCrlIndicator,
                28 => Self::IssuingDistributionPoint,
                29 => Self::CertificateIssuer,
                30 => Self::NameConstraints,
                31 => Self::CrlDistributionPoints,
                32 => Self::CertificatePolicies,
                33 => Self::PolicyMappings,
                35 => Self::AuthorityKeyIdentifier,
                36 => Self::PolicyConstraints,
                37 => Self::ExtendedKeyUsage,
                46 => Self::FreshestCrl,
                54 => Self::InhibitAnyPolicy,
                _ => return None,
            },
            // 1.3.6.1.5.5.7.1.1, 1.3.6.1.5.5.7.1.11, 1.3.6.1.5.5.7.48.1.5
            [0x2b, 6, 1, 5, 5, 7, 1, 1] => Self::AuthorityInfoAccess,
            [0x2b, 6, 1, 5, 5, 7, 1, 11] => Self::SubjectInfoAccess,
            [0x2b, 6, 1, 5, 5, 7, 48, 1, 5] => Self::OcspNoCheck,
            // 2.16.840.1.113730.1.1
            [0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 1, 1] => Self::NetscapeCertType,
            _ => return None,
        })
    }
}

/// Whether the JDK has a class for an extension of this type.
pub(super) fn jdk_has_class(oid: &[u8]) -> bool {
    ExtensionClass::of(oid).is_some()
}
