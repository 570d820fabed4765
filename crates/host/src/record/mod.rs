//! Everything that is written down about runs, in the state folder: the journal of one run while it works, the ledger
//! of the entries that trustmason placed and of pending work, the audit log of what was done in whose name, and
//! `run_record`, which keeps the three together.

pub mod approval;
pub mod audit;
pub mod journal;
pub mod ledger;
pub(crate) mod run_record;
pub(crate) mod sites;
