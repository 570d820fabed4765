//! Finds PKCS#12 stores that their Java cannot open. It takes a store's path, its declaration and its facts, and gives
//! a finding. It opens no file.
#![warn(clippy::arithmetic_side_effects)]

use trustmason_keystore::Format;
use trustmason_spec::topology::{Pkcs12Scheme, StoreDef};

use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::StoreFacts;
use crate::site::Site;
use crate::text;

/// The first update of Java 8 that opens a PKCS#12 file as JDK 16 and later write it (JDK-8076190, backported to
/// 8u301).
const NEWER_PKCS12: u32 = 301;

/// The finding for a PKCS#12 store that its Java cannot open. The path names an update of Java 8 that is too old, or it
/// names none and the spec has `scheme: java8`.
pub(crate) fn too_old(def: &StoreDef, facts: &StoreFacts) -> Option<Finding> {
    if facts.format != Format::Pkcs12 {
        return None;
    }
    let what = facts.needs_java_8u301.as_deref()?;
    let path = match Site::of(def) {
        Site::File(at) => at.path,
        Site::Folder(_) | Site::Pair { .. } | Site::System { .. } => String::new(),
    };
    // A path that names its Java is evidence. `scheme: java8` is also the default if nobody wrote a scheme.
    let (severity, cause) = match update_of(&path) {
        Some(update) if update >= NEWER_PKCS12 => return None,
        Some(update) => (
            FindingKind::JavaTooOld.severity(),
            format!("the path belongs to Java 8u{update}, which does not open this store"),
        ),
        None if def.scheme() == Pkcs12Scheme::Modern => return None,
        None => {
            let cause = "the spec declares this store for any Java 8 (`scheme: java8`), but Java before 8u301 does not \
                         open it; if its service has a newer Java, write `scheme: modern` for this store";
            (Severity::Info, cause.to_owned())
        }
    };
    let message = format!("the file is protected by {}: {cause}", text::escape(what));
    Some(Finding::of_store(FindingKind::JavaTooOld, &def.id, message).with_severity(severity))
}

/// The update of Java 8 that a path names: `jre1.8.0_221`, `jdk8u272-b10`.
fn update_of(path: &str) -> Option<u32> {
    let lower = path.to_ascii_lowercase();
    lower.split(['/', '\\']).rev().find_map(|part| {
        let after = ["1.8.0_", "8u"].iter().find_map(|mark| part.split_once(mark))?.1;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_update_of_java() {
        let paths = [
            (r"C:\Program Files (x86)\Java\jre1.8.0_221\lib\security\cacerts", Some(221)),
            (r"C:\icm\OpenJDK\jdk8u272-b10\lib\security\cacerts", Some(272)),
            ("/usr/lib/jvm/JRE1.8.0_301/lib/security/cacerts", Some(301)),
            (r"C:\icm\ssl\cacerts", None),
            (r"C:\Program Files (x86)\OpenJDK\jre8\lib\security\cacerts", None),
            (r"C:\jdk8u\cacerts", None),
            (r"C:\jdk8u99999999999\cacerts", None),
        ];
        for (path, update) in paths {
            assert_eq!(update_of(path), update, "{path}");
        }
    }
}
