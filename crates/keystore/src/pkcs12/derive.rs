//! Derives keys from a password: the KDF of PKCS#12 (RFC 7292 appendix B.2) and PBKDF2 (RFC 8018 §5.2). The module also
//! holds the budget that limits how many rounds a file may demand.

use aes::cipher::KeyInit as _;
use hmac::{Hmac, Mac as _};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha1::digest::block_api::BlockSizeUser;
use sha1::digest::{Digest, FixedOutputReset};
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::der::{self, encode};
use crate::password::{Password, rounds_run};

/// The largest number of rounds for one derivation: the limit of the JDK (`PKCS12KeyStore.MAX_ITERATION_COUNT`).
pub(crate) const MOST_ROUNDS: u64 = 5_000_000;
/// The largest number of rounds for opening one store, summed over its MAC and every part.
const MOST_WORK: u64 = 40_000_000;

/// The rounds that may still be spent on one store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn new() -> Self {
        Self(MOST_WORK)
    }

    /// Subtracts the rounds of one derivation, before they are run.
    pub(crate) fn spend(&mut self, rounds: u64, blocks: usize) -> Result<(), String> {
        if rounds == 0 || rounds > MOST_ROUNDS {
            return Err(format!("{rounds} rounds of key derivation are asked for, 1 to {MOST_ROUNDS} are allowed"));
        }
        let work = rounds.saturating_mul(blocks as u64);
        self.0 = self.0.checked_sub(work).ok_or_else(|| {
            format!("its parts together ask for more than {MOST_WORK} rounds of key derivation, which no store needs")
        })?;
        Ok(())
    }
}

/// How a password becomes the bytes for PKCS#12's own KDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordEncoding {
    /// UTF-16, high byte first, and two zero bytes (RFC 7292 appendix B.1).
    Terminated,
    /// No bytes: some tools use this for an absent password.
    Absent,
    /// Each byte of the UTF-8 form as a character of its own, as OpenSSL before 1.1 does.
    Widened,
}

impl PasswordEncoding {
    /// The readings to try, that of the standard first.
    pub(crate) fn candidates(password: &Password) -> &'static [Self] {
        if password.expose().is_empty() {
            &[Self::Terminated, Self::Absent]
        } else if password.expose().is_ascii() {
            &[Self::Terminated]
        } else {
            &[Self::Terminated, Self::Widened]
        }
    }

    fn bytes(self, password: &Password) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Absent => Zeroizing::new(Vec::new()),
            Self::Terminated => {
                let mut bytes = Zeroizing::new(Vec::with_capacity(password.expose().len() * 2 + 2));
                bytes.extend_from_slice(&password.utf16_be());
                bytes.extend_from_slice(&[0, 0]);
                bytes
            }
            Self::Widened => {
                let mut bytes = Zeroizing::new(Vec::with_capacity(password.expose().len() * 2 + 2));
                for byte in password.expose().bytes() {
                    bytes.extend_from_slice(&[0, byte]);
                }
                bytes.extend_from_slice(&[0, 0]);
                bytes
            }
        }
    }
}

/// A password, and how it becomes bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret<'a> {
    pub(crate) password: &'a Password,
    pub(crate) reading: PasswordEncoding,
}

/// A hash function of the SHA-1 and SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
}

const NIST_HASH: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
const RSADSI_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
const OIW_SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];

/// Runs `$body`, in which `$digest` is the type of the hash.
macro_rules! with_digest {
    ($hash:expr, $digest:ident => $body:expr) => {
        match $hash {
            Hash::Sha1 => {
                type $digest = Sha1;
                $body
            }
            Hash::Sha224 => {
                type $digest = Sha224;
                $body
            }
            Hash::Sha256 => {
                type $digest = Sha256;
                $body
            }
            Hash::Sha384 => {
                type $digest = Sha384;
                $body
            }
            Hash::Sha512 => {
                type $digest = Sha512;
                $body
            }
            Hash::Sha512_224 => {
                type $digest = Sha512_224;
                $body
            }
            Hash::Sha512_256 => {
                type $digest = Sha512_256;
                $body
            }
        }
    };
}

impl Hash {
    /// The hash whose digest algorithm (not its HMAC) has this object identifier, given without tag and length. `None` if the
    /// crate does not know it.
    pub(crate) fn of_digest(oid: &[u8]) -> Option<Self> {
        if oid == OIW_SHA1 {
            return Some(Self::Sha1);
        }
        match oid.strip_prefix(NIST_HASH)? {
            [1] => Some(Self::Sha256),
            [2] => Some(Self::Sha384),
            [3] => Some(Self::Sha512),
            [4] => Some(Self::Sha224),
            [5] => Some(Self::Sha512_224),
            [6] => Some(Self::Sha512_256),
            _ => None,
        }
    }

    /// The hash whose HMAC has this object identifier (RFC 8018 appendix B.1).
    pub(crate) fn of_hmac(oid: &[u8]) -> Option<Self> {
        match oid.strip_prefix(RSADSI_DIGEST)? {
            [7] => Some(Self::Sha1),
            [8] => Some(Self::Sha224),
            [9] => Some(Self::Sha256),
            [10] => Some(Self::Sha384),
            [11] => Some(Self::Sha512),
            [12] => Some(Self::Sha512_224),
            [13] => Some(Self::Sha512_256),
            _ => None,
        }
    }

    /// The AlgorithmIdentifier of the digest.
    pub(crate) fn digest_identifier(self) -> Vec<u8> {
        let arc: &[u8] = match self {
            Self::Sha1 => &[],
            Self::Sha256 => &[1],
            Self::Sha384 => &[2],
            Self::Sha512 => &[3],
            Self::Sha224 => &[4],
            Self::Sha512_224 => &[5],
            Self::Sha512_256 => &[6],
        };
        let oid = if arc.is_empty() { OIW_SHA1.to_vec() } else { [NIST_HASH, arc].concat() };
        encode(der::SEQUENCE, &[encode(der::OID, &oid), vec![der::NULL, 0]].concat())
    }

    /// The AlgorithmIdentifier of the HMAC.
    pub(crate) fn hmac_identifier(self) -> Vec<u8> {
        let arc = match self {
            Self::Sha1 => 7,
            Self::Sha224 => 8,
            Self::Sha256 => 9,
            Self::Sha384 => 10,
            Self::Sha512 => 11,
            Self::Sha512_224 => 12,
            Self::Sha512_256 => 13,
        };
        let oid = [RSADSI_DIGEST, &[arc]].concat();
        encode(der::SEQUENCE, &[encode(der::OID, &oid), vec![der::NULL, 0]].concat())
    }

    /// How many bytes the hash gives.
    pub(crate) fn size(self) -> usize {
        with_digest!(self, D => <D as Digest>::output_size())
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha512_224 => "SHA-512/224",
            Self::Sha512_256 => "SHA-512/256",
        }
    }

    /// How many blocks of hash output a key of this many bytes needs.
    pub(crate) fn blocks(self, bytes: usize) -> usize {
        bytes.div_ceil(self.size()).max(1)
    }

    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        with_digest!(self, D => match Hmac::<D>::new_from_slice(key) {
            Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
            // HMAC accepts keys of any length.
            Err(_) => Vec::new(),
        })
    }

    /// PBKDF2 with this hash's HMAC over the UTF-8 bytes of the password. The caller has limited the rounds.
    pub(crate) fn pbkdf2(self, secret: Secret<'_>, salt: &[u8], rounds: u64, bytes: usize) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![0; bytes]);
        let rounds = u32::try_from(rounds_run(rounds)).unwrap_or(u32::MAX);
        with_digest!(self, D => pbkdf2_hmac::<D>(secret.password.expose().as_bytes(), salt, rounds, &mut out));
        out
    }

    /// PKCS#12's own KDF. The caller has limited the rounds.
    pub(crate) fn pkcs12(
        self,
        purpose: DerivedPurpose,
        secret: Secret<'_>,
        salt: &[u8],
        rounds: u64,
        bytes: usize,
    ) -> Zeroizing<Vec<u8>> {
        let password = secret.reading.bytes(secret.password);
        with_digest!(self, D => pkcs12_kdf::<D>(purpose, &password, salt, rounds, bytes))
    }
}

/// The purpose of derived bytes: the ID byte of RFC 7292 appendix B.3.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DerivedPurpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

fn pkcs12_kdf<D: Digest + BlockSizeUser + FixedOutputReset>(
    purpose: DerivedPurpose,
    password: &[u8],
    salt: &[u8],
    rounds: u64,
    bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let block = <D as BlockSizeUser>::block_size();
    let filled = |text: &[u8]| text.len().div_ceil(block) * block;
    let mut input = Zeroizing::new(Vec::with_capacity(filled(salt) + filled(password)));
    input.extend(salt.iter().cycle().take(filled(salt)));
    input.extend(password.iter().cycle().take(filled(password)));
    let mut out = Zeroizing::new(Vec::with_capacity(bytes + 64));
    let mut hash = D::new();
    loop {
        Digest::update(&mut hash, vec![purpose as u8; block]);
        Digest::update(&mut hash, &*input);
        let mut digest = hash.finalize_reset();
        for _ in 1..rounds_run(rounds) {
            Digest::update(&mut hash, &digest);
            digest = hash.finalize_reset();
        }
        out.extend_from_slice(&digest);
        if out.len() >= bytes {
            digest.as_mut_slice().zeroize();
            out.truncate(bytes);
            return out;
        }
        // Adds the digest, repeated to the length of a block, plus one, to each block of the input.
        for chunk in input.chunks_exact_mut(block) {
            let mut carry = 1u16;
            for (at, byte) in chunk.iter_mut().enumerate().rev() {
                let add = digest.get(at % digest.len()).copied().unwrap_or(0);
                carry += u16::from(*byte) + u16::from(add);
                *byte = carry.to_le_bytes()[0];
                carry >>= 8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        crate::digest::hex(bytes)
    }

    /// Values with which the implementations of the JDK and OpenSSL were compared when RFC 7292 was young.
    #[test]
    fn the_kdf_of_pkcs12_gives_the_published_values() {
        let password = Password::new("smeg");
        let secret = Secret { password: &password, reading: PasswordEncoding::Terminated };
        let salt = [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f];
        let key = Hash::Sha1.pkcs12(DerivedPurpose::Key, secret, &salt, 1, 24);
        assert_eq!(hex(&key), "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3");
        let iv = Hash::Sha1.pkcs12(DerivedPurpose::Iv, secret, &[0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f], 1, 8);
        assert_eq!(hex(&iv), "79993dfe048d3b76");
        let salt = [0x05, 0xde, 0xc9, 0x59, 0xac, 0xff, 0x72, 0xf7];
        let password = Password::new("queeg");
        let secret = Secret { password: &password, reading: PasswordEncoding::Terminated };
        let key = Hash::Sha1.pkcs12(DerivedPurpose::Key, secret, &salt, 1000, 24);
        assert_eq!(hex(&key), "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4");
    }

    #[test]
    fn work_is_bounded_before_it_is_done() {
        let mut budget = Budget::new();
        assert!(budget.spend(0, 1).is_err());
        assert!(budget.spend(MOST_ROUNDS + 1, 1).is_err());
        for _ in 0..8 {
            assert!(budget.spend(MOST_ROUNDS, 1).is_ok());
        }
        assert!(budget.spend(1, 1).is_err(), "eight times the most is all");
    }

    #[test]
    fn an_absent_password_differs_from_an_empty_one() {
        let password = Password::new("");
        let key = |reading| {
            Hash::Sha256.pkcs12(DerivedPurpose::Mac, Secret { password: &password, reading }, b"saltsalt", 2, 32)
        };
        assert_ne!(key(PasswordEncoding::Terminated), key(PasswordEncoding::Absent));
        assert_eq!(PasswordEncoding::candidates(&password), [PasswordEncoding::Terminated, PasswordEncoding::Absent]);
    }
}
