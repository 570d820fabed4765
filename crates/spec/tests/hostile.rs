//! Broken and random texts: none of them causes a panic or excessive memory use, and no output shows a secret.

use std::path::Path;

use proptest::prelude::*;
use trustmason_spec::profile::LoadedProfile;
use trustmason_spec::{ProfileRef, parse, profile, resolve};

use crate::extent::every;

/// Everything that a reader could see of a text: faults, warnings and debug output.
fn seen(text: &str) -> String {
    let spec = match parse(text, "estate.yaml") {
        Ok(spec) => spec,
        Err(faults) => return format!("{faults}{faults:?}"),
    };
    let mut out = format!("{spec:?}");
    match profile::load(&spec, Path::new("/estate"), |_| Ok(SMALL.to_owned())) {
        Err(faults) => out.push_str(&format!("{faults}{faults:?}")),
        Ok(profiles) => match resolve(&spec, &profiles, Path::new("/estate")) {
            Err(faults) => out.push_str(&format!("{faults}{faults:?}")),
            Ok(resolved) => out.push_str(&format!("{}{resolved:?}", resolved.warnings)),
        },
    }
    out
}

/// A small profile, so that it is read quickly.
const SMALL: &str = r"
trustmason-profile: 1
name: small
secrets: { cvp-keystore: { env: CVP_PW } }
roles:
  ads: { stores: { cacerts: { path: 'C:\cacerts', format: jks, password: cacerts } } }
  cvp: { stores: { keystore: { path: 'C:\keystore', format: jceks, password: cvp-keystore } } }
";

const SECRETIVE: &str = "\
trustmason: 1
estate: acme
profile: pcce-12.5
secrets:
  cacerts: { literal: qzxjhunterqzxj }
  cvp-keystore:
    literal: 'qzxjhunterqzxj'
identity: { validity: 1825d }
hosts:
  adsa.acme.example: { role: ads, side: a }
  cvp1.acme.example: { role: cvp, side: a }
stores:
  ads/cacerts: { password: { literal: \"qzxjhunterqzxj\" } }
  cvp1.acme.example/keystore:
    password:
      literal: qzxjhunterqzxj
retired: [cvp9.acme.example]
";

fn silent(text: &str) {
    let out = seen(text);
    assert!(!out.contains("qzxj"), "a secret comes out of:\n{text}\n---\n{out}");
}

#[test]
fn the_text_as_it_is_keeps_its_secrets() {
    let spec = parse(SECRETIVE, "estate.yaml").unwrap_or_else(|faults| panic!("{faults}"));
    let profiles = profile::load(&spec, Path::new("/"), |_| Err(String::new())).unwrap();
    let resolved = resolve(&spec, &profiles, Path::new("/")).unwrap();
    assert_eq!(resolved.warnings.len(), 4, "{}", resolved.warnings);
    silent(SECRETIVE);
}

/// Every single typing slip: one character lost, or a character with a meaning in YAML inserted or put over another.
#[test]
fn no_slip_of_the_keyboard_lets_a_secret_out() {
    let text = SECRETIVE.replace("pcce-12.5", "./small.yaml");
    silent(&text);
    let chars: Vec<char> = text.chars().collect();
    let with = |at: usize, skip: usize, put: &str| -> String {
        let tail: String = chars[at + skip..].iter().collect();
        chars[..at].iter().collect::<String>() + put + &tail
    };
    for at in (0..chars.len()).step_by(every(5)) {
        silent(&with(at, 1, ""));
        silent(&chars[..at].iter().collect::<String>());
        for put in ["{", "}", "[", ":", ": ", "\"", "'", "\t", " #", "&", "*", ",", "\\"] {
            silent(&with(at, 0, put));
        }
        for put in ["}", ":", "\"", "-", "|", "!"] {
            silent(&with(at, 1, put));
        }
    }
}

/// A line break at any place of a value in the lines that hold a secret.
#[test]
fn a_broken_line_keeps_its_secret() {
    let mut offset = 0;
    for line in SECRETIVE.split_inclusive('\n') {
        // Only the value is broken, not its key: half a key cannot be recognised.
        if let Some(value) = line.find("qzxj") {
            for at in (value..line.len()).step_by(every(5)) {
                for put in ["\n", "\n  ", "\n\n"] {
                    let text = format!("{}{put}{}", &SECRETIVE[..offset + at], &SECRETIVE[offset + at..]);
                    silent(&text);
                }
            }
        }
        offset += line.len();
    }
}

#[test]
fn a_password_written_where_its_name_belongs_is_not_repeated() {
    silent(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads } }\nstores:\n  ads/cacerts: { password: qzxjhunterqzxj }\n",
    );
    silent(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads } }\nsecrets:\n  cacerts: qzxjhunterqzxj\n",
    );
    silent(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads } }\nsecrets:\n  cacerts: { qzxjhunterqzxj }\n",
    );
    silent(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads, passwrd: qzxjhunterqzxj } }\n",
    );
    silent(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads } }\nsecrets:\n  cacerts: { literal: NO, qzxjhunterqzxj: NO }\n",
    );
}

#[test]
fn a_password_among_the_arguments_of_a_restart_is_not_repeated() {
    let head = "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: { a.b.c: { role: ads } }\n\
                secrets:\n  cacerts: { literal: qzxjhunterqzxj }\n";
    for services in [
        "ads/tomcat: { restart: [x, qzxjhunterqzxj] }",
        "ads/tomcat: { restart: [x, '-pqzxjhunterqzxj', '{fqnd}'], timout: 5m }",
        "ads/tomcat: { restart: [x, '{qzxjhunterqzxj}'] }",
        "ads/tomcat: { restart: [x, qzxjhunterqzxj }",
        "ads/tomcat: { restart: x qzxjhunterqzxj }",
    ] {
        let text = format!("{head}services:\n  {services}\n");
        silent(&text);
        assert!(seen(&text).contains("error: "), "{services} is accepted");
    }
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused_at_once() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let inside = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{inside}]\n"));
    }
    let deep = format!("a: {}{}", "[".repeat(20_000), "]".repeat(20_000));
    let indented: String = (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for text in [bomb, deep, indented] {
        let faults = parse(&text, "estate.yaml").unwrap_err();
        assert!(faults.to_string().contains("than any estate needs"), "{faults}");
        assert_eq!(faults.len(), 1);
    }
}

#[test]
fn a_long_line_is_shown_in_part() {
    let text = format!(
        "trustmason: 1\nestate: acme\nprofile: pcce-12.5\nhosts: {{}}\nretired: [{}, nodot]\n",
        vec!["a.b.c"; 2_000].join(", ")
    );
    let faults = parse(&text, "estate.yaml").unwrap_err().to_string();
    assert!(faults.contains("nodot") && faults.lines().all(|line| line.chars().count() < 200), "{faults}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        seen(&text);
    }

    #[test]
    fn yaml_like_text_never_panics(text in "([a-z]{1,8}: |- |\\{|\\}|\\[|\\]|'|\"|&a |\\*a|<<: |\\| |> |# |\n|  |[a-z0-9./\\\\]{1,6}|, ){0,60}") {
        seen(&text);
        let _outcome = LoadedProfile::parse(ProfileRef::Path("x".to_owned()), &text, "x.yaml");
    }

    /// An estate spec with lines swapped, dropped or doubled.
    #[test]
    fn shuffled_estates_never_panic_and_keep_their_secrets(order in proptest::collection::vec(0usize..17, 0..30)) {
        let lines: Vec<&str> = SECRETIVE.lines().collect();
        let text: String = order.iter().map(|n| format!("{}\n", lines[*n])).collect();
        silent(&text);
    }
}
