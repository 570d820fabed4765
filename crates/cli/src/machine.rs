//! The command line's way to the machine: what the host crate does, with its errors as early ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trustmason_host::ack::{Word, ack};
use trustmason_host::audit::{Approval, Author};
use trustmason_host::disk::{self, Disk, DiskError, Limit, Over, Owner, Replacement};
use trustmason_host::endpoint::{self, Way};
use trustmason_host::ledger::{self, Loaded};
use trustmason_host::lock::Lock;
use trustmason_host::look::{self, Eyes};
use trustmason_host::mint::Generate;
use trustmason_host::restart::{self, Restarted};
use trustmason_host::run::{self, Event, Hands, Outcomes, Request};
use trustmason_host::secret::Secrets;
use trustmason_host::state::State;
use trustmason_keystore::{Fingerprint, Interner};
use trustmason_plan::observed::{Observed, ServedLook};
use trustmason_plan::outline::Plan;
use trustmason_plan::shell::Command;
use trustmason_plan::target::HandOffTarget;
use trustmason_plan::text::clauses;
use trustmason_spec::name::{IdentityId, ServiceId};
use trustmason_spec::survey::Survey;

use crate::clock::Clock;
use crate::command::confirm::person;
use crate::console::Console;
use crate::load::Estate;
use crate::stop::Stop;

/// Stores written at the same time at most: disks and shares gain nothing from more.
const MOST_THREADS: usize = 8;

/// Why somebody cannot use a state folder that is another account's alone, and how they can.
#[cfg(unix)]
fn of_another(state: &Path, owner: u32, mode: u32, own: u32) -> Option<String> {
    (owner != own && own != 0 && mode & 0o077 == 0).then(|| {
        format!(
            "the state folder {} is the account's alone that makes the runs (uid {owner}), and this is uid {own}; run it as that account, \
             for example with `sudo -u`",
            state.display()
        )
    })
}

/// What one command needs of the machine: passwords and certificates are got once.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) state: State,
    pub(crate) secrets: Secrets,
    pub(crate) certificates: Interner,
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    /// Set by the first signal: what is in hand is finished, and no more begun.
    stop: Arc<AtomicBool>,
}

/// What came of the restarts that have commands.
#[derive(Debug)]
pub(crate) struct Restarts {
    /// Each that was begun, in order.
    pub(crate) services: Vec<Restarting>,
    /// Why those that are up again are not known to be.
    pub(crate) unrecorded: Option<String>,
}

/// A service restarted by its command.
#[derive(Debug)]
pub(crate) struct Restarting {
    pub(crate) service: ServiceId,
    /// How long it took, or why it is not up.
    pub(crate) outcome: Result<Restarted, String>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) observed: Observed,
    pub(crate) ledger: Loaded,
}

impl Machine {
    /// For one estate, by this clock.
    pub(crate) fn of(estate: &Estate, clock: Clock) -> Self {
        Self {
            state: State::at(estate.state()),
            secrets: Secrets::of(&estate.topology),
            certificates: Interner::new(),
            disk: Disk::new(),
            clock,
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Refuses a state folder that is another account's, before the system does and says less.
    fn is_open(&self) -> Result<(), Stop> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            if let (Ok(folder), Ok(own)) = (fs_err::metadata(self.state.root()), fs_err::metadata("/proc/self")) {
                let why = of_another(self.state.root(), folder.uid(), folder.mode(), own.uid());
                return why.map_or(Ok(()), |why| Err(Stop::refused(why)));
            }
        }
        Ok(())
    }

    /// From now on the first Ctrl-C (or SIGTERM) lets the store in hand be finished; the second ends the program at once, and
    /// the next run goes on from the journal.
    pub(crate) fn heed_signals(&self) -> Result<(), Stop> {
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let code = i32::from(crate::exit::INTERRUPTED);
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&self.stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&self.stop)))
                .map_err(|e| Stop::refused(format!("signals cannot be heeded: {e}; nothing was done")))?;
        }
        Ok(())
    }

    /// Whether a signal came.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Looks at everything an estate's plan is made from. Without the ledger nothing may be judged at all.
    pub(crate) fn look(&self, estate: &Estate, console: Console) -> Result<Sight, Stop> {
        self.is_open()?;
        for warning in self.state.warnings() {
            console.warn(&warning);
        }
        let mut ledger = ledger::load(&self.state, &estate.topology).map_err(|e| Stop::refused(e.to_string()))?;
        let unclear: BTreeSet<_> = ledger.unclear.iter().map(|unclear| &unclear.run).collect();
        for run in ledger.recovered.iter().filter(|run| !unclear.contains(run)) {
            console.note(&format!("Run {run} was interrupted; what it did was read from its journal."));
        }
        for unclear in &ledger.unclear {
            console.warn(&format!(
                "what run {} did to {} cannot be told yet, and it is assumed that it did: {}",
                unclear.run, unclear.store, unclear.why
            ));
        }
        let eyes = Eyes { state: &self.state, secrets: &self.secrets, certificates: &self.certificates };
        let survey = Survey::of(&estate.topology);
        let bar = crate::progress::looking(console, survey.looks.len());
        let mut observed = look::look(&survey, &ledger, eyes);
        ledger.notice(&estate.topology, &mut observed, self.clock.now());
        bar.finish_and_clear();
        tracing::info!(stores = observed.stores.len(), inputs = observed.inputs.len(), "looked");
        Ok(Sight { observed, ledger })
    }

    /// Asks the services of these identities for their certificates. The only way from here to the network.
    pub(crate) fn probe(
        &self,
        identities: &[(IdentityId, u16)],
        way: &Way,
        console: Console,
    ) -> BTreeMap<IdentityId, ServedLook> {
        let bar = crate::progress::asking(console, identities.len());
        let served = endpoint::probe(identities, way, &self.certificates, || bar.inc(1));
        bar.finish_and_clear();
        tracing::info!(identities = identities.len(), "services asked");
        served
    }

    /// Takes the estate's lock.
    pub(crate) fn lock(&self) -> Result<Lock, Stop> {
        self.is_open()?;
        Lock::take(&self.state).map_err(|e| Stop::refused(format!("{e}; nothing was done")))
    }

    /// Carries a plan out.
    pub(crate) fn run(
        &self,
        estate: &Estate,
        sight: &Sight,
        plan: &Plan,
        lock: &mut Lock,
        approval: Approval,
        console: Console,
    ) -> Result<Outcomes, Stop> {
        let who = person();
        let request = self.request(estate, sight, plan, Author { who: &who, approval })?;
        let hands = Hands {
            disk: &self.disk,
            secrets: &self.secrets,
            certificates: &self.certificates,
            keys: &Generate,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS),
            stop: &self.stop,
        };
        let mut progress = crate::progress::running(console, plan);
        let outcomes = run::run(request, hands, lock, &mut |event: Event<'_>| progress.tell(event));
        progress.end();
        outcomes.map_err(|e| Stop::refused(format!("{e}; nothing was done")))
    }

    /// Restarts what a plan waits for and the spec has a command for, step by step; the first that fails is the last. Those that
    /// came up again are acknowledged.
    pub(crate) fn restart(
        &self,
        estate: &Estate,
        sight: &Sight,
        plan: &Plan,
        lock: &mut Lock,
        console: Console,
    ) -> Restarts {
        let mut all: Vec<Restarting> = Vec::new();
        for restart in plan.waits().restarts {
            let command = estate.topology.services.get(&restart.service).and_then(|def| def.restart.as_ref());
            let Some(command) = command else { continue };
            if self.stopped() {
                break;
            }
            console.note(&format!("Restarting {}: {} …", restart.service, restart.name));
            let outcome = restart::restart(command, &self.secrets).map_err(|e| e.to_string());
            let failed = outcome.is_err();
            all.push(Restarting { service: restart.service.clone(), outcome });
            if failed {
                break;
            }
        }
        let up = all.iter().filter(|r| r.outcome.is_ok());
        let up: BTreeMap<_, _> = up.map(|r| (r.service.clone(), format!("{}, by its command", person()))).collect();
        let mut unrecorded = None;
        if !up.is_empty() {
            let say = |service: &ServiceId| Command::here("trustmason ack").word(&plan.options.spec).word(service);
            let say: Vec<String> = up.keys().map(|service| say(service).to_string()).collect();
            let word = Word { restarted: up, plan, topology: &estate.topology, now: self.clock.now() };
            unrecorded = match ack(word, &sight.ledger, &self.disk, lock) {
                Ok(unclear) if unclear.is_empty() => None,
                Ok(unclear) => Some(clauses(&unclear)),
                Err(error) => Some(format!(
                    "that services were restarted could not be recorded: {error}; say so: {}",
                    say.join("; ")
                )),
            };
        }
        Restarts { services: all, unrecorded }
    }

    /// Whether carrying a plan out would write nothing at all.
    pub(crate) fn is_idle(&self, estate: &Estate, sight: &Sight, plan: &Plan) -> Result<bool, Stop> {
        let author = Author { who: "", approval: Approval::Asked };
        Ok(run::is_idle(self.request(estate, sight, plan, author)?, &self.state))
    }

    /// Where a pack is.
    pub(crate) fn pack(&self, target: &HandOffTarget) -> PathBuf {
        self.state.pack(target)
    }

    fn request<'a>(
        &self,
        estate: &'a Estate,
        sight: &'a Sight,
        plan: &'a Plan,
        author: Author<'a>,
    ) -> Result<Request<'a>, Stop> {
        let json =
            crate::view::plan::json(plan).map_err(|e| Stop::refused(format!("the plan cannot be recorded: {e}")))?;
        Ok(Request {
            plan,
            digest: Fingerprint::of(json.as_bytes()),
            topology: &estate.topology,
            observed: &sight.observed,
            ledger: &sight.ledger,
            now: self.clock.exactly(),
            author,
        })
    }
}

/// Saves a report of public facts in a file of its own: whole or not at all, for its owner alone (0600).
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let refused = |why: String| Stop::refused(format!("the plan cannot be saved: {why}"));
    let target = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(refused(format!("{}: {error}", path.display()))),
    };
    if std::fs::metadata(&target).is_ok_and(|m| !m.is_file()) {
        return Err(refused(format!("{} is not a file; name one that is, or a new one", path.display())));
    }
    // A slip of the hand must not cost a keystore or the spec: only a saved plan is written over.
    let none = || format!("{} is there and is no saved plan; it was left alone, name a new file", path.display());
    match disk::read_if_there(&target, Limit::Plan) {
        Ok(Some(old)) if !is_plan(&old) => return Err(refused(none())),
        Ok(_) => {}
        Err(error) if error.is_too_large() => return Err(refused(none())),
        Err(error) => return Err(refused(error.to_string())),
    }
    let (owner, over, limit) = (Owner::ours(0o600), Over::Anything, Limit::Plan);
    let new = Replacement { target: &target, bytes, limit, owner, attributes: None, over, run: "plan" };
    let saved = Disk::new().replace(new, || Ok::<(), DiskError>(()));
    saved.map_err(|error| refused(error.into_error(&target).to_string()))
}

/// Whether these bytes are a plan saved by any version.
fn is_plan(bytes: &[u8]) -> bool {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(bytes) else { return false };
    ["format_version", "tool_version", "inputs", "changes"].iter().all(|key| fields.contains_key(*key))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_of_another_account_says_whose_it_is() {
        let of = |owner, mode, own| of_another(Path::new("/srv/estate/.trustmason"), owner, mode, own);
        let why = of(1001, 0o40_700, 1002).unwrap_or_default();
        assert!(
            why.contains("/srv/estate/.trustmason") && why.contains("uid 1001") && why.contains("sudo -u"),
            "{why}"
        );
        assert_eq!(of(1001, 0o40_700, 1001), None);
        assert_eq!(of(1001, 0o40_700, 0), None, "root may");
        assert_eq!(of(1001, 0o40_770, 1002), None, "the system decides");
    }
}
