//! A certificate and its private key in two PEM files, as servers with OpenSSL read them
//! (`SSL_CTX_use_certificate_chain_file`, `SSL_CTX_use_PrivateKey_file`). The module takes the bytes of both files and
//! gives one private key entry without an alias. It never reads or writes a key under a passphrase.
//!
//! The first certificate belongs to the key, and the certificates after it are its chain. The key is in the clear, and
//! only the mode of its file protects it. Both files change together or not at all. A file that contains anything else
//! is not rewritten, because this crate cannot know the purpose of the rest.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::blocks::{self, BlockNote, PemEntry};
use super::openssl::{self, ReadExtent};
use super::write::{self, append, newline};
use crate::certificate::KeyAlgorithm;
use crate::content::StoreContent;
use crate::detect::{Detected, detect};
use crate::edit::{Disposition, Edits, Image, NewEntry, NewKey, TouchedFiles, sealed_key};
use crate::entries::{Entries, Listed};
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{EditError, ErrorClass, KeyError, ReadError};
use crate::format::Format;
use crate::intern::Interner;
use crate::key::{self, Clear};
use crate::textual::label;
use crate::textual::scan::{self, Block};

/// The name of the part that holds the certificate and its chain.
pub(crate) const CERTIFICATE: &str = "certificate";
/// The name of the part that holds the key.
pub(crate) const KEY: &str = "key";

const PKCS8: &str = "PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";

/// A certificate and its private key.
#[derive(Default)]
pub(crate) struct Pair {
    /// The parts that exist, each under its name.
    parts: Vec<(String, Vec<u8>)>,
    /// First the pair itself, then every other block in the certificate's file; each with its bytes in that file. A key
    /// without a certificate has no bytes there.
    entries: Entries<Range<usize>>,
}

impl StoreContent for Pair {
    fn format(&self) -> Format {
        Format::PemPair
    }

    fn listed(&self) -> &Listed {
        self.entries.listed()
    }

    fn files(&self) -> &[(String, Vec<u8>)] {
        &self.parts
    }

    fn raw(&self, entry: EntryId) -> Option<&[u8]> {
        write::text(self.part(CERTIFICATE).unwrap_or_default(), self.entries.place(entry)?)
    }

    fn plain_key(&self, entry: EntryId, _: Credential<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match self.entries.get(entry).map(|entry| &entry.kind) {
            Some(EntryKind::PrivateKey { .. }) => self.key(),
            _ => Err(KeyError::NotAKey),
        }
    }

    fn edit(&self, edits: &Edits, _: Credential<'_>, _: &mut dyn CryptoRng) -> Result<Image, EditError> {
        edit(self, edits).map(Image::Directory)
    }
}

impl Pair {
    fn part(&self, name: &str) -> Option<&[u8]> {
        self.parts.iter().find(|(part, _)| part == name).map(|(_, bytes)| bytes.as_slice())
    }

    /// The key in the clear, as PKCS#8.
    fn key(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Some(bytes) = self.part(KEY) else {
            return Err(KeyError::Corrupt("the key file is not there".to_owned()));
        };
        Ok(only_key(bytes)?.1)
    }
}

pub(crate) fn open(
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    certificates: &Interner,
) -> Result<Pair, ReadError> {
    let named = |error: ReadError| error.format(Format::PemPair.as_str());
    let mut entries = Entries::new();
    let mut chain = Vec::new();
    let mut others = Vec::new();
    if let Some(bytes) = &certificate {
        match detect(bytes).readable().map_err(named)? {
            Format::Pem => {}
            other => {
                let cause = format!("its certificate file is {other}, not PEM");
                let hint = "save the certificate as Base-64";
                return Err(ReadError::new(ErrorClass::Unsupported, cause, hint).format(other.as_str()));
            }
        }
        let found = blocks::read(bytes, certificates);
        let certificate = |label: &[u8]| std::str::from_utf8(label).is_ok_and(label::is_certificate_label);
        if found.iter().any(PemEntry::is_certificate)
            && let Err(stop) = loads(bytes, certificate, ReadExtent::All)
        {
            let cause = format!("OpenSSL does not load it: in line {} {}", stop.line, stop.why);
            let hint = "write the certificate again in lines of 64 characters, without spaces or empty lines";
            return Err(named(ReadError::new(ErrorClass::Corrupt, cause, hint)));
        }
        // If one certificate of the chain cannot be read, it is not known which certificate comes first.
        let bad = found.iter().any(|block| matches!(block.note, Some(BlockNote::Bad(_))));
        if bad || !found.iter().any(PemEntry::is_certificate) {
            return Err(named(blocks::no_certificate(&found)));
        }
        for block in found {
            match block.kind {
                EntryKind::Trusted(slot) => chain.push(slot),
                _ => others.push(block),
            }
        }
    }
    if certificate.is_some() || key.is_some() {
        let whole = 0..certificate.as_ref().map_or(0, Vec::len);
        entries.push(None, None, EntryKind::PrivateKey { chain }, whole);
    }
    blocks::take_in(&mut entries, others, None, |range| range);
    let part = |name: &str, bytes: Option<Vec<u8>>| bytes.map(|bytes| (name.to_owned(), bytes));
    let parts = part(CERTIFICATE, certificate).into_iter().chain(part(KEY, key)).collect();
    Ok(Pair { parts, entries })
}

/// Whether OpenSSL reads a file and finds a block of this kind in it.
fn loads(bytes: &[u8], wanted: fn(&[u8]) -> bool, extent: ReadExtent) -> Result<(), openssl::OpensslStop> {
    match openssl::read(bytes, wanted, extent)? {
        0 => Err(openssl::unfound(bytes)),
        _ => Ok(()),
    }
}

/// A key in the clear, as PKCS#8, with the label of its block.
type Labelled<'a> = (&'a str, Zeroizing<Vec<u8>>);

/// Reads the only key of a file.
fn only_key(bytes: &[u8]) -> Result<Labelled<'_>, KeyError> {
    let mut keys = scan::blocks(bytes).filter(|block| is_key(block.label));
    let block = match (keys.next(), keys.next()) {
        (Some(block), None) => block,
        (None, _) => return Err(no_key(bytes)),
        (Some(_), Some(_)) => {
            let why = "its file holds several".to_owned();
            return Err(KeyError::NotLoaded { why, hint: "leave only the key of this certificate in it" });
        }
    };
    if is_encrypted(&block) {
        return Err(KeyError::NotLoaded {
            why: "it has a passphrase, and nobody can type it when the service starts".to_owned(),
            hint: "write the key without a passphrase (openssl pkey -in FILE -out FILE.new) and protect the file by its mode",
        });
    }
    if let Err(stop) = loads(bytes, |label| label.ends_with(b"PRIVATE KEY"), ReadExtent::First) {
        let why = format!("in line {} of its file {}", stop.line, stop.why);
        let hint = "write it again in lines of 64 characters, without spaces or empty lines";
        return Err(KeyError::NotLoaded { why, hint });
    }
    let body = block.body.map_err(|why| KeyError::Corrupt(format!("its block at line {}: {why}", block.line)))?;
    let text = Zeroizing::new(body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>());
    let der = Zeroizing::new(STANDARD.decode(&*text).map_err(|_| {
        let why = label::disguise(body).unwrap_or("its Base64 is damaged");
        KeyError::Corrupt(format!("of its block at line {} {why}", block.line))
    })?);
    // `SSL_CTX_use_PrivateKey_file` accepts under a label of one kind a key of that kind in either form, and under
    // `PRIVATE KEY` only PKCS#8 (the program `openssl` is less strict).
    let fits: fn(&Clear) -> bool = match block.label {
        PKCS1 => |key| key.algorithm == KeyAlgorithm::Rsa,
        SEC1 => |key| key.algorithm == KeyAlgorithm::Ec,
        PKCS8 => |key| key.was_pkcs8,
        other => return Err(KeyError::Unsupported(format!("the form `{}`", crate::text::visible(other)))),
    };
    let key = key::in_the_clear(der).ok_or_else(|| {
        KeyError::Corrupt("its block is not a private key (RFC 5208 §5, RFC 8017 A.1.2, RFC 5915 §3)".to_owned())
    })?;
    if !fits(&key) {
        let found = &key.algorithm;
        let why = match block.label {
            PKCS8 => {
                format!("under `BEGIN PRIVATE KEY` its file holds a key that belongs under `BEGIN {found} PRIVATE KEY`")
            }
            label => format!("under `BEGIN {label}` its file holds a key of another kind ({found})"),
        };
        return Err(KeyError::NotLoaded { why, hint: "write it again (openssl pkey -in FILE -out FILE.new)" });
    }
    Ok((block.label, key.pkcs8))
}

/// Why a key file holds no key.
fn no_key(bytes: &[u8]) -> KeyError {
    let (why, hint) = match detect(bytes) {
        Detected::Refused { what, .. } if what.contains("UTF-16") => {
            ("its file is UTF-16 text", "save it again as plain ASCII (in PowerShell: Out-File -Encoding ascii)")
        }
        Detected::Refused { what, .. }
            if bytes.first() == Some(&crate::der::SEQUENCE) && what.contains("private key") =>
        {
            ("its file is in DER, not in PEM", "convert it (openssl pkey -inform DER -in FILE -out FILE.pem)")
        }
        Detected::Refused { what, hint, .. } => (what, hint),
        Detected::Readable(Format::Pem) => ("its file holds no private key", "put the key of this certificate there"),
        Detected::Readable(Format::Pkcs12) => (
            "its file is a PKCS#12 store",
            "take the key out of it (openssl pkcs12 -in FILE -nocerts -nodes -out FILE.pem)",
        ),
        Detected::Readable(_) => ("its file is not PEM", "put the key of this certificate there, in PEM"),
    };
    KeyError::NotLoaded { why: why.to_owned(), hint }
}

fn is_key(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

fn is_encrypted(block: &Block<'_>) -> bool {
    label::private_key(block.label, block.body.as_deref()).starts_with("an encrypted")
}

/// Computes the parts that change. A key that stays is not written again, for example when the edit installs the reply
/// of a CA.
fn edit(pair: &Pair, edits: &Edits) -> Result<TouchedFiles, EditError> {
    let format = Format::PemPair;
    let cannot = |why: String| Err(EditError::NotRepresentable { format, why });
    let touched: Vec<_> = edits.disposition.iter().filter(|(_, what)| !matches!(what, Disposition::Keep)).collect();
    let (new, chain) = match (touched.as_slice(), edits.add.as_slice()) {
        ([], []) => return Ok(TouchedFiles::new()),
        ([(id, Disposition::ReplaceKey { key, chain, .. })], []) if id.position() == 0 => (key, chain),
        ([], [NewEntry::PrivateKey { key, chain, .. }]) if pair.entries.list().is_empty() => (key, chain),
        ([(_, Disposition::Rename(_))], []) => return Err(EditError::NoAliases { format }),
        _ => return cannot("a pair is one private key with its chain, and nothing else".to_owned()),
    };
    if let Some(other) = pair.entries.list().get(1) {
        let what = match &other.kind {
            EntryKind::Opaque(what) => what.as_str(),
            other => other.as_str(),
        };
        return cannot(format!("its certificate file also holds {what}; move that to a file of its own"));
    }
    let old = pair.part(KEY).map(kept_key).transpose()?.flatten();
    let mut plain = Zeroizing::new(Vec::new());
    sealed_key(format, format.as_str(), new, chain, |pkcs8| {
        plain = Zeroizing::new(pkcs8.to_vec());
        Ok(Vec::new())
    })?;
    if let NewKey::Sealed(sealed) = new {
        return Err(EditError::SealedElsewhere { from: sealed.format(), to: format });
    }
    let ending = pair.part(CERTIFICATE).or_else(|| pair.part(KEY)).map_or(&b"\n"[..], newline);
    let mut certificate = Vec::new();
    for one in chain {
        append(&mut certificate, one.der(), "CERTIFICATE", ending);
    }
    let mut image = Vec::new();
    if pair.part(CERTIFICATE) != Some(&certificate) {
        image.push((CERTIFICATE.to_owned(), Some(certificate)));
    }
    if old.as_ref().is_none_or(|(_, old)| **old != **plain) {
        let mut text = Vec::new();
        // In the form of the old key, because an old reader may know only that form.
        match key::to_pkcs1(&plain).filter(|_| old.as_ref().is_some_and(|(label, _)| *label == PKCS1)) {
            Some(numbers) => append(&mut text, numbers, PKCS1, ending),
            None => append(&mut text, &plain, PKCS8, ending),
        }
        image.push((KEY.to_owned(), Some(text)));
    }
    Ok(image)
}

/// Reads the key that the edit replaces. A file that holds anything else, or a key under a passphrase, is not
/// overwritten.
fn kept_key(bytes: &[u8]) -> Result<Option<Labelled<'_>>, EditError> {
    let cannot = |why: String| Err(EditError::NotRepresentable { format: Format::PemPair, why });
    for block in scan::blocks(bytes) {
        if is_key(block.label) && is_encrypted(&block) {
            return cannot("its key has a passphrase, but a new key would be written without one".to_owned());
        }
        if !is_key(block.label) && block.label != "EC PARAMETERS" {
            let what = label::meaning(block.label);
            return cannot(format!("its key file also holds {what}; move that to a file of its own"));
        }
    }
    // A damaged key may be replaced.
    Ok(only_key(bytes).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::certificate::Certificate;
    use crate::key::KeyMatch;
    use crate::never::Never;
    use crate::store::Store;

    fn made(name: &str) -> (String, String, Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem(), certificate.der().to_vec(), key.serialize_der())
    }

    fn opened(certificate: Option<&str>, key: Option<&str>) -> Result<Store, ReadError> {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Store::open_pair(bytes(certificate), bytes(key), &Interner::new())
    }

    fn edit(store: &Store, edits: &Edits) -> Result<TouchedFiles, EditError> {
        match store.edit(edits, Credential::NotNeeded, &mut Never)? {
            Image::Directory(files) => Ok(files),
            Image::File(_) => panic!("two files"),
        }
    }

    fn matches(store: &Store) -> Result<KeyMatch, KeyError> {
        store.open_key(store.entries()[0].id, Credential::NotNeeded).map(|key| key.matches_certificate)
    }

    fn replace(key: &[u8], chain: &[&Vec<u8>]) -> Edits {
        let key = NewKey::Plain(Zeroizing::new(key.to_vec()));
        let chain = chain.iter().map(|der| Certificate::shared(der)).collect();
        let what = Disposition::ReplaceKey { key, chain, created_ms: 0 };
        Edits { disposition: [(EntryId(0), what)].into(), add: Vec::new() }
    }

    fn text(image: &TouchedFiles, name: &str) -> Option<String> {
        let (_, bytes) = image.iter().find(|(part, _)| part == name)?;
        Some(String::from_utf8(bytes.clone()?).unwrap())
    }

    #[test]
    fn halves_that_belong_together_are_told_from_others() {
        let (one, other) = (made("a.example"), made("b.example"));
        assert_eq!(matches(&opened(Some(&one.0), Some(&one.1)).unwrap()).unwrap(), KeyMatch::Yes);
        assert_eq!(matches(&opened(Some(&one.0), Some(&other.1)).unwrap()).unwrap(), KeyMatch::No);
        assert!(matches!(matches(&opened(Some(&one.0), None).unwrap()), Err(KeyError::Corrupt(_))));
        let keyless = opened(None, Some(&one.1)).unwrap();
        assert!(matches!(&keyless.entries()[0].kind, EntryKind::PrivateKey { chain } if chain.is_empty()));
        assert!(opened(None, None).unwrap().entries().is_empty());
    }

    #[test]
    fn both_halves_change_together() {
        let (old, new, issuer) = (made("a.example"), made("a.example"), made("ca.example"));
        let store = opened(Some(&old.0.replace('\n', "\r\n")), Some(&old.1)).unwrap();
        let image = edit(&store, &replace(&new.3, &[&new.2, &issuer.2])).unwrap();
        let (certificate, key) = (text(&image, CERTIFICATE).unwrap(), text(&image, KEY).unwrap());
        assert!(certificate.contains("\r\n") && !certificate.replace("\r\n", "").contains('\n'));
        let again = opened(Some(&certificate), Some(&key)).unwrap();
        assert_eq!(matches(&again).unwrap(), KeyMatch::Yes);
        assert_eq!(
            again.entries()[0].certificates().iter().map(|c| c.der().to_vec()).collect::<Vec<_>>(),
            [new.2.clone(), issuer.2]
        );
        let mixed = edit(&store, &replace(&old.3, &[&new.2]));
        assert!(matches!(mixed, Err(EditError::KeyMismatch { .. })), "{mixed:?}");
    }

    #[test]
    fn a_reply_for_the_same_key_leaves_the_key_file_alone() {
        let key = KeyPair::generate().unwrap();
        let certificate = |name: &str| {
            CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
        };
        let mut old = Vec::new();
        append(&mut old, &certificate("old.example"), "CERTIFICATE", b"\n");
        let store = Store::open_pair(Some(old), Some(key.serialize_pem().into_bytes()), &Interner::new()).unwrap();
        let reply = certificate("new.example");
        let image = edit(&store, &replace(&key.serialize_der(), &[&reply])).unwrap();
        assert_eq!(image.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [CERTIFICATE]);
    }

    #[test]
    fn older_forms_of_keys_are_read_and_kept() {
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let leaf = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&rsa).unwrap();
        let pkcs8 = rsa.serialize_der();
        let mut pkcs1 = Vec::new();
        append(&mut pkcs1, key::to_pkcs1(&pkcs8).unwrap(), PKCS1, b"\n");
        let store = Store::open_pair(Some(leaf.pem().into_bytes()), Some(pkcs1), &Interner::new()).unwrap();
        assert_eq!(matches(&store).unwrap(), KeyMatch::Yes);
        assert_eq!(*store.open_key(EntryId(0), Credential::NotNeeded).unwrap().pkcs8, pkcs8);
        let other = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let new = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&other).unwrap();
        let image = edit(&store, &replace(&other.serialize_der(), &[&new.der().to_vec()])).unwrap();
        assert!(text(&image, KEY).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    }

    #[test]
    fn what_is_not_understood_is_not_written_over() {
        let (old, new) = (made("a.example"), made("a.example"));
        let edits = replace(&new.3, &[&new.2]);
        let refused = |certificate: &str, key: &str| {
            edit(&opened(Some(certificate), Some(key)).unwrap(), &edits).unwrap_err().to_string()
        };
        let both = format!("{}{}", old.0, old.1);
        assert!(refused(&both, &old.1).contains("certificate file also holds a private key"));
        assert!(refused(&old.0, &both).contains("key file also holds"));
        let sealed = old.1.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert!(refused(&old.0, &sealed).contains("passphrase"));
        let trusted = NewEntry::Trusted { alias: None, certificate: Certificate::shared(&new.2), created_ms: 0 };
        let store = opened(Some(&old.0), Some(&old.1)).unwrap();
        assert!(edit(&store, &Edits { add: vec![trusted], ..Edits::default() }).is_err());
    }

    #[test]
    fn a_damaged_chain_is_no_chain() {
        let (old, other) = (made("a.example"), made("b.example"));
        let broken = old.0.replacen("MII", "M!I", 1);
        let error = opened(Some(&format!("{broken}{}", other.0)), Some(&old.1)).unwrap_err();
        assert_eq!(error.class, ErrorClass::Corrupt, "{error}");
        assert_eq!(opened(Some(&old.1), Some(&old.1)).unwrap_err().class, ErrorClass::NotAStore);
        let der = Store::open_pair(Some(old.2), None, &Interner::new()).unwrap_err();
        assert_eq!(der.class, ErrorClass::Unsupported);
    }
}
