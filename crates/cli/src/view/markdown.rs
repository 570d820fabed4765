//! The plan for a change ticket: what, where, who restarts what, what is left to a person, how to go back, how to check.

use std::collections::BTreeMap;

use trustmason_host::state::State;
use trustmason_plan::change::{After, CertificateView, Change, Phase};
use trustmason_plan::outline::{EdgeVerdict, ManualKind, Plan, StoreVerdict};
use trustmason_plan::text::{day, escape, time};
use trustmason_spec::name::Fqdn;

use super::{ladder, line, short};

/// The whole ticket. `state` is the estate's state folder, where backups and packs go.
pub(crate) fn ticket(plan: &Plan, state: &State) -> String {
    let mut out = String::new();
    line!(out, "# Certificate trust of estate {}\n", cell(&plan.estate));
    line!(out, "Planned {} from `{}`.\n", time(plan.created.as_second()), plan.options.spec);
    line!(out, "**{}**\n", super::plan::summary(plan));
    changes(&mut out, plan);
    blocked(&mut out, plan);
    restarts(&mut out, plan);
    phases(&mut out, plan);
    manual(&mut out, plan, state);
    rollback(&mut out, plan, state);
    checks(&mut out, plan);
    out
}

fn changes(out: &mut String, plan: &Plan) {
    let mut by_host: BTreeMap<&Fqdn, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        by_host.entry(&change.store.host).or_default().push(change);
    }
    if by_host.is_empty() {
        return;
    }
    line!(out, "## Changes\n");
    for (host, changes) in by_host {
        line!(out, "### {host}\n");
        line!(out, "| # | store | action | alias | why | before | after | rule |");
        line!(out, "|---|---|---|---|---|---|---|---|");
        for change in changes {
            let before = change.before.as_ref().map_or_else(|| "–".to_owned(), certificate);
            let after = match &change.after {
                After::Known(view) => certificate(view),
                After::Minted { subject } => format!("{} (known after apply)", cell(subject)),
                After::Alias(alias) => format!("alias `{}`", cell(alias)),
                After::Gone => "removed".to_owned(),
            };
            line!(
                out,
                "| {} | {} | {} | {} | {} | {before} | {after} | {} |",
                change.id,
                cell(&change.store.name),
                change.deed.action(),
                change.alias.as_deref().map_or_else(|| "–".to_owned(), |a| format!("`{}`", cell(a))),
                cell(&super::plan::reason(change)),
                change.rule.as_ref().map_or_else(|| "–".to_owned(), |r| cell(r.as_str())),
            );
        }
        out.push('\n');
    }
}

fn blocked(out: &mut String, plan: &Plan) {
    let stores = plan.stores.iter().filter_map(|s| match &s.verdict {
        StoreVerdict::Blocked(why) => Some(format!("- {}: {}", s.id, cell(&why.to_string()))),
        StoreVerdict::InSync | StoreVerdict::Change(_) => None,
    });
    let whole: Vec<_> =
        plan.stores.iter().filter(|s| matches!(s.verdict, StoreVerdict::Blocked(_))).map(|s| &s.id).collect();
    let edges = plan.edges.iter().filter(|e| !whole.contains(&&e.store)).filter_map(|e| match &e.verdict {
        EdgeVerdict::Blocked(why) => Some(format!("- {} in {}: {}", e.subject, e.store, cell(&why.to_string()))),
        EdgeVerdict::Held | EdgeVerdict::Change(_) | EdgeVerdict::Manual(_) | EdgeVerdict::Unobserved => None,
    });
    let lines: Vec<String> = stores.chain(edges).collect();
    if lines.is_empty() {
        return;
    }
    line!(out, "## Blocked, not part of this change\n");
    line!(out, "{}\n", lines.join("\n"));
}

fn restarts(out: &mut String, plan: &Plan) {
    if plan.restarts.is_empty() {
        return;
    }
    line!(out, "## Restarts\n");
    line!(out, "One side at a time, never two nodes of a cluster at once.\n");
    line!(out, "| step | host | service | why |");
    line!(out, "|---|---|---|---|");
    for restart in &plan.restarts {
        line!(
            out,
            "| {} | {} | {} (`{}`) | {} |",
            restart.step,
            restart.service.host,
            cell(&restart.name),
            restart.service.name,
            ladder::because(restart)
        );
    }
    out.push('\n');
    line!(out, "After each: `trustmason ack {} HOST/SERVICE`.\n", plan.options.spec);
}

/// The phases to come, and what fails where there are none.
fn phases(out: &mut String, plan: &Plan) {
    if !plan.interruptions.is_empty() {
        line!(out, "## Interruptions\n");
    }
    for interruption in &plan.interruptions {
        line!(
            out,
            "{}: {}. Trust in it fails here, until these have followed and were restarted:\n",
            interruption.identity,
            interruption.why
        );
        for edge in &interruption.edges {
            line!(out, "- {}", cell(edge));
        }
        out.push('\n');
    }
    if plan.forecast.is_empty() && plan.barriers.is_empty() {
        return;
    }
    line!(out, "## Later phases\n");
    line!(out, "Each is a plan of its own when its time comes; `trustmason apply` goes on to the next wait.\n");
    for phase in [Phase::Extend, Phase::Install, Phase::Withdraw] {
        for one in plan.forecast.iter().filter(|f| f.phase == phase) {
            let alias = one.alias.as_deref().map(|a| format!(" `{}`", cell(a))).unwrap_or_default();
            let to = one.to.as_deref().map(|to| format!(" to `{}`", cell(to))).unwrap_or_default();
            line!(out, "- {phase}: {} {}{alias}{to} ({})", one.store, one.action, one.identity);
        }
        for wait in plan.barriers.iter().filter(|b| b.after_phase == phase).flat_map(ladder::waits) {
            line!(out, "- **wait** for {wait}");
        }
    }
    out.push('\n');
}

fn manual(out: &mut String, plan: &Plan, state: &State) {
    if plan.manual.is_empty() {
        return;
    }
    line!(out, "## By hand\n");
    for work in &plan.manual {
        line!(out, "### {} ({})\n", work.called, super::plan::work_line(work));
        for (title, items) in [("Add", &work.add), ("Verify, add if absent", &work.verify), ("Remove", &work.remove)] {
            for item in items {
                line!(out, "- {title}: {} ({})", cell(&item.subject), cell(&item.why));
            }
        }
        if !work.steps.is_empty() {
            out.push('\n');
        }
        for (n, step) in work.steps.iter().enumerate() {
            line!(out, "{}. {}", n + 1, escape(step));
        }
        for restart in &work.restarts {
            line!(out, "- Restart {} on {}", cell(&restart.name), restart.service.host);
        }
        out.push('\n');
        line!(out, "Files: `{}`", state.pack(work.target()).display());
        if work.kind == ManualKind::Store {
            line!(out, "Afterwards: `trustmason confirm {} {}`", plan.options.spec, work.called);
        }
        out.push('\n');
    }
}

fn rollback(out: &mut String, plan: &Plan, state: &State) {
    line!(out, "## Going back\n");
    if plan.changes.is_empty() {
        line!(out, "Nothing is written by this plan, so there is nothing to take back.\n");
        return;
    }
    line!(
        out,
        "`trustmason rollback {}` puts every store back as it was before the run, byte for byte, and refuses if somebody \
         changed one since. The copies it takes them from are in `{}`; the report of `apply` names each.\n",
        plan.options.spec,
        state.runs().join("RUN").join("backup").display()
    );
}

fn checks(out: &mut String, plan: &Plan) {
    line!(out, "## Checks\n");
    let spec = &plan.options.spec;
    let (code, left) = if plan.barriers.is_empty() {
        ("0 (5: it waits for a person)", "`No changes.`")
    } else {
        ("5 (it waits for a person)", "`No changes to make now.` and what the rotation waits for")
    };
    line!(out, "- [ ] `trustmason apply --plan FILE` ends with `Apply complete:` and exit code {code}");
    line!(out, "- [ ] `trustmason plan {spec}` says {left}");
    line!(out, "- [ ] `trustmason drift {spec}` exits 0");
    for restart in &plan.restarts {
        line!(out, "- [ ] {} on {} is up again", cell(&restart.name), restart.service.host);
    }
}

/// Text that may stand in a table cell.
fn cell(text: &str) -> String {
    escape(text).replace('|', "\\|").replace('`', "'")
}

/// A certificate in a cell.
fn certificate(view: &CertificateView) -> String {
    let ca = if view.is_ca { ", CA," } else { "" };
    format!("`{}`{ca} until {}", short(view.sha256), day(view.not_after))
}
