//! What shapes are made of: names, numbers, object identifiers, parameters and keys, good ones and odd ones.

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

const DIGESTS: &[&str] = &[
    "1.3.14.3.2.26",
    "2.16.840.1.101.3.4.2.1",
    "2.16.840.1.101.3.4.2.2",
    "2.16.840.1.101.3.4.2.3",
    "2.16.840.1.101.3.4.2.4",
    "2.16.840.1.101.3.4.2.5",
    "2.16.840.1.101.3.4.2.6",
    "2.16.840.1.101.3.4.2.7",
    "2.16.840.1.101.3.4.2.10",
    "2.16.840.1.101.3.4.2.11",
    "1.2.840.113549.2.5",
    "1.2.3.4",
];

/// Algorithms of keys, of signatures and of encryption: every one may stand in every place.
const ALGORITHMS: &[&str] = &[
    "1.2.840.113549.1.1.1",
    "1.2.840.113549.1.1.5",
    "1.2.840.113549.1.1.7",
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1",
    "2.5.8.1.1",
    "1.2.840.10040.4.1",
    "1.2.840.10040.4.1",
    "1.2.840.10040.4.3",
    "1.3.14.3.2.12",
    "1.3.14.3.2.29",
    "1.2.840.113549.1.3.1",
    "1.2.840.113549.1.3.1",
    "1.2.840.10046.2.1",
    "1.2.840.10045.2.1",
    "1.2.840.10045.2.1",
    "1.2.840.10045.2.1",
    "1.3.132.1.12",
    "1.3.132.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3",
    "1.3.101.110",
    "1.3.101.111",
    "1.3.101.112",
    "1.3.101.113",
    "1.2.840.113549.1.5.3",
    "1.2.840.113549.1.5.6",
    "1.2.840.113549.1.5.10",
    "1.2.840.113549.1.5.12",
    "1.2.840.113549.1.5.13",
    "1.2.840.113549.1.5.13",
    "1.2.840.113549.1.12.1.1",
    "1.2.840.113549.1.12.1.2",
    "1.2.840.113549.1.12.1.3",
    "1.2.840.113549.1.12.1.4",
    "1.2.840.113549.1.12.1.5",
    "1.2.840.113549.1.12.1.6",
    "2.16.840.1.101.3.4.1",
    "2.16.840.1.101.3.4.1.2",
    "2.16.840.1.101.3.4.1.6",
    "1.3.14.3.2.7",
    "1.3.14.3.2.17",
    "1.2.840.113549.3.2",
    "1.2.840.113549.3.7",
    "1.2.840.113549.1.9.16.3.18",
    "2.16.840.1.101.3.4.3.10",
    "2.16.840.1.101.3.4.3.17",
    "1.2.3.4",
];

const CURVES: &[(&str, usize)] = &[
    ("1.2.840.10045.3.1.7", 32),
    ("1.2.840.10045.3.1.7", 32),
    ("1.3.132.0.34", 48),
    ("1.3.132.0.35", 66),
    ("1.3.132.0.10", 32),
    ("1.3.132.0.1", 21),
    ("1.3.132.0.6", 14),
    ("1.3.132.0.39", 72),
    ("1.2.840.10045.3.0.5", 24),
    ("1.2.840.10045.3.0.11", 30),
    ("1.2.840.10045.3.1.1", 24),
    ("1.2.840.10045.3.1.4", 30),
    ("1.3.36.3.3.2.8.1.1.1", 20),
    ("1.3.36.3.3.2.8.1.1.7", 32),
    ("1.3.36.3.3.2.8.1.1.8", 32),
    ("1.2.156.10197.1.301", 32),
    ("2.23.43.1.4.1", 14),
    ("1.2.3.4", 32),
];

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

    /// An element that seldom fits.
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

    /// A general name of one of the nine kinds, or of none.
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

    fn mask_generation(&mut self) -> Vec<u8> {
        let digest = sequence(&[oid(self.pick(DIGESTS))]);
        let function = self.pick(&["1.2.840.113549.1.1.8", "1.2.840.113549.1.1.8", "1.2.840.113549.1.1.8", "1.2.3.4"]);
        let inner = if self.one_in(8) { Vec::new() } else { digest };
        sequence(&[oid(function), inner])
    }

    /// Parameters, most often of the kind that belongs to the algorithm.
    fn parameters(&mut self, algorithm: &str) -> Vec<u8> {
        if self.one_in(5) {
            return match self.below(3) {
                0 => Vec::new(),
                1 => vec![0x05, 0],
                _ => self.odd(),
            };
        }
        let several = |random: &mut Self, count: usize| {
            let count = if random.one_in(4) { random.below(5) } else { count };
            sequence(&(0..count).map(|_| random.integer()).collect::<Vec<_>>())
        };
        match algorithm {
            "1.2.840.10040.4.1" | "1.3.14.3.2.12" | "1.2.840.10040.4.3" => several(self, 3),
            "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => several(self, 2),
            "1.2.840.10045.2.1" | "1.3.132.1.12" | "1.3.132.1.13" => {
                if self.one_in(8) {
                    several(self, 2)
                } else {
                    oid(self.pick(CURVES).0)
                }
            }
            "1.2.840.113549.1.1.10" | "1.2.840.113549.1.1.7" => {
                let mut parts = Vec::new();
                if self.one_in(2) {
                    parts.push(tlv(0xa0, &sequence(&[oid(self.pick(DIGESTS)), vec![0x05, 0]])));
                }
                if self.one_in(2) {
                    parts.push(tlv(0xa1, &self.mask_generation()));
                }
                if self.one_in(2) {
                    let value = match algorithm {
                        "1.2.840.113549.1.1.7" => sequence(&[oid("1.2.840.113549.1.1.9"), tlv(0x04, b"x")]),
                        _ => self.small(),
                    };
                    parts.push(tlv(0xa2, &value));
                }
                if self.one_in(3) {
                    parts.push(tlv(0xa3, &tlv(0x02, &[self.below(3) as u8])));
                }
                if self.one_in(12) {
                    parts.push(self.odd());
                }
                sequence(&parts)
            }
            "1.2.840.113549.1.5.13" => self.pbes2(),
            "2.16.840.1.101.3.4.1"
            | "1.3.14.3.2.17"
            | "1.3.14.3.2.7"
            | "1.2.840.113549.1.9.16.3.18"
            | "1.2.840.113549.3.7" => {
                let count = self.pick(&[8, 12, 16, 16, 15]);
                tlv(0x04, &self.bytes(count))
            }
            other if other.starts_with("1.2.840.113549.1.5") || other.starts_with("1.2.840.113549.1.12") => {
                let rounds = self.small();
                sequence(&[tlv(0x04, &[1, 2, 3, 4, 5, 6, 7, 8]), rounds])
            }
            "1.2.840.10045.4.3" => sequence(&[oid(self.pick(DIGESTS))]),
            _ => {
                if self.one_in(2) {
                    vec![0x05, 0]
                } else {
                    Vec::new()
                }
            }
        }
    }

    fn pbes2(&mut self) -> Vec<u8> {
        let function = sequence(&[
            oid(self.pick(&["1.2.840.113549.2.7", "1.2.840.113549.2.9", "1.2.840.113549.2.11", "1.2.840.113549.2.12"])),
            self.pick(&[vec![0x05, 0], Vec::new(), vec![0x30, 0]]),
        ]);
        let mut inner = vec![tlv(0x04, &[1; 8]), self.small()];
        if self.one_in(3) {
            inner.push(self.small());
        }
        if !self.one_in(4) {
            inner.push(function);
        }
        let derivation = sequence(&[
            oid(self.pick(&["1.2.840.113549.1.5.12", "1.2.840.113549.1.5.12", "1.2.3.4"])),
            sequence(&inner),
        ]);
        let cipher = sequence(&[
            oid(self.pick(&[
                "2.16.840.1.101.3.4.1.2",
                "2.16.840.1.101.3.4.1.42",
                "2.16.840.1.101.3.4.1.22",
                "1.2.840.113549.3.7",
            ])),
            tlv(0x04, &[2; 16]),
        ]);
        let whole = sequence(&[derivation, cipher]);
        if self.one_in(4) { sequence(&[oid("1.2.840.113549.1.5.13"), whole]) } else { whole }
    }

    /// An AlgorithmIdentifier; the algorithm's name is given, too.
    pub fn algorithm(&mut self) -> (&'static str, Vec<u8>) {
        let name = self.pick(ALGORITHMS);
        let mut parts = vec![oid(name), self.parameters(name)];
        if self.one_in(40) {
            parts.push(self.odd());
        }
        (name, tlv(if self.one_in(60) { 0x31 } else { 0x30 }, &parts.concat()))
    }

    /// A SubjectPublicKeyInfo.
    pub fn public_key(&mut self) -> Vec<u8> {
        let (name, mut algorithm) = self.algorithm();
        let key = match name {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" | "1.2.840.113549.1.1" | "2.5.8.1.1" => self.rsa(),
            "1.2.840.10045.2.1" => {
                let (curve, size) = self.pick(CURVES);
                if !self.one_in(4) {
                    algorithm = sequence(&[oid(name), oid(curve)]);
                }
                let size = if self.one_in(4) { self.below(140) } else { 2 * size };
                [vec![if self.one_in(8) { self.below(5) as u8 } else { 4 }], self.bytes(size)].concat()
            }
            "1.3.101.110" | "1.3.101.111" | "1.3.101.112" | "1.3.101.113" => {
                let count = self.pick(&[32, 32, 56, 57, 31, 33, 0]);
                self.bytes(count)
            }
            "2.16.840.1.101.3.4.3.17" => self.bytes(1312),
            _ => {
                let mut key = self.integer();
                if self.one_in(5) {
                    key.extend(self.odd());
                }
                key
            }
        };
        let unused = if self.one_in(10) { self.below(9) as u8 } else { 0 };
        let key = if self.one_in(40) { Vec::new() } else { [vec![unused], key].concat() };
        let mut parts = vec![algorithm, tlv(0x03, &key)];
        if self.one_in(40) {
            parts.push(self.odd());
        }
        sequence(&parts)
    }

    fn rsa(&mut self) -> Vec<u8> {
        let size = self.pick(&[62, 63, 64, 64, 128, 256, 384, 385, 512, 2048, 2049]);
        let mut modulus = self.bytes(size);
        if self.one_in(2) {
            modulus[0] |= 0x80;
            modulus.insert(0, 0);
        }
        let exponent = match self.below(10) {
            0 => vec![1],
            1 => vec![2],
            2 => vec![3],
            3 => vec![0xff],
            4 => modulus.clone(),
            5 => self.bytes(9),
            6 => self.bytes(8),
            7 => vec![0, 0, 3],
            _ => vec![1, 0, 1],
        };
        let mut numbers = vec![tlv(0x02, &modulus), tlv(0x02, &exponent)];
        if self.one_in(10) {
            numbers.push(self.integer());
        }
        if self.one_in(25) {
            numbers.pop();
        }
        let mut key = sequence(&numbers);
        if self.one_in(10) {
            key.extend(self.odd());
        }
        key
    }
}
