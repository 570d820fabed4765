//! Checks the last line of a plan, and its list of what is blocked, against the content of the plan.

use super::Defect;
use crate::outline::Plan;

/// The defects of the summary and of the list of what is blocked.
pub(super) fn defects(plan: &Plan) -> Vec<Defect> {
    let (says, has) = (plan.summary, plan.summarise());
    let counts = [
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
        ("waiting", says.waiting, has.waiting),
        ("blocked", says.blocked, has.blocked),
    ];
    let counts = counts.into_iter().filter(|(_, says, has)| says != has);
    let mut defects: Vec<Defect> = counts.map(|(what, says, has)| Defect::Count { what, says, has }).collect();
    if plan.blocked != plan.list_blocked() {
        let what = "it is not what its stores, edges and identities say".to_owned();
        defects.push(Defect::Contradiction { place: "the list of what is blocked".to_owned(), what });
    }
    defects
}
