//! Failures in the field: each with the message that a person gets, and with the files that stay untouched.

use crate::support;

use support::{CANARY, CertificateContent, Estate, SPEC, Said, certificate, pem, put};

/// Checks that the plan blocks exactly what it must, with this message.
#[track_caller]
fn blocked(estate: &Estate, finding: &str, message: &str) -> Said {
    let said = estate.run(&["plan", "--detailed-exitcode"]).code(4).out_has(finding).out_has(message);
    let _ = estate.run(&["drift"]);
    said
}

#[test]
fn wrong_password() {
    let estate = Estate::troubled();
    put(
        &estate.file("cvp2/keystore").parent().unwrap().parent().unwrap().join("security.properties"),
        b"Security.keystorePW = nEver-shown-1\n",
    );
    let said = blocked(&estate, "nothing may be written here (wrong-password)", "the password is wrong");
    assert!(!said.out.contains("nEver-shown-1"));
    let before = std::fs::read(estate.file("cvp2/keystore")).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(4);
    assert_eq!(before, std::fs::read(estate.file("cvp2/keystore")).unwrap());
}

#[test]
fn truncated_store() {
    let estate = Estate::new();
    let store = estate.file("adsa/cacerts");
    let bytes = std::fs::read(&store).unwrap();
    put(&store, &bytes[..bytes.len() / 2]);
    let said = blocked(&estate, "nothing may be written here (unreadable)", "is cut off");
    let _ = said.out_has("restore it from a backup");
    let _ = estate.run(&["apply", "--auto-approve"]).code(4);
    assert_eq!(std::fs::read(&store).unwrap(), &bytes[..bytes.len() / 2]);
}

#[test]
fn missing_store() {
    let estate = Estate::new();
    std::fs::remove_file(estate.file("rgrb/cacerts")).unwrap();
    let _ = blocked(&estate, "(store-missing)", "does not exist, and trustmason does not create it");
    let _ = estate.run(&["apply", "--auto-approve"]).code(4);
    assert!(!estate.file("rgrb/cacerts").exists());
}

#[test]
fn unmounted_host() {
    let estate = Estate::new();
    std::fs::remove_dir_all(estate.path("hosts/rgrb.acme.example")).unwrap();
    std::fs::create_dir(estate.path("hosts/rgrb.acme.example")).unwrap();
    let said = blocked(&estate, "rgrb.acme.example cannot be reached", "is empty, so it counts as not mounted");
    assert_eq!(said.out.matches("cannot be reached").count(), 1, "{}", said.out);
}

#[test]
fn missing_certificate_file() {
    let estate = Estate::troubled();
    std::fs::remove_file(estate.path("certs/fina.acme.example.pem")).unwrap();
    let said = blocked(&estate, "(source-missing)", "./certs has no fina.acme.example.pem; export it there");
    let _ = said.out_has("fina.acme.example/tomcat: export the certificate");
}

#[test]
fn certificate_of_another_host() {
    let estate = Estate::new();
    let other = certificate(&CertificateContent::of("rgrc.acme.example", 5));
    put(&estate.path("certs/ICMrgrb.cer"), pem(&other).as_bytes());
    let said = blocked(&estate, "(name-mismatch)", "rgrc.acme.example");
    // The entry that existed before stays.
    assert!(!said.out.contains("- delete rgrb"), "{}", said.out);
    let before = std::fs::read(estate.file("adsa/cacerts")).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(4);
    assert_eq!(before, std::fs::read(estate.file("adsa/cacerts")).unwrap());
}

#[test]
fn two_different_exports() {
    let estate = Estate::new();
    let other = certificate(&CertificateContent::of("adsa.acme.example", 5));
    put(&estate.path("certs/ICMadsa.cer"), pem(&other).as_bytes());
    let _ = blocked(&estate, "(source-ambiguous)", "ICMadsa.cer");
}

/// Root may write anywhere, so there the program runs as `nobody`. For other users, a file mode is enough.
#[cfg(unix)]
#[test]
fn read_only_folder() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65534;
    let estate = Estate::troubled();
    let folder = estate.file("cvp2/keystore").parent().unwrap().to_owned();
    let root = std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m)).unwrap_or(0) == 0;
    let before = std::fs::read(estate.file("cvp2/keystore")).unwrap();
    let program = estate.path("trustmason-copy");
    std::fs::copy(env!("CARGO_BIN_EXE_trustmason"), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(&program);
    command.current_dir(estate.dir.path()).args(["apply", "--auto-approve"]).env_remove("RUST_LOG");
    if root {
        let mut all = vec![estate.dir.path().to_owned()];
        while let Some(path) = all.pop() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
            if path.is_dir() {
                all.extend(std::fs::read_dir(&path).unwrap().map(|i| i.unwrap().path()));
            }
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    let said = support::said(&mut command);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = said.code(4).out_has("failed cvp2.acme.example/keystore").out_has("Permission denied");
    assert!(said.last_line().ends_with("2 stores written, 1 failed."), "{}", said.out);
    assert_eq!(before, std::fs::read(estate.file("cvp2/keystore")).unwrap());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left lying there");
}

#[test]
fn store_changed_between_plan_and_apply() {
    let estate = Estate::troubled();
    let _ = estate.run(&["plan", "--out", "p"]).code(0);
    estate.put("adsa/cacerts", "somebody-was-faster", certificate(&CertificateContent::of("proxy.example", 8)));
    let before = support::files(estate.dir.path());
    let said = estate.run(&["apply", "--plan", "p"]).code(3).err_has("cacerts changed:");
    let _ = said.err_has("for example: trustmason plan estate.yaml --out p");
    assert_eq!(before, support::files(estate.dir.path()));
}

#[test]
fn two_applies_at_once() {
    let estate = Estate::troubled();
    let start = || {
        let mut command = estate.command();
        command
            .args(["apply", "--auto-approve"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let codes: Vec<_> = both.iter().map(|o| o.status.code().unwrap()).collect();
    assert!(codes.contains(&0) && codes.iter().all(|c| [0, 1, 4].contains(c)), "{codes:?}");
    for output in both.iter().filter(|o| o.status.code() == Some(1)) {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains("another run holds"), "{words}");
    }
    let _ = estate.run(&["plan", "--detailed-exitcode"]).code(0);
}

#[test]
fn spec_with_ten_faults() {
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/invalid/ten-faults.yaml");
    let estate = Estate::new();
    let said = estate.run(&["check", spec]).code(1).err_has("error: 10 errors in the spec; nothing was done");
    assert_eq!(said.err.matches(" --> ").count(), 10, "{}", said.err);
}

#[test]
fn unknown_profile() {
    let estate = Estate::new();
    put(&estate.path("x.yaml"), SPEC.replace("pcce-12.5", "pcce-12.7").as_bytes());
    let said = estate.run(&["plan", "x.yaml"]).code(1).err_has("there is no built-in profile `pcce-12.7`");
    let _ = said.err_has("did you mean `pcce-12.");
}

#[test]
fn alias_conflict() {
    let estate = Estate::new();
    estate.put("adsa/cacerts", "fina.acme.example", certificate(&CertificateContent::of("somebody-else.example", 8)));
    let said = blocked(&estate, "(alias-conflict)", "which trustmason does not change");
    let _ = said.out_has("rules:");
    let before = std::fs::read(estate.file("adsa/cacerts")).unwrap();
    let _ = estate.run(&["apply", "--auto-approve"]).code(4);
    assert_eq!(before, std::fs::read(estate.file("adsa/cacerts")).unwrap());
}

#[test]
fn password_source_missing() {
    let estate = Estate::new();
    std::fs::remove_file(estate.file("cvp1/keystore").parent().unwrap().parent().unwrap().join("security.properties"))
        .unwrap();
    let _ = blocked(&estate, "nothing may be written here (wrong-password)", "security.properties");
    put(&estate.path("env.yaml"), format!("{SPEC}secrets: {{ cvp-keystore: {{ env: TM_NO_SUCH_PW }} }}\n").as_bytes());
    let said = estate.run(&["plan", "env.yaml", "--detailed-exitcode"]).code(4);
    let _ = said.out_has("TM_NO_SUCH_PW").out_has("cvp-keystore");
}

#[test]
fn windows_paths_with_blanks_and_unicode() {
    let spec = SPEC.replace(
        "cvp1.acme.example: { role: cvp, side: a }",
        r"cvp1.acme.example: { role: cvp, side: a, vars: { CVP_HOME: 'D:\Cisco Systems\CVP Köln 北京' } }",
    );
    let estate = Estate::with(&spec, |id, content| {
        if id.to_string() == "cvp1.acme.example/wsm" {
            content.cn = "cvp1".to_owned();
            content.sans.clear();
        }
    });
    // The host's folders have another case than the spec.
    let made = estate.path("hosts/cvp1.acme.example/D/Cisco Systems");
    std::fs::rename(&made, estate.path("hosts/cvp1.acme.example/D/CISCO systems")).unwrap();
    let said = estate.run(&["apply", "--auto-approve"]).code(0);
    let _ = said.out_has(
        "Apply complete: 0 imported, 1 replaced, 0 renamed, 0 deleted, 1 regenerated; 2 stores written, 0 failed.",
    );
    assert!(!made.exists(), "no second folder was made");
    assert!(estate.path("hosts/cvp1.acme.example/D/CISCO systems/CVP Köln 北京/conf/security/.keystore").is_file());
}

#[test]
fn host_name_in_another_case() {
    let spec = SPEC.replace("  cvp1.acme.example:", "  CVP1.Acme.Example:");
    let estate = Estate::with(&spec, |id, content| {
        if id.host.host() == "cvp1" {
            content.cn = "CVP1.ACME.EXAMPLE".to_owned();
            content.sans = vec!["CVP1.ACME.EXAMPLE".to_owned()];
        }
    });
    std::fs::rename(estate.path("certs/ADSadsa.cer"), estate.path("certs/adsADSA.CER")).unwrap();
    let said = estate.run(&["plan", "--detailed-exitcode"]).code(0);
    assert_eq!(said.last_line(), "No changes. Every store holds what the spec declares.");
    let _ = estate.run(&["explain", "Cvp1.ACME.example/keystore"]).code(0);
}

#[test]
fn a_store_of_another_format() {
    let estate = Estate::new();
    put(&estate.file("adsa/cacerts"), b"\x30\x82\x01\x00\x02\x01\x03\x30\x81\xf9 this begins like a PKCS#12");
    let said = estate.run(&["plan", "--detailed-exitcode"]).code(4);
    let _ = said.out_has("nothing may be written here (");
}

/// The password occurs in its own file only: in no report, log, plan or state.
#[test]
fn the_canary_is_never_seen() {
    let estate = Estate::troubled();
    let mut said = String::new();
    for args in [
        &["plan", "-vvv", "--out", "p"][..],
        &["drift", "-vv", "--format", "json"],
        &["explain", "cvp1.acme.example"],
        &["check", "-v"],
        &["apply", "--auto-approve", "-vvv"],
        &["plan", "--format", "markdown"],
        &["apply", "--auto-approve", "--log-format", "json", "-vvv"],
    ] {
        let one = estate.run(args);
        said.push_str(&one.out);
        said.push_str(&one.err);
    }
    std::fs::write(estate.file("cvp1/keystore"), b"\xce\xce\xce\xce\0\0\0\x02\0\0\0\x01").unwrap();
    let broken = estate.run(&["plan", "-vvv"]);
    said.push_str(&broken.out);
    said.push_str(&broken.err);
    assert!(said.len() > 5000);
    assert!(!said.contains(CANARY));
    let mut holders = Vec::new();
    for (path, bytes) in support::files(estate.dir.path()) {
        if bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()) {
            holders.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(holders, ["security.properties", "security.properties"]);
}

#[test]
fn a_command_line_never_takes_a_password() {
    let estate = Estate::new();
    let _ = estate.run(&["list", "x", "--password", "secret"]).code(64);
    let _ = estate.run(&["list", "x", "--password-env", "TM_NO_SUCH_PW"]).code(1).err_has("TM_NO_SUCH_PW is not set");
    let _ = estate.run(&["list", "x", "--password-file", "nofile"]).code(1).err_has("the password file cannot be read");
}

/// An empty name is called empty in every message.
#[test]
fn an_empty_name_is_never_an_empty_pair_of_backticks() {
    let estate = Estate::new();
    for args in [
        &["plan", "--replace", ""][..],
        &["plan", "--host", ""],
        &["ack", ""],
        &["ack", "/"],
        &["confirm", ""],
        &["confirm", "/"],
        &["explain", ""],
        &["explain", "//"],
        &["check", ""],
        &["list", ""],
        &["rollback", "estate.yaml", ""],
        &["profile", ""],
        &["schema", ""],
        &["apply", "--plan", ""],
        &["collect", "--host", ""],
    ] {
        // `Estate::run` checks every answer against this rule.
        let said = estate.run(args);
        assert!(said.code == 1 || said.code == 64, "{args:?}: {}\n{}{}", said.code, said.out, said.err);
    }
}

#[test]
fn an_empty_name_in_a_spec_is_said_to_be_empty() {
    let estate = Estate::new();
    for (from, to) in [
        ("estate: acme", "estate: ''"),
        ("profile: pcce-12.5", "profile: ''"),
        ("  adsa.acme.example:", "  '':"),
        ("role: ads,", "role: '',"),
        ("side: b }", "side: '' }"),
        ("retired: [cvp9.acme.example]", "retired: ['']"),
        ("O: Acme", "'': Acme"),
        ("certificates_dir: ./certs", "certificates_dir: ''"),
    ] {
        assert!(SPEC.contains(from));
        put(&estate.path("empty.yaml"), SPEC.replacen(from, to, 1).as_bytes());
        let _ = estate.run(&["check", "empty.yaml"]);
        let _ = estate.run(&["plan", "empty.yaml"]);
    }
}
