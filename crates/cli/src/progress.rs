//! Progress while a command works: notes, and a bar if stderr is a terminal. With `-v` the same events are log lines
//! instead.

use std::collections::BTreeSet;

use indicatif::{ProgressBar, ProgressStyle};
use trustmason_host::converge::ConvergeEvent;
use trustmason_host::run::{self, PackOutcome, StoreOutcome};
use trustmason_plan::outline::Plan;

use crate::console::Console;

fn bar(console: Console, length: usize, template: &str) -> ProgressBar {
    if !console.moving() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

/// A bar for services that are being asked.
pub(crate) fn asking(console: Console, services: usize) -> ProgressBar {
    bar(console, services, "{spinner} {pos} of {len} services asked ({elapsed})")
}

/// Shows the events of looking at an estate and carrying out a plan.
pub(crate) fn painted(console: Console) -> impl FnMut(ConvergeEvent<'_>) {
    let mut painter = Painter { console, bar: ProgressBar::hidden() };
    move |event| painter.tell(event)
}

struct Painter {
    console: Console,
    bar: ProgressBar,
}

impl Painter {
    fn tell(&mut self, event: ConvergeEvent<'_>) {
        let console = self.console;
        match event {
            ConvergeEvent::Exposed { warning } => console.warn(warning),
            ConvergeEvent::Recovered { run } => {
                console.note(&format!("Run {run} was interrupted; its results were read from its journal."));
            }
            ConvergeEvent::Unclear(unclear) => console.warn(&format!(
                "cannot tell yet what run {} did to {}, so every change is assumed done: {}",
                unclear.run, unclear.store, unclear.why
            )),
            ConvergeEvent::Looking { items } => {
                self.bar = bar(console, items, "{spinner} reading {len} stores and files ({elapsed})");
            }
            ConvergeEvent::Running { plan } => self.bar = bar(console, steps(plan), "{spinner} [{pos}/{len}] {msg}"),
            ConvergeEvent::Looked | ConvergeEvent::Ran => self.bar.finish_and_clear(),
            ConvergeEvent::Run(event) => self.run(event),
            ConvergeEvent::Restarting(restart) => {
                console.note(&format!("Restarting {}: {} …", restart.service, restart.name));
            }
        }
    }

    /// Shows one event of a run.
    fn run(&self, event: run::RunEvent<'_>) {
        match event {
            run::RunEvent::Minting { identity } => self.bar.set_message(format!("making a key for {identity}")),
            run::RunEvent::Staged { identity, certificate } => {
                tracing::info!(%identity, sha256 = %certificate.fingerprint(), "key staged");
                self.bar.inc(1);
            }
            run::RunEvent::Writing { store, changes } => {
                tracing::debug!(%store, changes, "writing");
                self.bar.set_message(format!("writing {store}"));
            }
            run::RunEvent::Stored { store, outcome } => {
                match outcome {
                    StoreOutcome::Written { .. } | StoreOutcome::Unchanged => tracing::info!(%store, "store done"),
                    StoreOutcome::Stale { why } => {
                        tracing::warn!(%store, why = why.to_string(), "store left alone");
                    }
                    StoreOutcome::Skipped { why } => {
                        tracing::warn!(%store, why = why.to_string(), "store left alone");
                    }
                    StoreOutcome::Failed { error } => {
                        tracing::warn!(%store, error = error.to_string(), "store failed");
                    }
                }
                self.bar.inc(1);
            }
            run::RunEvent::Packed { target, outcome } => {
                let target = target.full();
                match outcome {
                    PackOutcome::Written { folder } => {
                        tracing::info!(%target, folder = %folder.display(), "pack written");
                    }
                    PackOutcome::Unchanged { .. } => tracing::debug!(%target, "pack unchanged"),
                    PackOutcome::Failed { error } => {
                        tracing::warn!(%target, error = error.to_string(), "pack failed");
                    }
                    PackOutcome::Skipped { why } => {
                        tracing::warn!(%target, why = why.to_string(), "pack left out");
                    }
                }
                self.bar.inc(1);
            }
        }
    }
}

/// The number of steps in a run of a plan: keys, stores and packs.
fn steps(plan: &Plan) -> usize {
    let stores: BTreeSet<_> = plan.changes.iter().map(|c| &c.store).collect();
    plan.mints.len() + stores.len() + plan.manual.len()
}
