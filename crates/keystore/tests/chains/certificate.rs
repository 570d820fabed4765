//! Certificates that are written byte by byte, so that each part of them can be wrong. The module takes a draft and
//! gives the signed DER. It never checks what it writes.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

/// An element in DER.
pub(crate) fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut all = vec![tag];
    match body.len() {
        short @ 0..=0x7f => all.push(short as u8),
        length => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            all.push(0x80 | bytes.len() as u8);
            all.extend(bytes);
        }
    }
    all.extend(body);
    all
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn integer(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let redundant = |at: usize| {
        let sign = if bytes[at + 1] & 0x80 == 0 { 0 } else { 0xff };
        bytes[at] == sign
    };
    let first = (0..7).find(|at| !redundant(*at)).unwrap_or(7);
    tlv(2, &bytes[first..])
}

/// An object identifier from its dotted form.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let numbers: Vec<u64> = dotted.split('.').map(|number| number.parse().unwrap()).collect();
    let mut body = vec![(numbers[0] * 40 + numbers[1]) as u8];
    for number in &numbers[2..] {
        let mut groups = vec![(number & 0x7f) as u8];
        let mut rest = number >> 7;
        while rest > 0 {
            groups.push(0x80 | (rest & 0x7f) as u8);
            rest >>= 7;
        }
        groups.reverse();
        body.extend(groups);
    }
    tlv(6, &body)
}

/// A kind of key, with its signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateShape {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
    /// The same key as [`CertificateShape::Rsa`], with RSASSA-PSS signatures.
    Pss,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A key pair.
pub(crate) struct Key {
    pub(crate) kind: CertificateShape,
    pair: Pair,
}

/// The number of keys of each kind.
pub(crate) const OF_EACH: usize = 6;

/// The keys of all chains. They are made once.
pub(crate) fn key(kind: CertificateShape, number: usize) -> &'static Key {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let kinds = [
            CertificateShape::P256,
            CertificateShape::P384,
            CertificateShape::P521,
            CertificateShape::Ed25519,
            CertificateShape::Rsa,
        ];
        kinds.iter().flat_map(|kind| (0..OF_EACH).map(|_| Key::make(*kind))).collect()
    });
    let wanted = if kind == CertificateShape::Pss { CertificateShape::Rsa } else { kind };
    keys.iter().filter(|key| key.kind == wanted).nth(number % OF_EACH).unwrap()
}

impl Key {
    fn make(kind: CertificateShape) -> Self {
        let ec = |algorithm| Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap());
        let pair = match kind {
            CertificateShape::P256 => ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            CertificateShape::P384 => ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
            CertificateShape::P521 => ec(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
            CertificateShape::Ed25519 => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            CertificateShape::Rsa | CertificateShape::Pss => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { kind, pair }
    }

    /// The SubjectPublicKeyInfo of the key.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let ec = |curve| vec![oid("1.2.840.10045.2.1"), oid(curve)];
        let (algorithm, public) = match (&self.pair, self.kind) {
            (Pair::Ec(pair), CertificateShape::P256) => {
                (ec("1.2.840.10045.3.1.7"), pair.public_key().as_ref().to_vec())
            }
            (Pair::Ec(pair), CertificateShape::P384) => (ec("1.3.132.0.34"), pair.public_key().as_ref().to_vec()),
            (Pair::Ec(pair), _) => (ec("1.3.132.0.35"), pair.public_key().as_ref().to_vec()),
            (Pair::Ed(pair), _) => (vec![oid("1.3.101.112")], pair.public_key().as_ref().to_vec()),
            (Pair::Rsa(pair), _) => {
                (vec![oid("1.2.840.113549.1.1.1"), vec![5, 0]], pair.public_key().as_ref().to_vec())
            }
        };
        sequence(&[sequence(&algorithm), bits(&public)])
    }

    fn sign(&self, kind: CertificateShape, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn signature::RsaEncoding = if kind == CertificateShape::Pss {
                    &signature::RSA_PSS_SHA256
                } else {
                    &signature::RSA_PKCS1_SHA256
                };
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// The AlgorithmIdentifier of a signature.
pub(crate) fn algorithm(kind: CertificateShape) -> Vec<u8> {
    let sha256 = || sequence(&[oid("2.16.840.1.101.3.4.2.1"), vec![5, 0]]);
    match kind {
        CertificateShape::P256 => sequence(&[oid("1.2.840.10045.4.3.2")]),
        CertificateShape::P384 => sequence(&[oid("1.2.840.10045.4.3.3")]),
        CertificateShape::P521 => sequence(&[oid("1.2.840.10045.4.3.4")]),
        CertificateShape::Ed25519 => sequence(&[oid("1.3.101.112")]),
        CertificateShape::Rsa => sequence(&[oid("1.2.840.113549.1.1.11"), vec![5, 0]]),
        CertificateShape::Pss => {
            let mask = sequence(&[oid("1.2.840.113549.1.1.8"), sha256()]);
            let parameters = [tlv(0xa0, &sha256()), tlv(0xa1, &mask), tlv(0xa2, &integer(32))];
            sequence(&[oid("1.2.840.113549.1.1.10"), sequence(&parameters)])
        }
    }
}

pub(crate) fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes].concat())
}

/// A directory name from attributes: object identifier, string tag, text.
pub(crate) fn name(attributes: &[(&str, u8, &str)]) -> Vec<u8> {
    let parts =
        attributes.iter().map(|(kind, tag, text)| tlv(0x31, &sequence(&[oid(kind), tlv(*tag, text.as_bytes())])));
    sequence(&parts.collect::<Vec<_>>())
}

/// An extension: object identifier, whether it is critical, contents.
pub(crate) type Extension = (&'static str, bool, Vec<u8>);

/// A certificate before it is signed.
#[derive(Clone)]
pub(crate) struct CertificateDraft {
    /// The version before the serial number; `None` for version 1.
    pub(crate) version: Option<i64>,
    pub(crate) serial: i64,
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) not_before: Vec<u8>,
    pub(crate) not_after: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    /// The kind and number of the key that signs.
    pub(crate) signer: (CertificateShape, usize),
    /// The algorithms that are written, where they differ from the signer's.
    pub(crate) algorithm: [Option<Vec<u8>>; 2],
    pub(crate) extensions: Vec<Extension>,
    /// Whether the last byte of the signature is changed.
    pub(crate) spoilt: bool,
}

impl CertificateDraft {
    pub(crate) fn set(&mut self, extension: Extension) {
        self.extensions.retain(|(known, _, _)| *known != extension.0);
        self.extensions.push(extension);
    }

    pub(crate) fn drop(&mut self, oid: &str) {
        self.extensions.retain(|(known, _, _)| *known != oid);
    }

    pub(crate) fn sign(&self) -> Vec<u8> {
        let (kind, number) = self.signer;
        let written = |which: usize| self.algorithm[which].clone().unwrap_or_else(|| algorithm(kind));
        let mut fields: Vec<Vec<u8>> = self.version.iter().map(|version| tlv(0xa0, &integer(*version))).collect();
        fields.extend([
            integer(self.serial),
            written(0),
            self.issuer.clone(),
            sequence(&[self.not_before.clone(), self.not_after.clone()]),
            self.subject.clone(),
            self.spki.clone(),
        ]);
        if !self.extensions.is_empty() {
            let one = |(kind, critical, value): &Extension| {
                let flag = if *critical { vec![1, 1, 0xff] } else { Vec::new() };
                sequence(&[oid(kind), flag, tlv(4, value)])
            };
            let all: Vec<Vec<u8>> = self.extensions.iter().map(one).collect();
            fields.push(tlv(0xa3, &sequence(&all)));
        }
        let signed = sequence(&fields);
        let mut signature = key(kind, number).sign(kind, &signed);
        if self.spoilt {
            let last = signature.len() - 1;
            signature[last] ^= 1;
        }
        sequence(&[signed, written(1), bits(&signature)])
    }
}

/// A time as RFC 5280 writes it.
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    // The civil date from days (Howard Hinnant's algorithm).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    if (1950..2050).contains(&year) {
        let text = format!("{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z", year % 100);
        return tlv(0x17, text.as_bytes());
    }
    tlv(0x18, format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z").as_bytes())
}
