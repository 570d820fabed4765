//! Editing a PKCS#12 file: the bags that change are made anew, all others are copied; the result is read by the JDK's rules
//! before anything is encrypted, and an edit that would change what a JVM sees of an untouched entry is refused.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::bag::{self, Attributes, Bag, What};
use super::derive::{Budget, Reading, Secret};
use super::protection::Protection;
use super::scheme::Scheme;
use super::view::{self, Placed, Role, Seen};
use super::{DATA, ENCRYPTED_DATA, Pfx, Seal, encrypted_data, parts_of};
use crate::certificate::Certificate;
use crate::der::{self, Der, DerError, encode, integer};
use crate::edit::{Disposition, Edits, NewEntry, NewKey, acceptable, check_aliases, check_loadable, new_alias};
use crate::error::EditError;
use crate::fingerprint::Fingerprint;
use crate::format::{Format, fold_alias};
use crate::intern::Interner;
use crate::key::{KeyMatch, fits};
use crate::password::Password;
use crate::store::{Entry, EntryId, EntryKind, Store};

/// What a JVM gives a key without a localKeyId; written out where the next reading would no longer give it.
const ONLY: &[u8] = b"01";

/// The next content of the file. Bytes after the PFX are kept.
pub(crate) fn edit(
    store: &Store,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let Some(pfx) = store.pfx.as_deref() else {
        let protection = store.protection.clone().unwrap_or_else(Protection::java8);
        let pfx = Pfx::empty(protection.mac());
        return run(store, &pfx, &protection, edits, password, rng);
    };
    run(store, pfx, &Protection::of(pfx, &store.bytes), edits, password, rng)
}

fn run(
    store: &Store,
    pfx: &Pfx,
    protection: &Protection,
    edits: &Edits,
    password: Option<&Password>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, EditError> {
    let secret = authorise(store, pfx, password)?;
    if edits.is_empty() && !store.fresh {
        return Ok(store.bytes.clone());
    }
    check_loadable(store, edits)?;
    check_aliases(store, edits)?;
    let mut draft = Draft::new(store, pfx, protection, secret)?;
    draft.dispose(edits, rng)?;
    for new in edits.add.iter().enumerate() {
        draft.add(new, rng)?;
    }
    draft.settle(edits)?;
    draft.encode(rng)
}

/// The password must be the one the file was made with; a file without MAC and encryption needs none.
fn authorise<'a>(store: &Store, pfx: &Pfx, password: Option<&'a Password>) -> Result<Option<Secret<'a>>, EditError> {
    let format = Format::Pkcs12;
    if pfx.parts.iter().any(|part| matches!(part.seal, Seal::Closed(_))) {
        return Err(EditError::NotOpened { format });
    }
    if store.fresh {
        let Some(password) = password else { return Err(EditError::PasswordNeeded { format }) };
        if !password.is_printable_ascii() {
            return Err(EditError::PasswordNotAscii { format });
        }
        return Ok(Some(Secret { password, reading: Reading::Terminated }));
    }
    let Some(password) = password else {
        let sealed = pfx.mac.is_some() || pfx.is_encrypted();
        return if sealed { Err(EditError::PasswordNeeded { format }) } else { Ok(None) };
    };
    let safe = pfx.safe.bytes(&store.bytes);
    let opens = |secret: Secret<'_>| match &pfx.mac {
        Some(mac) => mac.verify(safe, secret, &mut Budget::new()).unwrap_or(false),
        None => parts_of(safe, 0).is_ok_and(|parts| {
            parts.iter().zip(&pfx.parts).all(|(part, known)| match &known.seal {
                Seal::Encrypted(scheme) => encrypted_data(&part.content)
                    .is_ok_and(|(_, data)| scheme.open(&data, secret, &mut Budget::new()).is_ok()),
                Seal::Plain | Seal::Closed(_) => true,
            })
        }),
    };
    let readings = Reading::candidates(password);
    let secret = readings.iter().map(|reading| Secret { password, reading: *reading }).find(|secret| opens(*secret));
    secret.map(Some).ok_or(EditError::WrongPassword)
}

/// What a bag of the next content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// The bag of this entry, edited or not.
    Entry(EntryId),
    /// The bag of the new entry with this number.
    New(usize),
    /// A certificate of a chain.
    Chain,
}

struct NextBag<'a> {
    tag: Tag,
    raw: Cow<'a, [u8]>,
    bag: Cow<'a, Bag>,
}

struct NextPart<'a> {
    /// Its bytes so far; `None` for a new part.
    old: Option<&'a [u8]>,
    seal: Option<Scheme>,
    bags: Vec<NextBag<'a>>,
    touched: bool,
}

/// The next content while it is made.
struct Draft<'a> {
    store: &'a Store,
    pfx: &'a Pfx,
    protection: &'a Protection,
    secret: Option<Secret<'a>>,
    /// The bags as they are, what they are, and whose entry each is.
    placed: Vec<Placed<'a>>,
    seen: Vec<Seen>,
    owners: BTreeMap<usize, EntryId>,
    parts: Vec<NextPart<'a>>,
    key_ids: BTreeSet<Vec<u8>>,
    certificates: Interner,
}

fn unreadable(error: DerError) -> EditError {
    let why = format!("a bag does not read back: {}", error.fault.what());
    EditError::NotRepresentable { format: Format::Pkcs12, why }
}

impl<'a> Draft<'a> {
    fn new(
        store: &'a Store,
        pfx: &'a Pfx,
        protection: &'a Protection,
        secret: Option<Secret<'a>>,
    ) -> Result<Self, EditError> {
        let safe = pfx.safe.bytes(&store.bytes);
        let placed = pfx.placed(&store.bytes);
        let seen = view::of(&placed);
        let by_place: BTreeMap<(usize, usize), EntryId> =
            store.entries.iter().zip(&store.places).map(|(e, place)| ((place.file, place.whole.start), e.id)).collect();
        let owner = |(number, placed): (usize, &Placed<'_>)| {
            Some((number, *by_place.get(&(placed.part, placed.bag.range.start))?))
        };
        let owners = placed.iter().enumerate().filter_map(owner).collect();
        let part = |part: &'a super::Part| NextPart {
            old: safe.get(part.whole.clone()),
            seal: match &part.seal {
                Seal::Encrypted(scheme) => Some(scheme.clone()),
                Seal::Plain | Seal::Closed(_) => None,
            },
            bags: Vec::with_capacity(part.bags.len()),
            touched: false,
        };
        Ok(Self {
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
        })
    }

    fn made(&self, tag: Tag, raw: Vec<u8>) -> Result<NextBag<'a>, EditError> {
        let bag =
            Der::ber(&raw).next().and_then(|element| Bag::read(&element, &self.certificates)).map_err(unreadable)?;
        Ok(NextBag { tag, raw: Cow::Owned(raw), bag: Cow::Owned(bag) })
    }

    /// The keys by their bags' numbers, each with its entry and chain.
    fn keys(&self) -> Vec<(usize, EntryId, &[usize])> {
        self.seen
            .iter()
            .enumerate()
            .filter_map(|(number, seen)| match &seen.role {
                Role::Key(chain) => Some((number, *self.owners.get(&number)?, chain.as_slice())),
                _ => None,
            })
            .collect()
    }

    /// Takes the bags over as the dispositions say.
    fn dispose(&mut self, edits: &Edits, rng: &mut dyn CryptoRng) -> Result<(), EditError> {
        let gone = |id: &EntryId| {
            matches!(edits.disposition.get(id), Some(Disposition::Remove | Disposition::ReplaceKey { .. }))
        };
        let keys: Vec<(usize, EntryId, Vec<usize>)> =
            self.keys().into_iter().map(|(number, id, chain)| (number, id, chain.to_vec())).collect();
        // Certificates that keys which stay need for their chains, and those that go with keys which leave.
        let prints = |leave: bool| -> BTreeSet<Fingerprint> {
            let chains = keys.iter().filter(|(_, id, _)| gone(id) == leave).flat_map(|(.., chain)| chain);
            chains.filter_map(|number| self.print(*number)).collect()
        };
        let (needed, leaving) = (prints(false), prints(true));
        let mut rekeyed: BTreeMap<usize, Vec<NextBag<'a>>> = BTreeMap::new();
        let mut homeless: Vec<NextBag<'a>> = Vec::new();
        let mut new_keys: BTreeMap<usize, NextBag<'a>> = BTreeMap::new();
        let mut new_chains: Vec<&Vec<Vec<u8>>> = Vec::new();
        for (number, id, chain) in &keys {
            let Some(Disposition::ReplaceKey { key, chain: next, created_ms }) = edits.disposition.get(id) else {
                continue;
            };
            let alias = self.seen.get(*number).and_then(|seen| seen.alias.clone()).unwrap_or_default();
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
            let Some(Placed { bag, part, .. }) = self.placed.get(number).copied() else { continue };
            let raw = self.raw(number);
            let owner = self.owners.get(&number).copied();
            let kept = |tag| NextBag { tag, raw: Cow::Borrowed(raw), bag: Cow::Borrowed(bag) };
            let mut next = Vec::new();
            match owner.and_then(|id| Some((id, edits.disposition.get(&id)?))) {
                Some((id, Disposition::Rename(alias))) => {
                    let alias = new_alias(Format::Pkcs12, alias)?;
                    let named = Attributes { name: Some(Some(&alias)), ..Attributes::default() };
                    next.push(self.made(Tag::Entry(id), bag::with_attributes(raw, &named).map_err(unreadable)?)?);
                }
                Some((_, Disposition::Remove)) if self.carries_a_chain(number, &needed) => {
                    // A key's chain goes through this certificate: it stays for that, trusted no more.
                    let bare = Attributes { name: Some(None), distrust: true, ..Attributes::default() };
                    next.push(self.made(Tag::Chain, bag::with_attributes(raw, &bare).map_err(unreadable)?)?);
                }
                Some((_, Disposition::Remove)) => {}
                Some((id, Disposition::ReplaceKey { .. })) => match new_keys.remove(&number) {
                    Some(bag) => next.push(bag),
                    None => {
                        let alias = self.store.entry(id).and_then(|entry| entry.alias.clone()).unwrap_or_default();
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
                            let named = Attributes { name: Some(Some(&alias)), ..Attributes::default() };
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

    /// The leaf of a key that is renamed bears its key's name; it goes with it.
    fn new_leaf_name(
        &self,
        number: usize,
        keys: &[(usize, EntryId, Vec<usize>)],
        edits: &Edits,
    ) -> Result<Option<String>, EditError> {
        let name = self.placed.get(number).and_then(|placed| placed.bag.name.as_ref());
        let Some(name) = name else { return Ok(None) };
        for (key, id, chain) in keys {
            let old = self.seen.get(*key).and_then(|seen| seen.alias.as_deref()).unwrap_or_default();
            if chain.first() == Some(&number)
                && fold_alias(old) == fold_alias(&name.text)
                && let Some(Disposition::Rename(alias)) = edits.disposition.get(id)
            {
                return new_alias(Format::Pkcs12, alias).map(Some);
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

    /// Whether a key that stays needs the certificate of this bag, and no other bag has it for that.
    fn carries_a_chain(&self, number: usize, needed: &BTreeSet<Fingerprint>) -> bool {
        let Some(print) = self.print(number).filter(|print| needed.contains(print)) else { return false };
        !(0..self.placed.len()).any(|other| self.is_chained(other) && self.print(other) == Some(print))
    }

    fn is_chained(&self, number: usize) -> bool {
        self.seen.get(number).is_some_and(|seen| seen.role == Role::Chained)
    }

    /// A new key, protected, and the localKeyId that ties its certificate to it.
    fn sealed(
        &mut self,
        alias: &str,
        key: &NewKey,
        chain: &[Vec<u8>],
        created_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), EditError> {
        let name = || alias.to_owned();
        let mut leaf: Option<Certificate> = None;
        for der in chain {
            let certificate = acceptable(Some(alias), der)?;
            leaf.get_or_insert(certificate);
        }
        let leaf = leaf.ok_or_else(|| EditError::EmptyChain { alias: name() })?;
        let sealed = match key {
            NewKey::Sealed(sealed) if sealed.format != Format::Pkcs12 => {
                return Err(EditError::SealedElsewhere { from: sealed.format, to: Format::Pkcs12 });
            }
            NewKey::Sealed(sealed) => sealed.bytes.clone(),
            NewKey::Plain(plain) => {
                match fits(plain, &leaf).map_err(|why| EditError::BadKey { alias: name(), why })? {
                    KeyMatch::No => return Err(EditError::KeyMismatch { alias: name() }),
                    KeyMatch::Yes | KeyMatch::CannotTell => {}
                }
                let secret = self.secret.ok_or(EditError::PasswordNeeded { format: Format::Pkcs12 })?;
                let scheme = self.protection.key.renewed(rng);
                let data = scheme.seal(plain, secret).map_err(|why| EditError::BadKey { alias: name(), why })?;
                encode(der::SEQUENCE, &[scheme.identifier(), encode(der::OCTET_STRING, &data)].concat())
            }
        };
        // Two keys made in one millisecond must not share their certificates.
        let mut moment = created_ms;
        let mut key_id = format!("Time {moment}").into_bytes();
        while self.key_ids.contains(&key_id) {
            moment = moment.wrapping_add(1);
            key_id = format!("Time {moment}").into_bytes();
        }
        self.key_ids.insert(key_id.clone());
        Ok((sealed, key_id))
    }

    fn leaf_bag(&self, alias: &str, chain: &[Vec<u8>], key_id: &[u8]) -> Result<Option<NextBag<'a>>, EditError> {
        chain.first().map(|leaf| self.made(Tag::Chain, bag::chained(leaf, alias, Some(key_id)))).transpose()
    }

    /// The issuers of a new chain, those that stand nowhere yet.
    fn add_issuers(&mut self, chain: &[Vec<u8>]) -> Result<(), EditError> {
        for der in chain.iter().skip(1) {
            let print = Fingerprint::of(der);
            let same = |next: &NextBag<'_>| next.bag.certificate().is_some_and(|slot| slot.fingerprint() == print);
            if self.parts.iter().flat_map(|part| &part.bags).any(same) {
                continue;
            }
            // The JDK names the certificates of a chain by their subject.
            let subject = Certificate::parse(der).map(|c| c.subject().to_owned()).unwrap_or_default();
            let bag = self.made(Tag::Chain, bag::chained(der, &subject, None))?;
            self.place_certificate(bag);
        }
        Ok(())
    }

    /// Adds an entry.
    fn add(&mut self, (number, new): (usize, &NewEntry), rng: &mut dyn CryptoRng) -> Result<(), EditError> {
        match new {
            NewEntry::Trusted { alias, der, .. } => {
                let alias = new_alias(Format::Pkcs12, alias.as_deref().unwrap_or_default())?;
                acceptable(Some(&alias), der)?;
                let bag = self.made(Tag::New(number), bag::trusted(der, &alias))?;
                self.place_certificate(bag);
            }
            NewEntry::PrivateKey { alias, key, chain, created_ms } => {
                let alias = new_alias(Format::Pkcs12, alias)?;
                let (sealed, key_id) = self.sealed(&alias, key, chain, *created_ms, rng)?;
                let bag = self.made(Tag::New(number), bag::sealed_key(&sealed, &alias, &key_id))?;
                self.place_key(bag);
                if let Some(leaf) = self.leaf_bag(&alias, chain, &key_id)? {
                    self.place_certificate(leaf);
                }
                self.add_issuers(chain)?;
            }
        }
        Ok(())
    }

    /// Behind the last certificate, so that no certificate there before is found later than it was; else into an encrypted part,
    /// else into a new one.
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

    /// Behind the last key, else into a part of its own before all others, as the JDK writes it.
    fn place_key(&mut self, bag: NextBag<'a>) {
        let is_key = |next: &NextBag<'_>| matches!(next.bag.what, What::SealedKey(_) | What::PlainKey(_));
        let at = self.parts.iter().rposition(|part| part.bags.iter().any(is_key));
        match at.and_then(|at| self.parts.get_mut(at)) {
            Some(part) => {
                part.touched = true;
                part.bags.push(bag);
            }
            None => self.parts.insert(0, NextPart { old: None, seal: None, bags: vec![bag], touched: true }),
        }
    }

    /// Reads the draft by the JDK's rules. Names and ties that the JDK only guesses are written out where the guess would change;
    /// then every entry must be what it was, or what was asked for.
    fn settle(&mut self, edits: &Edits) -> Result<(), EditError> {
        if let Some(pins) = self.pins(edits) {
            for (part, position, pin) in pins {
                let raw =
                    self.parts.get(part).and_then(|p| p.bags.get(position)).map(|next| (next.tag, next.raw.to_vec()));
                let Some((tag, raw)) = raw else { continue };
                let attributes = Attributes {
                    name: pin.name.as_deref().map(Some),
                    key_id: pin.key_id.then_some(Some(ONLY)),
                    distrust: false,
                };
                let made = self.made(tag, bag::with_attributes(&raw, &attributes).map_err(unreadable)?)?;
                if let Some(part) = self.parts.get_mut(part) {
                    part.touched = true;
                    if let Some(slot) = part.bags.get_mut(position) {
                        *slot = made;
                    }
                }
            }
        }
        match self.changed(edits) {
            Some(why) => Err(EditError::NotRepresentable { format: Format::Pkcs12, why }),
            None => Ok(()),
        }
    }

    /// The draft as a JVM reads it.
    fn next(&self) -> (Vec<Placed<'_>>, Vec<Tag>, Vec<Seen>) {
        let mut placed = Vec::new();
        let mut tags = Vec::new();
        for (part, one) in self.parts.iter().enumerate() {
            for (position, next) in one.bags.iter().enumerate() {
                placed.push(Placed { bag: &next.bag, part, position, text: &[] });
                tags.push(next.tag);
            }
        }
        let seen = view::of(&placed);
        (placed, tags, seen)
    }

    fn pins(&self, edits: &Edits) -> Option<Vec<(usize, usize, Pin)>> {
        let (placed, tags, seen) = self.next();
        let mut pins: BTreeMap<usize, Pin> = BTreeMap::new();
        for (number, (tag, now)) in tags.iter().zip(&seen).enumerate() {
            let Tag::Entry(id) = tag else { continue };
            let (Some(entry), Some(place)) = (self.store.entry(*id), placed.get(number)) else { continue };
            if matches!(edits.disposition.get(id), None | Some(Disposition::Keep | Disposition::ReplaceKey { .. }))
                && place.bag.name.is_none()
                && now.alias != entry.alias
            {
                pins.entry(number).or_default().name.clone_from(&entry.alias);
            }
            // A key tied to its certificate by being the only one.
            if let (EntryKind::PrivateKey { chain }, Role::Key(next)) = (&entry.kind, &now.role)
                && place.bag.key_id.is_none()
                && matches!(place.bag.what, What::SealedKey(_))
                && next.is_empty()
                && let Some(leaf) = chain.first()
            {
                pins.entry(number).or_default().key_id = true;
                let own = |placed: &Placed<'_>| {
                    placed.bag.key_id.is_none()
                        && !placed.bag.trusted
                        && placed.bag.certificate().is_some_and(|slot| slot.fingerprint() == leaf.fingerprint())
                };
                if let Some(at) = placed.iter().position(own) {
                    pins.entry(at).or_default().key_id = true;
                }
            }
        }
        let place = |(number, pin): (usize, Pin)| placed.get(number).map(|placed| (placed.part, placed.position, pin));
        (!pins.is_empty()).then(|| pins.into_iter().filter_map(place).collect())
    }

    /// What a JVM would see of an entry that is neither as it was nor as it was to become.
    fn changed(&self, edits: &Edits) -> Option<String> {
        let (placed, tags, seen) = self.next();
        let prints = |role: &Role| match role {
            Role::Key(chain) => chain
                .iter()
                .filter_map(|number| placed.get(*number)?.bag.certificate())
                .map(crate::intern::CertificateSlot::fingerprint)
                .collect(),
            _ => Vec::new(),
        };
        for (tag, now) in tags.iter().zip(&seen) {
            let expected = match tag {
                Tag::Chain => continue,
                Tag::Entry(id) => self.store.entry(*id).map(|entry| kept(entry, edits)),
                Tag::New(number) => edits.add.get(*number).map(added),
            };
            let Some((alias, chain)) = expected else { continue };
            let now_prints: Vec<Fingerprint> = prints(&now.role);
            let name = now.alias.as_deref().unwrap_or_default();
            // A chain may grow at its end: the JDK completes it from whatever else the file holds.
            if !now_prints.starts_with(&chain) {
                return Some(format!(
                    "the chain of `{}` would not be what it should be, because another certificate in the file bears the name of \
                     one of its issuers; remove that one first",
                    crate::text::visible(name)
                ));
            }
            let same = match (&alias, &now.alias) {
                (Some(alias), Some(now)) => fold_alias(alias) == fold_alias(now),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Some(format!(
                    "an entry would be called `{}` afterwards; give it a name of its own first",
                    crate::text::visible(name)
                ));
            }
        }
        None
    }

    /// The bytes. Parts without changes are copied; the MAC is always new.
    fn encode(&self, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, EditError> {
        let cannot = |why: String| EditError::NotRepresentable { format: Format::Pkcs12, why };
        let mut safe = Vec::with_capacity(self.store.bytes.len() + 4096);
        for part in &self.parts {
            match (part.old, part.touched) {
                (Some(old), false) => safe.extend_from_slice(old),
                _ => {
                    let bags: usize = part.bags.iter().map(|bag| bag.raw.len()).sum();
                    let mut text = Zeroizing::new(Vec::with_capacity(bags));
                    for bag in &part.bags {
                        text.extend_from_slice(&bag.raw);
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
        out.extend_from_slice(self.store.bytes.get(self.pfx.end..).unwrap_or_default());
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

/// What is to be written out of what the JDK guesses.
#[derive(Debug, Default)]
struct Pin {
    name: Option<String>,
    key_id: bool,
}

fn content_info(kind: &[u8], content: &[u8]) -> Vec<u8> {
    encode(der::SEQUENCE, &[encode(der::OID, kind), encode(der::CONTEXT_0, content)].concat())
}

/// Alias and chain of an entry that was there.
fn kept(entry: &Entry, edits: &Edits) -> (Option<String>, Vec<Fingerprint>) {
    let chain = |entry: &Entry| match &entry.kind {
        EntryKind::PrivateKey { chain } => chain.iter().map(crate::intern::CertificateSlot::fingerprint).collect(),
        _ => Vec::new(),
    };
    match edits.disposition.get(&entry.id) {
        Some(Disposition::Rename(alias)) => (Some(alias.clone()), chain(entry)),
        Some(Disposition::ReplaceKey { chain, .. }) => {
            (entry.alias.clone(), chain.iter().map(|der| Fingerprint::of(der)).collect())
        }
        None | Some(Disposition::Keep | Disposition::Remove) => (entry.alias.clone(), chain(entry)),
    }
}

/// Alias and chain of a new entry.
fn added(new: &NewEntry) -> (Option<String>, Vec<Fingerprint>) {
    match new {
        NewEntry::Trusted { alias, .. } => (alias.clone(), Vec::new()),
        NewEntry::PrivateKey { alias, chain, .. } => {
            (Some(alias.clone()), chain.iter().map(|der| Fingerprint::of(der)).collect())
        }
    }
}
