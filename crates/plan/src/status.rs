//! The status of every store before anything is judged: whether it can be read, whether it may be written, and whether
//! it is selected. It takes the spec and the facts, and changes nothing.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use trustmason_keystore::Format;
use trustmason_spec::name::{Fqdn, StoreId};
use trustmason_spec::topology::{Access, KeystoreFormat, Reach, Side, StoreDef, StoreKind, Topology, WriteMode};

use crate::finding::FindingKind;
use crate::index::Index;
use crate::observed::{FailureClass, HostLook, Observed, StoreFacts, StoreLook};
use crate::outline::{Expect, PlanOptions, StoreState};
use crate::site::Site;
use crate::why::Why;

/// The status of a store.
pub(crate) struct StoreStatus<'a> {
    pub def: &'a StoreDef,
    pub sight: StoreSituation<'a>,
    /// Whether `--host` and `--side` select the store.
    pub selected: bool,
    /// The path of the store, for people.
    pub path: String,
}

/// How a store was seen, and so what may be done with it.
pub(crate) enum StoreSituation<'a> {
    /// The store opened and may be written.
    Open(&'a StoreFacts),
    /// The store does not exist yet, and may be created.
    Vacant,
    /// A person writes the store, and a copy of it opened.
    Mirror(&'a StoreFacts),
    /// Nobody can see the store; a person writes it, if anybody does.
    Unseen,
    /// Nothing may be written to the store.
    Blocked {
        /// The result of looking at the store.
        found: BlockedContent<'a>,
        /// The obstacle.
        why: Why,
    },
}

/// The result of looking at a store that is blocked.
#[derive(Clone, Copy)]
pub(crate) enum BlockedContent<'a> {
    /// The content of the store.
    Content(&'a StoreFacts),
    /// The store does not exist yet, and could be created.
    Vacant,
    /// The store does not exist, and this program never creates it.
    Missing,
    /// Nothing: the store did not open, or was out of reach.
    Closed,
    /// Nothing: nobody can see the store.
    Unseen,
}

/// The hosts that a person selected.
pub(crate) struct Selection {
    globs: Vec<GlobMatcher>,
    side: Option<Side>,
}

impl Selection {
    pub(crate) fn new(options: &PlanOptions) -> Self {
        let globs = options
            .hosts
            .iter()
            .filter_map(|g| GlobBuilder::new(&g.to_ascii_lowercase()).build().ok())
            .map(|g| g.compile_matcher())
            .collect();
        Self { globs, side: options.side }
    }

    pub(crate) fn takes(&self, topology: &Topology, host: &Fqdn) -> bool {
        let by_name = self.globs.is_empty() || self.globs.iter().any(|g| g.is_match(host.as_str()));
        let by_side = self.side.is_none_or(|side| topology.hosts.get(host).and_then(|h| h.side) == Some(side));
        by_name && by_side
    }
}

/// Whether `--host` and `--side` select a host, so that its stores may be judged and written.
pub fn selects(topology: &Topology, options: &PlanOptions, host: &Fqdn) -> bool {
    Selection::new(options).takes(topology, host)
}

/// Finds the status of every store.
pub(crate) fn take<'a>(
    topology: &'a Topology,
    observed: &'a Observed,
    selection: &Selection,
    index: &Index<'a>,
) -> BTreeMap<StoreId, StoreStatus<'a>> {
    let mut statuses: BTreeMap<StoreId, StoreStatus<'a>> =
        topology.stores.values().map(|def| (def.id.clone(), one(topology, observed, selection, index, def))).collect();
    for unclear in &observed.unclear {
        if let Some(status) = statuses.get_mut(&unclear.store).filter(|status| status.blocked().is_none()) {
            status.block(Why::OutcomeUnclear { run: unclear.run.clone(), detail: unclear.why.clone() });
        }
    }
    block_same_files(&mut statuses);
    block_same_systems(&mut statuses);
    statuses
}

fn one<'a>(
    topology: &'a Topology,
    observed: &'a Observed,
    selection: &Selection,
    index: &Index<'a>,
    def: &'a StoreDef,
) -> StoreStatus<'a> {
    let shown = Site::of(def).path();
    let (sight, path) = sight(topology, observed, index, def, &shown);
    StoreStatus { def, sight, selected: selection.takes(topology, &def.id.host), path: path.unwrap_or(shown) }
}

/// How a store was seen, and its real path if that was found. `shown` is the path that the spec gives.
fn sight<'a>(
    topology: &'a Topology,
    observed: &'a Observed,
    index: &Index<'a>,
    def: &'a StoreDef,
    shown: &str,
) -> (StoreSituation<'a>, Option<String>) {
    let access = topology.hosts.get(&def.id.host).map(|h| &h.access);
    if access == Some(&Access::None) {
        return (StoreSituation::Unseen, None);
    }
    let by_hand = def.is_hand_off();
    if !by_hand && let Some(HostLook::Unreachable(detail)) = observed.hosts.get(&def.id.host) {
        let why = Why::Unreachable { host: def.id.host.clone(), detail: detail.clone() };
        return (StoreSituation::Blocked { found: BlockedContent::Closed, why }, None);
    }
    match observed.stores.get(&def.id) {
        Some(StoreLook::Readable(facts)) => {
            let why = wrong_format(def, facts)
                .or_else(|| emptied(index, def, facts))
                .or_else(|| jvm_unloadable(topology, facts));
            let sight = match why {
                Some(why) => StoreSituation::Blocked { found: BlockedContent::Content(facts), why },
                None if by_hand => StoreSituation::Mirror(facts),
                None => StoreSituation::Open(facts),
            };
            (sight, Some(facts.path.clone()))
        }
        Some(StoreLook::Absent { path, parent }) => {
            let path = path.clone();
            let sight = if by_hand {
                StoreSituation::Unseen
            } else if def.may_be_made() && *parent {
                StoreSituation::Vacant
            } else {
                let why = Why::StoreMissing { path: path.clone(), variables: def.variables.clone() };
                StoreSituation::Blocked { found: BlockedContent::Missing, why }
            };
            (sight, Some(path))
        }
        Some(StoreLook::Unreadable(failure)) => {
            let why = Why::StoreUnreadable { class: failure.class, message: failure.message.clone() };
            let path = failure.path.clone();
            (StoreSituation::Blocked { found: BlockedContent::Closed, why }, path)
        }
        Some(StoreLook::Unobserved) => (StoreSituation::Unseen, None),
        None => {
            let message = format!("{shown} was not read");
            let why = Why::StoreUnreadable { class: FailureClass::Unreadable, message };
            (StoreSituation::Blocked { found: BlockedContent::Closed, why }, None)
        }
    }
}

/// Blocks stores that are one and the same; each names another of them. Without `path` the store's own path is
/// reported.
fn block_each_other(statuses: &mut BTreeMap<StoreId, StoreStatus<'_>>, ids: &[StoreId], path: Option<&str>) {
    for (i, id) in ids.iter().enumerate() {
        let other = ids.get(usize::from(i == 0)).unwrap_or(id).clone();
        if let Some(status) = statuses.get_mut(id) {
            let path = path.map_or_else(|| status.path.clone(), str::to_owned);
            status.block(Why::SameFile { other, path });
        }
    }
}

/// Blocks trust stores of one machine that share a system store. Each would take the other's certificates for its own
/// leftovers.
fn block_same_systems(statuses: &mut BTreeMap<StoreId, StoreStatus<'_>>) {
    let mut seen: BTreeMap<(Fqdn, String), Vec<StoreId>> = BTreeMap::new();
    for (id, status) in statuses.iter() {
        let Reach::System { place, by_hand: false } = &status.def.reach else { continue };
        for store in place.stores() {
            let system = place.path(store).to_lowercase();
            seen.entry((id.host.clone(), system)).or_default().push(id.clone());
        }
    }
    for ((_, path), ids) in seen.into_iter().filter(|(_, ids)| ids.len() > 1) {
        block_each_other(statuses, &ids, Some(&path));
    }
}

/// Why a store's format is wrong. A store that is written must be of the family that its role declares: a service that
/// is told to read JCEKS cannot read a JKS (D9 in docs/findings.md).
fn wrong_format(def: &StoreDef, facts: &StoreFacts) -> Option<Why> {
    let Reach::Direct(files) = &def.reach else { return None };
    let fits = match &files.kind {
        // JSSE's default provider opens JKS and PKCS#12 under either name (JDK `keystore.type.compat`), not JCEKS.
        StoreKind::Keystore(keystore) => match keystore.format {
            KeystoreFormat::Jks | KeystoreFormat::Pkcs12 => matches!(facts.format, Format::Jks | Format::Pkcs12),
            KeystoreFormat::Jceks => facts.format == Format::Jceks,
        },
        StoreKind::PemFile(_) | StoreKind::PemFolder(_) => {
            matches!(facts.format, Format::Pem | Format::PemDirectory | Format::Der)
        }
        StoreKind::PemPair(_) => facts.format == Format::PemPair,
    };
    (!fits).then(|| Why::StoreUnreadable {
        class: FailureClass::WrongFormat,
        message: format!(
            "{} is {}, the role needs {}; restore the right file or declare its format in `stores:`",
            facts.path,
            facts.format.as_str(),
            files.kind.format().as_str()
        ),
    })
}

/// Why an empty identity store is blocked: filled with trust, it would look like a store that only lost its keys.
fn emptied(index: &Index<'_>, def: &StoreDef, facts: &StoreFacts) -> Option<Why> {
    let home = index.homes.get(&def.id).into_iter().flatten().any(|i| i.write == WriteMode::Direct);
    (home && facts.entries.is_empty()).then(|| Why::StoreEmpty { path: facts.path.clone() })
}

/// Why a JVM refuses the whole store because of an entry. A distrusted entry does not count, because it is deleted
/// anyway.
fn jvm_unloadable(topology: &Topology, facts: &StoreFacts) -> Option<Why> {
    facts.remarks.iter().filter(|r| r.is_jvm_unloadable()).find_map(|remark| {
        let entry = facts.entries.iter().find(|e| Some(e.id) == remark.entry())?;
        let slot = crate::observed::trusted(entry);
        let sha256 = slot.map(trustmason_keystore::CertificateSlot::fingerprint);
        if sha256.is_some_and(|s| topology.distrust.contains_key(&s)) {
            return None;
        }
        Some(Why::JvmUnloadable {
            alias: crate::text::escape(entry.alias.as_deref().unwrap_or("")),
            detail: remark.to_string(),
            sha256,
        })
    })
}

fn block_same_files(statuses: &mut BTreeMap<StoreId, StoreStatus<'_>>) {
    let mut seen: BTreeMap<(u64, u64), Vec<StoreId>> = BTreeMap::new();
    for (id, status) in statuses.iter() {
        if let Some(file) = status.facts().and_then(|f| f.file) {
            seen.entry(file).or_default().push(id.clone());
        }
    }
    for ids in seen.into_values().filter(|ids| ids.len() > 1) {
        block_each_other(statuses, &ids, None);
    }
}

impl<'a> StoreStatus<'a> {
    /// The facts that were read from the store, if it could be read.
    pub(crate) fn facts(&self) -> Option<&'a StoreFacts> {
        match self.sight {
            StoreSituation::Open(facts)
            | StoreSituation::Mirror(facts)
            | StoreSituation::Blocked { found: BlockedContent::Content(facts), .. } => Some(facts),
            StoreSituation::Vacant | StoreSituation::Unseen | StoreSituation::Blocked { .. } => None,
        }
    }

    /// Why nothing may be written to the store.
    pub(crate) fn blocked(&self) -> Option<&Why> {
        match &self.sight {
            StoreSituation::Blocked { why, .. } => Some(why),
            StoreSituation::Open(_) | StoreSituation::Vacant | StoreSituation::Mirror(_) | StoreSituation::Unseen => {
                None
            }
        }
    }

    /// The finding that blocks the store, if it is blocked.
    pub(crate) fn blocking(&self) -> Option<FindingKind> {
        self.blocked().map(Why::finding)
    }

    /// Blocks the store: nothing may be written to it from now on.
    pub(crate) fn block(&mut self, why: Why) {
        let found = match self.sight {
            StoreSituation::Open(facts) | StoreSituation::Mirror(facts) => BlockedContent::Content(facts),
            StoreSituation::Vacant => BlockedContent::Vacant,
            StoreSituation::Unseen => BlockedContent::Unseen,
            StoreSituation::Blocked { found, .. } => found,
        };
        self.sight = StoreSituation::Blocked { found, why };
    }

    /// Whether a person writes the store.
    pub(crate) fn is_hand_off(&self) -> bool {
        self.def.is_hand_off()
    }

    /// Whether a person writes the store, or nobody can see it. Its content is then known from what people export and
    /// report.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.is_hand_off()
            || matches!(
                self.sight,
                StoreSituation::Unseen | StoreSituation::Blocked { found: BlockedContent::Unseen, .. }
            )
    }

    /// Whether the store does not exist yet and could be created.
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self.sight, StoreSituation::Vacant | StoreSituation::Blocked { found: BlockedContent::Vacant, .. })
    }

    /// The state of the store, as plans show it.
    pub(crate) fn state(&self) -> StoreState {
        match self.sight {
            StoreSituation::Open(_) | StoreSituation::Mirror(_) => StoreState::Readable,
            StoreSituation::Vacant => StoreState::Absent,
            StoreSituation::Unseen => StoreState::Unobserved,
            StoreSituation::Blocked { found, .. } => match found {
                BlockedContent::Content(_) => StoreState::Readable,
                BlockedContent::Missing => StoreState::Absent,
                // A store that could be created is blocked only if it cannot be told what a run did there.
                BlockedContent::Vacant | BlockedContent::Closed => StoreState::Unreadable,
                BlockedContent::Unseen => StoreState::Unobserved,
            },
        }
    }

    /// The state that the store must have when it is written; `None` if it is never written.
    pub(crate) fn expect(&self) -> Option<Expect> {
        match self.sight {
            StoreSituation::Open(facts) => Some(Expect::Digest(facts.sha256)),
            StoreSituation::Vacant => Some(Expect::Absent),
            StoreSituation::Mirror(_) | StoreSituation::Unseen | StoreSituation::Blocked { .. } => None,
        }
    }
}
