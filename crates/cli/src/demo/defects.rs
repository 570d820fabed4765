//! The defects of the demo's estate, which installers, forgotten steps and time have caused, as a list. `layout` puts
//! the defects into the stores.

/// A defect. Hosts have their short names; all are in `acme.example`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeededDefect {
    /// The installer wrote the short name into the certificate (document 003 L71).
    ShortName { identity: &'static str },
    /// The identity's certificate ends soon.
    Ending { identity: &'static str, days: i32 },
    /// The store lacks the subject's certificate.
    Missing { store: &'static str, subject: &'static str },
    /// The store holds an older certificate than the subject has.
    Stale { store: &'static str, subject: &'static str },
    /// The store has the subject's certificate under the alias of an older document.
    OlderAlias { store: &'static str, subject: &'static str, alias: &'static str },
    /// The store has the certificate of a retired host.
    Leftover { store: &'static str, host: &'static str },
    /// The store has an entry that the spec does not know. The entry must stay.
    Stranger { store: &'static str, alias: &'static str, cn: &'static str },
}

/// All defects.
pub(super) const SINS: &[SeededDefect] = &[
    SeededDefect::ShortName { identity: "cvp1/wsm" },
    SeededDefect::Ending { identity: "cvp2/vxml", days: 20 },
    SeededDefect::Missing { store: "adsa/cacerts", subject: "rgrb/iis" },
    SeededDefect::Missing { store: "adsb/cacerts", subject: "cuic1/tomcat" },
    SeededDefect::Missing { store: "rgrb/cacerts", subject: "adsb/iis" },
    SeededDefect::Stale { store: "adsa/cacerts", subject: "fina/tomcat" },
    SeededDefect::Stale { store: "pga/cacerts", subject: "cucmpub/tomcat" },
    SeededDefect::OlderAlias { store: "adsb/cacerts", subject: "rgra/iis", alias: "rgra.acme.example" },
    SeededDefect::OlderAlias { store: "cvp2/keystore", subject: "adsa/iis", alias: "aw_cert" },
    SeededDefect::Leftover { store: "adsa/cacerts", host: "cvp9" },
    SeededDefect::Leftover { store: "adsb/cacerts", host: "cvp9" },
    SeededDefect::Stranger { store: "adsa/cacerts", alias: "corp-proxy-root", cn: "Acme Corporate Proxy" },
];
