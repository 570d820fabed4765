//! The plan for a change ticket: the changes, restarts, work by hand, the way back and the checks. Text from a
//! certificate, a store or the spec is escaped and cannot change the page ([`trustmason_plan::markdown`]).

use std::collections::BTreeMap;

use trustmason_host::state::State;
use trustmason_plan::change::{Action, CertificateView, Change, ChangeId, EntryAfter, Phase};
use trustmason_plan::inline;
use trustmason_plan::markdown::{Inline, Markdown, code, text};
use trustmason_plan::outline::{EdgeVerdict, EdgeView, ManualKind, Plan, Restart, StoreVerdict};
use trustmason_plan::pack::STOP;
use trustmason_plan::shell::Command;
use trustmason_plan::text::{day, time};
use trustmason_spec::name::Fqdn;
use trustmason_spec::topology::{Side, Topology};

use super::ladder;

/// Writes the whole ticket. `state` is the estate's state folder, which receives backups and packs.
pub(crate) fn ticket(plan: &Plan, topology: &Topology, state: &State) -> String {
    let mut page = Markdown::new();
    let ticket = Ticket { plan, topology, state };
    ticket.opening(&mut page);
    ticket.changes(&mut page);
    ticket.blocked(&mut page);
    ticket.restarts(&mut page);
    ticket.interruptions(&mut page);
    ticket.phases(&mut page);
    ticket.manual(&mut page);
    ticket.stopping(&mut page);
    ticket.rollback(&mut page);
    ticket.checks(&mut page);
    page.finish()
}

struct Ticket<'a> {
    plan: &'a Plan,
    topology: &'a Topology,
    state: &'a State,
}

impl Ticket<'_> {
    /// A subcommand of trustmason for this estate.
    fn command(&self, own: &'static str) -> Command {
        Command::here(own).file(&self.plan.options.spec)
    }

    fn opening(&self, page: &mut Markdown) {
        let Self { plan, .. } = self;
        let options = &plan.options;
        page.heading(1, inline!["Certificate trust of estate ", text(&plan.estate)]);
        page.paragraph(inline!["Planned ", text(time(plan.created.as_second())), " from ", code(&options.spec), "."]);
        let mut asked: Vec<Inline> =
            options.replace.iter().map(|identity| inline!["a new certificate for ", text(identity)]).collect();
        asked.extend(options.allow_deletes.map(|most| inline!["up to ", most, " deletions in a store"]));
        let selected = options.hosts.iter().map(|glob| inline!["only hosts ", code(glob)]);
        asked.extend(selected.chain(options.side.map(|side| inline!["only side ", word(side)])));
        if !asked.is_empty() {
            page.paragraph(inline!["Asked for: ", Inline::join(asked, "; "), "."]);
        }
        page.paragraph(inline!["**", text(super::plan::summary(plan)), "**"]);
        if !plan.forecast.is_empty() {
            let of = |action: Action| plan.forecast.iter().filter(|one| one.action == action).count();
            let counts = [
                (of(Action::Import), " to import"),
                (of(Action::Replace), " to replace"),
                (of(Action::Rename), " to rename"),
                (of(Action::Delete), " to delete"),
                (of(Action::Regenerate), " to regenerate"),
                (of(Action::Install), " to install"),
            ];
            let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| inline![n, what]);
            page.paragraph(inline![
                "These numbers are for this phase only. Later phases: ",
                Inline::join(counts, ", "),
                "."
            ]);
        }
    }

    fn side(&self, host: &Fqdn) -> Inline {
        self.topology.hosts.get(host).and_then(|host| host.side).map_or_else(|| "–".into(), |side| word(side).into())
    }

    fn changes(&self, page: &mut Markdown) {
        let mut by_host: BTreeMap<&Fqdn, Vec<&Change>> = BTreeMap::new();
        for change in &self.plan.changes {
            by_host.entry(&change.store.host).or_default().push(change);
        }
        if by_host.is_empty() {
            return;
        }
        page.heading(2, "Changes");
        for (host, changes) in by_host {
            page.heading(3, text(host));
            page.table(&["change", "side", "store", "action", "alias", "why", "before", "after", "rule"]);
            for change in changes {
                let after = match &change.after {
                    EntryAfter::Known(view) => certificate(view),
                    EntryAfter::Minted { subject } => inline![text(subject), " (known after apply)"],
                    EntryAfter::Alias(alias) => inline!["alias ", code(alias.as_str())],
                    EntryAfter::Gone => "removed".into(),
                };
                page.row([
                    change.id.0.into(),
                    self.side(host),
                    text(&change.store.name),
                    change.edit.action().as_str().into(),
                    change.alias.as_deref().map_or_else(|| "–".into(), code),
                    text(super::plan::reason(change)),
                    change.before.as_ref().map_or_else(|| "–".into(), certificate),
                    after,
                    self.rule(change),
                ]);
            }
        }
    }

    /// The rule behind a change, with the purpose of the trust and the document that asks for it.
    fn rule(&self, change: &Change) -> Inline {
        let Some(rule) = &change.rule else { return "–".into() };
        let edges = || self.plan.edges.iter().filter(|edge| edge.store == change.store && edge.rule == *rule);
        let made = |edge: &&EdgeView| matches!(edge.verdict, EdgeVerdict::Change(id) if id == change.id);
        let source = change.source.as_ref().map(|source| inline![" (", text(source), ")"]).unwrap_or_default();
        match edges().find(made).or_else(|| edges().next()) {
            Some(edge) => inline![text(rule), ": ", text(&edge.purpose), source],
            None => inline![text(rule), source],
        }
    }

    fn blocked(&self, page: &mut Markdown) {
        let Self { plan, .. } = self;
        let stores = plan.stores.iter().filter_map(|store| match &store.verdict {
            StoreVerdict::Blocked(why) => Some(inline![text(&store.id), ": ", text(why)]),
            StoreVerdict::InSync | StoreVerdict::Change(_) => None,
        });
        let whole: Vec<_> =
            plan.stores.iter().filter(|s| matches!(s.verdict, StoreVerdict::Blocked(_))).map(|s| &s.id).collect();
        let edges = plan.edges.iter().filter(|e| !whole.contains(&&e.store)).filter_map(|edge| match &edge.verdict {
            EdgeVerdict::Blocked(why) => Some(inline![text(&edge.subject), " in ", text(&edge.store), ": ", text(why)]),
            EdgeVerdict::Held | EdgeVerdict::Change(_) | EdgeVerdict::Manual(_) | EdgeVerdict::Unobserved => None,
        });
        let lines: Vec<Inline> = stores.chain(edges).collect();
        if lines.is_empty() {
            return;
        }
        page.heading(2, "Blocked, not part of this change");
        for line in lines {
            page.item(line);
        }
    }

    fn restarts(&self, page: &mut Markdown) {
        let by_hand: Vec<_> = self.plan.manual.iter().filter(|work| !work.restarts.is_empty()).collect();
        if self.plan.restarts.is_empty() && by_hand.is_empty() {
            return;
        }
        page.heading(2, "Restarts");
        page.paragraph("One side at a time, never two nodes of a cluster at once.");
        page.table(&["step", "host", "side", "service", "why"]);
        let row = |step: Inline, restart: &Restart, why: Inline| {
            let host = &restart.service.host;
            let service = inline![text(&restart.name), " (", code(&restart.service.name), ")"];
            [step, text(host), self.side(host), service, why]
        };
        for restart in &self.plan.restarts {
            page.row(row(restart.step.into(), restart, because(restart)));
        }
        for work in by_hand {
            for restart in &work.restarts {
                page.row(row("by hand".into(), restart, inline!["after the pack for ", text(&work.called)]));
            }
        }
        page.paragraph(inline![
            "After each restart that trustmason waits for: ",
            &self.command("trustmason ack").own("HOST/SERVICE"),
            "."
        ]);
    }

    /// Writes the trust that fails where that cannot be avoided.
    fn interruptions(&self, page: &mut Markdown) {
        if !self.plan.interruptions.is_empty() {
            page.heading(2, "Interruptions");
        }
        for one in &self.plan.interruptions {
            page.paragraph(inline![
                text(&one.identity),
                ": ",
                text(&one.why),
                ". Connections fail from the installation of the new certificate until these stores hold it and their services are restarted:"
            ]);
            for edge in &one.edges {
                page.item(text(edge));
            }
        }
    }

    /// Writes the later phases.
    fn phases(&self, page: &mut Markdown) {
        let Self { plan, .. } = self;
        if plan.forecast.is_empty() && plan.barriers.is_empty() && ladder::unchanged(plan).next().is_none() {
            return;
        }
        page.heading(2, "Later phases");
        page.paragraph(
            "Each phase gets a plan of its own later; each `trustmason apply` works until a person must act.",
        );
        for (identity, why) in ladder::unchanged(plan) {
            page.item(inline!["**unchanged**: the stores that trust ", text(identity), ": ", text(why)]);
        }
        for phase in [Phase::Extend, Phase::Install, Phase::Withdraw] {
            for one in plan.forecast.iter().filter(|f| f.phase == phase) {
                let alias = one.alias.as_ref().map(|alias| inline![" ", code(alias)]).unwrap_or_default();
                let to = one.to.as_ref().map(|to| inline![" to ", code(to.as_str())]).unwrap_or_default();
                page.item(inline![
                    text(phase),
                    ": ",
                    text(&one.store),
                    " ",
                    one.action.as_str(),
                    alias,
                    to,
                    " (",
                    text(&one.identity),
                    ")"
                ]);
            }
            for wait in plan.barriers.iter().filter(|b| b.after_phase == phase).flat_map(ladder::waits) {
                page.item(inline!["**wait** for ", text(wait)]);
            }
        }
    }

    fn manual(&self, page: &mut Markdown) {
        if self.plan.manual.is_empty() {
            return;
        }
        page.heading(2, "By hand");
        for work in &self.plan.manual {
            page.heading(3, inline![text(&work.called), " (", text(super::plan::work_line(work)), ")"]);
            if let Some(reason) = &work.reason {
                page.paragraph(text(reason));
            }
            let verify =
                if work.kind == ManualKind::Store { "Verify, add if absent: " } else { "Copy to the machine: " };
            let come = [("Add: ", &work.add), (verify, &work.verify)];
            let come = come.into_iter().flat_map(|(title, items)| {
                items.iter().map(move |item| (title, &item.subject, item.material.known(), &item.why))
            });
            let gone = work.remove.iter().map(|item| ("Remove: ", &item.subject, Some(item.sha256), &item.why));
            for (title, subject, print, why) in come.chain(gone) {
                let print = print.map(|print| inline!["SHA-256 ", code(print), ", "]);
                page.item(inline![title, text(subject), " (", print.unwrap_or_default(), text(why), ")"]);
            }
            for (n, step) in work.steps.iter().enumerate() {
                match step.strip_prefix(STOP) {
                    Some(why) => page.step(n + 1, inline!["**STOP:** ", text(why)]),
                    None => page.step(n + 1, text(step)),
                }
            }
            for restart in &work.restarts {
                page.item(inline!["Restart ", text(&restart.name), " on ", text(&restart.service.host)]);
            }
            page.paragraph(inline!["Files: ", code(self.state.pack(work.target()).display())]);
            if work.kind == ManualKind::Store {
                let confirm = self.command("trustmason confirm").word(&work.called);
                page.paragraph(inline!["Afterwards: ", &confirm]);
            }
        }
    }

    fn stopping(&self, page: &mut Markdown) {
        page.heading(2, "Stopping half-way");
        if self.plan.changes.is_empty() && self.plan.forecast.is_empty() {
            page.paragraph("This plan writes nothing, so there is nothing to stop.");
            return;
        }
        page.paragraph(
            "A store is changed as a whole or not at all. If a run was stopped or interrupted, the stores that it reached have \
             their new content and the other stores their old content; the next `trustmason apply` does the rest.",
        );
        if !self.plan.forecast.is_empty() {
            page.paragraph(
                "Between two phases everything works: the service presents the old certificate and is trusted, until all stores that trust it hold the new one. The estate may \
                 stay like that until the old certificate ends.",
            );
        }
    }

    fn rollback(&self, page: &mut Markdown) {
        page.heading(2, "Going back");
        if self.plan.changes.is_empty() {
            page.paragraph("This plan writes nothing, so there is nothing to roll back.");
            return;
        }
        page.paragraph(inline![
            &self.command("trustmason rollback"),
            " restores every store as it was before the newest run, byte for byte, and refuses if somebody changed one of them afterwards. The \
             backups are in ",
            code(self.state.runs().join("RUN").join("backup").display()),
            "; the report of `apply` names each backup."
        ]);
        page.paragraph(inline![
            "One rollback takes one run back. If this change took several runs (one for each phase), repeat the command, the newest run first: ",
            &self.command("trustmason runs"),
            " lists the runs. Changes made by hand must be reverted by hand: the next plan lists them."
        ]);
    }

    fn checks(&self, page: &mut Markdown) {
        let Self { plan, .. } = self;
        page.heading(2, "Checks");
        let (exit, left) = if plan.barriers.is_empty() {
            ("0 (5: a person must act)", "`No changes.`")
        } else {
            ("5 (a person must act)", "`No changes to make now.` and names what the rotation waits for")
        };
        page.task(inline!["`trustmason apply --plan FILE` ends with `Apply complete:` and exit code ", exit]);
        page.task(inline![&self.command("trustmason plan"), " says ", left]);
        page.task(inline![&self.command("trustmason drift"), " exits 0"]);
        for restart in &plan.restarts {
            page.task(inline![text(&restart.name), " on ", text(&restart.service.host), " is up again"]);
        }
    }
}

fn word(side: Side) -> &'static str {
    match side {
        Side::A => "A",
        Side::B => "B",
    }
}

/// The reasons for a restart. A change is not written as `#1`, because in a ticket system that would mean another ticket.
fn because(restart: &Restart) -> Inline {
    let mut parts = Vec::new();
    if !restart.because.is_empty() {
        let ids = restart.because.iter().map(|ChangeId(id)| Inline::from(*id));
        parts.push(inline!["for change ", Inline::join(ids, ", ")]);
    }
    parts.extend(restart.pending_since.map(|since| inline!["pending since ", text(day(since.as_second()))]));
    parts.extend(restart.by_command.then(|| Inline::from("by its restart command")));
    Inline::join(parts, ", ")
}

/// A certificate for a table cell, with the whole fingerprint, because a person compares it.
fn certificate(view: &CertificateView) -> Inline {
    let ca = if view.is_ca { ", CA," } else { "" };
    inline![code(view.sha256), ca, " until ", text(day(view.not_after))]
}
