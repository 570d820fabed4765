//! A PKCS#12 store: a file that was opened, or what is to become one.

use super::pfx::{Pfx, Place};
use super::protection::Protection;
use crate::entries::Entries;

/// A PKCS#12 store.
pub(crate) enum Pkcs12 {
    /// There is no file yet; how it is to be protected.
    Empty(Protection),
    /// A file.
    Opened(Box<Opened>),
}

/// A file that was opened.
pub(crate) struct Opened {
    pub(super) bytes: Vec<u8>,
    pub(super) pfx: Pfx,
    /// Whether its MAC was checked, or needs no check.
    pub(super) verified: bool,
    pub(super) entries: Entries<Place>,
}

impl Pkcs12 {
    /// The file, if there is one.
    pub(super) fn opened(&self) -> Option<&Opened> {
        match self {
            Self::Empty(_) => None,
            Self::Opened(opened) => Some(opened),
        }
    }

    /// The file's bytes; none where there is no file yet.
    pub(super) fn bytes(&self) -> &[u8] {
        self.opened().map_or(&[], |opened| &opened.bytes)
    }

    /// How the file protects what it holds, or is to protect it.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Empty(protection) => protection.clone(),
            Self::Opened(opened) => Protection::of(&opened.pfx, &opened.bytes),
        }
    }

    /// How the file is protected, in words.
    pub(crate) fn summary(&self) -> Option<String> {
        self.opened().map(|opened| opened.pfx.summary())
    }

    /// What Java before 8u301 cannot read in it.
    pub(crate) fn needs_java_8u301(&self) -> Option<String> {
        self.opened().and_then(|opened| opened.pfx.needs_java_8u301(&opened.bytes))
    }
}
