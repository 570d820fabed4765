//! The last line of a plan against the plan. What waits and what is blocked is counted from more than the plan has, so that
//! the summary may say more of these two, never less.

use std::collections::BTreeSet;

use trustmason_spec::name::StoreId;

use super::Defect;
use crate::change::{Action, EdgeVerdict, ManualKind, Plan, StoreVerdict, Summary};

/// The summary as far as the plan itself tells it.
fn counted(plan: &Plan) -> Summary {
    let actions = |action| plan.changes.iter().filter(|change| change.deed.action() == action).count();
    let waiting: BTreeSet<&StoreId> = plan
        .manual
        .iter()
        .filter(|work| work.waiting_since.is_some())
        .filter_map(|work| work.target().store())
        .collect();
    let mut all = Summary {
        import: actions(Action::Import),
        replace: actions(Action::Replace),
        rename: actions(Action::Rename),
        delete: actions(Action::Delete),
        regenerate: actions(Action::Regenerate),
        install: actions(Action::Install),
        request: plan.mints.values().filter(|mint| mint.request.is_some()).count(),
        ..Summary::default()
    };
    let mut blocked = BTreeSet::new();
    for edge in &plan.edges {
        match &edge.verdict {
            EdgeVerdict::Held => all.unchanged += 1,
            EdgeVerdict::Change(_) => {}
            EdgeVerdict::Manual(_) | EdgeVerdict::Unobserved if waiting.contains(&edge.store) => all.waiting += 1,
            EdgeVerdict::Manual(_) => all.manual += 1,
            EdgeVerdict::Unobserved => all.unobserved += 1,
            EdgeVerdict::Blocked(_) => {
                blocked.insert(&edge.store);
                all.blocked += 1;
            }
        }
    }
    for work in &plan.manual {
        let counts = match work.kind {
            // Its edges are counted, and what only leaves has none.
            ManualKind::Store => work.add.is_empty() && work.verify.is_empty(),
            ManualKind::Identity => true,
            ManualKind::Export => false,
        };
        match work.waiting_since {
            _ if !counts => {}
            Some(_) => all.waiting += 1,
            None => all.manual += 1,
        }
    }
    let whole = plan.stores.iter().filter(|store| matches!(store.verdict, StoreVerdict::Blocked(_)));
    all.blocked += whole.filter(|store| !blocked.contains(&store.id)).count();
    all
}

/// Where the summary counts otherwise.
pub(super) fn defects(plan: &Plan) -> Vec<Defect> {
    let (says, has) = (plan.summary, counted(plan));
    let exact = [
        ("to import", says.import, has.import),
        ("to replace", says.replace, has.replace),
        ("to rename", says.rename, has.rename),
        ("to delete", says.delete, has.delete),
        ("to regenerate", says.regenerate, has.regenerate),
        ("to install", says.install, has.install),
        ("to request", says.request, has.request),
        ("unchanged", says.unchanged, has.unchanged),
        ("by hand", says.manual, has.manual),
        ("unobserved", says.unobserved, has.unobserved),
        ("blocked", says.blocked, plan.blocked.len()),
    ];
    let at_least = [("waiting", says.waiting, has.waiting), ("blocked", says.blocked, has.blocked)];
    let exact = exact.into_iter().filter(|(_, says, has)| says != has);
    let less = at_least.into_iter().filter(|(_, says, has)| says < has);
    exact.chain(less).map(|(what, says, has)| Defect::Count { what, says, has }).collect()
}
