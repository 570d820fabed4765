//! What installers, forgotten steps and years have done to the demo's estate.

/// One of them. Hosts are named by their short names; everything is in `acme.example`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sin {
    /// The installer wrote the short name into the certificate (document 003 L71).
    ShortName { identity: &'static str },
    /// It ends soon.
    Ending { identity: &'static str, days: i32 },
    /// Somebody forgot to import it.
    Missing { store: &'static str, subject: &'static str },
    /// The subject has a newer certificate than this store holds.
    Stale { store: &'static str, subject: &'static str },
    /// It stands under the name an older document gave it.
    OlderAlias { store: &'static str, subject: &'static str, alias: &'static str },
    /// The certificate of a host that left.
    Leftover { store: &'static str, host: &'static str },
    /// Somebody's own entry. It must stay.
    Stranger { store: &'static str, alias: &'static str, cn: &'static str },
}

/// The list.
pub(super) const SINS: &[Sin] = &[
    Sin::ShortName { identity: "cvp1/wsm" },
    Sin::Ending { identity: "cvp2/vxml", days: 20 },
    Sin::Missing { store: "adsa/cacerts", subject: "rgrb/iis" },
    Sin::Missing { store: "adsb/cacerts", subject: "cuic1/tomcat" },
    Sin::Missing { store: "rgrb/cacerts", subject: "adsb/iis" },
    Sin::Stale { store: "adsa/cacerts", subject: "fina/tomcat" },
    Sin::Stale { store: "pga/cacerts", subject: "cucmpub/tomcat" },
    Sin::OlderAlias { store: "adsb/cacerts", subject: "rgra/iis", alias: "rgra.acme.example" },
    Sin::OlderAlias { store: "cvp2/keystore", subject: "adsa/iis", alias: "aw_cert" },
    Sin::Leftover { store: "adsa/cacerts", host: "cvp9" },
    Sin::Leftover { store: "adsb/cacerts", host: "cvp9" },
    Sin::Stranger { store: "adsa/cacerts", alias: "corp-proxy-root", cn: "Acme Corporate Proxy" },
];
