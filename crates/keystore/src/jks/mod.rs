//! JKS and JCEKS: one layout, two magics.
//!
//! ```text
//! magic u32 | version u32 (1, 2) | count u32 | entries | SHA-1(password UTF-16BE ‖ "Mighty Aphrodite" ‖ all before)
//! entry: tag u32 | alias modified-UTF-8 | created i64 ms
//!   tag 1  key:    u32 length + EncryptedPrivateKeyInfo | u32 count | certificates
//!   tag 2  trusted: one certificate
//!   tag 3  secret (JCEKS only): a Java serialisation stream without a length
//! certificate: type modified-UTF-8 (version 2 only) | u32 length + encoding
//! ```
//! Source: `sun.security.provider.JavaKeyStore` and `com.sun.crypto.provider.JceKeyStore`. Reading keeps every entry's range,
//! so that writing can copy it.

mod mutf8;
pub(crate) mod protect;
mod serial;
pub(crate) mod write;

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use crate::certificate::CertificateError;
use crate::error::{Class, ReadError};
use crate::fingerprint::Fingerprint;
use crate::format::Format;
use crate::intern::{CertificateSlot, Interner};
use crate::password::Password;
use crate::reader::{Reader, Short};
use crate::remark::Remark;
use crate::store::{EntryId, EntryKind, Place, Store, Unlock};

pub(super) const DIGEST: usize = 20;
const TAG_KEY: u32 = 1;
const TAG_TRUSTED: u32 = 2;
const TAG_SECRET: u32 = 3;
const RESTORE: &str = "restore it from a backup or copy it again in binary mode";

pub(super) fn magic(format: Format) -> [u8; 4] {
    if format == Format::Jceks { [0xce; 4] } else { [0xfe, 0xed, 0xfe, 0xed] }
}

/// The keyed digest over everything before it.
pub(super) fn digest(password: &Password, body: &[u8]) -> [u8; DIGEST] {
    let mut sha = Sha1::new();
    sha.update(password.utf16_be().as_slice());
    sha.update(b"Mighty Aphrodite");
    sha.update(body);
    sha.finalize().into()
}

/// Whether `found` is the digest of `body` under this password, compared in constant time.
pub(super) fn digest_matches(password: &Password, body: &[u8], found: &[u8]) -> bool {
    digest(password, body).as_slice().ct_eq(found).into()
}

pub(crate) fn open(
    format: Format,
    bytes: Vec<u8>,
    unlock: Unlock<'_>,
    certificates: &Interner,
) -> Result<Store, ReadError> {
    let mut store = Store::new(format, Vec::new(), false);
    let body_end = Parser { format, bytes: &bytes, reader: Reader::new(&bytes), certificates, store: &mut store }
        .run()
        .map_err(|error| error.format(format.as_str()))?;
    let (body, tail) = bytes.split_at_checked(body_end).unwrap_or((&bytes, &[]));
    let found = tail.get(..DIGEST);
    match (unlock, found) {
        (Unlock::Password(_), None) => {
            return Err(ReadError::new(Class::Corrupt, "the digest at the end is cut off", RESTORE)
                .format(format.as_str())
                .offset(bytes.len()));
        }
        (Unlock::Password(password), Some(found)) if !digest_matches(password, body, found) => {
            return Err(ReadError::new(
                Class::WrongPassword,
                "the password is not this store's, or the store was tampered with",
                "use the store's own password, or restore it from a backup",
            )
            .format(format.as_str()));
        }
        (Unlock::Password(_), Some(_)) => {}
        (Unlock::Unverified, _) => {
            store.verified = false;
            store.remarks.push(Remark::Unverified);
        }
    }
    let trailing = tail.len().saturating_sub(DIGEST);
    if trailing > 0 {
        store.remarks.push(Remark::TrailingBytes { count: trailing as u64 });
    }
    crate::remark::twins(&mut store);
    store.body_end = body_end;
    store.bytes = bytes;
    Ok(store)
}

struct Parser<'a> {
    format: Format,
    bytes: &'a [u8],
    reader: Reader<'a>,
    certificates: &'a Interner,
    store: &'a mut Store,
}

fn cut(what: &'static str) -> impl Fn(Short) -> ReadError {
    move |short| {
        let cause = format!("{what}: {} bytes are announced and {} are left", short.wanted, short.left);
        ReadError::new(Class::Corrupt, cause, RESTORE).offset(short.at)
    }
}

impl Parser<'_> {
    /// Reads everything up to the digest and gives the digest's offset.
    fn run(mut self) -> Result<usize, ReadError> {
        self.reader.take(4).map_err(cut("the magic is cut off"))?;
        let version = self.reader.u32().map_err(cut("the version is cut off"))?;
        if !matches!(version, 1 | 2) {
            let cause = format!("version {version} of {} does not exist; 1 and 2 do", self.format);
            return Err(ReadError::new(Class::Unsupported, cause, "check where the file comes from").offset(4));
        }
        self.store.version = version;
        let count = self.reader.u32().map_err(cut("the number of entries is cut off"))?;
        // No room is reserved on the strength of the count: each entry takes bytes that must be there.
        for _ in 0..count {
            self.entry()?;
        }
        Ok(self.reader.position())
    }

    fn entry(&mut self) -> Result<(), ReadError> {
        let start = self.reader.position();
        let tag = self.reader.u32().map_err(cut("an entry's tag is cut off"))?;
        let alias_start = self.reader.position() + 2;
        let alias = self.reader.block16().map_err(cut("an entry's alias is cut off"))?;
        let text = mutf8::decode(alias).ok_or_else(|| {
            ReadError::new(Class::Corrupt, "an alias is no modified UTF-8", RESTORE).offset(alias_start)
        })?;
        let created = self.reader.i64().map_err(cut("an entry's creation date is cut off"))?;
        let mut place = Place { alias: alias_start..alias_start + alias.len(), ..Place::default() };
        let id = EntryId(self.store.entries.len());
        if text.lossy {
            self.store.remarks.push(Remark::AliasNotText { entry: id, alias: text.text.clone() });
        }
        let alias = text.text;
        let kind = match tag {
            TAG_KEY => {
                let key_start = self.reader.position() + 4;
                let key = self.reader.block32().map_err(cut("a protected key is cut off"))?;
                place.key = Some(key_start..key_start + key.len());
                let count = self.reader.u32().map_err(cut("a chain's length is cut off"))?;
                let mut chain = Vec::new();
                for _ in 0..count {
                    chain.push(self.certificate(id, &alias)?);
                }
                EntryKind::PrivateKey { chain }
            }
            TAG_TRUSTED => match self.certificate(id, &alias)? {
                CertificateSlot::Unparsed(bytes) if !bytes.reason().is_x509() => {
                    EntryKind::Opaque(format!("a certificate: {}", bytes.reason()))
                }
                slot => EntryKind::Trusted(slot),
            },
            TAG_SECRET if self.format == Format::Jceks => {
                let sealed = serial::sealed_object(self.bytes, self.reader.position())?;
                self.reader = Reader::at(self.bytes, sealed.end);
                if !sealed.passes_filter {
                    let why =
                        "its secret key is a javax.crypto.SealedObject, which the JDK's filter rejects".to_owned();
                    self.remark(Remark::JvmUnloadable { entry: id, alias: alias.clone(), why });
                }
                EntryKind::SecretKey
            }
            _ => {
                let cause = format!("entry {} has the unknown tag {tag}", id.0);
                return Err(ReadError::new(Class::Corrupt, cause, RESTORE).offset(start));
            }
        };
        place.whole = start..self.reader.position();
        self.store.push(Some(alias), Some(created), kind, place);
        Ok(())
    }

    /// Says the same of an entry once, however long its chain is.
    fn remark(&mut self, remark: Remark) {
        let same = |last: &Remark| {
            last.entry() == remark.entry() && std::mem::discriminant(last) == std::mem::discriminant(&remark)
        };
        if !self.store.remarks.last().is_some_and(same) {
            self.store.remarks.push(remark);
        }
    }

    fn certificate(&mut self, entry: EntryId, alias: &str) -> Result<CertificateSlot, ReadError> {
        let mut foreign = None;
        if self.store.version == 2 {
            let at = self.reader.position() + 2;
            let name = self.reader.block16().map_err(cut("a certificate's type is cut off"))?;
            // The Sun provider knows X.509 and X509 in any case; anything else fails the whole load.
            if !(name.eq_ignore_ascii_case(b"X.509") || name.eq_ignore_ascii_case(b"X509")) {
                let name = mutf8::decode(name).ok_or_else(|| {
                    ReadError::new(Class::Corrupt, "a certificate's type is no modified UTF-8", RESTORE).offset(at)
                })?;
                foreign = Some(name.text);
            }
        }
        let der = self.reader.block32().map_err(cut("a certificate is cut off"))?;
        if let Some(name) = foreign {
            let reason = CertificateError::of_type(&name);
            self.remark(Remark::UnknownCertificateType { entry, alias: alias.to_owned(), name });
            return Ok(CertificateSlot::unparsed(der, Fingerprint::of(der), reason));
        }
        let slot = self.certificates.intern(der);
        if let Some(remark) = Remark::of_certificate(&slot, entry, alias) {
            self.remark(remark);
        }
        Ok(slot)
    }
}

/// How many bytes an alias takes in the file.
pub(crate) fn alias_bytes(alias: &str) -> usize {
    mutf8::encode(alias).len()
}

#[cfg(test)]
mod tests;
