//! Registry exports (`.reg`). The module takes the bytes of an export and gives a store: each key
//! `…\SystemCertificates\<STORE>\Certificates\<SHA-1>` with a value `Blob` is an entry (MS-GPEF 2.2.1.1.1). Everything
//! else in the file, including `[-KEY]`, is text that an edit keeps.

pub(crate) mod compose;
mod scan;
mod text;
pub(super) mod write;

pub(crate) use text::looks_like;

use super::element;
use super::fault::corrupt;
use super::store::{RegistryKey, WindowsFileKind, WindowsPlace, WindowsStore, take_in};
use crate::entries::Entries;
use crate::entry::EntryKind;
use crate::error::{ErrorClass, ReadError};
use crate::intern::Interner;
use crate::remark::Remark;

use scan::RegDocument;

pub(super) fn open(bytes: Vec<u8>, certificates: &Interner) -> Result<WindowsStore, ReadError> {
    let mut entries = Entries::new();
    let document = RegDocument::read(&bytes)?;
    let mut first_bad = None;
    for section in &document.sections {
        let key = RegistryKey { store: section.store_key(), name: &section.name };
        let whole = document.text.range(section.lines.clone());
        let blob = section.blob.as_deref().map_err(Clone::clone);
        let element = blob.and_then(|blob| element::only(blob).map_err(|error| in_blob(&error)));
        match element {
            Ok(element) => take_in(&mut entries, &element, whole, Some(key), certificates),
            Err(why) => {
                let line = section.lines.start as u64 + 1;
                first_bad.get_or_insert_with(|| (whole.start, format!("the key at line {line}: {why}")));
                entries.remark(Remark::BadBlock { entry: entries.next_id(), line, file: None, why });
                let place = WindowsPlace { whole: Some(whole), label: None, store_key: Some(key.store.to_owned()) };
                entries.push(None, None, EntryKind::Opaque("a damaged certificate".to_owned()), place);
            }
        }
    }
    let readable = entries.list().iter().any(|entry| matches!(entry.kind, EntryKind::Trusted(_)));
    match first_bad {
        Some((at, cause)) if !readable => return Err(corrupt(cause, at)),
        _ if document.homes.is_empty() => {
            let cause = "this registry export holds no certificate store";
            let hint = r"export a key like HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\Root";
            return Err(ReadError::new(ErrorClass::NotAStore, cause, hint));
        }
        _ => {}
    }
    Ok(WindowsStore { kind: WindowsFileKind::Reg, bytes, entries })
}

/// The cause of an error in a Blob, with its place in words, because an offset inside a Blob is no offset of the file.
fn in_blob(error: &ReadError) -> String {
    match error.offset {
        Some(at) => format!("{} (byte {at} of its Blob)", error.cause()),
        None => error.cause().to_owned(),
    }
}
