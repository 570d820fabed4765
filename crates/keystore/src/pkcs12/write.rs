//! Edits a PKCS#12 file. The module takes a store, edits and the password, and gives the bytes of the next file:
//! changed bags are made again, all others are copied. Before it encrypts anything, it reads the result by the JDK's
//! rules. It refuses an edit that would change what a JVM sees of an entry that the edit does not name.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::derive::{Budget, PasswordEncoding, Secret};
use super::draft::Pkcs12Draft;
use super::open::{encrypted_data, parts_of};
use super::pfx::{DATA, ENCRYPTED_DATA, PartProtection, Pfx};
use super::protection::Protection;
use super::scheme::Scheme;
use super::store::Pkcs12;
use crate::content::StoreContent as _;
use crate::der::{self, encode, integer};
use crate::edit::{Edits, check_aliases, check_loadable};
use crate::error::EditError;
use crate::format::Format;
use crate::password::Password;

/// The next content of the file. Bytes after the PFX are kept.
pub(crate) fn edit(
    store: &Pkcs12,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let protection = store.protection();
    match store.opened() {
        Some(opened) => run(store, &opened.pfx, &protection, edits, password, rng),
        None => run(store, &Pfx::empty(protection.mac()), &protection, edits, password, rng),
    }
}

fn run(
    store: &Pkcs12,
    pfx: &Pfx,
    protection: &Protection,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let secret = authorise(store, pfx, password)?;
    if edits.is_empty()
        && let Some(opened) = store.opened()
    {
        return Ok(opened.bytes.clone());
    }
    check_loadable(store.listed().remarks(), edits)?;
    check_aliases(Format::Pkcs12, store.listed().entries(), edits)?;
    let mut draft = Pkcs12Draft::new(store, pfx, protection, secret);
    draft.dispose(edits, rng)?;
    for new in edits.add.iter().enumerate() {
        draft.add(new, rng)?;
    }
    draft.verify(edits)?;
    draft.encode(rng)
}

/// Checks that the password is the one of the file. A file without MAC and encryption needs none.
fn authorise<'a>(store: &Pkcs12, pfx: &Pfx, password: Option<&'a Password>) -> Result<Option<Secret<'a>>, EditError> {
    let format = Format::Pkcs12;
    // A part that was not opened cannot be written again.
    if pfx.unread_mac.is_some() || pfx.parts.iter().any(|part| matches!(part.seal, PartProtection::Closed(_))) {
        return Err(EditError::NotOpened { format });
    }
    let Some(opened) = store.opened() else {
        let Some(password) = password else { return Err(EditError::PasswordNeeded { format }) };
        if !password.is_printable_ascii() {
            return Err(EditError::PasswordNotAscii { format });
        }
        return Ok(Some(Secret { password, reading: PasswordEncoding::Terminated }));
    };
    let Some(password) = password else {
        let sealed = pfx.mac.is_some() || pfx.is_encrypted();
        return if sealed { Err(EditError::PasswordNeeded { format }) } else { Ok(None) };
    };
    let safe = pfx.safe.bytes(&opened.bytes);
    let opens = |secret: Secret<'_>| match &pfx.mac {
        Some(mac) => mac.verify(safe, secret, &mut Budget::new()).unwrap_or(false),
        None => parts_of(safe, 0).is_ok_and(|parts| {
            parts.iter().zip(&pfx.parts).all(|(part, known)| match &known.seal {
                PartProtection::Encrypted(scheme) => encrypted_data(&part.content).is_ok_and(|(_, data)| {
                    // A wrong key gives correct padding once in 256 times, so the text must be the one that was read.
                    let plain = scheme.open(&data, secret, &mut Budget::new());
                    plain.is_ok_and(|plain| *plain == known.text.bytes(safe))
                }),
                PartProtection::Plain | PartProtection::Closed(_) => true,
            })
        }),
    };
    let readings = PasswordEncoding::candidates(password);
    let secret = readings.iter().map(|reading| Secret { password, reading: *reading }).find(|secret| opens(*secret));
    secret.map(Some).ok_or(EditError::WrongPassword)
}

impl Pkcs12Draft<'_> {
    /// The bytes of the next file. Parts without changes are copied, except that indefinite lengths become definite,
    /// because Java 8 cannot read them inside the definite ones that are written here. The MAC is always new.
    fn encode(&self, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, EditError> {
        let cannot = |why: String| EditError::NotRepresentable { format: Format::Pkcs12, why };
        let definite = |raw| der::definite(raw).map_err(|error| cannot(error.fault.what().to_owned()));
        let mut safe = Vec::with_capacity(self.store.bytes().len() + 4096);
        for part in &self.parts {
            match (part.old, part.touched) {
                (Some(old), false) => safe.extend_from_slice(&definite(old)?),
                _ => {
                    let bags: usize = part.bags.iter().map(|bag| bag.raw.len()).sum();
                    let mut text = Zeroizing::new(Vec::with_capacity(bags));
                    for bag in &part.bags {
                        text.extend_from_slice(&definite(&bag.raw)?);
                    }
                    let text = Zeroizing::new(encode(der::SEQUENCE, &text));
                    safe.extend(self.part(&text, part.seal.as_ref(), rng)?);
                }
            }
        }
        let safe = encode(der::SEQUENCE, &safe);
        let mut fields = vec![integer(3), content_info(DATA, &encode(der::OCTET_STRING, &safe))];
        if let Some(mac) = &self.pfx.mac {
            let secret = self.secret.ok_or(EditError::PasswordNeeded { format: Format::Pkcs12 })?;
            fields.push(mac.renew(&safe, secret, rng).map_err(cannot)?);
        }
        let mut out = encode(der::SEQUENCE, &fields.concat());
        out.extend_from_slice(self.store.bytes().get(self.pfx.end..).unwrap_or_default());
        Ok(out)
    }

    fn part(&self, text: &[u8], seal: Option<&Scheme>, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, EditError> {
        let Some(scheme) = seal else {
            return Ok(content_info(DATA, &encode(der::OCTET_STRING, text)));
        };
        let secret = self.secret.ok_or(EditError::PasswordNeeded { format: Format::Pkcs12 })?;
        let scheme = scheme.renewed(rng);
        let data =
            scheme.seal(text, secret).map_err(|why| EditError::NotRepresentable { format: Format::Pkcs12, why })?;
        let info = [encode(der::OID, DATA), scheme.identifier(), encode(0x80, &data)].concat();
        let encrypted = [integer(0), encode(der::SEQUENCE, &info)].concat();
        Ok(content_info(ENCRYPTED_DATA, &encode(der::SEQUENCE, &encrypted)))
    }
}

fn content_info(kind: &[u8], content: &[u8]) -> Vec<u8> {
    encode(der::SEQUENCE, &[encode(der::OID, kind), encode(der::CONTEXT_0, content)].concat())
}
