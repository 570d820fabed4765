//! The renewal of a certificate that an authority issues, seen from the stores that trust the identity: they hold the
//! authority's certificates, so nothing changes for them.

use std::fmt;

/// Why a renewal changes none of the stores that trust an identity: each of them holds the certificates of the authority
/// that issued the present certificate, its services have read them, and it does not hold the identity's own
/// certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnchangedTrusters {
    /// The authority.
    pub authority: String,
    /// Whether the next certificate is there, issued under the same certificates. Otherwise the authority's reply is
    /// still to come, and nothing changes if that reply is issued under them.
    pub replied: bool,
}

impl fmt::Display for UnchangedTrusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.authority;
        if self.replied {
            write!(
                f,
                "they hold the certificates of {authority}, which issued its old and its new certificate, and not its own; \
                 nothing is extended or withdrawn, and only the services that present it restart"
            )
        } else {
            write!(
                f,
                "they hold the certificates of {authority}, and not its own; if {authority} issues its next certificate \
                 under them too, nothing is extended or withdrawn, and only the services that present it restart"
            )
        }
    }
}
