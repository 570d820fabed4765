//! The machine that this program runs on.

use std::path::Path;

use crate::disk::{self, Limit};

/// Its name, for people.
pub(crate) fn name() -> String {
    let kernel = disk::read(Path::new("/proc/sys/kernel/hostname"), Limit::Holder).ok();
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    kernel
        .and_then(|name| Some(std::str::from_utf8(&name).ok()?.trim().to_owned()))
        .or(named)
        .unwrap_or_else(|| "an unnamed machine".to_owned())
}
