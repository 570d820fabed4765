//! The report of `explain`: the rule that wants an entry, its purpose, its document, and what the store holds now.

use trustmason_keystore::{Alias, CertificateSlot, Entry, EntryKind, Fingerprint};
use trustmason_plan::change::{Change, Edit, Phase};
use trustmason_plan::observed::{Observed, StoreLook};
use trustmason_plan::outline::{
    EdgeVerdict, EdgeView, Forecast, IdentityState, Plan, StoreState, StoreVerdict, StoreView,
};
use trustmason_plan::site::Site;
use trustmason_plan::text::{count, day, escape};
use trustmason_spec::name::{Fqdn, IdentityId, StoreId};
use trustmason_spec::topology::{
    Anchor, CertificateSource, Edge, IdentityDef, Issuer, KeyPlace, OlderAlias, StoreDef, Subject, Topology, WriteMode,
};

use super::{BAD, BOLD, DIM, GOOD, WARN, ladder, line, options, paint, short};

/// Everything that an explanation is made from.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    /// The topology with the edges that issuers add.
    pub(crate) topology: &'a Topology,
    /// The topology as the spec declares it.
    pub(crate) written: &'a Topology,
    pub(crate) observed: &'a Observed,
    pub(crate) plan: &'a Plan,
}

impl<'a> Case<'a> {
    fn edges_into(self, store: &'a StoreId) -> impl Iterator<Item = &'a Edge> {
        self.topology.edges.iter().filter(move |e| e.store == *store)
    }

    fn edges_to(self, identity: &'a IdentityId) -> impl Iterator<Item = &'a Edge> {
        self.written.edges.iter().filter(move |e| matches!(&e.subject, Subject::Identity(id) if id == identity))
    }

    fn view(self, edge: &Edge) -> Option<&'a EdgeView> {
        self.plan.edges.iter().find(|v| v.id == edge.id)
    }

    /// Later changes of rotations to an alias of a store: to its present entry, or to the entry that gets the alias.
    fn foretold(self, store: &'a StoreId, alias: Option<&'a str>) -> impl Iterator<Item = &'a Forecast> {
        let concerns = move |one: &&Forecast| {
            let names = [one.alias.as_deref(), one.to.as_ref().map(Alias::as_str)];
            names.into_iter().flatten().any(|name| Some(name) == alias)
        };
        self.plan.forecast.iter().filter(move |one| one.store == *store).filter(concerns)
    }

    fn entries(self, store: &StoreId) -> &'a [Entry] {
        match self.observed.stores.get(store) {
            Some(StoreLook::Readable(facts)) => &facts.entries,
            Some(StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved) | None => &[],
        }
    }
}

/// Explains a whole host.
pub(crate) fn host(case: Case<'_>, fqdn: &Fqdn) -> String {
    let mut out = String::new();
    let Some(host) = case.topology.hosts.get(fqdn) else { return out };
    line!(out, "{}: {} by profile {}", paint(BOLD, fqdn), host.roles.join(", "), host.profile);
    let stores: Vec<&StoreDef> = case.topology.stores.values().filter(|s| s.id.host == *fqdn).collect();
    for def in stores {
        out.push('\n');
        store_head(&mut out, case, def);
        for edge in case.edges_into(&def.id) {
            edge_line(&mut out, case, edge);
        }
    }
    for def in case.topology.identities.values().filter(|i| i.id.host == *fqdn) {
        out.push('\n');
        identity_text(&mut out, case, def);
    }
    for def in case.topology.options.iter().filter(|o| o.host == *fqdn) {
        out.push('\n');
        options::text(&mut out, case.observed, case.plan, def);
    }
    out
}

/// Explains a store and everything that it should trust.
pub(crate) fn store(case: Case<'_>, def: &StoreDef) -> String {
    let mut out = String::new();
    store_head(&mut out, case, def);
    for edge in case.edges_into(&def.id) {
        edge_line(&mut out, case, edge);
    }
    for finding in case.plan.findings.iter().filter(|f| f.store.as_ref() == Some(&def.id) && f.change.is_none()) {
        line!(out, "  {}", super::finding(finding));
    }
    for options in case.topology.options.iter().filter(|o| o.settings.iter().any(|s| s.store == def.id)) {
        out.push('\n');
        options::text(&mut out, case.observed, case.plan, options);
    }
    out
}

fn store_head(out: &mut String, case: Case<'_>, def: &StoreDef) {
    line!(out, "{}  {}", paint(BOLD, format!("store {}", def.id)), paint(DIM, place(def)));
    let view = case.plan.stores.iter().find(|s| s.id == def.id);
    if let Some(view) = view {
        line!(out, "  now       {}", state(view));
    }
    let write = if def.is_hand_off() { "by a person, with a pack" } else { "by trustmason" };
    line!(out, "  written   {write}");
    if let Some(secret) = def.password() {
        line!(out, "  password  `{}`, {}", secret.name, escape(&secret.origin()));
    }
    let restarts: Vec<&str> = def
        .restart
        .iter()
        .map(|s| case.topology.services.get(s).map_or(s.name.as_str(), |d| d.name.as_str()))
        .collect();
    if !restarts.is_empty() {
        line!(out, "  read by   {} (restart after a change)", restarts.join(", "));
    }
    let edges = case.edges_into(&def.id).count();
    if edges == 0 {
        line!(out, "  trusts    no certificate: no rule in use asks for one");
    } else {
        line!(out, "  trusts    {}", count(edges, "certificate"));
    }
}

fn place(def: &StoreDef) -> String {
    match Site::of(def) {
        Site::File(at) | Site::Folder(at) => escape(&at.path),
        Site::Pair { certificate, key } => format!("{} and {}", escape(&certificate.path), escape(&key.path)),
        Site::System { place, .. } => place.to_string(),
    }
}

fn state(view: &StoreView) -> String {
    let found = match (view.state, view.entries) {
        (StoreState::Readable, Some(1)) => "1 entry".to_owned(),
        (StoreState::Readable, Some(n)) => format!("{n} entries"),
        (StoreState::Readable, None) => "readable".to_owned(),
        (StoreState::Absent, _) => "not there".to_owned(),
        (StoreState::Unreadable, _) => "not readable".to_owned(),
        (StoreState::Unobserved, _) => "this machine cannot see it".to_owned(),
    };
    match &view.verdict {
        StoreVerdict::InSync => found,
        StoreVerdict::Change(ids) => format!("{found}, {} planned", count(ids.len(), "change")),
        StoreVerdict::Blocked(why) => format!("{found}; {} ({}): {why}", paint(BAD, "blocked"), why.finding()),
    }
}

fn edge_line(out: &mut String, case: Case<'_>, edge: &Edge) {
    let name = edge.alias.as_ref().map_or_else(|| edge.subject.to_string(), |alias| escape(alias.as_str()));
    line!(
        out,
        "  {}  {}  {}",
        verdict_word(case.view(edge)),
        paint(BOLD, name),
        paint(DIM, format!("{}: {}", edge.rule, edge.why))
    );
}

fn verdict_word(view: Option<&EdgeView>) -> String {
    let (style, word) = match view.map(|v| &v.verdict) {
        Some(EdgeVerdict::Held) => (GOOD, "in-sync"),
        Some(EdgeVerdict::Change(_)) => (WARN, "change"),
        Some(EdgeVerdict::Manual(_)) => (WARN, "manual"),
        Some(EdgeVerdict::Blocked(_)) => (BAD, "blocked"),
        Some(EdgeVerdict::Unobserved) => (DIM, "unobserved"),
        None => (DIM, "not judged"),
    };
    paint(style, format!("{word:<10}")).to_string()
}

/// Explains an identity.
pub(crate) fn identity(case: Case<'_>, def: &IdentityDef) -> String {
    let mut out = String::new();
    identity_text(&mut out, case, def);
    out
}

fn identity_text(out: &mut String, case: Case<'_>, def: &IdentityDef) {
    line!(out, "{}", paint(BOLD, format!("identity {}", def.id)));
    line!(out, "  rule      {}", def.rule);
    line!(out, "  source    {}", escape(&def.source_document));
    let from = match &def.source {
        CertificateSource::KeyEntry(place) => escape(&place.to_string()),
        CertificateSource::Exported { names } => {
            format!("{} in {}", names.join(" or "), case.topology.certificates_dir.display())
        }
        CertificateSource::File(path) => path.display().to_string(),
    };
    line!(out, "  found in  {from}");
    let write = match def.write {
        WriteMode::Direct => "by trustmason",
        WriteMode::HandOff => "by a person",
        WriteMode::Never => "by nobody: trustmason never opens this host",
    };
    let issuer = match &def.issuer {
        Issuer::SelfSigned => "self-signed".to_owned(),
        Issuer::Authority(name) => format!("by authority {name}"),
    };
    line!(out, "  made      {write}, {issuer}, {} {}", def.key, def.signature);
    if let Some(view) = case.plan.identities.iter().find(|v| v.id == def.id) {
        let now = match &view.certificate {
            Some(now) => format!("sha256 {}, until {}", short(now.fingerprint()), day(now.not_after())),
            None => "no certificate known".to_owned(),
        };
        let staged = if view.state == IdentityState::Minted { " (its next key is in staging)" } else { "" };
        // The state is about the next certificate, which a CA was asked for. The certificate shown beside it is the
        // present one.
        let present = if view.state.is_of_next() { "presents " } else { "" };
        line!(out, "  now       {}{staged}: {present}{now}", view.state.as_str());
        if let Some(awaits) = &view.awaits {
            line!(out, "  waits for {awaits}");
        }
    }
    let made = |c: &&Change| matches!(&c.edit, Edit::InstallKey { identity, .. } if *identity == def.id);
    for change in case.plan.changes.iter().filter(made) {
        change_line(out, change);
    }
    for one in case.plan.forecast.iter().filter(|f| f.identity == def.id && f.phase == Phase::Install) {
        later(out, one);
    }
    for finding in case.plan.findings.iter().filter(|f| f.identity.as_ref() == Some(&def.id) && f.change.is_none()) {
        line!(out, "  {}", super::finding(finding));
    }
    let mut trusters = case.edges_to(&def.id).peekable();
    if trusters.peek().is_none() {
        line!(out, "  trusted   by no store: no rule in use asks for it");
    }
    for edge in trusters {
        // If an authority issued the identity, the stores trust its issuers instead.
        let issuers = case.edges_into(&edge.store).filter(|e| e.anchor == Anchor::Chain);
        let issuers: Vec<&Edge> = issuers.filter(|_| !case.topology.edges.iter().any(|e| e.id == edge.id)).collect();
        let worst = issuers
            .iter()
            .map(|e| case.view(e))
            .max_by_key(|view| view.is_some_and(|v| v.verdict != EdgeVerdict::Held));
        let through = if issuers.is_empty() { "" } else { " through its issuers" };
        line!(
            out,
            "  {}  trusted by {}{through} {}",
            verdict_word(worst.unwrap_or_else(|| case.view(edge))),
            edge.store,
            paint(DIM, format!("{}: {}", edge.rule, edge.why))
        );
    }
}

/// Writes a change of a later phase of a rotation.
fn later(out: &mut String, one: &Forecast) {
    line!(out, "  later     {}: {}", one.phase, ladder::edit(one));
}

fn change_line(out: &mut String, change: &Change) {
    let action = change.edit.action();
    line!(out, "  planned   {}: {}", paint(super::style(action), change), change.reason);
}

/// Explains an alias of a store, or a subject of a store without aliases. `None` if no rule wants it and the store
/// lacks it.
pub(crate) fn entry(case: Case<'_>, def: &StoreDef, name: &str) -> Option<String> {
    let asked = Alias::of(name);
    let meant = |e: &&Edge| e.alias.as_ref() == Some(&asked) || e.was.iter().any(|old| old.is_exactly(&asked));
    let held: Vec<&Entry> = case.entries(&def.id).iter().filter(|e| e.is_called(&asked)).collect();
    // An alias of another tool is only that of an edge whose certificate it holds.
    let traced = |e: &Edge| {
        let wanted = case.view(e).and_then(|view| view.sha256).filter(|_| e.trace(&asked).is_some());
        wanted.is_some_and(|wanted| held.iter().any(|entry| holds(entry, wanted)))
    };
    let wanted = |e: &&Edge| meant(e) || traced(e) || e.subject.to_string() == name;
    let edges: Vec<&Edge> = case.edges_into(&def.id).filter(wanted).collect();
    let mut out = String::new();
    for edge in &edges {
        if !out.is_empty() {
            out.push('\n');
        }
        edge_text(&mut out, case, def, edge);
    }
    if edges.is_empty() {
        let own = |place: &KeyPlace| place.store == def.id && place.at.alias() == Some(&asked);
        let mut identities = case.topology.identities.values();
        let identity = identities.find(|i| matches!(&i.source, CertificateSource::KeyEntry(place) if own(place)));
        let through: Vec<&Edge> = case.written.edges.iter().filter(|e| e.store == def.id).filter(meant).collect();
        for edge in &through {
            issuers_text(&mut out, case, edge);
        }
        match (identity, held.is_empty()) {
            (Some(identity), _) => identity_text(&mut out, case, identity),
            (None, true) if !through.is_empty() => {}
            (None, true) => return None,
            (None, false) => unwanted(&mut out, case, def, &held),
        }
    }
    Some(out)
}

/// Explains an edge whose subject is trusted through its issuers.
fn issuers_text(out: &mut String, case: Case<'_>, edge: &Edge) {
    let head = format!("{} trusts {} through its issuers", edge.store, edge.subject);
    line!(out, "{}", paint(BOLD, head));
    line!(out, "  rule      {}", edge.rule);
    line!(out, "  why       {}", escape(&edge.why));
    line!(out, "  source    {}", escape(&edge.source));
    subject(out, case, &edge.subject);
    let chain = case.edges_into(&edge.store).filter(|e| e.anchor == Anchor::Chain);
    for issuer in chain.filter(|e| e.rule == edge.rule || e.why.contains(&edge.subject.to_string())) {
        let alias = issuer.alias.as_ref().map_or_else(String::new, |alias| format!(" as {}", escape(alias.as_str())));
        line!(
            out,
            "  issuer    {}{alias}: {}",
            escape(&issuer.subject.to_string()),
            verdict_word(case.view(issuer)).trim_end()
        );
    }
    line!(out, "  entry     none of its own: the store trusts its certificate through the issuer");
}

fn edge_text(out: &mut String, case: Case<'_>, def: &StoreDef, edge: &Edge) {
    line!(out, "{}", paint(BOLD, format!("{} should trust {}", edge.store, edge.subject)));
    if let Some(alias) = &edge.alias {
        let (exact, begun): (Vec<&OlderAlias>, Vec<&OlderAlias>) =
            edge.was.iter().partition(|old| old.exact().is_some());
        let list =
            |names: &[&OlderAlias]| names.iter().map(|old| escape(&old.to_string())).collect::<Vec<_>>().join(", ");
        let by = [("older documents", exact), ("another tool", begun)];
        let told = by.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<String> = told.map(|(whose, names)| format!("{whose}: {}", list(names))).collect();
        let older = if told.is_empty() { String::new() } else { format!("  ({})", told.join("; ")) };
        line!(out, "  alias     {}{older}", escape(alias.as_str()));
    }
    line!(out, "  rule      {}", edge.rule);
    line!(out, "  why       {}", escape(&edge.why));
    line!(out, "  source    {}", escape(&edge.source));
    subject(out, case, &edge.subject);
    let view = case.view(edge);
    let verdict = match view.map(|v| &v.verdict) {
        Some(EdgeVerdict::Held) => "the store holds it".to_owned(),
        Some(EdgeVerdict::Change(id)) => match case.plan.change(*id) {
            Some(change) => format!("{change}: {}", change.reason),
            None => String::new(),
        },
        Some(EdgeVerdict::Manual(what)) => format!("a person does it: {what}"),
        Some(EdgeVerdict::Blocked(why)) => format!("({}) {why}", why.finding()),
        Some(EdgeVerdict::Unobserved) => {
            "this machine cannot see this store; apply writes a pack that lists the certificates to verify".to_owned()
        }
        None => "not judged".to_owned(),
    };
    line!(out, "  verdict   {}{verdict}", verdict_word(view));
    for one in case.foretold(&def.id, edge.alias.as_ref().map(Alias::as_str)) {
        later(out, one);
    }
    let wanted = view.and_then(|v| v.sha256);
    let candidates: Vec<&Entry> = case
        .entries(&def.id)
        .iter()
        .filter(|e| {
            let mut names = edge.alias.iter().chain(edge.was.iter().filter_map(OlderAlias::exact));
            let by_alias = names.any(|name| e.is_called(name));
            by_alias || wanted.is_some_and(|wanted| holds(e, wanted))
        })
        .collect();
    if candidates.is_empty() && !case.entries(&def.id).is_empty() {
        line!(out, "  there now no entry under these aliases, and no entry with its certificate");
    }
    for entry in candidates {
        line!(out, "  there now {}", entry_line(entry));
    }
}

fn holds(entry: &Entry, certificate: Fingerprint) -> bool {
    entry.certificates().iter().any(|slot| slot.fingerprint() == certificate)
}

fn subject(out: &mut String, case: Case<'_>, subject: &Subject) {
    match subject {
        Subject::Identity(id) => {
            let Some(def) = case.topology.identities.get(id) else { return };
            let from = match &def.source {
                CertificateSource::KeyEntry(place) => escape(&place.to_string()),
                CertificateSource::Exported { names } => {
                    format!("{} in {}", names.join(" or "), case.topology.certificates_dir.display())
                }
                CertificateSource::File(path) => path.display().to_string(),
            };
            line!(out, "  subject   {id}, from {from}");
            if let Some(view) = case.plan.identities.iter().find(|v| v.id == *id) {
                match &view.certificate {
                    Some(now) => {
                        let (print, end) = (short(now.fingerprint()), day(now.not_after()));
                        line!(out, "            {}, sha256 {print}, until {end}", view.state.as_str());
                    }
                    None => line!(out, "            no certificate known"),
                }
            }
        }
        Subject::Certificate(name) => {
            let from = match (case.topology.anchors.get(name), name.split_once('/')) {
                (Some(anchor), _) => format!(", from {}", anchor.file.display()),
                (None, Some((authority, _))) => format!(", of the authority {authority}"),
                (None, None) => String::new(),
            };
            line!(out, "  subject   certificate {name}{from}");
        }
    }
}

fn unwanted(out: &mut String, case: Case<'_>, def: &StoreDef, held: &[&Entry]) {
    for entry in held {
        let name = entry.alias.as_deref().map_or_else(String::new, escape);
        let rotation: Vec<&Forecast> = case.foretold(&def.id, entry.alias.as_deref()).collect();
        let changes: Vec<&Change> =
            case.plan.changes.iter().filter(|c| c.store == def.id && c.alias == entry.alias).collect();
        let moves = changes.iter().any(|c| matches!(c.edit, Edit::Rename { .. }));
        let why = match rotation.first() {
            Some(one) => format!("for the rotation of {}", one.identity),
            None if moves => "which gets another alias".to_owned(),
            None => "and no rule wants it".to_owned(),
        };
        line!(out, "{}", paint(BOLD, format!("{} holds {name}, {why}", def.id)));
        line!(out, "  there now {}", entry_line(entry));
        for one in &rotation {
            later(out, one);
        }
        for change in &changes {
            change_line(out, change);
        }
        for finding in case
            .plan
            .findings
            .iter()
            .filter(|f| f.store.as_ref() == Some(&def.id) && f.alias == entry.alias && f.change.is_none())
        {
            line!(out, "  {}", super::finding(finding));
        }
        if changes.is_empty() && rotation.is_empty() {
            line!(out, "  trustmason does not manage this entry and leaves it as it is.");
        }
    }
}

fn entry_line(entry: &Entry) -> String {
    let name = entry.alias.as_deref().map_or_else(|| format!("entry {}", entry.id.position() + 1), escape);
    let kind = match &entry.kind {
        EntryKind::Trusted(_) => "trusted certificate",
        EntryKind::PrivateKey { .. } => "private key",
        EntryKind::SecretKey => "secret key",
        EntryKind::Untrusted(_) => "certificate without trust",
        EntryKind::Opaque(_) => "unknown entry",
    };
    let certificate = match entry.certificates().first() {
        Some(CertificateSlot::Parsed(c)) => {
            let ca = if c.is_ca() { ", CA" } else { "" };
            format!(": {}{ca}, until {}, sha256 {}", escape(c.subject()), day(c.not_after()), short(c.fingerprint()))
        }
        Some(CertificateSlot::Unparsed(raw)) => format!(": unreadable, sha256 {}", short(raw.fingerprint())),
        None => String::new(),
    };
    format!("`{name}`, {kind}{certificate}")
}
