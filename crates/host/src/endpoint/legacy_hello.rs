//! A greeting of the old kind, for services that cannot agree on anything with today's TLS: TLS 1.0 and 1.1, and key
//! exchanges and ciphers that should no longer be used. Up to TLS 1.2 a server sends its chain unencrypted, right after
//! its own greeting (RFC 5246 §7.4.2). The chain is read and the connection ends. No key is ever agreed on, so weak
//! ciphers do no harm here.

use std::io::{self, Read as _, Write as _};

use trustmason_spec::name::Fqdn;

use super::PresentedChain;
use super::wire::Wire;

/// Cipher suites, strongest first: those of TLS 1.2 with ECDHE and DHE, then plain RSA, then older ones. The last value
/// is no suite, it says that renegotiation is safe (RFC 5746).
const SUITES: &[u16] = &[
    0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009f, 0x009e,
    0x006b, 0x0067, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc012, 0xc008, 0x0016, 0x000a,
    0x0005, 0x0004, 0x00ff,
];
/// Signature schemes, down to RSA with MD5.
const SCHEMES: &[u16] = &[
    0x0804, 0x0403, 0x0401, 0x0805, 0x0503, 0x0501, 0x0806, 0x0603, 0x0601, 0x0303, 0x0301, 0x0203, 0x0201, 0x0202,
    0x0101,
];
/// Curves (RFC 8422, RFC 7027): those of NIST, x25519, x448, the Koblitz curve and those of brainpool.
const CURVES: &[u16] = &[23, 24, 25, 29, 30, 22, 26, 27, 28];

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CERTIFICATE: u8 = 11;
/// The longest record of TLS 1.2 (RFC 5246 §6.2.3).
const MOST_IN_RECORD: usize = 16_384 + 2_048;

/// Sends the greeting and reads the chain; `None` if the server presents no chain this way either.
pub(super) fn chain(wire: &mut Wire, host: &Fqdn, random: &[u8; 32]) -> io::Result<Option<PresentedChain>> {
    wire.write_all(&hello(host.as_str(), random))?;
    let mut messages = Vec::new();
    loop {
        let mut head = [0u8; 5];
        wire.read_exact(&mut head)?;
        let [kind, _, _, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !matches!(kind, HANDSHAKE | ALERT) || length > MOST_IN_RECORD {
            return Ok(None);
        }
        let mut body = vec![0u8; length];
        wire.read_exact(&mut body)?;
        if kind == ALERT {
            // A warning (level 1), for example about an unknown name, ends nothing.
            if body.first() == Some(&1) {
                continue;
            }
            return Ok(None);
        }
        messages.extend(body);
        match certificates(&messages) {
            HandshakeProgress::More => {}
            HandshakeProgress::None => return Ok(None),
            HandshakeProgress::Chain(chain) => return Ok(Some(chain)),
        }
    }
}

/// The result of reading the handshake messages so far.
enum HandshakeProgress {
    More,
    None,
    Chain(PresentedChain),
}

/// The chain of the first certificate message.
fn certificates(mut messages: &[u8]) -> HandshakeProgress {
    while let Some((&[kind, a, b, c], rest)) = messages.split_first_chunk() {
        let Some((body, rest)) = rest.split_at_checked(number(a, b, c)) else { return HandshakeProgress::More };
        if kind == CERTIFICATE {
            return list(body).map_or(HandshakeProgress::None, HandshakeProgress::Chain);
        }
        messages = rest;
    }
    HandshakeProgress::More
}

/// A list of certificates, each with its length before it; `None` if it is malformed or empty.
fn list(body: &[u8]) -> Option<PresentedChain> {
    let (&[a, b, c], all) = body.split_first_chunk()?;
    let mut all = all.get(..number(a, b, c))?;
    let mut chain = PresentedChain::new();
    while let Some((&[a, b, c], rest)) = all.split_first_chunk() {
        let (one, rest) = rest.split_at_checked(number(a, b, c))?;
        chain.push(one.to_vec());
        all = rest;
    }
    (all.is_empty() && !chain.is_empty()).then_some(chain)
}

fn number(a: u8, b: u8, c: u8) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

/// The greeting, in a record of its own.
fn hello(host: &str, random: &[u8; 32]) -> Vec<u8> {
    // Server name (RFC 6066 §3): a list of one name of kind 0.
    let name = sized(&[&[0], sized(host.as_bytes()).as_slice()].concat());
    let mut extensions = extension(0, &name);
    extensions.extend(extension(10, &sized(&words(CURVES))));
    // Points are not compressed.
    extensions.extend(extension(11, &[1, 0]));
    extensions.extend(extension(13, &sized(&words(SCHEMES))));
    let mut body = vec![3, 3];
    body.extend(random);
    // No session to resume.
    body.push(0);
    body.extend(sized(&words(SUITES)));
    // No compression.
    body.extend([1, 0]);
    body.extend(sized(&extensions));
    let mut message = vec![1, 0];
    message.extend(sized(&body));
    // Some old servers refuse a record of a version above 1.0, whatever version the greeting in it names.
    [&[HANDSHAKE, 3, 1], sized(&message).as_slice()].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), sized(body).as_slice()].concat()
}

/// Bytes with their length before them. Nothing here is longer than a host name and a few lists.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_chain_in_pieces() {
        // A server hello of two bytes, then a certificate message with the certificates `ab` and `c`.
        let hello = [2, 0, 0, 2, 9, 9];
        let all = [&hello[..], &[11, 0, 0, 12, 0, 0, 9, 0, 0, 2, b'a', b'b', 0, 0, 1, b'c']].concat();
        for end in 0..all.len() {
            assert!(matches!(certificates(&all[..end]), HandshakeProgress::More), "{end}");
        }
        let HandshakeProgress::Chain(chain) = certificates(&all) else { panic!("no chain") };
        assert_eq!(chain, [b"ab".to_vec(), b"c".to_vec()]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(0u8..32, 0..200)) {
            if let HandshakeProgress::Chain(chain) = certificates(&bytes) {
                let all: usize = chain.iter().map(Vec::len).sum();
                assert!(!chain.is_empty() && all < bytes.len());
            }
        }
    }

    #[test]
    fn lists_that_are_none() {
        for body in [&[][..], &[0, 0, 0], &[0, 0, 1, 7], &[0, 0, 9, 0, 0, 1, 7], &[0, 0, 4, 0, 0, 2, 7]] {
            assert_eq!(list(body), None, "{body:?}");
        }
    }
}
