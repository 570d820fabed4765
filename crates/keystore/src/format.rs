//! The formats by name, and what is true of each.

/// A format that is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Sun's JKS, `FEEDFEED`, versions 1 and 2.
    Jks,
    /// SunJCE's JCEKS, `CECECECE`, versions 1 and 2.
    Jceks,
    /// PKCS#12 (RFC 7292), also under the name of PFX.
    Pkcs12,
    /// One file of PEM blocks.
    Pem,
    /// A folder of certificate files.
    PemDirectory,
    /// A certificate and its private key, two PEM files.
    PemPair,
    /// One file of DER certificates, one after another (usually one).
    Der,
    /// A PKCS#7 or CMS certificate bundle in DER, BER or PEM; read, not written.
    Pkcs7,
    /// A Windows serialised store, `.sst`.
    WindowsSst,
    /// One serialised certificate of Windows: a registry value `Blob`, a file of a user's own store.
    WindowsElement,
    /// A registry export, `.reg`, with certificate stores of Windows in it.
    WindowsReg,
    /// A registry hive, `SOFTWARE` or `NTUSER.DAT`, with certificate stores of Windows in it. Never written.
    WindowsHive,
}

/// How entries are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasModel {
    /// By an alias whose case does not count.
    Folded,
    /// Not at all.
    None,
    /// By the name of the file they are in.
    FileName,
}

impl Format {
    /// The name in JSON output: `jks`, `jceks`, `pkcs12`, `pem`, `pem-dir`, `pem-pair`, `der`, `pkcs7`, `windows-sst`, `windows-element`,
    /// `windows-reg`, `windows-hive`.
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

    /// How its entries are named.
    #[must_use]
    pub fn alias_model(self) -> AliasModel {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 => AliasModel::Folded,
            Self::Pem | Self::PemPair | Self::Der | Self::Pkcs7 => AliasModel::None,
            Self::PemDirectory => AliasModel::FileName,
            // A friendly name is a note, not a name: any number of certificates may bear it.
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => AliasModel::None,
        }
    }

    /// Whether it can hold private keys.
    #[must_use]
    pub fn holds_keys(self) -> bool {
        match self {
            Self::Jks | Self::Jceks | Self::Pkcs12 | Self::PemPair => true,
            Self::Pem | Self::PemDirectory | Self::Der | Self::Pkcs7 => false,
            Self::WindowsSst | Self::WindowsElement | Self::WindowsReg | Self::WindowsHive => false,
        }
    }

    /// Whether Java reads keys from it.
    pub(crate) fn is_java(self) -> bool {
        matches!(self, Self::Jks | Self::Jceks | Self::Pkcs12)
    }

    /// Whether it is written under a password.
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
