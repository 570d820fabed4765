//! What the files of Windows say and how they change; the laws of editing are in `laws`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
