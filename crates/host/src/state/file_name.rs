//! The names of files and folders in the state folder. Each thing gets a name that no other thing has on any file
//! system, even on one that takes `Host` and `host` for the same name, refuses some names, or has devices among them. A
//! name of lower-case letters, digits, dots, hyphens and underscores is kept as it is.

use std::fmt::Write as _;

use trustmason_keystore::Digest;
use trustmason_plan::target::HandOffTarget;
use trustmason_spec::name::{Fqdn, is_no_windows_name};

/// The longest name that is kept whole. With everything that is added before and after it, it fits into the 255 bytes
/// that file systems allow.
const LONGEST: usize = 160;

/// The file name for a name from a profile. Every other byte becomes `+` and two hex digits, and so do a dot at either
/// end and the first byte of a name that Windows takes for another name or a device. All letters are lower case, so no
/// two names differ in case alone.
pub(crate) fn of(name: &str) -> String {
    let (last, refused) = (name.len().saturating_sub(1), is_no_windows_name(name));
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let as_it_is = match byte {
            b'.' => at != 0 && at != last,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => at != 0 || !refused,
            _ => false,
        };
        if as_it_is {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "+{byte:02x}");
        }
    }
    if out.is_empty() {
        return "+".to_owned();
    }
    if out.len() > LONGEST {
        // No other name has two plus signs side by side.
        out.truncate(LONGEST / 2);
        let _infallible = write!(out, "++{}", Digest::of(name.as_bytes()));
    }
    out
}

/// The folder of a host. No host has a `+` in its name.
pub(crate) fn of_host(host: &Fqdn) -> String {
    if is_no_windows_name(host.as_str()) { format!("+{host}") } else { host.to_string() }
}

/// The folder of a pack, below that of its host. The text after the `+` is no hex number, so no store has such a
/// folder.
pub(crate) fn of_pack(target: &HandOffTarget) -> String {
    match target {
        HandOffTarget::Store(id) => of(&id.name),
        HandOffTarget::Identity(id) => format!("{}+identity", of(&id.name)),
    }
}

#[cfg(test)]
#[path = "file_name_tests.rs"]
mod tests;
