//! What moves on a terminal while a command works. On anything else it is silence; with -v the same events are log lines.

use indicatif::{ProgressBar, ProgressStyle};
use trustmason_host::run::{Event, PackOutcome, StoreOutcome};
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

/// While the estate is looked at.
pub(crate) fn looking(console: Console, items: usize) -> ProgressBar {
    bar(console, items, "{spinner} looking at {len} stores and files ({elapsed})")
}

/// While services are asked.
pub(crate) fn asking(console: Console, services: usize) -> ProgressBar {
    bar(console, services, "{spinner} asked {pos} of {len} services ({elapsed})")
}

/// While a plan is carried out.
pub(crate) struct Running {
    bar: ProgressBar,
}

/// See [`Running`].
pub(crate) fn running(console: Console, plan: &Plan) -> Running {
    let stores: std::collections::BTreeSet<_> = plan.changes.iter().map(|c| &c.store).collect();
    let steps = plan.mints.len() + stores.len() + plan.manual.len();
    Running { bar: bar(console, steps, "{spinner} [{pos}/{len}] {msg}") }
}

impl Running {
    /// One more thing happened.
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Minting { identity } => self.bar.set_message(format!("making a key for {identity}")),
            Event::Staged { identity, certificate } => {
                tracing::info!(%identity, sha256 = %certificate.fingerprint(), "key staged");
                self.bar.inc(1);
            }
            Event::Writing { store, changes } => {
                tracing::debug!(%store, changes, "writing");
                self.bar.set_message(format!("writing {store}"));
            }
            Event::Stored { store, outcome } => {
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
            Event::Packed { target, outcome } => {
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

    /// Nothing more will.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
