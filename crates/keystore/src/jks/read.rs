//! Reads JKS and JCEKS. The module takes the bytes of a file and a credential, and gives the entries with their places.
//! It never opens a key.

use super::layout::{
    DIGEST, JavaFile, JavaFormat, JavaPlace, JavaStore, RESTORE, TAG_KEY, TAG_SECRET, TAG_TRUSTED, digest_matches,
};
use super::{mutf8, serial};
use crate::certificate::CertificateError;
use crate::content::ContentInput;
use crate::entries::Entries;
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{ErrorClass, ReadError};
use crate::fingerprint::Fingerprint;
use crate::intern::{CertificateSlot, Interner};
use crate::reader::{Reader, Short};
use crate::remark::Remark;

pub(crate) fn open(kind: JavaFormat, file: ContentInput<'_>) -> Result<JavaStore, ReadError> {
    let ContentInput { bytes, credential, certificates } = file;
    let name = kind.format().as_str();
    let mut entries = Entries::new();
    let (version, body_end) =
        Parser { kind, version: 0, bytes: &bytes, reader: Reader::new(&bytes), certificates, entries: &mut entries }
            .run()
            .map_err(|error| error.format(name))?;
    let (body, tail) = bytes.split_at_checked(body_end).unwrap_or((&bytes, &[]));
    let verified = match (credential, tail.get(..DIGEST)) {
        (Credential::Password(_), None) => {
            return Err(ReadError::new(ErrorClass::Corrupt, "the digest at the end is cut off", RESTORE)
                .format(name)
                .offset(bytes.len()));
        }
        (Credential::Password(password), Some(found)) if !digest_matches(password, body, found) => {
            return Err(ReadError::new(
                ErrorClass::WrongPassword,
                "the password is wrong, or the store was tampered with",
                "use the store's own password, or restore it from a backup",
            )
            .format(name));
        }
        (Credential::Password(_), Some(_)) => true,
        (Credential::NotNeeded | Credential::Withheld, _) => {
            entries.remark(Remark::Unverified);
            false
        }
    };
    let trailing = tail.len().saturating_sub(DIGEST);
    if trailing > 0 {
        entries.remark(Remark::TrailingBytes { count: trailing as u64 });
    }
    entries.remark_ambiguous_names(kind.format());
    Ok(JavaStore { kind, version, file: Some(JavaFile { bytes, body_end, verified }), entries })
}

struct Parser<'a> {
    kind: JavaFormat,
    version: u32,
    bytes: &'a [u8],
    reader: Reader<'a>,
    certificates: &'a Interner,
    entries: &'a mut Entries<JavaPlace>,
}

fn cut(what: &'static str) -> impl Fn(Short) -> ReadError {
    move |short| {
        let cause = format!("{what}: {} bytes are announced, but {} are left", short.wanted, short.left);
        ReadError::new(ErrorClass::Corrupt, cause, RESTORE).offset(short.at)
    }
}

impl Parser<'_> {
    /// Reads everything before the digest, and gives the version and the offset of the digest.
    fn run(mut self) -> Result<(u32, usize), ReadError> {
        self.reader.take(4).map_err(cut("the magic is cut off"))?;
        let version = self.reader.u32().map_err(cut("the version is cut off"))?;
        if !matches!(version, 1 | 2) {
            let cause = format!("version {version} of {} does not exist; only 1 and 2 exist", self.kind.format());
            return Err(ReadError::new(ErrorClass::Unsupported, cause, "check where the file comes from").offset(4));
        }
        self.version = version;
        let count = self.reader.u32().map_err(cut("the number of entries is cut off"))?;
        // No memory is reserved because of the count: each entry needs bytes that must be there.
        for _ in 0..count {
            self.entry()?;
        }
        Ok((version, self.reader.position()))
    }

    fn entry(&mut self) -> Result<(), ReadError> {
        let start = self.reader.position();
        let tag = self.reader.u32().map_err(cut("an entry's tag is cut off"))?;
        let alias_start = self.reader.position() + 2;
        let alias = self.reader.block16().map_err(cut("an entry's alias is cut off"))?;
        let text = mutf8::decode(alias).ok_or_else(|| {
            ReadError::new(ErrorClass::Corrupt, "an alias is not modified UTF-8", RESTORE).offset(alias_start)
        })?;
        let created = self.reader.i64().map_err(cut("an entry's creation date is cut off"))?;
        let alias_range = alias_start..alias_start + alias.len();
        let mut key_range = None;
        let id = self.entries.next_id();
        if text.lossy {
            self.entries.remark(Remark::AliasNotText { entry: id, alias: text.text.clone() });
        }
        let alias = text.text;
        let kind = match tag {
            TAG_KEY => {
                let key_start = self.reader.position() + 4;
                let key = self.reader.block32().map_err(cut("a protected key is cut off"))?;
                key_range = Some(key_start..key_start + key.len());
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
            TAG_SECRET if self.kind == JavaFormat::Jceks => {
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
                return Err(ReadError::new(ErrorClass::Corrupt, cause, RESTORE).offset(start));
            }
        };
        let place = JavaPlace { whole: start..self.reader.position(), alias: alias_range, key: key_range };
        self.entries.push(Some(alias.into()), Some(created), kind, place);
        Ok(())
    }

    /// Adds a remark on an entry once, however long the entry's chain is.
    fn remark(&mut self, remark: Remark) {
        let same = |last: &Remark| {
            last.entry() == remark.entry() && std::mem::discriminant(last) == std::mem::discriminant(&remark)
        };
        if !self.entries.remarks().last().is_some_and(same) {
            self.entries.remark(remark);
        }
    }

    fn certificate(&mut self, entry: EntryId, alias: &str) -> Result<CertificateSlot, ReadError> {
        let mut foreign = None;
        if self.version == 2 {
            let at = self.reader.position() + 2;
            let name = self.reader.block16().map_err(cut("a certificate's type is cut off"))?;
            // The Sun provider knows X.509 and X509 in any case. Any other type makes the whole load fail.
            if !(name.eq_ignore_ascii_case(b"X.509") || name.eq_ignore_ascii_case(b"X509")) {
                let name = mutf8::decode(name).ok_or_else(|| {
                    ReadError::new(ErrorClass::Corrupt, "a certificate's type is not modified UTF-8", RESTORE)
                        .offset(at)
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
