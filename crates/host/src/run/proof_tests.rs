#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use trustmason_keystore::{Certificate, Format, NewKey, Password};
use trustmason_plan::change::{ChangeId, DeleteReason, EntryAfter, Issued, Material, Phase};
use trustmason_plan::finding::FindingKind;
use trustmason_spec::name::{IdentityId, StoreId};

use super::*;

fn password() -> Password {
    Password::new("changeit")
}

fn certificate(name: &str) -> (Arc<Certificate>, Vec<u8>) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    (Arc::new(Certificate::parse(&der).unwrap()), key.serialize_der())
}

fn trusted(alias: &str) -> NewEntry {
    NewEntry::Trusted { alias: Some(alias.into()), certificate: certificate("a.example").0, created_ms: 1 }
}

fn key(alias: &str) -> NewEntry {
    let (leaf, key) = certificate("k.example");
    NewEntry::PrivateKey { alias: Some(alias.into()), key: NewKey::Plain(key.into()), chain: vec![leaf], created_ms: 1 }
}

fn edit(store: &Store, edits: &Edits) -> Image {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    store.edit(edits, &password(), &mut random).unwrap()
}

fn open(image: &Image) -> Store {
    let Image::File(bytes) = image else { panic!() };
    Store::open(bytes.clone(), Credential::Password(&password()), &Interner::new()).unwrap()
}

fn store(add: Vec<NewEntry>) -> Store {
    open(&edit(&Store::create(Format::Jks), &Edits { add, ..Edits::default() }))
}

fn judge(before: &Store, edits: &Edits, image: &Image) -> Result<(), ProofError> {
    holds(before, edits, image, Credential::Password(&password()), &Interner::new())
}

fn at(alias: &str) -> KeyAt {
    KeyAt::Alias(alias.into())
}

fn change(replayed: Edit) -> Change {
    Change {
        id: ChangeId(7),
        phase: Phase::Withdraw,
        store: StoreId::parse("a.acme.example/cacerts").unwrap(),
        alias: None,
        edit: replayed,
        finding: FindingKind::Stale,
        reason: String::new(),
        rule: None,
        source: None,
        before: None,
        after: EntryAfter::Gone,
        from: None,
        depends_on: Vec::new(),
    }
}

#[test]
fn nobody_touches_a_private_key_by_the_way() {
    let store = store(vec![key("own"), trusted("root")]);
    let (own, root) = (store.entries()[0].id, store.entries()[1].id);
    let because = DeleteReason::NoLongerWanted;
    let identity = IdentityId::parse("a.acme.example/wsm").unwrap();
    let material = Material::Minted(identity.clone());
    for replayed in [
        Edit::Delete { entry: own, because },
        Edit::Rename { entry: own, to: "other".into() },
        Edit::Replace { entries: vec![root, own], alias: None, material },
        Edit::InstallKey { entry: Some(own), at: at("another"), identity: identity.clone(), issued: Issued::Minted },
        Edit::InstallKey { entry: Some(root), at: at("root"), identity: identity.clone(), issued: Issued::Minted },
        Edit::InstallKey { entry: None, at: at("OWN"), identity: identity.clone(), issued: Issued::Minted },
    ] {
        let change = change(replayed);
        assert!(allowed(&store, &[&change]).is_err(), "{change:?}");
    }
    let fine = [
        change(Edit::Delete { entry: root, because }),
        change(Edit::InstallKey { entry: Some(own), at: at("own"), identity, issued: Issued::Minted }),
    ];
    assert_eq!(allowed(&store, &fine.iter().collect::<Vec<_>>()), Ok(()));
}

#[test]
fn what_was_planned_passes_and_anything_else_does_not() {
    let before = store(vec![key("own"), trusted("stays"), trusted("goes"), trusted("moves")]);
    let ids: Vec<EntryId> = before.entries().iter().map(|e| e.id).collect();
    let disposition = BTreeMap::from([(ids[2], Disposition::Remove), (ids[3], Disposition::Rename("moved".into()))]);
    let edits = Edits { disposition: disposition.clone(), add: vec![trusted("new"), key("new key")] };
    let image = edit(&before, &edits);
    assert_eq!(judge(&before, &edits, &image), Ok(()));

    // One entry too few, one too many, another alias, another certificate, another neighbour.
    let other =
        |disposition: BTreeMap<EntryId, Disposition>, add: Vec<NewEntry>| edit(&before, &Edits { disposition, add });
    let mut kept = disposition.clone();
    kept.remove(&ids[2]);
    let mut renamed = disposition.clone();
    renamed.insert(ids[3], Disposition::Rename("elsewhere".into()));
    let mut swapped = kept.clone();
    swapped.insert(ids[1], Disposition::Remove);
    for (wrong, want) in [
        (other(disposition.clone(), vec![edits.add[1].clone()]), "4 entries, but 5 were planned"),
        (other(kept, edits.add.clone()), "entries"),
        (other(renamed, edits.add.clone()), "entry `moved`"),
        (other(disposition.clone(), vec![trusted("new"), edits.add[1].clone()]), "entry `new`"),
        (other(swapped, edits.add.clone()), "entry `stays` as it was"),
    ] {
        let error = judge(&before, &edits, &wrong).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let Image::File(mut torn) = image else { panic!() };
    torn.pop();
    assert!(matches!(judge(&before, &edits, &Image::File(torn)), Err(ProofError::Unopened(_))));
}

#[test]
fn a_neighbour_that_was_written_anew_is_noticed() {
    let before = store(vec![trusted("a"), trusted("b")]);
    let edits = Edits { add: vec![trusted("c")], ..Edits::default() };
    let certificate = Arc::clone(before.entries()[0].certificates()[0].certificate().unwrap());
    // The same alias and the same certificate, with another date.
    let rewritten = NewEntry::Trusted { alias: Some("a".into()), certificate, created_ms: 2 };
    let disposition = BTreeMap::from([(before.entries()[0].id, Disposition::Remove)]);
    let image = edit(&before, &Edits { disposition, add: vec![rewritten, edits.add[0].clone()] });
    assert!(judge(&before, &edits, &image).unwrap_err().to_string().contains("entry `a` as it was"));
}

#[test]
fn a_folder_after_an_image() {
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let before = [file("a", "1"), file("b", "2"), file("c", "3")];
    let image = [("b".to_owned(), None), ("c".to_owned(), Some(b"4".to_vec())), ("aa".to_owned(), Some(b"5".to_vec()))];
    assert_eq!(resulting(&before, &image), [file("a", "1"), file("aa", "5"), file("c", "4")]);
}
