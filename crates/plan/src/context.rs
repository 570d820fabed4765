//! The context of every judgement of a plan: the topology, the observed facts, the moment, and indexes over them. It
//! only holds references.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trustmason_spec::name::StoreId;
use trustmason_spec::topology::Topology;

use crate::authority::Authorities;
use crate::index::Index;
use crate::observed::Observed;
use crate::outline::PlanOptions;
use crate::status::{Selection, StoreStatus};

/// Everything that a judgement needs to know.
pub(crate) struct PlanContext<'a> {
    pub topology: &'a Topology,
    pub observed: &'a Observed,
    pub statuses: &'a BTreeMap<StoreId, StoreStatus<'a>>,
    pub selection: &'a Selection,
    pub options: &'a PlanOptions,
    pub now: Timestamp,
    pub index: &'a Index<'a>,
    pub authorities: &'a Authorities<'a>,
}
