//! How many stores are written at the same time. The number holds for the whole run, whichever hosts the stores are on.

use std::num::NonZero;
use std::thread;

/// The most stores that are written at the same time: disks and shares gain nothing from more.
pub const MOST_WRITERS: usize = 8;

/// How many stores are written at the same time on this machine: one per processor, up to [`MOST_WRITERS`].
pub(super) fn writers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_WRITERS)
}
