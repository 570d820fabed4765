//! The serialised store, `.sst` (MS-OSHARED 2.3.9.1): a header, elements, and an end mark of zeros. The module takes
//! the bytes of a file and gives a store; an edit gives the bytes of the next file.

use super::element;
use super::fault::corrupt;
use super::store::{CheckedEdit, WindowsFileKind, WindowsPlace, WindowsStore, take_in};
use crate::entries::Entries;
use crate::error::ReadError;
use crate::intern::Interner;
use crate::reader::Reader;

/// Version 0 and the file type.
const MAGIC: &[u8; 8] = b"\0\0\0\0CERT";
/// A record of id 0, encoding 0 and length 0.
const END: &[u8; 12] = &[0; 12];

pub(super) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<WindowsStore, ReadError> {
    let mut entries = Entries::new();
    let mut reader = Reader::at(&bytes, MAGIC.len());
    loop {
        let start = reader.position();
        if reader.left() == 0 {
            return Err(corrupt("the file is cut: its end mark of 12 zero bytes is missing", start));
        }
        if reader.clone().take(END.len()).is_ok_and(|mark| mark == END) {
            let excess = reader.left() - END.len();
            if excess > 0 {
                return Err(corrupt(format!("{excess} bytes follow the end mark"), start + END.len()));
            }
            break;
        }
        let element = element::read(&mut reader).map_err(|error| named(error, &entries, start))?;
        take_in(&mut entries, &element, start..reader.position(), None, certificates);
    }
    Ok(WindowsStore { kind: WindowsFileKind::Sst, bytes, entries })
}

/// Adds the number of the element that contains the fault.
fn named(error: ReadError, entries: &Entries<WindowsPlace>, start: usize) -> ReadError {
    let at = error.offset.and_then(|at| usize::try_from(at).ok()).unwrap_or(start);
    corrupt(format!("element {}: {}", entries.list().len() + 1, error.cause()), at)
}

/// The next content of the file. It may have no element, because Windows also writes empty stores.
pub(super) fn edit(store: &WindowsStore, checked: &CheckedEdit) -> Vec<u8> {
    let stays = checked.stays.iter().filter_map(|id| store.raw(*id));
    of(stays.chain(checked.added.iter().map(|new| new.bytes.as_slice())))
}

/// A file with these elements.
pub(super) fn of<'a>(elements: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(elements.into_iter().flatten());
    out.extend_from_slice(END);
    out
}
