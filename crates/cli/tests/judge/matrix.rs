//! Document 003 as a table: which store must trust which identity, under which alias. The table is written from the
//! document (line numbers beside each row) and from the PCCE 12.5 guide where the document names no step. The profile
//! is not used.

use super::cast::Cast;

/// One wanted trust relation.
#[derive(Clone, Debug)]
pub struct WantedTrust {
    pub rule: &'static str,
    pub truster: String,
    /// `cacerts`, `jre-cacerts`, `keystore` or `tomcat-trust`.
    pub store: &'static str,
    /// The alias as Java stores it, in lower case. `None` on voice operating systems.
    pub alias: Option<String>,
    pub host: String,
    pub identity: &'static str,
}

struct Row {
    rule: &'static str,
    trusters: &'static [&'static str],
    store: &'static str,
    subjects: &'static [&'static str],
    identity: &'static str,
    /// The text that follows the FQDN in the alias.
    suffix: Option<&'static str>,
    publisher_only: bool,
}

const ROUTERS: &[&str] = &["rogger", "router", "logger"];
const GATEWAYS: &[&str] = &["pg", "cucm-pg"];
const ICM: &[&str] = &["rogger", "router", "logger", "pg", "cucm-pg"];
const VOS: &[&str] = &["cucm", "vvb", "finesse", "cuic", "live-data", "ids", "cuic-ld-ids", "cloud-connect"];
const PLAIN: Option<&str> = Some("");
const IIS: Option<&str> = Some("_iis");
const DFP: Option<&str> = Some("_dfp");

const fn row(
    rule: &'static str,
    trusters: &'static [&'static str],
    store: &'static str,
    subjects: &'static [&'static str],
    identity: &'static str,
    suffix: Option<&'static str>,
) -> Row {
    Row { rule, trusters, store, subjects, identity, suffix, publisher_only: false }
}

const ROWS: &[Row] = &[
    row("T1", &["ads"], "cacerts", &["cvp"], "wsm", PLAIN), // L20-21, L121
    row("T2", &["ads"], "cacerts", &["cvp-reporting"], "wsm", PLAIN), // L20-21, L121
    row("T3", &["ads"], "cacerts", ROUTERS, "iis", IIS),    // L19, L171
    row("T4", &["ads"], "cacerts", GATEWAYS, "iis", IIS),   // L19, L171
    row("T5", &["ads"], "cacerts", ICM, "dfp", DFP),        // L175
    row("T6", &["ads"], "cacerts", &["ads"], "iis", IIS),   // L19: "all ADS"; the guide lists them as sources
    row("T6", &["ads"], "cacerts", &["ads"], "dfp", DFP),   // likewise
    row("T7", &["ads"], "cacerts", &["ece"], "iis", IIS),   // L19
    row("T8", &["ads"], "cacerts", VOS, "tomcat", PLAIN),   // L23, L153
    row("T9", ROUTERS, "cacerts", &["ads"], "iis", IIS),    // L26
    Row {
        rule: "T10", // L28-29
        trusters: &["cucm-pg"],
        store: "cacerts",
        subjects: &["cucm"],
        identity: "tomcat",
        suffix: PLAIN,
        publisher_only: true,
    },
    row("T11", &["cvp"], "keystore", &["ads"], "iis", PLAIN), // L31, L132
    row("T12", &["cvp-reporting"], "keystore", &["ads"], "iis", PLAIN), // L33 is empty; L124-133
    row("T13", &["cvp"], "keystore", &["cloud-connect"], "tomcat", PLAIN), // L32
    row("T14", &["cvp"], "keystore", &["vvb"], "tomcat", PLAIN), // L32
    row("T15", &["vvb"], "tomcat-trust", &["cvp"], "vxml", None), // L35
    row("T16", &["vvb"], "tomcat-trust", &["cvp"], "callserver", None), // L35
];

/// The whole matrix of an estate.
pub fn document_003(cast: &Cast) -> Vec<WantedTrust> {
    let mut wanted_trust = Vec::new();
    for row in ROWS {
        for truster in cast.with(row.trusters) {
            for subject in cast.with(row.subjects).filter(|subject| subject.publisher || !row.publisher_only) {
                wanted_trust.push(WantedTrust {
                    rule: row.rule,
                    truster: truster.fqdn.clone(),
                    store: row.store,
                    alias: row.suffix.map(|suffix| format!("{}{suffix}", subject.fqdn)),
                    host: subject.fqdn.clone(),
                    identity: row.identity,
                });
            }
        }
    }
    wanted_trust
}

/// The stores and identities of the reference estates.
const NAMES: &[&str] = &[
    "cacerts",
    "jre-cacerts",
    "keystore",
    "tomcat-trust",
    "iis",
    "dfp",
    "tomcat",
    "wsm",
    "vxml",
    "callserver",
    "oamp",
    "awdb",
];

/// The edges of a list of `fixtures/reference`: `FQDN/STORE <- FQDN/IDENTITY ALIAS` on each line.
pub fn listed(text: &str) -> Vec<WantedTrust> {
    let known = |name: &str| *NAMES.iter().find(|known| **known == name).unwrap_or_else(|| panic!("unknown: {name}"));
    let edge = |line: &str| {
        let [store, "<-", identity, alias] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let ((truster, store), (host, identity)) = (store.split_once('/').unwrap(), identity.split_once('/').unwrap());
        WantedTrust {
            rule: "reference",
            truster: truster.to_owned(),
            store: known(store),
            alias: (alias != "-").then(|| alias.to_owned()),
            host: host.to_owned(),
            identity: known(identity),
        }
    };
    super::lines(text).map(edge).collect()
}
