//! The protection of private keys in JKS and JCEKS: an EncryptedPrivateKeyInfo (RFC 5208 §6) under one of Sun's own
//! algorithms. The module takes a key and a password, and opens or protects the key.
//!
//! JKS: `1.3.6.1.4.1.42.2.17.1.1`, a SHA-1 keystream over the password (`sun.security.provider.KeyProtector`). JCEKS:
//! `1.3.6.1.4.1.42.2.19.1`, PBEWithMD5AndTripleDES (`com.sun.crypto.provider.PBES1Core`); JCEKS also reads the
//! protection of JKS.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use des::TdesEde3;
use md5::block_api::compress;
use md5::{Digest as _, Md5};
use rand_core::CryptoRng;
use sha1::Sha1;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::der::{self, DerError, DerReader, encode};
use crate::error::KeyError;
use crate::format::Format;
use crate::password::{Password, rounds_run};

/// The contents of OBJECT IDENTIFIER 1.3.6.1.4.1.42.2.17.1.1.
const JKS_PROTECTOR: &[u8] = &[0x2b, 6, 1, 4, 1, 0x2a, 2, 0x11, 1, 1];
/// The contents of OBJECT IDENTIFIER 1.3.6.1.4.1.42.2.19.1.
const JCEKS_PROTECTOR: &[u8] = &[0x2b, 6, 1, 4, 1, 0x2a, 2, 0x13, 1];
const SALT: usize = 20;
const CHECK: usize = 20;
/// The number of iterations that JDK 17 writes (`jdk.jceks.iterationCount`).
const WRITTEN_ITERATIONS: u32 = 200_000;
/// The largest number of iterations that the JDK reads (the limit of `jdk.jceks.iterationCount`). Each iteration is two
/// MD5 digests.
const MOST_ITERATIONS: u64 = 5_000_000;
/// The length of an MD5 digest in bytes.
const DIGEST: usize = 16;
/// The length of an MD5 block in bytes.
const BLOCK: usize = 64;
/// The initial state of MD5 (RFC 1321 §3.3).
const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Opens a protected key, and gives PKCS#8 in the clear.
pub(crate) fn open(format: Format, sealed: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (oid, parameters, data) = parts(sealed)
        .map_err(|error: DerError| KeyError::Corrupt(format!("{} at byte {}", error.fault.what(), error.at)))?;
    if oid == JKS_PROTECTOR {
        open_jks(data, password)
    } else if oid == JCEKS_PROTECTOR && format == Format::Jceks {
        open_jceks(parameters, data, password)
    } else {
        Err(KeyError::Unsupported(der::dotted(oid).unwrap_or_else(|| "an unreadable algorithm".to_owned())))
    }
}

/// Algorithm, parameters (with their header) and data.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Splits an EncryptedPrivateKeyInfo into its parts.
fn parts(sealed: &[u8]) -> Result<Parts<'_>, DerError> {
    let mut outer = DerReader::new(sealed);
    let mut fields = outer.expect(der::SEQUENCE)?.inner();
    outer.end()?;
    let mut algorithm = fields.expect(der::SEQUENCE)?.inner();
    let oid = algorithm.expect(der::OID)?;
    let parameters = if algorithm.is_empty() { &[][..] } else { algorithm.next()?.raw };
    let data = fields.expect(der::OCTET_STRING)?;
    fields.end()?;
    Ok((oid.body, parameters, data.body))
}

fn info(oid: &[u8], parameters: &[u8], data: &[u8]) -> Vec<u8> {
    let algorithm = encode(der::SEQUENCE, &[&encode(der::OID, oid), parameters].concat());
    encode(der::SEQUENCE, &[algorithm, encode(der::OCTET_STRING, data)].concat())
}

/// XORs the text with SHA-1(password ‖ previous block); the first previous block is the salt.
fn keystream(password: &[u8], salt: &[u8], text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut block: Zeroizing<Vec<u8>> = Zeroizing::new(salt.to_vec());
    for chunk in text.chunks(CHECK) {
        block = Zeroizing::new(Sha1::new().chain_update(password).chain_update(&*block).finalize().to_vec());
        out.extend(chunk.iter().zip(block.iter()).map(|(text, key)| text ^ key));
    }
    out
}

fn open_jks(data: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let short = || KeyError::Corrupt(format!("{} bytes are too few for a protected key", data.len()));
    let (salt, rest) = data.split_at_checked(SALT).ok_or_else(short)?;
    let (text, check) = rest.len().checked_sub(CHECK).and_then(|at| rest.split_at_checked(at)).ok_or_else(short)?;
    let password = password.utf16_be();
    let plain = keystream(&password, salt, text);
    let expected = Sha1::new().chain_update(&*password).chain_update(&*plain).finalize();
    if bool::from(expected.as_slice().ct_eq(check)) { Ok(plain) } else { Err(KeyError::WrongPassword) }
}

/// Protects a key as JKS does.
pub(crate) fn seal_jks(plain: &[u8], password: &Password, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let mut salt = [0u8; SALT];
    rng.fill_bytes(&mut salt);
    let password = password.utf16_be();
    let text = keystream(&password, &salt, plain);
    let check = Sha1::new().chain_update(&*password).chain_update(plain).finalize();
    let data = [salt.as_slice(), &text, check.as_slice()].concat();
    info(JKS_PROTECTOR, &[der::NULL, 0], &data)
}

/// The salts with which a key may really have been protected. If the two halves of a salt are equal, the JDK changes
/// the first half. JDK 17 and 25 change it into `[d, c, b, a]`. Early releases (from JCE 1.2.2 on) change it into
/// `[d, a, b, d]`, because of a mistake in their code (`salt[3-1]`).
fn effective_salts(salt: [u8; 8]) -> Vec<[u8; 8]> {
    let [a, b, c, d, e, f, g, h] = salt;
    if [a, b, c, d] == [e, f, g, h] { vec![[d, c, b, a, e, f, g, h], [d, a, b, d, e, f, g, h]] } else { vec![salt] }
}

/// Derives key and IV of PBEWithMD5AndTripleDES: each half of the salt is digested with the password again and again
/// (`com.sun.crypto.provider.PBES1Core`).
fn derive(salt: [u8; 8], iterations: u64, password: &Password) -> Zeroizing<[u8; 32]> {
    let [a, b, c, d, e, f, g, h] = salt;
    let mut derived = Zeroizing::new([0u8; 32]);
    let (head, tail) = derived.split_at_mut(DIGEST);
    let password = password.expose().as_bytes();
    for (half, out) in [([a, b, c, d], head), ([e, f, g, h], tail)] {
        out.copy_from_slice(&*digested(half, rounds_run(iterations), password));
    }
    derived
}

/// MD5 over the salt and the password, then repeatedly over the previous digest and the password; `rounds` digests in
/// all.
fn digested(salt: [u8; 4], rounds: u64, password: &[u8]) -> Zeroizing<[u8; DIGEST]> {
    let mut digest: Zeroizing<[u8; DIGEST]> = Zeroizing::default();
    if rounds > 0 {
        *digest = Md5::new().chain_update(salt).chain_update(password).finalize().into();
    }
    if let Some(mut block) = block(password) {
        for _ in 1..rounds {
            let mut state = INITIAL;
            if let Some(head) = block.first_chunk_mut() {
                *head = *digest;
            }
            compress(&mut state, std::slice::from_ref(&*block));
            for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
                *bytes = word.to_le_bytes();
            }
        }
    } else {
        for _ in 1..rounds {
            *digest = Md5::new().chain_update(*digest).chain_update(password).finalize().into();
        }
    }
    digest
}

/// The only block that MD5 makes of a digest and the password (RFC 1321 §3.1 and §3.2), with the digest's place still
/// empty. To compress such a short input costs less than to build its block, and a key needs 400,000 digests, so the
/// block is built once. `None` if the password is so long that MD5 needs more than one block.
fn block(password: &[u8]) -> Option<Zeroizing<[u8; BLOCK]>> {
    let mut block = Zeroizing::new([0u8; BLOCK]);
    let (length, place) = (DIGEST + password.len(), block.get_mut(DIGEST..BLOCK - 8)?);
    let (text, padding) = place.split_at_mut_checked(password.len())?;
    text.copy_from_slice(password);
    *padding.first_mut()? = 0x80;
    *block.last_chunk_mut()? = u64::try_from(length * 8).ok()?.to_le_bytes();
    Some(block)
}

/// Decrypts the data; `None` if the key is wrong or the data is not a whole number of blocks.
fn decrypt(derived: &[u8; 32], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (key, iv) = derived.split_at(24);
    let cipher = cbc::Decryptor::<TdesEde3>::new_from_slices(key, iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(data).map(Zeroizing::new).ok()
}

fn open_jceks(parameters: &[u8], data: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let corrupt = |_: DerError| KeyError::Corrupt("the PBE parameters do not parse".to_owned());
    let mut fields = DerReader::new(parameters).expect(der::SEQUENCE).map_err(corrupt)?.inner();
    let salt = fields.expect(der::OCTET_STRING).map_err(corrupt)?.body;
    let iterations = fields.expect(der::INTEGER).and_then(|count| count.small()).map_err(corrupt)?;
    fields.end().map_err(corrupt)?;
    let Ok(salt) = <[u8; 8]>::try_from(salt) else {
        return Err(KeyError::Corrupt(format!("a salt of {} bytes, not 8", salt.len())));
    };
    if iterations == 0 || iterations > MOST_ITERATIONS {
        return Err(KeyError::Corrupt(format!("{iterations} iterations, outside 1 to {MOST_ITERATIONS}")));
    }
    if !password.is_printable_ascii() {
        // The JDK can neither have made nor open such a key.
        return Err(KeyError::WrongPassword);
    }
    for salt in effective_salts(salt) {
        // A wrong key gives correct padding once in 256 times, so only bytes that parse as a key count.
        match decrypt(&derive(salt, iterations, password), data) {
            Some(plain) if crate::key::is_pkcs8(&plain) => return Ok(plain),
            _ => {}
        }
    }
    Err(KeyError::WrongPassword)
}

/// Protects a key as JCEKS does, with the number of iterations that JDK 17 writes. The password must be printable
/// ASCII.
pub(crate) fn seal_jceks(plain: &[u8], password: &Password, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
    let mut salt = [0u8; 8];
    rng.fill_bytes(&mut salt);
    // Old and new JDKs treat a salt with equal halves differently, so none is written.
    let [a, b, c, d, e, f, g, h] = &mut salt;
    if [*a, *b, *c, *d] == [*e, *f, *g, *h] {
        *h ^= 1;
    }
    let derived = derive(salt, u64::from(WRITTEN_ITERATIONS), password);
    let (key, iv) = derived.split_at(24);
    let cipher = cbc::Encryptor::<TdesEde3>::new_from_slices(key, iv).ok()?;
    let data = cipher.encrypt_padded_vec::<Pkcs7>(plain);
    let count = der::integer(u64::from(WRITTEN_ITERATIONS));
    let parameters = encode(der::SEQUENCE, &[encode(der::OCTET_STRING, &salt), count].concat());
    Some(info(JCEKS_PROTECTOR, &parameters, &data))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_digest_of_one_block_is_that_of_the_library() {
        // One block holds at most 39 bytes of password beside a digest, the padding and the length.
        for length in 0..=60usize {
            let password: Vec<u8> = (b'!'..=b'~').cycle().skip(length).take(length).collect();
            for rounds in [0, 1, 2, 7] {
                let mut expected = [0u8; DIGEST];
                for round in 0..rounds {
                    let md5 = Md5::new();
                    let md5 = if round == 0 { md5.chain_update([9, 8, 7, 6]) } else { md5.chain_update(expected) };
                    expected = md5.chain_update(&password).finalize().into();
                }
                assert_eq!(*digested([9, 8, 7, 6], rounds, &password), expected, "{length} bytes, {rounds} rounds");
            }
            assert_eq!(block(&password).is_some(), length <= 39, "{length} bytes");
        }
    }

    /// Made by `Cipher.getInstance("PBEWithMD5AndTripleDES")` of JDK 17.0.15 and 25, with 1000 iterations and equal
    /// halves.
    #[test]
    fn equal_halves_as_new_jdks_take_them() {
        let salt = [0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44];
        let data = hex("c8f2f380cad933e7ed0cd3dae8f834527b4db4669b2bf374");
        let opened = effective_salts(salt)
            .into_iter()
            .filter_map(|salt| decrypt(&derive(salt, 1000, &Password::new("changeit")), &data))
            .any(|plain| *plain == b"hello world 12345");
        assert!(opened);
    }

    #[test]
    fn equal_halves_are_never_written_and_both_readings_are_tried() {
        assert_eq!(effective_salts([1, 2, 3, 4, 1, 2, 3, 4]), [[4, 3, 2, 1, 1, 2, 3, 4], [4, 1, 2, 4, 1, 2, 3, 4]]);
        assert_eq!(effective_salts([1, 2, 3, 4, 1, 2, 3, 5]), [[1, 2, 3, 4, 1, 2, 3, 5]]);
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn too_many_iterations_and_odd_salts_are_refused_before_the_work() {
        let sealed = |salt: &[u8], count: &[u8]| {
            let parameters = [encode(der::OCTET_STRING, salt), encode(der::INTEGER, count)].concat();
            info(JCEKS_PROTECTOR, &encode(der::SEQUENCE, &parameters), &[0; 16])
        };
        let password = Password::new("changeit");
        for blob in [
            sealed(&[0; 8], &[0x7f, 0xff, 0xff, 0xff]),
            sealed(&[0; 8], &[0]),
            sealed(&[0; 8], &[0xff]),
            sealed(&[0; 7], &[1]),
            sealed(&[0; 8], &[1; 9]),
        ] {
            assert!(matches!(open(Format::Jceks, &blob, &password), Err(KeyError::Corrupt(_))), "{blob:?}");
        }
        let unsupported = open(Format::Jks, &sealed(&[0; 8], &[1]), &password);
        assert_eq!(unsupported.err(), Some(KeyError::Unsupported("1.3.6.1.4.1.42.2.19.1".to_owned())));
        assert!(matches!(
            open(Format::Jks, &info(JKS_PROTECTOR, &[5, 0], &[0; 39]), &password),
            Err(KeyError::Corrupt(_))
        ));
    }
}
