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

use crate::content::{Content, Input};
use crate::edit::{Edits, Image};
use crate::entries::Listed;
use crate::entry::{Credential, EntryId};
use crate::error::{EditError, ReadError};
use crate::format::Format;

pub(crate) use store::{Kind, Windows};

use store::Wish;

/// Opens a file of one of these formats.
pub(crate) fn open(kind: Kind, file: Input<'_>) -> Result<Windows, ReadError> {
    let Input { bytes, certificates, .. } = file;
    let opened = match kind {
        Kind::Sst => sst::open(bytes, certificates),
        Kind::Element => lone::open(bytes, certificates),
        Kind::Reg => reg::open(bytes, certificates),
        Kind::Hive => hive::open(bytes, certificates),
    };
    opened.map_err(|error| error.format(kind.format().as_str()))
}

impl Content for Windows {
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
        if self.kind == Kind::Hive {
            let why = "a damaged hive keeps Windows from starting; import a .reg file there instead".to_owned();
            return Err(EditError::NotRepresentable { format: Format::WindowsHive, why });
        }
        let wish = Wish::of(self, edits)?;
        let image = match self.kind {
            Kind::Sst => sst::edit(self, &wish),
            Kind::Reg => reg::write::edit(self, &wish)?,
            Kind::Element | Kind::Hive => lone::edit(self, &wish)?,
        };
        Ok(Image::File(image))
    }
}

#[cfg(test)]
mod tests;
