//! The bags of a file as a JVM sees them. The module takes all bags of a file and gives the role of each: which bags
//! are entries, under which alias, and which certificates are the chain of a key. It never changes a bag.
//!
//! The rules are those of `sun.security.pkcs12.PKCS12KeyStore.loadSafeContents`, `findMatchedCertificate` and
//! `findIssuer` of JDK 17. A bag that the JDK skips silently is an entry here as well, with the reason.

use std::collections::{HashMap, HashSet};

use super::bag::{Bag, BagContent};
use crate::alias::{Alias, StoredAlias};
use crate::certificate::{Certificate, SignatureCheck};
use crate::fingerprint::Fingerprint;
use crate::key::{KeyMatch, fits};

/// A bag with its place: the number of its part, and its number in the part.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlacedBag<'a> {
    pub(super) bag: &'a Bag,
    pub(super) part: usize,
    pub(super) position: usize,
    /// The text of the part.
    pub(super) text: &'a [u8],
}

/// The role of a bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BagRole {
    Trusted,
    /// A private key, with the numbers of its chain's bags, leaf first.
    Key(Vec<usize>),
    Secret,
    Untrusted,
    Opaque,
    /// A certificate that is only a part of a key's chain.
    Chained,
}

/// The role and the alias of a bag.
#[derive(Debug, Clone)]
pub(super) struct BagView {
    pub(super) role: BagRole,
    pub(super) alias: Option<StoredAlias>,
    /// Why no JVM shows the bag although it is a key.
    pub(super) hidden: Option<&'static str>,
}

/// The localKeyId that the JDK gives to the first key if it has none.
const FIRST_KEY_ID: &[u8] = b"01";

/// One row for each bag, in the same order.
pub(super) fn of(bags: &[PlacedBag<'_>]) -> Vec<BagView> {
    let mut nameless = 0u32;
    let mut next_name = || {
        nameless += 1;
        StoredAlias::from(nameless.to_string())
    };
    let mut sealed_keys = 0usize;
    let mut key_ids: Vec<Option<Vec<u8>>> = Vec::with_capacity(bags.len());
    let mut seen: Vec<BagView> = Vec::with_capacity(bags.len());
    for PlacedBag { bag, position, .. } in bags {
        let name = bag.name.as_ref().map(|name| StoredAlias::from(name.text.as_str()));
        let mut key_id = bag.key_id.clone();
        let mut hidden = None;
        let (role, alias) = match &bag.what {
            BagContent::SealedKey(_) => {
                sealed_keys += 1;
                if key_id.is_none() && sealed_keys == 1 {
                    key_id = Some(FIRST_KEY_ID.to_vec());
                }
                if key_id.is_some() {
                    (BagRole::Key(Vec::new()), Some(name.unwrap_or_else(&mut next_name)))
                } else {
                    hidden = Some("it has no localKeyId and is not the first key");
                    (BagRole::Key(Vec::new()), name)
                }
            }
            BagContent::PlainKey(_) => {
                hidden = Some("it is in an unencrypted KeyBag");
                (BagRole::Key(Vec::new()), name)
            }
            BagContent::Secret => (BagRole::Secret, Some(name.unwrap_or_else(&mut next_name))),
            BagContent::Certificate(_) => {
                if key_id.is_none() && sealed_keys == 1 && *position == 0 {
                    key_id = Some(FIRST_KEY_ID.to_vec());
                }
                if bag.trusted {
                    (BagRole::Trusted, Some(name.unwrap_or_else(&mut next_name)))
                } else {
                    (BagRole::Untrusted, name)
                }
            }
            BagContent::Other(_) | BagContent::ForeignCertificate(_) => (BagRole::Opaque, name),
        };
        key_ids.push(key_id);
        seen.push(BagView { role, alias, hidden });
    }
    chains(bags, &key_ids, &mut seen);
    seen
}

fn chains(bags: &[PlacedBag<'_>], key_ids: &[Option<Vec<u8>>], seen: &mut [BagView]) {
    let keys: Vec<usize> =
        (0..seen.len()).filter(|n| seen.get(*n).is_some_and(|s| matches!(s.role, BagRole::Key(_)))).collect();
    if keys.is_empty() {
        return;
    }
    let issuers = Issuers::new(bags);
    let mut used = HashSet::new();
    for key in keys {
        let Some(leaf) = leaf(bags, key_ids, seen, key) else { continue };
        let chain = issuers.chain(bags, leaf);
        used.extend(chain.iter().copied());
        if let Some(row) = seen.get_mut(key) {
            row.role = BagRole::Key(chain);
        }
    }
    // The JDK writes a certificate once for each chain and entry that contains it. A duplicate of a chain's certificate
    // is no entry.
    let prints: HashSet<Fingerprint> =
        used.iter().filter_map(|number| Some(bags.get(*number)?.bag.certificate()?.fingerprint())).collect();
    for (placed, row) in bags.iter().zip(seen.iter_mut()) {
        let chained = placed.bag.certificate().is_some_and(|slot| prints.contains(&slot.fingerprint()));
        if chained && row.role == BagRole::Untrusted {
            row.role = BagRole::Chained;
        }
    }
}

/// The certificate of a key: the first one with the same localKeyId and alias; else the last one with the same
/// localKeyId; else the last one with the same alias. A key in the clear without any of these has the certificate with
/// its public key.
fn leaf(bags: &[PlacedBag<'_>], key_ids: &[Option<Vec<u8>>], seen: &[BagView], key: usize) -> Option<usize> {
    // No JVM shows a key in the clear, so a localKeyId that a JVM guesses ties no certificate to it.
    let guessed = !matches!(bags.get(key)?.bag.what, BagContent::PlainKey(_));
    let own_id = key_ids.get(key)?.as_deref();
    let own = seen.get(key)?;
    let (mut by_id, mut by_alias) = (None, None);
    for (number, placed) in bags.iter().enumerate() {
        if placed.bag.certificate().is_none() || placed.bag.trusted {
            continue;
        }
        let same_alias = match (&own.alias, &placed.bag.name) {
            (Some(alias), Some(name)) => alias.folds_to(&Alias::of(&name.text)),
            _ => false,
        };
        let id = if guessed { key_ids.get(number)?.as_deref() } else { placed.bag.key_id.as_deref() };
        if own_id.is_some() && own_id == id {
            if same_alias {
                return Some(number);
            }
            by_id = Some(number);
        } else if same_alias {
            by_alias = Some(number);
        }
    }
    by_id.or(by_alias).or_else(|| by_public_key(bags, key))
}

/// The certificate that contains the public key of a key in the clear.
fn by_public_key(bags: &[PlacedBag<'_>], key: usize) -> Option<usize> {
    let PlacedBag { bag, text, .. } = bags.get(key)?;
    let BagContent::PlainKey(range) = &bag.what else { return None };
    let plain = text.get(range.clone())?;
    let own = |placed: &PlacedBag<'_>| {
        let certificate = placed.bag.certificate().and_then(|slot| slot.certificate());
        certificate.is_some_and(|certificate| fits(plain, certificate) == Ok(KeyMatch::Yes))
    };
    bags.iter().position(own)
}

/// A name in a form for comparison. The JDK ignores case and repeated blanks.
fn name(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

struct Issuers {
    by_subject: HashMap<String, Vec<usize>>,
}

impl Issuers {
    fn new(bags: &[PlacedBag<'_>]) -> Self {
        let mut by_subject: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, placed) in bags.iter().enumerate() {
            if let Some(certificate) = parsed(placed) {
                by_subject.entry(name(certificate.subject())).or_default().push(number);
            }
        }
        Self { by_subject }
    }

    fn chain(&self, bags: &[PlacedBag<'_>], leaf: usize) -> Vec<usize> {
        let mut chain = vec![leaf];
        let mut prints = HashSet::new();
        let mut last = leaf;
        while let Some(certificate) = bags.get(last).and_then(parsed) {
            prints.insert(certificate.fingerprint());
            if is_self_signed(certificate) {
                break;
            }
            let Some(issuer) = self.issuer(bags, certificate) else { break };
            match bags.get(issuer).and_then(parsed) {
                // A loop: the JDK stops before a certificate that the chain has already.
                Some(next) if prints.contains(&next.fingerprint()) => break,
                _ => chain.push(issuer),
            }
            last = issuer;
        }
        chain
    }

    fn issuer(&self, bags: &[PlacedBag<'_>], certificate: &Certificate) -> Option<usize> {
        let candidates = self.by_subject.get(&name(certificate.issuer()))?;
        let Some(wanted) = certificate.authority_key_id() else {
            return candidates.first().copied();
        };
        let mut fallback = None;
        for number in candidates {
            match bags.get(*number).and_then(parsed).map(|candidate| candidate.subject_key_id()) {
                Some(Some(id)) if id == wanted => return Some(*number),
                Some(None) => fallback = Some(*number),
                _ => {}
            }
        }
        fallback
    }
}

fn parsed<'a>(placed: &PlacedBag<'a>) -> Option<&'a Certificate> {
    placed.bag.certificate().and_then(|slot| slot.certificate()).map(|certificate| &**certificate)
}

fn is_self_signed(certificate: &Certificate) -> bool {
    name(certificate.subject()) == name(certificate.issuer())
        && certificate.verify_signed_by(certificate) != SignatureCheck::Invalid
}
