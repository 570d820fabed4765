//! Measures the cost of opening one large store. The references are the least work of any reader, keytool and openssl.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use trustmason_keystore::{
    Certificate, CertificateError, Credential, Edits, Image, Interner, NewEntry, Password, Protection, Store,
};

use super::clock::{self, Cost};
use super::estate;
use super::table::{RatioTarget, Row, Table};
use super::{ROOTS, best};
use crate::process::{self, Failure};

/// Rounds of each key derivation in a file as JDK 17 writes it.
const PKCS12_ROUNDS: u32 = 10_000;

/// Certificates that all differ from each other.
fn certificates(number: usize) -> Result<Vec<Vec<u8>>, Failure> {
    let roots = estate::roots(ROOTS)?;
    Ok((0_u64..).zip(roots.iter().cycle()).take(number).map(|(n, root)| estate::marked(root, 5_000_000 + n)).collect())
}

fn pkcs12(certificates: &[Vec<u8>]) -> Result<Vec<u8>, Failure> {
    let add = certificates.iter().enumerate().map(|(n, der)| -> Result<_, CertificateError> {
        let certificate = Arc::new(Certificate::parse(der)?);
        Ok(NewEntry::Trusted { alias: Some(format!("root{n}").into()), certificate, created_ms: 0 })
    });
    let edits = Edits { add: add.collect::<Result<_, _>>()?, ..Edits::default() };
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let store = Store::create_pkcs12(Protection::modern());
    match store.edit(&edits, &Password::new(estate::PASSWORD), &mut random)? {
        Image::File(bytes) => Ok(bytes),
        Image::Directory(_) => Err("a PKCS#12 store is a file".into()),
    }
}

fn open(bytes: &[u8], certificates: &Interner) -> Result<Store, Failure> {
    let password = Password::new(estate::PASSWORD);
    Ok(Store::open(bytes.to_vec(), Credential::Password(&password), certificates)?)
}

/// The least work of any reader: two derivations, one decryption, one MAC and a fingerprint of each certificate.
fn least(bytes: &[u8], certificates: &[Vec<u8>]) {
    let mut key = [0_u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(estate::PASSWORD.as_bytes(), &[7; 20], PKCS12_ROUNDS, &mut key);
    let mut mac_key = Sha256::digest([7; 128]);
    for _ in 1..PKCS12_ROUNDS {
        mac_key = Sha256::digest(mac_key);
    }
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&mac_key) {
        mac.update(bytes);
        black_box(mac.finalize());
    }
    let whole = bytes.len() - bytes.len() % 16;
    let text = bytes.get(..whole).unwrap_or_default();
    let cipher = cbc::Decryptor::<Aes256>::new(&key.into(), &[7; 16].into());
    black_box(cipher.decrypt_padded_vec::<NoPadding>(text).ok());
    for certificate in certificates {
        black_box(Sha256::digest(certificate));
    }
}

/// Measures every store and adds the rows to the table.
pub(super) fn stores(table: &mut Table, quick: bool, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for number in [ROOTS, 10_000] {
        // Opening a small store is shorter than a tick of the clock, so it is repeated.
        let times = if number == ROOTS { 20 } else { 1 };
        let held = certificates(number)?;
        let bytes = pkcs12(&held)?;
        let known = Interner::new();
        if open(&bytes, &known)?.entries().len() != number {
            return Err(format!("{number} entries were expected").into());
        }
        let reference = best(|| Ok(clock::here(|| (0..times).for_each(|_| least(&bytes, &held))).1.per(times)))?;
        let again = repeated(times, || open(&bytes, &known).map(drop))?;
        let subject = format!("opening a PKCS#12 of {number} certificates");
        let words = "two derivations, one decryption, one MAC, SHA-256 of each";
        let seen = format!("{subject}, seen before in the run");
        table.push(Row::slower(&seen, words, again.cpu, reference.cpu, Some(RatioTarget::AtMost(1.2))));
        let first = repeated(times, || open(&bytes, &Interner::new()).map(drop))?;
        table.push(Row::slower(
            &format!("{subject}, each parsed for the first time"),
            words,
            first.cpu,
            reference.cpu,
            None,
        ));
    }
    let held = certificates(10_000)?;
    let named = held.iter().enumerate().map(|(n, der)| (format!("root{n}"), der.as_slice()));
    for (kind, bytes) in [("JKS", estate::jks(named.collect::<Vec<_>>().into_iter(), 0)), ("PKCS#12", pkcs12(&held)?)] {
        let path = folder.join(format!("large.{}", kind.to_lowercase().replace('#', "")));
        fs::write(&path, &bytes)?;
        let ours = best(|| listed(&path))?;
        let keytool = best_of(if quick { 1 } else { 3 }, || {
            let mut keytool = Command::new("keytool");
            keytool.args(["-list", "-storepass", estate::PASSWORD, "-keystore"]).arg(&path);
            Ok(clock::child(&mut keytool)?.1)
        })?;
        let subject = format!("opening a {kind} of 10,000 certificates");
        table.push(Row::faster(&subject, "keytool -list", ours.cpu, keytool.cpu, Some(RatioTarget::AtLeastLess(20.0))));
        if kind == "PKCS#12" {
            let password = format!("pass:{}", estate::PASSWORD);
            let openssl = best(|| {
                let mut openssl = Command::new("openssl");
                openssl.args(["pkcs12", "-nokeys", "-nodes", "-passin", &password, "-in"]).arg(&path);
                openssl.arg("-out").arg("/dev/null");
                Ok(clock::child(&mut openssl)?.1)
            })?;
            table.push(Row::faster(
                &subject,
                "openssl pkcs12",
                ours.cpu,
                openssl.cpu,
                Some(RatioTarget::AtLeastLess(1.0)),
            ));
        }
        let mut again = Command::new(std::env::current_exe()?);
        let said = process::output(again.arg("bench-open").arg(&path))?;
        let peak = String::from_utf8_lossy(&said).trim().parse::<u64>()?;
        let limit = 8 * u64::try_from(bytes.len())? / 1024;
        let subject = format!("peak memory of that ({kind}, {:.1} MiB)", bytes.len() as f64 / 1_048_576.0);
        table.push(Row::memory(&subject, "8 × the file", peak, limit));
    }
    Ok(())
}

/// Reads and opens a file.
fn listed(path: &Path) -> Result<Cost, Failure> {
    let (opened, cost) = clock::here(|| open(&fs::read(path)?, &Interner::new()).map(drop));
    opened.map(|()| cost)
}

fn repeated(times: u32, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Cost, Failure> {
    best(|| {
        let (done, cost) = clock::here(|| (0..times).try_for_each(|_| work()));
        done.map(|()| cost.per(times))
    })
}

fn best_of(times: u32, mut measure: impl FnMut() -> Result<Cost, Failure>) -> Result<Cost, Failure> {
    let mut found = Cost { cpu: Duration::MAX, wall: Duration::MAX };
    for _ in 0..times {
        let cost = measure()?;
        if cost.cpu < found.cpu {
            found = cost;
        }
    }
    Ok(found)
}

/// Opens a file in a process of its own. Prints the memory in KiB that this took beyond the process itself.
#[allow(clippy::print_stdout, reason = "the answer")]
pub(crate) fn probe(path: &Path) -> Result<(), Failure> {
    let before = clock::peak_kib()?;
    let password = Password::new(estate::PASSWORD);
    let store = Store::open(fs::read(path)?, Credential::Password(&password), &Interner::new())?;
    black_box(store.entries().len());
    println!("{}", clock::peak_kib()?.saturating_sub(before));
    Ok(())
}
