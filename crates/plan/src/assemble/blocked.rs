//! What cannot be judged or done before a person has mended what stands in its way, each once for what it is about.

use std::collections::BTreeSet;

use trustmason_spec::name::StoreId;
use trustmason_spec::topology::Subject;

use super::Desk;
use crate::change::{Blocked, EdgeVerdict, StoreVerdict};
use crate::finding::Severity;
use crate::text;
use crate::why::Why;

impl Desk<'_> {
    /// What is blocked: each trust relation, and what no trust relation speaks of.
    pub(super) fn blocked(&self) -> Vec<Blocked> {
        let of = |what: String, why: &Why| Blocked { what, kind: why.finding(), why: why.to_string() };
        let mut all = Vec::new();
        let mut stores: BTreeSet<&StoreId> = BTreeSet::new();
        let whole = self.stores.iter().filter(|store| matches!(store.verdict, StoreVerdict::Blocked(_)));
        let whole: BTreeSet<&StoreId> = whole.map(|store| &store.id).collect();
        for edge in &self.edges {
            if let EdgeVerdict::Blocked(why) = &edge.verdict {
                stores.insert(&edge.store);
                let store = &edge.store;
                // In a store that is blocked as a whole it is the store that has to be mended.
                let alias = edge.alias.as_deref().map(|alias| format!(" as {}", text::escape(alias)));
                let what = match whole.contains(store) {
                    true => store.to_string(),
                    false => format!("{} in {store}{}", edge.subject, alias.unwrap_or_default()),
                };
                all.push(of(what, why));
            }
        }
        // Stores that no edge ends in.
        for store in self.stores.iter().filter(|store| !stores.contains(&store.id)) {
            if let StoreVerdict::Blocked(why) = &store.verdict {
                all.push(of(store.id.to_string(), why));
            }
        }
        for overlap in self.overlaps().filter(|overlap| self.judges(&overlap.identity)) {
            let outside = overlap.needs.iter().filter_map(|need| need.hindered.as_ref());
            let outside = outside.filter(|why| matches!(why, Why::OutsideSelection { .. }));
            all.extend(outside.take(1).map(|why| of(overlap.identity.to_string(), why)));
        }
        for (subject, one) in self.settled {
            let Subject::Identity(id) = subject else { continue };
            if !self.judges(id) {
                continue;
            }
            match &one.asked {
                // An authority that cannot be used, or a reply that may not be: the identity keeps what it has.
                Ok(_) => {
                    let said =
                        one.findings.iter().find(|f| f.severity == Severity::Blocked && f.kind.is_of_authority());
                    all.extend(said.map(|f| Blocked { what: id.to_string(), kind: f.kind, why: f.message.clone() }));
                }
                // Identities that nobody trusts yet.
                Err(why @ (Why::OutsideSelection { .. } | Why::AliasConflict { .. }))
                    if !self.blocked_subjects.contains(subject) =>
                {
                    all.push(of(id.to_string(), why));
                }
                Err(_) => {}
            }
        }
        all
    }
}
