//! Genesys and the CTI link, built by keytool and openssl as their documents say, then converged. openssl judges the
//! PEM store and the PFX, and a JVM judges the Java stores. The content of a Windows store is read from a serialised
//! export.
#![cfg(unix)]

use crate::judge;

use std::fs;

use judge::room::{AUTHORITY, Room, serialised};

/// Document 000: a PEM file and a JKS file with the previous CA under `root`, as L50 and L76 make them.
#[test]
fn judge_document_000_web_engagement_by_pem_and_by_jks() {
    needs!(Jdk, Openssl);
    let room = Room::new();
    room.server("cfg.x.example", "certs/cfg.x.example.cer");
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: engagement\nprofile: genesys\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           secrets: { gwe-trusted-ca: { literal: changeit } }\nhosts:\n  cfg.x.example: { role: genesys-server }\n  \
           g1.x.example: { role: gwe-pem, vars: { GWE_TRUSTED_CA: /opt/gwe/ca.pem } }\n  \
           g2.x.example: { role: gwe-jks, vars: { GWE_TRUSTED_CA: /opt/gwe/ca.jks } }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    room.self_signed("stranger.x.example", "ca/stranger.key", "certs/stranger.pem", "400");
    let pem = room.at("hosts/g1.x.example/opt/gwe/ca.pem");
    let jks = room.at("hosts/g2.x.example/opt/gwe/ca.jks");
    for path in [&pem, &jks] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    let old = fs::read_to_string(room.at("ca/old.pem")).unwrap();
    fs::write(&pem, format!("# the CA of before\r\n{}", old.replace('\n', "\r\n"))).unwrap();
    let store = jks.to_str().unwrap();
    room.keytool(&[
        "-importcert",
        "-noprompt",
        "-alias",
        "root",
        "-file",
        "ca/old.pem",
        "-storetype",
        "JKS",
        "-keystore",
        store,
        "-storepass",
        "changeit",
    ]);
    assert!(!room.verifies(&pem, "certs/cfg.x.example.cer"), "or the judge judges nothing");

    room.says(&["apply", "--auto-approve"], &[0, 5]);
    assert!(room.verifies(&pem, "certs/cfg.x.example.cer"));
    let text = fs::read_to_string(&pem).unwrap();
    assert!(
        text.starts_with("# the CA of before\r\n") && text.contains(old.trim().replace('\n', "\r\n").as_str()),
        "{text}"
    );
    let list = room.keytool(&["-list", "-rfc", "-storetype", "JKS", "-keystore", store, "-storepass", "changeit"]);
    for alias in ["Alias name: root", "Alias name: corp-root"] {
        assert!(list.contains(alias), "{list}");
    }
    let exported = room.at("exported.pem");
    fs::write(&exported, list).unwrap();
    assert!(room.verifies(&exported, "certs/cfg.x.example.cer"), "the JKS has the chain too");
    room.joined("ca/cfg.pem", &["certs/cfg.x.example.cer", "ca/issuing.pem"]);
    assert!(room.jsse(&jks, "JKS", "ca/cfg.pem") && !room.jsse(&jks, "JKS", "certs/stranger.pem"));
    room.says(&["ack", "*"], &[0]);
    room.nothing_is_left();

    // Years later the intermediate has ended, and this is found, whether servers were renewed or not. The root is still
    // valid.
    room.server("cfg.x.example", "certs/cfg.x.example.cer");
    let late = room.says(&["plan", "--at", "2035-06-01T00:00:00Z", "-v"], &[0]);
    assert!(
        late.lines().any(|line| line.contains("  expired") && line.contains("CN=Issuing, ended on 2035-")),
        "{late}"
    );
    assert!(!late.contains("CN=root CA, ended"), "{late}");

    // Somebody deletes the intermediate again. The incomplete chain is reported.
    let issuing = room.pin("ca/issuing.pem");
    let alias = format!("corp-{}", &issuing[..8]);
    room.keytool(&["-delete", "-alias", &alias, "-storetype", "JKS", "-keystore", store, "-storepass", "changeit"]);
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("chain-incomplete"), "{drift}");
}

/// Document 001: the connector's PFX is requested from the CA, and its trust store gets the chain of the front end.
#[test]
fn judge_document_001_connector_with_a_pfx_of_the_ca() {
    needs!(Jdk, Openssl);
    let room = Room::new();
    room.server("lync.x.example", "certs/lync.x.example.cer");
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: connector\nprofile: genesys\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           secrets: { ucc-trust: { literal: changeit }, ucc-identity: { literal: changeit } }\nidentity: { issuer: corp }\nhosts:\n  \
           lync.x.example: { role: lync, access: none }\n  ucc.x.example: { role: uc-connector-mtls }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    let pfx = room.at("hosts/ucc.x.example/C/gcti/lync_ucc_1.pfx");
    let trust = room.at("hosts/ucc.x.example/C/GCTI/UCConnector/etc/MYSTORE.jks");
    for path in [&pfx, &trust] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    // The installer's certificate: self-signed, made by another tool.
    room.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "400",
        "-subj",
        "/CN=ucc.x.example",
        "-addext",
        "subjectAltName=DNS:ucc.x.example",
        "-keyout",
        "ca/ucc.key",
        "-out",
        "ca/ucc.pem",
    ]);
    room.openssl(&[
        "pkcs12",
        "-export",
        "-inkey",
        "ca/ucc.key",
        "-in",
        "ca/ucc.pem",
        "-name",
        "ucc",
        "-passout",
        "env:PW",
        "-out",
        pfx.to_str().unwrap(),
    ]);
    let before = fs::read(&pfx).unwrap();

    room.says(&["apply", "--auto-approve"], &[0, 5]);
    assert_eq!(fs::read(&pfx).unwrap(), before, "the working key is not touched");
    let list = room.keytool(&["-list", "-rfc", "-keystore", trust.to_str().unwrap(), "-storepass", "changeit"]);
    fs::write(room.at("exported.pem"), list).unwrap();
    assert!(
        room.verifies(&room.at("exported.pem"), "certs/lync.x.example.cer"),
        "made, as its role says, with the chain"
    );

    room.write("ca/leaf.ext", "subjectAltName=DNS:ucc.x.example\nextendedKeyUsage=serverAuth,clientAuth\n");
    room.sign("csr/ucc.x.example_ucc.csr", "issuing", "inbox/reply.cer", "ca/leaf.ext", "800");
    for _ in 0..4 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        room.says(&["ack", "*"], &[0, 1]);
    }
    let said = room.openssl(&["pkcs12", "-in", pfx.to_str().unwrap(), "-passin", "env:PW", "-nodes"]);
    fs::write(room.at("pfx.pem"), &said.stdout).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout).matches("BEGIN CERTIFICATE").count(),
        3,
        "the whole chain is in it"
    );
    let modulus = |what: &[&str]| room.openssl(what).stdout;
    let certificate = modulus(&["x509", "-in", "inbox/reply.cer", "-noout", "-modulus"]);
    assert_eq!(
        modulus(&["rsa", "-in", "pfx.pem", "-noout", "-modulus"]),
        certificate,
        "key and certificate belong together"
    );
    assert!(room.verifies(&room.at("ca/root.pem"), "ca/issuing.pem"));
    room.joined("ca/lync.pem", &["certs/lync.x.example.cer", "ca/issuing.pem"]);
    assert!(room.jsse(&trust, "JKS", "ca/lync.pem"));
    // Mutual TLS: the connector uses its PFX, and the front end trusts the CA from its pack.
    room.server("lync.x.example", "certs/lync.x.example.cer");
    room.joined("ca/lync.pem", &["certs/lync.x.example.cer", "ca/issuing.pem"]);
    room.joined("ca/ucc.pem", &["inbox/reply.cer", "ca/issuing.pem"]);
    let front = ["ca/lync.pem", "ca/leaf.key", "ca/root.pem"];
    assert!(room.mutual(front, ["ca/ucc.pem", "pfx.pem", "exported.pem"]));
    assert!(!room.mutual(["ca/lync.pem", "ca/leaf.key", "ca/old.pem"], ["ca/ucc.pem", "pfx.pem", "exported.pem"]));
}

/// Document 002: two nodes each of Finesse, CUIC and Live Data get certificates from a CA with an intermediate. People
/// do all of it with packs. The trust of a node is read from an export.
#[test]
fn judge_document_002_live_data_with_certificates_of_the_ca() {
    needs!(Jdk, Openssl);
    let room = Room::new();
    let nodes = ["fina", "finb", "cuica", "cuicb", "lda", "ldb"];
    let mut spec = "trustmason: 1\nestate: live\nprofile: ucce-live-data\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
                    identity: { issuer: corp }\nhosts:\n"
        .to_owned();
    for (node, role) in nodes.iter().zip(["finesse", "finesse", "cuic", "cuic", "live-data", "live-data"]) {
        let publisher = if node.ends_with('a') { ", publisher: true" } else { "" };
        spec += &format!("  {node}.x.example: {{ role: {role}, cluster: {role}{publisher} }}\n");
        room.self_signed(&format!("{node}.x.example"), "ca/node.key", &format!("certs/{node}.x.example.pem"), "1825");
        fs::create_dir_all(room.at(&format!("hosts/{node}.x.example/tomcat-trust"))).unwrap();
    }
    room.write("estate.yaml", &(spec + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))));
    let handoff = |node: &str, what: &str| room.at(&format!(".trustmason/handoff/{node}.x.example/{what}"));
    let steps = |node: &str, what: &str| fs::read_to_string(handoff(node, what).join("STEPS.md")).unwrap();
    // A node that trusts others gets the certificates of its pack. A node that trusts nobody gets no pack.
    let carry = || {
        for node in nodes {
            let Ok(pack) = fs::read_to_string(handoff(node, "tomcat-trust").join("pack.json")) else { continue };
            let pack: serde_json::Value = serde_json::from_str(&pack).unwrap();
            // If nobody has exported a node's trust yet, every certificate must be verified, and added if it is missing.
            for item in ["add", "verify"].iter().flat_map(|what| pack[what].as_array().unwrap()) {
                let file = item["file"].as_str().unwrap();
                let from = handoff(node, "tomcat-trust").join(file);
                fs::copy(from, room.at(&format!("hosts/{node}.x.example/tomcat-trust/{file}"))).unwrap();
            }
            for item in pack["remove"].as_array().unwrap() {
                let gone = item["sha256"].as_str().unwrap();
                for file in fs::read_dir(room.at(&format!("hosts/{node}.x.example/tomcat-trust"))).unwrap() {
                    let file = file.unwrap().path();
                    if room.pin(file.to_str().unwrap()) == gone {
                        fs::remove_file(file).unwrap();
                    }
                }
            }
        }
    };

    room.says(&["apply", "--auto-approve"], &[5]);
    for node in nodes {
        let text = steps(node, "tomcat+identity");
        // No node in this estate trusts Finesse.
        assert_eq!(text.contains("do not install it yet"), !node.starts_with("fin"), "{text}");
        assert!(text.contains("Every node has a request of its own"), "{text}");
    }
    for _ in 0..2 {
        carry();
        room.says(&["ack", "*"], &[0, 1]);
        room.says(&["apply", "--auto-approve"], &[0, 5]);
    }
    for node in &nodes[2..] {
        let text = steps(node, "tomcat+identity");
        assert!(text.contains("the new certificate may be installed"), "{node}: {text}");
    }
    for node in nodes {
        room.server(&format!("{node}.x.example"), &format!("certs/{node}.x.example.pem"));
    }
    for _ in 0..3 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        carry();
        room.says(&["ack", "*"], &[0, 1]);
    }
    room.nothing_is_left();

    // L105-107: Finesse trusts Live Data and CUIC, and these two trust each other. Only the present trust is used.
    let trusts = |truster: &str, subject: &str| {
        let folder = room.at(&format!("hosts/{truster}.x.example/tomcat-trust"));
        let all: String =
            fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        fs::write(room.at("ca/all.pem"), all).unwrap();
        room.verifies(&room.at("ca/all.pem"), &format!("certs/{subject}.x.example.pem"))
    };
    for (truster, subjects) in [("fin", ["ld", "cuic"]), ("ld", ["cuic", "cuic"]), ("cuic", ["ld", "ld"])] {
        for (side, other) in [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")] {
            for subject in subjects {
                assert!(
                    trusts(&format!("{truster}{side}"), &format!("{subject}{other}")),
                    "{truster}{side} {subject}{other}"
                );
            }
        }
    }
    // The documents describe replication both ways. A node that did not get the root is found, and no other node (D30).
    let lost = room.pin("ca/root.pem");
    for file in fs::read_dir(room.at("hosts/finb.x.example/tomcat-trust")).unwrap() {
        let file = file.unwrap().path();
        if room.pin(file.to_str().unwrap()) == lost {
            fs::remove_file(file).unwrap();
        }
    }
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("finb.x.example/tomcat-trust") && !drift.contains("fina.x.example/tomcat-trust"), "{drift}");
    assert!(!trusts("finb", "lda"));
}

/// Document 004: Finesse and the gateway get certificates from the CA and trust each other through it. Trustmason
/// changes the gateway's pair, and a person changes Finesse's certificate. The Windows store is read from a serialised
/// export.
#[test]
fn judge_document_004_cti_link_with_certificates_of_the_ca() {
    needs!(Jdk, Openssl);
    let room = Room::new();
    room.write(
        "estate.yaml",
        &("trustmason: 1\nestate: cti\nprofile: cce-cti\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
           identity: { issuer: corp }\nhosts:\n  pga.x.example: { role: pg }\n  fin.x.example: { role: finesse }\n"
            .to_owned()
            + &AUTHORITY.replace("PIN", &room.pin("ca/root.pem"))),
    );
    // The installers' certificates are self-signed. The gateway's is valid for 7300 days (CiscoCertUtil), in a form of
    // OpenSSL 1.0.
    let ssl = room.at("hosts/pga.x.example/C/icm/ssl");
    for folder in ["certs", "keys", "rsa", "trust-export"] {
        fs::create_dir_all(ssl.join(folder)).unwrap();
    }
    let (pem, key) = ("hosts/pga.x.example/C/icm/ssl/certs/host.pem", "hosts/pga.x.example/C/icm/ssl/keys/host.key");
    room.self_signed("pga.x.example", "ca/pga.key", pem, "7300");
    room.openssl(&["rsa", "-traditional", "-in", "ca/pga.key", "-out", key]);
    room.self_signed("fin.x.example", "ca/fin.key", "certs/fin.x.example.pem", "1825");
    let first = fs::read(room.at(pem)).unwrap();
    let first_key = fs::read(room.at(key)).unwrap();
    let trust = room.at("hosts/fin.x.example/tomcat-trust");
    let mirror = ssl.join("trust-export/root.sst");
    fs::create_dir_all(&trust).unwrap();

    let text = room.says(&["apply", "--auto-approve"], &[5]);
    assert!(text.contains("pga.x.example/windows-root"), "{text}");
    assert_eq!((fs::read(room.at(pem)).unwrap(), fs::read(room.at(key)).unwrap()), (first.clone(), first_key.clone()));
    let explained = room.says(&["explain", "pga.x.example/host"], &[0]);
    assert!(explained.contains("at-ca") && explained.contains("the key of pga.x.example/host"), "{explained}");
    let steps =
        |target: &str| fs::read_to_string(room.at(".trustmason/handoff").join(target).join("STEPS.md")).unwrap();
    let finesse = steps("fin.x.example/tomcat+identity");
    let order = [
        "Generate CSR",
        "upload the certificates of the authority as tomcat-trust",
        "Upload the reply as tomcat",
        "Cisco Tomcat, once",
    ];
    let at: Vec<_> =
        order.iter().map(|step| finesse.find(step).unwrap_or_else(|| panic!("{step}: {finesse}"))).collect();
    assert!(at.is_sorted(), "{finesse}");
    assert!(steps("pga.x.example/windows-root").contains("CiscoCertUtil /install"));

    // The CA answers both requests. A person carries out the packs and installs Finesse's reply. Windows gets a
    // serialised store.
    room.write("ca/leaf.ext", "subjectAltName=DNS:pga.x.example\nextendedKeyUsage=serverAuth,clientAuth\n");
    room.sign("csr/pga.x.example_host.csr", "issuing", "inbox/host.cer", "ca/leaf.ext", "800");
    room.server("fin.x.example", "certs/fin.x.example.pem");
    fs::write(&mirror, serialised(&room, &["ca/root.pem", "ca/issuing.pem"])).unwrap();
    for name in ["root", "issuing"] {
        fs::copy(room.at(&format!("ca/{name}.pem")), trust.join(format!("{name}.pem"))).unwrap();
    }
    for _ in 0..4 {
        room.says(&["apply", "--auto-approve"], &[0, 5]);
        room.says(&["ack", "*"], &[0, 1]);
    }
    room.nothing_is_left();

    // openssl judges: key and certificate have one modulus, the file has the chain, both sides trust each other, and
    // the first certificate is kept.
    let modulus = |what: &[&str]| String::from_utf8(room.openssl(what).stdout).unwrap();
    let of_certificate = modulus(&["x509", "-in", pem, "-noout", "-modulus"]);
    assert_eq!(modulus(&["rsa", "-in", key, "-noout", "-modulus"]), of_certificate);
    assert!(fs::read_to_string(room.at(key)).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"), "the old form");
    assert_eq!(fs::read_to_string(room.at(pem)).unwrap().matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(fs::read(ssl.join("certs/selfhost.pem")).unwrap(), first);
    assert_eq!(fs::read(ssl.join("rsa/host.pem")).unwrap(), fs::read(room.at(pem)).unwrap());
    assert_eq!(fs::read(ssl.join("rsa/host.key")).unwrap(), fs::read(room.at(key)).unwrap());
    room.joined("ca/fin.pem", &["certs/fin.x.example.pem", "ca/issuing.pem"]);
    let met =
        |of_server: &str, of_client: &str| room.mutual([pem, key, of_server], ["ca/fin.pem", "ca/leaf.key", of_client]);
    assert!(met("ca/root.pem", "ca/root.pem"));
    assert!(!met("ca/old.pem", "ca/root.pem") && !met("ca/root.pem", "ca/old.pem"), "each side asks");

    // Somebody deletes or replaces the key before the CA answers (the order of the PCCE 15.0 guide).
    fs::write(room.at(key), &first_key).unwrap();
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("does not belong to its certificate"), "{drift}");
    room.says(&["apply", "--auto-approve"], &[0, 2, 5]);
    assert_eq!(fs::read(room.at(key)).unwrap(), first_key, "it may be the one that a reply is on its way for");

    fs::write(&mirror, serialised(&room, &["ca/root.pem"])).unwrap();
    let drift = room.says(&["drift"], &[2]);
    assert!(drift.contains("pga.x.example/windows-root"), "{drift}");
}

/// The link of the VRU peripheral (rules C3 and C3v), self-signed on both sides. The call server has key and trust in a
/// JCEKS file. The gateway has them in two PEM files and a Windows store, exported as PEM files.
#[test]
fn judge_vru_link_both_sides() {
    needs!(Jdk, Openssl);
    let room = Room::new();
    room.write(
        "estate.yaml",
        "trustmason: 1\nestate: vru\nprofile: cce-cti\naccess: { root: './hosts/{fqdn}' }\ncertificates_dir: ./certs\n\
         secrets: { cvp-keystore: { literal: changeit } }\nhosts:\n  pga.x.example: { role: vru-pg }\n  cvp.x.example: { role: cvp }\n",
    );
    let ssl = room.at("hosts/pga.x.example/C/icm/ssl");
    let mirror = ssl.join("trust-export/root.sst");
    for folder in
        [ssl.join("certs"), ssl.join("keys"), mirror.clone(), room.at("hosts/cvp.x.example/C/Cisco/CVP/conf/security")]
    {
        fs::create_dir_all(folder).unwrap();
    }
    let (pem, key) = ("hosts/pga.x.example/C/icm/ssl/certs/host.pem", "hosts/pga.x.example/C/icm/ssl/keys/host.key");
    room.self_signed("pga.x.example", key, pem, "7300");
    let keystore = "hosts/cvp.x.example/C/Cisco/CVP/conf/security/.keystore";
    let store = ["-storetype", "JCEKS", "-keystore", keystore, "-storepass", "changeit"];
    let with = |what: &[&str]| room.keytool(&[what, &store[..]].concat());
    let named =
        ["-dname", "CN=cvp.x.example", "-ext", "SAN=dns:cvp.x.example", "-keypass", "changeit", "-validity", "900"];
    let made = [
        "-genkeypair",
        "-alias",
        "callserver_certificate",
        "-keyalg",
        "RSA",
        "-keysize",
        "2048",
        "-sigalg",
        "SHA256withRSA",
    ];
    with(&[&made[..], &named[..]].concat());
    assert!(!room.jsse(&room.at(keystore), "JCEKS", pem), "or the judge judges nothing");

    room.says(&["apply", "--auto-approve"], &[5]);
    let pack = room.at(".trustmason/handoff/pga.x.example/windows-root");
    for file in fs::read_dir(&pack)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|f| f.extension().is_some_and(|e| e == "pem"))
    {
        fs::copy(&file, mirror.join(file.file_name().unwrap())).unwrap();
    }
    room.says(&["apply", "--auto-approve"], &[0, 5]);
    room.says(&["ack", "*"], &[0]);
    room.nothing_is_left();

    assert!(room.jsse(&room.at(keystore), "JCEKS", pem));
    fs::write(room.at("ca/cvp-trust.pem"), with(&["-list", "-rfc", "-alias", "pga.x.example_host"])).unwrap();
    fs::write(room.at("ca/cvp.pem"), with(&["-exportcert", "-rfc", "-alias", "callserver_certificate"])).unwrap();
    room.keytool(&[
        "-importkeystore",
        "-noprompt",
        "-srcstoretype",
        "JCEKS",
        "-srckeystore",
        keystore,
        "-srcstorepass",
        "changeit",
        "-srcalias",
        "callserver_certificate",
        "-deststoretype",
        "PKCS12",
        "-destkeystore",
        "ca/cvp.p12",
        "-deststorepass",
        "changeit",
    ]);
    let key_of_cvp = room.openssl(&["pkcs12", "-in", "ca/cvp.p12", "-passin", "env:PW", "-nodes", "-nocerts"]).stdout;
    fs::write(room.at("ca/cvp.key"), key_of_cvp).unwrap();
    let windows = fs::read_dir(&mirror).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    fs::write(room.at("ca/pg-trust.pem"), windows.collect::<String>()).unwrap();
    let gateway = [pem, key, "ca/pg-trust.pem"];
    assert!(room.mutual(["ca/cvp.pem", "ca/cvp.key", "ca/cvp-trust.pem"], gateway));
    assert!(!room.mutual(["ca/cvp.pem", "ca/cvp.key", "ca/old.pem"], gateway), "the call server asks");
}
