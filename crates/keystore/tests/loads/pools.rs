//! The parts of which shapes are made: names, numbers, object identifiers, parameters and keys, good ones and odd ones.
//! The module takes the random source and gives encodings.

use super::Random;
use super::tree::{Node, tlv};

pub fn oid(dotted: &str) -> Vec<u8> {
    tlv(0x06, &oid_body(dotted))
}

pub fn oid_body(dotted: &str) -> Vec<u8> {
    let numbers: Vec<u64> = dotted.split('.').map(|number| number.parse().unwrap()).collect();
    let mut body = Vec::new();
    let first = [numbers[0] * 40 + numbers[1]];
    for number in first.iter().chain(&numbers[2..]) {
        let mut digits = vec![(number & 0x7f) as u8];
        let mut rest = number >> 7;
        while rest > 0 {
            digits.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        digits.reverse();
        body.extend(digits);
    }
    body
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// A BIT STRING of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

impl Random {
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// An INTEGER of some size and sign.
    pub fn integer(&mut self) -> Vec<u8> {
        let body = match self.below(12) {
            0 => vec![0],
            1 => vec![1],
            2 => vec![0xff],
            3 => vec![0xfe],
            4 => vec![0x7f, 0xff, 0xff, 0xff],
            5 => vec![0, 0x80, 0, 0, 0],
            6 => vec![0x80, 0, 0, 0],
            7 => vec![0xff, 0x7f, 0xff, 0xff, 0xff],
            8 => vec![0, 0, 0, 0, 0, 5],
            9 => Vec::new(),
            _ => {
                let count = 1 + self.below(20);
                self.bytes(count)
            }
        };
        tlv(0x02, &body)
    }

    pub fn small(&mut self) -> Vec<u8> {
        if self.one_in(4) { self.integer() } else { tlv(0x02, &[self.below(128) as u8]) }
    }

    pub fn some_oid(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => tlv(0x06, &[]),
            1 => tlv(0x06, &[0x2a, 0x80]),
            2 => tlv(0x06, &[0x2a, 0x80, 0x01]),
            3 => tlv(0x06, &[0x80, 0x01]),
            4 => tlv(0x06, &[0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            5 => tlv(0x0d, &[0x2a, 3]),
            _ => oid(self.pick(&["1.2.3.4", "2.5.29.32.0", "1.3.6.1.5.5.7.2.1", "2.5.29.17", "2.999.1"])),
        }
    }

    /// An element that seldom fits into its place.
    pub fn odd(&mut self) -> Vec<u8> {
        match self.below(16) {
            0 => vec![0x05, 0],
            1 => vec![0x05, 1, 0],
            2 => vec![0x30, 0],
            3 => vec![0x31, 0],
            4 => vec![0x1f, 2, 1, 1],
            5 => vec![0x30, 0x80, 0x02, 1, 1, 0, 0],
            6 => vec![0x04, 0x81, 3, 1, 2, 3],
            7 => vec![0x24, 5, 0x04, 3, 1, 2, 3],
            8 => tlv(0x01, &[self.byte()]),
            9 => tlv(0x03, &[self.below(10) as u8, self.byte()]),
            10 => tlv(0x1e, &[0, b'a', 0xd8, 0x3d]),
            11 => vec![0x02],
            12 => vec![0x1f, 0],
            13 => self.integer(),
            14 => self.some_oid(),
            _ => {
                let tag = self.byte();
                let count = self.below(6);
                tlv(tag, &self.bytes(count))
            }
        }
    }

    pub fn odd_node(&mut self) -> Node {
        Node::Raw(self.odd())
    }

    /// A string of some type.
    fn string(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => tlv(0x1e, &[0, b'a']),
            1 => tlv(0x1e, &[0xd8, 0x3d, 0xde, 0]),
            2 => tlv(0x1e, &[0, b'a', 0xdf]),
            3 => tlv(0x14, b"M\xfcller"),
            4 => tlv(0x1c, &[0, 0, 0, b'a']),
            5 => tlv(0x0c, b"broken \xff"),
            6 => tlv(0x13, b""),
            7 => self.odd(),
            _ => tlv(self.pick(&[0x0c, 0x13, 0x16]), b"Acme"),
        }
    }

    /// A relative distinguished name.
    pub fn relative(&mut self) -> Vec<u8> {
        let count = self.below(8).min(2);
        let attributes: Vec<Vec<u8>> = (0..count.max(usize::from(!self.one_in(6))))
            .map(|_| {
                let kind =
                    if self.one_in(8) { self.some_oid() } else { oid(self.pick(&["2.5.4.3", "2.5.4.10", "2.5.4.6"])) };
                let mut parts = vec![kind, self.string()];
                if self.one_in(25) {
                    parts.push(self.odd());
                }
                sequence(&parts)
            })
            .collect();
        tlv(if self.one_in(25) { 0x30 } else { 0x31 }, &attributes.concat())
    }

    /// A distinguished name.
    pub fn name(&mut self) -> Vec<u8> {
        let count = self.below(4);
        let parts: Vec<Vec<u8>> = (0..count).map(|_| self.relative()).collect();
        tlv(if self.one_in(25) { 0x31 } else { 0x30 }, &parts.concat())
    }

    fn uri(&mut self) -> Vec<u8> {
        const PARTS: &[&[u8]] = &[
            b"http:",
            b"ldap:",
            b"https:",
            b"urn:",
            b"1x:",
            b"a+b:",
            b":",
            b"//",
            b"//",
            b"//",
            b"/",
            b"example.com",
            b"www.example.com",
            b"foo_bar.example",
            b"-a.example",
            b"a-.example",
            b"example.com.",
            b"10.0.0.1",
            b"256.1.1.1",
            b"user@host",
            b"[::1]",
            b"[::1",
            b":80",
            b":x",
            b":99999999999",
            b"/path",
            b"/a b",
            b"?q=1",
            b"?",
            b"#f",
            b"#",
            b"%41",
            b"%4",
            b"cn=a,dc=b?x?y",
            b"\xe4",
            b"|",
            b"{",
            b"^",
            b"\\",
            b"",
            b".example.com",
            b"..",
            b"a..b",
            b"*.example.com",
            b"localhost",
            b"example.123",
            b"~x",
            b"a;b",
            b"$",
            b"\"",
            b"\0",
            b"@",
            b"ab.c-d.e1",
            b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
        ];
        match self.below(5) {
            0 => b"http://www.example.com/crl?x=1#y".to_vec(),
            1 => {
                let scheme = self.pick(&[&b"http://"[..], b"ldap://", b"http:"]);
                let count = 1 + self.below(3);
                [scheme].into_iter().chain((0..count).map(|_| self.pick(PARTS))).collect::<Vec<_>>().concat()
            }
            2 => self.pick(PARTS).to_vec(),
            _ => {
                let count = 1 + self.below(5);
                (0..count).map(|_| self.pick(PARTS)).collect::<Vec<_>>().concat()
            }
        }
    }

    /// A general name of one of the nine kinds, or of an unknown kind.
    pub fn general_name(&mut self) -> Vec<u8> {
        match self.below(14) {
            0 => {
                let kind = self.some_oid();
                let value = tlv(0xa0, &self.string());
                let value = if self.one_in(5) { Vec::new() } else { value };
                tlv(if self.one_in(8) { 0x80 } else { 0xa0 }, &[kind, value].concat())
            }
            1 => tlv(
                if self.one_in(10) { 0xa1 } else { 0x81 },
                self.pick(&[&b"a@b.c"[..], b"a@", b"", b"a", b".", b"a@.", b"@", b".b.c", b"a@b@", b"a@b@c", b"\xff"]),
            ),
            2 => tlv(
                if self.one_in(10) { 0xa2 } else { 0x82 },
                self.pick(&[&b"a.example"[..], b"*.a.example", b"", b".", b"a b", b"\xff"]),
            ),
            3 => tlv(self.pick(&[0xa3, 0x83]), &[0x30, 0]),
            4 => {
                let inner = self.name();
                let inner = if self.one_in(3) { inner[2..].to_vec() } else { inner };
                tlv(if self.one_in(10) { 0x84 } else { 0xa4 }, &inner)
            }
            5 => {
                let mut parts = Vec::new();
                for _ in 0..self.below(4) {
                    let text = self.string();
                    parts.push(tlv(self.pick(&[0x80, 0x81, 0xa0, 0xa1, 0x82]), &text));
                }
                tlv(if self.one_in(10) { 0x85 } else { 0xa5 }, &parts.concat())
            }
            6..=8 => tlv(if self.one_in(15) { 0xa6 } else { 0x86 }, &self.uri()),
            9 | 10 => {
                let count = self.pick(&[0, 3, 4, 5, 8, 16, 16, 32, 32, 33]);
                let mut address = self.bytes(count);
                if count >= 16 && self.one_in(2) {
                    address[..12].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
                    if count == 32 && self.one_in(2) {
                        address[16..28].fill(0xff);
                    }
                }
                tlv(if self.one_in(15) { 0xa7 } else { 0x87 }, &address)
            }
            11 => {
                let body = self.some_oid()[2..].to_vec();
                tlv(if self.one_in(10) { 0xa8 } else { 0x88 }, &body)
            }
            12 => self.odd(),
            _ => tlv(0x82, b"host.example"),
        }
    }

    /// The contents of GeneralNames.
    pub fn general_names(&mut self) -> Vec<u8> {
        let count = if self.one_in(15) { 0 } else { 1 + self.below(2) };
        (0..count).flat_map(|_| self.general_name()).collect()
    }

    pub fn time_text(&mut self) -> Vec<u8> {
        const TIMES: &[&[u8]] = &[
            b"20260101000000Z",
            b"20260101000000.5Z",
            b"20260101000000,12Z",
            b"20260101000000.Z",
            b"202601010000Z",
            b"20260101000000+0100",
            b"20260101000000-2400",
            b"20260231000000Z",
            b"20261301000000Z",
            b"20260100000000Z",
            b"20260101240000Z",
            b"20260101006000Z",
            b"20260101000060Z",
            b"202601010000",
            b"20260101000000",
            b"2026010100Z",
            b"20260101000000ZZ",
            b"00000101000000Z",
            b"202601010000+0100",
            b"20260101000000.1234567890+0000",
            b"99991231235959Z",
            b"20260101000000.5",
            b"2026010100000xZ",
            b"20260101000000.12+01",
        ];
        let mut text = self.pick(TIMES).to_vec();
        if self.one_in(5) {
            let at = self.below(text.len());
            text[at] = self.pick(b"0159Z+-. x");
        }
        text
    }

    pub fn time(&mut self) -> Vec<u8> {
        let text = self.time_text();
        match self.below(10) {
            0 => tlv(0x13, &text),
            1..=4 => tlv(0x18, &text),
            _ => tlv(0x17, &text[2..]),
        }
    }
}
