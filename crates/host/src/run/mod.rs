//! Does what a plan says. Every key of the run is made and staged first; then each store is written once with all its
//! changes, those in which an identity changes before those that trust it; then come the packs for people. A store that fails
//! stops no other; a change whose ground failed is left out and said to be. Nothing is decided here: what is not as the plan
//! expects is left alone.
//!
//! Each deed is in the journal before it is done, and the ledger is stored after each store, so that a crash at any moment
//! loses nothing that was done and does nothing twice. Where nothing is to do, nothing is opened for writing.

mod facts;
mod memory;
mod order;
mod outcome;
pub(crate) mod packs;
pub(crate) mod place;
mod proof;
pub(crate) mod tidy;
mod work;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use trustmason_keystore::{Fingerprint, Interner};
use trustmason_plan::change::{Change, Deed, Material, Plan};
use trustmason_plan::ledger::{Ledger, RunRecord};
use trustmason_plan::observed::Observed;
use trustmason_spec::name::{IdentityId, StoreId};
use trustmason_spec::topology::Topology;

use crate::disk::{self, Disk, DiskError};
use crate::journal::{Journal, Record};
use crate::ledger::{self, Loaded};
use crate::lock::{Lock, LockError};
use crate::mint::KeySource;
use crate::secret::Secrets;
use crate::state;
pub use outcome::{ChangeOutcome, Event, Outcomes, PackOutcome, StoreOutcome};
use work::Work;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its digest, which names the run: over the plan's JSON.
    pub digest: Fingerprint,
    /// The topology it was made from.
    pub topology: &'a Topology,
    /// The facts it was made from.
    pub observed: &'a Observed,
    /// The ledger it was made from.
    pub ledger: &'a Loaded,
    /// The time.
    pub now: Timestamp,
}

/// With what it is run.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// Everything written goes through here.
    pub disk: &'a Disk,
    /// The passwords of this run.
    pub secrets: &'a Secrets,
    /// The certificates of this run.
    pub certificates: &'a Interner,
    /// Where keys come from.
    pub keys: &'a dyn KeySource,
}

impl std::fmt::Debug for Hands<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hands(…)")
    }
}

/// Why a run did not begin. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another run is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another run, or a confirmation, came between the looking and the lock.
    #[error("{} was written since this plan was made; plan again", ledger.display())]
    Overtaken {
        /// The ledger.
        ledger: PathBuf,
    },
    /// The state folder cannot be written.
    #[error("nothing was done, since the run could not be recorded: {0}")]
    State(#[from] DiskError),
}

/// Whether a run of this plan would write nothing at all: no store, no pack, no housekeeping.
pub fn is_idle(request: Request<'_>, state: &state::State) -> bool {
    request.plan.changes.is_empty()
        && leftovers(request).is_empty()
        && request.ledger.recovered.is_empty()
        && !packs::due(request.plan, state, &request.ledger.ledger)
}

/// Runs a plan. The lock must be the estate's; it is signed when there is something to write.
///
/// # Errors
/// [`RunError`]: the run did not begin. What goes wrong later is in the [`Outcomes`], store by store.
pub fn run(
    request: Request<'_>,
    hands: Hands<'_>,
    lock: &mut Lock,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<Outcomes, RunError> {
    let Request { plan, digest, topology, observed, ledger: loaded, now } = request;
    let leftovers = leftovers(request);
    let idle = is_idle(request, lock.state());
    if idle {
        lock.unsign(hands.disk)?;
        return Ok(Outcomes::default());
    }
    let begun = Instant::now();
    let disk = hands.disk;
    let state = lock.state().clone();
    let run = new_run(&state, now, digest);
    lock.sign(disk, &run, now)?;
    if !ledger::is_still(&state, loaded)? {
        lock.unsign(disk)?;
        return Err(RunError::Overtaken { ledger: state.ledger() });
    }
    disk.make_dir(&state.run(&run))?;
    let journal = Journal::open(disk, &state, &run)?;
    journal.note(&Record::Begin {
        run: run.clone(),
        plan: digest,
        at: now,
        who: String::new(),
        machine: String::new(),
        undoes: None,
    })?;
    let mut ledger = loaded.ledger.clone();
    ledger.version = ledger::VERSION;
    ledger.estate.clone_from(&topology.estate);
    let record = RunRecord {
        id: run.clone(),
        started: now,
        finished: None,
        plan: digest,
        written: 0,
        failed: 0,
        skipped: 0,
        undoes: None,
        undone_by: None,
        pruned: false,
    };
    ledger.runs.push(record);
    ledger::store(disk, &state, &ledger, &run)?;

    let empty = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (staged, minted, identities) = empty;
    let work = Work { plan, topology, observed, hands, state, run, now, staged, minted, identities };
    let mut running = Running { work, journal, ledger, outcomes: Outcomes::default(), broken: None, open: false };
    running.tidy(leftovers);
    running.mint(progress);
    running.stores(progress);
    running.packs(progress);
    let finished = now.checked_add(begun.elapsed()).unwrap_or(now);
    let outcomes = running.end(finished);
    if let Err(error) = lock.unsign(disk) {
        // The next run takes it back.
        tracing::debug!("{error}");
    }
    Ok(outcomes)
}

/// A run's id is its folder's name; two runs of one plan in one millisecond get different ones.
fn new_run(state: &state::State, now: Timestamp, digest: Fingerprint) -> String {
    let millisecond = jiff::SignedDuration::from_millis(1);
    let mut at = now;
    loop {
        let run = state::run_id(at, digest);
        match at.checked_add(millisecond) {
            Ok(next) if state.run(&run).exists() => at = next,
            Ok(_) | Err(_) => return run,
        }
    }
}

/// Staged keys whose certificate their identity has by now: a run ended between its store and the removal.
fn leftovers(request: Request<'_>) -> Vec<PathBuf> {
    let staging = request.observed.staging.iter();
    let installed = staging.filter(|(identity, look)| {
        let print = look.certificate.fingerprint();
        let view = request.plan.identities.iter().find(|view| view.id == **identity);
        !request.plan.mints.contains_key(*identity) && view.is_some_and(|view| view.sha256 == Some(print))
    });
    installed.map(|(_, look)| look.path.clone()).collect()
}

struct Running<'a> {
    work: Work<'a>,
    journal: Journal<'a>,
    ledger: Ledger,
    outcomes: Outcomes,
    /// The journal cannot be written any more: nothing more is done.
    broken: Option<String>,
    /// Something is left that the next run must see to, as after a crash: the run's record stays open.
    open: bool,
}

impl Running<'_> {
    /// Clears away what earlier runs left in the state folder and beside the stores of this plan.
    fn tidy(&mut self, leftovers: Vec<PathBuf>) {
        let work = &self.work;
        let state = &work.state;
        let mut folders = BTreeSet::from([state.root().to_owned()]);
        folders.extend(work.topology.hosts.keys().map(|host| state.staging_of(host)));
        folders.extend(work.plan.stores.iter().filter_map(|view| {
            let file = view.file.as_ref()?;
            if file.is_dir() { Some(file.clone()) } else { file.parent().map(ToOwned::to_owned) }
        }));
        let removed = leftovers.iter().map(|path| work.hands.disk.remove(path));
        let tidied = folders.iter().map(|folder| tidy::tidy(work.hands.disk, state, &work.run, folder));
        let troubles: Vec<_> = removed.chain(tidied).filter_map(Result::err).map(|e| e.to_string()).collect();
        self.outcomes.troubles.extend(troubles);
    }

    fn mint(&mut self, progress: &mut dyn FnMut(Event<'_>)) {
        if let Err(error) = self.work.mint(&self.journal, progress) {
            self.broken = Some(error.to_string());
        }
        self.outcomes.minted = self.work.minted.clone();
        // Known before the first store is written: whoever waits for such a change is left out, in a circle too.
        for change in &self.work.plan.changes {
            if let Deed::Regenerate { .. } = change.deed
                && let Some(outcome) = self.hindrance(change)
            {
                self.outcomes.changes.insert(change.id, outcome);
            }
        }
    }

    fn stores(&mut self, progress: &mut dyn FnMut(Event<'_>)) {
        let plan = self.work.plan;
        for (id, changes) in order::stores(&plan.changes) {
            let able = self.able(&changes);
            let view = plan.stores.iter().find(|view| view.id == id);
            let outcome = match (view, &self.broken) {
                (_, Some(error)) => StoreOutcome::Failed { error: format!("{id} was not begun: {error}") },
                (None, _) => StoreOutcome::Failed { error: format!("{id} is not in the plan") },
                (Some(_), _) if able.is_empty() => StoreOutcome::Skipped { why: self.why_none(&changes) },
                (Some(view), None) => {
                    progress(Event::Writing { store: &id, changes: able.len() });
                    let written = write::store(&self.work, &self.journal, view, self.ledger.placed.get(&id), &able);
                    self.remember(&id, &able, &written);
                    written.outcome
                }
            };
            let each = match &outcome {
                StoreOutcome::Written { .. } | StoreOutcome::Unchanged => ChangeOutcome::Done,
                StoreOutcome::Stale { .. } => ChangeOutcome::Stale,
                StoreOutcome::Failed { error } => ChangeOutcome::Failed { error: error.clone() },
                StoreOutcome::Skipped { why } => ChangeOutcome::Skipped { why: why.clone() },
            };
            for change in &changes {
                // What was left out has its reason already.
                self.outcomes.changes.entry(change.id).or_insert_with(|| each.clone());
            }
            progress(Event::Stored { store: &id, outcome: &outcome });
            self.outcomes.stores.insert(id, outcome);
        }
    }

    /// The changes whose ground is there. The others get their outcome here.
    fn able<'c>(&mut self, changes: &[&'c Change]) -> Vec<&'c Change> {
        let mut able: Vec<&Change> = Vec::new();
        let mut left: Vec<&Change> = changes.to_vec();
        // A change may wait for one of the same store, whatever their order: go round until nothing more is left out.
        loop {
            let before = left.len();
            left.retain(|change| match self.hindrance(change) {
                None => true,
                Some(outcome) => {
                    self.outcomes.changes.insert(change.id, outcome);
                    false
                }
            });
            if left.len() == before {
                break;
            }
        }
        able.append(&mut left);
        able
    }

    fn hindrance(&self, change: &Change) -> Option<ChangeOutcome> {
        let unmade = |identity: &IdentityId| match self.work.staged.get(identity) {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.clone()),
            None => Some(format!("no key was made for {identity}")),
        };
        match &change.deed {
            Deed::Regenerate { identity, .. } => {
                if let Some(error) = unmade(identity) {
                    return Some(ChangeOutcome::Failed { error });
                }
            }
            Deed::Import { material: Material::Minted(identity), .. }
            | Deed::Replace { material: Material::Minted(identity), .. } => {
                if let Some(error) = unmade(identity) {
                    return Some(ChangeOutcome::Skipped { why: format!("{identity} has no new certificate: {error}") });
                }
            }
            Deed::Import { .. } | Deed::Replace { .. } | Deed::Rename { .. } | Deed::Delete { .. } => {}
        }
        // One that has no outcome yet is of this very store, or closes a circle: its key is staged, the next run resumes it.
        change.depends_on.iter().find_map(|needed| match self.outcomes.changes.get(needed) {
            None | Some(ChangeOutcome::Done) => None,
            Some(ChangeOutcome::Stale | ChangeOutcome::Failed { .. } | ChangeOutcome::Skipped { .. }) => {
                Some(ChangeOutcome::Skipped { why: format!("change {needed}, which must come first, was not made") })
            }
        })
    }

    fn why_none(&self, changes: &[&Change]) -> String {
        let why = changes.iter().find_map(|change| match self.outcomes.changes.get(&change.id)? {
            ChangeOutcome::Skipped { why } | ChangeOutcome::Failed { error: why } => Some(why.clone()),
            ChangeOutcome::Done | ChangeOutcome::Stale => None,
        });
        why.unwrap_or_else(|| "none of its changes could be made".to_owned())
    }

    /// Notes what became of a store, stores the ledger, and lets go of keys that have arrived.
    fn remember(&mut self, id: &StoreId, changes: &[&Change], written: &write::Written) {
        let (word, error) = match &written.outcome {
            StoreOutcome::Written { .. } => ("written", None),
            StoreOutcome::Unchanged => ("unchanged", None),
            StoreOutcome::Stale { why } => ("stale", Some(why.clone())),
            StoreOutcome::Failed { error } => ("failed", Some(error.clone())),
            StoreOutcome::Skipped { why } => ("skipped", Some(why.clone())),
        };
        let pieces = if word == "written" { Vec::new() } else { written.pieces.clone() };
        let record = Record::Outcome { store: id.clone(), outcome: word.to_owned(), error, pieces };
        self.trouble(|run| run.journal.note(&record));
        let pieces = written.intent.iter().flat_map(|intent| &intent.pieces);
        let beside = pieces.flat_map(|piece| disk::temporaries(&piece.path, &self.work.run));
        self.open |= beside.into_iter().any(|path| path.exists());
        if let Some(memory) = written.memory() {
            ledger::remember(&mut self.ledger, id, memory, &self.work.run, self.work.now);
            self.trouble(|run| {
                ledger::store(run.work.hands.disk, &run.work.state, &run.ledger, &run.work.run).map(|_| ())
            });
        }
        if matches!(written.outcome, StoreOutcome::Written { .. } | StoreOutcome::Unchanged) {
            for change in changes {
                if let Deed::Regenerate { identity, .. } = &change.deed {
                    self.unstage(identity);
                }
            }
        }
    }

    fn unstage(&mut self, identity: &IdentityId) {
        let path = self.work.staged.get(identity).and_then(|s| s.as_ref().ok()).map(|s| s.path.clone());
        if let Some(path) = path {
            self.trouble(|run| {
                let disk = run.work.hands.disk;
                disk.remove(&path)?;
                disk.remove_empty_dir(&run.work.state.staging_of(&identity.host))
            });
        }
    }

    fn trouble(&mut self, act: impl FnOnce(&mut Self) -> Result<(), DiskError>) {
        if let Err(error) = act(self) {
            self.outcomes.troubles.push(error.to_string());
        }
    }

    fn packs(&mut self, progress: &mut dyn FnMut(Event<'_>)) {
        for manual in &self.work.plan.manual {
            let outcome = match &self.broken {
                Some(error) => PackOutcome::Failed { error: error.clone() },
                None => packs::write(&self.work, &self.journal, &mut self.ledger, manual),
            };
            progress(Event::Packed { target: &manual.target, outcome: &outcome });
            self.outcomes.packs.insert(manual.target.clone(), outcome);
        }
    }

    fn end(mut self, finished: Timestamp) -> Outcomes {
        let count = |is: fn(&StoreOutcome) -> bool| {
            u32::try_from(self.outcomes.stores.values().filter(|outcome| is(outcome)).count()).unwrap_or(u32::MAX)
        };
        let written = count(|o| matches!(o, StoreOutcome::Written { .. }));
        let failed = count(|o| matches!(o, StoreOutcome::Failed { .. } | StoreOutcome::Stale { .. }));
        let skipped = count(|o| matches!(o, StoreOutcome::Skipped { .. }));
        if let Some(record) = self.ledger.runs.iter_mut().find(|record| record.id == self.work.run) {
            let finished = Some(finished).filter(|_| !self.open);
            *record = RunRecord { finished, written, failed, skipped, ..record.clone() };
        }
        self.trouble(|run| run.journal.note(&Record::End { at: finished }));
        self.trouble(|run| ledger::store(run.work.hands.disk, &run.work.state, &run.ledger, &run.work.run).map(|_| ()));
        self.outcomes.run = Some(self.work.run);
        self.outcomes
    }
}
