//! A registry file made new, for a person to review and import: certificates that come, and keys that leave.

use super::write::value;
use crate::windows::element::key_name;

/// One change of a store's key in the registry.
#[derive(Debug, Clone)]
pub enum RegistryChange<'a> {
    /// A certificate comes.
    Add {
        /// The key `…\SystemCertificates\STORE`.
        store: &'a str,
        /// Its element ([`serialised_element`](crate::serialised_element)).
        element: &'a [u8],
        /// The certificate, whose SHA-1 is the name of its key.
        der: &'a [u8],
        /// What people read above it; no line breaks.
        comment: String,
    },
    /// A certificate leaves.
    Remove {
        /// The key `…\SystemCertificates\STORE`.
        store: &'a str,
        /// The certificate.
        der: &'a [u8],
        /// What people read above it; no line breaks.
        comment: String,
    },
}

/// The file: `Windows Registry Editor Version 5.00`, UTF-16LE with a byte order mark and CRLF, as regedit writes it.
#[must_use]
pub fn registry_file(changes: &[RegistryChange<'_>]) -> Vec<u8> {
    const BREAK: &str = "\r\n";
    let mut text = format!("Windows Registry Editor Version 5.00{BREAK}{BREAK}");
    for change in changes {
        let (comment, key, body) = match change {
            RegistryChange::Add { store, element, der, comment } => {
                let key = format!("[{store}\\Certificates\\{}]", key_name(der));
                (comment, key, format!("{}{BREAK}", value(element, BREAK)))
            }
            RegistryChange::Remove { store, der, comment } => {
                (comment, format!("[-{store}\\Certificates\\{}]", key_name(der)), String::new())
            }
        };
        let comment: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&format!("; {comment}{BREAK}{key}{BREAK}{body}{BREAK}"));
    }
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}
