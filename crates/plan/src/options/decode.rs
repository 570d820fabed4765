//! Turns bytes into text: UTF-8, UTF-16 as Windows tools write it, otherwise one byte for a character. Line ends become
//! `\n`.

use trustmason_keystore::Password;

/// A text, and whether its encoding is certain. If it is not, only ASCII may be believed.
pub(super) struct DecodedText {
    pub(super) text: Password,
    pub(super) certain: bool,
}

impl DecodedText {
    /// Whether a part of the text may really be another text.
    pub(super) fn doubts(&self, part: &str) -> bool {
        !self.certain && !part.is_ascii()
    }
}

/// Decodes bytes. `None` if they are no text.
pub(super) fn decode(bytes: &[u8]) -> Option<DecodedText> {
    let (text, certain) = match bytes {
        [0xff, 0xfe, rest @ ..] => (utf16(rest, u16::from_le_bytes), true),
        [0xfe, 0xff, rest @ ..] => (utf16(rest, u16::from_be_bytes), true),
        [0xef, 0xbb, 0xbf, rest @ ..] => (narrow(rest).0, true),
        bytes if zeros(bytes, 1) => (utf16(bytes, u16::from_le_bytes), true),
        bytes if zeros(bytes, 0) => (utf16(bytes, u16::from_be_bytes), true),
        bytes => narrow(bytes),
    };
    // Old editors end a text with Ctrl-Z.
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1a}');
    if text.expose().chars().any(strange) {
        return None;
    }
    let mut out = String::with_capacity(text.expose().len());
    let mut before = '\n';
    for c in text.expose().trim_end_matches('\u{1a}').chars() {
        match c {
            '\n' if before == '\r' => {}
            '\r' => out.push('\n'),
            c => out.push(c),
        }
        before = c;
    }
    Some(DecodedText { text: Password::new(out), certain })
}

/// Whether most pairs of bytes have a zero at this position, as ASCII in UTF-16 has.
fn zeros(bytes: &[u8], at: usize) -> bool {
    let pairs = bytes.len() / 2;
    let zero = bytes.iter().skip(at).step_by(2).take(pairs).filter(|byte| **byte == 0).count();
    pairs > 0 && bytes.len().is_multiple_of(2) && zero * 10 >= pairs * 7
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Password {
    let (pairs, _) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    text.extend(char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).map(|c| c.unwrap_or('\u{fffd}')));
    Password::new(text)
}

fn narrow(bytes: &[u8]) -> (Password, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Password::new(text), true),
        Err(_) => {
            // Sized once: growing would leave copies of a password behind.
            let mut text = String::with_capacity(bytes.len().saturating_mul(2));
            // C1 control characters are letters in the code pages of Windows.
            text.extend(
                bytes.iter().map(|byte| if (0x80..0xa0).contains(byte) { '\u{fffd}' } else { char::from(*byte) }),
            );
            (Password::new(text), false)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn text(bytes: &[u8]) -> Option<String> {
        decode(bytes).map(|text| text.text.expose().to_owned())
    }

    #[test]
    fn what_windows_tools_write_is_read() {
        let plain = "[security]\r\na=ü\r\n";
        let wide = |unit: fn(u16) -> [u8; 2]| plain.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let (little, big) = (wide(u16::to_le_bytes), wide(u16::to_be_bytes));
        let expected = Some("[security]\na=ü\n".to_owned());
        assert_eq!(text(plain.as_bytes()), expected);
        assert_eq!(text(&[b"\xef\xbb\xbf", plain.as_bytes()].concat()), expected);
        assert_eq!(text(&[b"\xff\xfe".as_slice(), &little].concat()), expected);
        assert_eq!(text(&[b"\xfe\xff".as_slice(), &big].concat()), expected);
        assert_eq!((text(&little), text(&big)), (expected.clone(), expected));
        assert_eq!(text(b"a\rb\x1a").as_deref(), Some("a\nb"));
    }

    #[test]
    fn a_code_page_is_a_guess_and_binary_is_no_text() {
        let read = decode(b"pass=gr\xfc\xdfe").unwrap();
        assert!(read.doubts("grüße") && !read.doubts("pass"));
        assert_eq!(text(b"\xfe\xed\xfe\xed\0\0\0\x02"), None);
        assert_eq!(text(b"MZ\x90\0\x03"), None);
        assert_eq!(text(b"").as_deref(), Some(""));
    }
}
