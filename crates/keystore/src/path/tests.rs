//! Tests of what no other validator can show: the bounds of the search, and the rules that are stricter than openssl
//! and the JDK on purpose.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};

use super::*;

/// 2030-01-01.
const AT: i64 = 1_893_456_000;

struct Ca {
    params: CertificateParams,
    key: KeyPair,
    certificate: Arc<Certificate>,
}

fn params(name: &str, is_ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["host.acme.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2035, 1, 1));
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    params
}

fn parse(der: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::parse(der).unwrap())
}

fn root(name: &str) -> Ca {
    let (params, key) = (params(name, true), KeyPair::generate().unwrap());
    let certificate = parse(params.self_signed(&key).unwrap().der());
    Ca { params, key, certificate }
}

fn below(above: &Ca, name: &str, is_ca: bool) -> Ca {
    let (params, key) = (params(name, is_ca), KeyPair::generate().unwrap());
    let issuer = Issuer::from_params(&above.params, &above.key);
    let certificate = parse(params.signed_by(&key, &issuer).unwrap().der());
    Ca { params, key, certificate }
}

#[test]
fn a_path_names_its_issuers_from_the_leaf_to_the_root() {
    let root = root("root");
    let middle = below(&root, "middle", true);
    let leaf = below(&middle, "host.acme.example", false);
    let path =
        validate(&leaf.certificate, &[Arc::clone(&middle.certificate)], &root.certificate, AT, TlsUse::Both).unwrap();
    assert_eq!(path.issuers(), [middle.certificate, root.certificate]);
}

#[test]
fn a_missing_issuer_and_a_ca_as_end_entity_are_named() {
    let root = root("root");
    let middle = below(&root, "middle", true);
    let leaf = below(&middle, "host.acme.example", false);
    let refused = validate(&leaf.certificate, &[], &root.certificate, AT, TlsUse::Both).unwrap_err();
    assert_eq!(refused.rule, PathRule::Issuer);
    assert_eq!(
        refused.to_string(),
        "CN=host.acme.example names CN=middle as its issuer, but there is no certificate of that name (rule `issuer`)"
    );
    let refused = validate(&middle.certificate, &[], &root.certificate, AT, TlsUse::Both).unwrap_err();
    assert_eq!((refused.rule, refused.certificate.as_str()), (PathRule::EndEntityIsCa, "CN=middle"));
}

#[test]
fn a_path_of_more_than_seven_issuers_is_too_long() {
    let root = root("root");
    let mut chain = vec![below(&root, "1", true)];
    for number in 2..=8 {
        let next = below(chain.last().unwrap(), &number.to_string(), true);
        chain.push(next);
    }
    let all: Vec<_> = chain.iter().map(|ca| Arc::clone(&ca.certificate)).collect();
    let verdict = |depth: usize| {
        let leaf = below(chain.get(depth - 1).unwrap(), "host.acme.example", false);
        validate(&leaf.certificate, &all, &root.certificate, AT, TlsUse::Both).map(|path| path.issuers().len())
    };
    assert_eq!(verdict(6), Ok(7));
    assert_eq!(verdict(7).unwrap_err().rule, PathRule::Length);
}

#[test]
fn a_web_of_cross_signed_issuers_ends_the_search() {
    // Six levels of certificates with one name each, most of them with the wrong key. None leads to the root.
    let lost = root("lost");
    let mut levels: Vec<Vec<Ca>> = vec![vec![lost]];
    let mut all = Vec::new();
    for level in 1..=6 {
        let above = levels.last().unwrap();
        let mut here = Vec::new();
        for _ in 0..4 {
            for ca in above {
                let next = below(ca, &level.to_string(), true);
                all.push(Arc::clone(&next.certificate));
                if here.len() < 4 {
                    here.push(next);
                }
            }
        }
        levels.push(here);
    }
    let leaf = below(levels.last().unwrap().first().unwrap(), "host.acme.example", false);
    let other = root("root");
    assert!(validate(&leaf.certificate, &all, &other.certificate, AT, TlsUse::Both).is_err());
}

#[test]
fn a_root_is_judged_at_its_moment() {
    let root = root("root");
    assert_eq!(judge_root(&root.certificate, AT), Ok(()));
    assert_eq!(judge_root(&root.certificate, root.certificate.not_after()).unwrap_err().rule, PathRule::Ended);
    assert_eq!(judge_root(&root.certificate, 0).unwrap_err().rule, PathRule::NotYetValid);
    let (params, key) = (params("no CA", false), KeyPair::generate().unwrap());
    let no_ca = parse(params.self_signed(&key).unwrap().der());
    assert_eq!(judge_root(&no_ca, AT).unwrap_err().rule, PathRule::BasicConstraints);
}

#[test]
fn a_java_store_drops_what_an_issuer_is_constrained_by() {
    let root = root("root");
    assert_eq!(constraints_lost_as_anchor(&root.certificate), [""; 0]);
    let mut params = params("limited", true);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("acme.example".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let limited = parse(params.self_signed(&root.key).unwrap().der());
    assert_eq!(constraints_lost_as_anchor(&limited), ["name constraints", "path length", "extended key usage"]);
}
