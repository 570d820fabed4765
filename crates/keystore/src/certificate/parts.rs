//! The parts of a certificate that only path validation uses. The module takes a certificate and gives slices of its
//! DER. Nothing stores these parts: they are read again each time.

use super::Certificate;
use crate::der::{self, DerError, DerReader, Tlv};

/// One extension, as the certificate encodes it (RFC 5280 §4.2).
pub(crate) struct Extension<'a> {
    /// The contents of the object identifier.
    pub(crate) oid: &'a [u8],
    /// The contents of the OCTET STRING.
    pub(crate) value: &'a [u8],
}

/// The parts of one certificate (RFC 5280 §4.1).
pub(crate) struct CertificateParts<'a> {
    /// The signed part, with its tag.
    pub(crate) signed: &'a [u8],
    /// The contents of the signature's AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    /// The contents of the AlgorithmIdentifier inside the signed part.
    pub(crate) signed_algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// The contents of the serial number.
    pub(crate) serial: &'a [u8],
    /// The two times of the validity.
    pub(crate) times: [Tlv<'a>; 2],
    pub(crate) subject: Tlv<'a>,
    /// The contents of the key's AlgorithmIdentifier.
    pub(crate) key_algorithm: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) extensions: Vec<Extension<'a>>,
}

impl<'a> CertificateParts<'a> {
    /// Splits a certificate into its parts.
    ///
    /// # Errors
    /// [`DerError`] if a part has a form that the readers of the JDK and openssl do not allow: a signature or a key
    /// that does not consist of whole bytes.
    pub(crate) fn of(certificate: &'a Certificate) -> Result<Self, DerError> {
        let mut outer = DerReader::new(certificate.der()).expect(der::SEQUENCE)?.inner();
        let tbs = outer.expect(der::SEQUENCE)?;
        let algorithm = outer.expect(der::SEQUENCE)?;
        let signature = outer.expect(der::BIT_STRING)?.bits()?;
        let mut fields = tbs.inner();
        fields.optional(der::CONTEXT_0)?;
        let serial = fields.expect(der::INTEGER)?;
        let signed_algorithm = fields.expect(der::SEQUENCE)?;
        fields.expect(der::SEQUENCE)?;
        let mut validity = fields.expect(der::SEQUENCE)?.inner();
        let times = [validity.next()?, validity.next()?];
        let subject = fields.expect(der::SEQUENCE)?;
        let mut spki = fields.expect(der::SEQUENCE)?.inner();
        let key_algorithm = spki.expect(der::SEQUENCE)?;
        let key = spki.expect(der::BIT_STRING)?.bits()?;
        for unique_id in [0x81, 0x82] {
            fields.optional(unique_id)?;
        }
        let mut extensions = Vec::new();
        if let Some(wrapped) = fields.optional(0xa3)? {
            let mut list = wrapped.inner().expect(der::SEQUENCE)?.inner();
            while !list.is_empty() {
                let mut extension = list.expect(der::SEQUENCE)?.inner();
                let oid = extension.expect(der::OID)?;
                extension.optional(0x01)?;
                let value = extension.expect(der::OCTET_STRING)?;
                extensions.push(Extension { oid: oid.body, value: value.body });
            }
        }
        Ok(Self {
            signed: tbs.raw,
            algorithm: algorithm.body,
            signed_algorithm: signed_algorithm.body,
            signature,
            serial: serial.body,
            times,
            subject,
            key_algorithm: key_algorithm.body,
            key,
            extensions,
        })
    }

    /// The contents of the extension with this object identifier.
    pub(crate) fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.extensions.iter().find(|extension| extension.oid == oid).map(|extension| extension.value)
    }
}
