//! What a person says: a restart acknowledged, a pack confirmed, certificates collected under a pin. Each goes into the audit log and
//! the ledger under the lock, or not at all.

pub mod ack;
pub mod collect;
pub mod confirm;
pub mod decision;
