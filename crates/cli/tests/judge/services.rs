//! Services as they are: they read their stores when they start and never again. Who reads what and who calls whom is
//! document 003's, not the profile's.

use std::collections::BTreeMap;

use super::Verdicts;
use super::build::{Built, StoreAt};
use super::jvm::{Jvm, Reading};
use super::tool::{acknowledge, plan, trustmason, waited_for};

/// What the WSM of a CVP machine presents.
const WSM: &str = "wsm_certificate";

/// A service that shakes hands.
struct Service {
    store: StoreAt,
    /// What it read when it was last started.
    last: Reading,
}

/// The tomcat of an ADS calls the WSM of a CVP machine (003 L20-21, L121).
struct Call {
    client: String,
    server: String,
    host: String,
}

/// The services of an estate that call one another over the WSM's certificate, by `FQDN/SERVICE`.
pub struct Services {
    services: BTreeMap<String, Service>,
    calls: Vec<Call>,
    /// What servers read before they were given new keys.
    before: BTreeMap<String, Reading>,
    /// Handshakes that were made.
    pub met: usize,
    /// Moments at which all of them were made.
    pub moments: usize,
}

impl Services {
    /// All of them, just started.
    pub fn start(jvm: &mut Jvm, built: &Built) -> Self {
        let mut services = BTreeMap::new();
        let mut calls = Vec::new();
        for ads in built.cast.with(&["ads"]) {
            let client = format!("{}/tomcat", ads.fqdn);
            services.insert(client.clone(), Service::start(jvm, built.store(&ads.fqdn, "cacerts")));
            for cvp in built.cast.with(&["cvp", "cvp-reporting"]) {
                let server = format!("{}/wsm", cvp.fqdn);
                services
                    .entry(server.clone())
                    .or_insert_with(|| Service::start(jvm, built.store(&cvp.fqdn, "keystore")));
                calls.push(Call { client: client.clone(), server, host: cvp.fqdn.clone() });
            }
        }
        Self { services, calls, before: BTreeMap::new(), met: 0, moments: 0 }
    }

    /// A service is started again, and reads the disk. One that shakes no hands is of no interest.
    pub fn restart(&mut self, jvm: &mut Jvm, service: &str) {
        if let Some(service) = self.services.get_mut(service) {
            *service = Service::start(jvm, &service.store);
        }
    }

    /// Names, in order.
    pub fn names(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Keeps what all last read, to be asked for later.
    pub fn remember(&mut self) {
        self.before = self.services.iter().map(|(name, service)| (name.clone(), service.last.clone())).collect();
    }

    /// Whose stores are no longer as they were when that was kept.
    pub fn written(&self, jvm: &mut Jvm) -> Vec<String> {
        let written = self.services.iter().filter(|(name, service)| jvm.read(&service.store) != self.before[*name]);
        written.map(|(name, _)| name.clone()).collect()
    }

    /// At the end no client trusts what these presented before: they have new keys, and the old are trusted no more.
    pub fn old_ones_are_refused(&self, jvm: &mut Jvm, anew: &[&str]) {
        let mut verdicts = Verdicts::default();
        for Call { client, server, host } in &self.calls {
            let old = jvm.meet(&self.before[server], WSM, &self.services[client].last, host);
            verdicts.that(old.is_err() == anew.contains(&server.as_str()), || {
                format!("{client} meets {server} as it was before: {old:?}")
            });
        }
        verdicts.close("what was presented before");
    }

    /// How many handshakes one moment takes.
    pub fn at_once(&self) -> usize {
        self.calls.len() * 4
    }

    /// Every call now: between what both last read, and what either would read if it restarted this moment. Those that are
    /// refused, in words.
    pub fn refused(&mut self, jvm: &mut Jvm) -> Vec<String> {
        let mut refused = Vec::new();
        let disk: BTreeMap<&String, Reading> =
            self.services.iter().map(|(name, service)| (name, jvm.read(&service.store))).collect();
        for Call { client, server, host } in &self.calls {
            for (trusts, of_client) in [(&self.services[client].last, "last read"), (&disk[client], "on disk")] {
                for (presents, of_server) in [(&self.services[server].last, "last read"), (&disk[server], "on disk")] {
                    self.met += 1;
                    if let Err(why) = jvm.meet(presents, WSM, trusts, host) {
                        refused.push(format!("{client} ({of_client}) refuses {server} ({of_server}): {why}"));
                    }
                }
            }
        }
        self.moments += 1;
        refused
    }
}

impl Services {
    /// On to the end, as careful people go: after every write and every single restart nobody may be refused. How many applies
    /// it took.
    pub fn finish(&mut self, jvm: &mut Jvm, built: &Built) -> usize {
        for applies in 1..16 {
            let waited = waited_for(&plan(built));
            for service in &waited {
                self.restart(jvm, service);
                assert_eq!(self.refused(jvm), Vec::<String>::new(), "after the restart of {service}");
                acknowledge(built, service);
            }
            let said = trustmason(built, &["apply", Built::SPEC, "--auto-approve"]);
            assert!([0, 4, 5].contains(&said.code), "{}\n{}", said.stdout, said.stderr);
            assert_eq!(self.refused(jvm), Vec::<String>::new(), "after apply {applies}\n{}", said.stdout);
            if said.code == 0 && waited_for(&plan(built)).is_empty() {
                return applies;
            }
        }
        panic!("no end: {}", plan(built));
    }
}

impl Service {
    fn start(jvm: &mut Jvm, store: &StoreAt) -> Self {
        Self { store: store.clone(), last: jvm.read(store) }
    }
}
