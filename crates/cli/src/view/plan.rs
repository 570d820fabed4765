//! The plan as text: for each host and store the changed entries and the reasons, then findings, restarts, work by hand and
//! the summary line.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use trustmason_plan::change::{
    Action, CertificateOrigin, CertificateView, Change, ChangeId, Edit, EntryAfter, FromKind,
};
use trustmason_plan::finding::{Finding, FindingKind, Severity};
use trustmason_plan::outline::{
    Blocked, EdgeVerdict, EdgeView, Manual, ManualItem, ManualKind, Plan, StoreState, StoreVerdict, StoreView, Summary,
};
use trustmason_plan::text::{count, day, escape};
use trustmason_plan::{Why, wire};
use trustmason_spec::name::{Fqdn, StoreId};

use super::ladder::Onward;
use super::{BAD, BOLD, DIM, GOOD, WARN, ladder, line, paint, short, style};

/// Writes the whole plan. Without `verbose`, equal changes of several stores are shown once, each task by hand is one line,
/// and blocked things are listed once. Changes that delete something are always shown one by one.
pub(crate) fn plan(plan: &Plan, verbose: bool) -> String {
    let mut out = String::new();
    heading(&mut out, plan);
    let folded = if verbose { Folded::default() } else { Folded::of(plan) };
    folded.tell(&mut out, plan);
    let mut said = BTreeSet::new();
    hosts(&mut out, plan, &folded, &mut said, verbose);
    // With -v each blocked thing is shown in its host's section instead.
    if !verbose {
        blocked(&mut out, plan);
    }
    said.extend(plan.blocked.iter().map(|one| one.why.clone()));
    findings(&mut out, plan, &said, verbose);
    ladder::interruptions(&mut out, plan);
    let title = if plan.changes.is_empty() { "Restarts still pending" } else { "Restart afterwards" };
    ladder::restarts(&mut out, title, plan);
    ladder::rotations(&mut out, plan);
    manual(&mut out, plan, verbose);
    if plan.summary.changes() == 0 {
        ladder::how_to_go_on(&mut out, plan, &Onward::planned(&plan.options));
    }
    line!(out, "{}", paint(BOLD, summary(plan)));
    out
}

fn heading(out: &mut String, plan: &Plan) {
    let hosts: BTreeSet<&Fqdn> = plan.stores.iter().map(|s| &s.id.host).collect();
    line!(
        out,
        "{}: {} on {}, as of {}",
        paint(BOLD, format!("Estate {}", escape(&plan.estate))),
        count(plan.stores.len(), "store"),
        count(hosts.len(), "host"),
        day(plan.options.at.unwrap_or(plan.created).as_second()),
    );
    let selection: Vec<String> = plan
        .options
        .hosts
        .iter()
        .map(|g| format!("--host {}", escape(g)))
        .chain(plan.options.side.map(|s| format!("--side {}", side(s))))
        .collect();
    if !selection.is_empty() {
        line!(out, "Selected: {}; all other stores were read, but this plan does not judge them.", selection.join(" "));
    }
    if plan.summary.changes() > 0 || plan.summary.blocked > 0 {
        line!(out, "{}", paint(DIM, "  + import   ~ replace or regenerate   > rename   - delete   ! blocked"));
    }
    out.push('\n');
}

fn side(side: trustmason_spec::topology::Side) -> char {
    match side {
        trustmason_spec::topology::Side::A => 'a',
        trustmason_spec::topology::Side::B => 'b',
    }
}

/// Writes one section per host with something to show, and one line for the other stores.
fn hosts(out: &mut String, plan: &Plan, folded: &Folded<'_>, said: &mut BTreeSet<String>, verbose: bool) {
    let mut by_host: BTreeMap<&Fqdn, Vec<&StoreView>> = BTreeMap::new();
    for store in &plan.stores {
        by_host.entry(&store.id.host).or_default().push(store);
    }
    let mut quiet = 0;
    for (host, stores) in by_host {
        let unreachable = stores.iter().find_map(|s| match &s.verdict {
            StoreVerdict::Blocked(why @ Why::Unreachable { .. }) => Some(why),
            StoreVerdict::Blocked(_) | StoreVerdict::InSync | StoreVerdict::Change(_) => None,
        });
        let mut body = String::new();
        if let Some(why) = unreachable {
            line!(body, "  {} {}", paint(BAD, "!"), why);
            mention(said, why);
        }
        for view in stores {
            let blocked = plan.edges.iter().filter(|e| verbose && e.store == view.id);
            let blocked: Vec<&EdgeView> = blocked.filter(|e| matches!(e.verdict, EdgeVerdict::Blocked(_))).collect();
            match &view.verdict {
                StoreVerdict::Blocked(Why::Unreachable { .. }) => {}
                StoreVerdict::Blocked(why) => {
                    store_line(&mut body, view);
                    line!(body, "    {} nothing may be written here ({}): {why}", paint(BAD, "!"), why.finding());
                    mention(said, why);
                }
                StoreVerdict::Change(ids) => {
                    let changes: Vec<&Change> =
                        ids.iter().filter_map(|id| plan.change(*id)).filter(|c| !folded.has(c)).collect();
                    if changes.is_empty() && blocked.is_empty() {
                        continue;
                    }
                    store_line(&mut body, view);
                    for change in changes {
                        entry(&mut body, change, &format!("#{}", change.id), verbose);
                    }
                    blocked_edges(&mut body, &blocked, said);
                }
                StoreVerdict::InSync if blocked.is_empty() => quiet += 1,
                StoreVerdict::InSync => {
                    store_line(&mut body, view);
                    blocked_edges(&mut body, &blocked, said);
                }
            }
        }
        if !body.is_empty() {
            line!(out, "{}", paint(BOLD, host));
            out.push_str(&body);
            out.push('\n');
        }
    }
    if quiet > 0 && quiet < plan.stores.len() {
        let are = if quiet == 1 { "is" } else { "are" };
        line!(out, "{}", paint(DIM, format!("{} with nothing to change {are} not shown.", count(quiet, "store"))));
        out.push('\n');
    }
}

/// Equal changes of several stores, grouped by those stores.
#[derive(Default)]
struct Folded<'a> {
    groups: BTreeMap<Vec<&'a StoreId>, Vec<Vec<&'a Change>>>,
    ids: BTreeSet<ChangeId>,
}

impl<'a> Folded<'a> {
    /// Groups the changes that import or rename. All other changes are never grouped.
    fn of(plan: &'a Plan) -> Self {
        let mut same: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
        for change in plan.changes.iter().filter(|c| matches!(c.edit.action(), Action::Import | Action::Rename)) {
            let mut words = String::new();
            entry(&mut words, change, "", true);
            same.entry(words).or_default().push(change);
        }
        let mut folded = Self::default();
        for changes in same.into_values() {
            let stores: BTreeSet<&StoreId> = changes.iter().map(|change| &change.store).collect();
            if stores.len() > 1 {
                folded.ids.extend(changes.iter().map(|change| change.id));
                folded.groups.entry(stores.into_iter().collect()).or_default().push(changes);
            }
        }
        folded
    }

    fn has(&self, change: &Change) -> bool {
        self.ids.contains(&change.id)
    }

    fn tell(&self, out: &mut String, plan: &Plan) {
        // The groups are sorted by the numbers of their changes.
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, changes)| changes.iter().flatten().map(|change| change.id).min());
        for (stores, changes) in groups {
            line!(out, "{}", paint(BOLD, format!("The same in {}:", count(stores.len(), "store"))));
            let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for store in stores {
                by_name.entry(store.name.as_str()).or_default().push(store.host.as_str());
            }
            for (name, hosts) in by_name {
                wrapped(out, &format!("  {name} of "), &hosts);
            }
            let mut changes: Vec<_> = changes.iter().collect();
            changes.sort_by_key(|all| all.iter().map(|change| change.id).min());
            for all in changes {
                let Some(first) = all.first() else { continue };
                let numbers: Vec<String> = all.iter().map(|change| format!("#{}", change.id)).collect();
                entry(out, first, &numbers.join(", "), false);
            }
            out.push('\n');
        }
        if !self.ids.is_empty() {
            let all = plan.changes.len();
            let text = format!(
                "{} of {} are shown above, once for several stores; -v lists each.",
                self.ids.len(),
                count(all, "change")
            );
            line!(out, "{}", paint(DIM, text));
            out.push('\n');
        }
    }
}

/// Writes names after a beginning, wrapped to the width of a terminal.
fn wrapped(out: &mut String, beginning: &str, names: &[&str]) {
    const WIDTH: usize = 100;
    let mut row = beginning.to_owned();
    for (n, name) in names.iter().enumerate() {
        let text = if n + 1 < names.len() { format!("{name}, ") } else { (*name).to_owned() };
        if row.len() + text.trim_end().len() > WIDTH && row.len() > beginning.len() {
            line!(out, "{}", row.trim_end());
            row = " ".repeat(beginning.len());
        }
        row.push_str(&text);
    }
    line!(out, "{row}");
}

/// Writes each obstacle once, with everything that it blocks. A store that cannot be written is shown in its host's
/// section.
fn blocked(out: &mut String, plan: &Plan) {
    let whole = plan.stores.iter().filter_map(|view| match &view.verdict {
        StoreVerdict::Blocked(why) => Some(why.to_string()),
        StoreVerdict::InSync | StoreVerdict::Change(_) => None,
    });
    let whole: BTreeSet<String> = whole.collect();
    let mut all = plan.obstacles();
    all.retain(|(one, _)| !whole.contains(&one.why));
    if all.is_empty() {
        return;
    }
    all.sort_by_key(|(one, _)| (one.kind.as_str(), &one.why));
    line!(out, "{}", paint(BOLD, "Blocked:"));
    for (Blocked { kind, why, .. }, what) in all {
        line!(out, "  {} ({kind}) {why}", paint(BAD, "!"));
        for what in what {
            line!(out, "      {}", paint(DIM, what));
        }
    }
    out.push('\n');
}

/// Remembers a reason that was shown, so that the findings do not repeat it.
fn mention(said: &mut BTreeSet<String>, why: &Why) -> bool {
    said.insert(why.to_string())
}

fn store_line(out: &mut String, view: &StoreView) {
    let mut facts = Vec::new();
    if let Some(format) = view.format {
        facts.push(format.as_str().to_owned());
    }
    match (view.state, view.entries) {
        (StoreState::Readable, Some(n)) => {
            facts.push(if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") })
        }
        (StoreState::Absent, _) if matches!(view.verdict, StoreVerdict::Change(_)) => facts.push("new".to_owned()),
        (StoreState::Absent, _) => facts.push("not there".to_owned()),
        (StoreState::Unreadable, _) => facts.push("not readable".to_owned()),
        (StoreState::Unobserved, _) => facts.push("not visible from this machine".to_owned()),
        (StoreState::Readable, None) => {}
    }
    line!(
        out,
        "  {}  {}  {}",
        paint(BOLD, &view.id.name),
        escape(&view.path),
        paint(DIM, format!("({})", facts.join(", ")))
    );
}

fn blocked_edges(out: &mut String, edges: &[&EdgeView], said: &mut BTreeSet<String>) {
    for edge in edges {
        let EdgeVerdict::Blocked(why) = &edge.verdict else { continue };
        let name = edge.alias.as_ref().map_or_else(|| edge.subject.clone(), |alias| escape(alias.as_str()));
        let text = if mention(said, why) { why.to_string() } else { "see above".to_owned() };
        line!(out, "    {} {name} is blocked ({}): {text}", paint(BAD, "!"), why.finding());
        line!(
            out,
            "        {}",
            paint(DIM, format!("for {}: {} · {} · {}", edge.subject, edge.purpose, edge.rule, edge.source))
        );
    }
}

fn entry(out: &mut String, change: &Change, number: &str, verbose: bool) {
    let action = change.edit.action();
    let shown = change.to_string();
    let words = shown.strip_prefix(action.symbol()).unwrap_or(&shown);
    line!(out, "    {}{words}  {}", paint(style(action), action.symbol()), paint(DIM, number));
    let rule = match (&change.rule, &change.source) {
        (Some(rule), Some(source)) => format!("  {}", paint(DIM, format!("[{rule}: {}]", escape(source)))),
        (Some(rule), None) => format!("  {}", paint(DIM, format!("[{rule}]"))),
        (None, _) => String::new(),
    };
    line!(out, "        {}{rule}", reason(change));
    let before = change.before.as_ref().map(|view| certificate(view, verbose));
    match (&before, &change.after) {
        (before, EntryAfter::Minted { subject }) => {
            let after = format!("{}, {}", escape(subject), paint(WARN, "(known after apply)"));
            transition(out, before.as_deref(), &after);
        }
        (before, EntryAfter::Known(view)) => transition(out, before.as_deref(), &certificate(view, verbose)),
        (Some(before), EntryAfter::Alias(_) | EntryAfter::Gone) => line!(out, "        {before}"),
        (None, EntryAfter::Alias(_) | EntryAfter::Gone) => {}
    }
    if let Some(from) = &change.from {
        line!(out, "        {}", paint(DIM, format!("from {}", origin(from))));
    }
}

/// The reason for a change in words. The reason for a deletion begins with its class.
pub(crate) fn reason(change: &Change) -> String {
    match &change.edit {
        Edit::Delete { because, .. } => format!("{}: {}", because.as_str(), change.reason),
        Edit::Import { .. } | Edit::Replace { .. } | Edit::Rename { .. } | Edit::InstallKey { .. } => {
            change.reason.clone()
        }
    }
}

fn transition(out: &mut String, before: Option<&str>, after: &str) {
    if let Some(before) = before {
        line!(out, "        {before}");
        line!(out, "     -> {after}");
    } else {
        line!(out, "        {after}");
    }
}

/// A certificate as one line. With `-v` it has the whole fingerprint, for people who compare it.
fn certificate(view: &CertificateView, verbose: bool) -> String {
    let sha256 = if verbose { view.sha256.to_string() } else { short(view.sha256) };
    let issuer =
        if view.issuer == view.subject { String::new() } else { format!(", issued by {}", escape(&view.issuer)) };
    let ca = if view.is_ca { ", CA" } else { "" };
    format!("{}{issuer}{ca}, until {}, sha256 {sha256}", escape(&view.subject), day(view.not_after))
}

fn origin(from: &CertificateOrigin) -> String {
    let place = escape(&from.place);
    match from.kind {
        FromKind::Generated if from.sha256.is_some() => format!("the key that an earlier run staged for {place}"),
        FromKind::Generated => format!("a new key that this run makes for {place}"),
        FromKind::Store => format!("the key entry {place}"),
        FromKind::File => format!("the file {place}"),
        FromKind::Reply => format!("the reply {place}"),
    }
}

/// Writes the findings that no shown change explains.
fn findings(out: &mut String, plan: &Plan, said: &BTreeSet<String>, verbose: bool) {
    let open: Vec<&Finding> = plan
        .findings
        .iter()
        // Restarts have a section of their own.
        .filter(|f| f.change.is_none() && f.kind != FindingKind::RestartPending)
        .filter(|f| !said.iter().any(|s| s.contains(&f.message)))
        .collect();
    for (severity, title) in
        [(Severity::Blocked, "Blocked"), (Severity::Error, "Errors"), (Severity::Warning, "Warnings")]
    {
        super::findings(out, title, open.iter().copied().filter(|f| f.severity == severity && f.counts()));
    }
    let quiet: Vec<&Finding> = open.iter().copied().filter(|f| f.severity == Severity::Info || !f.counts()).collect();
    if verbose {
        super::findings(out, "For information", quiet);
    } else if !quiet.is_empty() {
        line!(out, "{}", paint(DIM, format!("{} for information only; -v lists them.", count(quiet.len(), "finding"))));
        out.push('\n');
    }
}

fn manual(out: &mut String, plan: &Plan, verbose: bool) {
    if plan.manual.is_empty() {
        return;
    }
    line!(out, "{}", paint(BOLD, "By hand (apply writes a pack with files and steps for each; -v shows them here):"));
    for work in &plan.manual {
        line!(out, "  {}: {}{}", work.called, work_line(work), tally(work));
        // Removals are always listed, even without -v.
        items(out, '-', BAD, work.remove.iter().map(|item| (&item.subject, &item.why)), "");
        if !verbose {
            continue;
        }
        items(out, '+', GOOD, work.add.iter().map(said), "");
        items(out, '?', WARN, work.verify.iter().map(said), " (verify, add if absent)");
        if work.kind != ManualKind::Store {
            line!(out, "    {}", escape(work.reason.as_deref().unwrap_or_default()));
            for step in &work.steps {
                line!(out, "    {}", escape(step));
            }
        }
    }
    out.push('\n');
}

/// The number of certificates that a task is about.
fn tally(work: &Manual) -> String {
    let all = [(work.add.len(), "to add"), (work.verify.len(), "to verify"), (work.remove.len(), "to remove")];
    let some: Vec<String> = all.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    if some.is_empty() { String::new() } else { format!(": {}", some.join(", ")) }
}

/// The kind of a task, and since when it waits.
pub(crate) fn work_line(work: &Manual) -> String {
    let what = match work.kind {
        ManualKind::Store if work.add.is_empty() && work.verify.is_empty() => "remove trusted certificates",
        ManualKind::Store => "add trusted certificates",
        ManualKind::Identity => "make a new certificate",
        ManualKind::Export => "export the certificate",
    };
    match work.waiting_since {
        Some(since) => format!("{what}; its pack has been waiting since {}", day(since.as_second())),
        None => what.to_owned(),
    }
}

/// The subject of a task's certificate, and its purpose.
fn said(item: &ManualItem) -> (&String, &String) {
    (&item.subject, &item.why)
}

fn items<'a>(
    out: &mut String,
    symbol: char,
    style: Style,
    items: impl Iterator<Item = (&'a String, &'a String)>,
    note: &str,
) {
    for (subject, why) in items {
        line!(out, "    {} {subject}{note} {}", paint(style, symbol), paint(DIM, escape(why)));
    }
}

/// The last line. Its form never changes, because programs read it.
pub(crate) fn summary(plan: &Plan) -> String {
    let s = &plan.summary;
    if s.changes() == 0 {
        return if plan.is_settled() {
            "No changes. Every store holds what the spec declares.".to_owned()
        } else {
            let by_hand = if s.manual > 0 { format!(" {} by hand.", s.manual) } else { String::new() };
            format!(
                "No changes to make now. {} blocked, {} unobserved, {} waiting.{by_hand}",
                s.blocked, s.unobserved, s.waiting
            )
        };
    }
    let Summary { import, replace, rename, delete, regenerate, install, request, manual, blocked, .. } = *s;
    let mut line = format!(
        "Plan: {import} to import, {replace} to replace, {rename} to rename, {delete} to delete, {regenerate} to regenerate"
    );
    if install > 0 {
        line.push_str(&format!(", {install} to install"));
    }
    if request > 0 {
        line.push_str(&format!(", {request} to request"));
    }
    line.push('.');
    let rest: Vec<String> = [(manual, "by hand"), (blocked, "blocked")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    if !rest.is_empty() {
        line.push_str(&format!(" ({}.)", rest.join(", ")));
    }
    line
}

/// The plan as its JSON document.
pub(crate) fn json(plan: &Plan) -> Result<String, serde_json::Error> {
    document(plan).text()
}

/// The plan as a document.
pub(crate) fn document(plan: &Plan) -> wire::Document {
    wire::Document::of(plan, crate::VERSION)
}
