//! The name of the machine that this program runs on. The name is for people only: nothing is decided by it.

use std::path::Path;

use crate::disk::{self, ReadLimit};

/// The machine's name: from the kernel, else from the environment, else a phrase that says there is none.
pub(crate) fn name() -> String {
    let kernel = disk::read(Path::new("/proc/sys/kernel/hostname"), ReadLimit::Holder).ok();
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    kernel
        .and_then(|name| Some(std::str::from_utf8(&name).ok()?.trim().to_owned()))
        .or(named)
        .unwrap_or_else(|| "an unnamed machine".to_owned())
}
