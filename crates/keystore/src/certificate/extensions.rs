//! The extensions that this crate uses (RFC 5280 §4.2). The module takes the extensions of a certificate and gives the
//! values of the known ones. It never reads the value of another extension.

use std::collections::BTreeSet;

use super::{CertificateErrorKind, ParseFailure, malformed};
use crate::der::{self, DerError, DerFault, DerReader, Tlv};

/// The key usage bits (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    const NAMES: [&'static str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    fn bit(self, index: u32) -> bool {
        self.0 & (0x8000 >> index) != 0
    }

    /// Whether the key may sign handshakes and documents.
    #[must_use]
    pub fn digital_signature(self) -> bool {
        self.bit(0)
    }

    /// Whether the key may encrypt keys, as RSA key exchange does.
    #[must_use]
    pub fn key_encipherment(self) -> bool {
        self.bit(2)
    }

    /// Whether the key may sign certificates.
    #[must_use]
    pub fn key_cert_sign(self) -> bool {
        self.bit(5)
    }

    /// The names of all usages that are set, as RFC 5280 spells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..).zip(Self::NAMES).filter(move |(index, _)| self.bit(*index)).map(|(_, name)| name)
    }
}

/// The object identifier of Netscape's certificate type.
pub(crate) const NETSCAPE_TYPE: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x01, 0x01];
/// The bits of Netscape's certificate type for CAs: of TLS, of mail, of code.
const NETSCAPE_CA: u8 = 0x07;

/// The values of the known extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct Extensions {
    pub(super) critical: Vec<String>,
    pub(super) has_san: bool,
    pub(super) dns_names: Vec<String>,
    /// How many names of other kinds the SAN holds: addresses, URIs, directory names.
    pub(super) other_names: usize,
    pub(super) is_ca: bool,
    pub(super) has_basic_constraints: bool,
    /// Whether Netscape's certificate type (2.16.840.1.113730.1.1) names one of its three kinds of CA.
    pub(super) is_netscape_ca: bool,
    pub(super) path_length: Option<u64>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usage: Option<Vec<String>>,
    pub(super) subject_key_id: Option<Vec<u8>>,
    pub(super) authority_key_id: Option<Vec<u8>>,
}

impl Extensions {
    /// Reads the `[3]` element of a certificate.
    pub(super) fn read(wrapped: &Tlv<'_>) -> Result<Self, ParseFailure> {
        let at = malformed("its extensions");
        let mut outer = wrapped.inner();
        let mut list = outer.expect(der::SEQUENCE).map_err(&at)?.inner();
        outer.end().map_err(&at)?;
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        while !list.is_empty() {
            let mut extension = list.expect(der::SEQUENCE).map_err(&at)?.inner();
            let oid = extension.expect(der::OID).map_err(&at)?;
            let critical = match extension.optional(0x01).map_err(&at)? {
                Some(flag) if flag.body.len() == 1 => flag.body != [0],
                Some(flag) => return Err(at(flag.bad())),
                None => false,
            };
            let value = extension.expect(der::OCTET_STRING).map_err(&at)?;
            extension.end().map_err(&at)?;
            let name = der::dotted(oid.body).ok_or_else(|| at(oid.bad()))?;
            if !seen.insert(oid.body) {
                // The first extension of a type counts. The `jvm` module judges how a JVM reads two of one type.
                continue;
            }
            if critical {
                found.critical.push(name.clone());
            }
            found.known(oid.body, &value).map_err(|error| ParseFailure {
                offset: (value.body_at() + error.at) as u64,
                kind: CertificateErrorKind::Extension { oid: name, critical, what: error.fault.what() },
            })?;
        }
        Ok(found)
    }

    /// Stores the value of an extension, if the extension is one of the known types.
    fn known(&mut self, oid: &[u8], value: &Tlv<'_>) -> Result<(), DerError> {
        let mut content = DerReader::new(value.body);
        if oid == NETSCAPE_TYPE {
            // A value that cannot be read is no error: no JVM reads this extension while it loads a store.
            let bits = content.expect(der::BIT_STRING).ok().and_then(|bits| bits.body.get(1).copied());
            self.is_netscape_ca = bits.is_some_and(|bits| bits & NETSCAPE_CA != 0);
        }
        let [0x55, 0x1d, number] = oid else {
            return Ok(());
        };
        match number {
            14 => {
                let identifier = content.expect(der::OCTET_STRING)?;
                self.subject_key_id = Some(identifier.body.to_vec());
            }
            15 => self.key_usage = Some(key_usage(&content.expect(der::BIT_STRING)?)?),
            17 => self.alternative_names(&content.expect(der::SEQUENCE)?)?,
            19 => {
                self.has_basic_constraints = true;
                let mut constraints = content.expect(der::SEQUENCE)?.inner();
                if let Some(flag) = constraints.optional(0x01)? {
                    self.is_ca = flag.body != [0];
                }
                if let Some(length) = constraints.optional(der::INTEGER)? {
                    // The JDK loads a negative length, which has no meaning.
                    self.path_length = length.small().ok();
                }
                constraints.end()?;
            }
            35 => {
                let mut identifier = content.expect(der::SEQUENCE)?.inner();
                self.authority_key_id = identifier.optional(0x80)?.map(|key| key.body.to_vec());
                while !identifier.is_empty() {
                    identifier.next()?;
                }
            }
            37 => {
                let mut usages = content.expect(der::SEQUENCE)?.inner();
                let mut names = Vec::new();
                while !usages.is_empty() {
                    let usage = usages.expect(der::OID)?;
                    names.push(usage_name(der::dotted(usage.body).ok_or(usage.bad())?));
                }
                self.extended_key_usage = Some(names);
            }
            _ => return Ok(()),
        }
        content.end()
    }

    /// Reads GeneralNames (RFC 5280 §4.2.1.6).
    fn alternative_names(&mut self, names: &Tlv<'_>) -> Result<(), DerError> {
        self.has_san = true;
        let mut names = names.inner();
        while !names.is_empty() {
            let name = names.next()?;
            match name.tag {
                0x82 => self.dns_names.push(String::from_utf8_lossy(name.body).into_owned()),
                _ => self.other_names += 1,
            }
        }
        Ok(())
    }
}

fn key_usage(bits: &Tlv<'_>) -> Result<KeyUsage, DerError> {
    match bits.body {
        [0..=7] => Ok(KeyUsage(0)),
        [0..=7, high] => Ok(KeyUsage(u16::from(*high) << 8)),
        [0..=7, high, low, ..] => Ok(KeyUsage(u16::from_be_bytes([*high, *low]))),
        _ => Err(DerError { fault: DerFault::BadValue, at: bits.at }),
    }
}

/// The name of a usage in RFC 5280, or its dotted identifier if it has none.
pub(crate) fn usage_name(oid: String) -> String {
    let known = match oid.as_str() {
        "2.5.29.37.0" => "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.1" => "serverAuth",
        "1.3.6.1.5.5.7.3.2" => "clientAuth",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.5" => "ipsecEndSystem",
        "1.3.6.1.5.5.7.3.6" => "ipsecTunnel",
        "1.3.6.1.5.5.7.3.7" => "ipsecUser",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        _ => return oid,
    };
    known.to_owned()
}
