//! The sides of TLS that a certificate is for.

use crate::certificate::Certificate;

/// The sides of TLS connections on which a certificate is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// Its owner is a server.
    Server,
    /// Its owner is a client.
    Client,
    /// Its owner is a server on some connections and a client on others.
    Both,
}

impl TlsUse {
    /// The most that a certificate allows by its extended key usage. A certificate that allows neither side is judged
    /// as a server's.
    #[must_use]
    pub fn allowed_by(certificate: &Certificate) -> Self {
        let Some(usages) = certificate.extended_key_usage() else { return Self::Both };
        let lists = |wanted: &str| usages.iter().any(|usage| usage == wanted);
        match (lists("serverAuth"), lists("clientAuth")) {
            (true, true) => Self::Both,
            (false, true) => Self::Client,
            (_, false) => Self::Server,
        }
    }

    /// The extended key usages of the use (RFC 5280 §4.2.1.12).
    pub(super) fn usages(self) -> &'static [&'static str] {
        match self {
            Self::Server => &["serverAuth"],
            Self::Client => &["clientAuth"],
            Self::Both => &["serverAuth", "clientAuth"],
        }
    }

    /// The bits of Netscape's certificate type (2.16.840.1.113730.1.1), which openssl and JSSE still obey.
    pub(super) fn netscape_bits(self) -> u8 {
        match self {
            Self::Server => 0x40,
            Self::Client => 0x80,
            Self::Both => 0xc0,
        }
    }

    /// The use in words.
    pub(super) fn sides(self) -> &'static str {
        match self {
            Self::Server => "servers",
            Self::Client => "clients",
            Self::Both => "servers and clients",
        }
    }
}
