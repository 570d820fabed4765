//! What is written down of runs, in the state folder: the journal of one run while it works, the ledger of what is ours and of what
//! waits, the audit log of what was done in whose name, and the books that keep the three together.

pub mod approval;
pub mod audit;
pub(crate) mod books;
pub mod journal;
pub mod ledger;
pub(crate) mod sites;
