//! Things that may be odd in a chain. Each shape takes its numbers from the generator, so its result may be allowed or
//! not; the judges decide.

use super::certificate::{self as c, CertificateShape, integer, name, oid, sequence, tlv};
use super::chain::*;

/// Declares the shapes and the lists from which they are drawn.
macro_rules! shapes {
    (common { $($common:ident,)* } seldom { $($seldom:ident,)* }) => {
        /// One odd thing in a chain.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Shape {
            $($common,)*
            $($seldom,)*
        }

        pub(crate) const COMMON: &[Shape] = &[$(Shape::$common,)*];
        /// The shapes that openssl and JSSE accept, and that a rule of this crate refuses on purpose.
        pub(crate) const SELDOM: &[Shape] = &[$(Shape::$seldom,)*];
    };
}

shapes! {
    common {
        PathLength, PathLengthOdd, IssuerKeyUsage, NoCa, Version, Ended, NotYetValid, Edge, TimeForm,
        UnknownExtension, CriticalPoints, BrokenPoints, LeafOpensslAlone, Subtrees, ManySubtrees, Distance,
        EmptySubtrees, AlternativeNames, NamesAndSubtrees, MailInSubject, NoAlternativeName, LeafKeyUsage,
        LeafPurpose, IssuerPurpose, NetscapeType, KeyIdentifier, IssuerAndSerial, Spoilt, WrongSigner,
        WrongName, Missing, SelfIssued, Policies, PolicyConstraints, Mappings, Qualifier, Twice,
        TwoAlgorithms, TinyKey, Twin, Decoy, Serial,
    }
    seldom {
        ShortKey, OtherCurve, OldLeaf, LeafIsCa, Ed25519, NameInOtherForm, IssuerOpensslAlone,
    }
}

impl Shape {
    /// Makes a chain odd.
    pub(crate) fn apply(self, chain: &mut Chain, chance: &mut Chance) {
        let length = chain.members.len();
        match self {
            Self::PathLength => {
                let place = chain.issuer(chance);
                let most = chance.below(3) as i64;
                chain.members[place].set(authority(Some(integer(most))));
            }
            Self::PathLengthOdd => {
                let place = chain.issuer(chance);
                let most = chance.pick(&[integer(-1), integer(300), integer(1 << 31), tlv(2, &[0x7f; 9])]);
                chain.members[place].set(authority(Some(most)));
            }
            Self::IssuerKeyUsage => {
                let (place, critical) = (chain.issuer(chance), chance.is());
                chain.members[place].set(usage(chance.pick(&[0x06, 0x04, 0x02, 0x80, 0x86, 0xff]), critical));
            }
            Self::NoCa => {
                let place = chain.issuer(chance);
                match chance.below(4) {
                    0 => chain.members[place].drop(BASIC),
                    1 => chain.members[place].set((BASIC, true, sequence(&[]))),
                    2 => chain.members[place].set((BASIC, false, sequence(&[vec![1, 1, 0xff]]))),
                    _ => chain.members[place].set((BASIC, true, sequence(&[integer(0)]))),
                }
            }
            Self::Version => {
                let place = chain.between(chance);
                if place == 0 {
                    return;
                }
                let draft = &mut chain.members[place];
                draft.version = chance.pick(&[None, Some(1)]);
                if chance.is() {
                    draft.extensions.clear();
                }
            }
            Self::Ended => {
                let ago = chance.pick(&[1, 86_400, YEAR / 2]);
                chain.any(chance).not_after = c::time(AT - ago);
            }
            Self::NotYetValid => {
                let later = chance.pick(&[1, 86_400, YEAR / 2]);
                chain.any(chance).not_before = c::time(AT + later);
            }
            Self::Edge => match chance.below(4) {
                0 => chain.any(chance).not_after = c::time(AT),
                1 => chain.any(chance).not_after = c::time(AT + 1),
                2 => chain.any(chance).not_before = c::time(AT),
                _ => chain.any(chance).not_after = tlv(0x18, b"99991231235959Z"),
            },
            Self::TimeForm => {
                let draft = chain.any(chance);
                match chance.below(5) {
                    0 => draft.not_before = tlv(0x17, b"2501010000Z"),
                    1 => draft.not_before = tlv(0x18, b"20250101000000Z"),
                    2 => draft.not_before = tlv(0x17, b"250101000000+0000"),
                    3 => draft.not_after = tlv(0x18, b"20300101000000.5Z"),
                    _ => draft.not_before = tlv(0x17, b"250230000000Z"),
                }
            }
            Self::UnknownExtension => {
                let critical = chance.is();
                let kind = chance.pick(&["1.2.3.4.5", "2.5.29.99", "1.3.6.1.5.5.7.1.1", "2.5.29.18"]);
                let value = match kind {
                    "1.3.6.1.5.5.7.1.1" => {
                        sequence(&[sequence(&[oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://ocsp.acme.example")])])
                    }
                    "2.5.29.18" => sequence(&[tlv(0x82, b"acme.example")]),
                    _ => vec![5, 0],
                };
                chain.any(chance).set((kind, critical, value));
            }
            Self::CriticalPoints | Self::BrokenPoints => {
                let point = tlv(0xa0, &tlv(0xa0, &tlv(0x86, b"http://crl.acme.example/a.crl")));
                let good = sequence(&[sequence(&[point])]);
                let of = |part: Vec<u8>| sequence(&[sequence(&[part])]);
                let broken = chance.pick(&[
                    sequence(&[vec![5, 0]]),
                    tlv(4, b"x"),
                    of(vec![5, 0]),
                    of(Vec::new()),
                    of(tlv(0x81, &[6, 0x40])),
                    of(tlv(0xa2, &[])),
                ]);
                let is_good = self == Self::CriticalPoints;
                let critical = is_good && chance.is();
                chain.any(chance).set((CRL_POINTS, critical, if is_good { good } else { broken }));
            }
            Self::Subtrees => {
                let (place, critical) = (chain.issuer(chance), chance.is());
                let base = [some_base(chance)];
                let value = if chance.is() { subtrees(&base, &[]) } else { subtrees(&[], &base) };
                chain.members[place].set((NAMES, critical, value));
            }
            Self::ManySubtrees | Self::NamesAndSubtrees => {
                let place = chain.issuer(chance);
                let bases =
                    |chance: &mut Chance| -> Vec<Vec<u8>> { (0..chance.below(4)).map(|_| some_base(chance)).collect() };
                let (mut permitted, excluded) = (bases(chance), bases(chance));
                if self == Self::NamesAndSubtrees {
                    permitted.push(tlv(0x82, b"example"));
                    Self::AlternativeNames.apply(chain, chance);
                }
                chain.members[place].set((NAMES, true, subtrees(&permitted, &excluded)));
            }
            Self::Distance => {
                let place = chain.issuer(chance);
                let kind = chance.pick(&[0x80, 0x81]);
                let subtree = sequence(&[tlv(0x82, b"example"), tlv(kind, &[1 + chance.below(2) as u8])]);
                chain.members[place].set((NAMES, true, sequence(&[tlv(0xa0, &subtree)])));
            }
            Self::LeafOpensslAlone | Self::IssuerOpensslAlone => {
                // Resources of the internet and proxies: not critical, well-formed or not.
                let (name, good) = chance.pick(&[
                    ("1.3.6.1.5.5.7.1.7", sequence(&[sequence(&[tlv(4, &[0, 1]), sequence(&[tlv(3, &[0, 10])])])])),
                    ("1.3.6.1.5.5.7.1.8", sequence(&[tlv(0xa0, &sequence(&[integer(5)]))])),
                    ("1.3.6.1.5.5.7.1.14", sequence(&[sequence(&[oid("1.3.6.1.5.5.7.21.1")])])),
                ]);
                let value = if chance.below(3) == 0 { b"zz".to_vec() } else { good };
                let place = if self == Self::LeafOpensslAlone { length - 1 } else { chain.issuer(chance) };
                chain.members[place].set((name, false, value));
            }
            Self::EmptySubtrees => {
                let place = chain.issuer(chance);
                let value = chance.pick(&[sequence(&[]), sequence(&[tlv(0xa0, &[])]), tlv(4, b"x")]);
                chain.members[place].set((NAMES, true, value));
            }
            Self::AlternativeNames => {
                let mut names = vec![tlv(0x82, b"host.acme.example")];
                for _ in 0..=chance.below(3) {
                    names.push(some_name(chance));
                }
                let place = if chance.below(3) > 0 { length - 1 } else { chance.below(length) };
                chain.members[place].set((SAN, chance.is(), sequence(&names)));
            }
            Self::MailInSubject => {
                let (tag, text) =
                    (chance.pick(&[IA5, UTF8]), chance.pick(&["ops@acme.example", "nobody@x.example", "none"]));
                chain.leaf().subject = name(&[
                    (C, PRINTABLE, "US"),
                    (O, UTF8, "Acme"),
                    (MAIL, tag, text),
                    (CN, UTF8, "host.acme.example"),
                ]);
                let place = chain.issuer(chance);
                let base = [tlv(0x81, b"acme.example"), tlv(0x82, b"example")];
                if chance.is() {
                    chain.members[place].set((NAMES, true, subtrees(&base, &[])));
                }
            }
            Self::NoAlternativeName => {
                chain.leaf().drop(SAN);
                let place = chain.issuer(chance);
                let base = [tlv(0x82, chance.pick(&["acme.example", "other.example"]).as_bytes())];
                let value = if chance.is() { subtrees(&base, &[]) } else { subtrees(&[], &base) };
                chain.members[place].set((NAMES, true, value));
            }
            Self::LeafKeyUsage => {
                let critical = chance.is();
                match chance.below(6) {
                    0 => chain.leaf().drop(KEY_USAGE),
                    which => {
                        let bits = [0xa0, 0x20, 0x02, 0x08, 0xc0][which - 1];
                        chain.leaf().set(usage(bits, critical));
                    }
                }
            }
            Self::LeafPurpose | Self::IssuerPurpose => {
                let list: &[&str] = chance.pick(&[
                    &[SERVER, CLIENT] as &[&str],
                    &[SERVER],
                    &[CLIENT],
                    &["2.5.29.37.0"],
                    &["1.3.6.1.5.5.7.3.3"],
                    &[SERVER, CLIENT, "1.2.3"],
                    &[],
                ]);
                let place = if self == Self::LeafPurpose { length - 1 } else { chain.issuer(chance) };
                let mut extension = purposes(list);
                extension.1 = chance.is();
                chain.members[place].set(extension);
            }
            Self::NetscapeType => {
                let place = chance.below(length);
                let bits = chance.pick(&[0x80u8, 0x40, 0xc0, 0x04, 0xc4, 0x20, 0]);
                let value = if bits == 0 { tlv(3, &[0]) } else { tlv(3, &[bits.trailing_zeros() as u8, bits]) };
                let value = if chance.below(12) == 0 { tlv(3, &[]) } else { value };
                chain.members[place].set((NETSCAPE, false, value));
            }
            Self::KeyIdentifier => match chance.below(4) {
                0 => chain.any(chance).set((AKI, false, sequence(&[tlv(0x80, &[9; 20])]))),
                1 => chain.any(chance).drop(AKI),
                2 => chain.any(chance).drop(SKI),
                _ => chain.any(chance).set((AKI, false, tlv(4, b"x"))),
            },
            Self::IssuerAndSerial => {
                let place = chance.below(length);
                let above = &chain.members[place.saturating_sub(1)];
                let serial = if chance.is() { above.serial } else { 77 };
                let stated = if chance.below(4) > 0 { above.issuer.clone() } else { name(&[(CN, UTF8, "Nobody")]) };
                let serial = integer(serial)[2..].to_vec();
                let value = sequence(&[tlv(0xa1, &tlv(0xa4, &stated)), tlv(0x82, &serial)]);
                chain.members[place].set((AKI, false, value));
            }
            Self::Spoilt => chain.any(chance).spoilt = true,
            Self::WrongSigner => {
                let place = 1 + chance.below(length - 1);
                let (kind, number) = chain.members[place].signer;
                chain.members[place].signer = (kind, number + 1);
            }
            Self::WrongName => {
                // A root with this change is no root.
                let place = chance.below(length);
                chain.members[place].issuer = name(&[(CN, UTF8, "Somebody")]);
            }
            Self::Missing => chain.missing = Some(1 + chance.below(length.saturating_sub(2).max(1))),
            Self::SelfIssued => {
                let place = chain.between(chance);
                if place > 1 {
                    let above = chain.members[place - 1].subject.clone();
                    chain.members[place].subject.clone_from(&above);
                    chain.members[place].issuer.clone_from(&above);
                    chain.members[place + 1].issuer = above;
                    let at = chance.below(place);
                    chain.members[at].set(authority(Some(integer(chance.below(3) as i64))));
                }
            }
            Self::Policies => {
                for place in 1..length {
                    if chance.below(4) > 0 {
                        let list = some_policies(chance);
                        chain.members[place].set((POLICIES, chance.below(3) == 0, list));
                    }
                }
            }
            Self::PolicyConstraints => {
                Self::Policies.apply(chain, chance);
                let place = 1 + chance.below(length - 1);
                let number = tlv(chance.pick(&[0x80, 0x80, 0x80, 0x81]), &[chance.below(4) as u8]);
                chain.members[place].set((POLICY_CONSTRAINTS, chance.is(), sequence(&[number])));
                if chance.is() {
                    let place = chain.between(chance);
                    chain.members[place].set((INHIBIT_ANY, true, integer(chance.below(3) as i64)));
                }
            }
            Self::Mappings => {
                Self::PolicyConstraints.apply(chain, chance);
                let place = chain.between(chance);
                let (above, below) =
                    (chance.pick(&["1.2.3.1", "1.2.3.2"]), chance.pick(&["1.2.3.2", "1.2.3.9", "2.5.29.32.0"]));
                let pair = sequence(&[oid(above), oid(below)]);
                chain.members[place].set((MAPPINGS, chance.is(), sequence(&[pair])));
            }
            Self::Qualifier => {
                let qualifier =
                    sequence(&[sequence(&[oid("1.3.6.1.5.5.7.2.1"), tlv(IA5, b"http://cps.acme.example")])]);
                let critical = chance.is();
                chain.any(chance).set((POLICIES, critical, sequence(&[sequence(&[oid("1.2.3.1"), qualifier])])));
            }
            Self::Twice => {
                let draft = chain.any(chance);
                let again = draft.extensions.first().cloned();
                draft.extensions.extend(again);
            }
            Self::TwoAlgorithms => {
                let other = chance.pick(&[
                    sequence(&[oid("1.2.840.10045.4.3.2")]),
                    sequence(&[oid("1.2.840.113549.1.1.11")]),
                    sequence(&[oid("1.2.840.113549.1.1.5"), vec![5, 0]]),
                ]);
                let both = chance.is();
                let draft = chain.any(chance);
                draft.algorithm = [Some(other.clone()), both.then_some(other)];
            }
            Self::ShortKey | Self::TinyKey => {
                // JSSE refuses RSA below 1024 bits.
                let length = if self == Self::TinyKey { 96 } else { 128 };
                let mut modulus = vec![0u8, 0xc1];
                modulus.extend((1..length).map(|_| chance.below(256) as u8));
                *modulus.last_mut().unwrap() |= 1;
                let public = sequence(&[tlv(2, &modulus), integer(65_537)]);
                let algorithm = sequence(&[oid("1.2.840.113549.1.1.1"), vec![5, 0]]);
                chain.leaf().spki = sequence(&[algorithm, c::bits(&public)]);
            }
            Self::OtherCurve => {
                // The base point of secp256k1.
                let point = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
                             483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
                let bytes: Vec<u8> =
                    (0..point.len()).step_by(2).map(|at| u8::from_str_radix(&point[at..at + 2], 16).unwrap()).collect();
                let algorithm = sequence(&[oid("1.2.840.10045.2.1"), oid("1.3.132.0.10")]);
                chain.leaf().spki = sequence(&[algorithm, c::bits(&bytes)]);
            }
            Self::Twin => {
                // A second certificate with the same name and key, ended or good.
                let place = chain.between(chance);
                if place > 0 {
                    let mut twin = chain.members[place].clone();
                    twin.serial += 500;
                    if chance.is() {
                        twin.not_after = c::time(AT - 10);
                    }
                    chain.others.push(twin);
                }
            }
            Self::Decoy => {
                // A certificate with the same name and another key.
                let place = chain.between(chance);
                if place > 0 {
                    let mut decoy = chain.members[place].clone();
                    let (kind, number) = chain.keys[place];
                    decoy.spki = c::key(kind, number + 1).spki();
                    decoy.serial += 600;
                    chain.others.push(decoy);
                }
            }
            Self::Serial => chain.any(chance).serial = chance.pick(&[0, -5, 1 << 40]),
            Self::OldLeaf => {
                chain.leaf().version = Some(1);
                chain.leaf().extensions.clear();
            }
            Self::LeafIsCa => chain.leaf().set(authority(None)),
            Self::Ed25519 => {
                let place = chance.below(length);
                let number = chain.keys[place].1;
                chain.keys[place] = (CertificateShape::Ed25519, number);
                chain.members[place].spki = c::key(CertificateShape::Ed25519, number).spki();
                if place == 0 {
                    chain.members[0].signer = (CertificateShape::Ed25519, number);
                }
                if place + 1 < length {
                    chain.members[place + 1].signer = (CertificateShape::Ed25519, number);
                }
            }
            Self::NameInOtherForm => {
                let place = 1 + chance.below(length - 1);
                let above = if place == 1 { "ROOT".to_owned() } else { format!("ISSUING {}", place - 1) };
                chain.members[place].issuer = name(&[(C, PRINTABLE, "US"), (O, PRINTABLE, "Acme"), (CN, UTF8, &above)]);
            }
        }
    }
}

fn some_policies(chance: &mut Chance) -> Vec<u8> {
    let all =
        [&["1.2.3.1"] as &[&str], &["1.2.3.1", "1.2.3.2"], &["2.5.29.32.0"], &["1.2.3.2"], &["1.2.3.1", "2.5.29.32.0"]];
    let list: Vec<Vec<u8>> = chance.pick(&all).iter().map(|policy| sequence(&[oid(policy)])).collect();
    sequence(&list)
}
