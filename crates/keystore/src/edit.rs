//! What to change: dispositions by position and new entries, all at once.

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

/// Changes to a store. They happen simultaneously: only the result must be free of alias conflicts.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// What becomes of existing entries; those not named are kept.
    pub disposition: BTreeMap<EntryId, Disposition>,
    /// New entries, appended in this order.
    pub add: Vec<NewEntry>,
}

impl Edits {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.disposition.values().all(|what| matches!(what, Disposition::Keep))
    }
}

/// What becomes of an entry.
#[derive(Debug, Clone)]
pub enum Disposition {
    /// It stays, bit for bit.
    Keep,
    /// It gets another alias and stays otherwise, bit for bit.
    Rename(Alias),
    /// It leaves.
    Remove,
    /// A private key entry gets another key or chain; alias and position stay.
    ReplaceKey {
        /// The key.
        key: NewKey,
        /// Its chain, leaf first.
        chain: Vec<Arc<Certificate>>,
        /// The new creation date, in milliseconds since 1970-01-01T00:00:00Z.
        created_ms: i64,
    },
}

/// An entry to add. A format that goes by aliases takes none without one, and none that is empty.
#[derive(Debug, Clone)]
pub enum NewEntry {
    /// A trusted certificate.
    Trusted {
        /// Its alias; in a folder the file's name (made from the fingerprint where there is none), in a file of Windows the
        /// friendly name. Other formats ignore it.
        alias: Option<Alias>,
        /// The certificate.
        certificate: Arc<Certificate>,
        /// Its creation date, in milliseconds since 1970-01-01T00:00:00Z; formats without dates ignore it.
        created_ms: i64,
    },
    /// A private key and its chain.
    PrivateKey {
        /// Its alias. A pair ignores it.
        alias: Option<Alias>,
        /// The key.
        key: NewKey,
        /// Its chain, leaf first.
        chain: Vec<Arc<Certificate>>,
        /// Its creation date, in milliseconds since 1970-01-01T00:00:00Z.
        created_ms: i64,
    },
}

/// A private key to write.
#[derive(Clone)]
pub enum NewKey {
    /// PKCS#8 in the clear; it is protected under the store's password.
    Plain(Zeroizing<Vec<u8>>),
    /// A key sealed already in a store of the same format, carried over as it is.
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

/// The files of a folder that change: their new content, or `None` for a file to delete.
pub type TouchedFiles = Vec<(String, Option<Vec<u8>>)>;

/// A store's next content.
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

/// Every position named must exist.
pub(crate) fn check_positions(entries: &[Entry], edits: &Edits) -> Result<(), EditError> {
    match edits.disposition.keys().next_back() {
        Some(last) if last.0 >= entries.len() => {
            Err(EditError::NoSuchEntry { position: last.0, entries: entries.len() })
        }
        _ => Ok(()),
    }
}

/// Refuses a certificate of which a JVM is not known to load it. That it is canonical DER is what makes it a [`Certificate`].
pub(crate) fn check_certificate(alias: Option<&str>, certificate: &Certificate) -> Result<(), EditError> {
    let name = || alias.map_or_else(|| certificate.fingerprint().to_string(), str::to_owned);
    match certificate.jvm() {
        JvmJudgement::Loads => Ok(()),
        JvmJudgement::Refused(cause) => Err(EditError::JvmWouldRefuse { alias: name(), cause: cause.clone() }),
        JvmJudgement::CannotTell(cause) => Err(EditError::JvmCannotTell { alias: name(), cause: cause.clone() }),
    }
}

impl NewEntry {
    /// The alias that it is to have.
    pub(crate) fn alias(&self) -> Option<&Alias> {
        match self {
            Self::Trusted { alias, .. } | Self::PrivateKey { alias, .. } => alias.as_ref(),
        }
    }
}

/// An alias under which something may be written where the format goes by aliases.
pub(crate) fn new_alias(alias: Option<&Alias>) -> Result<&Alias, EditError> {
    alias
        .filter(|alias| !alias.is_empty())
        .ok_or_else(|| EditError::BadAlias { alias: String::new(), why: "it is empty" })
}

/// Aliases are judged on the result: no entry touched here may share its folded alias with any other. Twins that were there
/// before and are not touched stay. What is no entry to a JVM takes no alias.
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

/// A store that no JVM loads may only lose the entries that make it so.
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

/// Whether the JDK can recover a key from a store of this format.
fn usable(format: Format, plain: &[u8]) -> Result<(), String> {
    match format.is_java().then(|| unrecoverable(plain)).flatten() {
        Some(why) => Err(format!("no JVM could use it: {why}")),
        None => Ok(()),
    }
}

/// A new key as its store protects it: the chain may be written, its first certificate is the key's, and `seal` protects a key
/// that comes in the clear.
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
