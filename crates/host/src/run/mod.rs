//! Carries out a plan. It takes a plan with the facts that it was made from, and gives outcomes store by store. First
//! every key of the run is made and staged; then each store is written once with all its changes, identities before the
//! stores that trust them; then the packs for people are written. A failed store stops no other store. A change that
//! needs a failed one is left out and reported. Nothing is decided here: a store that is not as the plan expects is
//! left alone.
//!
//! Each action is in the journal before it is done, so a crash at any moment loses nothing that was done and repeats
//! nothing. The ledger is stored when the run begins and when it ends. If there is nothing to do, nothing is opened for
//! writing.

pub(crate) mod error;
mod facts;
mod files;
pub(crate) mod leftovers;
mod order;
mod outcome;
pub(crate) mod packs;
mod proof;
mod stores;
pub(crate) mod windows;
mod work;
pub(crate) mod write;
pub(crate) mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use trustmason_keystore::{Digest, Interner};
use trustmason_plan::change::Edit;
use trustmason_plan::observed::Observed;
use trustmason_plan::outline::Plan;
use trustmason_plan::text::clauses;
use trustmason_plan::undo;
use trustmason_plan::{Defect, verify};
use trustmason_spec::topology::Topology;

use crate::disk::Disk;
use crate::mint::KeySource;
use crate::record::audit::Author;
use crate::record::ledger::Loaded;
pub use crate::record::run_record::{BeginError, HaltError};
use crate::record::run_record::{Counts, RunRecorder, RunStart};
use crate::secret::Secrets;
use crate::state;
use crate::state::lock::Lock;
pub use error::{
    AuthorityError, ChangeError, DeclarationError, NewKeyError, PackError, RefusedEdit, SkipReason, StaleError,
    StoreWriteError, StoreWriteFailure, SystemStoreChangeError,
};
pub use outcome::{ChangeOutcome, Outcomes, PackOutcome, RunEvent, StoreOutcome};
pub use proof::ProofError;
pub(crate) use stores::outcome as outcome_line;
use work::RunInProgress;

/// The request for a run.
#[derive(Clone, Copy, Debug)]
pub struct RunRequest<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The digest of the plan's JSON, which names the run.
    pub digest: Digest,
    /// The topology that the plan was made from.
    pub topology: &'a Topology,
    /// The facts that the plan was made from.
    pub observed: &'a Observed,
    /// The ledger that the plan was made from.
    pub ledger: &'a Loaded,
    /// The time.
    pub now: Timestamp,
    /// The author of the run.
    pub author: Author<'a>,
}

/// The resources that a run works with.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The disk; everything is written through it.
    pub disk: &'a Disk,
    /// The passwords of this run.
    pub secrets: &'a Secrets,
    /// The certificates of this run.
    pub certificates: &'a Interner,
    /// Where keys come from.
    pub keys: &'a dyn KeySource,
    /// How many stores may be written at the same time.
    pub threads: usize,
    /// Set to end the run: stores that are being written are finished, the others are left for the next run.
    pub stop: &'a AtomicBool,
}

impl RunContext<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl std::fmt::Debug for RunContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunContext(…)")
    }
}

/// Why a run did not begin. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The record of the run could not be opened.
    #[error(transparent)]
    Books(#[from] BeginError),
    /// The plan contradicts itself, which is a defect of the planner.
    #[error(
        "nothing was done: the plan contradicts itself ({}); this is a defect of trustmason; report it with the plan \
         (trustmason plan --out FILE)",
        clauses(defects)
    )]
    Defective {
        /// The defects of the plan.
        defects: Vec<Defect>,
    },
}

/// Whether there is nothing to do for a run: no change, request, pack or leftover, and no interrupted run to complete.
/// [`run()`] then only removes the files of completed packs.
pub fn is_idle(plan: &Plan, observed: &Observed, loaded: &Loaded, state: &state::State) -> bool {
    plan.changes.is_empty()
        && plan.mints.values().all(|mint| mint.request.is_none())
        && leftovers(plan, observed).is_empty()
        && loaded.recovered.is_empty()
        && !packs::due(plan, state, &loaded.ledger)
}

/// Carries out a plan. The lock must be the estate's; it is signed when there is something to write.
///
/// # Errors
/// [`RunError`]: the run did not begin. Later failures are in the [`Outcomes`], store by store.
pub fn run(
    request: RunRequest<'_>,
    context: RunContext<'_>,
    lock: &mut Lock,
    progress: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Outcomes, RunError> {
    let RunRequest { plan, digest, topology, observed, ledger: loaded, now, author } = request;
    let defects = verify(plan);
    if !defects.is_empty() {
        return Err(RunError::Defective { defects });
    }
    let leftovers = leftovers(plan, observed);
    let idle = is_idle(plan, observed, loaded, lock.state());
    if idle {
        // The files or an export show that a pack was carried out: no run is needed to remove the pack's files.
        let away = packs::done(plan, &loaded.ledger);
        let troubles = away.filter_map(|target| packs::put_away(context.disk, lock.state(), target).err());
        let troubles = troubles.map(|error| error.to_string()).collect();
        lock.unsign(context.disk).map_err(BeginError::from)?;
        return Ok(Outcomes { troubles, ..Outcomes::default() });
    }
    let begun = Instant::now();
    let (hosts, side) = (plan.options.hosts.as_slice(), plan.options.side);
    let beginning = RunStart { digest, topology, loaded, now, author, undoes: None, hosts, side };
    let recorder = RunRecorder::open(context.disk, lock, beginning)?;
    let empty = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (staged, minted, identities) = empty;
    let requests = BTreeMap::new();
    let (state, run) = (recorder.state.clone(), recorder.run.clone());
    let presented = undo::presented(topology, observed);
    let work = RunInProgress {
        plan,
        topology,
        observed,
        context,
        state,
        run,
        now,
        staged,
        minted,
        identities,
        requests,
        presented,
    };
    let mut running = Running { work, recorder, outcomes: Outcomes::default(), broken: None };
    running.clear_leftovers(leftovers);
    running.mint(progress);
    running.stores(lock, progress);
    running.packs(lock, progress);
    let finished = now.checked_add(begun.elapsed()).unwrap_or(now);
    let outcomes = running.end(lock, finished);
    if let Err(error) = lock.unsign(context.disk) {
        // The next run removes the signature.
        tracing::debug!("{error}");
    }
    Ok(outcomes)
}

/// Staged keys whose certificate their identity already has: a run ended after it wrote the store and before it removed
/// the staged key.
fn leftovers(plan: &Plan, observed: &Observed) -> Vec<PathBuf> {
    let staging = observed.staging.iter().filter_map(|(identity, look)| Some((identity, look.key()?)));
    let installed = staging.filter(|(identity, look)| {
        let view = plan.identities.iter().find(|view| view.id == **identity);
        let current = view.and_then(|view| view.certificate.as_ref());
        // A certificate that a CA issued differs from the staged one; only the key is the same.
        !plan.mints.contains_key(*identity)
            && current.is_some_and(|current| current.spki_der() == look.certificate.spki_der())
    });
    installed.map(|(_, look)| look.path.clone()).collect()
}

struct Running<'a> {
    work: RunInProgress<'a>,
    recorder: RunRecorder<'a>,
    outcomes: Outcomes,
    /// Why nothing more is stored, if so.
    broken: Option<Arc<HaltError>>,
}

impl Running<'_> {
    /// Removes what earlier runs left in the state folder and beside the stores of this plan.
    fn clear_leftovers(&mut self, leftovers: Vec<PathBuf>) {
        let work = &self.work;
        let state = &work.state;
        let mut folders = BTreeSet::from([state.root().to_owned()]);
        folders.extend(work.topology.hosts.keys().map(|host| state.staging_of(host)));
        let found = work.plan.stores.iter().filter(|view| view.site.is_some()).map(|view| &view.id);
        let pairs = work.topology.stores.values().filter(|def| def.pair().is_some());
        folders.extend(found.chain(pairs.map(|def| &def.id)).flat_map(|id| work.sites().folders(id)));
        let removed = leftovers.iter().map(|path| work.context.disk.remove(path));
        let cleared = folders
            .iter()
            .map(|folder| leftovers::remove_leftovers(work.context.disk, state, work.sites(), &work.run, folder));
        let troubles: Vec<_> = removed.chain(cleared).filter_map(Result::err).map(|e| e.to_string()).collect();
        self.recorder.troubles.extend(troubles);
    }

    fn mint(&mut self, progress: &mut dyn FnMut(RunEvent<'_>)) {
        if self.work.context.stopped() {
            return;
        }
        if let Err(error) = self.work.mint(&self.recorder.journal, progress) {
            self.broken = Some(Arc::new(HaltError::Journal(error)));
        }
        self.outcomes.minted = self.work.minted.clone();
        for (identity, mint) in &self.work.plan.mints {
            match (&mint.request, self.work.staged.get(identity), self.work.requests.get(identity)) {
                (Some(_), Some(Err(error)), _) => {
                    drop(self.outcomes.unasked.insert(identity.clone(), Arc::clone(error)))
                }
                (Some(_), _, Some(path)) => drop(self.outcomes.requests.insert(identity.clone(), path.clone())),
                _ => {}
            }
        }
        // These outcomes must be known before the first store is written, so that a change that waits for them is left
        // out even in a circle.
        for change in &self.work.plan.changes {
            if let Edit::InstallKey { .. } = change.edit
                && !self.work.context.stopped()
                && let Some(outcome) = self.hindrance(change)
            {
                self.outcomes.changes.insert(change.id, outcome);
            }
        }
    }

    fn packs(&mut self, lock: &Lock, progress: &mut dyn FnMut(RunEvent<'_>)) {
        for manual in &self.work.plan.manual {
            if self.broken.is_none() {
                self.broken = self.recorder.guard(lock).holds().err().map(Arc::new);
            }
            let outcome = match &self.broken {
                Some(error) => PackOutcome::failed(PackError::Halt(Arc::clone(error))),
                None if self.work.context.stopped() => {
                    self.outcomes.interrupted = true;
                    PackOutcome::Skipped { why: SkipReason::Interrupted }
                }
                None => packs::write(&self.work, &self.recorder.journal, &mut self.recorder.ledger, manual),
            };
            progress(RunEvent::Packed { target: manual.target(), outcome: &outcome });
            self.outcomes.packs.insert(manual.target().clone(), outcome);
        }
        if self.broken.is_none() && !self.work.context.stopped() {
            let away = packs::done(self.work.plan, &self.recorder.ledger)
                .filter_map(|target| packs::put_away(self.work.context.disk, &self.work.state, target).err());
            let troubles: Vec<String> = away.map(|error| error.to_string()).collect();
            self.recorder.troubles.extend(troubles);
        }
    }

    fn end(mut self, lock: &Lock, finished: Timestamp) -> Outcomes {
        let count = |is: fn(&StoreOutcome) -> bool| {
            u32::try_from(self.outcomes.stores.values().filter(|outcome| is(outcome)).count()).unwrap_or(u32::MAX)
        };
        let counts = Counts {
            written: count(|o| matches!(o, StoreOutcome::Written { .. })),
            failed: count(|o| matches!(o, StoreOutcome::Failed { .. } | StoreOutcome::Stale { .. })),
            skipped: count(|o| matches!(o, StoreOutcome::Skipped { .. })),
        };
        self.recorder.close(lock, finished, counts, &self.work.topology.policy);
        self.outcomes.troubles.append(&mut self.recorder.troubles);
        self.outcomes.warnings.append(&mut self.recorder.warnings);
        self.outcomes.run = Some(self.recorder.run);
        self.outcomes
    }
}
