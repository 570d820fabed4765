//! Makes a new registry file for an operator to review and import. The module takes changes (certificates to add, keys
//! to remove) and gives the bytes of the file. It never reads an existing file.

use super::write::value;
use crate::windows::element::key_name;

/// One change of a store's key in the registry.
#[derive(Debug, Clone)]
pub enum RegistryChange<'a> {
    /// Adds a certificate.
    Add {
        /// The key of the store, `…\SystemCertificates\STORE`.
        store: &'a str,
        /// The element of the certificate ([`serialised_element`](crate::serialised_element)).
        element: &'a [u8],
        /// The certificate. Its SHA-1 is the name of its key.
        der: &'a [u8],
        /// A comment for people, above the key. Control characters become blanks.
        comment: String,
    },
    /// Removes a certificate.
    Remove {
        /// The key of the store, `…\SystemCertificates\STORE`.
        store: &'a str,
        /// The certificate.
        der: &'a [u8],
        /// A comment for people, above the key. Control characters become blanks.
        comment: String,
    },
}

/// Makes the file: `Windows Registry Editor Version 5.00`, in UTF-16LE with a byte order mark and CRLF, as regedit
/// writes it.
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
