//! Loads an estate: reads the spec and its profiles, resolves them, and turns a selection into the options of a plan. Every
//! command that plans uses this module. No store is opened here.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use jiff::Timestamp;
use trustmason_host::converge::{Clock, Declared, Reconciler};
use trustmason_host::disk::{self, ReadLimit};
use trustmason_keystore::Digest;
use trustmason_plan::observed::{Input, InputKind};
use trustmason_plan::outline::PlanOptions;
use trustmason_spec::name::IdentityId;
use trustmason_spec::topology::Topology;
use trustmason_spec::{ProfileRef, profile};

use crate::args::{DEFAULT_SPEC, Select};
use crate::console::Console;
use crate::nearest::nearest;
use crate::stop::Stop;

/// An estate as its spec declares it.
#[derive(Debug)]
pub(crate) struct Estate {
    /// The path of the spec as the person wrote it.
    pub(crate) name: String,
    /// The resolved estate.
    pub(crate) topology: Topology,
    /// The number of warnings that the spec gave. The warnings were printed already.
    pub(crate) warnings: usize,
    inputs: Vec<Input>,
}

/// Reads a spec and the profiles that it names. Prints warnings on stderr.
pub(crate) fn estate(spec: Option<&Path>, console: Console) -> Result<Estate, Stop> {
    let path = spec.unwrap_or(Path::new(DEFAULT_SPEC));
    let name = path.display().to_string();
    let text = read_text(path).map_err(|unread| unread.stop(path))?;
    let mut inputs = vec![input(InputKind::Spec, &name, text.as_bytes())];
    let parsed = trustmason_spec::parse(&text, &name)?;
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let profiles = profile::load(&parsed, base, |path| {
        let text = read_text(path).map_err(|unread| unread.why)?;
        inputs.push(input(InputKind::Profile, &path.display().to_string(), text.as_bytes()));
        Ok(text)
    })?;
    let mut named = parsed.wanted_profiles();
    for reference in profiles.iter().flat_map(profile::LoadedProfile::extends) {
        if !named.contains(reference) {
            named.push(reference.clone());
        }
    }
    for reference in named {
        if let ProfileRef::Builtin(name) = &reference
            && let Some(text) = profile::builtin(name)
        {
            inputs.push(input(InputKind::Profile, name, text.as_bytes()));
        }
    }
    let resolved = trustmason_spec::resolve(&parsed, &profiles, base)?;
    for warning in &resolved.warnings {
        console.fault(warning);
    }
    tracing::info!(
        spec = name,
        hosts = resolved.topology.hosts.len(),
        stores = resolved.topology.stores.len(),
        edges = resolved.topology.edges.len(),
        "spec read"
    );
    Ok(Estate { name, topology: resolved.topology, warnings: resolved.warnings.len(), inputs })
}

/// The reason why a spec or profile could not be read, without its path.
struct SpecReadError {
    absent: bool,
    why: String,
}

impl SpecReadError {
    fn stop(self, path: &Path) -> Stop {
        let path = path.display();
        Stop::refused(if self.absent {
            format!("{path} not found; name the spec file, or run `trustmason demo` to see an example")
        } else {
            format!("the spec {path} cannot be read: {}", self.why)
        })
    }
}

fn read_text(path: &Path) -> Result<String, SpecReadError> {
    let bytes = disk::read(path, ReadLimit::Spec)
        .map_err(|error| SpecReadError { absent: matches!(disk::facts_if_there(path), Ok(None)), why: error.why() })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        SpecReadError { absent: false, why: format!("it is not UTF-8 text from byte {at} on; save it as UTF-8") }
    })
}

fn input(kind: InputKind, path: &str, bytes: &[u8]) -> Input {
    Input { kind, path: path.to_owned(), sha256: Some(Digest::of(bytes)) }
}

/// The options of a command that affect its plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanRequest {
    pub(crate) select: Select,
    pub(crate) replace: Vec<IdentityId>,
    pub(crate) allow_deletes: Option<u32>,
    pub(crate) at: Option<Timestamp>,
}

impl Estate {
    /// The options of a plan. A selection without any host is refused, because the plan would say "No changes." about
    /// nothing.
    pub(crate) fn options(&self, question: PlanRequest) -> Result<PlanOptions, Stop> {
        for glob in &question.select.host {
            let matcher = GlobBuilder::new(glob).build().map(|g| g.compile_matcher());
            let any = matcher.is_ok_and(|m| self.topology.hosts.keys().any(|h| m.is_match(h.as_str())));
            if !any {
                let hint = did_you_mean(glob, self.topology.hosts.keys().map(|h| h.as_str()));
                return Err(Stop::refused(format!("--host {glob} matches no host of {}{hint}", self.name)));
            }
        }
        for id in &question.replace {
            if !self.topology.identities.contains_key(id) {
                let known: Vec<String> = self.topology.identities.keys().map(ToString::to_string).collect();
                let hint = did_you_mean(&id.to_string(), known.iter().map(String::as_str));
                return Err(Stop::refused(format!("--replace {id}: {} declares no such identity{hint}", self.name)));
            }
        }
        let side = question.select.side.map(Into::into);
        if side.is_some() && !self.topology.hosts.values().any(|h| h.side == side) {
            return Err(Stop::refused(format!(
                "--side: no host of {} is on that side; add `side:` to the hosts",
                self.name
            )));
        }
        let options = PlanOptions {
            spec: self.name.clone(),
            hosts: question.select.host,
            side,
            replace: question.replace,
            allow_deletes: question.allow_deletes,
            at: question.at,
        };
        if !self.topology.hosts.keys().any(|host| trustmason_plan::selects(&self.topology, &options, host)) {
            return Err(Stop::refused(format!(
                "--host and --side together select no host of {}; every host that matches --host is on the other side",
                self.name
            )));
        }
        // An identity that is left out silently would look as if it had been replaced.
        let left_out = |id: &&IdentityId| !trustmason_plan::selects(&self.topology, &options, &id.host);
        if let Some(id) = options.replace.iter().find(left_out) {
            return Err(Stop::refused(format!(
                "--replace {id}: its host is not among those that --host and --side select; widen the selection"
            )));
        }
        Ok(options)
    }

    /// The path of the estate's state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.topology.state.clone()
    }

    /// The options of a plan for the whole estate.
    pub(crate) fn whole(&self) -> PlanOptions {
        PlanOptions { spec: self.name.clone(), ..PlanOptions::default() }
    }

    /// The reconciler for this estate on this machine, with this clock.
    pub(crate) fn reconciler<'a>(&'a self, clock: impl Clock + 'a) -> Reconciler<'a> {
        let declared = Declared { topology: &self.topology, inputs: &self.inputs };
        Reconciler::new(declared, clock, crate::VERSION)
    }
}

/// The text `; did you mean …?`, or an empty text.
pub(crate) fn did_you_mean<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(text, known).map_or_else(String::new, |best| format!("; did you mean `{best}`?"))
}
