//! Windows stores in a spec: the meaning of their paths, the settings that fit them, and the host that is this machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use trustmason_spec::name::StoreId;
use trustmason_spec::survey::{Look, Survey};
use trustmason_spec::topology::{Access, Exported, Mirror, Ownership, Reach, StoreDef, Topology};
use trustmason_spec::windows::{Location, SystemStore};

fn resolve(hosts: &str, stores: &str) -> Result<Topology, String> {
    let text = format!("trustmason: 1\nestate: x\nprofile: [cce-cti, genesys]\nhosts:\n{hosts}\nstores:\n{stores}\n");
    let spec = trustmason_spec::parse(&text, "estate.yaml").map_err(|faults| faults.to_string())?;
    let profiles = trustmason_spec::profile::load(&spec, Path::new(""), |_| Err(String::new())).unwrap();
    let resolved = trustmason_spec::resolve(&spec, &profiles, Path::new("/estate"));
    resolved.map(|resolved| resolved.topology).map_err(|faults| faults.to_string())
}

const HERE: &str = "  pga.acme.example: { role: pg, access: this-machine }";

fn gateway(topology: &Topology) -> &StoreDef {
    &topology.stores[&StoreId::parse("pga.acme.example/windows-root").unwrap()]
}

#[test]
fn a_path_of_the_system_is_a_live_store() {
    let topology = resolve(HERE, "  pg/windows-root: { path: 'windows://LocalMachine/Root', write: direct }").unwrap();
    let store = gateway(&topology);
    let Reach::System { place: system, by_hand: false } = &store.reach else { panic!("{store:?}") };
    assert_eq!(system.stores(), [SystemStore::Root, SystemStore::Ca]);
    assert_eq!(store.ownership, Ownership::Vendor, "Windows brings roots of its own");
    let host = topology.hosts.values().next().unwrap();
    assert!(matches!(host.access, Access::Here(_)));
    let looks = Survey::of(&topology).looks;
    assert!(looks.iter().any(|look| matches!(look, Look::System { .. })), "{looks:?}");
    assert!(looks.iter().any(|look| matches!(look, Look::Host { .. })), "{looks:?}");
}

#[test]
fn a_mirror_stays_a_mirror_with_the_stores_it_is_of() {
    let topology = resolve("  pga.acme.example: { role: pg }", "  pg/windows-root: { place: { leaf: My } }").unwrap();
    let store = gateway(&topology);
    let Reach::Mirror(Mirror::Export { of: Exported::System(system), .. }) = &store.reach else { panic!("{store:?}") };
    assert_eq!((system.placement.root, system.placement.leaf), (SystemStore::Root, SystemStore::My));
}

#[test]
fn a_place_is_said_kind_by_kind_and_a_service_has_its_own() {
    let over = "  pg/windows-root: { path: 'windows://Service/Tomcat9/My', place: { root: Root } }";
    let topology = resolve(HERE, over).unwrap();
    let system = gateway(&topology).system().unwrap();
    assert_eq!(system.location, Location::Service("Tomcat9".to_owned()));
    assert_eq!(system.stores(), [SystemStore::Root, SystemStore::My]);
    assert_eq!(
        system.registry_key(SystemStore::My),
        r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Cryptography\Services\Tomcat9\SystemCertificates\My"
    );
}

#[test]
fn what_does_not_fit_is_refused_with_one_thing_to_try() {
    for (over, why, hint) in [
        ("path: 'windows://CurrentUser/Root'", "store of one user", "LocalMachine/Root"),
        ("path: 'windows://LocalMachine/TrustedPeople'", "Root, CA and My are known", "hand-off"),
        ("path: 'windows://Computer/Root'", "`Computer` is not known", "windows://Service/NAME/Root"),
        ("format: jks, path: 'windows://LocalMachine/Root'", "has the format jks", "format: windows"),
        ("format: pem, write: direct", "is not a Windows store", "leave `write` out"),
        ("format: pem, place: { root: CA }", "`place` is only for Windows stores", "leave `place` out"),
        ("write: direct", "seen only in a mirror", "windows://LocalMachine/Root"),
        ("path: 'windows://LocalMachine/Root', ownership: exclusive", "cannot be exclusive", "distrust"),
        ("place: { root: TrustedPeople }", "TrustedPeople", "Root"),
    ] {
        let faults = resolve(HERE, &format!("  pg/windows-root: {{ {over} }}")).unwrap_err();
        assert!(faults.contains(why) && faults.contains(hint), "{over}: {faults}");
    }
}

#[test]
fn a_windows_store_in_a_file_is_a_mirror_and_never_written() {
    for path in [r"C:\root.sst", "/exports"] {
        let faults = resolve(HERE, &format!("  pg/host: {{ format: windows, path: '{path}' }}")).unwrap_err();
        assert!(faults.contains("its path is a file") && faults.contains("`write: hand-off`"), "{faults}");
        let over = format!("  pg/host: {{ format: windows, path: '{path}', write: hand-off }}");
        let topology = resolve(HERE, &over).unwrap();
        let store = &topology.stores[&StoreId::parse("pga.acme.example/host").unwrap()];
        assert!(matches!(&store.reach, Reach::Mirror(Mirror::Export { of: Exported::System(_), .. })), "{store:?}");
    }
}

#[test]
fn one_machine_is_one_host() {
    let hosts = format!("{HERE}\n  pgb.acme.example: {{ role: pg, access: this-machine }}");
    let faults = resolve(&hosts, "  pg/windows-root: { create: false }").unwrap_err();
    assert!(faults.contains("are both said to be this machine"), "{faults}");
}
