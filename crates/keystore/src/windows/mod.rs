//! Windows certificate stores in files: serialised stores (`.sst`), single serialised elements (a registry value
//! `Blob`, a file of a user's own store), registry exports (`.reg`), and hives. The module takes the bytes of a file
//! and gives a store; an edit gives the bytes of the next file. It never writes a hive.
//!
//! All of these files contain *elements* ([`element`]): property records, then the certificate. An edit copies every
//! element that it does not change, whatever properties the element has. A new element has only the properties that
//! Windows needs.

pub(crate) mod element;
mod fault;
mod hive;
mod limits;
pub(crate) mod listing;
mod lone;
pub(crate) mod reg;
mod sst;
mod store;

use rand_core::CryptoRng;

use crate::content::{ContentInput, StoreContent};
use crate::edit::{Edits, Image};
use crate::entries::Listed;
use crate::entry::{Credential, EntryId};
use crate::error::{EditError, ReadError};
use crate::format::Format;

pub(crate) use store::{WindowsFileKind, WindowsStore};

use store::CheckedEdit;

/// Opens a file of one of these formats.
pub(crate) fn open(kind: WindowsFileKind, file: ContentInput<'_>) -> Result<WindowsStore, ReadError> {
    let ContentInput { bytes, certificates, .. } = file;
    let opened = match kind {
        WindowsFileKind::Sst => sst::open(bytes, certificates),
        WindowsFileKind::Element => lone::open(bytes, certificates),
        WindowsFileKind::Reg => reg::open(bytes, certificates),
        WindowsFileKind::Hive => hive::open(bytes, certificates),
    };
    opened.map_err(|error| error.format(kind.format().as_str()))
}

impl StoreContent for WindowsStore {
    fn format(&self) -> Format {
        self.kind.format()
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        self.raw(entry)
    }

    fn edit(&self, edits: &Edits, _: Credential<'_>, _: &mut dyn CryptoRng) -> Result<Image, EditError> {
        if self.kind == WindowsFileKind::Hive {
            let why = "a damaged hive keeps Windows from starting; import a .reg file there instead".to_owned();
            return Err(EditError::NotRepresentable { format: Format::WindowsHive, why });
        }
        let checked = CheckedEdit::of(self, edits)?;
        let image = match self.kind {
            WindowsFileKind::Sst => sst::edit(self, &checked),
            WindowsFileKind::Reg => reg::write::edit(self, &checked)?,
            WindowsFileKind::Element | WindowsFileKind::Hive => lone::edit(self, &checked)?,
        };
        Ok(Image::File(image))
    }
}

#[cfg(test)]
mod tests;
