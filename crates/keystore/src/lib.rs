//! Bytes ⇄ [`Store`]: the keystore formats that Java and its neighbours trust, read and edited without loss.
//!
//! JKS and JCEKS (versions 1 and 2), PKCS#12, PEM files, bundles and folders, DER files, the files of Windows stores (serialised
//! stores and elements, registry exports), and, to read only, PKCS#7 bundles and registry hives. [`Store::open`] detects the format by
//! content, checks the digest, and gives [`Entry`] values by position: duplicates, case twins and nameless entries are kept
//! apart. [`Store::edit`] is surgical: entries that are not named in the [`Edits`] keep their bytes exactly, whatever they
//! hold and whoever knows their password; only edited entries and the digest change.
//!
//! The crate knows bytes only. It opens no file, reads no environment and asks no clock; what it cannot read is an error or
//! a [`Remark`], never a panic, and every length read from a file is bounded by the bytes that are left.
//!
//! Inside, a module uses only what stands below it:
//!
//! ```text
//! store                                   every format by name, once
//! pem                                     PEM files, folders and pairs; PKCS#7 stores
//! detect                                  what a content is
//! jks · pkcs12 · single · windows         one format each
//! textual                                 PEM as text
//! content · pkcs7                         what a format's type does; the messages that bundle certificates
//! edit · entries                          what is to change; entries and their places
//! remark · entry · key                    the vocabulary of all formats
//! error · intern · certificate · digest · alias · format
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
#[macro_use]
#[path = "../../../fixtures/needs.rs"]
mod needs;
#[cfg(test)]
#[path = "../../../fixtures/dice.rs"]
mod dice;
#[cfg(test)]
mod never;

mod alias;
mod certificate;
mod content;
mod der;
mod detect;
mod digest;
mod edit;
mod entries;
mod entry;
mod error;
mod fingerprint;
mod format;
mod intern;
mod jks;
mod key;
mod password;
#[cfg(not(fuzzing))]
pub mod path;
mod pem;
mod pkcs12;
mod pkcs7;
mod reader;
mod remark;
mod single;
mod store;
mod text;
mod textual;
mod tried;
mod windows;

pub use alias::{Alias, StoredAlias};
pub use certificate::{
    CaMark, Certificate, CertificateError, HashAlgorithm, JavaReleases, JvmDoubt, JvmJudgement, JvmRefusal,
    KeyAlgorithm, KeyUsage, Place, PublicKey, Signature, SignatureCheck,
};
pub use detect::{Detected, detect};
pub use digest::{Digest, FingerprintError};
pub use edit::{Disposition, Edits, Image, NewEntry, NewKey, TouchedFiles};
pub use entry::{Credential, Entry, EntryId, EntryKey, EntryKind};
pub use error::{Class, EditError, KeyError, ReadError};
pub use fingerprint::Fingerprint;
pub use format::{AliasModel, Format};
pub use intern::{CertificateSlot, Interner, UnparsedCertificate};
pub use key::{KeyMatch, OpenedKey, SealedKey};
pub use password::Password;
pub use pkcs12::Protection;
pub use remark::Remark;
pub use store::Store;
pub use text::{is_hidden, visible};
pub use windows::listing::{serialised_element, serialised_store, thumbprint};
pub use windows::reg::compose::{RegistryChange, registry_file};
