//! `explain`: shows why an entry is wanted, by which rule, and from which document. Nothing is written.

use trustmason_keystore::Alias;
use trustmason_plan::shell::Command;
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::Topology;

use crate::args::ExplainArgs;
use crate::clock::ProcessClock;
use crate::console::Console;
use crate::exit::ExitFacts;
use crate::load::{self, PlanRequest, did_you_mean};
use crate::progress::painted;
use crate::stop::Stop;
use crate::view::explain::{self, Case};

pub(crate) fn run(args: &ExplainArgs, console: Console) -> Result<ExitFacts, Stop> {
    let estate = load::estate(args.spec.as_deref(), console)?;
    let target = ExplainTarget::find(&estate.topology, &args.target)?;
    let options = estate.options(PlanRequest::default())?;
    let reconciler = estate.reconciler(ProcessClock::read()?);
    let observation = reconciler.look(&mut painted(console)).map_err(Stop::because)?;
    let plan = reconciler.plan(&observation, &options);
    let wide = trustmason_plan::widened(&estate.topology, &observation.observed, reconciler.now());
    let topology = wide.as_ref().unwrap_or(&estate.topology);
    let case = Case { topology, written: &estate.topology, observed: &observation.observed, plan: &plan };
    console.report(&target.explain(case)?);
    Ok(ExitFacts::FINE)
}

/// The host, store, identity or entry to explain.
struct ExplainTarget {
    host: Fqdn,
    name: Option<String>,
    alias: Option<String>,
}

impl ExplainTarget {
    /// Splits the text and checks the names, before any store is opened.
    fn find(topology: &Topology, text: &str) -> Result<Self, Stop> {
        let mut parts = text.splitn(3, '/');
        let host = parts.next().unwrap_or_default();
        let (name, alias) = (parts.next().map(str::to_owned), parts.next().map(str::to_owned));
        let fqdn = Fqdn::parse(host).ok().filter(|f| topology.hosts.contains_key(f));
        let Some(fqdn) = fqdn else {
            let lower = host.to_ascii_lowercase();
            if topology.retired.iter().any(|r| r.as_str() == lower) {
                return Err(Stop::refused(format!(
                    "{host} is retired: no store should trust it, and apply deletes each trusted certificate that names only this host"
                )));
            }
            let hint = did_you_mean(host, topology.hosts.keys().map(|h| h.as_str()));
            return Err(Stop::refused(format!("the spec declares no host {host}{hint}")));
        };
        let target = Self { host: fqdn, name, alias };
        if let Some(name) = &target.name
            && !topology.stores.contains_key(&target.store(name))
            && !topology.identities.contains_key(&target.identity(name))
        {
            let known: Vec<&str> = names(topology, &target.host).collect();
            let hint = did_you_mean(name, known.iter().copied());
            return Err(Stop::refused(format!(
                "{} has no store or identity `{name}`{hint} it has {}",
                target.host,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") },
                hint = if hint.is_empty() { ";".to_owned() } else { hint },
            )));
        }
        Ok(target)
    }

    fn store(&self, name: &str) -> StoreId {
        StoreId::new(self.host.clone(), name)
    }

    fn identity(&self, name: &str) -> IdentityId {
        IdentityId::new(self.host.clone(), name)
    }

    fn explain(&self, case: Case<'_>) -> Result<String, Stop> {
        let Some(name) = &self.name else { return Ok(explain::host(case, &self.host)) };
        let store = case.topology.stores.get(&self.store(name));
        let identity = case.topology.identities.get(&self.identity(name));
        match (store, identity, &self.alias) {
            (Some(store), _, Some(alias)) => explain::entry(case, store, alias).ok_or_else(|| {
                let known: Vec<&str> = case
                    .topology
                    .edges
                    .iter()
                    .filter(|e| e.store == store.id)
                    .filter_map(|e| e.alias.as_ref().map(Alias::as_str))
                    .collect();
                let hint = did_you_mean(alias, known.into_iter());
                Stop::refused(format!(
                    "{} has no entry `{}`, and no rule wants one{hint}",
                    store.id,
                    trustmason_plan::text::escape(alias)
                ))
            }),
            (None, Some(identity), Some(_)) => Err(Stop::refused(format!(
                "{} is an identity and has no aliases; `{}` explains it",
                identity.id,
                Command::here("trustmason explain").word(&identity.id)
            ))),
            (store, identity, None) => {
                let mut text = store.map(|s| explain::store(case, s)).unwrap_or_default();
                if let Some(identity) = identity {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&explain::identity(case, identity));
                }
                Ok(text)
            }
            (None, None, Some(_)) => Err(Stop::refused(format!("{}/{name} is not declared", self.host))),
        }
    }
}

/// The names of a host's stores and identities.
fn names<'a>(topology: &'a Topology, host: &'a Fqdn) -> impl Iterator<Item = &'a str> {
    let stores = topology.stores.keys().filter(move |id| id.host == *host).map(|id| id.name.as_str());
    let identities = topology.identities.keys().filter(move |id| id.host == *host).map(|id| id.name.as_str());
    stores.chain(identities)
}
