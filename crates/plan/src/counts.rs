//! The totals of a plan. It takes a plan with all its verdicts, changes and work for people, and gives the list of what
//! is blocked and the counts of the last line. It judges nothing again.

use std::collections::BTreeSet;

use trustmason_spec::name::{IdentityId, StoreId};

use crate::change::Action;
use crate::outline::{
    Blocked, EdgeVerdict, IdentityVerdict, IdentityView, Manual, ManualKind, Obstacle, Plan, StoreVerdict, Summary,
};
use crate::text;
use crate::why::Why;

impl Plan {
    /// Everything that is blocked, each once: the edges, the stores without a blocked edge, and the identities that
    /// neither an edge nor a store reports.
    pub(crate) fn list_blocked(&self) -> Vec<Blocked> {
        let of = |what: String, why: &Why| {
            let Obstacle { kind, why } = Obstacle::of(why);
            Blocked { what, kind, why }
        };
        let blocked = self.stores.iter().filter(|store| matches!(store.verdict, StoreVerdict::Blocked(_)));
        let whole: BTreeSet<&StoreId> = blocked.map(|store| &store.id).collect();
        let mut all = Vec::new();
        let mut told: BTreeSet<&StoreId> = BTreeSet::new();
        for edge in &self.edges {
            if let EdgeVerdict::Blocked(why) = &edge.verdict {
                let store = &edge.store;
                told.insert(store);
                // If the whole store is blocked, people must repair the store, not the edge.
                let alias = edge.alias.as_ref().map(|alias| format!(" as {}", text::escape(alias.as_str())));
                let what = match whole.contains(store) {
                    true => store.to_string(),
                    false => format!("{} in {store}{}", edge.subject, alias.unwrap_or_default()),
                };
                all.push(of(what, why));
            }
        }
        for store in self.stores.iter().filter(|store| !told.contains(&store.id)) {
            if let StoreVerdict::Blocked(why) = &store.verdict {
                all.push(of(store.id.to_string(), why));
            }
        }
        let of = |view: &IdentityView, obstacle: &Obstacle| {
            let Obstacle { kind, why } = obstacle.clone();
            Blocked { what: view.id.to_string(), kind, why }
        };
        let held = self.identities.iter().filter_map(|view| match &view.verdict {
            IdentityVerdict::Held(obstacle) => Some(of(view, obstacle)),
            _ => None,
        });
        let rest = self.identities.iter().filter_map(|view| match &view.verdict {
            IdentityVerdict::Blocked(obstacle) | IdentityVerdict::Waits { obstacle: Some(obstacle) } => {
                Some(of(view, obstacle))
            }
            _ => None,
        });
        all.extend(held.chain(rest));
        all
    }

    /// The counts of the last line. The plan must already have its list of what is blocked.
    pub(crate) fn summarise(&self) -> Summary {
        let mut all = Summary { blocked: self.blocked.len(), ..Summary::default() };
        for change in &self.changes {
            *match change.edit.action() {
                Action::Import => &mut all.import,
                Action::Replace => &mut all.replace,
                Action::Rename => &mut all.rename,
                Action::Delete => &mut all.delete,
                Action::Regenerate => &mut all.regenerate,
                Action::Install => &mut all.install,
            } += 1;
        }
        let waiting: BTreeSet<&StoreId> = self
            .manual
            .iter()
            .filter(|work| work.waiting_since.is_some())
            .filter_map(|work| work.target().store())
            .collect();
        for edge in &self.edges {
            match &edge.verdict {
                EdgeVerdict::Held => all.unchanged += 1,
                EdgeVerdict::Change(_) | EdgeVerdict::Blocked(_) => {}
                EdgeVerdict::Manual(_) | EdgeVerdict::Unobserved if waiting.contains(&edge.store) => all.waiting += 1,
                EdgeVerdict::Manual(_) => all.manual += 1,
                EdgeVerdict::Unobserved => all.unobserved += 1,
            }
        }
        for work in self.manual.iter().filter(|work| is_counted(work)) {
            match work.waiting_since {
                Some(_) => all.waiting += 1,
                None => all.manual += 1,
            }
        }
        for view in &self.identities {
            match &view.verdict {
                IdentityVerdict::Requests => all.request += 1,
                IdentityVerdict::Waits { .. } => all.waiting += 1,
                // Counted already: by its change, by its work, or by the edges and the store that report it.
                IdentityVerdict::Rests
                | IdentityVerdict::Change(_)
                | IdentityVerdict::Begins
                | IdentityVerdict::GoesOn
                | IdentityVerdict::Manual(_)
                | IdentityVerdict::Held(_)
                | IdentityVerdict::Blocked(_)
                | IdentityVerdict::Unknown => {}
            }
        }
        all.waiting += self.elsewhere();
        all
    }

    /// How many rotations are unfinished though this plan has no changes, for identities that `--host` or `--side`
    /// leaves out. The next change of such a rotation is on another host.
    pub fn elsewhere(&self) -> usize {
        if !self.changes.is_empty() {
            return 0;
        }
        let viewed: BTreeSet<&IdentityId> = self.identities.iter().map(|view| &view.id).collect();
        let foretold: BTreeSet<&IdentityId> = self.forecast.iter().map(|forecast| &forecast.identity).collect();
        foretold.difference(&viewed).count()
    }
}

/// Whether the work of a person is counted by itself. Imports into a store are counted by their edges. A store from
/// which certificates are only removed has no such edge.
fn is_counted(work: &Manual) -> bool {
    match work.kind {
        ManualKind::Store => work.add.is_empty() && work.verify.is_empty(),
        ManualKind::Identity => true,
        ManualKind::Export => false,
    }
}
