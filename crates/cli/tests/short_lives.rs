//! A pair of CVP servers under an authority that issues for 47 days, with the program itself and its clock set to the days
//! on which something falls due.
#![cfg(target_os = "linux")]

use crate::support;

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::{CertificateSigningRequestParams, Issuer, SerialNumber};
use support::{Estate, Said, key, pem, put, said};
use trustmason_keystore::Fingerprint;
use trustmason_plan::text;

const DAY: i64 = 86_400;
/// 2026-06-01T08:00:00Z, the day on which the authority issues for the first time.
const FIRST: i64 = 1_780_300_800;
/// The days for which the authority issues.
const LIVES: i64 = 47;
const SETTLED: &str = "No changes. Every store holds what the spec declares.";

const SPEC: &str = "trustmason: 1
estate: acme
profile: pcce-12.5
state: ./.trustmason
access: { root: './hosts/{fqdn}' }
certificates_dir: ./certs
hosts:
  adsa.acme.example: { role: ads, side: a }
  cvp1.acme.example: { role: cvp, side: a }
  cvp2.acme.example: { role: cvp, side: b }
";

/// The services that present a certificate of the authority.
const SERVICES: [&str; 6] = [
    "cvp1.acme.example/callserver",
    "cvp1.acme.example/vxml",
    "cvp1.acme.example/wsm",
    "cvp2.acme.example/callserver",
    "cvp2.acme.example/vxml",
    "cvp2.acme.example/wsm",
];

/// The estate and its authority, with the day of the clock.
struct Lab {
    estate: Estate,
    root: Vec<u8>,
    serial: u64,
    day: i64,
    /// The number of commands so far. Each begins ten minutes after the one before, so that time never goes back.
    commands: Cell<i64>,
}

impl Lab {
    /// An estate in sync whose identities are self-signed, and are to be issued by the authority.
    fn new(setting: &str) -> Self {
        let estate = Estate::of(SPEC);
        let root = support::root("Lab Root CA", 7, |_| {});
        put(&estate.path("ca/root.pem"), pem(&root).as_bytes());
        let issued = format!("identity: {{ issuer: lab-ca{setting} }} }}");
        let spec: String = SPEC
            .lines()
            .map(|line| {
                if line.contains("role: cvp") {
                    line.replacen(" }", &format!(", {issued}"), 1)
                } else {
                    line.to_owned()
                }
            })
            .map(|line| line + "\n")
            .collect();
        let authority = format!(
            "authorities:\n  lab-ca:\n    root: {{ file: ./ca/root.pem, sha256: '{}' }}\n    requests_dir: ./csr\n    inbox: ./inbox\n",
            Fingerprint::of(&root)
        );
        put(&estate.path("estate.yaml"), format!("{spec}{authority}").as_bytes());
        Self { estate, root, serial: 1, day: 0, commands: Cell::new(0) }
    }

    /// Runs the program with its clock at this day.
    fn run(&self, args: &[&str]) -> Said {
        self.commands.set(self.commands.get() + 1);
        let moment = text::time(self.now()).replace('T', " ").replace('Z', "");
        let mut command = Command::new("faketime");
        command.arg(moment).arg(env!("CARGO_BIN_EXE_trustmason")).args(args).current_dir(self.estate.dir.path());
        said(command.env("TZ", "UTC").env("NO_FAKE_STAT", "1").env("USER", "tester").stdin(Stdio::null()))
    }

    fn now(&self) -> i64 {
        FIRST + self.day * DAY + self.commands.get() * 600
    }

    /// The authority answers every request, for 47 days from now; the last second counts.
    fn answer(&mut self) -> usize {
        let requests: Vec<_> =
            std::fs::read_dir(self.estate.path("csr")).unwrap().map(|entry| entry.unwrap().path()).collect();
        for request in &requests {
            let text = std::fs::read_to_string(request).unwrap();
            let mut asked = CertificateSigningRequestParams::from_pem(&text).unwrap();
            let from = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(self.now()).unwrap());
            asked.params.not_before = from;
            asked.params.not_after = from + Duration::from_secs(u64::try_from(LIVES * DAY - 1).unwrap());
            self.serial += 1;
            asked.params.serial_number = Some(SerialNumber::from(self.serial));
            let issuer = Issuer::from_ca_cert_der(&self.root.as_slice().into(), key(7)).unwrap();
            let reply = asked.signed_by(&issuer).unwrap();
            let name = request.file_stem().unwrap().to_string_lossy().into_owned();
            put(&self.estate.path(&format!("inbox/{name}-{}.pem", self.day)), pem(reply.der()).as_bytes());
            std::fs::remove_file(request).unwrap();
        }
        requests.len()
    }

    /// Asserts that every key of the pair has a certificate that is valid now, and that the store of the ADS has its
    /// issuer.
    fn works(&self) {
        for host in ["cvp1", "cvp2"] {
            let store = self.estate.open(&format!("{host}/keystore"));
            for alias in ["wsm_certificate", "vxml_certificate", "callserver_certificate"] {
                let entry = store.entries().iter().find(|entry| entry.alias.as_deref() == Some(alias)).unwrap();
                let leaf = entry.certificates()[0].certificate().unwrap();
                assert!(leaf.not_before() <= self.now() && self.now() <= leaf.not_after(), "day {}: {alias}", self.day);
                assert!(leaf.issuer().contains("Lab Root CA"), "day {}: {alias}", self.day);
            }
        }
        assert!(self.estate.aliases("adsa/cacerts").contains(&"lab-ca-root".to_owned()));
    }

    /// The restarts that a report asks for now.
    fn restarts(report: &Said) -> Vec<String> {
        let now = report.out.split("Restart now").nth(1).unwrap_or_default();
        let lines = now.split("\n\n").next().unwrap().lines().skip(1);
        let service = |line: &str| {
            Some(
                line.trim_start()
                    .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                    .trim()
                    .split(':')
                    .next()?
                    .to_owned(),
            )
        };
        lines.filter_map(service).collect()
    }
}

#[test]
fn three_renewals_of_47_days_cost_one_restart_each_under_the_true_clock() {
    needs!(Faketime);
    let mut lab = Lab::new("");
    // From self-signed to the authority.
    for round in 0.. {
        let applied = lab.run(&["apply", "--auto-approve"]);
        let _ = lab.run(&["ack", "*"]);
        lab.answer();
        if applied.code == 0 {
            break;
        }
        assert!(applied.code == 5 && round < 6, "{}{}", applied.out, applied.err);
    }
    let _ = lab.run(&["ack", "*"]);
    let _ = lab.run(&["drift", "--strict"]).code(0);
    lab.works();
    let trusted = std::fs::read(lab.estate.file("adsa/cacerts")).unwrap();
    let mut issued = 0;
    for renewal in 1..=3 {
        // The last day on which nothing is due: a third of 47 days is 15 days and 16 hours.
        lab.day = issued + 31;
        let plan = lab.run(&["plan"]).code(0);
        assert_eq!(plan.last_line(), SETTLED, "renewal {renewal}: {}", plan.out);
        lab.day = issued + 32;
        let due = lab.run(&["apply", "--auto-approve"]).code(5);
        let due = due
            .out_has("(renew_before is a third of its 47 days: 15 days); apply makes a key and a request for lab-ca")
            .out_has(
                "  unchanged the stores that trust cvp1.acme.example/wsm: they hold the certificates of lab-ca, and not its own; \
                 if lab-ca issues its next certificate under them too, nothing is extended or withdrawn",
            )
            .out_has("0 stores written, 0 failed.");
        assert_eq!(Lab::restarts(&due), [""; 0], "a request restarts nothing: {}", due.out);
        lab.works();
        // The reply comes two days later.
        lab.day = issued + 34;
        // Until then the end of the present certificate is reported, although the request was made.
        let _ = lab.run(&["drift", "--strict"]).code(2).out_has("expiring               cvp1.acme.example/wsm");
        assert_eq!(lab.answer(), 6);
        let plan = lab.run(&["plan", "--format", "json"]).code(0).json();
        let view =
            plan["identities"].as_array().unwrap().iter().find(|one| one["id"] == "cvp2.acme.example/wsm").unwrap();
        assert_eq!(view["unchanged_trusters"], serde_json::json!({ "authority": "lab-ca", "replied": true }));
        let ticket = lab.run(&["plan", "--format", "markdown"]).code(0);
        let _ = ticket.out_has(
            "**unchanged**: the stores that trust cvp2.acme.example/wsm: they hold the certificates of lab-ca",
        );
        let applied = lab.run(&["apply", "--auto-approve"]).code(5).out_has(
            "  unchanged the stores that trust cvp2.acme.example/wsm: they hold the certificates of lab-ca, which issued its old and \
             its new certificate, and not its own; nothing is extended or withdrawn, and only the services that present it \
             restart",
        );
        let mut restarts = Lab::restarts(&applied);
        restarts.sort();
        assert_eq!(restarts, SERVICES, "renewal {renewal}: {}", applied.out);
        issued = lab.day;
        // The services restart the next morning; nothing else is left to do.
        lab.day += 1;
        let _ = lab.run(&["ack", "cvp*/*"]).code(0);
        assert_eq!(lab.run(&["plan"]).code(0).last_line(), SETTLED, "renewal {renewal}");
        let _ = lab.run(&["drift", "--strict"]).code(0);
        lab.works();
        assert_eq!(
            std::fs::read(lab.estate.file("adsa/cacerts")).unwrap(),
            trusted,
            "a store that trusts the pair changed"
        );
    }
}

#[test]
fn sixty_days_of_47_are_refused_with_what_to_write_instead() {
    needs!(Faketime);
    let mut lab = Lab::new(", renew_before: 60d");
    let _ = lab.run(&["apply", "--auto-approve"]).code(5);
    let _ = lab.run(&["ack", "*"]).code(0);
    assert_eq!(lab.answer(), 6);
    let refused = lab.run(&["apply", "--auto-approve"]).code(4);
    let refused = refused.out_has("reply-dates").out_has(
        "lab-ca issued it for 47 days, but its `renew_before` is 60d, so it would be due from its first day; write `renew_before` as \
         a share of the lifetime, such as 33%, or ask lab-ca for a longer lifetime",
    );
    assert!(!refused.out.contains("  unchanged "), "{}", refused.out);
    // What the message says to try works.
    let spec = std::fs::read_to_string(lab.estate.path("estate.yaml")).unwrap();
    put(&lab.estate.path("estate.yaml"), spec.replace("renew_before: 60d", "renew_before: 33%").as_bytes());
    let _ = lab.run(&["check"]).code(0);
    let _ = lab.run(&["apply", "--auto-approve"]).code(5).out_has("6 installed");
    lab.works();
}
