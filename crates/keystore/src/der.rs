//! A reader and writer of tagged elements (ITU-T X.690). It takes bytes and gives elements with their offsets. It reads
//! by DER's rules (§10: definite, minimal lengths) where the input must be canonical, and by BER's (§8: indefinite
//! lengths, octet strings in pieces) for containers that other tools wrote. It never accepts a tag number above 30 or
//! nesting without a bound.

use std::borrow::Cow;
use std::fmt::Write as _;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// An OCTET STRING in pieces (BER only).
pub(crate) const OCTET_STRINGS: u8 = 0x24;
/// The constructed context tag 0: `[0] EXPLICIT` of most structures.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// The closing mark of an element of indefinite length.
const CLOSING: &[u8] = &[0, 0];

/// How deep constructed values may nest. A certificate needs about ten levels.
const DEPTH: usize = 48;

/// The rules that an encoding follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// X.690 §10.
    Der,
    /// X.690 §8.
    Ber,
}

/// A fault in an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DerFault {
    /// The bytes end before the value does.
    Short,
    /// BER, not DER: an indefinite length.
    Indefinite,
    /// BER, not DER: a length in more bytes than it needs.
    LongLength,
    /// A tag number above 30. No certificate uses one.
    HighTag,
    /// BER, not DER: a string in pieces.
    Pieces,
    /// A tag other than the one that the structure requires.
    Unexpected,
    /// Bytes after the end of the structure.
    Excess,
    /// Elements nested deeper than [`DEPTH`].
    TooDeep,
    /// A value that its type does not allow.
    BadValue,
}

impl DerFault {
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Short => "the encoding ends too early",
            Self::Indefinite => "an indefinite length (BER, not DER)",
            Self::LongLength => "a length that is not in its shortest form (BER, not DER)",
            Self::Pieces => "a string in pieces (BER, not DER)",
            Self::HighTag => "a tag number above 30",
            Self::Unexpected => "another element than the structure asks for",
            Self::Excess => "bytes after the end of a structure",
            Self::TooDeep => "elements nested too deep",
            Self::BadValue => "a value that its type does not allow",
        }
    }
}

/// A fault and its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DerError {
    pub(crate) fault: DerFault,
    pub(crate) at: usize,
}

pub(crate) type Result<T> = std::result::Result<T, DerError>;

/// One element: tag, contents, and the whole encoding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
    pub(crate) raw: &'a [u8],
    /// Offset of the tag.
    pub(crate) at: usize,
    /// The length in bytes of tag and length field.
    head: usize,
    rules: Rules,
}

impl<'a> Tlv<'a> {
    /// Offset of the first content byte.
    pub(crate) fn body_at(&self) -> usize {
        self.at + self.head
    }

    /// A reader over the contents, by the same rules.
    pub(crate) fn inner(&self) -> DerReader<'a> {
        DerReader { rest: self.body, at: self.body_at(), rules: self.rules }
    }

    /// The octets of an OCTET STRING; it may be in pieces or under an implicit tag (X.690 §8.7).
    pub(crate) fn octets(&self) -> Result<Cow<'a, [u8]>> {
        if !self.is_constructed() {
            return Ok(Cow::Borrowed(self.body));
        }
        if self.rules == Rules::Der {
            return Err(DerError { fault: DerFault::Pieces, at: self.at });
        }
        let mut whole = Vec::with_capacity(self.body.len());
        let mut open = vec![self.inner()];
        while let Some(reader) = open.last_mut() {
            if reader.is_empty() {
                open.pop();
                continue;
            }
            let piece = reader.next()?;
            match piece.tag {
                OCTET_STRING => whole.extend_from_slice(piece.body),
                OCTET_STRINGS if open.len() < DEPTH => open.push(piece.inner()),
                OCTET_STRINGS => return Err(DerError { fault: DerFault::TooDeep, at: piece.at }),
                _ => return Err(DerError { fault: DerFault::Unexpected, at: piece.at }),
            }
        }
        Ok(Cow::Owned(whole))
    }

    pub(crate) fn is_constructed(&self) -> bool {
        self.tag & 0x20 != 0
    }

    pub(crate) fn bad(&self) -> DerError {
        DerError { fault: DerFault::BadValue, at: self.at }
    }

    /// The contents of a BIT STRING of whole bytes.
    pub(crate) fn bits(&self) -> Result<&'a [u8]> {
        match self.body.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(self.bad()),
        }
    }

    /// An INTEGER as magnitude bytes without leading zeros. A negative INTEGER is a fault.
    pub(crate) fn unsigned(&self) -> Result<&'a [u8]> {
        match self.body.first() {
            None => Err(self.bad()),
            Some(first) if first & 0x80 != 0 => Err(self.bad()),
            Some(_) => {
                let zeros = self.body.iter().take_while(|byte| **byte == 0).count();
                Ok(self.body.get(zeros..).unwrap_or_default())
            }
        }
    }

    /// The bytes of an INTEGER without leading zeros, whatever its sign, as the JDK reads RSA numbers.
    pub(crate) fn magnitude(&self) -> &'a [u8] {
        let zeros = self.body.iter().take_while(|byte| **byte == 0).count();
        self.body.get(zeros..).unwrap_or_default()
    }

    /// A non-negative INTEGER of at most 64 bits.
    pub(crate) fn small(&self) -> Result<u64> {
        let magnitude = self.unsigned()?;
        if magnitude.len() > 8 {
            return Err(self.bad());
        }
        Ok(magnitude.iter().fold(0u64, |value, byte| (value << 8) | u64::from(*byte)))
    }
}

/// Reads elements one after another.
#[derive(Debug, Clone)]
pub(crate) struct DerReader<'a> {
    rest: &'a [u8],
    at: usize,
    rules: Rules,
}

impl<'a> DerReader<'a> {
    /// Reads by DER's rules.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0, rules: Rules::Der }
    }

    /// Reads by BER's rules. DER is valid BER.
    pub(crate) fn ber(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, at: 0, rules: Rules::Ber }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn fail<T>(&self, fault: DerFault) -> Result<T> {
        Err(DerError { fault, at: self.at })
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn next(&mut self) -> Result<Tlv<'a>> {
        let (&[tag, first], _) = match self.rest.split_first_chunk::<2>() {
            Some(parts) => parts,
            None => return self.fail(DerFault::Short),
        };
        if tag & 0x1f == 0x1f {
            return self.fail(DerFault::HighTag);
        }
        let (head, length, closing) = match self.length(tag, first)? {
            (head, Some(length)) => (head, length, 0),
            (head, None) => (head, self.until_closed(head)?, CLOSING.len()),
        };
        let end = head.checked_add(length).and_then(|end| end.checked_add(closing));
        let Some((raw, rest)) = end.and_then(|end| self.rest.split_at_checked(end)) else {
            return self.fail(DerFault::Short);
        };
        let body = raw.get(head..head + length).unwrap_or_default();
        let tlv = Tlv { tag, body, raw, at: self.at, head, rules: self.rules };
        self.rest = rest;
        self.at += raw.len();
        Ok(tlv)
    }

    /// The length of tag and length field together, and the length of the contents; `None` if a closing mark ends the
    /// contents.
    fn length(&self, tag: u8, first: u8) -> Result<(usize, Option<usize>)> {
        let count = match first {
            0..=0x7f => return Ok((2, Some(usize::from(first)))),
            0x80 if self.rules == Rules::Ber && tag & 0x20 != 0 => return Ok((2, None)),
            0x80 => return self.fail(DerFault::Indefinite),
            _ => usize::from(first & 0x7f),
        };
        let Some(bytes) = self.rest.get(2..2 + count) else {
            return self.fail(DerFault::Short);
        };
        let significant = bytes.iter().skip_while(|byte| **byte == 0).count();
        if significant > 4 {
            return self.fail(DerFault::Short);
        }
        let length = bytes.iter().fold(0usize, |value, byte| (value << 8) | usize::from(*byte));
        if self.rules == Rules::Der && (length < 0x80 || significant != count) {
            return self.fail(DerFault::LongLength);
        }
        Ok((2 + count, Some(length)))
    }

    /// How many bytes of contents precede the closing mark of an element of indefinite length (X.690 §8.1.5). The
    /// reader skips elements of definite length and enters only those of indefinite length.
    fn until_closed(&self, head: usize) -> Result<usize> {
        let inner = self.rest.get(head..).unwrap_or_default();
        let mut reader = DerReader { rest: inner, at: self.at + head, rules: Rules::Ber };
        let mut open = 1usize;
        loop {
            if reader.rest.starts_with(CLOSING) {
                open -= 1;
                if open == 0 {
                    return Ok(inner.len() - reader.rest.len());
                }
                reader.step(CLOSING.len())?;
                continue;
            }
            let &[tag, first] = match reader.rest.first_chunk::<2>() {
                Some(start) => start,
                None => return reader.fail(DerFault::Short),
            };
            match reader.length(tag, first)? {
                (head, Some(length)) => reader.step(head.saturating_add(length))?,
                (_, None) if open >= DEPTH => return reader.fail(DerFault::TooDeep),
                (head, None) => {
                    open += 1;
                    reader.step(head)?;
                }
            }
        }
    }

    fn step(&mut self, count: usize) -> Result<()> {
        let Some(rest) = self.rest.get(count..) else {
            return self.fail(DerFault::Short);
        };
        self.rest = rest;
        self.at += count;
        Ok(())
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>> {
        match self.peek() {
            Some(found) if found == tag => self.next(),
            Some(_) => self.fail(DerFault::Unexpected),
            None => self.fail(DerFault::Short),
        }
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// Requires that no element follows.
    pub(crate) fn end(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { self.fail(DerFault::Excess) }
    }
}

/// Walks every constructed element and checks that all lengths are definite, minimal and inside their parent.
pub(crate) fn check_canonical(element: &Tlv<'_>) -> Result<()> {
    let mut open = vec![element.inner()];
    while let Some(reader) = open.last_mut() {
        if reader.is_empty() {
            open.pop();
            continue;
        }
        let child = reader.next()?;
        if child.is_constructed() {
            if open.len() >= DEPTH {
                return Err(DerError { fault: DerFault::TooDeep, at: child.at });
            }
            open.push(child.inner());
        }
    }
    Ok(())
}

/// The contents of an OBJECT IDENTIFIER in dotted form; `None` if the contents are no object identifier.
pub(crate) fn dotted(body: &[u8]) -> Option<String> {
    if body.is_empty() || body.len() > 64 || body.last().is_some_and(|byte| byte & 0x80 != 0) {
        return None;
    }
    let mut text = String::new();
    let mut value: u128 = 0;
    let mut first = true;
    for byte in body {
        if value > u128::MAX >> 7 {
            return None;
        }
        value = (value << 7) | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing to a `String` cannot fail.
        if first {
            let root = (value / 40).min(2);
            write!(text, "{root}.{}", value - root * 40).ok();
            first = false;
        } else {
            write!(text, ".{value}").ok();
        }
        value = 0;
    }
    Some(text)
}

/// Encodes an element in DER.
pub(crate) fn encode(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 6);
    out.push(tag);
    match u8::try_from(body.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = body.len().to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let significant = bytes.get(zeros..).unwrap_or_default();
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(body);
    out
}

/// Gives an element with definite lengths and its octet strings in one piece. An element that has this form already is
/// given unchanged.
///
/// A caller that puts an element into one of definite length must convert it first. Java 8 reads an element of
/// indefinite length correctly only if the outermost element is also of indefinite length. Otherwise Java 8 loses what
/// follows the element, without an error.
pub(crate) fn definite(raw: &[u8]) -> Result<Cow<'_, [u8]>> {
    definite_below(&DerReader::ber(raw).next()?, 0)
}

fn definite_below<'a>(element: &Tlv<'a>, depth: usize) -> Result<Cow<'a, [u8]>> {
    if !element.is_constructed() {
        return Ok(Cow::Borrowed(element.raw));
    }
    if element.tag == OCTET_STRINGS {
        return Ok(Cow::Owned(encode(OCTET_STRING, &element.octets()?)));
    }
    if depth >= DEPTH {
        return Err(DerError { fault: DerFault::TooDeep, at: element.at });
    }
    let mut body = Vec::with_capacity(element.body.len());
    let mut same = element.raw.get(1) != Some(&0x80);
    let mut children = element.inner();
    while !children.is_empty() {
        let child = definite_below(&children.next()?, depth + 1)?;
        same &= matches!(child, Cow::Borrowed(_));
        body.extend_from_slice(&child);
    }
    Ok(if same { Cow::Borrowed(element.raw) } else { Cow::Owned(encode(element.tag, &body)) })
}

/// Encodes a non-negative INTEGER in DER.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len() - 1);
    let digits = bytes.get(zeros..).unwrap_or_default();
    // The first bit is the sign.
    let sign: &[u8] = if digits.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    encode(INTEGER, &[sign, digits].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fault(bytes: &[u8]) -> DerFault {
        DerReader::new(bytes).next().unwrap_err().fault
    }

    #[test]
    fn lengths_are_bounded_definite_and_minimal() {
        assert_eq!(fault(&[0x30]), DerFault::Short);
        assert_eq!(fault(&[0x30, 1]), DerFault::Short);
        assert_eq!(fault(&[0x30, 0x80, 0, 0]), DerFault::Indefinite);
        assert_eq!(fault(&[0x04, 0x81, 1, 0]), DerFault::LongLength);
        assert_eq!(fault(&[0x04, 0x82, 0, 0x80]), DerFault::LongLength);
        assert_eq!(fault(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]), DerFault::Short);
        assert_eq!(fault(&[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), DerFault::Short);
        assert_eq!(fault(&[0x1f, 1, 0]), DerFault::HighTag);
    }

    #[test]
    fn nesting_is_bounded() {
        let mut bytes = Vec::new();
        for _ in 0..200 {
            bytes = encode(SEQUENCE, &bytes);
        }
        let outer = DerReader::new(&bytes).next().unwrap();
        assert_eq!(check_canonical(&outer).unwrap_err().fault, DerFault::TooDeep);
    }

    #[test]
    fn containers_of_other_tools_may_be_ber() {
        let bytes = [
            &[0x30, 0x80][..],
            &[0x24, 0x80, 0x04, 1, b'a', 0x24, 3, 0x04, 1, b'b', 0, 0],
            &[0x04, 0x82, 0, 1, b'c'],
            &[0, 0],
            b"tail",
        ];
        let bytes = bytes.concat();
        let mut outer = DerReader::ber(&bytes);
        let whole = outer.next().unwrap();
        assert_eq!((whole.raw.len(), outer.position()), (bytes.len() - 4, bytes.len() - 4));
        let mut inner = whole.inner();
        let pieces = inner.next().unwrap();
        assert_eq!((pieces.at, &*pieces.octets().unwrap()), (2, &b"ab"[..]));
        let long = inner.next().unwrap();
        assert_eq!((long.body_at(), &*long.octets().unwrap()), (18, &b"c"[..]));
        assert!(inner.is_empty());
    }

    #[test]
    fn elements_are_made_definite_and_left_alone_where_they_are() {
        let plain = [0x30, 0x81, 5, 0x04, 3, 1, 2, 3];
        assert_eq!(definite(&plain), Ok(Cow::Borrowed(&plain[..])), "a long length is none of its business");
        let inside = [&[0x30, 9, 0x30, 0x80][..], &[0x04, 1, 7, 0, 0], &[0x04, 0]].concat();
        assert_eq!(definite(&inside).unwrap(), &[0x30, 7, 0x30, 3, 0x04, 1, 7, 0x04, 0][..]);
        let pieces = [0x30, 0x80, 0x24, 0x80, 0x04, 1, b'a', 0x24, 3, 0x04, 1, b'b', 0, 0, 0, 0];
        assert_eq!(definite(&pieces).unwrap(), &[0x30, 4, 0x04, 2, b'a', b'b'][..]);
        let deep = [[0x30, 0x80].repeat(60), vec![0; 120]].concat();
        assert_eq!(definite(&deep).unwrap_err().fault, DerFault::TooDeep);
        assert_eq!(definite(&[0x30, 0x80, 0x04]).unwrap_err().fault, DerFault::Short);
    }

    #[test]
    fn indefinite_lengths_are_bounded_and_closed() {
        let fault = |bytes: &[u8]| DerReader::ber(bytes).next().unwrap_err().fault;
        assert_eq!(fault(&[0x30, 0x80, 4, 1, 7]), DerFault::Short);
        assert_eq!(fault(&[0x04, 0x80, 0, 0]), DerFault::Indefinite, "a primitive value has a length");
        assert_eq!(fault(&[[0x30, 0x80].repeat(2000), vec![0; 4000]].concat()), DerFault::TooDeep);
        let mut pieces = vec![4, 1, 7];
        for _ in 0..100 {
            pieces = encode(OCTET_STRINGS, &pieces);
        }
        assert_eq!(DerReader::ber(&pieces).next().unwrap().octets().unwrap_err().fault, DerFault::TooDeep);
        assert_eq!(DerReader::new(&[0x24, 3, 4, 1, 7]).next().unwrap().octets().unwrap_err().fault, DerFault::Pieces);
    }

    #[test]
    fn object_identifiers_are_dotted() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]).unwrap(), "1.2.840.113549");
        assert_eq!(dotted(&[0x55, 0x04, 0x03]).unwrap(), "2.5.4.3");
        assert_eq!(dotted(&[0x88, 0x37, 0x03]).unwrap(), "2.999.3");
        assert_eq!(dotted(&[0x55, 0x84]), None);
        assert_eq!(dotted(&[]), None);
    }

    #[test]
    fn integers_are_shortest_and_not_negative() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(10_000), [2, 2, 0x27, 0x10]);
        assert_eq!(DerReader::new(&integer(u64::MAX)).next().unwrap().small().unwrap(), u64::MAX);
    }

    #[test]
    fn encoding_reads_back() {
        for length in [0usize, 1, 127, 128, 255, 256, 65_536] {
            let bytes = encode(OCTET_STRING, &vec![7; length]);
            let tlv = DerReader::new(&bytes).next().unwrap();
            assert_eq!((tlv.body.len(), tlv.raw.len()), (length, bytes.len()));
        }
    }
}
