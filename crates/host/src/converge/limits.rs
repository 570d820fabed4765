//! How many stores are written at the same time. It is one number for the whole run, whichever hosts the stores are on.

use std::num::NonZero;
use std::thread;

/// Stores written at the same time at most: disks and shares gain nothing from more.
pub const MOST_WRITERS: usize = 8;

/// How many stores are written at the same time on this machine: one a processor, up to [`MOST_WRITERS`].
pub(super) fn writers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WRITERS)
}
