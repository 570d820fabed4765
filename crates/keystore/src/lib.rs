//! Bytes ⇄ [`Store`]: reads and edits the keystore formats that Java, OpenSSL and Windows use, without loss.
//!
//! The crate reads and writes JKS and JCEKS (versions 1 and 2), PKCS#12, PEM files, bundles and folders, DER files, and
//! the files of Windows stores (serialised stores and elements, registry exports). It only reads PKCS#7 bundles and
//! registry hives. [`Store::open`] detects the format by the content, checks the digest, and gives each [`Entry`] by
//! its position: duplicates, aliases that differ in case only, and entries without an alias stay separate entries.
//! [`Store::edit`] changes only what the [`Edits`] name: every other entry keeps its bytes exactly, even if its
//! password is not known. Only the edited entries and the digest change.
//!
//! The crate opens no file, reads no environment variable and no clock. Content that it cannot read gives an error or a
//! [`Remark`], never a panic. A length that a file declares is always checked against the number of bytes that are
//! left.
//!
//! ```
//! use std::sync::Arc;
//!
//! use trustmason_keystore::{
//!     Alias, Certificate, Credential, Disposition, Edits, Format, Image, Interner, NewEntry, Password, Store,
//! };
//! # use std::convert::Infallible;
//! # use rand_core::{TryCryptoRng, TryRng};
//! # const ROOT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keystore/der/one/store"));
//! # struct NoRandom;
//! # impl TryRng for NoRandom {
//! #     type Error = Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Infallible> { unreachable!() }
//! #     fn try_next_u64(&mut self) -> Result<u64, Infallible> { unreachable!() }
//! #     fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> { unreachable!() }
//! # }
//! # impl TryCryptoRng for NoRandom {}
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut rng = NoRandom;
//!
//! // Builds a JKS file with one trusted certificate. `rng` is any `rand_core::CryptoRng`.
//! let password = Password::new("changeit");
//! let root = NewEntry::Trusted {
//!     alias: Some(Alias::of("Fixture-Root")),
//!     certificate: Arc::new(Certificate::parse(ROOT)?),
//!     created_ms: 1_700_000_000_000,
//! };
//! let edits = Edits { add: vec![root], ..Edits::default() };
//! let image = Store::create(Format::Jks).edit(&edits, &password, &mut rng)?;
//! let Image::File(bytes) = image else { unreachable!("a JKS store is one file") };
//!
//! // Opens the file, and renames the entry.
//! let store = Store::open(bytes, Credential::Password(&password), &Interner::new())?;
//! let id = store.find(&Alias::of("FIXTURE-ROOT"))[0];
//! let rename = Disposition::Rename(Alias::of("root-2036"));
//! let edits = Edits { disposition: [(id, rename)].into(), ..Edits::default() };
//! let Image::File(bytes) = store.edit(&edits, &password, &mut rng)? else { unreachable!() };
//!
//! let store = Store::open(bytes, Credential::Password(&password), &Interner::new())?;
//! assert_eq!(store.entries().len(), 1);
//! assert_eq!(store.entries()[0].alias.as_deref(), Some("root-2036"));
//! # Ok(())
//! # }
//! ```
//!
//! Inside the crate, a module uses only modules that stand below it in this list:
//!
//! ```text
//! store                                   the one module that names every format
//! pem                                     PEM files, folders and pairs; PKCS#7 stores
//! detect                                  tells which format a content has
//! jks · pkcs12 · single · windows         one format each
//! textual                                 PEM as text
//! content · pkcs7                         the trait of all formats; messages that bundle certificates
//! edit · entries                          the edits of a store; its entries with their places
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
    CaMark, Certificate, CertificateError, CertificatePart, HashAlgorithm, JavaReleases, JvmDoubt, JvmJudgement,
    JvmRefusal, KeyAlgorithm, KeyUsage, PublicKey, Signature, SignatureCheck,
};
pub use detect::{Detected, detect};
pub use digest::{Digest, HexDigestError};
pub use edit::{Disposition, Edits, Image, NewEntry, NewKey, TouchedFiles};
pub use entry::{Credential, Entry, EntryId, EntryKey, EntryKind};
pub use error::{EditError, ErrorClass, KeyError, ReadError};
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
