//! Opens a PKCS#12 file. The module takes the bytes and a credential, checks the MAC, decrypts the parts, and gives the
//! entries. It limits the work that a file may demand before it does any of it.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::bag::{Bag, BagContent};
use super::derive::{Budget, PasswordEncoding, Secret};
use super::mac::Mac;
use super::pfx::{BagPlace, DATA, ENCRYPTED_DATA, PartProtection, PartText, Pfx, SafePart};
use super::scheme::{Scheme, SchemeError, SealError};
use super::store::{OpenedPfx, Pkcs12};
use super::view::{self, BagRole, PlacedBag};
use crate::content::ContentInput;
use crate::der::{self, DerError, DerReader, Tlv};
use crate::entries::Entries;
use crate::entry::{Credential, EntryId, EntryKind};
use crate::error::{ErrorClass, ReadError};
use crate::format::Format;
use crate::intern::Interner;
use crate::remark::Remark;

const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
const RESTORE: &str = "restore it from a backup or copy it again in binary mode";
const OTHER_TOOL: &str = "open it with the tool that made it and export it again (openssl pkcs12 -export)";
const TRY_PASSWORD: &str = "use the store's own password, or restore it from a backup";

fn corrupt(cause: impl Into<String>) -> ReadError {
    ReadError::new(ErrorClass::Corrupt, cause, RESTORE).format(Format::Pkcs12.as_str())
}

fn unsupported(cause: impl Into<String>) -> ReadError {
    ReadError::new(ErrorClass::Unsupported, cause, OTHER_TOOL).format(Format::Pkcs12.as_str())
}

/// An error for bytes that do not parse, with their place in the file. `base` is the offset of the bytes in the file.
fn malformed(what: &'static str, base: usize) -> impl Fn(DerError) -> ReadError {
    move |error| corrupt(format!("{what}: {}", error.fault.what())).offset(base.saturating_add(error.at))
}

/// Whether opening this PKCS#12 file needs a password: it has a MAC, or a part is encrypted. A file that does not parse
/// needs none.
pub(crate) fn needs_password(bytes: &[u8]) -> bool {
    let outline = outline(bytes);
    outline.is_ok_and(|outline| {
        let safe = outline.safe.bytes(bytes);
        outline.mac.is_some() || parts_of(safe, outline.base).is_ok_and(|parts| parts.iter().any(|part| part.encrypted))
    })
}

/// The outermost structure.
struct Outline<'a> {
    safe: PartText,
    /// The offset of the AuthenticatedSafe in the file; if it is in pieces, the offset of the element that holds the
    /// pieces.
    base: usize,
    mac: Option<Tlv<'a>>,
    end: usize,
}

fn outline(bytes: &[u8]) -> Result<Outline<'_>, ReadError> {
    let fault = malformed("the outermost structure does not parse", 0);
    let mut reader = DerReader::ber(bytes);
    let pfx = reader.expect(der::SEQUENCE).map_err(&fault)?;
    let mut fields = pfx.inner();
    let version = fields.expect(der::INTEGER).map_err(&fault)?;
    if version.body != [3] {
        let number = version.small().map_or_else(|_| "?".to_owned(), |number| number.to_string());
        return Err(
            unsupported(format!("it has version {number} of PKCS#12, but only version 3 is in use")).offset(version.at)
        );
    }
    let mut content = fields.expect(der::SEQUENCE).map_err(&fault)?.inner();
    let kind = content.expect(der::OID).map_err(&fault)?;
    if kind.body != DATA {
        let what = "its integrity is protected by a signature instead of a password, which no JVM reads either";
        return Err(unsupported(what).offset(kind.at));
    }
    let octets = content.expect(der::CONTEXT_0).map_err(&fault)?.inner().next().map_err(&fault)?;
    if !matches!(octets.tag, der::OCTET_STRING | der::OCTET_STRINGS) {
        return Err(corrupt("the outermost structure does not parse: no octets in it").offset(octets.at));
    }
    let safe = PartText::of(&octets, octets.octets().map_err(&fault)?);
    let base = match &safe {
        PartText::Within(_) => octets.body_at(),
        PartText::Own(_) => octets.at,
    };
    let mac = fields.optional(der::SEQUENCE).map_err(&fault)?;
    fields.end().map_err(&fault)?;
    Ok(Outline { safe, base, mac, end: reader.position() })
}

/// One ContentInfo that is not opened yet.
pub(super) struct UnopenedPart<'a> {
    whole: Tlv<'a>,
    pub(super) encrypted: bool,
    /// For data its content; for encryptedData the EncryptedData.
    pub(super) content: Tlv<'a>,
}

/// The parts of an AuthenticatedSafe that begins at `base`.
pub(super) fn parts_of(safe: &[u8], base: usize) -> Result<Vec<UnopenedPart<'_>>, ReadError> {
    let fault = malformed("the list of parts does not parse", base);
    let mut outer = DerReader::ber(safe);
    let mut list = outer.expect(der::SEQUENCE).map_err(&fault)?.inner();
    let mut parts = Vec::new();
    while !list.is_empty() {
        let whole = list.expect(der::SEQUENCE).map_err(&fault)?;
        let mut fields = whole.inner();
        let kind = fields.expect(der::OID).map_err(&fault)?;
        let encrypted = match kind.body {
            DATA => false,
            ENCRYPTED_DATA => true,
            other => {
                let name = match other.strip_prefix(PKCS7) {
                    Some([3]) => "encrypted for a public key (envelopedData)".to_owned(),
                    Some([2]) => "signed (signedData)".to_owned(),
                    _ => format!("of the kind {}", der::dotted(other).unwrap_or_else(|| "?".to_owned())),
                };
                let cause = format!("part {} is {name}, which no JVM reads either", parts.len() + 1);
                return Err(unsupported(cause).offset(base + kind.at));
            }
        };
        let content = fields.expect(der::CONTEXT_0).map_err(&fault)?.inner().next().map_err(&fault)?;
        parts.push(UnopenedPart { whole, encrypted, content });
    }
    Ok(parts)
}

/// The fields of an EncryptedData (RFC 5652 §8).
pub(super) fn encrypted_data<'a>(content: &Tlv<'a>) -> Result<(Tlv<'a>, Cow<'a, [u8]>), DerError> {
    let mut fields = content.inner();
    fields.expect(der::INTEGER)?;
    let mut info = fields.expect(der::SEQUENCE)?.inner();
    info.expect(der::OID)?;
    let algorithm = info.expect(der::SEQUENCE)?;
    let data = info.next()?;
    if !matches!(data.tag, 0x80 | 0xa0) {
        return Err(DerError { fault: der::DerFault::Unexpected, at: data.at });
    }
    Ok((algorithm, data.octets()?))
}

pub(crate) fn open(file: ContentInput<'_>) -> Result<Pkcs12, ReadError> {
    let ContentInput { bytes, credential, certificates } = file;
    let Outline { safe, base, mac, end } = outline(&bytes)?;
    let mut opening =
        Opening { budget: Budget::new(), reading: PasswordEncoding::Terminated, credential, has_mac: mac.is_some() };
    let (mac, unread_mac) = match mac {
        Some(data) => match (Mac::read(&data), credential) {
            (Ok(mac), _) => (Some((mac, data.at)), None),
            // Without a password the MAC is not checked, so its form does not matter.
            (
                Err(SchemeError::Corrupt(why) | SchemeError::Unsupported(why)),
                Credential::NotNeeded | Credential::Withheld,
            ) => (None, Some(why)),
            (Err(SchemeError::Corrupt(why)), Credential::Password(_)) => {
                return Err(corrupt(format!("the MAC cannot be used: {why}")).offset(data.at));
            }
            (Err(SchemeError::Unsupported(what)), Credential::Password(_)) => {
                return Err(unsupported(format!("it is protected by {what}")).offset(data.at));
            }
        },
        None => (None, None),
    };
    let parts = {
        let text = safe.bytes(&bytes);
        let closed = parts_of(text, base)?;
        opening.foresee(mac.as_ref(), &closed, base)?;
        if let Some((mac, at)) = &mac {
            opening.check(mac, *at, text, &closed)?;
        }
        let mut parts = Vec::with_capacity(closed.len());
        for (number, part) in closed.iter().enumerate() {
            parts.push(opening.part(number, part, base, certificates)?);
        }
        parts
    };
    let pfx = Pfx { safe, parts, mac: mac.map(|(mac, _)| mac), unread_mac, end };
    let mut entries = Entries::new();
    take_in(&mut entries, &pfx, &bytes);
    let verified = remark_file(&mut entries, &pfx, credential);
    if bytes.len() > end {
        entries.remark(Remark::TrailingBytes { count: (bytes.len() - end) as u64 });
    }
    entries.remark_ambiguous_names(Format::Pkcs12);
    Ok(Pkcs12::Opened(Box::new(OpenedPfx { bytes, pfx, verified, entries })))
}

struct Opening<'a> {
    budget: Budget,
    reading: PasswordEncoding,
    credential: Credential<'a>,
    has_mac: bool,
}

impl Opening<'_> {
    /// Checks that the total work which the file demands is within the budget, before any of it is done.
    fn foresee(&self, mac: Option<&(Mac, usize)>, parts: &[UnopenedPart<'_>], base: usize) -> Result<(), ReadError> {
        if self.credential.password().is_none() {
            return Ok(());
        }
        let mut budget = self.budget;
        let too_much = |at: usize| move |why: String| corrupt(format!("it cannot be opened: {why}")).offset(at);
        if let Some((mac, at)) = mac {
            mac.charge(&mut budget).map_err(too_much(*at))?;
        }
        for part in parts.iter().filter(|part| part.encrypted) {
            // A part that cannot be read here is reported when it is opened.
            let scheme = encrypted_data(&part.content).ok().and_then(|(algorithm, _)| Scheme::read(&algorithm).ok());
            let charged = scheme.map_or(Ok(()), |scheme| scheme.charge(&mut budget));
            charged.map_err(too_much(base + part.whole.at))?;
        }
        Ok(())
    }

    /// Checks the MAC, and finds out how the password becomes bytes. A mismatch means a wrong password. But if the
    /// parts decrypt nevertheless, somebody changed the file.
    fn check(&mut self, mac: &Mac, at: usize, text: &[u8], parts: &[UnopenedPart<'_>]) -> Result<(), ReadError> {
        let Credential::Password(password) = self.credential else { return Ok(()) };
        for reading in PasswordEncoding::candidates(password) {
            let secret = Secret { password, reading: *reading };
            let matches = mac.verify(text, secret, &mut self.budget);
            if matches.map_err(|why| corrupt(format!("the MAC cannot be checked: {why}")).offset(at))? {
                self.reading = *reading;
                return Ok(());
            }
        }
        let decrypts = parts.iter().filter(|part| part.encrypted).find_map(|part| {
            let (algorithm, data) = encrypted_data(&part.content).ok()?;
            let scheme = Scheme::read(&algorithm).ok()?;
            let plain = scheme.open(&data, Secret { password, reading: self.reading }, &mut self.budget).ok()?;
            Some(
                DerReader::ber(&plain)
                    .expect(der::SEQUENCE)
                    .is_ok_and(|contents| contents.inner().peek() == Some(der::SEQUENCE)),
            )
        });
        if decrypts == Some(true) {
            let cause = "the password opens its encrypted part, but the MAC does not match: the file was changed after it \
                         was written";
            return Err(corrupt(cause).offset(at));
        }
        let cause = "the password is wrong, or the store was tampered with";
        Err(ReadError::new(ErrorClass::WrongPassword, cause, TRY_PASSWORD).format(Format::Pkcs12.as_str()).offset(at))
    }

    fn part(
        &mut self,
        number: usize,
        part: &UnopenedPart<'_>,
        base: usize,
        certificates: &Interner,
    ) -> Result<SafePart, ReadError> {
        let at = base + part.whole.at;
        let whole = part.whole.at..part.whole.at + part.whole.raw.len();
        if !part.encrypted {
            let fault = malformed("a part's contents do not parse", base);
            let octets = part.content.octets().map_err(&fault)?;
            let text = PartText::of(&part.content, octets);
            let bags = match &text {
                PartText::Within(range) => {
                    // Offsets inside the part are those of the file.
                    bags(part.content.body, certificates)
                        .map_err(malformed("a bag does not parse", base + range.start))?
                }
                PartText::Own(own) => bags(own, certificates).map_err(|error| inside(error, number, at))?,
            };
            return Ok(SafePart { whole, seal: PartProtection::Plain, text, bags });
        }
        let (algorithm, data) =
            encrypted_data(&part.content).map_err(malformed("an encrypted part does not parse", base))?;
        let scheme = Scheme::read(&algorithm);
        let Credential::Password(password) = self.credential else {
            let name = match scheme {
                Ok(scheme) => scheme.name(),
                Err(SchemeError::Corrupt(_)) => "a damaged scheme".to_owned(),
                Err(SchemeError::Unsupported(what)) => what,
            };
            return Ok(SafePart {
                whole,
                seal: PartProtection::Closed(name),
                text: PartText::Own(Zeroizing::default()),
                bags: Vec::new(),
            });
        };
        let scheme = scheme.map_err(|error| match error {
            SchemeError::Corrupt(why) => corrupt(format!("part {} cannot be decrypted: {why}", number + 1)).offset(at),
            SchemeError::Unsupported(what) => {
                unsupported(format!("part {} is encrypted by {what}, which trustmason does not read", number + 1))
                    .offset(at)
            }
        })?;
        // The check of the MAC has shown how the password becomes bytes. Without a MAC every way is tried.
        let known = [self.reading];
        let readings = if self.has_mac { &known[..] } else { PasswordEncoding::candidates(password) };
        for reading in readings.iter().copied() {
            match scheme.open(&data, Secret { password, reading }, &mut self.budget) {
                Ok(plain) => match bags(&plain, certificates) {
                    Ok(bags) => {
                        self.reading = reading;
                        return Ok(SafePart {
                            whole,
                            seal: PartProtection::Encrypted(scheme),
                            text: PartText::Own(plain),
                            bags,
                        });
                    }
                    // A wrong key gives correct padding once in 256 times, but then the text is no sequence.
                    Err(_) if !self.has_mac && plain.first() != Some(&der::SEQUENCE) => {}
                    Err(error) => return Err(inside(error, number, at)),
                },
                Err(SealError::Password) => {}
                Err(SealError::Corrupt(why)) => {
                    return Err(corrupt(format!("part {} cannot be decrypted: {why}", number + 1)).offset(at));
                }
            }
        }
        let cause = if self.has_mac {
            format!(
                "the password fits the MAC but not part {}, which has another password; no JVM reads such a store",
                number + 1
            )
        } else {
            format!("the password does not decrypt part {}, or the store is damaged", number + 1)
        };
        Err(ReadError::new(ErrorClass::WrongPassword, cause, TRY_PASSWORD).format(Format::Pkcs12.as_str()).offset(at))
    }
}

fn inside(error: DerError, number: usize, at: usize) -> ReadError {
    let cause = format!(
        "a bag of part {} does not parse: {} ({} bytes into its contents)",
        number + 1,
        error.fault.what(),
        error.at
    );
    corrupt(cause).offset(at)
}

/// Reads SafeContents.
fn bags(text: &[u8], certificates: &Interner) -> Result<Vec<Bag>, DerError> {
    let mut reader = DerReader::ber(text);
    let mut list = reader.expect(der::SEQUENCE)?.inner();
    let mut bags = Vec::new();
    while !list.is_empty() {
        bags.push(Bag::read(&list.expect(der::SEQUENCE)?, certificates)?);
    }
    Ok(bags)
}

/// Makes entries of the bags.
fn take_in(entries: &mut Entries<BagPlace>, pfx: &Pfx, file: &[u8]) {
    let placed = pfx.placed(file);
    let seen = view::of(&placed);
    let mut rows = placed.iter().zip(seen).peekable();
    for (part, one) in pfx.parts.iter().enumerate() {
        if let PartProtection::Closed(name) = &one.seal {
            let what = format!("an encrypted part, not opened ({name})");
            let entry = entries.push(None, None, EntryKind::Opaque(what), BagPlace::Closed { part });
            entries.remark(Remark::ClosedPart { entry });
        }
        while let Some((PlacedBag { bag, position, .. }, seen)) = rows.next_if(|(placed, _)| placed.part == part) {
            let place = BagPlace::Bag { part, position: *position };
            let slot = |number: usize| placed.get(number).and_then(|placed| placed.bag.certificate()).cloned();
            let kind = match (&seen.role, &bag.what) {
                (BagRole::Chained, _) => continue,
                (BagRole::Trusted, BagContent::Certificate(slot)) => EntryKind::Trusted(slot.clone()),
                (BagRole::Untrusted, BagContent::Certificate(slot)) => EntryKind::Untrusted(slot.clone()),
                (BagRole::Key(chain), _) => {
                    EntryKind::PrivateKey { chain: chain.iter().filter_map(|number| slot(*number)).collect() }
                }
                (BagRole::Secret, _) => EntryKind::SecretKey,
                (_, BagContent::Other(what)) => EntryKind::Opaque(what.clone()),
                (_, BagContent::ForeignCertificate(kind)) => {
                    EntryKind::Opaque(format!("a certificate of the unknown kind {kind}"))
                }
                (_, _) => EntryKind::Opaque("a bag".to_owned()),
            };
            let created = match kind {
                EntryKind::PrivateKey { .. } | EntryKind::SecretKey => bag.created_ms(),
                _ => None,
            };
            let id = entries.push(seen.alias.clone(), created, kind, place);
            remark_bag(entries, id, bag, &seen);
        }
    }
}

/// Adds the remarks on one entry.
fn remark_bag(entries: &mut Entries<BagPlace>, entry: EntryId, bag: &Bag, seen: &view::BagView) {
    let alias = || seen.alias.as_deref().unwrap_or_default().to_owned();
    let mut remarks = Vec::new();
    if let Some(name) = &bag.name {
        if name.lossy {
            remarks.push(Remark::AliasNotText { entry, alias: name.text.clone() });
        }
        if name.foreign {
            let why = "a friendly name is no BMPString".to_owned();
            remarks.push(Remark::JvmCannotOpen { entry: Some(entry), why });
        }
    }
    if let Some(why) = seen.hidden {
        remarks.push(Remark::HiddenKey { entry, alias: alias(), why });
    }
    if seen.role == BagRole::Untrusted {
        remarks.push(Remark::UntrustedBag { entry, alias: seen.alias.clone().map(String::from) });
    }
    if let BagContent::ForeignCertificate(name) = &bag.what {
        remarks.push(Remark::UnknownCertificateType { entry, alias: alias(), name: name.clone() });
    }
    let slots = entries.get(entry).map(|entry| entry.certificates().to_vec()).unwrap_or_default();
    remarks.extend(slots.iter().find_map(|slot| Remark::of_certificate(slot, entry, &alias())));
    for remark in remarks {
        entries.remark(remark);
    }
}

/// Adds the remarks on the whole file. Gives whether the file was checked, or needs no check.
fn remark_file(entries: &mut Entries<BagPlace>, pfx: &Pfx, credential: Credential<'_>) -> bool {
    let mut verified = true;
    let mut refusals = Vec::new();
    refusals.extend(pfx.mac.as_ref().and_then(Mac::jvm_refusal));
    for part in &pfx.parts {
        if let PartProtection::Encrypted(scheme) = &part.seal {
            refusals.extend(scheme.jvm_refusal());
        }
    }
    refusals.dedup();
    for why in refusals {
        entries.remark(Remark::JvmCannotOpen { entry: None, why });
    }
    match credential {
        Credential::NotNeeded | Credential::Withheld
            if pfx.mac.is_some() || pfx.unread_mac.is_some() || pfx.is_encrypted() =>
        {
            verified = false;
            entries.remark(Remark::Unverified);
        }
        Credential::Password(password) if pfx.mac.is_some() || pfx.is_encrypted() => {
            if !password.expose().is_ascii() {
                let why = "its password is not ASCII".to_owned();
                entries.remark(Remark::JvmCannotOpen { entry: None, why });
            }
        }
        Credential::Password(_) | Credential::NotNeeded | Credential::Withheld => {}
    }
    if pfx.mac.is_none() && pfx.unread_mac.is_none() {
        entries.remark(Remark::NoMac);
    }
    verified
}
