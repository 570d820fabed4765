//! Writing JKS and JCEKS: what is not edited is copied, the digest is made anew.

use rand_core::CryptoRng;

use super::{DIGEST, TAG_KEY, TAG_TRUSTED, digest, digest_matches, magic, mutf8, protect};
use crate::edit::{
    Disposition, Edits, NewEntry, NewKey, acceptable, check_aliases, check_loadable, new_alias, sealed_key,
};
use crate::error::EditError;
use crate::format::Format;
use crate::password::Password;
use crate::store::{EntryId, EntryKind, Store};

/// The next content of the file. Bytes after the old digest are kept (a JVM ignores them; they are not ours to drop).
pub(crate) fn edit(
    store: &Store,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let password = password.ok_or(EditError::PasswordNeeded { format: store.format })?;
    let old_digest = store.bytes.get(store.body_end..store.body_end + DIGEST);
    if !store.fresh {
        let body = store.bytes.get(..store.body_end).unwrap_or_default();
        if !old_digest.is_some_and(|found| digest_matches(password, body, found)) {
            return Err(EditError::WrongPassword);
        }
    }
    check_loadable(store, edits)?;
    check_aliases(store, edits)?;

    let removed = |id: &EntryId| matches!(edits.disposition.get(id), Some(Disposition::Remove));
    let count = store.entries.iter().filter(|entry| !removed(&entry.id)).count() + edits.add.len();
    let count = u32::try_from(count)
        .map_err(|_| EditError::NotRepresentable { format: store.format, why: "more than 2^32 entries".to_owned() })?;
    let mut writer = Writer { store, password, rng, out: Vec::with_capacity(store.bytes.len() + 4096) };
    writer.out.extend(magic(store.format));
    writer.out.extend(store.version.to_be_bytes());
    writer.out.extend(count.to_be_bytes());
    for entry in &store.entries {
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
            NewEntry::Trusted { alias, der, created_ms } => {
                let alias = new_alias(store.format, alias.as_deref().unwrap_or_default())?;
                acceptable(Some(&alias), der)?;
                writer.head(TAG_TRUSTED, &mutf8::encode(&alias), *created_ms);
                writer.certificate(&alias, der)?;
            }
            NewEntry::PrivateKey { alias, key, chain, created_ms } => {
                let alias = new_alias(store.format, alias)?;
                writer.private_key(&alias, &mutf8::encode(&alias), key, chain, *created_ms)?;
            }
        }
    }
    let mut out = writer.out;
    let seal = digest(password, &out);
    out.extend(seal);
    out.extend(store.bytes.get(store.body_end + DIGEST..).unwrap_or_default());
    Ok(out)
}

struct Writer<'a> {
    store: &'a Store,
    password: &'a Password,
    rng: &'a mut dyn CryptoRng,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn copy(&mut self, id: EntryId) {
        if let Some(bytes) = self.store.places.get(id.0).and_then(|place| self.store.bytes.get(place.whole.clone())) {
            self.out.extend_from_slice(bytes);
        }
    }

    fn raw_alias(&self, id: EntryId) -> &[u8] {
        let place = self.store.places.get(id.0);
        place.and_then(|place| self.store.bytes.get(place.alias.clone())).unwrap_or_default()
    }

    /// Everything but the alias stays.
    fn rename(&mut self, id: EntryId, alias: &str) -> Result<(), EditError> {
        let Some(place) = self.store.places.get(id.0) else {
            return Ok(());
        };
        let tag = self.store.bytes.get(place.whole.start..place.alias.start.saturating_sub(2)).unwrap_or_default();
        let rest = self.store.bytes.get(place.alias.end..place.whole.end).unwrap_or_default();
        let alias = mutf8::encode(&new_alias(self.store.format, alias)?);
        self.out.extend_from_slice(tag);
        self.block16(&alias);
        self.out.extend_from_slice(rest);
        Ok(())
    }

    /// Lengths were checked by `new_alias` or come from a 16-bit field.
    fn block16(&mut self, bytes: &[u8]) {
        self.out.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.out.extend_from_slice(bytes);
    }

    fn block32(&mut self, alias: &str, bytes: &[u8]) -> Result<(), EditError> {
        let length = u32::try_from(bytes.len()).map_err(|_| EditError::NotRepresentable {
            format: self.store.format,
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

    fn certificate(&mut self, alias: &str, der: &[u8]) -> Result<(), EditError> {
        if self.store.version == 2 {
            self.block16(b"X.509");
        }
        self.block32(alias, der)
    }

    fn private_key(
        &mut self,
        alias: &str,
        raw_alias: &[u8],
        key: &NewKey,
        chain: &[Vec<u8>],
        created_ms: i64,
    ) -> Result<(), EditError> {
        let format = self.store.format;
        let sealed = sealed_key(format, alias, key, chain, |plain| self.seal(plain, alias))?;
        self.head(TAG_KEY, raw_alias, created_ms);
        self.block32(alias, &sealed)?;
        let count = u32::try_from(chain.len()).unwrap_or(u32::MAX);
        self.out.extend(count.to_be_bytes());
        for der in chain {
            self.certificate(alias, der)?;
        }
        Ok(())
    }

    fn seal(&mut self, plain: &[u8], alias: &str) -> Result<Vec<u8>, EditError> {
        if self.store.format != Format::Jceks {
            return Ok(protect::seal_jks(plain, self.password, self.rng));
        }
        if !self.password.is_printable_ascii() {
            return Err(EditError::PasswordNotAscii { format: Format::Jceks });
        }
        protect::seal_jceks(plain, self.password, self.rng)
            .ok_or_else(|| EditError::BadKey { alias: alias.to_owned(), why: "it could not be encrypted".to_owned() })
    }
}
