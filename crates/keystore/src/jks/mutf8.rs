//! Java's modified UTF-8 (`java.io.DataInput`): NUL is `C0 80`, and a supplementary character is two surrogates of
//! three bytes each. The module takes bytes and gives text, or the reverse. It never reads the length before the text.

/// Text that was read from a store.
pub(super) struct Decoded {
    pub(super) text: String,
    /// Whether half a surrogate pair was replaced by U+FFFD.
    pub(super) lossy: bool,
}

/// Reads the bytes as `DataInputStream.readUTF` does; `None` where that throws `UTFDataFormatException`.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded> {
    if bytes.is_ascii() {
        return Some(Decoded { text: String::from_utf8(bytes.to_vec()).ok()?, lossy: false });
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().map(u16::from);
    while let Some(first) = rest.next() {
        let mut tail = || rest.next().filter(|byte| byte & 0xc0 == 0x80).map(|byte| byte & 0x3f);
        units.push(match first >> 4 {
            0..=7 => first,
            12 | 13 => ((first & 0x1f) << 6) | tail()?,
            14 => ((first & 0x0f) << 12) | (tail()? << 6) | tail()?,
            _ => return None,
        });
    }
    let mut lossy = false;
    let text = char::decode_utf16(units)
        .map(|found| {
            found.unwrap_or_else(|_| {
                lossy = true;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    Some(Decoded { text, lossy })
}

/// The bytes that `DataOutputStream.writeUTF` writes, without the length.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        match unit {
            0x01..=0x7f => bytes.push(low),
            0x00 | 0x80..=0x7ff => bytes.extend([0xc0 | (high << 2) | (low >> 6), 0x80 | (low & 0x3f)]),
            _ => bytes.extend([0xe0 | (high >> 4), 0x80 | ((high & 0x0f) << 2) | (low >> 6), 0x80 | (low & 0x3f)]),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn as_java_writes_it() {
        assert_eq!(encode("a\0ü日😀"), b"a\xc0\x80\xc3\xbc\xe6\x97\xa5\xed\xa0\xbd\xed\xb8\x80");
    }

    #[test]
    fn round_trip() {
        for text in ["", "plain", "nul\0byte", "zürich-日本-😀", "\u{202e}gnp.exe", "\u{7ff}\u{800}\u{ffff}"] {
            let decoded = decode(&encode(text)).unwrap();
            assert_eq!((decoded.text.as_str(), decoded.lossy), (text, false));
        }
    }

    #[test]
    fn what_java_refuses_and_what_it_takes() {
        for bad in [&b"\xff"[..], b"a\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98\x80", b"\xc3a"] {
            assert!(decode(bad).is_none(), "{bad:?}");
        }
        // Java accepts a bare NUL and an overlong form. Half a surrogate pair cannot become text.
        assert_eq!(decode(b"\xc3\xbc\0").unwrap().text, "ü\0");
        assert_eq!(decode(b"\xc1\x81\xc3\xbc").unwrap().text, "Aü");
        assert!(decode(b"\xed\xa0\x80").unwrap().lossy);
    }
}
