//! PKCS#7 bundles under PEM lines.
//!
//! A file whose only certificates stand in PKCS#7 blocks is a PKCS#7 store. Beside certificate blocks a PKCS#7 block is an
//! opaque entry of a PEM store, because no reader of PEM bundles finds the certificates in it: OpenSSL passes over the block,
//! and a JVM reads either the first block's bundle and nothing else, or refuses the file. To count them would be to report
//! trust that is not there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::scan::{self, Block};
use super::{decode, is_certificate_label, judge, take_in as take_in_blocks};
use crate::error::{Class, ReadError};
use crate::format::Format;
use crate::intern::Interner;
use crate::pkcs7;
use crate::remark::Remark;
use crate::store::{EntryId, EntryKind, Place, Store};

/// Whether the block says that it holds PKCS#7 or CMS (RFC 7468 §8 and §9; `PKCS #7 SIGNED DATA` of older OpenSSL), or
/// holds it under another label, as some tools write `.p7b` files.
pub(super) fn holds(block: &Block<'_>) -> bool {
    match block.label {
        "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => true,
        label => is_certificate_label(label) && block.body.as_ref().is_ok_and(|body| begins(body)),
    }
}

/// Whether the Base64 begins like PKCS#7. A few dozen characters tell.
fn begins(body: &[u8]) -> bool {
    let head: Vec<u8> =
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').take(32).collect();
    STANDARD_NO_PAD.decode(head).is_ok_and(|bytes| pkcs7::begins(&bytes))
}

/// Whether a PEM text is a PEM store or a PKCS#7 store. The first certificate block decides, so a long bundle costs no more
/// than a short one.
pub(crate) fn format(bytes: &[u8]) -> Format {
    let mut format = Format::Pem;
    for block in scan::blocks(bytes) {
        if holds(&block) {
            format = Format::Pkcs7;
        } else if is_certificate_label(block.label) {
            return Format::Pem;
        }
    }
    format
}

/// Reads a block that [`holds`] a bundle.
pub(super) fn read(block: &Block<'_>, certificates: &Interner) -> Result<pkcs7::Bundle, ReadError> {
    let again = "export the bundle again (PKCS#7, .p7b)";
    let der = block.body.as_ref().map_err(Clone::clone).and_then(|body| decode(body));
    der.map_err(|why| ReadError::new(Class::Corrupt, why, again)).and_then(|der| pkcs7::read(&der, certificates))
}

/// Makes entries of every block of a PKCS#7 store. A bundle that is not readable does not hide one that is.
pub(crate) fn take_in(
    store: &mut Store,
    bytes: &[u8],
    file: usize,
    name: Option<&str>,
    certificates: &Interner,
) -> Result<(), ReadError> {
    let before = (store.entries.len(), store.remarks.len());
    let mut failure = None;
    let mut read_any = false;
    for block in scan::blocks(bytes) {
        if !holds(&block) {
            take_in_blocks(store, vec![judge(block, certificates)], file, name);
            continue;
        }
        match read(&block, certificates) {
            Ok(bundle) => {
                read_any = true;
                bundle.take_in(store, file, name, Some(&block.range));
            }
            Err(error) => {
                let (entry, line) = (EntryId(store.entries.len()), block.line);
                let why = error.cause().to_owned();
                store.remarks.push(Remark::BadBlock { entry, line, file: name.map(str::to_owned), why: why.clone() });
                let place = Place { file, whole: block.range, ..Place::default() };
                store.push(name.map(str::to_owned), None, EntryKind::Opaque(why), place);
                let hint = error.hint();
                failure.get_or_insert_with(|| {
                    let cause = format!("the block at line {line}: {}", error.cause());
                    ReadError::new(error.class, cause, hint).offset(block.at)
                });
            }
        }
    }
    match failure {
        Some(failure) if !read_any => {
            // The caller says what the file is as a whole.
            store.entries.truncate(before.0);
            store.places.truncate(before.0);
            store.remarks.truncate(before.1);
            Err(failure)
        }
        Some(_) | None => Ok(()),
    }
}
