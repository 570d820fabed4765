//! Writes JKS and JCEKS. The module takes a store, edits and the password, and gives the bytes of the next file:
//! entries that are not edited are copied, and the digest is computed again.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::layout::{JavaFile, JavaFormat, JavaStore, TAG_KEY, TAG_TRUSTED, digest, digest_matches};
use super::{mutf8, protect};
use crate::alias::Alias;
use crate::certificate::Certificate;
use crate::edit::{
    Disposition, Edits, NewEntry, NewKey, check_aliases, check_certificate, check_loadable, new_alias, sealed_key,
};
use crate::entry::{EntryId, EntryKind};
use crate::error::EditError;
use crate::password::Password;

/// The next content of the file. Bytes after the old digest are kept: a JVM ignores them, and this program did not
/// write them.
pub(crate) fn edit(
    store: &JavaStore,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let format = store.kind.format();
    let password = password.ok_or(EditError::PasswordNeeded { format })?;
    if let Some(file) = &store.file
        && !file.digest().is_some_and(|found| digest_matches(password, file.body(), found))
    {
        return Err(EditError::WrongPassword);
    }
    check_loadable(store.entries.remarks(), edits)?;
    check_aliases(format, store.entries.list(), edits)?;

    let removed = |id: &EntryId| matches!(edits.disposition.get(id), Some(Disposition::Remove));
    let count = store.entries.list().iter().filter(|entry| !removed(&entry.id)).count() + edits.add.len();
    let count = u32::try_from(count)
        .map_err(|_| EditError::NotRepresentable { format, why: "more than 2^32 entries".to_owned() })?;
    let mut writer = Writer { store, password, rng, out: Vec::with_capacity(store.bytes().len() + 4096) };
    writer.out.extend(store.kind.magic());
    writer.out.extend(store.version.to_be_bytes());
    writer.out.extend(count.to_be_bytes());
    for entry in store.entries.list() {
        match edits.disposition.get(&entry.id) {
            None | Some(Disposition::Keep) => writer.copy(entry.id),
            Some(Disposition::Rename(alias)) => writer.rename(entry.id, alias)?,
            Some(Disposition::Remove) => {}
            Some(Disposition::ReplaceKey { key, chain, created_ms }) => {
                let alias = entry.alias.as_deref().unwrap_or_default();
                if !matches!(entry.kind, EntryKind::PrivateKey { .. }) {
                    return Err(EditError::NotAKey { alias: alias.to_owned() });
                }
                let raw = writer.raw_alias(entry.id).to_vec();
                writer.private_key(alias, &raw, key, chain, *created_ms)?;
            }
        }
    }
    for new in &edits.add {
        match new {
            NewEntry::Trusted { alias, certificate, created_ms } => {
                let alias = new_alias(alias.as_ref())?;
                check_certificate(Some(alias.as_str()), certificate)?;
                writer.head(TAG_TRUSTED, &alias_field(alias)?, *created_ms);
                writer.certificate(alias.as_str(), certificate)?;
            }
            NewEntry::PrivateKey { alias, key, chain, created_ms } => {
                let alias = new_alias(alias.as_ref())?;
                writer.private_key(alias.as_str(), &alias_field(alias)?, key, chain, *created_ms)?;
            }
        }
    }
    let mut out = writer.out;
    let seal = digest(password, &out);
    out.extend(seal);
    out.extend(store.file.iter().flat_map(JavaFile::tail));
    Ok(out)
}

/// A new alias in modified UTF-8. The length of an alias is a field of 16 bits.
fn alias_field(alias: &Alias) -> Result<Vec<u8>, EditError> {
    let bytes = mutf8::encode(alias.as_str());
    if bytes.len() > usize::from(u16::MAX) {
        return Err(EditError::BadAlias { alias: alias.to_string(), why: "it is longer than 65535 bytes" });
    }
    Ok(bytes)
}

struct Writer<'a> {
    store: &'a JavaStore,
    password: &'a Password,
    rng: &'a mut dyn CryptoRng,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn copy(&mut self, id: EntryId) {
        self.out.extend_from_slice(self.store.at(id, |place| Some(&place.whole)).unwrap_or_default());
    }

    fn raw_alias(&self, id: EntryId) -> &[u8] {
        self.store.at(id, |place| Some(&place.alias)).unwrap_or_default()
    }

    /// Writes the entry with another alias. All its other bytes stay.
    fn rename(&mut self, id: EntryId, alias: &Alias) -> Result<(), EditError> {
        let Some(place) = self.store.entries.place(id) else {
            return Ok(());
        };
        let bytes = self.store.bytes();
        let tag = bytes.get(place.whole.start..place.alias.start.saturating_sub(2)).unwrap_or_default();
        let rest = bytes.get(place.alias.end..place.whole.end).unwrap_or_default();
        let alias = alias_field(new_alias(Some(alias))?)?;
        self.out.extend_from_slice(tag);
        self.block16(&alias);
        self.out.extend_from_slice(rest);
        Ok(())
    }

    /// The length fits, because `alias_field` checked it or a 16-bit field contained it.
    fn block16(&mut self, bytes: &[u8]) {
        self.out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.out.extend_from_slice(bytes);
    }

    fn block32(&mut self, alias: &str, bytes: &[u8]) -> Result<(), EditError> {
        let length = u32::try_from(bytes.len()).map_err(|_| EditError::NotRepresentable {
            format: self.store.kind.format(),
            why: format!("what entry `{alias}` holds is longer than 4 GiB"),
        })?;
        self.out.extend(length.to_be_bytes());
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn head(&mut self, tag: u32, alias: &[u8], created_ms: i64) {
        self.out.extend(tag.to_be_bytes());
        self.block16(alias);
        self.out.extend(created_ms.to_be_bytes());
    }

    fn certificate(&mut self, alias: &str, certificate: &Certificate) -> Result<(), EditError> {
        if self.store.version == 2 {
            self.block16(b"X.509");
        }
        self.block32(alias, certificate.der())
    }

    fn private_key(
        &mut self,
        alias: &str,
        raw_alias: &[u8],
        key: &NewKey,
        chain: &[Arc<Certificate>],
        created_ms: i64,
    ) -> Result<(), EditError> {
        let format = self.store.kind.format();
        let sealed = sealed_key(format, alias, key, chain, |plain| self.seal(plain, alias))?;
        self.head(TAG_KEY, raw_alias, created_ms);
        self.block32(alias, &sealed)?;
        let count = u32::try_from(chain.len()).unwrap_or(u32::MAX);
        self.out.extend(count.to_be_bytes());
        for certificate in chain {
            self.certificate(alias, certificate)?;
        }
        Ok(())
    }

    fn seal(&mut self, plain: &[u8], alias: &str) -> Result<Vec<u8>, EditError> {
        if self.store.kind != JavaFormat::Jceks {
            return Ok(protect::seal_jks(plain, self.password, self.rng));
        }
        if !self.password.is_printable_ascii() {
            return Err(EditError::PasswordNotAscii { format: self.store.kind.format() });
        }
        protect::seal_jceks(plain, self.password, self.rng)
            .ok_or_else(|| EditError::BadKey { alias: alias.to_owned(), why: "it could not be encrypted".to_owned() })
    }
}
