//! The edits of a store: a disposition for each existing entry by its position, and new entries. The module also holds
//! the checks that all formats share; a check takes entries and edits, and gives an error or nothing. It never changes
//! a byte.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::alias::{Alias, StoredAlias};
use crate::certificate::{Certificate, JvmJudgement, unrecoverable};
use crate::entry::{Entry, EntryId};
use crate::error::EditError;
use crate::format::Format;
use crate::key::{KeyMatch, SealedKey, fits};
use crate::remark::Remark;
use crate::text::visible;

/// Changes to a store. All of them happen at the same time: only the result must be free of alias conflicts.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// The dispositions of existing entries. An entry that is not named is kept.
    pub disposition: BTreeMap<EntryId, Disposition>,
    /// New entries, appended in this order.
    pub add: Vec<NewEntry>,
}

impl Edits {
    /// Whether the edits change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.disposition.values().all(|what| matches!(what, Disposition::Keep))
    }
}

/// The change to an existing entry.
#[derive(Debug, Clone)]
pub enum Disposition {
    /// The entry stays, bit for bit.
    Keep,
    /// The entry gets another alias; all its other bytes stay.
    Rename(Alias),
    /// The entry is removed.
    Remove,
    /// A private key entry gets another key or chain. Its alias and its position stay.
    ReplaceKey {
        /// The new key.
        key: NewKey,
        /// The chain of the new key, leaf first.
        chain: Vec<Arc<Certificate>>,
        /// The new creation date, in milliseconds since 1970-01-01T00:00:00Z.
        created_ms: i64,
    },
}

/// An entry to add. In a format with aliases (JKS, JCEKS, PKCS#12) it must have an alias that is not empty.
#[derive(Debug, Clone)]
pub enum NewEntry {
    /// A trusted certificate.
    Trusted {
        /// The alias of the entry. In a folder it is the name of the file; without one, the name is made from the
        /// fingerprint. In a Windows file it is the friendly name. Other formats without aliases ignore it.
        alias: Option<Alias>,
        /// The certificate.
        certificate: Arc<Certificate>,
        /// The creation date, in milliseconds since 1970-01-01T00:00:00Z. Formats without dates ignore it.
        created_ms: i64,
    },
    /// A private key and its chain.
    PrivateKey {
        /// The alias of the entry. A PEM pair ignores it.
        alias: Option<Alias>,
        /// The private key.
        key: NewKey,
        /// The chain of the key, leaf first.
        chain: Vec<Arc<Certificate>>,
        /// The creation date, in milliseconds since 1970-01-01T00:00:00Z.
        created_ms: i64,
    },
}

/// A private key to write.
#[derive(Clone)]
pub enum NewKey {
    /// PKCS#8 in the clear. The edit protects it under the store's password.
    Plain(Zeroizing<Vec<u8>>),
    /// A key that a store of the same format already protects; the edit copies it unchanged.
    Sealed(SealedKey),
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(…)",
            Self::Sealed(_) => "Sealed(…)",
        })
    }
}

/// The changed files of a folder: each name with its new content, or with `None` if the file is to be deleted.
pub type TouchedFiles = Vec<(String, Option<Vec<u8>>)>;

/// The content of a store after an edit.
#[derive(Clone, PartialEq, Eq)]
pub enum Image {
    /// The whole file.
    File(Vec<u8>),
    /// The files of a folder, or the parts of a pair, that change, in the order of their names.
    Directory(TouchedFiles),
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "File({} bytes)", bytes.len()),
            Self::Directory(files) => write!(f, "Directory({} files)", files.len()),
        }
    }
}

/// Refuses edits that name a position which the store does not have.
pub(crate) fn check_positions(entries: &[Entry], edits: &Edits) -> Result<(), EditError> {
    match edits.disposition.keys().next_back() {
        Some(last) if last.0 >= entries.len() => {
            Err(EditError::NoSuchEntry { position: last.0, entries: entries.len() })
        }
        _ => Ok(()),
    }
}

/// Refuses a certificate unless a JVM is known to load it. There is no check for canonical DER, because only canonical
/// DER becomes a [`Certificate`].
pub(crate) fn check_certificate(alias: Option<&str>, certificate: &Certificate) -> Result<(), EditError> {
    let name = || alias.map_or_else(|| certificate.fingerprint().to_string(), str::to_owned);
    match certificate.jvm() {
        JvmJudgement::Loads => Ok(()),
        JvmJudgement::Refused(cause) => Err(EditError::JvmWouldRefuse { alias: name(), cause: cause.clone() }),
        JvmJudgement::CannotTell(cause) => Err(EditError::JvmCannotTell { alias: name(), cause: cause.clone() }),
    }
}

impl NewEntry {
    /// The alias of the new entry.
    pub(crate) fn alias(&self) -> Option<&Alias> {
        match self {
            Self::Trusted { alias, .. } | Self::PrivateKey { alias, .. } => alias.as_ref(),
        }
    }
}

/// Gives the alias of a new or renamed entry in a format with aliases, and refuses a missing or empty one.
pub(crate) fn new_alias(alias: Option<&Alias>) -> Result<&Alias, EditError> {
    alias
        .filter(|alias| !alias.is_empty())
        .ok_or_else(|| EditError::BadAlias { alias: String::new(), why: "it is empty" })
}

/// Refuses edits after which an entry that they add or rename shares its folded alias with another entry. Duplicates
/// that existed before and are not touched may stay. An entry that a JVM does not show takes no alias.
pub(crate) fn check_aliases(format: Format, entries: &[Entry], edits: &Edits) -> Result<(), EditError> {
    let mut result: HashMap<Alias, (usize, bool)> = HashMap::new();
    let mut note = |alias: Alias, touched: bool| {
        let slot = result.entry(alias.clone()).or_default();
        slot.0 += 1;
        slot.1 |= touched;
        if slot.0 > 1 && slot.1 { Err(EditError::AliasTaken { alias }) } else { Ok(()) }
    };
    for entry in entries.iter().filter(|entry| entry.takes_alias(format)) {
        match edits.disposition.get(&entry.id) {
            Some(Disposition::Remove) => {}
            Some(Disposition::Rename(alias)) => note(new_alias(Some(alias))?.clone(), true)?,
            None | Some(Disposition::Keep | Disposition::ReplaceKey { .. }) => {
                entry.alias.as_ref().map(StoredAlias::fold).map_or(Ok(()), |alias| note(alias, false))?;
            }
        }
    }
    for new in &edits.add {
        note(new_alias(new.alias())?.clone(), true)?;
    }
    Ok(())
}

/// Refuses to write a store that no JVM loads, unless the edits remove or replace every entry that makes a JVM refuse
/// it.
pub(crate) fn check_loadable(remarks: &[Remark], edits: &Edits) -> Result<(), EditError> {
    for remark in remarks {
        let (entry, alias, why) = match remark {
            Remark::JvmUnloadable { entry, alias, why } => (entry, alias, why.clone()),
            Remark::UnknownCertificateType { entry, alias, name } => {
                (entry, alias, format!("its type is `{}`", visible(name)))
            }
            _ => continue,
        };
        if !matches!(edits.disposition.get(entry), Some(Disposition::Remove | Disposition::ReplaceKey { .. })) {
            return Err(EditError::Unloadable { alias: alias.clone(), why });
        }
    }
    Ok(())
}

/// Whether the JDK can recover the key from a store of this format.
fn usable(format: Format, plain: &[u8]) -> Result<(), String> {
    match format.is_java().then(|| unrecoverable(plain)).flatten() {
        Some(why) => Err(format!("no JVM could use it: {why}")),
        None => Ok(()),
    }
}

/// Gives a new key as its store protects it. Before that it checks that every certificate of the chain may be written
/// and that the first one belongs to the key. `seal` protects a key that is in the clear.
pub(crate) fn sealed_key(
    format: Format,
    alias: &str,
    key: &NewKey,
    chain: &[Arc<Certificate>],
    seal: impl FnOnce(&[u8]) -> Result<Vec<u8>, EditError>,
) -> Result<Vec<u8>, EditError> {
    let name = || alias.to_owned();
    for certificate in chain {
        check_certificate(Some(alias), certificate)?;
    }
    let leaf = chain.first().ok_or_else(|| EditError::EmptyChain { alias: name() })?;
    match key {
        NewKey::Sealed(sealed) if sealed.format != format => {
            Err(EditError::SealedElsewhere { from: sealed.format, to: format })
        }
        NewKey::Sealed(sealed) => Ok(sealed.bytes.clone()),
        NewKey::Plain(plain) => match usable(format, plain)
            .and_then(|()| fits(plain, leaf))
            .map_err(|why| EditError::BadKey { alias: name(), why })?
        {
            KeyMatch::No => Err(EditError::KeyMismatch { alias: name() }),
            KeyMatch::Yes | KeyMatch::CannotTell => seal(plain),
        },
    }
}
