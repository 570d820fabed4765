//! A PKCS#12 store: a file that was opened, or a new one that does not exist yet. The module only holds the parts:
//! `open` reads them and `write` edits them.

use super::pfx::{BagPlace, Pfx};
use super::protection::Protection;
use crate::entries::Entries;

/// A PKCS#12 store.
pub(crate) enum Pkcs12 {
    /// There is no file yet; the value is the protection of the future file.
    Empty(Protection),
    /// A file that was opened.
    Opened(Box<OpenedPfx>),
}

/// A file that was opened.
pub(crate) struct OpenedPfx {
    pub(super) bytes: Vec<u8>,
    pub(super) pfx: Pfx,
    /// Whether the MAC was checked, or needs no check.
    pub(super) verified: bool,
    pub(super) entries: Entries<BagPlace>,
}

impl Pkcs12 {
    /// The file, if there is one.
    pub(super) fn opened(&self) -> Option<&OpenedPfx> {
        match self {
            Self::Empty(_) => None,
            Self::Opened(opened) => Some(opened),
        }
    }

    /// The bytes of the file; none if there is no file yet.
    pub(super) fn bytes(&self) -> &[u8] {
        self.opened().map_or(&[], |opened| &opened.bytes)
    }

    /// The protection of the file, or of the future file.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Empty(protection) => protection.clone(),
            Self::Opened(opened) => Protection::of(&opened.pfx, &opened.bytes),
        }
    }

    /// The protection of the file, in words.
    pub(crate) fn summary(&self) -> Option<String> {
        self.opened().map(|opened| opened.pfx.summary())
    }

    /// The name of the protection that Java before 8u301 cannot read; `None` if there is none.
    pub(crate) fn needs_java_8u301(&self) -> Option<String> {
        self.opened().and_then(|opened| opened.pfx.needs_java_8u301(&opened.bytes))
    }
}
