//! What a plan comes to: folds over the verdicts of its stores, edges and identities, and over its changes and its work for people.

use std::collections::BTreeSet;

use trustmason_spec::name::{IdentityId, StoreId};

use crate::change::Action;
use crate::outline::{
    Blocked, EdgeVerdict, IdentityVerdict, IdentityView, Manual, ManualKind, Obstacle, Plan, StoreVerdict, Summary,
};
use crate::text;
use crate::why::Why;

impl Plan {
    /// What is blocked, each once: the edges, the stores that no blocked edge ends in, and the identities of which neither says it.
    pub(crate) fn obstructed(&self) -> Vec<Blocked> {
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
                // In a store that is blocked as a whole it is the store that has to be mended.
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

    /// The numbers of the last line, of a plan that has its list of what is blocked.
    pub(crate) fn counted(&self) -> Summary {
        let mut all = Summary { blocked: self.blocked.len(), ..Summary::default() };
        for change in &self.changes {
            *match change.deed.action() {
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
                // Its change is counted, or its work, or the edges and the store that speak of it.
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

    /// How many rotations this plan has nothing to do for and that are not at their end, of identities that `--host` or `--side` leaves
    /// out. Their next change is on another host.
    pub fn elsewhere(&self) -> usize {
        if !self.changes.is_empty() {
            return 0;
        }
        let viewed: BTreeSet<&IdentityId> = self.identities.iter().map(|view| &view.id).collect();
        let foretold: BTreeSet<&IdentityId> = self.forecast.iter().map(|forecast| &forecast.identity).collect();
        foretold.difference(&viewed).count()
    }
}

/// Whether work for a person counts by itself. Of what is brought into a store the edges are counted, and what only leaves has none.
fn is_counted(work: &Manual) -> bool {
    match work.kind {
        ManualKind::Store => work.add.is_empty() && work.verify.is_empty(),
        ManualKind::Identity => true,
        ManualKind::Export => false,
    }
}
