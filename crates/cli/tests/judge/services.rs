//! The services of the estate. A service reads its stores only when it starts. Which service reads and calls which is taken
//! from document 003, not from the profile.

use std::collections::BTreeMap;

use super::Verdicts;
use super::build::{Built, StoreAt};
use super::jvm::{Jvm, Reading};
use super::tool::{acknowledge, plan, trustmason, waited_for};

/// The alias of the certificate that the WSM of a CVP machine presents.
const WSM: &str = "wsm_certificate";

/// A service that makes handshakes.
struct Service {
    store: StoreAt,
    /// The reading of the service at its last start.
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
    /// The readings of servers before they got new keys.
    before: BTreeMap<String, Reading>,
    /// The number of handshakes.
    pub met: usize,
    /// The number of moments at which all handshakes were made.
    pub moments: usize,
}

impl Services {
    /// All services of the estate, just started.
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

    /// Restarts a service, which then reads the disk. A service without handshakes is ignored.
    pub fn restart(&mut self, jvm: &mut Jvm, service: &str) {
        if let Some(service) = self.services.get_mut(service) {
            *service = Service::start(jvm, &service.store);
        }
    }

    /// The names of the services, in order.
    pub fn names(&self) -> Vec<String> {
        self.services.keys().cloned().collect()
    }

    /// Remembers what every service last read.
    pub fn remember(&mut self) {
        self.before = self.services.iter().map(|(name, service)| (name.clone(), service.last.clone())).collect();
    }

    /// The services whose stores changed since [`Self::remember`].
    pub fn written(&self, jvm: &mut Jvm) -> Vec<String> {
        let written = self.services.iter().filter(|(name, service)| jvm.read(&service.store) != self.before[*name]);
        written.map(|(name, _)| name.clone()).collect()
    }

    /// Checks that no client trusts what these servers presented before: they have new keys, and the old trust is deleted.
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

    /// The number of handshakes at one moment.
    pub fn at_once(&self) -> usize {
        self.calls.len() * 4
    }

    /// Makes every call now, with what both sides last read and with what either would read after a restart. Gives the
    /// refused calls in words.
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
    /// Goes on to the end as a careful operator does: after every write and every single restart no call may be
    /// refused. Gives the number of applies.
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
