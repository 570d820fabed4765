//! Turns YAML text into a tree of nodes that carry their places. Only the YAML is judged here: a syntax error, or a
//! text that needs more memory or depth than any estate does, ends with one fault. Later checks of the tree collect all
//! other faults.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use crate::fault::{Faults, SourceText, Span};

/// A value of the file and its place.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Span,
    pub(crate) kind: NodeKind,
}

/// The value of a node.
#[derive(Clone)]
pub(crate) enum NodeKind {
    /// No value, `null` or `~`.
    Null,
    /// A scalar as text. `plain` tells that it was written without quotes; the text is then exactly what was written.
    Scalar { text: String, plain: bool },
    /// A list: `[a, b]`.
    List(Vec<Node>),
    /// A mapping: `{a: b}`, in the order written. Repeated keys are kept.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => None,
        }
    }

    /// The value under a key of a mapping. If the key is repeated, the first value.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.text() == Some(key)).map(|(_, v)| v)
    }

    /// The entries of a mapping. Any other node has none.
    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null | NodeKind::Scalar { .. } | NodeKind::List(_) => &[],
        }
    }

    /// The items of a list. A single scalar or mapping counts as a list of one.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            NodeKind::List(items) => items,
            NodeKind::Null => &[],
            NodeKind::Scalar { .. } | NodeKind::Map(_) => std::slice::from_ref(self),
        }
    }

    /// The noun of the node's kind with its article, for messages: `a list`, `a mapping`.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing",
            NodeKind::Scalar { .. } => "text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a mapping",
        }
    }
}

/// Reads a text. If the text is no valid YAML, the error has exactly one fault.
pub(crate) fn read(source: &SourceText) -> Result<Node, Faults> {
    let options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
        budget: serde_yaml::budget! {
            max_depth: 40,
            max_nodes: 200_000,
            max_events: 600_000,
            max_anchors: 500,
            max_aliases: 2_000,
            max_documents: 1,
            max_total_scalar_bytes: 8 * 1024 * 1024,
        },
    };
    let text = source.text();
    match serde_yaml::from_str_with_options::<Spanned<RawNode>>(text, options) {
        Ok(raw) => Ok(Builder { text }.node(raw)),
        Err(error) => Err(Faults::from(crate::syntax::fault(source, &error))),
    }
}

/// The tree as serde gives it, before the source text is consulted.
enum RawNode {
    Null,
    Scalar(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for RawNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawNode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<RawNode, E> {
        Ok(RawNode::Null)
    }

    fn visit_none<E>(self) -> Result<RawNode, E> {
        Ok(RawNode::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<RawNode, E> {
        Ok(RawNode::Scalar(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawNode, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<RawNode>>()? {
            items.push(item);
        }
        Ok(RawNode::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawNode, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Spanned<RawNode>, Spanned<RawNode>>()? {
            entries.push(entry);
        }
        Ok(RawNode::Map(entries))
    }
}

/// Turns serde's tree into nodes. A plain scalar gets exactly the text that was written (`0123`, `1.10`, `2027-01-31`), and
/// merge keys (`<<`) are expanded.
struct Builder<'t> {
    text: &'t str,
}

impl Builder<'_> {
    fn node(&self, raw: Spanned<RawNode>) -> Node {
        let place = self.place(raw.referenced);
        let kind = match raw.value {
            RawNode::Null => NodeKind::Null,
            RawNode::Scalar(value) => {
                let written = self.written(raw.defined);
                let plain = !written.starts_with(['\'', '"', '|', '>', '!', '&']);
                let plain = plain && !written.contains('\n') && !written.is_empty();
                let text = if plain { written.to_owned() } else { value };
                NodeKind::Scalar { text, plain }
            }
            RawNode::List(items) => NodeKind::List(items.into_iter().map(|item| self.node(item)).collect()),
            RawNode::Map(entries) => {
                NodeKind::Map(spread(entries.into_iter().map(|(k, v)| (self.node(k), self.node(v))).collect()))
            }
        };
        Node { place, kind }
    }

    fn written(&self, location: serde_yaml::Location) -> &str {
        let span = location.span();
        let Some((start, length)) = span.byte_offset().zip(span.byte_len()) else {
            return "";
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        self.text.get(start..end).unwrap_or_default().trim_end()
    }

    fn place(&self, location: serde_yaml::Location) -> Span {
        let length = self.written(location).lines().next().map_or(1, |l| l.trim_end().chars().count());
        Span {
            line: usize::try_from(location.line()).unwrap_or(0).max(1),
            column: usize::try_from(location.column()).unwrap_or(0).max(1),
            length: length.max(1),
        }
    }
}

/// Expands `<<: *anchor` (and a list of anchors). Entries of the mapping itself win.
fn spread(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if !entries.iter().any(|(k, _)| k.text() == Some("<<")) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(k, _)| k.text() == Some("<<"));
    for (key, value) in merges {
        for merged in value.items() {
            if merged.entries().is_empty() {
                own.push((key.clone(), merged.clone()));
            }
            for (k, v) in merged.entries() {
                if !own.iter().any(|(mine, _)| mine.text() == k.text()) {
                    own.push((Node { place: value.place, ..k.clone() }, v.clone()));
                }
            }
        }
    }
    own
}
