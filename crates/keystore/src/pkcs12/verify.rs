//! Checks a draft before anything is encrypted. The module reads the draft by the JDK's rules, and refuses an edit that
//! would change what a JVM sees of an entry that the edit does not name.

use std::collections::BTreeMap;

use super::bag::{self, AttributeChange, BagContent};
use super::draft::{Pkcs12Draft, Tag, unreadable};
use super::view::{self, BagRole, BagView, PlacedBag};
use crate::alias::{Alias, StoredAlias};
use crate::edit::{Disposition, Edits, NewEntry};
use crate::entry::{Entry, EntryId, EntryKind};
use crate::error::EditError;
use crate::fingerprint::Fingerprint;
use crate::format::Format;
use crate::intern::CertificateSlot;

/// The localKeyId that a JVM gives to a key without one. It is written into the file where the next reading would no
/// longer give it.
const FIRST_KEY_ID: &[u8] = b"01";

/// Names and ties that the JDK guesses and that must be written into the file.
#[derive(Debug, Default)]
struct Pin {
    name: Option<StoredAlias>,
    key_id: Option<Vec<u8>>,
}

impl Pkcs12Draft<'_> {
    /// Reads the draft by the JDK's rules. The names and ties that the JDK only guesses are written into the file where
    /// the guess would change. After that every entry must be as before, or as the edit asks.
    pub(super) fn verify(&mut self, edits: &Edits) -> Result<(), EditError> {
        if let Some(pins) = self.pins(edits) {
            for (part, position, pin) in pins {
                let raw =
                    self.parts.get(part).and_then(|p| p.bags.get(position)).map(|next| (next.tag, next.raw.to_vec()));
                let Some((tag, raw)) = raw else { continue };
                let attributes = AttributeChange {
                    name: pin.name.as_deref().map(Some),
                    key_id: pin.key_id.as_deref().map(Some),
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
    fn next(&self) -> (Vec<PlacedBag<'_>>, Vec<Tag>, Vec<BagView>) {
        let mut placed = Vec::new();
        let mut tags = Vec::new();
        for (part, one) in self.parts.iter().enumerate() {
            for (position, next) in one.bags.iter().enumerate() {
                placed.push(PlacedBag { bag: &next.bag, part, position, text: next.text() });
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
            let (Some(entry), Some(place)) = (self.entry(*id), placed.get(number)) else { continue };
            if matches!(edits.disposition.get(id), None | Some(Disposition::Keep | Disposition::ReplaceKey { .. }))
                && place.bag.name.is_none()
                && now.alias != entry.alias
            {
                pins.entry(number).or_default().name.clone_from(&entry.alias);
            }
            // A key that a JVM shows, or ties to its certificate, only because the key comes first.
            if let (EntryKind::PrivateKey { chain }, BagRole::Key(next)) = (&entry.kind, &now.role)
                && matches!(place.bag.what, BagContent::SealedKey(_))
                && (next.is_empty() && !chain.is_empty() || now.hidden.is_some() && !self.was_hidden(*id))
            {
                let id = place.bag.key_id.as_deref().unwrap_or(FIRST_KEY_ID).to_vec();
                pins.entry(number).or_default().key_id = Some(id.clone());
                let Some(leaf) = chain.first() else { continue };
                let own = |placed: &PlacedBag<'_>| {
                    placed.bag.key_id.is_none()
                        && !placed.bag.trusted
                        && placed.bag.certificate().is_some_and(|slot| slot.fingerprint() == leaf.fingerprint())
                };
                if let Some(at) = placed.iter().position(own) {
                    pins.entry(at).or_default().key_id = Some(id);
                }
            }
        }
        let place = |(number, pin): (usize, Pin)| placed.get(number).map(|placed| (placed.part, placed.position, pin));
        (!pins.is_empty()).then(|| pins.into_iter().filter_map(place).collect())
    }

    /// Whether no JVM shows this key in the file before the edit.
    fn was_hidden(&self, id: EntryId) -> bool {
        let owned = self.owners.iter().find(|(_, owner)| **owner == id);
        owned.and_then(|(number, _)| self.seen.get(*number)).is_some_and(|seen| seen.hidden.is_some())
    }

    /// Describes the first entry that a JVM would show neither as before nor as the edit asks; `None` if there is none.
    fn changed(&self, edits: &Edits) -> Option<String> {
        let (placed, tags, seen) = self.next();
        let prints = |role: &BagRole| match role {
            BagRole::Key(chain) => chain
                .iter()
                .filter_map(|number| placed.get(*number)?.bag.certificate())
                .map(CertificateSlot::fingerprint)
                .collect(),
            _ => Vec::new(),
        };
        for (tag, now) in tags.iter().zip(&seen) {
            let expected = match tag {
                Tag::Chain => continue,
                Tag::Entry(id) => self.entry(*id).map(|entry| kept(entry, edits)),
                Tag::New(number) => edits.add.get(*number).map(added),
            };
            let Some((alias, chain)) = expected else { continue };
            if let Tag::Entry(id) = tag
                && matches!(edits.disposition.get(id), None | Some(Disposition::Keep))
                && self.was_hidden(*id) != now.hidden.is_some()
            {
                return Some(format!(
                    "a JVM would {} the private key `{}`, because it finds keys without a localKeyId by their order; export the key again first",
                    if now.hidden.is_some() { "no longer see" } else { "begin to see" },
                    crate::text::visible(now.alias.as_deref().unwrap_or_default())
                ));
            }
            let now_prints: Vec<Fingerprint> = prints(&now.role);
            let name = now.alias.as_deref().unwrap_or_default();
            // A chain may grow at its end: the JDK completes it from other certificates in the file.
            let invented = chain.is_empty() && !now_prints.is_empty() && now.hidden.is_none();
            if !now_prints.starts_with(&chain) || invented {
                return Some(format!(
                    "the chain of `{}` would be wrong, because another certificate in the file has the name of one of its \
                     issuers; remove that certificate first",
                    crate::text::visible(name)
                ));
            }
            let same = match (&alias, &now.alias) {
                (Some(alias), Some(now)) => now.folds_to(alias),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Some(format!(
                    "an entry would get the name `{}`; give that entry a name of its own first",
                    crate::text::visible(name)
                ));
            }
        }
        None
    }
}

/// The alias and chain that an existing entry must have after the edit.
fn kept(entry: &Entry, edits: &Edits) -> (Option<Alias>, Vec<Fingerprint>) {
    let chain = |entry: &Entry| match &entry.kind {
        EntryKind::PrivateKey { chain } => chain.iter().map(CertificateSlot::fingerprint).collect(),
        _ => Vec::new(),
    };
    match edits.disposition.get(&entry.id) {
        Some(Disposition::Rename(alias)) => (Some(alias.clone()), chain(entry)),
        Some(Disposition::ReplaceKey { chain, .. }) => {
            (entry.alias.as_ref().map(StoredAlias::fold), chain.iter().map(|one| one.fingerprint()).collect())
        }
        None | Some(Disposition::Keep | Disposition::Remove) => {
            (entry.alias.as_ref().map(StoredAlias::fold), chain(entry))
        }
    }
}

/// The alias and chain of a new entry.
fn added(new: &NewEntry) -> (Option<Alias>, Vec<Fingerprint>) {
    let chain = match new {
        NewEntry::Trusted { .. } => Vec::new(),
        NewEntry::PrivateKey { chain, .. } => chain.iter().map(|one| one.fingerprint()).collect(),
    };
    (new.alias().cloned(), chain)
}
