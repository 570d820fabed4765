//! Distinguished names as `keytool` shows them: most specific part first, with the escapes of RFC 2253. The module
//! takes the encoding of a name and gives text without unprintable characters. It never checks whether a name is
//! allowed.

use std::fmt::Write as _;

use crate::der::{self, DerError, DerFault, Tlv};
use crate::digest::hex;
use crate::text::is_hidden;

/// The keywords of the JDK's `X500Name.toString`.
const KEYWORDS: [(&[u8], &str); 19] = [
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "T"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 46], "DNQ"),
    (&[0x55, 4, 4], "SURNAME"),
    (&[0x55, 4, 42], "GIVENNAME"),
    (&[0x55, 4, 43], "INITIALS"),
    (&[0x55, 4, 44], "GENERATION"),
    (&[0x55, 4, 5], "SERIALNUMBER"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "EMAILADDRESS"),
    (&[0x2b, 6, 1, 4, 1, 0x2a, 2, 11, 2, 1], "IP"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x55, 4, 97], "organizationIdentifier"),
];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// A name as text, with its most specific common name.
pub(super) struct DistinguishedName {
    pub(super) text: String,
    pub(super) common_name: Option<String>,
    /// All common names, in the order of the encoding.
    pub(super) common_names: Vec<String>,
}

/// Reads an RDNSequence. A string of any type is shown; only a broken structure is an error.
pub(super) fn read(name: &Tlv<'_>) -> Result<DistinguishedName, DerError> {
    let mut parts = Vec::new();
    let mut common_names = Vec::new();
    let mut rdns = name.inner();
    while !rdns.is_empty() {
        let rdn = rdns.expect(der::SET)?;
        let mut attributes = rdn.inner();
        let mut text = String::new();
        if attributes.is_empty() {
            return Err(DerError { fault: DerFault::Short, at: rdn.at });
        }
        while !attributes.is_empty() {
            let mut attribute = attributes.expect(der::SEQUENCE)?.inner();
            let kind = attribute.expect(der::OID)?;
            let value = attribute.next()?;
            attribute.end()?;
            if !text.is_empty() {
                text.push_str(" + ");
            }
            match KEYWORDS.iter().find(|(oid, _)| *oid == kind.body) {
                Some((_, keyword)) => text.push_str(keyword),
                None => {
                    text.push_str("OID.");
                    text.push_str(&der::dotted(kind.body).ok_or(kind.bad())?);
                }
            }
            text.push('=');
            match units(&value) {
                Some(units) => {
                    if kind.body == COMMON_NAME {
                        common_names.push(plain(&units));
                    }
                    write_value(&mut text, &units);
                }
                None => {
                    text.push('#');
                    text.push_str(&hex(value.raw));
                }
            }
        }
        parts.push(text);
    }
    parts.reverse();
    let common_name = common_names.last().cloned();
    Ok(DistinguishedName { text: parts.join(", "), common_name, common_names })
}

/// A character, or a byte that belongs to no character.
enum Unit {
    Character(char),
    Byte(u8),
}

/// The characters of a directory string of any type; `None` if the value is no string.
fn units(value: &Tlv<'_>) -> Option<Vec<Unit>> {
    let wide = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    match value.tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString, GeneralString
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a | 0x1b => {
            let mut units = Vec::new();
            for chunk in value.body.utf8_chunks() {
                units.extend(chunk.valid().chars().map(Unit::Character));
                units.extend(chunk.invalid().iter().map(|byte| Unit::Byte(*byte)));
            }
            Some(units)
        }
        // T61String, VideotexString, GraphicString: in practice Latin-1
        0x14 | 0x15 | 0x19 => Some(value.body.iter().map(|byte| Unit::Character(char::from(*byte))).collect()),
        // UniversalString
        0x1c if value.body.len().is_multiple_of(4) => {
            let (quads, _) = value.body.as_chunks::<4>();
            Some(quads.iter().map(|quad| Unit::Character(wide(u32::from_be_bytes(*quad)))).collect())
        }
        // BMPString; Java writes surrogate pairs into it
        0x1e if value.body.len().is_multiple_of(2) => {
            let (pairs, _) = value.body.as_chunks::<2>();
            let characters = char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
            Some(characters.map(|found| Unit::Character(found.unwrap_or(char::REPLACEMENT_CHARACTER))).collect())
        }
        _ => None,
    }
}

/// The value unescaped, for comparisons.
fn plain(units: &[Unit]) -> String {
    units
        .iter()
        .map(|unit| match unit {
            Unit::Character(character) => *character,
            Unit::Byte(_) => char::REPLACEMENT_CHARACTER,
        })
        .collect()
}

/// Writes the value with the JDK's quotes. Unprintable characters become the hex pairs of RFC 2253 (`\0A`).
fn write_value(text: &mut String, units: &[Unit]) {
    let special = |unit: &Unit| matches!(unit, Unit::Character(',' | '+' | '=' | '<' | '>' | '#' | ';' | '"' | '\\'));
    let blank = |unit: Option<&Unit>| matches!(unit, Some(Unit::Character(' ')));
    let double = units.windows(2).any(|pair| blank(pair.first()) && blank(pair.last()));
    let quoted = units.iter().any(special) || blank(units.first()) || blank(units.last()) || double;
    if quoted {
        text.push('"');
    }
    for unit in units {
        // Writing to a `String` cannot fail.
        match unit {
            Unit::Character(character @ ('"' | '\\')) => {
                text.push('\\');
                text.push(*character);
            }
            Unit::Character(character) if is_hidden(*character) => {
                let mut buffer = [0; 4];
                for byte in character.encode_utf8(&mut buffer).bytes() {
                    write!(text, "\\{byte:02X}").ok();
                }
            }
            Unit::Character(character) => text.push(*character),
            Unit::Byte(byte) => {
                write!(text, "\\{byte:02X}").ok();
            }
        }
    }
    if quoted {
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::der::{DerReader, encode};

    fn name(attributes: &[(&[u8], u8, &[u8])]) -> DistinguishedName {
        let mut body = Vec::new();
        for (oid, tag, value) in attributes {
            let attribute = [encode(der::OID, oid), encode(*tag, value)].concat();
            body.extend(encode(der::SET, &encode(der::SEQUENCE, &attribute)));
        }
        let bytes = encode(der::SEQUENCE, &body);
        read(&DerReader::new(&bytes).next().unwrap()).unwrap()
    }

    #[test]
    fn the_most_specific_part_comes_first() {
        let name =
            name(&[(&[0x55, 4, 6], 0x13, b"US"), (&[0x55, 4, 10], 0x0c, b"Acme, Inc."), (&[0x55, 4, 3], 0x0c, b"a")]);
        assert_eq!(name.text, "CN=a, O=\"Acme, Inc.\", C=US");
        assert_eq!(name.common_name.unwrap(), "a");
    }

    #[test]
    fn any_string_type_is_shown_and_nothing_unprintable_leaves() {
        assert_eq!(name(&[(&[0x55, 4, 3], 0x0c, b"M\xfcller\n")]).text, "CN=M\\FCller\\0A");
        assert_eq!(name(&[(&[0x55, 4, 3], 0x14, b"M\xfcller")]).text, "CN=Müller");
        assert_eq!(name(&[(&[0x55, 4, 3], 0x1e, &[0, 0x61, 0xd8, 0x3d, 0xde, 0])]).text, "CN=a😀");
        assert_eq!(name(&[(&[0x55, 4, 3], 0x03, &[0, 1])]).text, "CN=#03020001");
        assert_eq!(name(&[(&[0x2a, 3], 0x0c, b"x")]).text, "OID.1.2.3=x");
        assert_eq!(name(&[(&[0x55, 4, 3], 0x0c, "\u{202e}a".as_bytes())]).text, "CN=\\E2\\80\\AEa");
    }
}
