//! What a person reports: a restart acknowledged, a pack confirmed, certificates collected under a pin. Each goes into
//! the audit log under the lock, and acknowledgements and confirmations into the ledger as well.

pub mod ack;
pub mod collect;
pub mod confirm;
pub mod decision;
