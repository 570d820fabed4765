//! Algorithms with parameters of each kind, and keys, good ones and odd ones. The module takes the random source and
//! gives encodings.

use super::Random;
use super::pools::{oid, sequence};
use super::tree::tlv;

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

/// Algorithms of keys, of signatures and of encryption. Each may occur in every place.
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
    fn mask_generation(&mut self) -> Vec<u8> {
        let digest = sequence(&[oid(self.pick(DIGESTS))]);
        let function = self.pick(&["1.2.840.113549.1.1.8", "1.2.840.113549.1.1.8", "1.2.840.113549.1.1.8", "1.2.3.4"]);
        let inner = if self.one_in(8) { Vec::new() } else { digest };
        sequence(&[oid(function), inner])
    }

    /// Parameters, usually of the kind that belongs to the algorithm.
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

    /// An AlgorithmIdentifier, with the name of the algorithm.
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
