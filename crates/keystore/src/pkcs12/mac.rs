//! The MAC over a store (RFC 7292 §4, appendix B), also as PBMAC1 (RFC 9579). The module reads MacData, checks a MAC,
//! and makes a new one. Before it derives a key, it charges the rounds to a budget.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;

use super::derive::{Budget, DerivedPurpose, Hash, Secret};
use super::scheme::{Derivation, SchemeError, algorithm_name};
use crate::der::{self, Tlv, encode, integer};

/// The shortest salt that the JDK accepts.
const LEAST_SALT: usize = 8;

const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
/// The shortest accepted key. A shorter key could be guessed, whatever the password is (RFC 9579 §6).
const LEAST_KEY: u64 = 20;
/// The longest accepted key. No hash of the family gives or needs a longer one.
const MOST_KEY: u64 = 64;

enum MacKind {
    /// PKCS#12's own MAC.
    Own {
        hash: Hash,
    },
    Pbmac1 {
        derivation: Derivation,
        hash: Hash,
    },
}

/// The kind of a store's MAC with its parameters, and the value in the file.
pub(crate) struct Mac {
    kind: MacKind,
    salt: Vec<u8>,
    rounds: u64,
    found: Vec<u8>,
}

impl Mac {
    /// The MAC that a JRE before 8u301 reads, with the rounds of the JDK's legacy mode.
    pub(crate) fn java8() -> Self {
        Self { kind: MacKind::Own { hash: Hash::Sha1 }, salt: Vec::new(), rounds: 100_000, found: Vec::new() }
    }

    /// The MAC that JDK 17 writes (`HmacPBESHA256`).
    pub(crate) fn modern() -> Self {
        Self { kind: MacKind::Own { hash: Hash::Sha256 }, salt: Vec::new(), rounds: 10_000, found: Vec::new() }
    }

    /// Reads MacData.
    pub(crate) fn read(data: &Tlv<'_>) -> Result<Self, SchemeError> {
        let mut fields = data.inner();
        let mut info = fields.expect(der::SEQUENCE)?.inner();
        let algorithm = info.expect(der::SEQUENCE)?;
        let found = info.next()?.octets()?.into_owned();
        info.end()?;
        let salt = fields.next()?.octets()?.into_owned();
        let rounds = match fields.optional(der::INTEGER)? {
            Some(rounds) => rounds.small()?,
            None => 1,
        };
        fields.end()?;
        let mut parts = algorithm.inner();
        let oid = parts.expect(der::OID)?.body;
        if oid == PBMAC1 {
            return Self::pbmac1(&parts.expect(der::SEQUENCE)?, found);
        }
        let hash = Hash::of_digest(oid)
            .ok_or_else(|| SchemeError::Unsupported(format!("a MAC with {}", algorithm_name(oid))))?;
        Ok(Self { kind: MacKind::Own { hash }, salt, rounds, found })
    }

    /// Reads PBMAC1-params (RFC 8018 appendix A.5). The salt and rounds beside them have no meaning.
    fn pbmac1(parameters: &Tlv<'_>, found: Vec<u8>) -> Result<Self, SchemeError> {
        let mut parameters = parameters.inner();
        let derivation = Derivation::read(&parameters.expect(der::SEQUENCE)?)?;
        let mut scheme = parameters.expect(der::SEQUENCE)?.inner();
        let oid = scheme.expect(der::OID)?.body;
        let hash = Hash::of_hmac(oid)
            .ok_or_else(|| SchemeError::Unsupported(format!("PBMAC1 with {}", algorithm_name(oid))))?;
        match derivation.length {
            Some(LEAST_KEY..=MOST_KEY) => {}
            Some(length) => {
                let why = if length < LEAST_KEY {
                    "a shorter one lets anybody forge the MAC"
                } else {
                    "no program makes a longer one, and to derive it would take too long"
                };
                return Err(SchemeError::Corrupt(format!(
                    "its PBMAC1 key is {length} bytes long, but {LEAST_KEY} to {MOST_KEY} are allowed: {why}"
                )));
            }
            None => {
                let why = "its PBMAC1 parameters do not give the length of the key (RFC 9579 demands it)";
                return Err(SchemeError::Corrupt(why.to_owned()));
            }
        }
        let (salt, rounds) = (derivation.salt.clone(), derivation.rounds);
        Ok(Self { kind: MacKind::Pbmac1 { derivation, hash }, salt, rounds, found })
    }

    fn key_bytes(&self) -> usize {
        match &self.kind {
            MacKind::Own { hash } => hash.size(),
            MacKind::Pbmac1 { derivation, .. } => {
                usize::try_from(derivation.length.unwrap_or(LEAST_KEY)).unwrap_or_default()
            }
        }
    }

    /// Charges the work of one check to the budget of the store.
    pub(crate) fn charge(&self, budget: &mut Budget) -> Result<(), String> {
        match &self.kind {
            MacKind::Own { .. } => budget.spend(self.rounds, 1),
            MacKind::Pbmac1 { derivation, .. } => {
                budget.spend(self.rounds, 2 * derivation.hash.blocks(self.key_bytes()))
            }
        }
    }

    fn compute(&self, salt: &[u8], text: &[u8], secret: Secret<'_>, budget: &mut Budget) -> Result<Vec<u8>, String> {
        self.charge(budget)?;
        let bytes = self.key_bytes();
        Ok(match &self.kind {
            MacKind::Own { hash } => {
                hash.hmac(&hash.pkcs12(DerivedPurpose::Mac, secret, salt, self.rounds, bytes), text)
            }
            MacKind::Pbmac1 { derivation, hash } => {
                hash.hmac(&derivation.hash.pbkdf2(secret, salt, self.rounds, bytes), text)
            }
        })
    }

    /// Whether the value in the file is the one that this password gives. The error says why this is not known.
    pub(crate) fn verify(&self, text: &[u8], secret: Secret<'_>, budget: &mut Budget) -> Result<bool, String> {
        let made = self.compute(&self.salt, text, secret, budget)?;
        Ok(made.ct_eq(&self.found).into())
    }

    /// MacData for a new text: the same kind and rounds, with a new salt.
    pub(crate) fn renew(&self, text: &[u8], secret: Secret<'_>, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, String> {
        let mut salt = vec![0; if self.salt.is_empty() { 20 } else { self.salt.len().clamp(LEAST_SALT, 64) }];
        rng.fill_bytes(&mut salt);
        let value = self.compute(&salt, text, secret, &mut Budget::new())?;
        let value = encode(der::OCTET_STRING, &value);
        let sequence = |parts: &[Vec<u8>]| encode(der::SEQUENCE, &parts.concat());
        Ok(match &self.kind {
            MacKind::Own { hash } => {
                let mut fields = vec![sequence(&[hash.digest_identifier(), value]), encode(der::OCTET_STRING, &salt)];
                // One round is the default, and DER omits defaults.
                if self.rounds != 1 {
                    fields.push(integer(self.rounds));
                }
                sequence(&fields)
            }
            MacKind::Pbmac1 { derivation, hash } => {
                let parameters = sequence(&[derivation.identifier(&salt), hash.hmac_identifier()]);
                let algorithm = sequence(&[encode(der::OID, PBMAC1), parameters]);
                // Readers require these two fields, although they have no meaning here (RFC 9579 §4).
                let unused = [encode(der::OCTET_STRING, &salt), integer(1)].concat();
                sequence(&[sequence(&[algorithm, value]), unused])
            }
        })
    }

    /// Whether the MAC is so weak that the file must be for old readers.
    pub(crate) fn is_sha1(&self) -> bool {
        matches!(self.kind, MacKind::Own { hash: Hash::Sha1 })
    }

    pub(crate) fn name(&self) -> String {
        match &self.kind {
            MacKind::Own { hash } => format!("HMAC-{}, {} rounds", hash.name(), self.rounds),
            MacKind::Pbmac1 { hash, .. } => format!("PBMAC1 with HMAC-{}, {} rounds", hash.name(), self.rounds),
        }
    }

    /// Why the JDK cannot check the MAC, if it cannot (`com.sun.crypto.provider.HmacPKCS12PBECore`).
    pub(crate) fn jvm_refusal(&self) -> Option<String> {
        match &self.kind {
            MacKind::Own { .. } if self.salt.len() < LEAST_SALT => {
                Some(format!("the MAC's salt has {} bytes, at least {LEAST_SALT} are needed", self.salt.len()))
            }
            MacKind::Own { .. } => None,
            MacKind::Pbmac1 { .. } => Some("PBMAC1 is unknown to it".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salt_under_eight_bytes_is_refused_by_the_jdk() {
        let mac = |bytes: usize| Mac { salt: vec![1; bytes], ..Mac::java8() };
        assert_eq!(mac(8).jvm_refusal(), None);
        assert!(mac(7).jvm_refusal().is_some_and(|why| why.contains("7 bytes")));
    }
}
