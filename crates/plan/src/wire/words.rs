//! The fields of a plan's document that hold one of a few words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trustmason_keystore::Format;

use crate::outline::{EdgeVerdict, StoreVerdict, Wait};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ })+
    };
}

words! {
    /// The verdict on a store.
    StoreVerdictWord {
        /// There is nothing to do.
        InSync,
        /// There are changes to make.
        Change,
        /// Nothing may be written.
        Blocked,
    }
    /// The verdict on a trust relation.
    EdgeVerdictWord {
        /// The store trusts the subject.
        InSync,
        /// A change adds the trust.
        Change,
        /// A person adds the trust.
        Manual,
        /// The trust relation cannot be judged or served.
        Blocked,
        /// Nobody can see the store.
        Unobserved,
    }
    /// The kind of event that a barrier waits for.
    WaitKind {
        /// The restart of a service.
        Restart,
        /// The confirmation of a hand-off.
        HandOff,
        /// The reply of a CA.
        Reply,
    }
    /// The format of a store's bytes.
    FormatWord {
        /// Sun's JKS.
        Jks,
        /// SunJCE's JCEKS.
        Jceks,
        /// PKCS#12 (RFC 7292).
        Pkcs12,
        /// One file of PEM blocks.
        Pem,
        /// A folder of certificate files.
        #[serde(rename = "pem-dir")]
        PemDirectory,
        /// A certificate and its private key, two PEM files.
        PemPair,
        /// One file of DER certificates.
        Der,
        /// A PKCS#7 or CMS certificate bundle.
        Pkcs7,
        /// A Windows serialised store, `.sst`.
        WindowsSst,
        /// One serialised certificate of Windows.
        WindowsElement,
        /// A registry export of Windows, `.reg`.
        WindowsReg,
        /// A registry hive of Windows.
        WindowsHive,
    }
}

impl EdgeVerdictWord {
    /// Every verdict, in the order in which they are explained.
    pub const ALL: [Self; 5] = [Self::InSync, Self::Change, Self::Manual, Self::Blocked, Self::Unobserved];

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::Change => "change",
            Self::Manual => "manual",
            Self::Blocked => "blocked",
            Self::Unobserved => "unobserved",
        }
    }
}

impl From<&StoreVerdict> for StoreVerdictWord {
    fn from(verdict: &StoreVerdict) -> Self {
        match verdict {
            StoreVerdict::InSync => Self::InSync,
            StoreVerdict::Change(_) => Self::Change,
            StoreVerdict::Blocked(_) => Self::Blocked,
        }
    }
}

impl From<&EdgeVerdict> for EdgeVerdictWord {
    fn from(verdict: &EdgeVerdict) -> Self {
        match verdict {
            EdgeVerdict::Held => Self::InSync,
            EdgeVerdict::Change(_) => Self::Change,
            EdgeVerdict::Manual(_) => Self::Manual,
            EdgeVerdict::Blocked(_) => Self::Blocked,
            EdgeVerdict::Unobserved => Self::Unobserved,
        }
    }
}

impl From<&Wait> for WaitKind {
    fn from(wait: &Wait) -> Self {
        match wait {
            Wait::Restart(_) => Self::Restart,
            Wait::HandOff(_) => Self::HandOff,
            Wait::Reply(_) => Self::Reply,
        }
    }
}

impl From<Format> for FormatWord {
    fn from(format: Format) -> Self {
        match format {
            Format::Jks => Self::Jks,
            Format::Jceks => Self::Jceks,
            Format::Pkcs12 => Self::Pkcs12,
            Format::Pem => Self::Pem,
            Format::PemDirectory => Self::PemDirectory,
            Format::PemPair => Self::PemPair,
            Format::Der => Self::Der,
            Format::Pkcs7 => Self::Pkcs7,
            Format::WindowsSst => Self::WindowsSst,
            Format::WindowsElement => Self::WindowsElement,
            Format::WindowsReg => Self::WindowsReg,
            Format::WindowsHive => Self::WindowsHive,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_document_has_the_public_words() {
        let said = |word: serde_json::Value| word.as_str().unwrap().to_owned();
        for word in EdgeVerdictWord::ALL {
            assert_eq!(said(serde_json::to_value(word).unwrap()), word.as_str());
        }
        for format in [
            Format::Jks,
            Format::Jceks,
            Format::Pkcs12,
            Format::Pem,
            Format::PemDirectory,
            Format::PemPair,
            Format::Der,
            Format::Pkcs7,
            Format::WindowsSst,
            Format::WindowsElement,
            Format::WindowsReg,
            Format::WindowsHive,
        ] {
            assert_eq!(said(serde_json::to_value(FormatWord::from(format)).unwrap()), format.as_str());
        }
        let waits = [WaitKind::Restart, WaitKind::HandOff, WaitKind::Reply];
        assert_eq!(serde_json::to_string(&waits).unwrap(), r#"["restart","hand-off","reply"]"#);
    }
}
