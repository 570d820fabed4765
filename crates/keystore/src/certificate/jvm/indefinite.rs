//! A certificate in an indefinite length, as `sun.security.provider.X509Factory` reads it and
//! `sun.security.util.DerIndefLenConverter` turns it into definite lengths. The module takes an element and gives it in
//! definite lengths. It enters only elements of indefinite length: the contents of an element of definite length stay
//! unchanged.

use std::borrow::Cow;

use super::value::{Parsed, definite, doubt, refuse, require};
use crate::der::encode;

/// How many elements of indefinite length may be nested here. The JDK allows 128.
const MOST: usize = 16;

/// Gives the element in definite lengths, without the bytes that follow it.
pub(super) fn converted(bytes: &[u8]) -> Parsed<Cow<'_, [u8]>> {
    match bytes {
        [_, 0x80, ..] => element(bytes, MOST).map(|(element, _)| Cow::Owned(element)),
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

/// The next element, converted, and the bytes that follow it.
fn element(bytes: &[u8], left: usize) -> Parsed<(Vec<u8>, &[u8])> {
    let (&[tag, first], mut rest) = match bytes.split_first_chunk::<2>() {
        Some(parts) => parts,
        None => return refuse("an element is cut short"),
    };
    require(tag & 0x1f != 0x1f, "a tag number above 30")?;
    if first != 0x80 {
        let (body, rest) = definite(first, rest)?;
        return Ok((encode(tag, body), rest));
    }
    require(tag & 0x20 != 0, "an indefinite length of an element that holds no others")?;
    let Some(left) = left.checked_sub(1) else {
        return doubt("indefinite lengths nested too deep");
    };
    let mut body = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix(&[0, 0]) {
            return Ok((encode(tag, &body), rest));
        }
        let (child, after) = element(rest, left)?;
        body.extend(child);
        rest = after;
    }
}
