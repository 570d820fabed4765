//! Tagged elements as the JDK reads them: `sun.security.util.DerValue`, `DerInputStream`, `ObjectIdentifier` and
//! `BitArray`. The module takes bytes and gives elements, or says that the JDK refuses them or that it cannot tell.
//!
//! The JDK is more tolerant than DER in some places and less in others, and Java 8 differs from Java 17: Java 8 refuses
//! lengths that are not in their shortest form, and Java 17 refuses tag numbers above 30. Both releases convert an
//! indefinite length inside a definite one in ways that are not modelled. The answer for such an element is "cannot
//! tell".

use std::borrow::Cow;

use super::JavaRelease;

/// Why a class of the JDK stops reading, or why this model does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JvmStop {
    pub(super) kind: StopKind,
    pub(super) what: &'static str,
    /// The object identifier of the reason, if it differs from that of the place.
    pub(super) oid: Option<String>,
}

/// Whether the JDK stops or the model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopKind {
    /// The JDK throws an exception.
    Refused,
    /// The model ends here: the behaviour of the JDK depends on something that is not modelled.
    Doubt,
}

impl JvmStop {
    /// Adds the object identifier of the reason, unless the reason has one.
    pub(super) fn about(mut self, oid: &[u8]) -> Self {
        self.oid = self.oid.or_else(|| crate::der::dotted(oid));
        self
    }
}

pub(super) type Parsed<T> = Result<T, JvmStop>;

/// The JDK throws an exception.
pub(super) fn refuse<T>(what: &'static str) -> Parsed<T> {
    Err(JvmStop { kind: StopKind::Refused, what, oid: None })
}

/// The behaviour of the JDK is not modelled.
pub(super) fn doubt<T>(what: &'static str) -> Parsed<T> {
    Err(JvmStop { kind: StopKind::Doubt, what, oid: None })
}

/// The JDK throws an exception unless this condition holds.
pub(super) fn require(holds: bool, what: &'static str) -> Parsed<()> {
    if holds { Ok(()) } else { refuse(what) }
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
    pub(super) java: JavaRelease,
}

/// Elements one after another.
#[derive(Debug, Clone)]
pub(super) struct Stream<'a> {
    rest: &'a [u8],
    java: JavaRelease,
}

/// A bit string: its bytes with the unused bits cleared, and the number of its bits.
pub(super) struct Bits<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) count: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8], java: JavaRelease) -> Self {
        Self { rest: bytes, java }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn java(&self) -> JavaRelease {
        self.java
    }

    /// The next element (`DerInputStream.getDerValue`).
    pub(super) fn next(&mut self) -> Parsed<Value<'a>> {
        let (&[tag, first], after) = match self.rest.split_first_chunk::<2>() {
            Some(parts) => parts,
            None => return refuse("an element is cut short"),
        };
        if tag & 0x1f == 0x1f && self.java == JavaRelease::Java17 {
            return refuse("a tag number above 30");
        }
        let (length, after) = match first {
            0x80 => return doubt("an indefinite length"),
            0..=0x7f => (usize::from(first), after),
            _ => long_length(usize::from(first & 0x7f), after, self.java)?,
        };
        let Some((body, rest)) = after.split_at_checked(length) else {
            return refuse("an element is longer than what holds it");
        };
        self.rest = rest;
        Ok(Value { tag, body, java: self.java })
    }

    /// All remaining elements.
    pub(super) fn all(mut self) -> Parsed<Vec<Value<'a>>> {
        let mut values = Vec::new();
        while !self.is_empty() {
            values.push(self.next()?);
        }
        Ok(values)
    }

    /// The elements inside the next element, which must be a SEQUENCE (`DerInputStream.getSequence`).
    pub(super) fn sequence(&mut self) -> Parsed<Vec<Value<'a>>> {
        let value = self.next()?;
        require(value.tag == SEQUENCE, "no SEQUENCE where one belongs")?;
        value.stream().all()
    }

    /// The next element as an object identifier.
    pub(super) fn oid(&mut self) -> Parsed<&'a [u8]> {
        self.next()?.oid()
    }

    /// The next element as an OCTET STRING, which may not be in pieces here (`DerInputStream.getOctetString`).
    pub(super) fn octets(&mut self) -> Parsed<&'a [u8]> {
        let value = self.next()?;
        require(value.tag == OCTET_STRING, "no OCTET STRING where one belongs")?;
        Ok(value.body)
    }
}

/// The body of an element whose length begins with this byte, and the bytes that follow the body. The length may be in
/// any form.
pub(super) fn definite(first: u8, after: &[u8]) -> Parsed<(&[u8], &[u8])> {
    let (length, after) = match first {
        0..=0x7f => (usize::from(first), after),
        _ => long_length(usize::from(first & 0x7f), after, JavaRelease::Java17)?,
    };
    match after.split_at_checked(length) {
        Some(parts) => Ok(parts),
        None => refuse("an element is longer than what holds it"),
    }
}

/// A length in several bytes, and the bytes that follow it.
fn long_length(count: usize, after: &[u8], java: JavaRelease) -> Parsed<(usize, &[u8])> {
    let Some((bytes, rest)) = after.split_at_checked(count).filter(|_| count <= 4) else {
        return refuse("a length that is cut short or too long");
    };
    let length = bytes.iter().fold(0u32, |value, byte| (value << 8) | u32::from(*byte));
    if length > i32::MAX.unsigned_abs() {
        return refuse("a length above 2³¹");
    }
    if java == JavaRelease::Java8 && (bytes.first() == Some(&0) || length < 0x80) {
        return refuse("a length that is not in its shortest form");
    }
    Ok((usize::try_from(length).unwrap_or(usize::MAX), rest))
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'a> Value<'a> {
    /// Bytes that are one element and nothing more (`new DerValue(byte[])`).
    pub(super) fn whole(bytes: &'a [u8], java: JavaRelease) -> Parsed<Self> {
        let mut stream = Stream::new(bytes, java);
        let value = stream.next()?;
        require(stream.is_empty(), "bytes after the end of an element")?;
        Ok(value)
    }

    /// The elements inside this element, whatever its tag.
    pub(super) fn stream(&self) -> Stream<'a> {
        Stream::new(self.body, self.java)
    }

    /// The elements inside a SEQUENCE or SET (`DerValue.toDerInputStream`).
    pub(super) fn collection(&self) -> Parsed<Stream<'a>> {
        require(matches!(self.tag, SEQUENCE | SET), "no SEQUENCE or SET where one belongs")?;
        Ok(self.stream())
    }

    /// The elements inside a SEQUENCE.
    pub(super) fn sequence(&self) -> Parsed<Stream<'a>> {
        require(self.tag == SEQUENCE, "no SEQUENCE where one belongs")?;
        Ok(self.stream())
    }

    /// The same contents under another tag (`DerValue.resetTag`).
    pub(super) fn tagged(mut self, tag: u8) -> Self {
        self.tag = tag;
        self
    }

    pub(super) fn is_constructed(&self) -> bool {
        self.tag & 0x20 != 0
    }

    pub(super) fn is_context(&self, number: u8) -> bool {
        self.tag & 0xc0 == 0x80 && self.tag & 0x1f == number
    }

    /// Whether this is a primitive element with this context tag.
    pub(super) fn is_primitive_context(&self, number: u8) -> bool {
        self.is_context(number) && !self.is_constructed()
    }

    /// Whether this is a constructed element with this context tag.
    pub(super) fn is_constructed_context(&self, number: u8) -> bool {
        self.is_context(number) && self.is_constructed()
    }

    pub(super) fn boolean(&self) -> Parsed<bool> {
        match (self.tag, self.body) {
            (BOOLEAN, [byte]) => Ok(*byte != 0),
            _ => refuse("no BOOLEAN of one byte where one belongs"),
        }
    }

    /// An object identifier: complete, of at most 4096 bytes, no number with a useless first byte
    /// (`ObjectIdentifier.check`).
    pub(super) fn oid(&self) -> Parsed<&'a [u8]> {
        require(self.tag == OID, "no object identifier where one belongs")?;
        let ended = self.body.last().is_some_and(|byte| byte & 0x80 == 0);
        require(ended && self.body.len() <= 4096, "an object identifier that is empty, cut short or too long")?;
        let mut begins = true;
        for byte in self.body {
            require(!(begins && *byte == 0x80), "an object identifier with a useless byte")?;
            begins = byte & 0x80 == 0;
        }
        Ok(self.body)
    }

    /// The bytes of an INTEGER of any size (`getBigInteger`).
    pub(super) fn big_integer(&self) -> Parsed<&'a [u8]> {
        require(self.tag == INTEGER && !self.body.is_empty(), "no INTEGER where one belongs")?;
        Ok(self.body)
    }

    /// An INTEGER that fits into 32 bits (`getInteger`).
    pub(super) fn integer(&self) -> Parsed<i32> {
        self.number(INTEGER)
    }

    /// An ENUMERATED that fits into 32 bits (`getEnumerated`).
    pub(super) fn enumerated(&self) -> Parsed<i32> {
        self.number(ENUMERATED)
    }

    fn number(&self, tag: u8) -> Parsed<i32> {
        require(self.tag == tag && !self.body.is_empty(), "no number where one belongs")?;
        let negative = self.body.first().is_some_and(|byte| byte & 0x80 != 0);
        let fill = if negative { 0xff } else { 0 };
        let extra = self.body.len().saturating_sub(4);
        let (lead, low) = self.body.split_at_checked(extra).unwrap_or((&[], self.body));
        let number = low.iter().fold(if negative { -1 } else { 0 }, |value: i32, byte| (value << 8) | i32::from(*byte));
        let fits = lead.iter().all(|byte| *byte == fill) && (number < 0) == negative;
        require(fits, "a number that does not fit into 32 bits")?;
        Ok(number)
    }

    /// A BIT STRING (`getUnalignedBitString`).
    pub(super) fn bits(&self) -> Parsed<Bits<'a>> {
        require(self.tag == BIT_STRING, "no BIT STRING where one belongs")?;
        self.implicit_bits()
    }

    /// A BIT STRING under any tag (`getUnalignedBitString(true)`).
    pub(super) fn implicit_bits(&self) -> Parsed<Bits<'a>> {
        let Some((unused, bytes)) = self.body.split_first() else {
            return refuse("an empty BIT STRING");
        };
        let unused = usize::from(*unused);
        require(unused < 8 && bytes.len() * 8 >= unused, "a BIT STRING with an impossible number of unused bits")?;
        let mut bytes = Cow::Borrowed(bytes);
        if unused != 0
            && let Some(last) = bytes.to_mut().last_mut()
        {
            *last &= 0xff << unused;
        }
        let count = bytes.len() * 8 - unused;
        Ok(Bits { bytes, count })
    }

    /// An OCTET STRING (`DerValue.getOctetString`). The JDK joins the pieces of one; the model does not.
    pub(super) fn octets(&self) -> Parsed<&'a [u8]> {
        match self.tag {
            OCTET_STRING => Ok(self.body),
            tag if tag & 0x3f == 0x24 => doubt("an OCTET STRING in pieces"),
            _ => refuse("no OCTET STRING where one belongs"),
        }
    }
}
