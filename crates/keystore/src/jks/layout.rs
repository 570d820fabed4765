//! The types that reading and writing of JKS and JCEKS share: the two kinds, the digest, and a file with the places of
//! its entries. The module reads and writes no entry.

use std::ops::Range;

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use crate::entries::Entries;
use crate::entry::EntryId;
use crate::format::Format;
use crate::password::Password;

pub(super) const DIGEST: usize = 20;
pub(super) const TAG_KEY: u32 = 1;
pub(super) const TAG_TRUSTED: u32 = 2;
pub(super) const TAG_SECRET: u32 = 3;
pub(super) const RESTORE: &str = "restore it from a backup or copy it again in binary mode";

/// Which of the two formats a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JavaFormat {
    Jks,
    Jceks,
}

impl JavaFormat {
    pub(super) fn format(self) -> Format {
        match self {
            Self::Jks => Format::Jks,
            Self::Jceks => Format::Jceks,
        }
    }

    pub(super) fn magic(self) -> [u8; 4] {
        match self {
            Self::Jks => [0xfe, 0xed, 0xfe, 0xed],
            Self::Jceks => [0xce; 4],
        }
    }
}

/// A store in one of Java's own formats.
pub(crate) struct JavaStore {
    pub(super) kind: JavaFormat,
    /// The version of the format: 1 or 2.
    pub(super) version: u32,
    /// The file; `None` if there is no file yet.
    pub(super) file: Option<JavaFile>,
    pub(super) entries: Entries<JavaPlace>,
}

/// The file from which a store was read.
pub(super) struct JavaFile {
    pub(super) bytes: Vec<u8>,
    /// The offset where the entries end and the digest begins.
    pub(super) body_end: usize,
    /// Whether the digest was checked.
    pub(super) verified: bool,
}

impl JavaFile {
    /// The bytes that the digest covers.
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(..self.body_end).unwrap_or_default()
    }

    pub(super) fn digest(&self) -> Option<&[u8]> {
        self.bytes.get(self.body_end..self.body_end + DIGEST)
    }

    /// The bytes after the digest.
    pub(super) fn tail(&self) -> &[u8] {
        self.bytes.get(self.body_end + DIGEST..).unwrap_or_default()
    }
}

/// The place of an entry in the file.
pub(super) struct JavaPlace {
    /// The whole entry.
    pub(super) whole: Range<usize>,
    /// The alias, without the length before it.
    pub(super) alias: Range<usize>,
    /// The protected key, without the length before it.
    pub(super) key: Option<Range<usize>>,
}

impl JavaStore {
    /// A store without entries and without a file.
    pub(crate) fn empty(kind: JavaFormat) -> Self {
        Self { kind, version: 2, file: None, entries: Entries::new() }
    }

    /// The bytes of the file; none if there is no file yet.
    pub(super) fn bytes(&self) -> &[u8] {
        self.file.as_ref().map_or(&[], |file| &file.bytes)
    }

    /// The bytes at a range of the entry's place.
    pub(super) fn at(&self, entry: EntryId, range: impl Fn(&JavaPlace) -> Option<&Range<usize>>) -> Option<&[u8]> {
        self.bytes().get(range(self.entries.place(entry)?)?.clone())
    }
}

/// The keyed digest over all bytes before it.
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
