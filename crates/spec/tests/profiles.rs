//! The built-in profiles, and profiles of the operator's own that extend them.

use std::path::Path;

use trustmason_keystore::Alias;
use trustmason_spec::profile::{self, LoadedProfile};
use trustmason_spec::topology::{OptionsAt, Topology, WantedValue};
use trustmason_spec::{Faults, ProfileRef, parse, resolve};

/// Resolves an estate of one CVP server and one ADS with a profile given as text.
fn with_profile(own: &str) -> Result<Topology, Faults> {
    let text = "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts:\n  a.x.example: { role: ads }\n  c.x.example: { role: cvp }\n";
    let spec = parse(text, "estate.yaml")?;
    assert_eq!(spec.wanted_profiles(), [ProfileRef::Path("mine.yaml".to_owned())]);
    let profiles = profile::load(&spec, Path::new("/estate"), |path| match path.to_str() {
        Some("/estate/mine.yaml") => Ok(own.to_owned()),
        _ => Err("there is no such file".to_owned()),
    })?;
    resolve(&spec, &profiles, Path::new("/estate")).map(|resolved| resolved.topology)
}

fn faults_with(own: &str) -> String {
    with_profile(own).map(|_| ()).unwrap_err().to_string()
}

const HEAD: &str = "trustmason-profile: 1\nname: mine\nextends: pcce-12.5\n";

#[test]
fn built_in_profiles_read_without_fault_and_are_named_as_they_are_asked_for() {
    let names: Vec<&str> = profile::names().collect();
    assert_eq!(names, ["cce-cti", "cisco-base", "genesys", "pcce-12.5", "pcce-12.6", "ucce-live-data"]);
    for name in names {
        let text = profile::builtin(name).unwrap();
        LoadedProfile::parse(ProfileRef::Builtin(name.to_owned()), text, name)
            .unwrap_or_else(|faults| panic!("{faults}"));
        assert!(text.contains(&format!("\nname: {name}\n")));
    }
    assert!(profile::builtin("pcce-11").is_none());
}

#[test]
fn every_rule_and_identity_of_the_built_in_profiles_says_why_and_where_from() {
    let text = profile::builtin("pcce-12.5").unwrap();
    for rule in 1..=16 {
        let start = text.find(&format!("\n  T{rule}:\n")).unwrap_or_else(|| panic!("T{rule}"));
        let body: String =
            text[start + 1..].lines().skip(1).take_while(|l| l.starts_with("    ")).collect::<Vec<_>>().join("\n");
        assert!(
            body.contains("why: ") && body.contains("source: ") && body.contains("Cisco TAC 215354, line"),
            "T{rule}: {body}"
        );
    }
    assert!(
        text.contains("Cisco TAC 215354, line 33 is empty; Cisco TAC 215354, lines 42-45, 124-133; PCCE 12.5 guide")
    );
}

#[test]
fn ones_own_profile_replaces_what_it_names() {
    let topology = with_profile(&format!(
        "{HEAD}roles:\n  cvp:\n    stores:\n      keystore: {{ path: 'E:\\ks', format: pkcs12, password: cvp-keystore }}\nrules:\n  T11: {{ truster: cvp/keystore, subject: ads/iis, alias: 'aw_{{host}}', why: ours, source: ours }}\n"
    ))
    .unwrap_or_else(|faults| panic!("{faults}"));
    let edge = topology.edges.iter().find(|e| e.rule.as_str() == "mine/T11").unwrap();
    assert_eq!(edge.alias, Some("aw_a".into()));
    assert!(topology.edges.iter().any(|e| e.rule.as_str() == "pcce-12.5/T1"));
    assert_eq!(topology.profiles, ["mine", "pcce-12.5", "cisco-base"]);
}

/// A role inherits its restart order. If two profiles set an order for one role, the lower one wins. The default is 50.
#[test]
fn the_order_of_restarts_is_inherited_and_the_lowest_wins() {
    let rank = |topology: &Topology, host: &str| {
        topology.services.values().find(|s| s.id.host.host() == host).map(|s| s.rank).unwrap()
    };
    let service = "services: { x: { name: X } }";
    let topology =
        with_profile(&format!("{HEAD}roles:\n  ads: {{ {service}, restart_order: 75 }}\n  cvp: {{ {service} }}\n"))
            .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((rank(&topology, "a"), rank(&topology, "c")), (75, 70));
    let topology = with_profile(&format!(
        "trustmason-profile: 1\nname: mine\nroles:\n  ads: {{ {service} }}\n  cvp: {{ {service}, restart_order: 1 }}\n"
    ))
    .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((rank(&topology, "a"), rank(&topology, "c")), (50, 1));
    let faults = faults_with(&format!("{HEAD}roles:\n  ads: {{ {service}, restart_order: first }}\n"));
    assert!(faults.contains("`first` is not a count"), "{faults}");
}

#[test]
fn faults_of_a_profile_name_its_file_and_come_together() {
    let faults = faults_with(&format!(
        "{HEAD}roles:\n  cvp:\n    stores:\n      one: {{ format: jks }}\n      two: {{ path: 'C:\\x', formt: jks, format: jks }}\n    identities:\n      three: {{ alias: three, source: ours }}\n"
    ));
    assert_eq!(faults.matches("--> mine.yaml:").count(), 3, "{faults}");
    assert!(faults.contains("the store `one` has no `path`"), "{faults}");
    assert!(faults.contains("did you mean `format`?"), "{faults}");
    assert!(faults.contains("the identity `three` lacks"), "{faults}");
}

#[test]
fn names_inside_a_profile_must_mean_something() {
    let faults = faults_with(&format!(
        "{HEAD}rules:\n  X1: {{ truster: ads/cacert, subject: cvp/wsn, alias: '{{fqdm}}', why: w, source: s }}\n  X2: {{ truster: adds/cacerts, subject: cvp/wsm, alias: x, why: w, source: s }}\n  X3: {{ truster: ads/cacerts, subject: cvp/wsm, why: w, source: s }}\n  X4: {{ truster: new/p, subject: cvp/wsm, why: w, source: s }}\nroles:\n  new:\n    stores: {{ s: {{ path: 'C:\\x', format: pem, restart: [nobody] }}, p: {{ certificate: 'C:\\c', key: 'C:\\k', format: pem-pair }}, q: {{ path: 'C:\\q', format: jks }} }}\n    identities: {{ i: {{ store: t, alias: a, source: s }}, j: {{ store: p, alias: a, source: s }}, k: {{ store: q, source: s }}, l: {{ store: s, source: s }} }}\n"
    ));
    for expected in [
        "there is no store `cacert`",
        "there is no identity `wsn`",
        "uses {fqdm}",
        "there is no role `adds`",
        "rule `X3` gives no alias",
        "there is no service `nobody`",
        "there is no store `t`",
        "an identity lives in the store `p`, which is a pair of files and has no aliases",
        "an identity lives in the store `q`, which needs an alias for it",
        "an identity lives in the store `s`, which holds no private keys",
        "the store `new/p` holds one key with its certificate and trusts no certificate",
    ] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

#[test]
fn a_profile_that_extends_nothing_known_says_so_in_its_own_file() {
    let faults = faults_with("trustmason-profile: 1\nname: mine\nextends: pcce-12.7\n");
    assert!(
        faults.contains("there is no built-in profile `pcce-12.7`") && faults.contains("--> mine.yaml:3:10"),
        "{faults}"
    );
    let faults = faults_with("trustmason-profile: 1\nname: mine\nextends: mine.yaml\n");
    assert!(faults.contains("extends itself in a circle"), "{faults}");
    let faults = faults_with("trustmason-profile: 1\nname: pcce-12.5\nextends: pcce-12.5\n");
    assert!(faults.contains("is the name of another profile already"), "{faults}");
}

#[test]
fn needed_certificates_must_be_supplied() {
    let faults = faults_with(&format!("{HEAD}needs: {{ certificates: [genesys-root] }}\n"));
    assert!(
        faults.contains("needs a certificate `genesys-root`") && faults.contains("--> estate.yaml:5:3"),
        "{faults}"
    );
}

#[test]
fn profiles_side_by_side_must_agree() {
    let spec = |list: &str| {
        format!("trustmason: 1\nestate: acme\nprofile: {list}\nhosts: {{ a.x.example: {{ role: ads }} }}\n")
    };
    let run = |list: &str, own: &str| {
        let spec = parse(&spec(list), "estate.yaml").unwrap();
        let profiles = profile::load(&spec, Path::new("/"), |_| Ok(own.to_owned())).unwrap();
        resolve(&spec, &profiles, Path::new("/"))
    };
    let extra = "trustmason-profile: 1\nname: extra\nroles:\n  ads: { services: { web: { name: W3SVC } } }\n";
    let topology = run("[pcce-12.5, ./extra.yaml]", extra).unwrap().topology;
    assert_eq!(topology.hosts.values().next().unwrap().profile, "pcce-12.5+extra");
    assert_eq!(topology.services.len(), 2);
    assert!(topology.services.values().all(|s| s.rank == 20), "a profile beside it that gives no order changes none");
    let clash = "trustmason-profile: 1\nname: extra\nroles:\n  ads: { services: { tomcat: { name: Other } } }\n";
    let faults = run("[pcce-12.5, ./extra.yaml]", clash).unwrap_err().to_string();
    assert!(faults.contains("`pcce-12.5` and `extra` both have a role `ads` with `service tomcat`"), "{faults}");
}

/// An estate with the profiles of all documents. Checks the edges of documents 000, 001, 002 and 004 that no other
/// profile has.
#[test]
fn the_profiles_of_all_documents_go_together_and_say_who_trusts_whom() {
    let text = "trustmason: 1\nestate: all\nprofile: [pcce-12.6, cce-cti, ucce-live-data, genesys]\n\
        secrets: { gwe-trusted-ca: { literal: changeit }, ucc-trust: { literal: changeit }, ucc-identity: { literal: changeit } }\n\
        hosts:\n  ads.x.example: { role: ads }\n  pga.x.example: { role: [pg, vru-pg] }\n  mra.x.example: { role: mr-pg }\n  dia.x.example: { role: dialer }\n  \
        cca.x.example: { role: cloud-connect }\n  cvp.x.example: { role: cvp }\n  fin.x.example: { role: finesse }\n  cuic.x.example: { role: cuic }\n  ld.x.example: { role: live-data }\n  \
        cfg.x.example: { role: genesys-server }\n  g1.x.example: { role: gwe-pem, vars: { GWE_TRUSTED_CA: /opt/ca.pem } }\n  \
        g2.x.example: { role: gwe-jks, vars: { GWE_TRUSTED_CA: /opt/ca.jks } }\n  g3.x.example: { role: gwe-mscapi }\n  \
        u1.x.example: { role: uc-connector-mtls }\n  u2.x.example: { role: uc-connector-kerberos }\n  \
        lync.x.example: { role: lync }\n";
    let spec = parse(text, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = profile::load(&spec, Path::new("/estate"), |_| Err("none".to_owned())).unwrap();
    let topology = resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|faults| panic!("{faults}")).topology;
    let edges: Vec<String> = topology
        .edges
        .iter()
        .filter(|edge| !edge.rule.as_str().starts_with("pcce"))
        .map(|edge| {
            let short = edge.id.replace(".x.example", "");
            format!("{} {short} {}", edge.rule.as_str(), edge.alias.as_ref().map_or("-", Alias::as_str))
        })
        .collect();
    assert_eq!(
        edges,
        [
            "cce-cti/C4m cca/tomcat-trust <- mra/host -",
            "ucce-live-data/L3 cuic/tomcat-trust <- ld/tomcat -",
            "cce-cti/C3 cvp/keystore <- pga/host pga.x.example_host",
            "cce-cti/C4m dia/windows-root <- mra/host -",
            "cce-cti/C2c dia/windows-root <- pga/host -",
            "ucce-live-data/L1 fin/tomcat-trust <- cuic/tomcat -",
            "ucce-live-data/L1 fin/tomcat-trust <- ld/tomcat -",
            "cce-cti/C1f fin/tomcat-trust <- pga/host -",
            "genesys/G1p g1/trusted-ca <- cfg/tls -",
            "genesys/G1 g2/trusted-ca <- cfg/tls cfg.x.example",
            "genesys/G1p g3/trusted-ca <- cfg/tls -",
            "ucce-live-data/L2 ld/tomcat-trust <- cuic/tomcat -",
            "genesys/G4 lync/windows-root <- u1/ucc -",
            "cce-cti/C4 mra/windows-root <- cca/tomcat -",
            "cce-cti/C4 mra/windows-root <- dia/host -",
            "cce-cti/C3v pga/windows-root <- cvp/callserver -",
            "cce-cti/C2 pga/windows-root <- dia/host -",
            "cce-cti/C1 pga/windows-root <- fin/tomcat -",
            "genesys/G2 u1/trust <- lync/tls lync.x.example",
            "genesys/G2 u2/trust <- lync/tls lync.x.example",
        ]
    );
}

/// Document 004 prints 40630, but its own rule (L14) gives 46030.
#[test]
fn the_port_of_a_cti_server_follows_its_id() {
    let warned = |vars: &str| {
        let text = format!(
            "trustmason: 1\nestate: cti\nprofile: cce-cti\nhosts:\n  pga.x.example:\n    role: pg\n    vars: {vars}\n"
        );
        let spec = parse(&text, "estate.yaml").unwrap();
        let profiles = profile::load(&spec, Path::new("/"), |_| Err("none".to_owned())).unwrap();
        let warnings = resolve(&spec, &profiles, Path::new("/")).unwrap().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    for good in ["{ CTI_ID: 1 }", "{ CTI_ID: 3, CTI_PORT: 46030 }", "{ CTI_PORT: 42030 }", "{ ICM: 'D:\\icm' }"] {
        assert_eq!(warned(good), "", "{good}");
    }
    let printed = warned("{ CTI_ID: 3, CTI_PORT: 40630 }");
    assert!(printed.contains("CTI_PORT is `40630`, but for CTI_ID 3 it should be 46030"), "{printed}");
    assert!(printed.contains("--> estate.yaml:7:34") && printed.contains("42030 + 2000 * (CTI_ID - 1)"), "{printed}");
    assert!(warned("{ CTI_ID: 3 }").contains("CTI_PORT is `42030`, but for CTI_ID 3 it should be 46030"));
    assert!(warned("{ CTI_ID: zero }").contains("CTI_ID is `zero`, which is not a number from 1 upwards"));
    let faults = faults_with(&format!(
        "{HEAD}roles:\n  ads: {{ vars: {{ PORT: {{ sequence: {{ of: IDD, first: 1, step: 1 }} }}, ID: {{ default: '1' }} }} }}\n"
    ));
    assert!(faults.contains("there is no variable `IDD`"), "{faults}");
}

/// Resolves an estate of one host with a profile that has these options.
fn with_options(options: &str, vars: &str) -> Result<Topology, Faults> {
    let text = format!(
        "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts:\n  a.x.example: {{ role: web, vars: {{ {vars} }} }}\n"
    );
    let own = format!(
        "trustmason-profile: 1\nname: mine\nsecrets: {{ app: {{ env: APP_PW }} }}\nroles:\n  web:\n    vars: {{ DIR: {{ default: /opt/app }}, TOLD: {{}} }}\n    \
         stores:\n      trust: {{ path: '{{DIR}}/t.jks', format: jks, password: app }}\n      pair: {{ certificate: /opt/c.pem, key: /opt/k.pem, format: pem-pair }}\n    \
         options:\n{options}"
    );
    let spec = parse(&text, "estate.yaml")?;
    let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.clone()))?;
    resolve(&spec, &profiles, Path::new("/estate")).map(|resolved| resolved.topology)
}

const SERVER: &str = "      server:\n        path: '{TOLD}'\n        syntax: ini\n        section: tls\n        settings:\n          \
                      store: { store: trust, is: path }\n          -pw: { store: trust, is: password, was: [-pwd, '-p*'] }\n          \
                      mode: { store: trust, value: strict, needed: false, without: nothing is checked }\n          \
                      conf: { store: trust, value: '{DIR}/app.conf' }\n          type: { store: trust, is: format }\n          \
                      old: { store: trust, is: unset }\n        source: s\n";

#[test]
fn options_are_resolved_to_what_each_setting_should_be() {
    let topology = with_options(SERVER, "TOLD: /etc/app.ini").unwrap_or_else(|faults| panic!("{faults}"));
    let [options] = topology.options.as_slice() else { panic!("{:?}", topology.options) };
    let OptionsAt::File(path) = &options.at else { panic!("{:?}", options.at) };
    assert_eq!((path.shown.as_str(), options.section.as_deref()), ("/etc/app.ini", Some("tls")));
    let wanted: Vec<(&str, &WantedValue, bool)> =
        options.settings.iter().map(|one| (one.name.as_str(), &one.wanted, one.needed)).collect();
    assert_eq!(
        wanted,
        [
            ("-pw", &WantedValue::Password, true),
            ("conf", &WantedValue::Path("/opt/app/app.conf".to_owned()), true),
            ("mode", &WantedValue::Word("strict".to_owned()), false),
            ("old", &WantedValue::Unset, true),
            ("store", &WantedValue::Path("/opt/app/t.jks".to_owned()), true),
            ("type", &WantedValue::Format("jks".to_owned()), true),
        ]
    );
    let topology = with_options(SERVER, "DIR: /srv").unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(topology.options[0].at, OptionsAt::Undeclared(vec!["TOLD".to_owned()]));
    let survey = trustmason_spec::survey::Survey::of(&topology);
    let looks = survey.looks.iter().filter(|look| matches!(look, trustmason_spec::survey::Look::Options { .. }));
    assert_eq!(looks.count(), 1);
}

#[test]
fn options_that_mean_nothing_are_faults_of_their_profile() {
    for (from, to, expected) in [
        ("store: { store: trust", "store: { store: trsut", "there is no store `trsut`"),
        (
            "store: { store: trust",
            "store: { store: pair",
            "the setting `store` is the path of `pair`, which is not a file",
        ),
        ("section: tls\n        ", "", "`section` is only for `syntax: ini`"),
        ("syntax: ini", "syntax: batch", "`section` is only for `syntax: ini`"),
        ("syntax: ini", "syntax: xml", "`syntax`"),
        ("was: [-pwd", "was: [store", "`store` means two settings"),
        ("value: strict", "value: strict, is: path", "mode"),
        ("value: strict, ", "", "mode"),
        ("'{DIR}/app.conf'", "'{DRI}/app.conf'", "uses {DRI}"),
        ("'{TOLD}'", "'{TODL}'", "uses {TODL}"),
        ("        source: s\n", "", "source"),
    ] {
        let text = SERVER.replacen(from, to, 1);
        assert_ne!(text, SERVER, "{from}");
        let faults = with_options(&text, "TOLD: /etc/app.ini").map(|_| ()).unwrap_err().to_string();
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

/// A profile whose rule and whose top have the beginning of another tool's aliases.
fn with_traces(top: &str, rule: &str) -> Result<Topology, Faults> {
    let text = "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts: { a.x.example: { role: web }, b.x.example: { role: web } }\n";
    let own = format!(
        "trustmason-profile: 1\nname: mine\nsecrets: {{ app: {{ env: APP_PW }} }}\n{top}\nroles:\n  web:\n    stores:\n      trust: {{ path: /opt/t.jks, \
         format: jks, password: app }}\n    identities:\n      site: {{ write: hand-off, exported_as: ['{{fqdn}}.cer'], source: s }}\nrules:\n  A1: {{ truster: \
         web/trust, subject: web/site, alias: '{{fqdn}}', was: [{rule}], why: w, source: s }}\n"
    );
    let spec = parse(text, "estate.yaml")?;
    let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.clone()))?;
    resolve(&spec, &profiles, Path::new("/estate")).map(|resolved| resolved.topology)
}

#[test]
fn another_tools_aliases_are_said_by_their_beginning() {
    let topology = with_traces("was: ['Util-*', 'tool_*']", "'aw', '{host}-*', 'util-*'").unwrap();
    let older: Vec<String> = topology.edges[0].was.iter().map(ToString::to_string).collect();
    assert_eq!(topology.edges[0].id, "a.x.example/trust <- b.x.example/site");
    assert_eq!(older, ["aw", "b-*", "tool_*", "util-*"]);

    for (top, rule, expected) in [
        ("was: ['*']", "aw", "`*` is not the beginning of aliases"),
        ("was: [util]", "aw", "`util` is not the beginning of aliases"),
        ("was: ['{host}-*']", "aw", "`{host}-*` is not the beginning of aliases"),
        ("was: ['util-**']", "aw", "`util-**` is not the beginning of aliases"),
        ("", "'*'", "`*` is not an older alias: `*` alone is the beginning of every alias"),
    ] {
        let faults = with_traces(top, rule).unwrap_err().to_string();
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

/// A pair with these copies, of a host that has such a profile.
fn with_copies(copies: &str) -> Result<Topology, Faults> {
    let text = "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts: { a.x.example: { role: web } }\n";
    let own = format!(
        "trustmason-profile: 1\nname: mine\nroles:\n  web:\n    vars: {{ DIR: {{ default: /opt }} }}\n    stores:\n      pair: {{ format: pem-pair, \
         certificate: /opt/c.pem, key: /opt/k.pem, copies: [{copies}] }}\n"
    );
    let spec = parse(text, "estate.yaml")?;
    let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.clone()))?;
    resolve(&spec, &profiles, Path::new("/estate")).map(|resolved| resolved.topology)
}

#[test]
fn a_copy_of_a_pair_has_the_certificate_or_both_halves() {
    let topology = with_copies("'{DIR}/a.pem', { certificate: '{DIR}/rsa/c.pem', key: '{DIR}/rsa/k.pem' }").unwrap();
    let pair = topology.stores.values().find_map(|store| store.pair()).unwrap();
    let shown: Vec<&str> = pair.paths().map(|path| path.shown.as_str()).collect();
    assert_eq!(shown, ["/opt/c.pem", "/opt/k.pem", "/opt/a.pem", "/opt/rsa/c.pem", "/opt/rsa/k.pem"]);
    let keys: Vec<bool> = pair.copies.iter().map(|copy| copy.key.is_some()).collect();
    assert_eq!(keys, [false, true]);

    for (copies, expected) in [
        ("{ certificate: /opt/rsa/c.pem }", "key"),
        ("{ key: /opt/rsa/k.pem }", "certificate"),
        ("{ certificate: /opt/rsa/c.pem, key: /opt/rsa/k.pem, kez: /opt/x }", "kez"),
        ("{ certificate: '{DIRR}/c.pem', key: /opt/rsa/k.pem }", "{DIRR}"),
        ("{ certificate: /opt/rsa/c.pem, key: '{DIRR}/k.pem' }", "{DIRR}"),
        (
            "{ certificate: /opt/rsa/x.pem, key: /opt/rsa/x.pem }",
            "/opt/rsa/x.pem for a key and for another of its files",
        ),
        ("{ certificate: /opt/rsa/c.pem, key: /opt/c.pem }", "/opt/c.pem for a key and for another of its files"),
        ("{ certificate: /opt/k.pem, key: /opt/rsa/k.pem }", "/opt/k.pem for a key and for another of its files"),
        ("{ certificate: /opt/k.pem, key: /opt/k.pem }", "/opt/k.pem for a key and for another of its files"),
        ("/opt/rsa/k.pem, { certificate: /opt/rsa/c.pem, key: /opt/rsa/k.pem }", "/opt/rsa/k.pem for a key"),
    ] {
        let faults = with_copies(copies).unwrap_err().to_string();
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}
