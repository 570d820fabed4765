#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

use super::*;
use crate::volume::tests::{hosts, path};

const CANARY: &str = "kanarienvogel-7";

fn secret(from: SecretSource) -> SecretRef {
    SecretRef { name: "cvp-keystore".into(), profile: None, from }
}

fn get(from: SecretSource) -> Result<String, String> {
    asked(&Secrets::new(), from)
}

/// The secrets of an estate with one host.
fn on(root: &Path) -> Secrets {
    Secrets { hosts: hosts(&[("cvp1.acme.example", root)]), ..Secrets::new() }
}

fn asked(secrets: &Secrets, from: SecretSource) -> Result<String, String> {
    let answer = secrets.get(&secret(from));
    if let Err(error) = &answer {
        assert!(!format!("{error} {error:?} {secrets:?}").contains(CANARY), "{error:?}");
    }
    answer.map(|p| p.expose().to_owned()).map_err(|e| e.to_string())
}

#[cfg(unix)]
fn argv(args: &[&str]) -> SecretSource {
    SecretSource::Command(args.iter().map(|a| (*a).to_owned()).collect())
}

#[cfg(unix)]
#[test]
fn a_program_does_not_see_the_other_secrets() {
    // A variable that is set in every test run stands for one that holds a secret.
    let shown = secret(argv(&["sh", "-c", "echo \"[${CARGO_MANIFEST_DIR-gone}]\""]));
    let open = Secrets::new().get(&shown).unwrap();
    assert_ne!(open.expose(), "[gone]");
    let closed = Secrets::withholding(["CARGO_MANIFEST_DIR".to_owned()]).get(&shown).unwrap();
    assert_eq!(closed.expose(), "[gone]");
}

#[test]
fn a_file_gives_its_first_line_without_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pw");
    for (content, want) in
        [("a b \r\nsecond", "a b "), ("x", "x"), ("x\n", "x"), ("\u{feff}pässwort\r\n", "pässwort"), ("a\rb\n", "a\rb")]
    {
        std::fs::write(&file, content).unwrap();
        assert_eq!(get(SecretSource::File(file.clone())).as_deref(), Ok(want), "{content:?}");
    }
    std::fs::write(&file, "\nlater").unwrap();
    assert!(get(SecretSource::File(file)).unwrap_err().contains("empty"));
    let gone = get(SecretSource::File(dir.path().join("gone"))).unwrap_err();
    assert!(gone.contains("`cvp-keystore`") && gone.contains("does not exist"), "{gone}");
}

#[test]
fn the_environment() {
    let path = get(SecretSource::Env("PATH".into())).unwrap();
    assert_eq!(path, std::env::var("PATH").unwrap());
    let unset = get(SecretSource::Env("TRUSTMASON_SURELY_UNSET".into())).unwrap_err();
    assert_eq!(
        unset,
        "secret `cvp-keystore`: environment variable TRUSTMASON_SURELY_UNSET is not set; export it in the shell that runs this"
    );
}

#[test]
fn a_property_on_the_hosts_disk_whatever_its_case() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("c/Cisco/CVP/conf")).unwrap();
    let file = dir.path().join("c/Cisco/CVP/conf/security.properties");
    std::fs::write(&file, format!("# pw\r\nSecurity.keystorePW = {CANARY}\r\nbad=\\u1\r\n")).unwrap();
    let path = path("cvp1.acme.example", r"C:\Cisco\CVP\Conf\security.properties");
    let ask = |key: &str| asked(&on(dir.path()), SecretSource::Properties { path: path.clone(), key: key.into() });
    assert_eq!(ask("Security.keystorePW").as_deref(), Ok(CANARY));
    assert!(ask("Security.keystorepw").unwrap_err().contains("has no key Security.keystorepw"));
    assert!(ask("bad").unwrap_err().contains("line 3"));
    std::fs::remove_file(file).unwrap();
    assert!(ask("Security.keystorePW").unwrap_err().contains("does not exist"));
    std::fs::remove_dir_all(dir.path().join("c")).unwrap();
    let away = ask("Security.keystorePW").unwrap_err();
    assert!(away.contains("cvp1.acme.example cannot be reached") && away.contains("is empty"), "{away}");
}

#[cfg(unix)]
#[test]
fn a_program_is_run_without_a_shell() {
    assert_eq!(get(argv(&["printf", "%s\\nnext", "$HOME a"])).as_deref(), Ok("$HOME a"));
    let unknown = get(argv(&["/no/such/program"])).unwrap_err();
    assert!(unknown.contains("/no/such/program") && unknown.contains("cannot be started"), "{unknown}");
    assert!(get(argv(&[])).unwrap_err().contains("command is empty"));
    assert!(get(argv(&["true"])).unwrap_err().contains("is empty"));
}

#[cfg(unix)]
#[test]
fn a_failing_program_is_named_and_its_noise_withheld() {
    let error = get(argv(&["sh", "-c", &format!("echo {CANARY} >&2; echo {CANARY}; exit 3")])).unwrap_err();
    assert!(error.contains("`sh` ended with exit status: 3"), "{error}");
    assert!(error.contains("16 bytes of error output are not shown"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_flood_of_output_neither_hangs_nor_fills_memory() {
    let error = get(argv(&["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2"]));
    assert!(error.unwrap_err().contains("longer than any password"));
}

#[cfg(unix)]
#[test]
fn each_source_is_asked_once() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let secrets = Secrets::new();
    let ask = secret(argv(&["sh", "-c", &format!("echo x >> '{}'; echo pw", log.display())]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(secrets.get(&ask).unwrap().expose(), "pw"));
        }
    });
    assert_eq!(std::fs::read_to_string(log).unwrap(), "x\n");
}

#[test]
fn values_given_out_are_withheld_from_what_programs_say() {
    let secrets = Secrets::new();
    let literal = |value: &str| secret(SecretSource::Literal(Password::new(value)));
    assert_eq!(secrets.redact(b"it is hunter-2"), "it is hunter-2", "nobody asked for it yet");
    for value in ["hunter-2", "ter-2xyz", "aa"] {
        secrets.get(&literal(value)).unwrap();
    }
    for (said, shown) in [
        ("it is hunter-2, hunter-2!", "it is [withheld], [withheld]!"),
        ("overlap hunter-2xyz.", "overlap [withheld]."),
        ("baaab", "b[withheld]b"),
        ("hunter-2", "[withheld]"),
        ("er-2 was cut in front", "[withheld] was cut in front"),
        ("cut behind: hunt", "cut behind: [withheld]"),
        ("Hunter-2 hun er-2.", "Hunter-2 hun er-2."),
        ("", ""),
    ] {
        assert_eq!(secrets.redact(said.as_bytes()), shown);
    }
    assert_eq!(secrets.redact(b"\xff hunter-2\xfe"), "\u{fffd} [withheld]\u{fffd}");
}

/// An invisible difference in a value is reported, and never the value itself.
#[test]
fn what_is_odd_about_a_wrong_password_is_told_without_it() {
    let cases = [
        (format!("{CANARY} "), "ends with a space"),
        (format!("{CANARY}\t"), "ends with a space"),
        (format!(" {CANARY}"), "begins with a space"),
        (format!("{CANARY}\r"), "ends with a line break"),
        (format!("\"{CANARY}\""), "quotation marks"),
        (format!("'{CANARY}'"), "quotation marks"),
        (format!("\u{201c}{CANARY}\u{201d}"), "quotation marks"),
        (format!("{CANARY}\u{a0}"), "no-break space"),
        (format!("\u{feff}{CANARY}"), "invisible"),
        (format!("{CANARY}\0"), "not text"),
        (String::new(), "is empty"),
    ];
    let from = SecretSource::File("secrets/pw.txt".into());
    for (value, want) in cases {
        let said = told(&secret(from.clone()), &Password::new(value.clone()));
        assert!(said.contains(want) && said.contains("`cvp-keystore`") && said.contains("pw.txt"), "{value:?}: {said}");
        assert!(!said.contains(CANARY), "{said}");
    }
    let plain = told(&secret(from), &Password::new(CANARY));
    assert_eq!(plain, "the secret `cvp-keystore` from the file secrets/pw.txt");
    let default =
        SecretRef { profile: Some("cce-12.6".into()), ..secret(SecretSource::Literal(Password::new(CANARY))) };
    assert_eq!(default.origin(), "written in the profile cce-12.6");
}

#[test]
fn a_source_in_utf_16_and_a_key_in_other_letters_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("security.properties");
    let path = path("cvp1.acme.example", "/security.properties");
    let ask =
        || asked(&on(dir.path()), SecretSource::Properties { path: path.clone(), key: "Security.keystorePW".into() });
    let text = format!("# by the installer\r\nSecurity.keystorePW = {CANARY}\r\n");
    let wide = |order: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    for mark in ["", "\u{feff}"] {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            std::fs::write(&file, wide(order, &format!("{mark}{text}"))).unwrap();
            let said = ask().unwrap_err();
            assert!(said.contains("UTF-16") && said.contains("security.properties"), "{said}");
            std::fs::write(&file, wide(order, &format!("{mark}{CANARY}\r\n"))).unwrap();
            let said = get(SecretSource::File(file.clone())).unwrap_err();
            assert!(said.contains("UTF-16") && said.contains("security.properties"), "{said}");
        }
    }
    for name in ["security.keystorePW", "SECURITY.KEYSTOREPW", "Security.keystorePW\u{a0}", "Security_keystorePW"] {
        std::fs::write(&file, format!("{CANARY}\n{name}={CANARY}\n")).unwrap();
        let said = ask().unwrap_err();
        let shown = name.escape_debug().to_string();
        assert!(said.contains("has no key Security.keystorePW, but") && said.contains(&shown), "{name}: {said}");
    }
    // A line that is a bare password may look like a key; no part of it is reported.
    std::fs::write(&file, format!("{CANARY}\nSecurity.other=x\n")).unwrap();
    assert!(ask().unwrap_err().ends_with("has no key Security.keystorePW; check the key's spelling"));
}
