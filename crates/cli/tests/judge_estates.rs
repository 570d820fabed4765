//! Estates as document 003 leaves them, converged by the built binary and judged by a JVM: the main test of the product.
#![cfg(unix)]

use crate::judge;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use judge::Verdicts;
use judge::build::{Built, KEY_PASSWORDS, StoreAt, build};
use judge::craft;
use judge::jvm::{Held, Jvm, Listing};
use judge::tool::{climb, plan, second_apply_writes_nothing, trustmason};

#[test]
fn judge_lab_estate_converges() {
    converges("lab.yaml", 12);
}

#[test]
fn judge_pcce_2000_estate_converges() {
    converges("pcce-2000.yaml", 23);
}

/// The contents of stores by host. Every host has one store that trustmason writes.
type Dumps = BTreeMap<String, Listing>;

fn dumps(jvm: &mut Jvm, built: &Built) -> Dumps {
    built.stores.iter().map(|store| (store.host.clone(), jvm.dump(store, KEY_PASSWORDS))).collect()
}

fn converges(spec: &str, hosts: usize) {
    needs!(Jdk, Openssl, Python);
    let started = std::time::Instant::now();
    let built = build(spec);
    assert_eq!(built.cast.0.len(), hosts, "{spec}");
    eprintln!("{spec}: built by keytool and openssl in {:.1} s", started.elapsed().as_secs_f64());
    let mut jvm = Jvm::start();

    let before = dumps(&mut jvm, &built);
    let copies = copies(&built);
    the_judge_can_say_no(&mut jvm, &built);

    let applied = trustmason(&built, &["apply", Built::SPEC, "--auto-approve"]);
    let report = format!("{}\n{}", applied.stdout, applied.stderr);
    assert_eq!(applied.code, 5, "apply did all it can and waits for people\n{report}");
    assert!(applied.last_line().starts_with("Apply complete: "), "{report}");
    assert!(
        !report.contains(&built.stores.iter().find(|s| s.kind == "JCEKS").unwrap().password),
        "no password is shown"
    );

    second_apply_writes_nothing(&built, 5);
    whoever_was_trusted_is_still(&mut jvm, &built, &before);

    let climbed = climb(&built, &mut |path| jvm.certificate(path));
    eprintln!(
        "{} applies after the first, {} restarts, {} certificates carried",
        climbed.rungs, climbed.restarts, climbed.carried
    );
    let by_hand = built.wanted_trust.iter().filter(|wanted| wanted.store == "tomcat-trust").count();
    assert!(climbed.carried >= by_hand, "{} carried to voice browsers, document 003 has {by_hand}", climbed.carried);

    let after = dumps(&mut jvm, &built);
    tool_is_content(&built);
    matrix_holds(&mut jvm, &built, &after);
    keys_open(&mut jvm, &built, &before, &after);
    handshakes_succeed(&mut jvm, &built);
    others_are_untouched(&built, &before, &after);
    imports_equal_keytool(&mut jvm, &built, &copies, &after);
    voice_browsers_trust(&mut jvm, &built, &before, &after);
    second_apply_writes_nothing(&built, 0);
}

/// Copies of every store before the first run, beside the estate.
fn copies(built: &Built) -> BTreeMap<String, PathBuf> {
    let folder = built.root.join("copies");
    fs::create_dir(&folder).unwrap();
    let copy = |store: &StoreAt| {
        let path = folder.join(&store.host);
        fs::copy(&store.path, &path).unwrap();
        (store.host.clone(), path)
    };
    built.stores.iter().map(copy).collect()
}

/// Before apply the first CVP server presents a short name that no client asks for. The judge must refuse it, or it
/// proves nothing.
fn the_judge_can_say_no(jvm: &mut Jvm, built: &Built) {
    let mut verdicts = Verdicts::default();
    let cvp = built.cast.with(&["cvp"]).next().unwrap();
    let server = built.store(&cvp.fqdn, "keystore");
    for ads in built.cast.with(&["ads"]) {
        let shook = jvm.handshake(server, "wsm_certificate", built.store(&ads.fqdn, "cacerts"), &cvp.fqdn);
        verdicts.that(shook.is_err(), || format!("{} accepts {} before apply", ads.fqdn, cvp.fqdn));
    }
    verdicts.close("handshakes that must fail before apply");
}

/// A trusted certificate stays trusted even if its key is unfit: after the first apply the server still presents it,
/// and the stores that trust it have the next certificate as well.
fn whoever_was_trusted_is_still(jvm: &mut Jvm, built: &Built, before: &Dumps) {
    let now = dumps(jvm, built);
    let mut verdicts = Verdicts::default();
    let cvp = built.cast.with(&["cvp"]).next().unwrap();
    let mut short_name = false;
    for key in built.keys.iter().filter(|key| key.unfit) {
        let presented = &before[&key.host][&key.alias].certificates;
        let trusters = |dumps: &Dumps| -> BTreeMap<String, usize> {
            let trusts = |held: &&Held| held.kind == "trusted-certificate" && held.certificates == *presented;
            let counts = dumps.iter().map(|(host, listing)| (host.clone(), listing.values().filter(trusts).count()));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        let (were, are) = (trusters(before), trusters(&now));
        let by_hand = built.mirrors.values().any(|mirror| {
            fs::read_dir(mirror).unwrap().any(|file| [jvm.certificate(&file.unwrap().path())] == presented[..])
        });
        let kept = now[&key.host][&key.alias].certificates == *presented;
        if were.is_empty() && !by_hand {
            verdicts.that(!kept, || format!("{} {} is trusted by nobody and still there", key.host, key.alias));
            continue;
        }
        verdicts.that(kept, || format!("{} {} is gone, though trusted by {were:?}", key.host, key.alias));
        for truster in were.keys() {
            let next = now[truster].contains_key(&format!("{}~next", key.host));
            verdicts.that(are.contains_key(truster) && next, || {
                format!("{truster} should trust {}'s {} of before and the next", key.host, key.alias)
            });
        }
        short_name |= key.identity == "wsm" && key.host == cvp.fqdn && !were.is_empty();
    }
    verdicts.that(short_name, || format!("nobody trusted {} by its short name", cvp.fqdn));
    verdicts.close("unfit keys after the first apply");
}

/// Checks what trustmason itself reports afterwards, for every store and every edge.
fn tool_is_content(built: &Built) {
    let plan = plan(built);
    let mut verdicts = Verdicts::default();
    let mut direct = 0;
    for edge in plan["edges"].as_array().unwrap() {
        if edge["store"].as_str().unwrap().ends_with("/tomcat-trust") {
            continue;
        }
        direct += 1;
        verdicts.that(edge["verdict"] == "in-sync", || edge.to_string());
    }
    let wanted = built.wanted_trust.iter().filter(|wanted| wanted.store != "tomcat-trust").count();
    verdicts.that(direct == wanted, || format!("{direct} edges on direct stores, document 003 has {wanted}"));
    verdicts.that(plan["changes"].as_array().unwrap().is_empty(), || format!("still to change: {}", plan["changes"]));
    verdicts.close("the tool's own plan after apply");
}

/// Checks document 003's matrix with the JVM: the right certificate under the right alias, and no outdated certificate
/// left.
fn matrix_holds(jvm: &mut Jvm, built: &Built, after: &Dumps) {
    let mut verdicts = Verdicts::default();
    for wanted in built.wanted_trust.iter().filter(|wanted| wanted.store != "tomcat-trust") {
        let right = match built.files.get(&(wanted.host.clone(), wanted.identity)) {
            Some(file) => jvm.certificate(file),
            None => after[&wanted.host][&format!("{}_certificate", wanted.identity)].certificates[0].clone(),
        };
        let alias = wanted.alias.as_ref().unwrap();
        let held = after[&wanted.truster].get(alias);
        let holds = held.is_some_and(|held| held.kind == "trusted-certificate" && held.certificates == [right.clone()]);
        verdicts.that(holds, || {
            format!("{}: {} under {alias} should be {right}, is {held:?}", wanted.rule, wanted.truster)
        });
    }
    for ((host, identity), file) in &built.stale {
        let stale = jvm.certificate(file);
        for (truster, listing) in after {
            let left = listing.iter().find(|(_, held)| held.certificates.contains(&stale));
            verdicts.that(left.is_none(), || format!("{truster} still holds {host}'s old {identity}: {left:?}"));
        }
    }
    verdicts.close("document 003's matrix in the JVM");
}

/// Checks that every key of a CVP machine opens with its store's password and fits its certificate. Exactly the unfit
/// keys are new.
fn keys_open(jvm: &mut Jvm, built: &Built, before: &Dumps, after: &Dumps) {
    let mut verdicts = Verdicts::default();
    for key in &built.keys {
        let opened = jvm.opens(built.store(&key.host, "keystore"), &key.alias);
        verdicts.that(opened.is_ok(), || format!("{} {}: {opened:?}", key.host, key.alias));
        let (old, new) = (&before[&key.host][&key.alias], &after[&key.host][&key.alias]);
        let renewed = old.certificates != new.certificates && old.key != new.key;
        let kept = old == new;
        verdicts.that(if key.unfit { renewed } else { kept }, || {
            format!("{} {}: {old:?} became {new:?}", key.host, key.alias)
        });
    }
    verdicts.close("keys");
}

/// Checks that a client on each ADS accepts each CVP machine's WSM by its FQDN, and by no other name.
fn handshakes_succeed(jvm: &mut Jvm, built: &Built) {
    let mut verdicts = Verdicts::default();
    for ads in built.cast.with(&["ads"]) {
        let client = built.store(&ads.fqdn, "cacerts");
        for cvp in built.cast.with(&["cvp", "cvp-reporting"]) {
            let server = built.store(&cvp.fqdn, "keystore");
            let shook = jvm.handshake(server, "wsm_certificate", client, &cvp.fqdn);
            verdicts.that(shook.is_ok(), || format!("{} -> {}: {shook:?}", ads.fqdn, cvp.fqdn));
            let other = jvm.handshake(server, "wsm_certificate", client, "elsewhere.example");
            verdicts.that(other.is_err(), || format!("{} takes {} for elsewhere.example", ads.fqdn, cvp.fqdn));
        }
    }
    verdicts.close("handshakes with host name checking");
}

/// Checks that all other entries are unchanged in the Java API, including dates, key bytes and secret keys. No entry is new
/// unless it is wanted.
fn others_are_untouched(built: &Built, before: &Dumps, after: &Dumps) {
    let mut verdicts = Verdicts::default();
    let mut kinds = BTreeSet::new();
    for (host, old) in before {
        for (alias, was) in old.iter().filter(|(alias, _)| !built.doomed.contains(&(host.clone(), (*alias).clone()))) {
            let is = after[host].get(alias);
            verdicts.that(is == Some(was), || format!("{host} {alias}: {was:?} became {is:?}"));
            kinds.insert((was.kind.as_str(), was.key.as_ref().map(|(password, _)| *password)));
        }
        let wanted: BTreeSet<&str> = built
            .wanted_trust
            .iter()
            .filter(|wanted| wanted.truster == *host)
            .filter_map(|wanted| wanted.alias.as_deref())
            .chain(built.keys.iter().filter(|key| key.host == *host).map(|key| key.alias.as_str()))
            .collect();
        for alias in after[host].keys().filter(|alias| !old.contains_key(*alias)) {
            verdicts.that(wanted.contains(alias.as_str()), || format!("{host} {alias} appeared from nowhere"));
        }
    }
    for kind in
        [("trusted-certificate", None), ("private-key", Some(1)), ("secret-key", Some(0)), ("secret-key", Some(2))]
    {
        verdicts.that(kinds.contains(&kind), || format!("the estate has no untouched {kind:?} to judge"));
    }
    let upper = after.values().any(|listing| listing.contains_key("ACME-PROXY"));
    verdicts.that(upper, || "the upper-case alias is gone".to_owned());
    verdicts.close("untouched entries through the Java API");
}

/// Checks that a plan with n imports gives the same store as n runs of keytool, except for dates.
fn imports_equal_keytool(jvm: &mut Jvm, built: &Built, copies: &BTreeMap<String, PathBuf>, after: &Dumps) {
    let mut verdicts = Verdicts::default();
    let dateless = |listing: &Listing| -> Listing {
        listing.iter().map(|(alias, held)| (alias.clone(), Held { created: None, ..held.clone() })).collect()
    };
    let mut jobs: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
    let mut compared = Vec::new();
    for host in &built.bare {
        let store = StoreAt { path: copies[host].clone(), ..built.store(host, "cacerts").clone() };
        let mut imports = Vec::new();
        for wanted in built.wanted_trust.iter().filter(|wanted| wanted.truster == *host) {
            let file = built.files.get(&(wanted.host.clone(), wanted.identity)).cloned().unwrap_or_else(|| {
                let file = built.root.join("copies").join(format!("{}_{}.crt", wanted.host, wanted.identity));
                if !file.exists() {
                    craft::exportcert(
                        built.store(&wanted.host, "keystore"),
                        &format!("{}_certificate", wanted.identity),
                        &file,
                    );
                }
                file
            });
            imports.push((wanted.alias.clone().unwrap(), file));
        }
        compared.push((store.clone(), imports.len()));
        jobs.push(Box::new(move || {
            for (alias, file) in imports {
                craft::importcert(&store, &alias, &file);
            }
        }));
    }
    craft::two_hands(jobs);
    for (store, imports) in compared {
        let (theirs, ours) = (dateless(&jvm.dump(&store, &[])), dateless(&after[&store.host]));
        verdicts.that(theirs == ours, || format!("{}: {imports} imports differ from keytool's", store.host));
    }
    verdicts.close("stores with n imports against n runs of keytool");
}

/// Checks that the people at the voice browsers did what the packs say, and that the plan has nothing left.
fn voice_browsers_trust(jvm: &mut Jvm, built: &Built, before: &Dumps, after: &Dumps) {
    let said = trustmason(built, &["plan", Built::SPEC, "--detailed-exitcode"]);
    assert_eq!(
        said.last_line(),
        "No changes. Every store holds what the spec declares.",
        "{}\n{}",
        said.stdout,
        said.stderr
    );
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut verdicts = Verdicts::default();
    for (host, mirror) in &built.mirrors {
        let held: BTreeSet<String> =
            fs::read_dir(mirror).unwrap().map(|entry| jvm.certificate(&entry.unwrap().path())).collect();
        for wanted in built.wanted_trust.iter().filter(|wanted| wanted.truster == *host) {
            let right = &after[&wanted.host][&format!("{}_certificate", wanted.identity)].certificates[0];
            verdicts.that(held.contains(right), || {
                format!("{}: {host} lacks {} of {}", wanted.rule, wanted.identity, wanted.host)
            });
        }
        for key in built.keys.iter().filter(|key| key.unfit) {
            let gone = &before[&key.host][&key.alias].certificates[0];
            verdicts.that(!held.contains(gone), || format!("{host} still trusts {} of before", key.alias));
        }
    }
    verdicts.close("document 003's matrix on the voice browsers");
}
