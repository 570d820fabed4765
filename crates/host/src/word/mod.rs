//! The reports of a person: a restart acknowledged, a pack confirmed, certificates collected under a pin. Each report
//! is written into the audit log under the lock. Acknowledgements and confirmations are written into the ledger as well.

pub mod ack;
pub mod collect;
pub mod confirm;
pub mod decision;
