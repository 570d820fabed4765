//! The formats by name, and the facts about each of them. The module never reads a byte: `detect` tells which format a
//! content has.

/// A format of a store. Each of them is read; the variant says so where it is never written.
///
/// ```
/// use trustmason_keystore::{AliasModel, Detected, Format, detect};
///
/// // The format follows from the content, not from the file's name.
/// let pem = b"-----BEGIN CERTIFICATE-----\n";
/// assert!(matches!(detect(pem), Detected::Readable(Format::Pem)));
/// assert!(!Format::Pem.needs_password());
///
/// // A JKS names its entries by aliases, and a private key may go into it.
/// assert_eq!(Format::Jks.alias_model(), AliasModel::Folded);
/// assert!(Format::Jks.holds_keys() && Format::Jks.needs_password());
/// assert_eq!(Format::Jks.to_string(), "jks");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Sun's JKS, `FEEDFEED`, versions 1 and 2.
    Jks,
    /// SunJCE's JCEKS, `CECECECE`, versions 1 and 2.
    Jceks,
    /// PKCS#12 (RFC 7292), also called PFX.
    Pkcs12,
    /// One file of PEM blocks.
    Pem,
    /// A folder of certificate files.
    PemDirectory,
    /// A certificate and its private key in two PEM files.
    PemPair,
    /// One file of DER certificates, one after another (usually one).
    Der,
    /// A PKCS#7 or CMS certificate bundle in DER, BER or PEM. Never written.
    Pkcs7,
    /// A Windows serialised store, `.sst`.
    WindowsSst,
    /// One serialised certificate of Windows: a registry value `Blob`, or a file of a user's own store.
    WindowsElement,
    /// A registry export, `.reg`, that contains certificate stores of Windows.
    WindowsReg,
    /// A registry hive, `SOFTWARE` or `NTUSER.DAT`, that contains certificate stores of Windows. Never written.
    WindowsHive,
}

/// How a format names its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasModel {
    /// By an alias whose case does not count.
    Folded,
    /// The format has no names for entries.
    None,
    /// By the name of the file that holds the entry.
    FileName,
}

impl Format {
    /// The name in JSON output: `jks`, `jceks`, `pkcs12`, `pem`, `pem-dir`, `pem-pair`, `der`, `pkcs7`, `windows-sst`,
    /// `windows-element`, `windows-reg`, `windows-hive`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jks => "jks",
            Self::Jceks => "jceks",
            Self::Pkcs12 => "pkcs12",
            Self::Pem => "pem",
            Self::PemDirectory => "pem-dir",
            Self::PemPair => "pem-pair",
            Self::Der => "der",
            Self::Pkcs7 => "pkcs7",
            Self::WindowsSst => "windows-sst",
            Self::WindowsElement => "windows-element",
            Self::WindowsReg => "windows-reg",
            Self::WindowsHive => "windows-hive",
        }
    }

    /// How the format names its entries.
    #[must_use]
    pub fn alias_model(self) -> AliasModel {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 => AliasModel::Folded,
            Self::Pem | Self::PemPair | Self::Der | Self::Pkcs7 => AliasModel::None,
            Self::PemDirectory => AliasModel::FileName,
            // A friendly name identifies nothing: any number of certificates may have the same one.
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => AliasModel::None,
        }
    }

    /// Whether this crate reads and writes private keys in this format.
    #[must_use]
    pub fn holds_keys(self) -> bool {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 | Self::PemPair => true,
            Self::Pem | Self::PemDirectory | Self::Der | Self::Pkcs7 => false,
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => false,
        }
    }

    /// Whether Java reads private keys from a store of this format.
    pub(crate) fn is_java(self) -> bool {
        matches!(self, Self::Jks | Self::Jceks | Self::Pkcs12)
    }

    /// Whether a store of this format is written under a password.
    #[must_use]
    pub fn needs_password(self) -> bool {
        self.holds_keys() && self != Self::PemPair
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
