//! A PKCS#12 made by an independent implementation: recognised by its content and refused by name, whatever the file is
//! called. This version neither reads nor writes the format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use trustmason_keystore::{Class, Detected, Interner, Password, Store, Unlock, detect};

fn pkcs12(password: &str) -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let root = rcgen::CertificateParams::new(vec!["root.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut store = KeyStore::new();
    store.add_entry("root", KeyStoreEntry::Certificate(Certificate::from_der(root.der()).unwrap()));
    store.writer(password).write().unwrap()
}

#[test]
fn a_pkcs12_is_refused_by_name_and_never_as_a_wrong_password() {
    for password in ["changeit", ""] {
        let bytes = pkcs12(password);
        let back = KeyStore::from_pkcs12(&bytes, password, p12_keystore::Pkcs12ImportPolicy::Strict).unwrap();
        assert_eq!(back.entries_len(), 1, "the oracle reads what it wrote");
        assert!(matches!(detect(&bytes), Detected::Refused { format: Some("pkcs12"), .. }), "{:?}", detect(&bytes));
        for given in ["changeit", "wrong"] {
            let password = Password::new(given);
            let error = Store::open(bytes.clone(), Unlock::Password(&password), &Interner::new()).unwrap_err();
            assert_eq!(error.class, Class::Unsupported);
            assert_eq!(error.format, Some("pkcs12"));
            assert!(error.to_string().contains("PKCS#12"), "{error}");
        }
    }
}
