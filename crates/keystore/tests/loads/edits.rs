//! Tests that a certificate which no JVM loads is not written into any format, and that a store which contains one is
//! judged by the same rules.

use trustmason_keystore::{EditError, Edits, Format, JvmJudgement, NewEntry, Password, Protection, Remark, Store};

use super::shapes::with_extension;
use super::support::{Dice, open, parsed};
use super::tree::tlv;

/// A certificate with name constraints that permit one URI.
fn constrained(uri: &[u8]) -> Vec<u8> {
    let tree = tlv(0x30, &tlv(0x86, uri));
    with_extension("2.5.29.30", Some(0xff), &tlv(0x30, &tlv(0xa0, &tree)))
}

fn stores() -> Vec<Store> {
    let formats = [Format::Jks, Format::Jceks, Format::Pem, Format::PemDirectory];
    let mut stores: Vec<Store> = formats.into_iter().map(Store::create).collect();
    stores.push(Store::create_pkcs12(Protection::modern()));
    stores
}

fn import(store: &Store, der: &[u8]) -> Result<(), EditError> {
    let new = NewEntry::Trusted { alias: Some("new".into()), certificate: parsed(der), created_ms: 0 };
    let edits = Edits { add: vec![new], ..Edits::default() };
    store.edit(&edits, &Password::new("changeit"), &mut Dice(1)).map(|_| ())
}

#[test]
fn what_a_jvm_refuses_is_not_written_and_the_words_name_place_and_type() {
    let refused = constrained(b"https://example.com");
    for store in stores() {
        let error = import(&store, &refused).unwrap_err();
        assert!(matches!(error, EditError::JvmWouldRefuse { .. }), "{error}");
        let words = error.to_string();
        assert!(words.contains("its extension 2.5.29.30") && words.contains("URI"), "{words}");
        assert_eq!(import(&store, &constrained(b".example.com")), Ok(()));
    }
}

#[test]
fn what_cannot_be_told_is_not_written_either() {
    let unsure = constrained(b"example.com%41");
    for store in stores() {
        let error = import(&store, &unsure).unwrap_err();
        let EditError::JvmCannotTell { cause, .. } = &error else { panic!("{error}") };
        assert_eq!(cause.oid(), Some("2.5.29.30"));
        assert!(error.to_string().contains("its extension 2.5.29.30"), "{error}");
    }
}

/// A JKS without a digest that holds these certificates.
fn jks(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, certificates.len() as u8];
    for (number, der) in certificates.iter().enumerate() {
        bytes.extend([0, 0, 0, 2, 0, 1, b'a' + number as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
        bytes.extend(b"X.509");
        bytes.extend((der.len() as u32).to_be_bytes());
        bytes.extend(der);
    }
    bytes.extend([0; 20]);
    bytes
}

#[test]
fn a_store_that_holds_one_is_judged_by_the_same_rules() {
    let store = open(&jks(&[constrained(b"example.com"), constrained(b"a b"), constrained(b"a%41")]), None).unwrap();
    let said = |alias: &str| {
        let id = store.find(&alias.into())[0];
        store.remarks().iter().find(|remark| remark.entry() == Some(id))
    };
    assert_eq!(said("a"), None);
    assert!(
        matches!(said("b"), Some(Remark::JvmUnloadable { why, .. }) if why.contains("2.5.29.30")),
        "{:?}",
        said("b")
    );
    let unsure = said("c").unwrap();
    assert!(matches!(unsure, Remark::JvmCannotTell { .. }) && !unsure.is_jvm_unloadable());
    assert!(unsure.to_string().contains("cannot tell"), "{unsure}");
}

#[test]
fn a_release_that_refuses_alone_is_named() {
    // An X.400 address, which Java 17 accepts.
    let names = tlv(0x30, &tlv(0xa3, &[0x30, 0]));
    let judgement = JvmJudgement::of(&with_extension("2.5.29.17", Some(0xff), &names));
    let refusal = judgement.refusal().unwrap();
    assert_eq!(refusal.to_string(), "its extension 2.5.29.17: an X.400 address (Java 8 refuses it)");
}
