//! The encryption schemes of a part or a key. The module takes an AlgorithmIdentifier, a password and data, and
//! decrypts or encrypts the data. It never derives a key before the rounds are charged to a budget.
//!
//! The schemes are PBES2 (RFC 8018 §6.2) with AES or Triple DES in CBC mode, and PKCS#12's own schemes (RFC 7292
//! appendix C).

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _, KeyInit,
    StreamCipher as _,
};
use des::{TdesEde2, TdesEde3};
use rand_core::CryptoRng;
use rc2::Rc2;
use rc4::Rc4;
use zeroize::Zeroizing;

use super::derive::{Budget, DerivedPurpose, Hash, Secret};
use crate::der::{self, DerError, DerReader, Tlv, encode, integer};

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
const AES_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1];
const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
/// The shortest salt that is written. The JDK refuses shorter ones (`PBES1Core`, users of `PBEParameterSpec`).
const LEAST_SALT: usize = 8;

/// Why a scheme cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemeError {
    /// The parameters break their own rules.
    Corrupt(String),
    /// The scheme is known by this name, but not supported.
    Unsupported(String),
}

impl From<DerError> for SchemeError {
    fn from(error: DerError) -> Self {
        Self::Corrupt(format!("its parameters do not parse ({})", error.fault.what()))
    }
}

/// Why data was not decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The padding does not fit: the password is wrong, or the data was changed.
    Password,
    /// The data is not a whole number of blocks, or demands too much work.
    Corrupt(String),
}

/// The ciphers of PKCS#12's own schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Legacy {
    Rc4 { bytes: usize },
    Tdes3,
    Tdes2,
    Rc2 { bytes: usize },
}

/// The ciphers of PBES2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockCipher {
    Aes128,
    Aes192,
    Aes256,
    Tdes3,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SchemeKind {
    Legacy(Legacy),
    Pbes2 { hash: Hash, cipher: BlockCipher, iv: Vec<u8>, says_length: bool },
}

/// A password-based encryption scheme with its parameters. The parameters are not secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheme {
    kind: SchemeKind,
    salt: Vec<u8>,
    rounds: u64,
}

impl Legacy {
    fn of_arc(arc: &[u8]) -> Option<Self> {
        match arc {
            [1] => Some(Self::Rc4 { bytes: 16 }),
            [2] => Some(Self::Rc4 { bytes: 5 }),
            [3] => Some(Self::Tdes3),
            [4] => Some(Self::Tdes2),
            [5] => Some(Self::Rc2 { bytes: 16 }),
            [6] => Some(Self::Rc2 { bytes: 5 }),
            _ => None,
        }
    }

    fn arc(self) -> u8 {
        match self {
            Self::Rc4 { bytes: 5 } => 2,
            Self::Rc4 { .. } => 1,
            Self::Tdes3 => 3,
            Self::Tdes2 => 4,
            Self::Rc2 { bytes: 5 } => 6,
            Self::Rc2 { .. } => 5,
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::Rc4 { bytes } | Self::Rc2 { bytes } => bytes,
            Self::Tdes3 => 24,
            Self::Tdes2 => 16,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rc4 { bytes: 5 } => "RC4-40",
            Self::Rc4 { .. } => "RC4-128",
            Self::Tdes3 => "3DES",
            Self::Tdes2 => "2-key 3DES",
            Self::Rc2 { bytes: 5 } => "RC2-40",
            Self::Rc2 { .. } => "RC2-128",
        }
    }
}

impl BlockCipher {
    fn of(oid: &[u8]) -> Option<Self> {
        if oid == DES_EDE3_CBC {
            return Some(Self::Tdes3);
        }
        match oid.strip_prefix(AES_CBC)? {
            [2] => Some(Self::Aes128),
            [22] => Some(Self::Aes192),
            [42] => Some(Self::Aes256),
            _ => None,
        }
    }

    fn oid(self) -> Vec<u8> {
        match self {
            Self::Aes128 => [AES_CBC, &[2]].concat(),
            Self::Aes192 => [AES_CBC, &[22]].concat(),
            Self::Aes256 => [AES_CBC, &[42]].concat(),
            Self::Tdes3 => DES_EDE3_CBC.to_vec(),
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::Tdes3 => 24,
            Self::Aes256 => 32,
        }
    }

    fn iv_bytes(self) -> usize {
        if self == Self::Tdes3 { 8 } else { 16 }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
            Self::Tdes3 => "3DES",
        }
    }
}

/// The name of an algorithm, for refusals.
pub(crate) fn algorithm_name(oid: &[u8]) -> String {
    let known = match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, arc] => match arc {
            1 => "PBE with MD2 and DES",
            3 => "PBE with MD5 and DES",
            4 => "PBE with MD2 and RC2",
            6 => "PBE with MD5 and RC2",
            10 => "PBE with SHA-1 and DES",
            11 => "PBE with SHA-1 and RC2",
            14 => "PBMAC1",
            _ => "",
        },
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 2] => "RC2-CBC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 2] => "MD2",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5] => "MD5",
        [0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11] => "scrypt",
        [0x2b, 0x0e, 3, 2, 7] => "DES-CBC",
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 6 | 26 | 46] => "AES-GCM",
        _ => "",
    };
    let dotted = der::dotted(oid).unwrap_or_else(|| "an unreadable identifier".to_owned());
    if known.is_empty() { dotted } else { format!("{known} ({dotted})") }
}

impl Scheme {
    /// The scheme that a JRE before 8u301 reads: Triple DES under PKCS#12's own scheme, with the rounds of the JDK's
    /// legacy mode.
    pub(crate) fn java8() -> Self {
        Self { kind: SchemeKind::Legacy(Legacy::Tdes3), salt: Vec::new(), rounds: 50_000 }
    }

    /// The scheme that JDK 17 writes (`PBEWithHmacSHA256AndAES_256`).
    pub(crate) fn modern() -> Self {
        let kind =
            SchemeKind::Pbes2 { hash: Hash::Sha256, cipher: BlockCipher::Aes256, iv: Vec::new(), says_length: true };
        Self { kind, salt: Vec::new(), rounds: 10_000 }
    }

    /// Reads an AlgorithmIdentifier.
    pub(crate) fn read(algorithm: &Tlv<'_>) -> Result<Self, SchemeError> {
        let mut fields = algorithm.inner();
        let oid = fields.expect(der::OID)?.body;
        if let Some(arc) = oid.strip_prefix(PKCS12_PBE) {
            let legacy = Legacy::of_arc(arc).ok_or_else(|| SchemeError::Unsupported(algorithm_name(oid)))?;
            let mut parameters = fields.expect(der::SEQUENCE)?.inner();
            let salt = parameters.next()?.octets()?.into_owned();
            let rounds = parameters.expect(der::INTEGER)?.small()?;
            parameters.end()?;
            return Ok(Self { kind: SchemeKind::Legacy(legacy), salt, rounds });
        }
        if oid != PBES2 {
            return Err(SchemeError::Unsupported(algorithm_name(oid)));
        }
        let mut parameters = fields.expect(der::SEQUENCE)?.inner();
        // JDKs before 8u301 wrote the parameters with a second AlgorithmIdentifier around them. All JDKs read this
        // form.
        if parameters.peek() == Some(der::OID) {
            parameters.next()?;
            parameters = parameters.expect(der::SEQUENCE)?.inner();
        }
        let derivation = Derivation::read(&parameters.expect(der::SEQUENCE)?)?;
        let mut encryption = parameters.expect(der::SEQUENCE)?.inner();
        let oid = encryption.expect(der::OID)?.body;
        let cipher = BlockCipher::of(oid).ok_or_else(|| SchemeError::Unsupported(algorithm_name(oid)))?;
        let iv = encryption.next()?.octets()?.into_owned();
        if iv.len() != cipher.iv_bytes() {
            let why = format!("an initialisation vector of {} bytes, not {}", iv.len(), cipher.iv_bytes());
            return Err(SchemeError::Corrupt(why));
        }
        if let Some(length) = derivation.length
            && length != cipher.key_bytes() as u64
        {
            let why = format!("a key of {length} bytes for {}, not {}", cipher.name(), cipher.key_bytes());
            return Err(SchemeError::Corrupt(why));
        }
        let says_length = derivation.length.is_some();
        let kind = SchemeKind::Pbes2 { hash: derivation.hash, cipher, iv, says_length };
        Ok(Self { kind, salt: derivation.salt, rounds: derivation.rounds })
    }

    /// The same scheme with a new salt and a new initialisation vector.
    pub(crate) fn renewed(&self, rng: &mut dyn CryptoRng) -> Self {
        let mut fresh = |bytes: usize| {
            let mut out = vec![0; bytes];
            rng.fill_bytes(&mut out);
            out
        };
        // The scheme of a new file has no salt yet. It gets 20 bytes, as in the JDK.
        let salt = fresh(if self.salt.is_empty() { 20 } else { self.salt.len().clamp(LEAST_SALT, 64) });
        let kind = match &self.kind {
            SchemeKind::Legacy(legacy) => SchemeKind::Legacy(*legacy),
            SchemeKind::Pbes2 { hash, cipher, says_length, .. } => {
                let iv = fresh(cipher.iv_bytes());
                SchemeKind::Pbes2 { hash: *hash, cipher: *cipher, iv, says_length: *says_length }
            }
        };
        Self { kind, salt, rounds: self.rounds }
    }

    /// The scheme without salt and initialisation vector, which differ each time. Two parts with the same protection
    /// give equal values.
    pub(crate) fn plan(&self) -> Self {
        let kind = match &self.kind {
            SchemeKind::Legacy(legacy) => SchemeKind::Legacy(*legacy),
            SchemeKind::Pbes2 { hash, cipher, says_length, .. } => {
                SchemeKind::Pbes2 { hash: *hash, cipher: *cipher, iv: Vec::new(), says_length: *says_length }
            }
        };
        Self { kind, salt: vec![0; self.salt.len()], rounds: self.rounds }
    }

    /// The DER of the scheme's AlgorithmIdentifier with its parameters: salt, rounds and initialisation vector.
    pub(crate) fn identifier(&self) -> Vec<u8> {
        let sequence = |parts: &[Vec<u8>]| encode(der::SEQUENCE, &parts.concat());
        let salt = encode(der::OCTET_STRING, &self.salt);
        match &self.kind {
            SchemeKind::Legacy(legacy) => {
                let oid = encode(der::OID, &[PKCS12_PBE, &[legacy.arc()]].concat());
                sequence(&[oid, sequence(&[salt, integer(self.rounds)])])
            }
            SchemeKind::Pbes2 { hash, cipher, iv, says_length } => {
                let mut derivation = vec![salt, integer(self.rounds)];
                if *says_length {
                    derivation.push(integer(cipher.key_bytes() as u64));
                }
                // SHA-1 is the default, and DER omits defaults.
                if *hash != Hash::Sha1 {
                    derivation.push(hash.hmac_identifier());
                }
                let derivation = sequence(&[encode(der::OID, PBKDF2), sequence(&derivation)]);
                let cipher = sequence(&[encode(der::OID, &cipher.oid()), encode(der::OCTET_STRING, iv)]);
                sequence(&[encode(der::OID, PBES2), sequence(&[derivation, cipher])])
            }
        }
    }

    /// The name of the scheme.
    pub(crate) fn name(&self) -> String {
        let rounds = self.rounds;
        match &self.kind {
            SchemeKind::Legacy(legacy) => format!("{} with SHA-1, {rounds} rounds", legacy.name()),
            SchemeKind::Pbes2 { hash, cipher, .. } => {
                format!("PBES2 with {} and HMAC-{}, {rounds} rounds", cipher.name(), hash.name())
            }
        }
    }

    /// Why JDK 17 cannot use the scheme, if it cannot (`com.sun.crypto.provider.PBES2Parameters`, `PBES1Core`).
    pub(crate) fn jvm_refusal(&self) -> Option<String> {
        if self.salt.len() < LEAST_SALT {
            return Some(format!("a salt of {} bytes, at least {LEAST_SALT} are needed", self.salt.len()));
        }
        match &self.kind {
            SchemeKind::Legacy(Legacy::Tdes2) => Some(format!("{} is unknown to it", Legacy::Tdes2.name())),
            SchemeKind::Legacy(_) => None,
            SchemeKind::Pbes2 { cipher: cipher @ (BlockCipher::Aes192 | BlockCipher::Tdes3), .. } => {
                Some(format!("PBES2 with {} is unknown to it", cipher.name()))
            }
            SchemeKind::Pbes2 { .. } => None,
        }
    }

    /// Whether Java knows the scheme only since 8u301.
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self.kind, SchemeKind::Pbes2 { .. })
    }

    /// Decrypts the data. `Err(Password)` means that the padding does not fit.
    pub(crate) fn open(
        &self,
        data: &[u8],
        secret: Secret<'_>,
        budget: &mut Budget,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (key, iv) = self.keys(secret, budget).map_err(SealError::Corrupt)?;
        let plain = match &self.kind {
            SchemeKind::Legacy(Legacy::Rc4 { .. }) => stream(&key, data),
            _ if !data.len().is_multiple_of(self.block_bytes()) || data.is_empty() => {
                let why = format!("{} encrypted bytes are no whole number of blocks", data.len());
                return Err(SealError::Corrupt(why));
            }
            SchemeKind::Legacy(Legacy::Rc2 { bytes }) => {
                decrypt(Some(Rc2::new_with_eff_key_len(&key, bytes * 8)), &iv, data)
            }
            SchemeKind::Legacy(Legacy::Tdes3) | SchemeKind::Pbes2 { cipher: BlockCipher::Tdes3, .. } => {
                decrypt(TdesEde3::new_from_slice(&key).ok(), &iv, data)
            }
            SchemeKind::Legacy(Legacy::Tdes2) => decrypt(TdesEde2::new_from_slice(&key).ok(), &iv, data),
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes128, .. } => {
                decrypt(Aes128::new_from_slice(&key).ok(), &iv, data)
            }
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes192, .. } => {
                decrypt(Aes192::new_from_slice(&key).ok(), &iv, data)
            }
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes256, .. } => {
                decrypt(Aes256::new_from_slice(&key).ok(), &iv, data)
            }
        };
        plain.ok_or(SealError::Password)
    }

    /// Encrypts the text. The error says which part of the scheme cannot be used.
    pub(crate) fn seal(&self, plain: &[u8], secret: Secret<'_>) -> Result<Vec<u8>, String> {
        let (key, iv) = self.keys(secret, &mut Budget::new())?;
        let data = match &self.kind {
            SchemeKind::Legacy(Legacy::Rc4 { .. }) => stream(&key, plain).map(|data| data.to_vec()),
            SchemeKind::Legacy(Legacy::Rc2 { bytes }) => {
                encrypt(Some(Rc2::new_with_eff_key_len(&key, bytes * 8)), &iv, plain)
            }
            SchemeKind::Legacy(Legacy::Tdes3) | SchemeKind::Pbes2 { cipher: BlockCipher::Tdes3, .. } => {
                encrypt(TdesEde3::new_from_slice(&key).ok(), &iv, plain)
            }
            SchemeKind::Legacy(Legacy::Tdes2) => encrypt(TdesEde2::new_from_slice(&key).ok(), &iv, plain),
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes128, .. } => {
                encrypt(Aes128::new_from_slice(&key).ok(), &iv, plain)
            }
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes192, .. } => {
                encrypt(Aes192::new_from_slice(&key).ok(), &iv, plain)
            }
            SchemeKind::Pbes2 { cipher: BlockCipher::Aes256, .. } => {
                encrypt(Aes256::new_from_slice(&key).ok(), &iv, plain)
            }
        };
        data.ok_or_else(|| format!("{} could not be applied", self.name()))
    }

    fn block_bytes(&self) -> usize {
        match &self.kind {
            SchemeKind::Legacy(_) => 8,
            SchemeKind::Pbes2 { cipher, .. } => cipher.iv_bytes(),
        }
    }

    /// Charges the work of one decryption to the budget of the store.
    pub(crate) fn charge(&self, budget: &mut Budget) -> Result<(), String> {
        match &self.kind {
            SchemeKind::Legacy(legacy) => budget.spend(self.rounds, Hash::Sha1.blocks(legacy.key_bytes()) + 1),
            // Each round of an HMAC is two hashes.
            SchemeKind::Pbes2 { hash, cipher, .. } => budget.spend(self.rounds, 2 * hash.blocks(cipher.key_bytes())),
        }
    }

    fn keys(&self, secret: Secret<'_>, budget: &mut Budget) -> Result<KeyAndIv, String> {
        self.charge(budget)?;
        Ok(match &self.kind {
            SchemeKind::Legacy(legacy) => {
                let key = Hash::Sha1.pkcs12(DerivedPurpose::Key, secret, &self.salt, self.rounds, legacy.key_bytes());
                let iv = match legacy {
                    Legacy::Rc4 { .. } => Zeroizing::default(),
                    Legacy::Tdes3 | Legacy::Tdes2 | Legacy::Rc2 { .. } => {
                        Hash::Sha1.pkcs12(DerivedPurpose::Iv, secret, &self.salt, self.rounds, 8)
                    }
                };
                (key, iv)
            }
            SchemeKind::Pbes2 { hash, cipher, iv, .. } => {
                let key = hash.pbkdf2(secret, &self.salt, self.rounds, cipher.key_bytes());
                (key, Zeroizing::new(iv.clone()))
            }
        })
    }
}

/// Key and initialisation vector.
type KeyAndIv = (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

fn decrypt<C: BlockCipherDecrypt>(cipher: Option<C>, iv: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mode = cbc::Decryptor::<C>::inner_iv_slice_init(cipher?, iv).ok()?;
    mode.decrypt_padded_vec::<Pkcs7>(data).map(Zeroizing::new).ok()
}

fn encrypt<C: BlockCipherEncrypt>(cipher: Option<C>, iv: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    let mode = cbc::Encryptor::<C>::inner_iv_slice_init(cipher?, iv).ok()?;
    Some(mode.encrypt_padded_vec::<Pkcs7>(plain))
}

fn stream(key: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(data.to_vec());
    Rc4::new_from_slice(key).ok()?.apply_keystream(&mut out);
    Some(out)
}

/// The parameters of PBKDF2 (RFC 8018 appendix A.2), with the AlgorithmIdentifier around them.
pub(super) struct Derivation {
    pub(super) hash: Hash,
    pub(super) salt: Vec<u8>,
    pub(super) rounds: u64,
    pub(super) length: Option<u64>,
}

impl Derivation {
    pub(super) fn read(algorithm: &Tlv<'_>) -> Result<Self, SchemeError> {
        let mut fields = algorithm.inner();
        let oid = fields.expect(der::OID)?.body;
        if oid != PBKDF2 {
            return Err(SchemeError::Unsupported(format!("key derivation by {}", algorithm_name(oid))));
        }
        let mut parameters = fields.expect(der::SEQUENCE)?.inner();
        let salt = parameters.next()?;
        if !matches!(salt.tag, der::OCTET_STRING | der::OCTET_STRINGS) {
            return Err(SchemeError::Unsupported("PBKDF2 with a salt from another source".to_owned()));
        }
        let salt = salt.octets()?.into_owned();
        let rounds = parameters.expect(der::INTEGER)?.small()?;
        let length = match parameters.optional(der::INTEGER)? {
            Some(length) => Some(length.small()?),
            None => None,
        };
        let hash = match parameters.optional(der::SEQUENCE)? {
            Some(prf) => {
                let oid = prf.inner().expect(der::OID)?.body;
                Hash::of_hmac(oid)
                    .ok_or_else(|| SchemeError::Unsupported(format!("PBKDF2 with {}", algorithm_name(oid))))?
            }
            None => Hash::Sha1,
        };
        parameters.end()?;
        Ok(Self { hash, salt, rounds, length })
    }

    /// Writes the parameters with another salt.
    pub(super) fn identifier(&self, salt: &[u8]) -> Vec<u8> {
        let mut fields = vec![encode(der::OCTET_STRING, salt), integer(self.rounds)];
        fields.extend(self.length.map(integer));
        if self.hash != Hash::Sha1 {
            fields.push(self.hash.hmac_identifier());
        }
        let fields = encode(der::SEQUENCE, &fields.concat());
        encode(der::SEQUENCE, &[encode(der::OID, PBKDF2), fields].concat())
    }
}

/// Splits an EncryptedPrivateKeyInfo (RFC 5208 §6) into its scheme and the encrypted key.
pub(crate) fn sealed_key<'a>(sealed: &'a [u8]) -> Result<(Scheme, std::borrow::Cow<'a, [u8]>), SchemeError> {
    let mut fields = DerReader::ber(sealed).expect(der::SEQUENCE)?.inner();
    let scheme = Scheme::read(&fields.expect(der::SEQUENCE)?)?;
    let data = fields.next()?.octets()?;
    fields.end()?;
    Ok((scheme, data))
}
