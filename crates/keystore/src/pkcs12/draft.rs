//! The next content of a file while an edit makes it. The draft makes new bags for the changes and borrows all others
//! from the file. It never encrypts a part: `write` does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_core::CryptoRng;

use super::bag::{self, AttributeChange, Bag, BagContent};
use super::derive::Secret;
use super::pfx::{BagPlace, PartProtection, Pfx, SafePart};
use super::protection::Protection;
use super::scheme::Scheme;
use super::store::Pkcs12;
use super::view::{self, BagRole, BagView, PlacedBag};
use crate::alias::Alias;
use crate::certificate::Certificate;
use crate::der::{self, DerError, DerReader, encode};
use crate::edit::{Disposition, Edits, NewEntry, NewKey, check_certificate, new_alias, sealed_key};
use crate::entry::{Entry, EntryId};
use crate::error::EditError;
use crate::fingerprint::Fingerprint;
use crate::format::Format;
use crate::intern::Interner;

/// The origin of a bag of the next content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// The bag of this entry, edited or not.
    Entry(EntryId),
    /// The bag of the new entry with this number.
    New(usize),
    /// A certificate of a chain.
    Chain,
}

pub(super) struct NextBag<'a> {
    pub(super) tag: Tag,
    pub(super) raw: Cow<'a, [u8]>,
    pub(super) bag: Cow<'a, Bag>,
    /// The text in which the ranges of the bag count, if it is not the bag itself.
    around: Option<&'a [u8]>,
}

impl NextBag<'_> {
    pub(super) fn text(&self) -> &[u8] {
        self.around.unwrap_or(&self.raw)
    }
}

pub(super) struct NextPart<'a> {
    /// The bytes of the part in the file; `None` for a new part.
    pub(super) old: Option<&'a [u8]>,
    pub(super) seal: Option<Scheme>,
    pub(super) bags: Vec<NextBag<'a>>,
    pub(super) touched: bool,
}

/// The next content of a file, while it is made.
pub(super) struct Pkcs12Draft<'a> {
    pub(super) store: &'a Pkcs12,
    pub(super) pfx: &'a Pfx,
    pub(super) protection: &'a Protection,
    pub(super) secret: Option<Secret<'a>>,
    /// The bags of the file, with the role of each bag and the entry that owns it.
    pub(super) placed: Vec<PlacedBag<'a>>,
    pub(super) seen: Vec<BagView>,
    pub(super) owners: BTreeMap<usize, EntryId>,
    pub(super) parts: Vec<NextPart<'a>>,
    pub(super) key_ids: BTreeSet<Vec<u8>>,
    pub(super) certificates: Interner,
}

pub(super) fn unreadable(error: DerError) -> EditError {
    let why = format!("a bag does not read back: {}", error.fault.what());
    EditError::NotRepresentable { format: Format::Pkcs12, why }
}

impl<'a> Pkcs12Draft<'a> {
    pub(super) fn new(store: &'a Pkcs12, pfx: &'a Pfx, protection: &'a Protection, secret: Option<Secret<'a>>) -> Self {
        let safe = pfx.safe.bytes(store.bytes());
        let placed = pfx.placed(store.bytes());
        let seen = view::of(&placed);
        let by_place: BTreeMap<BagPlace, EntryId> = store
            .opened()
            .into_iter()
            .flat_map(|opened| opened.entries.iter().map(|(entry, place)| (*place, entry.id)))
            .collect();
        let owner = |(number, placed): (usize, &PlacedBag<'_>)| {
            Some((number, *by_place.get(&BagPlace::Bag { part: placed.part, position: placed.position })?))
        };
        let owners = placed.iter().enumerate().filter_map(owner).collect();
        let part = |part: &'a SafePart| NextPart {
            old: safe.get(part.whole.clone()),
            seal: match &part.seal {
                PartProtection::Encrypted(scheme) => Some(scheme.clone()),
                PartProtection::Plain | PartProtection::Closed(_) => None,
            },
            bags: Vec::with_capacity(part.bags.len()),
            touched: false,
        };
        Self {
            parts: pfx.parts.iter().map(part).collect(),
            key_ids: placed.iter().filter_map(|placed| placed.bag.key_id.clone()).collect(),
            certificates: Interner::new(),
            store,
            pfx,
            protection,
            secret,
            placed,
            seen,
            owners,
        }
    }

    pub(super) fn made(&self, tag: Tag, raw: Vec<u8>) -> Result<NextBag<'a>, EditError> {
        let bag = DerReader::ber(&raw)
            .next()
            .and_then(|element| Bag::read(&element, &self.certificates))
            .map_err(unreadable)?;
        Ok(NextBag { tag, raw: Cow::Owned(raw), bag: Cow::Owned(bag), around: None })
    }

    /// The entry at this position in the file.
    pub(super) fn entry(&self, id: EntryId) -> Option<&'a Entry> {
        self.store.opened()?.entries.get(id)
    }

    /// Every key by the number of its bag, with its entry and chain.
    fn keys(&self) -> Vec<(usize, EntryId, Vec<usize>)> {
        self.seen
            .iter()
            .enumerate()
            .filter_map(|(number, seen)| match &seen.role {
                BagRole::Key(chain) => Some((number, *self.owners.get(&number)?, chain.clone())),
                _ => None,
            })
            .collect()
    }

    /// Takes the bags of the file into the draft, changed as the dispositions require.
    pub(super) fn dispose(&mut self, edits: &Edits, rng: &mut dyn CryptoRng) -> Result<(), EditError> {
        let gone = |id: &EntryId| {
            matches!(edits.disposition.get(id), Some(Disposition::Remove | Disposition::ReplaceKey { .. }))
        };
        let keys = self.keys();
        // The certificates that the remaining keys need for their chains, and those of the keys that are removed or
        // replaced.
        let prints = |leave: bool| -> BTreeSet<Fingerprint> {
            let chains = keys.iter().filter(|(_, id, _)| gone(id) == leave).flat_map(|(.., chain)| chain);
            chains.filter_map(|number| self.print(*number)).collect()
        };
        let (needed, leaving) = (prints(false), prints(true));
        let mut rekeyed: BTreeMap<usize, Vec<NextBag<'a>>> = BTreeMap::new();
        let mut homeless: Vec<NextBag<'a>> = Vec::new();
        let mut new_keys: BTreeMap<usize, NextBag<'a>> = BTreeMap::new();
        let mut new_chains: Vec<&Vec<Arc<Certificate>>> = Vec::new();
        for (number, id, chain) in &keys {
            let Some(Disposition::ReplaceKey { key, chain: next, created_ms }) = edits.disposition.get(id) else {
                continue;
            };
            let alias = self.seen.get(*number).and_then(|seen| seen.alias.as_deref()).unwrap_or_default().to_owned();
            let (sealed, key_id) = self.sealed(&alias, key, next, *created_ms, rng)?;
            let raw = self.raw(*number);
            let bag = bag::with_sealed_key(raw, &sealed, &key_id).map_err(unreadable)?;
            new_keys.insert(*number, self.made(Tag::Entry(*id), bag)?);
            let leaf = self.leaf_bag(&alias, next, &key_id)?;
            new_chains.push(next);
            match chain.first().filter(|leaf| {
                self.is_chained(**leaf) && !self.print(**leaf).is_some_and(|print| needed.contains(&print))
            }) {
                Some(old) => rekeyed.entry(*old).or_default().extend(leaf),
                None => homeless.extend(leaf),
            }
        }
        for number in 0..self.placed.len() {
            let Some(PlacedBag { bag, part, text, .. }) = self.placed.get(number).copied() else { continue };
            let raw = self.raw(number);
            let owner = self.owners.get(&number).copied();
            let kept = |tag| NextBag { tag, raw: Cow::Borrowed(raw), bag: Cow::Borrowed(bag), around: Some(text) };
            let mut next = Vec::new();
            match owner.and_then(|id| Some((id, edits.disposition.get(&id)?))) {
                Some((id, Disposition::Rename(alias))) => {
                    let alias = new_alias(Some(alias))?;
                    let named = AttributeChange { name: Some(Some(alias.as_str())), ..AttributeChange::default() };
                    next.push(self.made(Tag::Entry(id), bag::with_attributes(raw, &named).map_err(unreadable)?)?);
                }
                Some((_, Disposition::Remove)) if self.carries_a_chain(number, &needed) => {
                    // The chain of a key contains this certificate, so it stays for the chain, but is no longer
                    // trusted.
                    let bare = AttributeChange { name: Some(None), distrust: true, ..AttributeChange::default() };
                    next.push(self.made(Tag::Chain, bag::with_attributes(raw, &bare).map_err(unreadable)?)?);
                }
                Some((_, Disposition::Remove)) => {}
                Some((id, Disposition::ReplaceKey { .. })) => match new_keys.remove(&number) {
                    Some(bag) => next.push(bag),
                    None => {
                        let alias =
                            self.entry(id).and_then(|entry| entry.alias.as_deref()).unwrap_or_default().to_owned();
                        return Err(EditError::NotAKey { alias });
                    }
                },
                Some((id, Disposition::Keep)) => next.push(kept(Tag::Entry(id))),
                None => match owner {
                    Some(id) => next.push(kept(Tag::Entry(id))),
                    None if self
                        .print(number)
                        .is_some_and(|print| leaving.contains(&print) && !needed.contains(&print)) => {}
                    None => match self.new_leaf_name(number, &keys, edits)? {
                        Some(alias) => {
                            let named =
                                AttributeChange { name: Some(Some(alias.as_str())), ..AttributeChange::default() };
                            next.push(self.made(Tag::Chain, bag::with_attributes(raw, &named).map_err(unreadable)?)?);
                        }
                        None => next.push(kept(Tag::Chain)),
                    },
                },
            }
            next.extend(rekeyed.remove(&number).unwrap_or_default());
            if let Some(part) = self.parts.get_mut(part) {
                part.touched |= next.len() != 1 || next.iter().any(|bag| matches!(bag.raw, Cow::Owned(_)));
                part.bags.extend(next);
            }
        }
        for bag in homeless {
            self.place_certificate(bag);
        }
        for chain in new_chains {
            self.add_issuers(chain)?;
        }
        Ok(())
    }

    /// The new name of a leaf whose key is renamed. The leaf has the name of its key, so both change together.
    fn new_leaf_name(
        &self,
        number: usize,
        keys: &[(usize, EntryId, Vec<usize>)],
        edits: &Edits,
    ) -> Result<Option<Alias>, EditError> {
        let name = self.placed.get(number).and_then(|placed| placed.bag.name.as_ref());
        let Some(name) = name else { return Ok(None) };
        for (key, id, chain) in keys {
            let old = self.seen.get(*key).and_then(|seen| seen.alias.as_ref());
            if chain.first() == Some(&number)
                && old.is_some_and(|old| old.folds_to(&Alias::of(&name.text)))
                && let Some(Disposition::Rename(alias)) = edits.disposition.get(id)
            {
                return new_alias(Some(alias)).map(|alias| Some(alias.clone()));
            }
        }
        Ok(None)
    }

    fn raw(&self, number: usize) -> &'a [u8] {
        self.placed.get(number).and_then(|placed| placed.text.get(placed.bag.range.clone())).unwrap_or_default()
    }

    fn print(&self, number: usize) -> Option<Fingerprint> {
        Some(self.placed.get(number)?.bag.certificate()?.fingerprint())
    }

    /// Whether a remaining key needs the certificate of this bag, and no other bag holds it for a chain.
    fn carries_a_chain(&self, number: usize, needed: &BTreeSet<Fingerprint>) -> bool {
        let Some(print) = self.print(number).filter(|print| needed.contains(print)) else { return false };
        !(0..self.placed.len()).any(|other| self.is_chained(other) && self.print(other) == Some(print))
    }

    fn is_chained(&self, number: usize) -> bool {
        self.seen.get(number).is_some_and(|seen| seen.role == BagRole::Chained)
    }

    /// Gives a new key, protected, and the localKeyId that ties its certificate to it.
    fn sealed(
        &mut self,
        alias: &str,
        key: &NewKey,
        chain: &[Arc<Certificate>],
        created_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), EditError> {
        let sealed = sealed_key(Format::Pkcs12, alias, key, chain, |plain| {
            let secret = self.secret.ok_or(EditError::PasswordNeeded { format: Format::Pkcs12 })?;
            let scheme = self.protection.key.renewed(rng);
            let data = scheme.seal(plain, secret).map_err(|why| EditError::BadKey { alias: alias.to_owned(), why })?;
            Ok(encode(der::SEQUENCE, &[scheme.identifier(), encode(der::OCTET_STRING, &data)].concat()))
        })?;
        // Two keys made in the same millisecond must not share their certificates.
        let mut moment = created_ms;
        let mut key_id = format!("Time {moment}").into_bytes();
        while self.key_ids.contains(&key_id) {
            moment = moment.wrapping_add(1);
            key_id = format!("Time {moment}").into_bytes();
        }
        self.key_ids.insert(key_id.clone());
        Ok((sealed, key_id))
    }

    fn leaf_bag(
        &self,
        alias: &str,
        chain: &[Arc<Certificate>],
        key_id: &[u8],
    ) -> Result<Option<NextBag<'a>>, EditError> {
        chain.first().map(|leaf| self.made(Tag::Chain, bag::chained(leaf.der(), alias, Some(key_id)))).transpose()
    }

    /// Adds the issuers of a new chain that the file does not contain yet.
    fn add_issuers(&mut self, chain: &[Arc<Certificate>]) -> Result<(), EditError> {
        for certificate in chain.iter().skip(1) {
            let print = certificate.fingerprint();
            let same = |next: &NextBag<'_>| next.bag.certificate().is_some_and(|slot| slot.fingerprint() == print);
            if self.parts.iter().flat_map(|part| &part.bags).any(same) {
                continue;
            }
            // The JDK names the certificates of a chain by their subject.
            let bag = self.made(Tag::Chain, bag::chained(certificate.der(), certificate.subject(), None))?;
            self.place_certificate(bag);
        }
        Ok(())
    }

    /// Adds a new entry.
    pub(super) fn add(&mut self, (number, new): (usize, &NewEntry), rng: &mut dyn CryptoRng) -> Result<(), EditError> {
        match new {
            NewEntry::Trusted { alias, certificate, .. } => {
                let alias = new_alias(alias.as_ref())?.as_str();
                check_certificate(Some(alias), certificate)?;
                let bag = self.made(Tag::New(number), bag::trusted(certificate.der(), alias))?;
                self.place_certificate(bag);
            }
            NewEntry::PrivateKey { alias, key, chain, created_ms } => {
                let alias = new_alias(alias.as_ref())?.as_str();
                let (sealed, key_id) = self.sealed(alias, key, chain, *created_ms, rng)?;
                let bag = self.made(Tag::New(number), bag::sealed_key(&sealed, alias, &key_id))?;
                self.place_key(bag);
                if let Some(leaf) = self.leaf_bag(alias, chain, &key_id)? {
                    self.place_certificate(leaf);
                }
                self.add_issuers(chain)?;
            }
        }
        Ok(())
    }

    /// Places a certificate after the last certificate of the file, so that a reader finds every other certificate no
    /// later than before. A file without certificates gets it in its last encrypted part; if certificates stay in the
    /// clear, in its last empty part; else in a new part.
    fn place_certificate(&mut self, bag: NextBag<'a>) {
        let holds = |part: &NextPart<'_>| part.bags.iter().any(|next| next.bag.certificate().is_some());
        let at = self.parts.iter().rposition(holds).or_else(|| self.parts.iter().rposition(|part| part.seal.is_some()));
        let at = at.or_else(|| {
            let clear = self.protection.certificates.is_none();
            self.parts.iter().rposition(|part| clear && part.bags.is_empty())
        });
        match at.and_then(|at| self.parts.get_mut(at)) {
            Some(part) => {
                part.touched = true;
                part.bags.push(bag);
            }
            None => {
                let seal = self.protection.certificates.clone();
                self.parts.push(NextPart { old: None, seal, bags: vec![bag], touched: true });
            }
        }
    }

    /// Places a key after the last key of the file. In a file without keys it gets a part of its own before all others,
    /// as the JDK writes it.
    fn place_key(&mut self, bag: NextBag<'a>) {
        let is_key = |next: &NextBag<'_>| matches!(next.bag.what, BagContent::SealedKey(_) | BagContent::PlainKey(_));
        let at = self.parts.iter().rposition(|part| part.bags.iter().any(is_key));
        match at.and_then(|at| self.parts.get_mut(at)) {
            Some(part) => {
                part.touched = true;
                part.bags.push(bag);
            }
            None => self.parts.insert(0, NextPart { old: None, seal: None, bags: vec![bag], touched: true }),
        }
    }
}
