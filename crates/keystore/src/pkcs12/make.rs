//! Builds PKCS#12 files for tests: any bag in any part under any scheme, in DER or in BER. It never goes through an
//! edit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::derive::{Hash, PasswordEncoding, Secret};
use super::mac::Mac;
use super::pfx::{DATA, ENCRYPTED_DATA};
use super::scheme::Scheme;
use crate::der::{self, DerReader, encode, integer};
use crate::dice::Dice;
use crate::edit::{Edits, Image};
use crate::entry::Credential;
use crate::error::{EditError, ReadError};
use crate::intern::Interner;
use crate::password::Password;
use crate::store::Store;

pub(super) struct TestMaterial {
    /// Certificates without any relation to each other.
    pub(super) lone: Vec<Vec<u8>>,
    pub(super) root: Vec<u8>,
    /// Keys with certificates from `root`.
    pub(super) keys: Vec<(Vec<u8>, Vec<u8>)>,
    /// Two certificates that name each other as issuer.
    pub(super) cycle: [Vec<u8>; 2],
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(super) static POOL: LazyLock<TestMaterial> = LazyLock::new(|| {
    let key = || KeyPair::generate().unwrap();
    let root_key = key();
    let root = named("Root").self_signed(&root_key).unwrap().der().to_vec();
    let issuer = Issuer::new(named("Root"), root_key);
    let leaf = |n: usize| {
        let key = key();
        let leaf = named(&format!("leaf{n}")).signed_by(&key, &issuer).unwrap().der().to_vec();
        (key.serialize_der(), leaf)
    };
    let (a, b) = (key(), key());
    let first = named("A").signed_by(&a, &Issuer::new(named("B"), &b)).unwrap().der().to_vec();
    let second = named("B").signed_by(&b, &Issuer::new(named("A"), &a)).unwrap().der().to_vec();
    TestMaterial {
        lone: (0..4).map(|n| named(&format!("lone{n}")).self_signed(&key()).unwrap().der().to_vec()).collect(),
        root,
        keys: (0..4).map(leaf).collect(),
        cycle: [first, second],
    }
});

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    encode(der::SEQUENCE, &parts.concat())
}

pub(super) fn oid(body: &[u8]) -> Vec<u8> {
    encode(der::OID, body)
}

const RSADSI: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d];

fn arc(rest: &[u8]) -> Vec<u8> {
    oid(&[RSADSI, rest].concat())
}

/// PKCS#12's own scheme with this number.
pub(super) fn pbes1(number: u8, rounds: u64) -> Scheme {
    let salt = encode(der::OCTET_STRING, b"saltsalt");
    read_scheme(&sequence(&[arc(&[1, 12, 1, number]), sequence(&[salt, integer(rounds)])]))
}

/// PBES2 with this hash, and with the cipher that has this object identifier.
pub(super) fn pbes2(hash: Hash, cipher: &[u8], rounds: u64) -> Scheme {
    let iv = if cipher.starts_with(RSADSI) { 8 } else { 16 };
    let derivation = [encode(der::OCTET_STRING, b"saltsalt"), integer(rounds), hash.hmac_identifier()];
    let derivation = sequence(&[arc(&[1, 5, 12]), sequence(&derivation)]);
    let encryption = sequence(&[oid(cipher), encode(der::OCTET_STRING, &vec![7; iv])]);
    read_scheme(&sequence(&[arc(&[1, 5, 13]), sequence(&[derivation, encryption])]))
}

pub(super) const AES_128: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
pub(super) const AES_192: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
pub(super) const AES_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
pub(super) const DES_EDE3: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];

fn read_scheme(identifier: &[u8]) -> Scheme {
    Scheme::read(&DerReader::new(identifier).next().unwrap()).unwrap()
}

pub(super) fn mac(hash: Hash, rounds: u64) -> Mac {
    let info = sequence(&[hash.digest_identifier(), encode(der::OCTET_STRING, b"")]);
    let data = sequence(&[info, encode(der::OCTET_STRING, b"saltsalt"), integer(rounds)]);
    Mac::read(&DerReader::new(&data).next().unwrap()).unwrap()
}

/// MacData of PBMAC1 with HMAC-SHA-256 in both places, as in RFC 9579. Its value is not computed yet.
pub(super) fn pbmac1(key_length: Option<u64>, rounds: u64) -> Vec<u8> {
    let mut derivation = vec![encode(der::OCTET_STRING, b"saltsalt"), integer(rounds)];
    derivation.extend(key_length.map(integer));
    derivation.push(Hash::Sha256.hmac_identifier());
    let derivation = sequence(&[arc(&[1, 5, 12]), sequence(&derivation)]);
    let parameters = sequence(&[derivation, Hash::Sha256.hmac_identifier()]);
    let info = sequence(&[sequence(&[arc(&[1, 5, 14]), parameters]), encode(der::OCTET_STRING, b"")]);
    sequence(&[info, encode(der::OCTET_STRING, b"unused"), integer(1)])
}

/// Encrypts a key and gives its EncryptedPrivateKeyInfo.
pub(super) fn sealed(plain: &[u8], scheme: &Scheme, password: &str) -> Vec<u8> {
    let password = Password::new(password);
    let secret = Secret { password: &password, reading: PasswordEncoding::Terminated };
    sequence(&[scheme.identifier(), encode(der::OCTET_STRING, &scheme.seal(plain, secret).unwrap())])
}

/// The attributes of a bag.
#[derive(Debug, Clone, Default)]
pub(super) struct BagAttributes {
    pub(super) name: Option<String>,
    pub(super) key_id: Option<Vec<u8>>,
    pub(super) trusted: bool,
    /// Whether an unknown attribute precedes all others.
    pub(super) custom: bool,
}

impl BagAttributes {
    pub(super) fn of(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    pub(super) fn id(mut self, key_id: &[u8]) -> Self {
        self.key_id = Some(key_id.to_vec());
        self
    }

    pub(super) fn trusted(mut self) -> Self {
        self.trusted = true;
        self
    }

    fn encode(&self) -> Vec<u8> {
        let attribute = |kind: Vec<u8>, value: Vec<u8>| sequence(&[kind, encode(der::SET, &value)]);
        let mut all = Vec::new();
        if self.custom {
            all.push(attribute(oid(&[0x2b, 6, 1, 4, 1, 99]), encode(0x0c, b"custom")));
        }
        if let Some(name) = &self.name {
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
            all.push(attribute(arc(&[1, 9, 20]), encode(0x1e, &units)));
        }
        if let Some(id) = &self.key_id {
            all.push(attribute(arc(&[1, 9, 21]), encode(der::OCTET_STRING, id)));
        }
        if self.trusted {
            let usage = oid(&[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1]);
            all.push(attribute(usage, oid(&[0x55, 0x1d, 0x25, 0])));
        }
        if all.is_empty() { Vec::new() } else { encode(der::SET, &all.concat()) }
    }
}

/// A SafeBag of the kind with this number in PKCS#12.
pub(super) fn bag(number: u8, value: &[u8], attributes: &BagAttributes) -> Vec<u8> {
    sequence(&[arc(&[1, 12, 10, 1, number]), encode(der::CONTEXT_0, value), attributes.encode()])
}

pub(super) fn certificate(der: &[u8], attributes: &BagAttributes) -> Vec<u8> {
    let value = encode(der::CONTEXT_0, &encode(der::OCTET_STRING, der));
    bag(3, &sequence(&[arc(&[1, 9, 22, 1]), value]), attributes)
}

/// The protection of a part: none, or this scheme under this password.
pub(super) type Cover<'a> = Option<(Scheme, &'a str)>;

/// The description of a file.
pub(super) struct TestFile<'a> {
    pub(super) parts: Vec<(Cover<'a>, Vec<Vec<u8>>)>,
    pub(super) mac: Option<(Mac, &'a str)>,
    /// Whether the file has indefinite lengths, and octet strings in pieces.
    pub(super) ber: bool,
    pub(super) reading: PasswordEncoding,
}

impl<'a> TestFile<'a> {
    pub(super) fn plain(bags: Vec<Vec<u8>>) -> Self {
        Self { parts: vec![(None, bags)], mac: None, ber: false, reading: PasswordEncoding::Terminated }
    }

    pub(super) fn mac(mut self, mac: Mac, password: &'a str) -> Self {
        self.mac = Some((mac, password));
        self
    }

    pub(super) fn part(mut self, scheme: Scheme, password: &'a str, bags: Vec<Vec<u8>>) -> Self {
        self.parts.push((Some((scheme, password)), bags));
        self
    }

    fn wrap(&self, tag: u8, body: &[u8]) -> Vec<u8> {
        if self.ber { [&[tag, 0x80], body, &[0, 0]].concat() } else { encode(tag, body) }
    }

    fn octets(&self, tag: u8, body: &[u8]) -> Vec<u8> {
        if !self.ber {
            return encode(tag, body);
        }
        let pieces: Vec<u8> = body.chunks(100).flat_map(|piece| encode(der::OCTET_STRING, piece)).collect();
        self.wrap(tag | 0x20, &pieces)
    }

    fn info(&self, kind: &[u8], content: &[u8]) -> Vec<u8> {
        self.wrap(der::SEQUENCE, &[oid(kind), self.wrap(der::CONTEXT_0, content)].concat())
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let mut safe = Vec::new();
        for (cover, bags) in &self.parts {
            let text = self.wrap(der::SEQUENCE, &bags.concat());
            safe.extend(match cover {
                None => self.info(DATA, &self.octets(der::OCTET_STRING, &text)),
                Some((scheme, password)) => {
                    let password = Password::new(*password);
                    let data = scheme.seal(&text, Secret { password: &password, reading: self.reading }).unwrap();
                    let info = [oid(DATA), scheme.identifier(), self.octets(0x80, &data)].concat();
                    let data = [integer(0), self.wrap(der::SEQUENCE, &info)].concat();
                    self.info(ENCRYPTED_DATA, &self.wrap(der::SEQUENCE, &data))
                }
            });
        }
        let safe = self.wrap(der::SEQUENCE, &safe);
        let mut fields = vec![integer(3), self.info(DATA, &self.octets(der::OCTET_STRING, &safe))];
        if let Some((mac, password)) = &self.mac {
            let password = Password::new(*password);
            let secret = Secret { password: &password, reading: self.reading };
            fields.push(mac.renew(&safe, secret, &mut Dice(1)).unwrap());
        }
        self.wrap(der::SEQUENCE, &fields.concat())
    }
}

pub(super) fn open(bytes: &[u8], password: &str) -> Result<Store, ReadError> {
    Store::open(bytes.to_vec(), Credential::Password(&Password::new(password)), &Interner::new())
}

pub(super) fn edit(store: &Store, edits: &Edits, password: &str) -> Result<Vec<u8>, EditError> {
    match store.edit(edits, &Password::new(password), &mut Dice(9))? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => panic!("a file"),
    }
}
