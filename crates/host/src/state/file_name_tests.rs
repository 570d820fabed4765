#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::BTreeMap;
use std::path::{Component, Path};

use proptest::prelude::*;
use trustmason_keystore::Format;
use trustmason_plan::run_id::RunId;
use trustmason_spec::name::{IdentityId, StoreId};

use super::*;
use crate::state::State;

#[test]
fn usual_names_stand_as_they_are() {
    for name in ["keystore", "tomcat-trust", "windows_root", "selfhost.pem", "iis", "0"] {
        assert_eq!(of(name), name);
    }
    for (name, file) in [
        ("Host", "+48ost"),
        ("a b", "a+20b"),
        ("a+20b", "a+2b20b"),
        ("../x", "+2e.+2fx"),
        ("..", "+2e+2e"),
        (".", "+2e"),
        ("", "+"),
        ("x.", "+78+2e"),
        ("nul.txt", "+6eul.txt"),
        ("é", "+c3+a9"),
    ] {
        assert_eq!(of(name), file, "{name:?}");
    }
    assert_eq!(of_host(&Fqdn::parse("cvp1.acme.example").unwrap()), "cvp1.acme.example");
    assert_eq!(of_host(&Fqdn::parse("aux.acme.example").unwrap()), "+aux.acme.example");
}

/// Names that are close to each other: parts of one another's escapes, other cases, characters that file systems drop
/// or refuse.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[aAbB. _+/\\\\~:]{0,4}",
        3 => "(host|Host|HOST|host\\+identity|identity|store|con|CON|nul|aux\\.x|com1|a|~)[. +]{0,2}",
        2 => "(\\+[0-9a-f]{2}|a|\\+|identity){0,4}",
        1 => "[éÉe\u{301}ſsßK\u{212a}]{0,3}",
        1 => "[aA]{159,161}",
        1 => any::<String>(),
    ]
}

/// Every path that these things get, as a file system sees it that ignores case.
fn paths(name: &str) -> Vec<(String, String)> {
    let state = State::at("state");
    let host = Fqdn::parse("h.acme.example").unwrap();
    let (store, identity) = (StoreId::new(host.clone(), name), IdentityId::new(host, name));
    let mut paths = vec![
        ("backup".to_owned(), state.backup(&RunId::parse("20261121T230752.089Z-0f3a9c21").unwrap(), &store)),
        ("pack of the store".to_owned(), state.pack(&HandOffTarget::Store(store))),
        ("pack of the identity".to_owned(), state.pack(&HandOffTarget::Identity(identity.clone()))),
    ];
    for format in [Format::Jks, Format::Jceks, Format::Pkcs12, Format::PemPair] {
        paths.push((format!("key as {}", format.as_str()), state.staging(&identity, format)));
    }
    let folded = |path: &Path| path.to_str().unwrap().to_lowercase();
    paths.into_iter().map(|(what, path)| (format!("{what} of {name:?}"), folded(&path))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_two_things_share_a_file(names in prop::collection::btree_set(hostile(), 2..12)) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (what, path) in names.iter().flat_map(|name| paths(name)) {
            if let Some(other) = seen.insert(path.clone(), what.clone()) {
                prop_assert!(false, "{} is for {} and for {}", path, other, what);
            }
        }
    }

    #[test]
    fn every_name_is_one_step_that_any_file_system_takes(name in hostile()) {
        for (_, path) in paths(&name) {
            let path = Path::new(&path);
            prop_assert!(path.starts_with("state"), "{}", path.display());
            for step in path.components() {
                let Component::Normal(step) = step else { return Err(TestCaseError::fail(format!("{step:?}"))) };
                let step = step.to_str().unwrap();
                let usual = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-_".contains(c);
                prop_assert!(step.chars().all(usual), "{}", step);
                prop_assert!(!is_no_windows_name(step) && !step.starts_with('.') && step.len() <= 200, "{}", step);
            }
        }
    }
}
