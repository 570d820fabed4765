//! A rotation breaks no handshake. The WSM certificates of a PCCE 2000 estate are replaced. After every single event
//! each ADS calls each CVP machine through JSSE with host name checking, both with what the two read at their last
//! start and with what they would read now.
#![cfg(unix)]

use crate::judge;

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use crate::needs::{self, Need};
use judge::build::{Built, fresh};
use judge::jvm::Jvm;
use judge::services::Services;
use judge::tool::{acknowledge, climb, killed_at_store, plan, trustmason, waited_for};

/// The path of the saved plan that begins a rotation.
const SAVED: &str = "rotation.json";

#[test]
fn judge_rotation_of_an_estate_breaks_no_handshake() {
    needs!(Jdk, Openssl, Python);
    let started = Instant::now();
    let built = fresh("pcce-2000.yaml");
    let mut jvm = Jvm::start();
    climb(&built, &mut |path| jvm.certificate(path));
    let services = Services::start(&mut jvm, &built);
    let mut story = Story { jvm, built, services, reboots: None, log: Vec::new() };
    assert_eq!(story.services.at_once(), 24, "two ADS, three CVP machines, two readings of each");

    store_by_store(&mut story);
    if needs::partly(Need::Strace, "the runs killed between two stores") {
        killed_while_it_extends(&mut story);
    }
    an_immediate_one_is_seen_to_break(&mut story);
    let Services { met, moments, .. } = story.services;
    assert_eq!(met, moments * 24);
    eprintln!("{met} handshakes at {moments} moments, {:.1} s with the building", started.elapsed().as_secs_f64());
}

/// The estate and the events of one test.
struct Story {
    jvm: Jvm,
    built: Built,
    services: Services,
    /// The index of the service that restarts unasked after the next event. `None` in a test without such restarts.
    reboots: Option<usize>,
    /// The events so far, for the failure message.
    log: Vec<String>,
}

impl Story {
    /// Records an event, and checks that no call is refused.
    fn moment(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
        self.nobody_is_refused();
        if let Some(turn) = self.reboots {
            let names = self.services.names();
            let name = &names[turn % names.len()];
            self.services.restart(&mut self.jvm, name);
            self.reboots = Some(turn + 1);
            self.log.push(format!("{name} reboots"));
            self.nobody_is_refused();
        }
    }

    fn nobody_is_refused(&mut self) {
        let refused = self.services.refused(&mut self.jvm);
        assert!(refused.is_empty(), "{}\nafter\n  {}", refused.join("\n"), self.log.join("\n  "));
    }

    /// Saves a plan that replaces these identities. `more` limits the plan.
    fn ask(&self, identities: &[&str], more: &[&str]) {
        let mut arguments = vec!["plan", Built::SPEC, "--out", SAVED];
        arguments.extend(identities.iter().flat_map(|identity| ["--replace", identity]));
        arguments.extend(more);
        let said = trustmason(&self.built, &arguments);
        assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    }

    /// Carries out the saved plan.
    fn begin(&self, code: i32) {
        let said = trustmason(&self.built, &["apply", "--plan", SAVED]);
        assert_eq!(said.code, code, "{}\n{}", said.stdout, said.stderr);
    }

    /// Goes on to the end, writing the stores of one host after another and restarting one service after another. With
    /// `haste` the program is asked after each step whether it can go on, and does so first. Without it each phase is
    /// finished before.
    fn finish(&mut self, haste: bool) {
        loop {
            let plan = plan(&self.built);
            let changes = plan["changes"].as_array().unwrap();
            let hosts: BTreeSet<&str> = changes.iter().map(|change| change["host"].as_str().unwrap()).collect();
            let most = if haste { 1 } else { usize::MAX };
            for host in hosts.iter().take(most) {
                self.write(host);
            }
            let waited = if hosts.is_empty() { waited_for(&plan) } else { BTreeSet::new() };
            for service in waited.iter().take(most) {
                self.services.restart(&mut self.jvm, service);
                self.moment(format!("{service} is restarted"));
                acknowledge(&self.built, service);
            }
            if hosts.is_empty() && waited.is_empty() {
                for (what, open) in plan["summary"].as_object().unwrap().iter().filter(|(what, _)| *what != "unchanged")
                {
                    assert_eq!(open, 0, "{what} at the end: {}", plan["summary"]);
                }
                return;
            }
            assert!(self.log.len() < 200, "no end:\n  {}", self.log.join("\n  "));
        }
    }

    fn write(&mut self, host: &str) {
        let said = trustmason(&self.built, &["apply", Built::SPEC, "--auto-approve", "--host", host]);
        let report = format!("apply --host {host}: {}\n{}\n{}", said.code, said.stdout, said.stderr);
        // Other hosts may still have changes or pending restarts.
        assert!([0, 4, 5].contains(&said.code) && said.stdout.contains("1 store written, 0 failed"), "{report}");
        self.moment(format!("{host} is written"));
    }
}

/// Rotates all three identities. Each store is written by a run of its own, and each restart is acknowledged separately.
fn store_by_store(story: &mut Story) {
    let identities = ["cvpa.pcce.example/wsm", "cvpb.pcce.example/wsm", "cvprpt.pcce.example/wsm"];
    story.services.remember();
    story.moment("nothing");
    story.ask(&identities, &["--host", "awa.*", "--host", "cvp*"]);
    // The other ADS is outside the selection, so only the first store can be changed.
    story.begin(4);
    story.moment("awa.pcce.example is written");
    story.finish(false);
    // The beginning; two trusters, written and restarted; three servers, each with two services; the trusters again.
    assert_eq!(story.services.moments, 1 + 4 + 9 + 4, "{}", story.log.join("\n  "));
    story.services.old_ones_are_refused(&mut story.jvm, &identities);
}

/// Rotates one identity. Its runs are killed at one store after another until a run ends by itself, while services restart
/// unasked. Then the rotation is finished.
fn killed_while_it_extends(story: &mut Story) {
    let identity = "cvpb.pcce.example/wsm";
    story.services.remember();
    story.reboots = Some(0);
    let moments = story.services.moments;
    let (mut killed, mut between) = (0, 0);
    loop {
        story.ask(&[identity], &[]);
        let ended = !killed_at_store(&story.built, killed + 1, &["apply", "--plan", SAVED]);
        let written = story.services.written(&mut story.jvm);
        if ended {
            assert_eq!(written, ["awa.pcce.example/tomcat", "awb.pcce.example/tomcat"], "the extend phase is over");
            break;
        }
        killed += 1;
        between += usize::from(written.len() == 1);
        story.moment(format!("a run is killed at store {killed}, with {written:?} written"));
        assert!(killed < 20, "no end of stores");
    }
    story.moment("the extend phase is over");
    assert!(between > 0, "no run was killed between the two stores:\n  {}", story.log.join("\n  "));
    story.finish(true);
    // The kills and the run that was not killed; two restarts; the server written and its two services restarted; two
    // trusters. A reboot follows each.
    let moments = story.services.moments - moments;
    assert_eq!(moments, 2 * (killed + 1 + 2 + 3 + 4), "{}", story.log.join("\n  "));
    story.services.old_ones_are_refused(&mut story.jvm, &[identity]);
    story.reboots = None;
}

/// The same checks on an immediate rotation: services that were restarted and services that were not refuse each other.
fn an_immediate_one_is_seen_to_break(story: &mut Story) {
    story.moment("nothing");
    let spec = story.built.root.join(Built::SPEC);
    let staged = fs::read_to_string(&spec).unwrap();
    let immediate = staged.replace("\n  renew_before: 60d\n", "\n  renew_before: 60d\n  rotation: immediate\n");
    assert!(immediate != staged, "the spec has changed its shape:\n{staged}");
    fs::write(&spec, immediate).unwrap();
    story.ask(&["cvpa.pcce.example/wsm"], &[]);
    story.begin(0);
    let refused = story.services.refused(&mut story.jvm);
    for ads in ["awa.pcce.example/tomcat", "awb.pcce.example/tomcat"] {
        for (client, server) in [("last read", "on disk"), ("on disk", "last read")] {
            let wanted = format!("{ads} ({client}) refuses cvpa.pcce.example/wsm ({server}): ");
            let why = refused.iter().find_map(|line| line.strip_prefix(&wanted));
            assert!(why.is_some_and(|why| why.contains("PKIX path")), "{wanted}{why:?}\n{refused:#?}");
        }
    }
    assert_eq!(refused.len(), 4, "{refused:#?}");
}
