//! A person who follows STEPS.md exactly: finds each file it names, compares each fingerprint, imports, removes, makes
//! certificates, saves them where it says, stops where it says STOP, and types the commands at its end. For every kind
//! of pack this leads to "No changes.", and no task looks undone.

use crate::markdown::words;
use crate::support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use support::{CertificateContent, Estate, SPEC, certificate, files, pem, put};
use trustmason_keystore::Certificate;

const SETTLED: &str = "No changes. Every store holds what the spec declares.";

/// STEPS.md as a reader sees it.
#[derive(Debug, Default)]
struct Page {
    title: String,
    /// Each heading with its items or steps. The sub-items of an item follow it.
    sections: Vec<(String, Vec<String>)>,
    /// The lines of the code blocks, each with its heading.
    commands: Vec<(String, String)>,
}

fn read(text: &str) -> Page {
    let arena = Arena::new();
    let mut page = Page::default();
    for node in parse_document(&arena, text, &Options::default()).descendants() {
        match &node.data().value {
            NodeValue::Heading(heading) if heading.level == 1 => page.title = words(node),
            NodeValue::Heading(_) => page.sections.push((words(node), Vec::new())),
            NodeValue::Item(_) => {
                // The item's own line, without the items below it.
                let line = node.first_child().map(words).unwrap_or_default();
                page.sections.last_mut().unwrap().1.push(line);
            }
            NodeValue::CodeBlock(block) => {
                let heading = page.sections.last().unwrap().0.clone();
                page.commands.extend(block.literal.lines().map(|line| (heading.clone(), line.to_owned())));
            }
            _ => {}
        }
    }
    page
}

impl Page {
    fn section(&self, name: &str) -> &[String] {
        self.sections.iter().find(|(heading, _)| heading == name).map_or(&[], |(_, lines)| lines)
    }

    /// The certificates of a section: the named file, if any, and the fingerprint to compare.
    fn certificates(&self, name: &str) -> Vec<(Option<String>, String)> {
        let mut out: Vec<(Option<String>, String)> = Vec::new();
        for line in self.section(name) {
            if let Some(print) = line.strip_prefix("SHA-256 ") {
                assert!(print.len() == 64 && print.bytes().all(|b| b.is_ascii_hexdigit()), "all of it: {print}");
                out.last_mut().unwrap().1 = print.to_owned();
            } else if !line.starts_with("subject ") && !line.starts_with("for: ") {
                let file = line.split_once(": ").map(|(file, _)| file.to_owned()).filter(|file| file.ends_with(".pem"));
                out.push((file, String::new()));
            }
        }
        assert!(out.iter().all(|(_, print)| !print.is_empty()), "{out:?}");
        out
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    Stopped,
}

/// Makes the certificate that a step asks for.
type Maker<'a> = &'a dyn Fn(&str) -> Vec<u8>;

struct Operator<'a> {
    estate: &'a Estate,
    make: Maker<'a>,
    /// The packs that were carried out or stopped at.
    did: Vec<(String, End)>,
}

fn print_of(pem: &[u8]) -> String {
    let text = std::str::from_utf8(pem).unwrap();
    let all = trustmason_keystore::Store::open(
        text.as_bytes().to_vec(),
        trustmason_keystore::Credential::Withheld,
        &trustmason_keystore::Interner::new(),
    );
    let all = all.unwrap();
    all.entries()[0].certificates()[0].fingerprint().to_string()
}

impl Operator<'_> {
    /// Types a line in the estate's folder.
    fn types(&self, line: &str) -> (i32, String) {
        let bin = self.estate.path("bin");
        if !bin.exists() {
            std::fs::create_dir(&bin).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_trustmason"), bin.join("trustmason")).unwrap();
        }
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {line}")])
            .current_dir(self.estate.dir.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// The folder in which the person sees and changes the content of a store.
    fn mirror(&self, title: &str) -> PathBuf {
        let target = title.rsplit(' ').next().unwrap();
        let target = target.strip_prefix("store:").unwrap_or(target);
        let (host, store) = target.split_once('/').unwrap();
        self.estate.file(&format!("{}/{store}", host.split('.').next().unwrap()))
    }

    fn carries_out(&mut self, folder: &Path) {
        let text = std::fs::read_to_string(folder.join("STEPS.md")).unwrap();
        let page = read(&text);
        for vague in ["as above", "certificates_dir", "names above"] {
            assert!(!text.contains(vague), "{vague:?}: {text}");
        }
        let brought = ["Add", "Verify, add if absent", "Certificates of the authority"];
        for (file, print) in brought.iter().flat_map(|name| page.certificates(name)) {
            let file = file.unwrap_or_else(|| panic!("no file is named for {print}: {text}"));
            assert_eq!(print_of(&std::fs::read(folder.join(&file)).unwrap()), print, "{file}");
        }
        if page.title.starts_with("Add certificates to ") || page.title.starts_with("Remove certificates from ") {
            let mirror = self.mirror(&page.title);
            std::fs::create_dir_all(&mirror).unwrap();
            let comes: Vec<_> = brought.iter().flat_map(|name| page.certificates(name)).collect();
            assert_eq!(page.title.starts_with("Remove"), comes.is_empty(), "{text}");
            for (file, _) in comes {
                let file = file.unwrap();
                std::fs::copy(folder.join(&file), mirror.join(&file)).unwrap();
            }
            let leaves: BTreeSet<String> = page.certificates("Remove").into_iter().map(|(_, print)| print).collect();
            let says_how = page.section("Steps").iter().any(|step| step.contains("Delete") || step.contains("remove"));
            assert_eq!(says_how, !leaves.is_empty(), "how to remove is said where something is removed: {text}");
            let mut gone = BTreeSet::new();
            for (path, bytes) in files(&mirror) {
                let print = print_of(&bytes);
                if leaves.contains(&print) {
                    std::fs::remove_file(path).unwrap();
                    gone.insert(print);
                }
            }
            assert_eq!(gone, leaves, "{text}");
        }
        assert!(!page.section("Steps").is_empty(), "{text}");
        for step in page.section("Steps") {
            if step.starts_with("STOP") {
                self.did.push((page.title, End::Stopped));
                return;
            }
            if let Some((_, place)) = step.split_once("save the certificate in Base-64 (PEM) as ") {
                let (name, folder) = place.split_once(" in the folder ").unwrap();
                let folder = folder.split([' ', '(']).next().unwrap().trim_end_matches('.');
                let identity = page.title.rsplit(' ').next().unwrap();
                let der = (self.make)(identity);
                put(&self.estate.path(folder).join(name), pem(&der).as_bytes());
            }
        }
        let commands: Vec<&String> =
            page.commands.iter().filter(|(heading, _)| heading == "When it is done").map(|(_, line)| line).collect();
        assert!(!commands.is_empty(), "it does not say how to tell: {text}");
        for line in commands {
            let (code, said) = self.types(line);
            assert_eq!(code, 0, "$ {line}\n{said}\n--- at the end of\n{text}");
        }
        self.did.push((page.title, End::Done));
    }

    /// Applies, carries out the packs, and restarts the pending services, until nothing is left.
    fn brings_to_the_end(&mut self) {
        for _ in 0..8 {
            let (code, said) = self.types("trustmason apply estate.yaml --auto-approve");
            assert!(matches!(code, 0 | 5), "{code}: {said}");
            let packs: Vec<PathBuf> = std::fs::read_dir(self.estate.path(".trustmason/handoff"))
                .into_iter()
                .flatten()
                .flat_map(|host| std::fs::read_dir(host.unwrap().path()).unwrap())
                .map(|pack| pack.unwrap().path())
                .filter(|pack| pack.join("STEPS.md").exists())
                .collect();
            for pack in packs {
                self.carries_out(&pack);
            }
            // Acknowledges the restarts that apply printed.
            let _ = self.types("trustmason ack estate.yaml '*'");
            let (_, said) = self.types("trustmason plan estate.yaml");
            if said.ends_with(&format!("{SETTLED}\n")) {
                let (code, said) = self.types("trustmason apply estate.yaml --auto-approve");
                assert_eq!(code, 0, "{said}");
                let left = self.estate.path(".trustmason/handoff");
                let left = if left.exists() { files(&left) } else { Default::default() };
                assert!(left.is_empty(), "packs that are done look undone: {:?}", left.keys());
                return;
            }
        }
        let (_, said) = self.types("trustmason plan estate.yaml");
        panic!("never done: {:?}\n{said}", self.did);
    }

    fn done(&self) -> Vec<&str> {
        self.did.iter().filter(|(_, end)| *end == End::Done).map(|(title, _)| title.as_str()).collect()
    }
}

fn operator<'a>(estate: &'a Estate, make: Maker<'a>) -> Operator<'a> {
    Operator { estate, make, did: Vec::new() }
}

fn nobody(identity: &str) -> Vec<u8> {
    panic!("nobody asked for {identity}")
}

fn anew(identity: &str) -> Vec<u8> {
    let (host, name) = identity.split_once('/').unwrap();
    certificate(&CertificateContent { years: (2026, 2048), ..CertificateContent::of(host, 5000 + name.len() as u64) })
}

#[test]
fn a_certificate_that_a_voice_browser_lost() {
    let estate = Estate::new();
    let mirror = estate.file("vvb1/tomcat-trust");
    std::fs::remove_file(files(&mirror).keys().next().unwrap()).unwrap();
    let mut person = operator(&estate, &nobody);
    person.brings_to_the_end();
    assert_eq!(person.done(), ["Add certificates to vvb1.acme.example/tomcat-trust"]);
}

#[test]
fn a_rotation_that_a_voice_browser_must_know_and_then_forget() {
    let estate = Estate::of(&SPEC.replace("  rotation: immediate\n", ""));
    let mut person = operator(&estate, &nobody);
    let (code, said) = person.types("trustmason plan estate.yaml --replace cvp1.acme.example/vxml --out change.json");
    assert_eq!(code, 0, "{said}");
    let (code, said) = person.types("trustmason apply --plan change.json");
    assert_eq!(code, 5, "{said}");
    person.brings_to_the_end();
    let store = "vvb1.acme.example/tomcat-trust";
    assert_eq!(person.done(), [format!("Add certificates to {store}"), format!("Remove certificates from {store}")]);
}

#[test]
fn certificates_that_people_make_and_that_have_ended() {
    // IIS, the Diagnostic Portico and Tomcat: each certificate is replaced and exported, and the file is found.
    for identity in ["adsa.acme.example/iis", "rgrb.acme.example/dfp", "fina.acme.example/tomcat"] {
        let estate = Estate::with(SPEC, |id, content| {
            if id.to_string() == identity {
                content.years = (2020, 2021);
            }
        });
        let mut person = operator(&estate, &anew);
        person.brings_to_the_end();
        assert_eq!(person.done(), [format!("Make a new certificate for {identity}")], "{:?}", person.did);
    }
}

#[test]
fn an_export_that_is_missing() {
    let estate = Estate::new();
    let file = files(&estate.path("certs")).into_keys().find(|path| path.ends_with("fina.acme.example.pem")).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let der = pem_der(&bytes);
    let same = |_: &str| der.clone();
    let mut person = operator(&estate, &same);
    // A missing file blocks only the entries that need it.
    let (code, said) = person.types("trustmason apply estate.yaml --auto-approve");
    assert_eq!(code, 4, "{said}");
    let pack = estate.path(".trustmason/handoff/fina.acme.example/tomcat+identity");
    person.carries_out(&pack);
    assert_eq!(person.done(), ["Export the certificate of fina.acme.example/tomcat"]);
    person.brings_to_the_end();
}

fn pem_der(pem: &[u8]) -> Vec<u8> {
    let store = trustmason_keystore::Store::open(
        pem.to_vec(),
        trustmason_keystore::Credential::Withheld,
        &trustmason_keystore::Interner::new(),
    );
    store.unwrap().entries()[0].certificates()[0].der().to_vec()
}

#[test]
fn a_certificate_of_an_authority_is_not_put_in_place_before_all_know_it() {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose, SerialNumber};
    let identity = "fina.acme.example/tomcat";
    let authority = {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Corp Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(SerialNumber::from(1_u64));
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2049, 1, 1);
        params
    };
    let root = authority.self_signed(&support::key(7)).unwrap().der().to_vec();
    let pin = Certificate::parse(&root).unwrap().fingerprint().to_string();
    let spec = SPEC.replace(
        "fina.acme.example: { role: finesse, side: a }",
        "fina.acme.example: { role: finesse, side: a, identities: { tomcat: { issuer: corp } } }",
    ) + &format!(
        "authorities:\n  corp: {{ root: {{ file: root.pem, sha256: '{pin}' }}, requests_dir: ./csr, inbox: ./inbox }}\n"
    );
    let spec = spec.replace("  rotation: immediate\n", "");
    let estate = Estate::beside(&[("root.pem", &pem(&root))], &spec, |_, _| {});
    std::fs::create_dir_all(estate.path("inbox")).unwrap();
    let issue = |identity: &str| {
        let host = identity.split('/').next().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.serial_number = Some(SerialNumber::from(77_u64));
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2028, 1, 1);
        let issuer = Issuer::from_params(&authority, support::key(7));
        params.signed_by(&support::key(6), &issuer).unwrap().der().to_vec()
    };
    let mut person = operator(&estate, &issue);
    person.brings_to_the_end();
    let title = format!("Make a new certificate for {identity}");
    assert_eq!(person.did, [(title.clone(), End::Stopped), (title, End::Done)]);

    // The rule's alias has no entry any more. The rule is still fulfilled, and `explain` says how.
    let (code, said) = person.types("trustmason explain adsa.acme.example/cacerts/fina.acme.example");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("trusts fina.acme.example/tomcat through its issuers"), "{said}");
    assert!(said.contains("pcce-12.5/T8") && said.contains("  issuer    "), "{said}");
}
