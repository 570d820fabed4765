//! A chain of certificates before it is signed, and the parts of which its shapes are made. The module never signs:
//! `certificate` does.

use crate::support::Dice;

use super::certificate::{self as c, CertificateDraft, CertificateShape, Extension, name, oid, sequence, tlv};

/// The moment of every judgement: 2027-01-15.
pub(crate) const AT: i64 = 1_800_000_000;
pub(super) const YEAR: i64 = 31_536_000;

pub(crate) const SKI: &str = "2.5.29.14";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const SAN: &str = "2.5.29.17";
pub(crate) const BASIC: &str = "2.5.29.19";
pub(crate) const NAMES: &str = "2.5.29.30";
pub(crate) const CRL_POINTS: &str = "2.5.29.31";
pub(crate) const POLICIES: &str = "2.5.29.32";
pub(crate) const MAPPINGS: &str = "2.5.29.33";
pub(crate) const AKI: &str = "2.5.29.35";
pub(crate) const POLICY_CONSTRAINTS: &str = "2.5.29.36";
pub(crate) const EKU: &str = "2.5.29.37";
pub(crate) const INHIBIT_ANY: &str = "2.5.29.54";
pub(crate) const NETSCAPE: &str = "2.16.840.1.113730.1.1";
pub(super) const CN: &str = "2.5.4.3";
pub(super) const O: &str = "2.5.4.10";
pub(super) const C: &str = "2.5.4.6";
pub(super) const MAIL: &str = "1.2.840.113549.1.9.1";
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const IA5: u8 = 0x16;

/// The source of the random choices in a chain.
pub(crate) struct Chance(Dice);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Dice(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        self.0.of(from).clone()
    }

    pub(crate) fn is(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// A chain before it is signed.
pub(crate) struct Chain {
    /// The certificates, the root first, the end entity last.
    pub(crate) members: Vec<CertificateDraft>,
    /// The kind and number of each member's key.
    pub(crate) keys: Vec<(CertificateShape, usize)>,
    /// Other intermediates that the judges may get.
    pub(crate) others: Vec<CertificateDraft>,
    /// The number of the intermediate that is missing.
    pub(crate) missing: Option<usize>,
}

impl Chain {
    /// A good chain with up to three intermediates.
    pub(crate) fn good(chance: &mut Chance) -> Self {
        let length = chance.pick(&[2, 3, 3, 4, 4, 5]);
        let kinds = [
            CertificateShape::P256,
            CertificateShape::P256,
            CertificateShape::P256,
            CertificateShape::P384,
            CertificateShape::P521,
            CertificateShape::Rsa,
            CertificateShape::Pss,
        ];
        let keys: Vec<(CertificateShape, usize)> = (0..length).map(|place| (chance.pick(&kinds), place)).collect();
        let subject = |place: usize| match place {
            0 => name(&[(C, PRINTABLE, "US"), (O, UTF8, "Acme"), (CN, UTF8, "Root")]),
            _ if place == length - 1 => {
                name(&[(C, PRINTABLE, "US"), (O, UTF8, "Acme"), (CN, UTF8, "host.acme.example")])
            }
            _ => name(&[(C, PRINTABLE, "US"), (O, UTF8, "Acme"), (CN, UTF8, &format!("Issuing {place}"))]),
        };
        let members = (0..length)
            .map(|place| {
                let above = place.saturating_sub(1);
                let mut draft = CertificateDraft {
                    version: Some(2),
                    serial: 1000 + place as i64,
                    subject: subject(place),
                    issuer: subject(above),
                    not_before: c::time(AT - YEAR),
                    not_after: c::time(AT + YEAR * (length - place) as i64),
                    spki: c::key(keys[place].0, keys[place].1).spki(),
                    signer: keys[above],
                    algorithm: [None, None],
                    extensions: Vec::new(),
                    spoilt: false,
                };
                if place + 1 == length {
                    draft.set(usage(0x80, true));
                    draft.set(purposes(&[SERVER, CLIENT]));
                    draft.set((SAN, false, sequence(&[tlv(0x82, b"host.acme.example")])));
                } else {
                    draft.set(authority(None));
                    if chance.is() {
                        draft.set(usage(0x06, true));
                    }
                    draft.set((SKI, false, tlv(4, &identifier(place))));
                }
                draft.set((AKI, false, sequence(&[tlv(0x80, &identifier(above))])));
                draft
            })
            .collect();
        Self { members, keys, others: Vec::new(), missing: None }
    }

    pub(super) fn leaf(&mut self) -> &mut CertificateDraft {
        self.members.last_mut().unwrap()
    }

    /// The root or an intermediate.
    pub(super) fn issuer(&mut self, chance: &mut Chance) -> usize {
        chance.below(self.members.len() - 1)
    }

    /// Any member of the chain.
    pub(super) fn any(&mut self, chance: &mut Chance) -> &mut CertificateDraft {
        let place = chance.below(self.members.len());
        &mut self.members[place]
    }

    /// An intermediate; the root if there is none.
    pub(super) fn between(&self, chance: &mut Chance) -> usize {
        if self.members.len() < 3 { 0 } else { 1 + chance.below(self.members.len() - 2) }
    }
}

pub(super) fn identifier(place: usize) -> Vec<u8> {
    vec![0xa0 + place as u8; 20]
}

pub(super) const SERVER: &str = "1.3.6.1.5.5.7.3.1";
pub(super) const CLIENT: &str = "1.3.6.1.5.5.7.3.2";

pub(super) fn usage(bits: u8, critical: bool) -> Extension {
    (KEY_USAGE, critical, tlv(3, &[bits.trailing_zeros().min(7) as u8, bits]))
}

pub(super) fn purposes(list: &[&str]) -> Extension {
    (EKU, false, sequence(&list.iter().map(|usage| oid(usage)).collect::<Vec<_>>()))
}

pub(super) fn authority(length: Option<Vec<u8>>) -> Extension {
    (BASIC, true, sequence(&[vec![1, 1, 0xff], length.unwrap_or_default()]))
}

/// GeneralNames that occur as alternative names in chains.
pub(super) fn some_name(chance: &mut Chance) -> Vec<u8> {
    match chance.below(10) {
        0 => tlv(0x82, b"other.example"),
        1 => tlv(0x82, b"a.b.acme.example"),
        2 => tlv(0x87, &[10, 0, 0, 1]),
        3 => tlv(0x87, &[0x20; 16]),
        4 => tlv(0x81, b"ops@acme.example"),
        5 => tlv(0x81, b"Ops@mail.acme.example"),
        6 => tlv(0x86, b"https://host.acme.example:8443/x"),
        7 => tlv(0xa4, &name(&[(C, PRINTABLE, "US"), (O, UTF8, "Other")])),
        8 => tlv(0x88, &oid("1.2.3")[2..]),
        _ => tlv(0xa0, &[oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, &tlv(UTF8, b"a@b"))].concat()),
    }
}

/// A subtree of some kind.
pub(super) fn some_base(chance: &mut Chance) -> Vec<u8> {
    match chance.below(12) {
        0..=2 => {
            let base = chance.pick(&[
                "acme.example",
                "ACME.example",
                "host.acme.example",
                "example",
                "other.example",
                "st.acme.example",
                ".acme.example",
                "",
            ]);
            tlv(0x82, base.as_bytes())
        }
        3 => tlv(0x87, &chance.pick(&[[10, 0, 0, 0, 255, 0, 0, 0], [192, 168, 0, 0, 255, 255, 0, 0], [0; 8]])),
        4 => tlv(0x87, &[[0x20; 16], [0xff; 16]].concat()),
        5 => {
            let base =
                chance.pick(&["acme.example", ".acme.example", "ops@acme.example", "OPS@acme.example", "x.example"]);
            tlv(0x81, base.as_bytes())
        }
        6 => tlv(0x86, chance.pick(&["host.acme.example", ".acme.example", "other.example"]).as_bytes()),
        7..=9 => {
            let base = match chance.below(7) {
                0 | 1 => name(&[(C, PRINTABLE, "US")]),
                2 => name(&[(C, PRINTABLE, "US"), (O, UTF8, "Acme")]),
                3 => name(&[(C, PRINTABLE, "us"), (O, PRINTABLE, "ACME ")]),
                4 => name(&[(C, PRINTABLE, "DE")]),
                5 => name(&[(O, UTF8, "Acme")]),
                _ => name(&[(C, PRINTABLE, "US"), (O, UTF8, "Acme"), (CN, UTF8, "host.acme.example")]),
            };
            tlv(0xa4, &base)
        }
        10 => tlv(0x88, &oid("1.2.3")[2..]),
        _ => tlv(0xa0, &[oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, &tlv(UTF8, b"b"))].concat()),
    }
}

pub(super) fn subtrees(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let list = |tag, bases: &[Vec<u8>]| {
        let all: Vec<Vec<u8>> = bases.iter().map(|base| sequence(std::slice::from_ref(base))).collect();
        if all.is_empty() { Vec::new() } else { tlv(tag, &all.concat()) }
    };
    sequence(&[list(0xa0, permitted), list(0xa1, excluded)])
}
