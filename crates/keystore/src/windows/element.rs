//! One serialised element: property records, then the certificate, revocation list or trust list (MS-OSHARED 2.3.2.5,
//! MS-GPEF 2.2.1.1.1.1). It is the value `Blob` of the registry and a file of a user's own store. The module reads
//! elements and makes new ones. It never interprets a property except the friendly name.
//!
//! ```text
//! record:  u32 id | u32 encoding, always 1 | u32 length | value        little-endian, no padding
//! element: records of properties, then one record of id 32 (certificate), 33 (CRL) or 34 (CTL)
//! ```

use sha1::{Digest as _, Sha1};

use super::fault::corrupt;
use crate::digest::hex;
use crate::error::{EditError, ReadError};
use crate::format::Format;
use crate::reader::{Reader, Short};

/// `X509_ASN_ENCODING`, the only existing encoding.
const ENCODING: u32 = 1;
/// `CERT_LAST_USER_PROP_ID`.
const LAST_ID: u32 = 0xffff;
/// The length of a record without its value.
const HEAD: usize = 12;

/// Identifiers of properties (`CERT_…_PROP_ID` of wincrypt.h).
pub(super) mod property {
    pub(crate) const KEY_PROVIDER: u32 = 2;
    pub(crate) const SHA1: u32 = 3;
    pub(crate) const USAGE: u32 = 9;
    pub(crate) const FRIENDLY_NAME: u32 = 11;
    pub(crate) const ARCHIVED: u32 = 19;
    pub(crate) const CERTIFICATE: u32 = 32;
    pub(crate) const REVOCATION_LIST: u32 = 33;
    pub(crate) const TRUST_LIST: u32 = 34;
    pub(crate) const DISALLOWED_TIME: u32 = 104;
    pub(crate) const DISALLOWED_USAGE: u32 = 122;
    pub(crate) const NOT_BEFORE_TIME: u32 = 126;
    pub(crate) const NOT_BEFORE_USAGE: u32 = 127;
    pub(crate) const DISALLOWED_CA_TIME: u32 = 128;
}

/// A property.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property<'a> {
    pub(super) id: u32,
    pub(super) value: &'a [u8],
}

/// The kind of an element's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    Certificate,
    RevocationList,
    TrustList,
}

/// An element.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// The properties, in order.
    pub(super) properties: Vec<Property<'a>>,
    pub(super) content: ElementType,
    /// The content in DER.
    pub(super) value: &'a [u8],
    /// The offset of the content.
    pub(super) value_at: usize,
}

impl<'a> Element<'a> {
    /// The first property with this id.
    pub(super) fn property(&self, id: u32) -> Option<&'a [u8]> {
        self.properties.iter().find(|property| property.id == id).map(|property| property.value)
    }

    /// The friendly name, if it is not empty.
    pub(super) fn label(&self) -> Option<String> {
        let (units, _) = self.property(property::FRIENDLY_NAME)?.as_chunks::<2>();
        let units: Vec<u16> =
            units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0).collect();
        (!units.is_empty()).then(|| String::from_utf16_lossy(&units))
    }
}

/// Reads the next element.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, ReadError> {
    let mut properties = Vec::new();
    loop {
        let at = reader.position();
        if reader.left() == 0 && !properties.is_empty() {
            return Err(corrupt("the properties end and no certificate (id 32) follows", at));
        }
        let Property { id, value } = record(reader)?;
        let content = match id {
            property::CERTIFICATE => ElementType::Certificate,
            property::REVOCATION_LIST => ElementType::RevocationList,
            property::TRUST_LIST => ElementType::TrustList,
            _ => {
                properties.push(Property { id, value });
                continue;
            }
        };
        return Ok(Element { properties, content, value, value_at: at + HEAD });
    }
}

fn record<'a>(reader: &mut Reader<'a>) -> Result<Property<'a>, ReadError> {
    let at = reader.position();
    let cut = |_: Short| corrupt("the head of a property record is cut", at);
    let id = reader.u32_le().map_err(cut)?;
    let encoding = reader.u32_le().map_err(cut)?;
    let length = reader.u32_le().map_err(cut)?;
    if id == 0 {
        return Err(corrupt("a property of id 0 where a certificate (id 32) should come", at));
    }
    if encoding != ENCODING {
        return Err(corrupt(format!("property {id} has encoding {encoding}, but only 1 is known"), at + 4));
    }
    let value = reader.take(length as usize).map_err(|short| {
        corrupt(format!("property {id} is {length} bytes long, but only {} are left", short.left), short.at)
    })?;
    Ok(Property { id, value })
}

/// Reads an element that must be the whole input.
pub(super) fn only(bytes: &[u8]) -> Result<Element<'_>, ReadError> {
    let mut reader = Reader::new(bytes);
    let element = read(&mut reader)?;
    if reader.left() > 0 {
        let cause = match Reader::at(bytes, reader.position()).u32_le() {
            Ok(property::CERTIFICATE) => "a second certificate in one element".to_owned(),
            _ => format!("{} bytes follow the end of the element", reader.left()),
        };
        return Err(corrupt(cause, reader.position()));
    }
    Ok(element)
}

/// Whether the file begins like an element: a complete record, followed by the head of another one; or a record that
/// holds a certificate.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let head = |reader: &mut Reader<'_>| -> Option<(u32, u32)> {
        let (id, encoding, length) = (reader.u32_le().ok()?, reader.u32_le().ok()?, reader.u32_le().ok()?);
        ((1..=LAST_ID).contains(&id) && encoding == ENCODING).then_some((id, length))
    };
    let mut reader = Reader::new(bytes);
    let Some((id, length)) = head(&mut reader) else {
        return false;
    };
    if id == property::CERTIFICATE {
        return bytes.get(HEAD) == Some(&crate::der::SEQUENCE);
    }
    reader.take(length as usize).is_ok() && head(&mut reader).is_some()
}

/// A new element: the friendly name if there is one, the SHA-1 by which Windows finds the certificate, and the
/// certificate. Windows computes all other properties when it needs them.
pub(super) fn make(format: Format, name: Option<&str>, der: &[u8]) -> Result<Vec<u8>, EditError> {
    let mut out = Vec::with_capacity(der.len() + 128);
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        if name.contains('\0') {
            return Err(EditError::BadAlias { alias: name.to_owned(), why: "a NUL would end the friendly name" });
        }
        let value: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        put(&mut out, format, property::FRIENDLY_NAME, &value)?;
    }
    put(&mut out, format, property::SHA1, &Sha1::digest(der))?;
    put(&mut out, format, property::CERTIFICATE, der)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, format: Format, id: u32, value: &[u8]) -> Result<(), EditError> {
    let length = u32::try_from(value.len())
        .map_err(|_| EditError::NotRepresentable { format, why: "a value of 4 GiB or more".to_owned() })?;
    for number in [id, ENCODING, length] {
        out.extend(number.to_le_bytes());
    }
    out.extend_from_slice(value);
    Ok(())
}

/// The name of a certificate's key in the registry: the upper-case hex of its SHA-1 (MS-GPEF 2.2.1.1.1).
pub(super) fn key_name(der: &[u8]) -> String {
    hex(&Sha1::digest(der)).to_uppercase()
}
