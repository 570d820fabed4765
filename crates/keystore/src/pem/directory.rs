//! A folder of certificate files, in which the name of its file is the name of an entry. The module takes the names and
//! contents of files, and an edit gives only the files that change. It never reads or writes a disk.
//!
//! A file may hold several certificates (PEM, DER or PKCS#7); then several entries have its name. A file without
//! certificates is one opaque entry and is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rand_core::CryptoRng;

use super::blocks::{self, PemEntry};
use super::bundle::{self, BundlePiece};
use super::write::{append, newline, still_read, text, without};
use crate::alias::Alias;
use crate::certificate::Certificate;
use crate::content::StoreContent;
use crate::detect::{Detected, detect, foreign};
use crate::edit::{Disposition, Edits, Image, NewEntry, TouchedFiles, check_certificate};
use crate::entries::{Entries, Listed};
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{EditError, ErrorClass, ReadError};
use crate::format::Format;
use crate::intern::Interner;
use crate::remark::Remark;
use crate::single;
use crate::text::visible;
use crate::textual::is_text;

/// A folder of certificate files.
#[derive(Default)]
pub(crate) struct Folder {
    /// The names and contents, in the order of the names.
    files: Vec<(String, Vec<u8>)>,
    entries: Entries<FolderPlace>,
}

/// The place of an entry in the folder.
struct FolderPlace {
    /// The number of the file.
    file: usize,
    /// The bytes of the entry in the file.
    whole: Range<usize>,
    /// Whether the entry is in a PKCS#7 bundle, from which no single member can be removed.
    bundled: bool,
}

pub(crate) fn open(mut files: Vec<(String, Vec<u8>)>, certificates: &Interner) -> Folder {
    files.sort();
    let mut entries = Entries::new();
    for (file, (name, bytes)) in files.iter().enumerate() {
        if let Err(error) = take_file(&mut entries, file, name, bytes, certificates) {
            let entry = entries.next_id();
            let why = error.cause().to_owned();
            let may_be_certificate = may_be_certificate(name, bytes, &error);
            entries.remark(Remark::ForeignFile { entry, file: name.clone(), why: why.clone(), may_be_certificate });
            let place = FolderPlace { file, whole: 0..bytes.len(), bundled: false };
            entries.push(Some(name.as_str().into()), None, EntryKind::Opaque(why), place);
        }
    }
    Folder { files, entries }
}

impl StoreContent for Folder {
    fn format(&self) -> Format {
        Format::PemDirectory
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        let place = self.entries.place(entry)?;
        let (_, bytes) = self.files.get(place.file)?;
        if is_text(bytes) { text(bytes, &place.whole) } else { bytes.get(place.whole.clone()) }
    }

    fn edit(&self, edits: &Edits, _: Credential<'_>, _: &mut dyn CryptoRng) -> Result<Image, EditError> {
        edit(self, edits).map(Image::Directory)
    }
}

fn take_file(
    entries: &mut Entries<FolderPlace>,
    file: usize,
    name: &str,
    bytes: &[u8],
    certificates: &Interner,
) -> Result<(), ReadError> {
    let place = |whole| FolderPlace { file, whole, bundled: false };
    match detect(bytes).readable()? {
        Format::Pem => {
            let found = blocks::read(bytes, certificates);
            if !found.iter().any(PemEntry::is_certificate) {
                // A private key alone in a trust folder deserves a remark, although the whole file is one opaque entry.
                let entry = entries.next_id();
                let remarks = found.iter().flat_map(|block| block.remarks(entry, Some(name)));
                // Damage is reported for the whole file.
                for remark in remarks.filter(|remark| !matches!(remark, Remark::BadBlock { .. })) {
                    entries.remark(remark);
                }
                return Err(blocks::no_certificate(&found));
            }
            blocks::take_in(entries, found, Some(name), place);
            Ok(())
        }
        Format::Der => {
            for (range, slot) in single::read(bytes, certificates)? {
                entries.push(Some(name.into()), None, EntryKind::Trusted(slot), place(range));
            }
            Ok(())
        }
        Format::Pkcs7 => {
            let first = entries.next_id();
            bundle::take_in(entries, bytes, Some(name), certificates, |piece| match piece {
                BundlePiece::Member(whole) => FolderPlace { file, whole, bundled: true },
                BundlePiece::Block(whole) => place(whole),
            })?;
            if entries.next_id() == first {
                let cause = "an empty PKCS#7 bundle";
                return Err(ReadError::new(ErrorClass::NotAStore, cause, "export the certificates again"));
            }
            Ok(())
        }
        other @ (Format::Jks
        | Format::Jceks
        | Format::Pkcs12
        | Format::PemDirectory
        | Format::PemPair
        | Format::WindowsSst
        | Format::WindowsElement
        | Format::WindowsReg
        | Format::WindowsHive) => Err(ReadError::new(
            ErrorClass::Unsupported,
            format!("a {other} store inside a folder of certificates"),
            "open it by itself",
        )),
    }
}

/// Extensions of files that hold certificates.
const OF_CERTIFICATES: &[&str] = &["pem", "cer", "crt", "cert", "der", "p7b", "p7c", "p7s", "spc", "b64"];
/// Extensions of files that do not hold only certificates.
const OF_OTHERS: &[&str] = &[
    "7z", "bat", "cfg", "cmd", "conf", "crl", "csr", "csv", "db", "doc", "docx", "gz", "htm", "html", "ini", "jceks",
    "jks", "json", "key", "keystore", "log", "md", "p10", "p12", "pdf", "pfx", "ps1", "pub", "req", "rtf", "sh", "tar",
    "tgz", "tmp", "txt", "xls", "xlsx", "xml", "yaml", "yml", "zip",
];
/// Names of files that are in many folders and hold no certificate.
const OF_NOBODY: &[&str] =
    &["readme", "license", "licence", "notice", "changes", "changelog", "makefile", "sha256sums"];

/// Whether a file without a readable certificate may hold one that cannot be read. If the content is known, the content
/// decides (a whole key is a key, damaged PEM is a certificate); else the name decides. A name that indicates nothing
/// else may be that of a certificate.
fn may_be_certificate(name: &str, bytes: &[u8], error: &ReadError) -> bool {
    match detect(bytes) {
        // Blocks that were read and hold something else are no certificate, whatever the name.
        Detected::Readable(Format::Pem) => return error.class == ErrorClass::Corrupt,
        Detected::Readable(Format::Der | Format::Pkcs7) => return true,
        Detected::Refused { .. } if foreign::asn1(bytes).is_some() => return false,
        Detected::Readable(_) | Detected::Refused { .. } => {}
    }
    let ascii: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).take(FIRST).collect();
    let marked = [&b"BEGIN"[..], b"MII"].iter().any(|mark| ascii.windows(mark.len()).any(|window| window == *mark));
    let name = name.to_lowercase();
    let mut parts = name.split('.');
    let first = parts.next().unwrap_or_default();
    let parts: Vec<&str> = parts.collect();
    let is = |of: &[&str]| parts.last().is_some_and(|last| of.contains(last));
    let certificates = parts.iter().any(|part| OF_CERTIFICATES.contains(part));
    let others = first.is_empty() || is(OF_OTHERS) || OF_NOBODY.contains(&first);
    certificates || (marked && !is(&["key", "csr", "req", "crl", "pub"])) || !others
}

/// How many bytes are searched for the marks of a certificate.
const FIRST: usize = 4096;

/// Computes the files that change.
fn edit(folder: &Folder, edits: &Edits) -> Result<TouchedFiles, EditError> {
    let format = Format::PemDirectory;
    let mut image: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut renamed: Vec<(String, Vec<u8>)> = Vec::new();
    // Entries are in the order of their files.
    let mut rest = folder.entries.iter().peekable();
    for (index, (name, bytes)) in folder.files.iter().enumerate() {
        let mut cuts = Vec::new();
        let mut new_name = None;
        let mut entries = 0usize;
        let mut bundled = false;
        while let Some((entry, place)) = rest.next_if(|(_, place)| place.file == index) {
            entries += 1;
            match edits.disposition.get(&entry.id) {
                None | Some(Disposition::Keep) => {}
                Some(Disposition::Remove) => {
                    bundled |= place.bundled;
                    cuts.push(place.whole.clone());
                }
                Some(Disposition::Rename(alias)) if alias.as_str() == name => {}
                Some(Disposition::Rename(alias)) => new_name = Some(file_name(alias.as_str())?),
                Some(Disposition::ReplaceKey { .. }) => {
                    return Err(EditError::CannotHoldKeys { format });
                }
            }
        }
        match new_name {
            Some(new) if Alias::of(&new) == Alias::of(name) => {
                let why = "only its case would change, which some file systems cannot do; choose another name";
                return Err(EditError::BadAlias { alias: new, why });
            }
            Some(new) if entries == 1 => {
                image.insert(name.clone(), None);
                renamed.push((new, bytes.clone()));
            }
            Some(new) => {
                let why = "the file holds more than this entry; split the file first";
                return Err(EditError::BadAlias { alias: new, why });
            }
            None if !cuts.is_empty() && cuts.len() == entries => {
                image.insert(name.clone(), None);
            }
            None if bundled => {
                let why = format!(
                    "`{}` is a PKCS#7 bundle of {entries} entries, which can be removed only together; replace it with PEM files",
                    visible(name)
                );
                return Err(EditError::NotRepresentable { format, why });
            }
            None => {
                taken.insert(Alias::of(name));
                if !cuts.is_empty() {
                    let left = without(bytes, &cuts);
                    still_read(format, bytes, &cuts, 0, &left)?;
                    image.insert(name.clone(), Some(left));
                }
            }
        }
    }
    let ending = folder.files.first().map_or(&b"\n"[..], |(_, bytes)| newline(bytes));
    for new in &edits.add {
        match new {
            NewEntry::Trusted { alias, certificate, .. } => {
                check_certificate(alias.as_ref().map(Alias::as_str), certificate)?;
                let name = match alias {
                    Some(alias) => file_name(alias.as_str())?,
                    None => made_name(certificate),
                };
                let mut bytes = Vec::new();
                append(&mut bytes, certificate.der(), "CERTIFICATE", ending);
                renamed.push((name, bytes));
            }
            NewEntry::PrivateKey { .. } => return Err(EditError::CannotHoldKeys { format }),
        }
    }
    for (name, bytes) in renamed {
        if !taken.insert(Alias::of(&name)) {
            return Err(EditError::AliasTaken { alias: Alias::from(name) });
        }
        image.insert(name, Some(bytes));
    }
    Ok(image.into_iter().collect())
}

/// A file name from the first 16 digits of the fingerprint.
fn made_name(certificate: &Certificate) -> String {
    let digits = certificate.fingerprint().to_string();
    format!("{}.pem", digits.get(..16).unwrap_or(&digits))
}

/// Checks that a name is a valid file name on Windows and on Unix, and contains no path.
fn file_name(name: &str) -> Result<String, EditError> {
    let bad = |why| Err(EditError::BadAlias { alias: name.to_owned(), why });
    let forbidden = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.is_empty() || name.starts_with('.') {
        bad("a file's name must not be empty or begin with a dot")
    } else if name.chars().any(forbidden) {
        bad("it holds a character that a file name must not hold")
    } else if name.ends_with([' ', '.']) || name.len() > 200 {
        bad("it ends in a space or a dot, or is longer than 200 bytes")
    } else {
        Ok(name.to_owned())
    }
}
