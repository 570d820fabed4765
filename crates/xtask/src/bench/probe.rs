//! Makes one plan without changes in a process of its own: the work of `plan` and `drift` without arguments and text.
//! The process measures itself, so starting it and making the estate do not count.

use std::path::Path;

use jiff::Timestamp;
use trustmason_host::{look, record::ledger, secret::Secrets, state::State};
use trustmason_keystore::Interner;
use trustmason_plan::outline::PlanOptions;
use trustmason_spec::{profile, survey::Survey};

use super::clock;
use crate::process::Failure;

/// The figures that a probe prints and its parent reads.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) cpu_ns: u64,
    pub(crate) peak_kib: u64,
    pub(crate) readable: u64,
    pub(crate) changes: u64,
}

impl Probed {
    fn fields(&mut self) -> [(&'static str, &mut u64); 4] {
        [
            ("cpu_ns", &mut self.cpu_ns),
            ("peak_kib", &mut self.peak_kib),
            ("readable", &mut self.readable),
            ("changes", &mut self.changes),
        ]
    }

    /// Reads the figures that a probe printed.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let mut probed = Self::default();
        for (name, value) in probed.fields() {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            *value = found.ok_or_else(|| format!("the probe did not say {name}: {text}"))?.parse()?;
        }
        Ok(probed)
    }
}

/// Looks at an estate, plans, and prints the cost.
pub(crate) fn run(spec: &Path) -> Result<(), Failure> {
    let base = spec.parent().ok_or("the spec needs a folder")?;
    let text = std::fs::read_to_string(spec)?;
    let parsed = trustmason_spec::parse(&text, &spec.display().to_string()).map_err(|faults| faults.to_string())?;
    let profiles =
        profile::load(&parsed, base, |path| std::fs::read_to_string(path).map_err(|error| error.to_string()))
            .map_err(|faults| faults.to_string())?;
    let resolved = trustmason_spec::resolve(&parsed, &profiles, base).map_err(|faults| faults.to_string())?;
    let topology = resolved.topology;
    let state = State::at(&topology.state);
    let loaded = ledger::load(&state, &topology)?;
    let (plan, cost) = clock::here(|| {
        let (secrets, certificates) = (Secrets::of(&topology), Interner::default());
        let context = look::LookContext { state: &state, secrets: &secrets, certificates: &certificates };
        let observed = look::look(&Survey::of(&topology), &loaded, context);
        trustmason_plan::plan(&topology, &observed, &PlanOptions::default(), Timestamp::now())
    });
    let readable = plan.stores.iter().filter(|store| store.entries.is_some()).count();
    let mut probed = Probed {
        cpu_ns: u64::try_from(cost.cpu.as_nanos())?,
        peak_kib: clock::peak_kib()?,
        readable: u64::try_from(readable)?,
        changes: u64::try_from(plan.changes.len())?,
    };
    for (name, value) in probed.fields() {
        print!("{name}={value} ");
    }
    println!();
    Ok(())
}
