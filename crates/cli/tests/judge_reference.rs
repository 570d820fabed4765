//! The reference estates of release 15.0 (`fixtures/reference`), built by keytool and openssl as the vendor's documents leave
//! them, converged by the built binary and judged by JVMs against the lists written by hand. And an estate in which CCUT imported
//! certificates under its own aliases.
#![cfg(unix)]

use crate::judge;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Instant;

use judge::Verdicts;
use judge::authority::{Authority, both};
use judge::build::{Built, KEY_PASSWORDS, StoreAt, bare_room, jdk_roots};
use judge::cast::Cast;
use judge::craft::{self, Writing};
use judge::jvm::{Jvm, Listing, NO_NAME, Reading};
use judge::matrix::WantedTrust;
use judge::reference::{Reference, Told, build};
use judge::tool::{acknowledge, climb, plan, second_apply_writes_nothing, trustmason, waited_for};

const NOTHING: &str = "No changes. Every store holds what the spec declares.";

#[test]
fn judge_reference_ucce_15_converges() {
    needs!(Jdk, Openssl);
    let (estate, mut jvm) = converges("ucce-15.0", 24, 114);
    a_certificate_trusted_in_its_own_store_rotates(&estate, &mut jvm);
}

/// The same with 30 hosts and 220 edges.
#[test]
fn judge_reference_pcce_15_converges() {
    needs!(Jdk, Openssl, Full);
    converges("pcce-15.0", 30, 220);
}

/// The contents of stores by host and store.
type Dumps = BTreeMap<(String, &'static str), Listing>;

fn dumps(jvm: &mut Jvm, built: &Built) -> Dumps {
    let dump = |store: &StoreAt| ((store.host.clone(), store.name), jvm.dump(store, KEY_PASSWORDS));
    built.stores.iter().map(dump).collect()
}

fn converges(release: &'static str, hosts: usize, edges: usize) -> (Reference, Jvm) {
    let started = Instant::now();
    let estate = build(release);
    let built = &estate.built;
    assert_eq!((built.cast.0.len(), built.wanted_trust.len()), (hosts, edges), "{release}");
    eprintln!("{release}: built by keytool and openssl in {:.1} s", started.elapsed().as_secs_f64());
    let mut jvm = Jvm::start();
    let before = dumps(&mut jvm, built);
    strangers_are_refused(&mut jvm, &estate, "before apply", true);

    blocked_without_the_password(&estate);
    blocked_without_the_databases(&estate);
    estate.tell(Told::Databases);
    let climbed = climb(built, &mut |path| jvm.certificate(path));
    eprintln!("{} applies, {} restarts, {} certificates carried", climbed.rungs, climbed.restarts, climbed.carried);

    let after = dumps(&mut jvm, built);
    keys_open(&mut jvm, &estate, &before, &after);
    every_edge_holds(&mut jvm, &estate, &after);
    handshakes_succeed(&mut jvm, &estate);
    strangers_are_refused(&mut jvm, &estate, "after apply", false);
    others_are_untouched(&mut jvm, &estate, &before, &after);
    tool_is_content(built);
    let said = trustmason(built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!((said.code, said.last_line()), (0, NOTHING), "{}\n{}", said.stdout, said.stderr);
    second_apply_writes_nothing(built, 0);
    eprintln!("{release}: {:.1} s", started.elapsed().as_secs_f64());
    (estate, jvm)
}

/// No profile of this release knows CVP's password. The plan blocks exactly the stores of CVP, and says how to name it.
fn blocked_without_the_password(estate: &Reference) {
    let said = trustmason(&estate.built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!(said.code, 4, "{}\n{}", said.stdout, said.stderr);
    for way in ["{ env: NAME }", "DecryptKeystoreUtil.bat", "untested", "key: Security.keystorePW"] {
        assert!(said.stdout.contains(way), "the plan does not say `{way}`\n{}", said.stdout);
    }
    let plan = plan(&estate.built);
    let closed: BTreeSet<String> = plan["stores"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|store| store["verdict"] == "blocked")
        .map(|store| store["store"].as_str().unwrap().to_owned())
        .collect();
    let keystores = estate.built.stores.iter().filter(|store| store.name == "keystore");
    assert_eq!(closed, keystores.map(|store| format!("{}/keystore", store.host)).collect(), "{}", plan["stores"]);
}

/// No document says which certificate "AWDB" is. Until the spec names it, the entries for it are blocked by name. All others converge.
fn blocked_without_the_databases(estate: &Reference) {
    estate.tell(Told::Password);
    let said = trustmason(&estate.built, &["apply", Built::SPEC, "--auto-approve"]);
    let report = format!("{}\n{}", said.stdout, said.stderr);
    assert_eq!(said.code, 4, "{report}");
    for host in estate.databases.keys() {
        assert!(report.contains(&format!("{host}/awdb")), "{host}\n{report}");
    }
    for host in estate.databases.keys() {
        let steps = estate.built.root.join(".trustmason/handoff").join(host).join("awdb+identity/STEPS.md");
        let steps = fs::read_to_string(&steps).unwrap_or_else(|error| panic!("{}: {error}", steps.display()));
        assert!(steps.contains(&format!("at the host {host}: certificates, awdb, file")), "{steps}");
    }
    let plan = plan(&estate.built);
    let blocked: BTreeSet<&str> = plan["edges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|edge| edge["verdict"] == "blocked")
        .map(|edge| edge["id"].as_str().unwrap())
        .collect();
    let databases = estate.built.wanted_trust.iter().filter(|edge| edge.identity == "awdb");
    let databases: BTreeSet<String> =
        databases.map(|edge| format!("{}/{} <- {}/awdb", edge.truster, edge.store, edge.host)).collect();
    assert_eq!(blocked, databases.iter().map(String::as_str).collect(), "blocked edges");
}

/// Checks each edge of the list with the JVM: exactly the subject's certificate under that alias, once in the store, or in the
/// export of the VOS node. No outdated certificate is left in a store that trustmason writes.
fn every_edge_holds(jvm: &mut Jvm, estate: &Reference, after: &Dumps) {
    let built = &estate.built;
    let mut verdicts = Verdicts::default();
    let mut mirrors: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (host, mirror) in &built.mirrors {
        let files = fs::read_dir(mirror).unwrap();
        mirrors.insert(host, files.map(|file| jvm.certificate(&file.unwrap().path())).collect());
    }
    for edge in &built.wanted_trust {
        let right = match (estate.key(&edge.host, edge.identity), built.files.get(&(edge.host.clone(), edge.identity)))
        {
            (Some(key), _) => after[&(edge.host.clone(), "keystore")][&key.alias()].certificates[0].clone(),
            (None, Some(file)) => jvm.certificate(file),
            (None, None) => panic!("{edge:?} has no certificate"),
        };
        let Some(alias) = &edge.alias else {
            verdicts.that(mirrors[edge.truster.as_str()].contains(&right), || format!("{edge:?}: not in the export"));
            continue;
        };
        let listing = &after[&(edge.truster.clone(), edge.store)];
        let trusts = listing
            .iter()
            .filter(|(_, held)| held.kind == "trusted-certificate" && held.certificates == [right.clone()]);
        let trusts: Vec<&String> = trusts.map(|(alias, _)| alias).collect();
        verdicts.that(trusts == [alias], || {
            format!("{edge:?}: {right} is under {trusts:?}; {alias} is {:?}", listing.get(alias))
        });
    }
    for ((host, identity), file) in &built.stale {
        let stale = jvm.certificate(file);
        for (store, listing) in after {
            let left = listing.iter().find(|(_, held)| held.certificates.contains(&stale));
            verdicts.that(left.is_none(), || format!("{store:?} still holds {host}'s old {identity}: {left:?}"));
        }
    }
    verdicts.close("the edges of the documents in the JVM");
}

/// Checks that the plan has exactly the edges of the list, also those that an operator had made before and that no run changed.
fn tool_is_content(built: &Built) {
    let plan = plan(built);
    let told: BTreeSet<String> =
        plan["edges"].as_array().unwrap().iter().map(|edge| format!("{} {}", edge["id"], edge["verdict"])).collect();
    let wanted = built.wanted_trust.iter();
    let wanted: BTreeSet<String> = wanted
        .map(|edge| format!("\"{}/{} <- {}/{}\" \"in-sync\"", edge.truster, edge.store, edge.host, edge.identity))
        .collect();
    let (missing, more) = (wanted.difference(&told), told.difference(&wanted));
    let (missing, more): (Vec<_>, Vec<_>) = (missing.collect(), more.collect());
    assert!(missing.is_empty() && more.is_empty(), "the plan lacks {missing:#?}\nand has {more:#?}");
}

/// Checks that each key opens with its store's password, that exactly the unfit keys are new, and that a common name of the guides is kept.
fn keys_open(jvm: &mut Jvm, estate: &Reference, before: &Dumps, after: &Dumps) {
    let mut verdicts = Verdicts::default();
    for key in &estate.keys {
        let opened = jvm.opens(estate.built.store(&key.host, "keystore"), &key.alias());
        verdicts.that(opened.is_ok(), || format!("{} {}: {opened:?}", key.host, key.alias()));
        let at = (key.host.clone(), "keystore");
        let (old, new) = (&before[&at][&key.alias()], &after[&at][&key.alias()]);
        let renewed = old.certificates != new.certificates && old.key != new.key;
        verdicts.that(if key.unfit { renewed } else { old == new }, || {
            format!("{} {} (CN={}): {old:?} became {new:?}", key.host, key.alias(), key.cn)
        });
    }
    verdicts.close("keys");
}

/// The edges whose two sides are stores of CVP: servers and clients with keys of their own.
fn between_cvp_stores(estate: &Reference) -> impl Iterator<Item = (&WantedTrust, &judge::reference::Key)> {
    let edges = estate.built.wanted_trust.iter().filter(|edge| edge.store == "keystore");
    edges.filter_map(|edge| Some((edge, estate.key(&edge.host, edge.identity)?)))
}

/// Checks that each CVP store accepts the services that it must trust: OAMP those of CVP, and CVP those of OAMP. The certificates of the
/// guides' samples (`cvpa_wsm`) have no FQDN in them. For those only the trust is judged, and that a client which asks for the FQDN
/// refuses them.
fn handshakes_succeed(jvm: &mut Jvm, estate: &Reference) {
    let mut verdicts = Verdicts::default();
    let mut met = BTreeSet::new();
    for (edge, key) in between_cvp_stores(estate) {
        let server = estate.built.store(&edge.host, "keystore");
        let client = estate.built.store(&edge.truster, "keystore");
        let trusted = jvm.handshake(server, &key.alias(), client, NO_NAME);
        verdicts.that(trusted.is_ok(), || format!("{} -> {} {}: {trusted:?}", edge.truster, edge.host, edge.identity));
        let named = key.unfit || key.cn == key.host;
        let by_name = jvm.handshake(server, &key.alias(), client, &key.host);
        verdicts.that(by_name.is_ok() == named, || {
            format!("{} -> {} {} (CN={}): {by_name:?}", edge.truster, edge.host, edge.identity, key.cn)
        });
        met.insert((
            estate.built.cast.get(&edge.truster).roles[0].as_str(),
            estate.built.cast.get(&edge.host).roles[0].as_str(),
            edge.identity,
            named,
        ));
    }
    for (truster, subject, identity) in [
        ("oamp", "cvp", "wsm"),
        ("oamp", "cvp", "callserver"),
        ("oamp", "cvp", "vxml"),
        ("oamp", "cvp-reporting", "wsm"),
        ("cvp", "oamp", "oamp"),
        ("cvp", "oamp", "wsm"),
        ("cvp-reporting", "oamp", "oamp"),
        ("cvp", "cvp", "wsm"),
    ] {
        let shook = met.iter().any(|(t, s, i, _)| (*t, *s, *i) == (truster, subject, identity));
        verdicts.that(shook, || format!("no {truster} met the {identity} of a {subject}"));
    }
    for named in [true, false] {
        verdicts.that(met.iter().any(|(.., is)| *is == named), || format!("no certificate with FQDN: {named}"));
    }
    verdicts.close("handshakes between OAMP and CVP, both ways");
}

/// The judge must refuse, or it proves nothing: before apply what nobody has imported, and always what no edge asks for.
fn strangers_are_refused(jvm: &mut Jvm, estate: &Reference, when: &str, first: bool) {
    let mut verdicts = Verdicts::default();
    let [one, two] = [0, 1].map(|nth| &estate.built.cast.with(&["cvp"]).nth(nth).unwrap().fqdn);
    let oamp = &estate.built.cast.with(&["oamp"]).next().unwrap().fqdn;
    let mut pairs = vec![(one, two, "wsm_certificate"), (two, one, "wsm_certificate"), (one, two, "vxml_certificate")];
    if first {
        pairs.extend([
            (two, oamp, "wsm_certificate"),
            (oamp, two, "vxml_certificate"),
            (oamp, one, "callserver_certificate"),
        ]);
    }
    for (client, server, alias) in pairs {
        let shook = jvm.handshake(
            estate.built.store(server, "keystore"),
            alias,
            estate.built.store(client, "keystore"),
            NO_NAME,
        );
        verdicts.that(shook.as_ref().is_err_and(|why| why.contains("PKIX path")), || {
            format!("{client} -> {server} {alias}: {shook:?}")
        });
    }
    verdicts.close(&format!("handshakes that must fail {when}"));
}

/// Checks that all other entries are unchanged in the Java API, including dates and keys, that nothing is new unless it is wanted, and that
/// exports of VOS nodes keep what nobody declares.
fn others_are_untouched(jvm: &mut Jvm, estate: &Reference, before: &Dumps, after: &Dumps) {
    let built = &estate.built;
    let mut verdicts = Verdicts::default();
    let mut kinds = BTreeSet::new();
    for ((host, store), old) in before {
        let new = &after[&(host.clone(), *store)];
        for (alias, was) in old {
            if estate.doomed.contains(&(host.clone(), *store, alias.clone())) {
                continue;
            }
            let is = new.get(alias);
            verdicts.that(is == Some(was), || format!("{host}/{store} {alias}: {was:?} became {is:?}"));
            kinds.insert((was.kind.as_str(), was.key.as_ref().map(|(password, _)| *password)));
        }
        let wanted: BTreeSet<&str> = built
            .wanted_trust
            .iter()
            .filter(|edge| edge.truster == *host && edge.store == *store)
            .filter_map(|edge| edge.alias.as_deref())
            .collect();
        for alias in new.keys().filter(|alias| !old.contains_key(*alias)) {
            verdicts.that(wanted.contains(alias.as_str()), || format!("{host}/{store} {alias} appeared from nowhere"));
        }
    }
    for kind in
        [("trusted-certificate", None), ("private-key", Some(0)), ("private-key", Some(1)), ("secret-key", Some(2))]
    {
        verdicts.that(kinds.contains(&kind), || format!("the estate has no untouched {kind:?} to judge"));
    }
    for (host, file) in &estate.strangers {
        let there = file.exists() && !jvm.certificate(file).is_empty();
        verdicts.that(there, || format!("{host} lost {}", file.display()));
    }
    verdicts.close("untouched entries through the Java API");
}

/// Edge E6: a CVP server trusts its own WSM, so the store that trusts and the store that holds the key are one file. A staged rotation of that WSM
/// breaks no handshake, neither of the server with itself nor of OAMP with it, whatever each has read at its last start.
fn a_certificate_trusted_in_its_own_store_rotates(estate: &Reference, jvm: &mut Jvm) {
    const SAVED: &str = "rotation.json";
    let built = &estate.built;
    let cvp = built.cast.with(&["cvp"]).next().unwrap().fqdn.clone();
    let oamp = built.cast.with(&["oamp"]).next().unwrap().fqdn.clone();
    let stores = [built.store(&cvp, "keystore"), built.store(&oamp, "keystore")];
    let first = jvm.dump(stores[0], &[])["wsm_certificate"].certificates.clone();
    let mut started: [Reading; 2] = stores.map(|store| jvm.read(store));
    let mut moments = 0;
    let said = trustmason(built, &["plan", Built::SPEC, "--out", SAVED, "--replace", &format!("{cvp}/wsm")]);
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    let mut arguments = vec!["apply", "--plan", SAVED];
    loop {
        let applied = trustmason(built, &arguments);
        arguments = vec!["apply", Built::SPEC, "--auto-approve"];
        let report = format!("{}\n{}", applied.stdout, applied.stderr);
        assert!([0, 5].contains(&applied.code), "{report}");
        let waited = waited_for(&plan(built));
        // After each restart the service presents and trusts what is on disk now. The other service still has its last reading.
        for turn in 0..=stores.len() {
            if let Some(at) = turn.checked_sub(1) {
                started[at] = jvm.read(stores[at]);
            }
            let fresh = stores.map(|store| jvm.read(store));
            for server in [&started[0], &fresh[0]] {
                for client in started.iter().chain(&fresh) {
                    let shook = jvm.meet(server, "wsm_certificate", client, NO_NAME);
                    assert!(shook.is_ok(), "{server:?} refused by {client:?}: {shook:?}\n{report}");
                    moments += 1;
                }
            }
        }
        if waited.is_empty() {
            assert_eq!(applied.code, 0, "{report}");
            break;
        }
        acknowledge(built, "*");
        assert!(moments < 24 * 6, "no end\n{report}");
    }
    let listing = jvm.dump(stores[0], &[]);
    let presented = &listing["wsm_certificate"].certificates;
    assert!(*presented != first, "the WSM is new");
    let trusts =
        listing.iter().filter(|(_, held)| held.kind == "trusted-certificate" && held.certificates == *presented);
    assert_eq!(trusts.map(|(alias, _)| alias.as_str()).collect::<Vec<_>>(), ["vxml_wsm_certificate"]);
    let left = listing.iter().find(|(alias, held)| held.certificates == first || alias.ends_with("~next"));
    assert!(left.is_none(), "{left:?}");
    let said = trustmason(built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!((said.code, said.last_line()), (0, NOTHING), "{}\n{}", said.stdout, said.stderr);
    eprintln!("{moments} handshakes during the rotation of {cvp}'s WSM");
}

const CCUT_SPEC: &str = r"trustmason: 1
estate: ccut
profile: pcce-15.0
state: ./.trustmason
access: { root: './hosts/{fqdn}' }
certificates_dir: ./certs
hosts:
  adsa.acme.example: { role: ads, vars: { CCE_JAVA_HOME: 'C:\Java' }, certificates: { awdb: { file: certs/ADSadsa.cer } } }
  rgra.acme.example: { role: rogger }
  cuca.acme.example: { role: cucm }
  fina.acme.example: { role: finesse, identities: { tomcat: { issuer: corp-ca } } }
";

/// CCUT imports whatever a port presents, and the chain above it, as `util-HOST-PORT`, `util-rootca-for-HOST` and
/// `util-intermidiateca-for-HOSTn`. Here it ran over an AW and a rogger, beside entries that somebody had imported before.
#[test]
fn judge_reference_estate_that_ccut_touched_converges() {
    needs!(Jdk, Openssl);
    let [adsa, rgra, cuca, fina] = ["adsa", "rgra", "cuca", "fina"].map(|host| format!("{host}.acme.example"));
    let mut built = bare_room(CCUT_SPEC, Cast(Vec::new()), Vec::new());
    let mut jvm = Jvm::start();
    let ca = Authority::beside(&mut jvm, &built);
    let certs = built.root.join("certs");
    let made = [
        ("ADSadsa.cer", &adsa),
        ("dfpadsa.cer", &adsa),
        ("ICMrgra.cer", &rgra),
        ("dfprgra.cer", &rgra),
        ("cuca.acme.example.pem", &cuca),
        ("../old/former.pem", &cuca),
    ];
    let job = |(name, host): (&'static str, &String)| {
        let (path, host) = (certs.join(name), host.clone());
        Box::new(move || craft::self_signed(&host, name, &path, Writing::Pem)) as Box<dyn FnOnce() + Send>
    };
    craft::two_hands(made.into_iter().map(job).collect());
    let request = built.root.join("fina.csr");
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-newkey", "rsa:2048", "-nodes", "-keyout"]).arg(built.root.join("fina.key"));
    craft::run(openssl.args(["-subj", &format!("/O=Acme/CN={fina}"), "-out"]).arg(&request));
    ca.reply(&request, "issuing", "fina.pem", &both(&[&fina]), &["-sha256", "-days", "800"]);
    fs::copy(ca.folder.join("fina.pem"), certs.join(format!("{fina}.pem"))).unwrap();

    let roots = built.root.join("roots.jks");
    jdk_roots(&roots);
    for (host, name, path) in [
        (&adsa, "cacerts", "C/icm/ssl/cacerts"),
        (&adsa, "jre-cacerts", "C/Java/lib/security/cacerts"),
        (&rgra, "cacerts", "C/icm/ssl/cacerts"),
    ] {
        let path = built.root.join("hosts").join(host).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(&roots, &path).unwrap();
        built.stores.push(StoreAt { host: host.clone(), name, path, kind: "JKS", password: "changeit".to_owned() });
    }
    let mirror = built.root.join("hosts").join(&fina).join("tomcat-trust");
    fs::create_dir_all(&mirror).unwrap();
    // An export always has something in it: an empty folder would be no export.
    fs::copy(ca.folder.join("root.pem"), mirror.join("Acme_Root.pem")).unwrap();
    built.mirrors.insert(fina.clone(), mirror);
    let file = |name: &str| if name.contains('/') { built.root.join(name) } else { certs.join(name) };

    // The aliases that the operator and CCUT gave, the file, and the alias that the entry must have in the end. `None` for an entry
    // that must go, because another entry holds the same certificate under the right alias.
    let issuing = format!("corp-ca-{}", &ca.sha256(&mut jvm, "issuing")[..8]);
    let (adsa_iis, adsa_dfp) = (format!("{adsa}_iis"), format!("{adsa}_dfp"));
    let (rgra_iis, rgra_dfp) = (format!("{rgra}_iis"), format!("{rgra}_dfp"));
    let stray = format!("util-{fina}-8445");
    let former = format!("util-{cuca}-8443");
    let entries: [(&str, String, &str, Option<&str>); 11] = [
        (&adsa, adsa_iis.clone(), "ADSadsa.cer", Some(&adsa_iis)),
        (&adsa, format!("Util-{adsa}-443"), "ADSadsa.cer", None),
        (&adsa, format!("Util-{adsa}-7890"), "dfpadsa.cer", Some(&adsa_dfp)),
        (&adsa, format!("Util-{rgra}-443"), "ICMrgra.cer", Some(&rgra_iis)),
        (&adsa, format!("Util-{rgra}-7890"), "dfprgra.cer", Some(&rgra_dfp)),
        (&adsa, format!("Util-RootCA-for-{fina}"), "ca/root.pem", Some("corp-ca-root")),
        (&adsa, format!("Util-IntermidiateCA-for-{fina}0"), "ca/issuing.pem", Some(&issuing)),
        (&adsa, cuca.clone(), "cuca.acme.example.pem", Some(&cuca)),
        // Not the wanted certificate: the leaf below a CA, and a certificate that its host has replaced.
        (&adsa, stray.clone(), "fina.acme.example.pem", Some(&stray)),
        (&adsa, former.clone(), "old/former.pem", Some(&former)),
        (&rgra, format!("Util-{adsa}-443"), "ADSadsa.cer", Some(&adsa_iis)),
    ];
    for (host, alias, name, _) in &entries {
        craft::importcert(built.store(host, "cacerts"), alias, &file(name));
    }
    let before = dumps(&mut jvm, &built);

    let said = trustmason(&built, &["plan", Built::SPEC, "-v"]);
    assert!(
        said.stdout.contains("\nPlan: 0 to import, 0 to replace, 6 to rename, 1 to delete, 0 to regenerate."),
        "{}",
        said.stdout
    );
    assert!(!said.stdout.contains("duplicate"), "{}", said.stdout);
    climb(&built, &mut |path| jvm.certificate(path));
    let after = dumps(&mut jvm, &built);

    let mut verdicts = Verdicts::default();
    for host in [&adsa, &rgra] {
        let at = (host.clone(), "cacerts");
        let theirs = entries.iter().filter(|(at, ..)| at == host);
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for (_, _, name, alias) in theirs {
            if let Some(alias) = alias {
                wanted.insert((*alias).to_owned(), jvm.certificate(&file(name)));
            }
        }
        let touched: BTreeSet<String> = entries.iter().map(|(_, alias, ..)| alias.to_lowercase()).collect();
        let roots: BTreeMap<_, _> = before[&at].iter().filter(|(alias, _)| !touched.contains(*alias)).collect();
        let (kept, found): (BTreeMap<_, _>, BTreeMap<_, _>) =
            after[&at].iter().partition(|(alias, _)| roots.contains_key(*alias));
        verdicts.that(kept == roots, || format!("{host}: the roots of the JDK are no longer as they were"));
        let found: BTreeMap<String, String> =
            found.into_iter().map(|(alias, held)| (alias.clone(), held.certificates.join(","))).collect();
        verdicts.that(found == wanted, || format!("{host} holds {found:#?}, should hold {wanted:#?}"));
    }
    let other = (adsa.clone(), "jre-cacerts");
    verdicts.that(before[&other] == after[&other], || "the store that nothing is wanted in has changed".to_owned());
    verdicts.close("entries of CCUT in the JVM");
    let said = trustmason(&built, &["plan", Built::SPEC, "--detailed-exitcode", "-v"]);
    assert_eq!((said.code, said.last_line()), (0, NOTHING), "{}\n{}", said.stdout, said.stderr);
    assert!(!said.stdout.contains("duplicate"), "{}", said.stdout);
    second_apply_writes_nothing(&built, 0);
}
