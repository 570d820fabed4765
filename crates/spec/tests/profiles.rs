//! The built-in profiles, and profiles of the operator's own that extend them.

use std::path::Path;

use trustmason_keystore::Alias;
use trustmason_spec::name::{IdentityId, RuleId};
use trustmason_spec::profile::{self, LoadedProfile};
use trustmason_spec::topology::{ExtendedUsage, NeededBy, OptionsAt, Topology, WantedValue};
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
    let (products, parts): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| name.starts_with("pcce-") || name.starts_with("ucce-1"));
    assert_eq!(
        products,
        ["pcce-12.5", "pcce-12.6", "pcce-12.6.2", "pcce-15.0", "ucce-12.6", "ucce-12.6.2", "ucce-15.0"]
    );
    assert_eq!(parts, ["cce-common", "cce-cti", "cce-nodes", "cisco-base", "cvp-jmx", "genesys", "ucce-live-data"]);
    for name in names {
        let text = profile::builtin(name).unwrap();
        LoadedProfile::parse(ProfileRef::Builtin(name.to_owned()), text, name)
            .unwrap_or_else(|faults| panic!("{faults}"));
        assert!(text.contains(&format!("\nname: {name}\n")));
    }
    assert!(profile::builtin("pcce-11").is_none());
}

/// Every built-in profile resolves alone, and together with the profiles that its own text tells people to use it with.
#[test]
fn built_in_profiles_fit_together() {
    let sets: &[&[&str]] = &[
        &["pcce-12.6", "cce-common"],
        &["pcce-12.6", "cce-cti", "ucce-live-data"],
        &["pcce-12.6.2", "cce-common", "cce-cti", "cce-nodes", "cvp-jmx"],
        &["pcce-15.0", "ucce-live-data", "cce-cti", "cce-nodes", "cvp-jmx", "genesys"],
        &["cce-cti", "pcce-15.0"],
        &["ucce-12.6", "cce-cti", "ucce-live-data", "cvp-jmx"],
        &["ucce-12.6.2", "cce-cti", "ucce-live-data", "cce-nodes"],
        &["ucce-15.0", "cvp-jmx", "ucce-live-data", "cce-cti", "cce-nodes"],
    ];
    let alone = profile::names().map(|name| vec![name]);
    for set in alone.chain(sets.iter().map(|set| set.to_vec())) {
        let text = format!(
            "trustmason: 1\nestate: acme\nprofile: [{}]\nhosts:\n  f.x.example: {{ role: {} }}\n",
            set.join(", "),
            if set == ["genesys"] {
                "genesys-server"
            } else if set == ["cvp-jmx"] {
                "oamp"
            } else {
                "finesse"
            }
        );
        let resolved = resolved(&text);
        assert!(resolved.is_ok(), "{set:?}: {}", resolved.unwrap_err());
    }
}

/// Resolves an estate that uses built-in profiles only.
fn resolved(text: &str) -> Result<Topology, Faults> {
    let spec = parse(text, "estate.yaml")?;
    let profiles = profile::load(&spec, Path::new("/estate"), |path| Err(path.display().to_string()))?;
    resolve(&spec, &profiles, Path::new("/estate")).map(|resolved| resolved.topology)
}

/// CTI OS has ended with 12.6. A profile of 15.0 takes the role away from the profiles beside it, in any order.
#[test]
fn a_role_that_a_release_has_no_more_is_refused_with_the_reason() {
    for profiles in ["pcce-15.0, cce-cti", "cce-cti, pcce-15.0", "ucce-15.0, cce-cti"] {
        let text =
            format!("trustmason: 1\nestate: acme\nprofile: [{profiles}]\nhosts:\n  c.x.example: {{ role: cti-os }}\n");
        let faults = resolved(&text).unwrap_err().to_string();
        assert!(faults.contains("CTI OS has ended with 12.6"), "{faults}");
    }
    let upgrading = "trustmason: 1\nestate: acme\nprofile: [pcce-15.0, cce-cti]\nhosts:\n  c.x.example: { role: cti-os, profile: [pcce-12.6, cce-cti] }\n";
    assert!(resolved(upgrading).is_ok());
}

/// A certificate of no host is trusted where a rule names it and the estate declares it, and nowhere else.
#[test]
fn a_rule_about_a_certificate_without_a_host_holds_if_the_estate_declares_it() {
    let hosts =
        "hosts:\n  a.x.example: { role: ads, vars: { CCE_JAVA_HOME: 'C:\\J' } }\n  f.x.example: { role: finesse }\n";
    let head = "trustmason: 1\nestate: acme\nprofile: ucce-15.0\n";
    let declared = "certificates: { ssm-on-prem-root: { file: ssm.pem } }\n";
    let of = |text: &str| -> Vec<String> {
        let topology = resolved(text).unwrap_or_else(|faults| panic!("{faults}"));
        let edges = topology.edges.iter().filter(|edge| edge.rule.as_str() == "pcce-15.0/S1");
        edges.map(|edge| format!("{} {}", edge.id, edge.alias.as_ref().map_or("-", Alias::as_str))).collect()
    };
    assert!(of(&format!("{head}{hosts}")).is_empty());
    assert_eq!(
        of(&format!("{head}{declared}{hosts}")),
        [
            "a.x.example/cacerts <- certificate ssm-on-prem-root ssm-on-prem-root",
            "a.x.example/jre-cacerts <- certificate ssm-on-prem-root ssm-on-prem-root"
        ]
    );
    let tweaked = "rules: { pcce-15.0/S1: { alias: 'ssm_{host}' } }\n";
    let faults = resolved(&format!("{head}{declared}{tweaked}{hosts}")).unwrap_err().to_string();
    assert!(faults.contains("the rule is about certificates without a host"), "{faults}");
}

/// A profile may extend several others. The later ones win over the earlier ones, and each is read once.
#[test]
fn a_profile_extends_several_in_order() {
    let own = "trustmason-profile: 1\nname: mine\nextends: [pcce-15.0, ucce-12.6]\nremoved: { rules: { O5: 'no VVB here' } }\n";
    let topology = with_profile(
        &own.replace("ucce-12.6]", "ucce-12.6]\nroles: { ads: { vars: { CCE_JAVA_HOME: { default: 'C:\\J' } } } }"),
    )
    .unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(
        topology.profiles,
        ["mine", "ucce-12.6", "pcce-15.0", "cce-common", "pcce-12.6.2", "pcce-12.6", "pcce-12.5", "cisco-base"]
    );
    assert!(!topology.edges.iter().any(|e| e.rule.as_str().ends_with("/T1")), "ucce-12.6 takes T1 away");
    let text = "trustmason: 1\nestate: acme\nprofile: ucce-12.6\nrules: { pcce-12.6/T1: { alias: x } }\n\
                hosts:\n  c.x.example: { role: cvp }\n";
    let faults = resolved(text).unwrap_err().to_string();
    let expected = "the profile `ucce-12.6` has no rule `T1`: only the SPOG talks from the AW to CVP";
    assert!(faults.contains(expected), "{faults}");
    let faults =
        faults_with("trustmason-profile: 1\nname: mine\nextends: pcce-12.5\nremoved: { rules: { T99: gone } }\n");
    assert!(faults.contains("there is no inherited rule `T99`"), "{faults}");
    let faults = faults_with("trustmason-profile: 1\nname: mine\nextends: [pcce-12.5, mine.yaml]\n");
    assert!(faults.contains("extends itself in a circle"), "{faults}");
}

/// A profile that knows nothing of a release does not bring a default back that the release does not have. One's own profile,
/// which extends the release, can.
#[test]
fn an_unstated_secret_is_stated_only_by_a_profile_that_extends_the_release() {
    let secret = |own: &str| {
        let text = "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts:\n  c.x.example: { role: cvp }\n";
        let spec = parse(text, "estate.yaml").unwrap();
        let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.to_owned())).unwrap();
        let topology = resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|f| panic!("{f}")).topology;
        topology
            .stores
            .values()
            .find_map(|store| store.password())
            .map(trustmason_spec::topology::SecretRef::origin)
            .unwrap()
    };
    let head = "trustmason-profile: 1\nname: mine\nextends:";
    let nobody = "of which nobody said where it is";
    for extended in ["[ucce-15.0, cvp-jmx]", "[cvp-jmx, ucce-15.0]", "[pcce-12.6.2, cce-cti]"] {
        assert_eq!(secret(&format!("{head} {extended}\n")), nobody, "{extended}");
    }
    let stated = "secrets: { cvp-keystore: { env: CVP_PW } }\n";
    assert_eq!(secret(&format!("{head} [ucce-15.0, cvp-jmx]\n{stated}")), "from the environment variable CVP_PW");
}

/// A gateway that is never opened asks for the certificates of its clients all the same.
#[test]
fn a_truster_that_is_never_opened_says_what_its_subjects_need() {
    let text = "trustmason: 1\nestate: acme\nprofile: [ucce-12.6, cce-cti]\nhosts:\n  p.x.example: { role: pg, access: none }\n  f.x.example: { role: finesse }\n";
    let topology = resolved(text).unwrap_or_else(|faults| panic!("{faults}"));
    let def = topology.identities.values().find(|def| def.id.name == "tomcat").unwrap();
    assert!(def.needs.iter().any(|need| need.usage == ExtendedUsage::ClientAuth), "{:?}", def.needs);
    assert!(!topology.edges.iter().any(|edge| edge.store.host.host() == "p"));
}

/// The services to restart depend on the issuer where the documents say so.
#[test]
fn a_self_signed_wsm_restarts_the_call_server_too() {
    let head = "trustmason: 1\nestate: acme\nprofile: pcce-12.5\n";
    let hosts = "hosts:\n  c.x.example: { role: cvp }\n";
    let authority =
        "authorities: { corp: { root: { file: r.pem }, requests_dir: r, inbox: i } }\nidentity: { issuer: corp }\n";
    let restarts = |text: &str| {
        let topology = resolved(text).unwrap_or_else(|faults| panic!("{faults}"));
        let def = topology.identities.values().find(|def| def.id.name == "wsm").unwrap();
        def.restart.iter().map(|service| service.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(restarts(&format!("{head}{hosts}")), ["callserver", "wsm"]);
    assert_eq!(restarts(&format!("{head}{authority}{hosts}")), ["wsm"]);
}

/// An identity's alias may have the name of its host.
#[test]
fn the_alias_of_a_key_has_the_name_of_its_host() {
    let text = "trustmason: 1\nestate: acme\nprofile: [pcce-12.5, cvp-jmx]\nhosts:\n  c.x.example: { role: cvp }\n";
    let topology = resolved(text).unwrap_or_else(|faults| panic!("{faults}"));
    let def = topology.identities.values().find(|def| def.id.name == "jmx-client").unwrap();
    let trustmason_spec::topology::CertificateSource::KeyEntry(place) = &def.source else { panic!("{def:?}") };
    assert_eq!(place.at.alias().map(Alias::as_str), Some("c.x.example"));
    let faults = faults_with(&format!(
        "{HEAD}roles:\n  cvp:\n    identities:\n      k: {{ store: keystore, alias: '{{identity}}', source: s }}\n"
    ));
    assert!(faults.contains("the alias of a key may use {fqdn} and {host}"), "{faults}");
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
        hosts:\n  ads.x.example: { role: ads, vars: { CCE_JAVA_HOME: 'C:\\J' } }\n  pga.x.example: { role: [pg, vru-pg] }\n  mra.x.example: { role: mr-pg }\n  dia.x.example: { role: dialer }\n  \
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

/// A profile of two roles: the servers of one trust those of the other.
fn web(constraints: &str, rule: &str) -> String {
    format!(
        "trustmason-profile: 1\nname: mine\nroles:\n  ads:\n    stores: {{ trust: {{ path: '/t.jks', format: jks, password: p }} }}\n  cvp:\n    identities: {{ site: {{ write: hand-off, exported_as: ['{{fqdn}}.pem'], constraints: {constraints}, source: our handbook }} }}\nsecrets: {{ p: {{ literal: changeit }} }}\nrules:\n  X1: {{ truster: ads/trust, subject: cvp/site, alias: '{{fqdn}}', why: they fetch, source: page 1{rule} }}\n"
    )
}

/// The usages that the only identity needs, each with what needs it.
fn needs(topology: &Topology) -> Vec<(ExtendedUsage, NeededBy, String)> {
    let def = topology.identities.values().next().unwrap();
    def.needs.iter().map(|need| (need.usage, need.by.clone(), need.source.clone())).collect()
}

#[test]
fn a_purpose_and_the_own_usages_become_what_an_identity_needs() {
    let by_rule = |usage| {
        let by = NeededBy::Rule { rule: RuleId::new("mine", "X1"), why: "they fetch".to_owned() };
        (usage, by, "page 1".to_owned())
    };
    let own = |usage, source: &str| (usage, NeededBy::Identity(RuleId::new("mine", "cvp.site")), source.to_owned());
    let (server, client) = (ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth);
    for (constraints, rule, expected) in [
        ("{}", "", vec![by_rule(server)]),
        ("{}", ", purpose: server", vec![by_rule(server)]),
        ("{}", ", purpose: client", vec![by_rule(client)]),
        ("{}", ", purpose: both", vec![by_rule(server), by_rule(client)]),
        ("{ eku: [clientAuth] }", "", vec![by_rule(server), own(client, "our handbook")]),
        ("{ eku: [serverAuth], source: page 9 }", ", purpose: client", vec![by_rule(client), own(server, "page 9")]),
    ] {
        let topology = with_profile(&web(constraints, rule)).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(needs(&topology), expected, "{constraints} {rule}");
    }
    let faults = faults_with(&web("{}", ", purpose: servant"));
    assert!(
        faults.contains("`servant` is not a value of `purpose`") && faults.contains("server, client or both"),
        "{faults}"
    );
}

/// Only rules in use count, and an entry of `trust:` says nothing about what its subject does.
#[test]
fn a_rule_that_is_off_needs_nothing_and_neither_does_an_entry_of_the_spec() {
    let own = web("{}", ", purpose: client");
    let run = |more: &str| {
        let text = format!(
            "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts:\n  a.x.example: {{ role: ads }}\n  c.x.example: {{ role: cvp }}\n{more}"
        );
        let spec = parse(&text, "estate.yaml").unwrap();
        let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.clone())).unwrap();
        needs(&resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|faults| panic!("{faults}")).topology)
    };
    assert_eq!(run("").len(), 1);
    let off = "rules: { mine/X1: { enabled: false, why: not here } }\n";
    assert_eq!(run(off), []);
    let by_hand = "trust: [{ store: a.x.example/trust, subject: c.x.example/site, alias: c, why: ours }]\n";
    assert_eq!(run(&format!("{off}{by_hand}")), []);
}

#[test]
fn common_names_are_templates_of_the_host_and_exclude_the_fqdn_alone() {
    let topology = with_profile(&web("{ common_names: ['{fqdn}', '{host}_VXML_Server'] }", "")).unwrap();
    let known = &topology.identities.values().next().unwrap().constraints.common_names;
    let texts: Vec<(&str, bool)> = known.iter().map(|name| (name.text.as_str(), name.is_unique)).collect();
    assert_eq!(texts, [("c.x.example", true), ("c_VXML_Server", true)]);
    let faults = faults_with(&web("{ common_names: ['{hots}_x', '{host'], cn_is_fqdn: true }", ""));
    for expected in ["uses {hots}", "never closed", "allows no other common name than the FQDN", "{fqdn} and {host}"] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
}

/// Two hosts with one short name have the same common names, and so has a host that left, or a host under its former
/// name. Then the name does not say whose a certificate is.
#[test]
fn a_common_name_that_another_host_can_have_is_not_unique() {
    let own = web("{ common_names: ['{fqdn}', '{host}_x', 'fixed', '{host}.y.example'] }", "");
    let run = |more: &str| {
        let text = format!(
            "trustmason: 1\nestate: acme\nprofile: mine.yaml\nhosts:\n  a.x.example: {{ role: ads }}\n  c.x.example: {{ role: cvp }}\n{more}"
        );
        let spec = parse(&text, "estate.yaml").unwrap();
        let profiles = profile::load(&spec, Path::new("/estate"), |_| Ok(own.clone())).unwrap();
        let topology = resolve(&spec, &profiles, Path::new("/estate")).unwrap_or_else(|f| panic!("{f}")).topology;
        let def = &topology.identities[&IdentityId::parse("c.x.example/site").unwrap()];
        def.constraints.common_names.iter().map(|name| name.is_unique).collect::<Vec<_>>()
    };
    // Every host can have the fixed name.
    assert_eq!(run(""), [true, true, false, true]);
    assert_eq!(run("  c.y.example: { role: cvp }\n"), [true, false, false, false]);
    assert_eq!(run("  d.x.example: { role: ads, formerly: [c.z.example] }\n"), [true, false, false, false]);
    assert_eq!(run("retired: [C.z.example]\n"), [true, false, false, false]);
    let own_former = "  d.x.example: { role: cvp }\nretired: [e.z.example]\n";
    assert_eq!(run(own_former), [true, true, false, true]);
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
