//! Certificates that are built part by part: each extension with contents of each kind, critical or not; each algorithm
//! with parameters of each kind; names, times, versions, numbers, unique identifiers. The module takes the random
//! source and gives DER.

use super::pools::{bits, oid, sequence};
use super::tree::{Node, tlv};
use super::{Question, Random};

/// The fields of a certificate, encoded.
struct Fields {
    version: Vec<u8>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    outer_algorithm: Vec<u8>,
    issuer: Vec<u8>,
    validity: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    rest: Vec<Vec<u8>>,
    extensions: Option<Vec<Vec<u8>>>,
    signature: Vec<u8>,
}

impl Fields {
    fn good(random: &mut Random) -> Self {
        let algorithm = sequence(&[oid("1.2.840.10045.4.3.2")]);
        let name = sequence(&[tlv(0x31, &sequence(&[oid("2.5.4.3"), tlv(0x0c, b"Shape")]))]);
        let point = [vec![4], random.bytes(64)].concat();
        let key = sequence(&[sequence(&[oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")]), bits(&point)]);
        Self {
            version: tlv(0xa0, &tlv(0x02, &[2])),
            serial: tlv(0x02, &[1, 2, 3]),
            outer_algorithm: algorithm.clone(),
            algorithm,
            issuer: name.clone(),
            validity: sequence(&[tlv(0x17, b"260101000000Z"), tlv(0x18, b"20560101000000Z")]),
            subject: name,
            key,
            rest: Vec::new(),
            extensions: Some(vec![extension("2.5.29.14", None, &tlv(0x04, &[1; 20]))]),
            signature: bits(&[0x30, 6, 2, 1, 1, 2, 1, 1]),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut parts = vec![
            self.version.clone(),
            self.serial.clone(),
            self.algorithm.clone(),
            self.issuer.clone(),
            self.validity.clone(),
            self.subject.clone(),
            self.key.clone(),
        ];
        parts.extend(self.rest.iter().cloned());
        if let Some(extensions) = &self.extensions {
            parts.push(tlv(0xa3, &sequence(extensions)));
        }
        sequence(&[sequence(&parts), self.outer_algorithm.clone(), self.signature.clone()])
    }
}

fn extension(name: &str, critical: Option<u8>, value: &[u8]) -> Vec<u8> {
    let flag = critical.map(|flag| tlv(0x01, &[flag])).unwrap_or_default();
    sequence(&[oid(name), flag, tlv(0x04, value)])
}

/// A certificate with only this extension.
pub fn with_extension(name: &str, critical: Option<u8>, value: &[u8]) -> Vec<u8> {
    let mut fields = Fields::good(&mut Random::new(1));
    fields.extensions = Some(vec![extension(name, critical, value)]);
    fields.encode()
}

/// A certificate without any fault.
pub fn good(random: &mut Random) -> Vec<u8> {
    Fields::good(random).encode()
}

const EXTENSIONS: &[&str] = &[
    "2.5.29.9",
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.16",
    "2.5.29.17",
    "2.5.29.17",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.20",
    "2.5.29.21",
    "2.5.29.23",
    "2.5.29.24",
    "2.5.29.27",
    "2.5.29.28",
    "2.5.29.29",
    "2.5.29.30",
    "2.5.29.30",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.46",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.11",
    "1.3.6.1.5.5.7.1.3",
    "1.3.6.1.5.5.7.48.1.5",
    "2.16.840.1.113730.1.1",
    "2.16.840.1.113730.1.13",
    "1.2.3.4",
];

fn bit_string(random: &mut Random, tag: u8) -> Vec<u8> {
    let unused = if random.one_in(4) { random.below(10) as u8 } else { random.below(3) as u8 };
    let count = random.below(3);
    let body = if random.one_in(12) { Vec::new() } else { [vec![unused], random.bytes(count)].concat() };
    tlv(tag, &body)
}

/// Some of these parts, in order; sometimes one of them twice, or an odd one.
fn some(random: &mut Random, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut chosen: Vec<Vec<u8>> = parts.iter().filter(|_| !random.one_in(3)).cloned().collect();
    if random.one_in(10) && !parts.is_empty() {
        chosen.push(random.pick(parts));
    }
    if random.one_in(10) {
        let at = random.below(chosen.len() + 1);
        chosen.insert(at, random.odd());
    }
    tlv(if random.one_in(30) { 0x31 } else { 0x30 }, &chosen.concat())
}

fn distribution_point_name(random: &mut Random) -> Vec<u8> {
    match random.below(6) {
        0 => tlv(0xa1, &random.relative()[2..]),
        1 => random.odd(),
        _ => tlv(0xa0, &random.general_names()),
    }
}

/// The contents of an extension, usually of the kind that belongs to its type.
fn contents(random: &mut Random, name: &str) -> Vec<u8> {
    let content = match name {
        "2.5.29.14" => {
            let count = random.below(24);
            tlv(0x04, &random.bytes(count))
        }
        "2.5.29.15" | "2.16.840.1.113730.1.1" => {
            let string = bit_string(random, 0x03);
            if random.one_in(6) { tlv(0x04, &string) } else { string }
        }
        "2.5.29.16" => {
            let parts = [tlv(0x80, &random.time_text()), tlv(0x81, &random.time_text())];
            some(random, &parts)
        }
        "2.5.29.17" | "2.5.29.18" | "2.5.29.29" => tlv(0x30, &random.general_names()),
        "2.5.29.19" => {
            let flag = random.byte();
            let parts = [tlv(0x01, &[flag]), random.small()];
            some(random, &parts)
        }
        "2.5.29.20" | "2.5.29.27" | "2.5.29.54" => random.small(),
        "2.5.29.21" => tlv(0x0a, &random.small()[2..]),
        "2.5.29.28" => {
            let flag = random.byte();
            let parts = [
                tlv(0xa0, &distribution_point_name(random)),
                tlv(0x81, &[flag]),
                tlv(0x82, &[0xff]),
                bit_string(random, 0x83),
                tlv(0x84, &[0]),
                tlv(0x85, &[1, 2][..random.below(3)]),
            ];
            some(random, &parts)
        }
        "2.5.29.30" => {
            let trees = |random: &mut Random| {
                let count = random.below(3);
                (0..count).flat_map(|_| subtree(random)).collect::<Vec<u8>>()
            };
            let parts = [tlv(0xa0, &trees(random)), tlv(0xa1, &trees(random))];
            some(random, &parts)
        }
        "2.5.29.31" | "2.5.29.46" => {
            // Half of the points have names that every JVM accepts, so that the parts around the names decide.
            let plain = random.one_in(2);
            let names = |random: &mut Random| {
                if plain { tlv(0x86, b"http://crl.example/a") } else { random.general_names() }
            };
            let name = if plain { tlv(0xa0, &names(random)) } else { distribution_point_name(random) };
            let parts = [tlv(0xa0, &name), bit_string(random, 0x81), tlv(0xa2, &names(random))];
            let point = some(random, &parts);
            some(random, &[point])
        }
        "2.5.29.32" => {
            let qualifier = sequence(&[random.some_oid(), tlv(0x16, b"http://x")]);
            let qualifiers = some(random, &[qualifier]);
            let policy = [random.some_oid(), qualifiers];
            let policy = if random.one_in(4) { some(random, &policy) } else { sequence(&policy) };
            some(random, &[policy])
        }
        "2.5.29.33" => {
            let map = sequence(&[random.some_oid(), random.some_oid()]);
            some(random, &[map])
        }
        "2.5.29.35" => {
            let number = random.integer()[2..].to_vec();
            let parts = [tlv(0x80, &[1; 20]), tlv(0xa1, &random.general_names()), tlv(0x82, &number)];
            some(random, &parts)
        }
        "2.5.29.36" => {
            let parts = [tlv(0x80, &random.small()[2..]), tlv(0x81, &random.small()[2..])];
            some(random, &parts)
        }
        "2.5.29.37" => {
            let parts = [random.some_oid(), oid("1.3.6.1.5.5.7.3.1")];
            some(random, &parts)
        }
        "1.3.6.1.5.5.7.1.1" | "1.3.6.1.5.5.7.1.11" => {
            let description = [random.some_oid(), random.general_name()];
            let description = some(random, &description);
            some(random, &[description])
        }
        _ => random.odd(),
    };
    match random.below(20) {
        0 => random.odd(),
        1 => Vec::new(),
        2 => [content, random.odd()].concat(),
        3 => match Node::parse(&content) {
            Some(mut tree) => {
                tree.mutate(random);
                tree.encode()
            }
            None => content,
        },
        _ => content,
    }
}

fn subtree(random: &mut Random) -> Vec<u8> {
    let mut name = random.general_name();
    if random.one_in(4) {
        let host: &[u8] = random.pick(&[
            &b"example.com"[..],
            b".example.com",
            b"http://example.com",
            b"foo_bar.example",
            b"",
            b".",
            b"a-.b",
            b"-a.b",
            b"example.com.",
            b"a b",
            b"1.2.3.4",
            b"a..b",
            b"a:80",
            b"a/b",
        ]);
        name = tlv(0x86, host);
    }
    let mut parts = vec![name];
    if random.one_in(5) {
        parts.push(tlv(0x80, &random.small()[2..]));
    }
    if random.one_in(8) {
        parts.push(tlv(0x81, &random.small()[2..]));
    }
    if random.one_in(20) {
        parts.push(random.odd());
    }
    sequence(&parts)
}

/// A certificate that is odd in one way.
pub fn shape(random: &mut Random) -> Question {
    let mut fields = Fields::good(random);
    let made = match random.below(20) {
        0..=9 => {
            let name = random.pick(EXTENSIONS);
            let critical = random.pick(&[None, Some(0), Some(0xff), Some(0xff), Some(0xff), Some(1)]);
            let mut extensions = vec![extension(name, critical, &contents(random, name))];
            if random.one_in(12) {
                let name = if random.one_in(2) { name } else { random.pick(EXTENSIONS) };
                extensions.push(extension(name, critical, &contents(random, name)));
            }
            if random.one_in(12) {
                fields.subject = sequence(&[]);
            }
            fields.extensions = Some(extensions);
            format!("extension {name} critical {critical:?}")
        }
        10 | 11 => {
            let (name, algorithm) = random.algorithm();
            fields.outer_algorithm = algorithm.clone();
            fields.algorithm = algorithm;
            match random.below(10) {
                0 => fields.algorithm = random.algorithm().1,
                1 => fields.algorithm = sequence(&[oid(name), vec![0x05, 0]]),
                2 => fields.algorithm = sequence(&[oid(name)]),
                _ => {}
            }
            format!("signature algorithm {name}")
        }
        12..=14 => {
            fields.key = random.public_key();
            "public key".to_owned()
        }
        15 => {
            let name = random.name();
            if random.one_in(2) {
                fields.issuer = name;
            } else {
                fields.subject = name;
            }
            "name".to_owned()
        }
        16 => {
            let mut times = vec![random.time(), random.time()];
            if random.one_in(10) {
                times.push(random.time());
            }
            if random.one_in(15) {
                times.pop();
            }
            fields.validity = sequence(&times);
            "validity".to_owned()
        }
        17 | 18 => {
            version(random, &mut fields);
            "version and fields".to_owned()
        }
        _ => {
            let whole = fields.encode();
            let mut tree = Node::parse(&whole).unwrap();
            let mut made = "mutated: ".to_owned();
            for _ in 0..=random.below(2) {
                made += &tree.mutate(random);
            }
            return Question { made, der: tree.encode() };
        }
    };
    let mut der = fields.encode();
    if random.one_in(60) {
        der.extend(random.odd());
    }
    Question { made, der }
}

/// Changes version, serial number, unique identifiers, trailing bytes or signature.
fn version(random: &mut Random, fields: &mut Fields) {
    match random.below(8) {
        0 => fields.version = Vec::new(),
        1 => fields.version = tlv(0xa0, &tlv(0x02, &[1])),
        2 => fields.version = tlv(0xa0, &tlv(0x02, &[0])),
        3 => fields.version = tlv(0xa0, &random.integer()),
        4 => fields.version = tlv(0x80, &[2]),
        5 => fields.version = tlv(0xa0, &[random.integer(), random.odd()].concat()),
        _ => {}
    }
    if random.one_in(3) {
        fields.extensions = None;
    }
    if random.one_in(4) {
        fields.serial = random.integer();
    }
    for tag in [0x81, 0x82, 0xa1, 0xa2] {
        if random.one_in(4) {
            let string = bit_string(random, tag);
            fields.rest.push(string);
        }
    }
    if random.one_in(6) {
        fields.rest.push(random.odd());
    }
    if random.one_in(6) {
        fields.subject = sequence(&[]);
    }
    if random.one_in(6) {
        fields.signature = bit_string(random, 0x03);
    }
    if random.one_in(12) {
        fields.extensions = Some(Vec::new());
    }
}
