//! The meaning of the spec language. Each test resolves a small estate and checks one sentence.

use std::path::{Path, PathBuf};

use trustmason_keystore::Alias;
use trustmason_spec::name::{Fqdn, IdentityId, ServiceId, StoreId};
use trustmason_spec::topology::{
    Access, Anchor, CertificateSource, Disks, Drives, Issuer, KeyKind, LeadTime, Ownership, Rotation, SecretSource,
    ServiceDef, SignatureHash, StoreDef, Topology, WriteMode,
};
use trustmason_spec::{Resolved, parse, profile, resolve};

fn resolved(rest: &str) -> Resolved {
    let head = if rest.contains("\nprofile:") || rest.starts_with("profile:") { "" } else { "profile: pcce-12.5\n" };
    let text = format!("trustmason: 1\nestate: acme\n{head}{rest}");
    let spec = parse(&text, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = profile::load(&spec, Path::new("/estate"), |_| Err("no".to_owned()))
        .unwrap_or_else(|faults| panic!("{faults}"));
    resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|faults| panic!("{faults}"))
}

fn topology(rest: &str) -> Topology {
    resolved(rest).topology
}

fn store<'t>(topology: &'t Topology, id: &str) -> &'t StoreDef {
    &topology.stores[&StoreId::parse(id).unwrap()]
}

fn service<'t>(topology: &'t Topology, id: &str) -> &'t ServiceDef {
    &topology.services[&ServiceId::parse(id).unwrap()]
}

fn shown(store: &StoreDef) -> &str {
    &store.path().unwrap().shown
}

/// The older aliases of an edge.
fn older(edge: &trustmason_spec::topology::Edge) -> Vec<String> {
    edge.was.iter().map(ToString::to_string).collect()
}

/// `alias subject rule` of every edge of a store.
fn edges(topology: &Topology, id: &str) -> Vec<String> {
    let of = |e: &trustmason_spec::topology::Edge| {
        format!("{} {} {}", e.alias.as_ref().map_or("-", Alias::as_str), e.subject, e.rule)
    };
    topology.edges.iter().filter(|e| e.store.to_string() == id).map(of).collect()
}

#[test]
fn a_host_beats_a_role_beats_a_glob_field_by_field() {
    let topology = topology(
        r"
hosts:
  a.x.example: { role: cvp }
  b.x.example: { role: cvp }
  c.x.example: { role: cvp-reporting }
stores:
  '*/keystore': { path: 'C:\glob', create: true, password: { env: GLOB } }
  cvp/keystore: { path: 'C:\role', password: { env: ROLE } }
  B.X.example/keystore: { path: 'C:\host' }
",
    );
    let of = |id: &str| {
        let store = store(&topology, id);
        let SecretSource::Env(variable) = &store.password().unwrap().from else { panic!("no variable") };
        (shown(store).to_owned(), store.may_be_made(), variable.clone())
    };
    assert_eq!(of("a.x.example/keystore"), (r"C:\role".to_owned(), true, "ROLE".to_owned()));
    assert_eq!(of("b.x.example/keystore"), (r"C:\host".to_owned(), true, "ROLE".to_owned()));
    assert_eq!(of("c.x.example/keystore"), (r"C:\glob".to_owned(), true, "GLOB".to_owned()));
}

#[test]
fn a_restart_of_a_host_beats_that_of_a_role_beats_that_of_a_glob_field_by_field() {
    let topology = topology(
        r"
secrets: { cvp-keystore: { env: CVP_PW }, cacerts: { env: CACERTS_PW } }
hosts:
  a.x.example: { role: cvp }
  b.x.example: { role: cvp, vars: { CVP_HOME: 'D:\Cisco\CVP' } }
  c.x.example: { role: cvp-reporting }
stores:
  c.x.example/keystore: { password: { env: REPORTING_PW } }
services:
  '*/*': { restart: [glob, '{host}'] }
  '*/callserver': { timeout: 60m }
  cvp/callserver: { restart: [role, '{fqdn}'], timeout: 5m }
  B.X.example/callserver: { restart: [host, '{CVP_HOME}\bin\restart.bat', 'a b'] }
",
    );
    let of = |id: &str| {
        let restart = service(&topology, id).restart.as_ref().unwrap();
        (restart.argv.join(" "), restart.timeout_seconds)
    };
    assert_eq!(of("a.x.example/callserver"), ("role a.x.example".to_owned(), 300));
    assert_eq!(of("b.x.example/callserver"), (r"host D:\Cisco\CVP\bin\restart.bat a b".to_owned(), 300));
    assert_eq!(of("c.x.example/callserver"), ("glob c".to_owned(), 3_600));
    assert_eq!(of("c.x.example/wsm"), ("glob c".to_owned(), 120));
    assert!(service(&topology, "a.x.example/wsm").restart.is_some());
    assert_eq!(topology.secret_variables.iter().collect::<Vec<_>>(), ["CACERTS_PW", "CVP_PW", "REPORTING_PW"]);
}

/// Reporting and administration services restart before those that carry calls. A host with several roles has the
/// lowest rank.
#[test]
fn services_rank_as_their_hosts_roles_do() {
    let topology = topology(
        "
hosts:
  a.x.example: { role: ads }
  b.x.example: { role: [ads, rogger] }
  c.x.example: { role: cvp }
  p.x.example: { role: [pg, cucm-pg], profile: pcce-12.6 }
  r.x.example: { role: cvp-reporting }
  u.x.example: { role: cucm }
  x.x.example: { role: cuic-ld-ids }
",
    );
    let mut ranked: Vec<(u32, &str)> = topology.services.values().map(|s| (s.rank, s.id.host.host())).collect();
    ranked.sort_unstable();
    ranked.dedup();
    assert_eq!(ranked, [(10, "r"), (10, "x"), (20, "a"), (20, "b"), (50, "p"), (70, "c"), (80, "u")]);
    assert!(topology.services.values().all(|s| s.restart.is_none()));
}

#[test]
fn the_public_default_may_stand_in_a_restart() {
    let topology = topology(
        "
hosts: { a.x.example: { role: ads } }
services: { ads/tomcat: { restart: [keytool, -storepass, changeit] } }
",
    );
    assert_eq!(service(&topology, "a.x.example/tomcat").restart.as_ref().unwrap().argv[2], "changeit");
}

#[test]
fn variables_fill_paths_and_secrets_of_the_host_they_are_on() {
    let topology = topology(
        r"
hosts:
  a.x.example: { role: cvp, vars: { CVP_HOME: 'D:\Cisco\CVP' } }
  b.x.example: { role: cvp }
",
    );
    let a = store(&topology, "a.x.example/keystore");
    assert_eq!(shown(a), r"D:\Cisco\CVP\conf\security\.keystore");
    let path = a.path().unwrap();
    assert_eq!(topology.hosts[&path.host].access, Access::Root(Disks::below("/estate/hosts/a.x.example")));
    assert_eq!((path.host.as_str(), path.drive()), ("a.x.example", Some('D')));
    assert_eq!(path.steps(), ["Cisco", "CVP", "conf", "security", ".keystore"]);
    let SecretSource::Properties { path, key } = &a.password().unwrap().from else { panic!() };
    assert_eq!((path.shown.as_str(), key.as_str()), (r"D:\Cisco\CVP\conf\security.properties", "Security.keystorePW"));
    assert_eq!(shown(store(&topology, "b.x.example/keystore")), r"C:\Cisco\CVP\conf\security\.keystore");
}

#[test]
fn windows_shares_are_roots_too() {
    let topology = topology(
        r"
access: { root: '\\{fqdn}', drive: '{letter}$' }
hosts: { a.x.example: { role: cvp } }
",
    );
    let path = store(&topology, "a.x.example/keystore").path().unwrap();
    let disks = topology.hosts[&path.host].access.disks().unwrap();
    assert_eq!(disks.root, PathBuf::from(r"\\a.x.example"));
    let Drives::Folders(name) = &disks.drives else { panic!("{disks:?}") };
    assert_eq!(name.of(path.drive().unwrap()), "C$");
}

#[test]
fn labels_narrow_a_rule() {
    let topology = topology(
        "
hosts:
  c1.x.example: { role: cvp, labels: { site: west } }
  c2.x.example: { role: cvp, labels: { site: 02 } }
  v1.x.example: { role: vvb, labels: { site: west } }
  v2.x.example: { role: vvb, labels: { site: 02 } }
rules:
  pcce-12.5/T14: { same: [site] }
  pcce-12.5/T15: { enabled: false, why: no secure HTTP here }
  pcce-12.5/T16: { same: site, why: partitioned }
",
    );
    assert_eq!(edges(&topology, "c1.x.example/keystore"), ["v1.x.example v1.x.example/tomcat pcce-12.5/T14"]);
    assert_eq!(edges(&topology, "v2.x.example/tomcat-trust"), ["- c2.x.example/callserver pcce-12.5/T16"]);
    let edge = topology.edges.iter().find(|e| e.rule.as_str() == "pcce-12.5/T16").unwrap();
    assert!(edge.why.ends_with("; this estate: partitioned"), "{}", edge.why);
}

/// The truster's profile decides which rules apply. A rule's id names the profile that writes the rule.
#[test]
fn an_estate_in_mid_upgrade_uses_both_profiles() {
    let topology = topology(
        "
hosts:
  new.x.example: { role: ads, profile: pcce-12.6, vars: { CCE_JAVA_HOME: 'C:\\Java' } }
  old.x.example: { role: ads }
  cvp.x.example: { role: cvp, profile: pcce-12.6 }
",
    );
    assert!(
        edges(&topology, "new.x.example/cacerts")
            .contains(&"cvp.x.example_wsm cvp.x.example/wsm pcce-12.6/T1".to_owned())
    );
    assert_eq!(edges(&topology, "new.x.example/jre-cacerts"), ["cvp.x.example_wsm cvp.x.example/wsm pcce-12.6/T1"]);
    assert!(
        edges(&topology, "old.x.example/cacerts").contains(&"cvp.x.example cvp.x.example/wsm pcce-12.5/T1".to_owned())
    );
    assert_eq!(shown(store(&topology, "new.x.example/cacerts")), r"C:\icm\ssl\cacerts");
    assert!(shown(store(&topology, "old.x.example/cacerts")).ends_with(r"jre1.8.0_221\lib\security\cacerts"));
    assert!(edges(&topology, "cvp.x.example/keystore").iter().all(|e| e.ends_with("pcce-12.5/T11")));
    let edge = topology.edges.iter().find(|e| e.rule.as_str() == "pcce-12.6/T1").unwrap();
    assert_eq!(older(edge), ["cvp.x.example", "util-*"]);
    assert_eq!(topology.profiles, ["pcce-12.6", "pcce-12.5", "cisco-base"]);
    assert_eq!(topology.hosts[&Fqdn::parse("cvp.x.example").unwrap()].profile, "pcce-12.6");
    let wsm = &topology.identities[&IdentityId::parse("cvp.x.example/wsm").unwrap()];
    assert_eq!(wsm.rule.as_str(), "pcce-12.5/cvp.wsm");
}

/// `rules:` may name the truster's profile even if the rule is inherited.
#[test]
fn a_rule_can_be_named_by_the_profile_in_use() {
    let topology = topology(
        "
profile: pcce-12.6
hosts: { a.x.example: { role: ads, vars: { CCE_JAVA_HOME: 'C:\\Java' } }, c.x.example: { role: cvp } }
rules: { pcce-12.6/T11: { alias: '{host}_{identity}' } }
",
    );
    assert_eq!(edges(&topology, "c.x.example/keystore"), ["a_iis a.x.example/iis pcce-12.5/T11"]);
}

#[test]
fn trust_of_its_own_names_certificates_and_identities() {
    let topology = topology(
        "
hosts:
  a.x.example: { role: ads }
  c.x.example: { role: cvp }
  f.x.example: { role: finesse }
certificates: { corp-root: { file: ca/root.pem } }
trust:
  - { store: [ads/cacerts, c.x.example/keystore], certificate: corp-root, alias: Corp-Root, was: [root], why: proxy }
  - { store: finesse/tomcat-trust, subject: a.x.example/iis, why: gadget }
  - { store: cvp/keystore, subject: finesse/tomcat, alias: '{host}', why: courtesy callback }
",
    );
    let mine: Vec<&trustmason_spec::topology::Edge> =
        topology.edges.iter().filter(|e| e.rule.as_str().starts_with("spec/")).collect();
    assert_eq!(mine.len(), 4);
    let root = mine.iter().find(|e| e.id == "a.x.example/cacerts <- certificate corp-root").unwrap();
    assert_eq!(
        (root.alias.as_ref().map(Alias::as_str), root.anchor, root.rule.as_str()),
        (Some("corp-root"), Anchor::Leaf, "spec/trust/1")
    );
    assert_eq!(older(root), ["root", "util-*"]);
    let gadget = mine.iter().find(|e| e.store.name == "tomcat-trust").unwrap();
    assert_eq!((gadget.alias.as_ref(), gadget.rule.as_str()), (None, "spec/trust/2"));
    assert!(edges(&topology, "c.x.example/keystore").contains(&"f f.x.example/tomcat spec/trust/3".to_owned()));
    assert_eq!(topology.anchors["corp-root"].file, PathBuf::from("/estate/ca/root.pem"));
}

#[test]
fn a_host_that_is_never_opened_is_only_trusted() {
    let topology = topology("\nhosts: { a.x.example: { role: ads }, c.x.example: { role: cvp, access: none } }\n");
    assert!(topology.stores.keys().all(|id| id.host.as_str() == "a.x.example"));
    assert!(topology.edges.iter().all(|e| e.store.host.as_str() == "a.x.example"));
    let wsm = &topology.identities[&IdentityId::parse("c.x.example/wsm").unwrap()];
    assert_eq!(wsm.write, WriteMode::Never);
    assert_eq!(
        wsm.source,
        CertificateSource::Exported {
            names: ["wsmc.crt", "c.x.example_wsm.cer", "c.x.example_wsm.pem"].map(str::to_owned).to_vec()
        }
    );
    assert_eq!(topology.hosts[&Fqdn::parse("c.x.example").unwrap()].access, Access::None);
}

/// Equal definitions of two roles are merged. Several rules that want one edge under one alias give one edge: the rule that
/// sorts first gives its id, and the older aliases of all are kept.
#[test]
fn roles_on_one_host_merge_and_so_do_their_edges() {
    let topology =
        topology("\nhosts: { a.x.example: { role: [ads, rogger] }, b.x.example: { role: [ads, rogger] } }\n");
    assert_eq!(topology.stores.len(), 2);
    let edge = topology.edges.iter().find(|e| e.id == "a.x.example/cacerts <- b.x.example/iis").unwrap();
    assert_eq!((edge.rule.as_str(), &edge.alias), ("pcce-12.5/T3", &Some("b.x.example_iis".into())));
    assert_eq!(older(edge), ["b.x.example", "util-*"]);
    let iis = &topology.identities[&IdentityId::parse("a.x.example/iis").unwrap()];
    assert_eq!(iis.source, CertificateSource::Exported { names: vec!["ADSa.cer".to_owned(), "ICMa.cer".to_owned()] });
}

#[test]
fn settings_go_from_estate_to_host_to_identity() {
    let topology = topology(
        "
identity: { key: rsa-3072, validity: 3y, subject: { C: US, OU: Care, O: Acme } }
hosts:
  c.x.example:
    role: cvp
    identity: { validity: 2y, renew_before: 30d }
    identities: { wsm: { issuer: self-signed, key: rsa-4096 } }
",
    );
    let of = |name: &str| &topology.identities[&IdentityId::parse(&format!("c.x.example/{name}")).unwrap()];
    let (wsm, vxml) = (of("wsm"), of("vxml"));
    assert_eq!((wsm.key, vxml.key), (KeyKind::Rsa(4096), KeyKind::Rsa(3072)));
    assert_eq!((wsm.validity_days, wsm.renew_before), (730, LeadTime::Days(30)));
    assert_eq!((wsm.signature, wsm.issuer.clone()), (SignatureHash::Sha256, Issuer::SelfSigned));
    assert_eq!((wsm.issuer_explicit, vxml.issuer_explicit), (true, false));
    let subject: Vec<(&str, &str)> = wsm.subject.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(subject, [("OU", "Care"), ("O", "Acme"), ("C", "US")]);
    assert!(wsm.constraints.cn_is_fqdn);
    assert_eq!(
        wsm.restart.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["c.x.example/callserver", "c.x.example/wsm"]
    );
}

#[test]
fn rotation_is_staged_unless_somebody_says_immediate() {
    let topology = topology(
        "
hosts:
  b.x.example: { role: cvp }
  c.x.example: { role: cvp, identity: { rotation: immediate }, identities: { wsm: { rotation: staged } } }
",
    );
    let of = |id: &str| topology.identities[&IdentityId::parse(id).unwrap()].rotation;
    assert_eq!(of("b.x.example/wsm"), Rotation::Staged);
    assert_eq!((of("c.x.example/wsm"), of("c.x.example/vxml")), (Rotation::Staged, Rotation::Immediate));
}

#[test]
fn files_and_names_of_a_host_are_its_own() {
    let topology = topology(
        "
hosts:
  f.x.example: { role: finesse, certificates: { tomcat: { file: certs/x.pem, names: [Fin-MS.x.example] } } }
  g.x.example: { role: finesse }
",
    );
    let of = |name: &str| &topology.identities[&IdentityId::parse(name).unwrap()];
    assert_eq!(of("f.x.example/tomcat").source, CertificateSource::File(PathBuf::from("/estate/certs/x.pem")));
    assert_eq!(of("f.x.example/tomcat").names, [Fqdn::parse("fin-ms.x.example").unwrap()]);
    assert_eq!(
        of("g.x.example/tomcat").source,
        CertificateSource::Exported { names: vec!["g.x.example.pem".to_owned()] }
    );
    assert_eq!(of("g.x.example/tomcat").write, WriteMode::HandOff);
    assert!(
        of("g.x.example/tomcat").renew_steps.iter().any(|step| step.contains("https://g.x.example:8443/cmplatform"))
    );
}

#[test]
fn a_lone_node_is_its_own_publisher_unless_it_says_no() {
    let estate = |line: &str| {
        topology(&format!("\nhosts:\n  p.x.example: {{ role: [pg, cucm-pg] }}\n  u.x.example: {{ {line} }}\n"))
    };
    let of = |t: &Topology| edges(t, "p.x.example/cacerts");
    assert_eq!(of(&estate("role: cucm")), ["u.x.example u.x.example/tomcat pcce-12.5/T10"]);
    assert_eq!(of(&estate("role: cucm, cluster: one")), ["u.x.example u.x.example/tomcat pcce-12.5/T10"]);
    assert!(of(&estate("role: cucm, publisher: false")).is_empty());
}

#[test]
fn lists_and_limits_are_kept_as_written() {
    let fingerprint = "AB:".repeat(31) + "cd";
    let topology = topology(&format!(
        "
state: /var/lib/tm
hosts: {{ Adsa.X.example: {{ role: ads, side: b, formerly: [old.x.example] }} }}
retired: [gone.x.example]
distrust: [{{ sha256: '{fingerprint}', why: compromised }}]
accept: [{{ finding: expired, store: '*/cacerts', until: 2027-01-31, why: vendor root }}]
policy: {{ warn_before: 1y, keep_runs: 3 }}
"
    ));
    let host = &topology.hosts[&Fqdn::parse("adsa.x.example").unwrap()];
    assert_eq!(host.formerly.iter().map(ToString::to_string).collect::<Vec<_>>(), ["old.x.example"]);
    assert_eq!(topology.state, PathBuf::from("/var/lib/tm"));
    assert_eq!(topology.certificates_dir, PathBuf::from("/estate/certs"));
    assert_eq!(topology.distrust.keys().map(ToString::to_string).collect::<Vec<_>>(), ["ab".repeat(31) + "cd"]);
    assert_eq!(topology.accept[0].until, "2027-01-31");
    let policy = topology.policy;
    assert_eq!((policy.warn_before, policy.grace_days, policy.observation_max_age_days), (LeadTime::Days(365), 7, 30));
    assert_eq!((policy.keep_runs, policy.keep_days), (3, 90));
}

#[test]
fn what_deserves_a_look_is_a_warning() {
    let warnings = resolved(
        "
secrets:
  cacerts: { literal: changed }
  cvp-keystor: { env: CVP_PW }
identity: { validity: 1895d }
authorities: { lab-ca: { root: { file: lab/ca.pem }, sign_with: lab/ca.key } }
hosts: { c.x.example: { role: cvp }, a.x.example: { role: ads } }
",
    )
    .warnings;
    let messages: Vec<&str> = warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(messages.len(), 4, "{warnings}");
    assert!(messages[0].contains("secret `cacerts` is written in the spec"), "{warnings}");
    assert!(messages[1].contains("no store uses the secret `cvp-keystor`"), "{warnings}");
    assert!(messages[2].contains("5.19 years"), "{warnings}");
    assert!(messages[3].contains("authority `lab-ca`"), "{warnings}");
    assert!(warnings.to_string().starts_with("warning: "), "{warnings}");
}

#[test]
fn anchors_and_merge_keys_of_yaml_work() {
    let topology = topology(
        "
hosts:
  a.x.example: &one { role: cvp, side: a, labels: { site: west } }
  b.x.example: { <<: *one, side: b }
",
    );
    let host = &topology.hosts[&Fqdn::parse("b.x.example").unwrap()];
    assert_eq!(format!("{:?} {:?}", host.side, host.labels), "Some(B) {\"site\": \"west\"}");
}

/// An estate that uses every section of the language.
#[test]
fn an_estate_with_every_section_resolves_without_a_warning() {
    let all = resolved(include_str!("every-section.yaml"));
    assert!(all.warnings.is_empty(), "{}", all.warnings);
    let topology = all.topology;
    assert_eq!(topology.hosts.len(), 7);
    assert!(topology.edges.iter().all(|e| e.rule.as_str() != "pcce-12.5/T7"));
    let keystore = store(&topology, "cvp1.acme.example/keystore");
    assert_eq!(shown(keystore), r"E:\ks\.keystore");
    assert!(
        keystore.ownership == Ownership::Exclusive
            && matches!(&keystore.password().unwrap().from, SecretSource::Env(name) if name == "LAB1_PW")
    );
    let restart = service(&topology, "cvp1.acme.example/callserver").restart.as_ref().unwrap();
    assert_eq!(restart.argv, ["/usr/local/bin/restart-callserver", "cvp1", r"D:\Cisco\CVP"]);
    assert_eq!((topology.policy.keep_runs, topology.policy.keep_days), (20, 90));
    let authority = &topology.authorities["corp-ca"];
    assert_eq!(
        (authority.intermediates.len(), authority.requests_dir.clone()),
        (1, Some(PathBuf::from("/estate/csr")))
    );
}

#[test]
fn an_empty_password_is_said_in_so_many_words() {
    let rest = "hosts:\n  cvp1.acme.example: { role: cvp }\nsecrets:\n  cvp-keystore: { empty: true }\n";
    let resolved = resolved(rest);
    let found = store(&resolved.topology, "cvp1.acme.example/keystore").password().unwrap();
    assert!(matches!(&found.from, SecretSource::Literal(password) if password.expose().is_empty()));
    assert!(found.origin().contains("empty"));
}
