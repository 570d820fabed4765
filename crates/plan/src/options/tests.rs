#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
//! From the text of an options file to the findings for people.

use std::collections::BTreeMap;

use trustmason_keystore::{Digest, Format, Password};
use trustmason_spec::name::{Fqdn, StoreId};
use trustmason_spec::topology::{HostPath, OptionsAt, OptionsDef, OptionsSyntax, SettingDef, WantedValue};

use super::*;
use crate::finding::{Finding, FindingKind, Severity};
use crate::lint::options::findings;
use crate::observed::{Observed, StoreFacts, StoreLook};

/// A password that no output may ever hold.
pub(super) const CANARY: &str = "hunter2-canary";

pub(super) fn store(name: &str) -> StoreId {
    StoreId::new(Fqdn::parse("u.x.example").unwrap(), name)
}

pub(super) fn setting(name: &str, store_name: &str, wanted: WantedValue, was: &[&str]) -> SettingDef {
    let was = was.iter().map(|one| (*one).to_owned()).collect();
    SettingDef {
        name: name.to_owned(),
        store: store(store_name),
        wanted,
        needed: true,
        misspellings: was,
        without: None,
    }
}

fn options(name: &str, path: &str, syntax: OptionsSyntax, settings: Vec<SettingDef>) -> OptionsDef {
    OptionsDef {
        host: Fqdn::parse("u.x.example").unwrap(),
        name: name.to_owned(),
        about: "its options".to_owned(),
        at: OptionsAt::File(HostPath::parse(&store("x").host, path).unwrap()),
        syntax,
        section: (syntax == OptionsSyntax::Ini).then(|| "security".to_owned()),
        only_if_used: syntax == OptionsSyntax::Batch,
        settings,
        source: "001".to_owned(),
    }
}

/// Web Engagement with a JKS (000 L23-34).
pub(super) fn engagement() -> OptionsDef {
    let path = WantedValue::Path("/opt/gwe/certificateCA.jks".to_owned());
    let settings = vec![
        setting("trusted-ca", "trusted-ca", path, &[]),
        setting("trusted-ca-pwd", "trusted-ca", WantedValue::Password, &["trusted-pwd"]),
        setting("trusted-ca-type", "trusted-ca", WantedValue::Word("JKS".to_owned()), &[]),
    ];
    options("security", "/opt/gwe/options.cfg", OptionsSyntax::Ini, settings)
}

/// The UC Connector with mutual TLS (001 L147-175).
pub(super) fn connector(syntax: OptionsSyntax) -> OptionsDef {
    let path = |text: &str| WantedValue::Path(text.to_owned());
    let settings = vec![
        setting("-cert_store_file", "identity", path(r"C:\gcti\lync ucc.pfx"), &["-cert_store_*"]),
        setting("-cert_store_pass", "identity", WantedValue::Password, &[]),
        setting("-cert_store_type", "identity", WantedValue::Format("pkcs12".to_owned()), &[]),
        setting("-key_store_file", "trust", path(r"C:\gcti\trust.jks"), &[]),
        setting("-key_store_pass", "trust", WantedValue::Password, &[]),
        setting("-key_store_type", "trust", WantedValue::Format("jks".to_owned()), &["-ket_store_type"]),
    ];
    match syntax {
        OptionsSyntax::Batch => options("startup", r"C:\gcti\startup.bat", syntax, settings),
        OptionsSyntax::Ini | OptionsSyntax::Arguments => {
            options("arguments", r"C:\gcti\arguments.txt", syntax, settings)
        }
    }
}

/// Looks at a text; the password `right` opens every store.
pub(super) fn look(def: &OptionsDef, bytes: &[u8]) -> OptionsLook {
    match read(bytes, def) {
        Some(reading) => OptionsLook::Read(facts_of(def, &reading, |_, password: &Password| match password.expose() {
            "right" => (PasswordLook::Named, 0),
            _ => (PasswordLook::DoesNotOpen, 1),
        })),
        None => OptionsLook::Unreadable("no text".to_owned()),
    }
}

pub(super) fn judged(files: &[(&OptionsDef, OptionsLook)]) -> Vec<Finding> {
    let options: BTreeMap<_, _> =
        files.iter().map(|(def, look)| ((def.host.clone(), def.name.clone()), look.clone())).collect();
    let observed = Observed { options, ..Observed::default() };
    findings(&files.iter().map(|(def, _)| *def).collect::<Vec<_>>(), &observed)
}

fn told(def: &OptionsDef, text: &str) -> String {
    let findings = judged(&[(def, look(def, text.as_bytes()))]);
    let lines: Vec<String> = findings.iter().map(|f| format!("{} {}: {}\n", f.severity, f.kind, f.message)).collect();
    let told = lines.concat();
    assert!(!told.contains(CANARY), "{told}");
    told
}

#[track_caller]
fn expect(def: &OptionsDef, text: &str, parts: &[&str]) {
    let told = told(def, text);
    assert_eq!(told.lines().count(), parts.len(), "{told}");
    for part in parts {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

const GOOD: &str = "[log]\nverbose = all\n[security]\n# a note\ntrusted-ca-type = JKS\ntrusted-ca = /opt/gwe/certificateCA.jks\ntrusted-ca-pwd = right\n";

#[test]
fn right_options_give_nothing_to_say() {
    expect(&engagement(), GOOD, &[]);
    expect(&engagement(), &GOOD.replace(" = ", "="), &[]);
    expect(&engagement(), &GOOD.replace('\n', "\r\n"), &[]);
    expect(&engagement(), &GOOD.replace(" = right", " = \"right\""), &[]);
    expect(&engagement(), &format!("{}[tail]\ntrusted-ca-type = PEM\n", GOOD), &[]);
    // Only the lines of the section, as somebody copied them.
    expect(&engagement(), GOOD.split_once("note\n").unwrap().1, &[]);
}

#[test]
fn the_slips_of_the_documents_are_named_with_what_is_right() {
    expect(
        &engagement(),
        &GOOD.replace("= JKS", "= MSCAP").replace("-ca-pwd = right", &format!("-pwd = {CANARY}")),
        &[
            "error option-wrong: /opt/gwe/options.cfg line 5 gives `trusted-ca-type` the wrong value `MSCAP`",
            "error option-wrong: /opt/gwe/options.cfg line 7 has `trusted-pwd`, which the product does not know",
            "does not open u.x.example/trusted-ca; write `trusted-ca-pwd = <the password of u.x.example/trusted-ca>`",
        ],
    );
    expect(&engagement(), &GOOD.replace("CA.jks", "Ca.jks"), &["capital letters count; write `trusted-ca = /opt"]);
    expect(&engagement(), &GOOD.replace("= JKS", "="), &["`trusted-ca-type` an empty value"]);
    expect(
        &engagement(),
        &GOOD.replace("trusted-ca-type = JKS\n", ""),
        &["does not give `trusted-ca-type` in [security]"],
    );
    expect(&engagement(), &GOOD.replace("= JKS", "= jks"), &["warning option-wrong"]);
    expect(&engagement(), &GOOD.replace("= JKS", &format!("= {CANARY}")), &["which is not shown"]);
    expect(&engagement(), &GOOD.replace("trusted-ca =", "trusted-ac ="), &["has `trusted-ac`"]);
    expect(&engagement(), &GOOD.replace("trusted-ca =", "Trusted-CA ="), &["warning option-wrong"]);
    expect(&engagement(), &GOOD.replace("[security]", "[securty]"), &["no section [security], only [securty]"]);
    expect(&engagement(), &GOOD.replace("[security]", "[tls]"), &["no section [security]; write it"]);
    expect(&engagement(), &format!("{GOOD}trusted-pwd = right\n"), &["warning option-wrong"]);
    expect(
        &engagement(),
        &format!("{GOOD}trusted-ca-type = PEM\n"),
        &["differently in lines 5 and 8", "line 8 gives `trusted-ca-type` the wrong value `PEM`"],
    );
}

const ARGUMENTS: &str = "-app ucc -cert_store_file \"C:\\gcti\\lync ucc.pfx\" -cert_store_pass right -cert_store_type pkcs12 \
                         -key_store_file c:/gcti/TRUST.jks -key_store_pass right -key_store_type JKS";

#[test]
fn arguments_are_read_with_quotes_and_judged_as_windows_would() {
    let def = connector(OptionsSyntax::Arguments);
    expect(&def, ARGUMENTS, &[]);
    expect(&def, &ARGUMENTS.replace(" -", "\r\n-"), &[]);
    expect(
        &def,
        &ARGUMENTS.replace("-ket", "-key").replace("-key_store_type", "-ket_store_type"),
        &["has `-ket_store_type`"],
    );
    expect(&def, &ARGUMENTS.replace("-cert_store_file \"", "\"-cert_store_"), &["begins with `-cert_store_`"]);
    expect(
        &def,
        &ARGUMENTS
            .replace("-cert_store_file \"C:\\gcti\\lync ucc.pfx\"", "-cert_store_<path to .pfx file on UCC host>"),
        &[
            "begins with `-cert_store_`, but `-cert_store_file` is meant; write `-cert_store_file \"C:\\gcti\\lync ucc.pfx\"`",
        ],
    );
    expect(&def, &ARGUMENTS.replace('"', ""), &["a path with spaces but without quotes"]);
    expect(&def, &ARGUMENTS.replace("-key_store_file", "\u{2014}key_store_file"), &["a typographic dash"]);
    expect(&def, &ARGUMENTS.replace("-key_store_file", "\u{2013} key_store_file"), &["a typographic dash"]);
    expect(&def, &ARGUMENTS.replace(" JKS", " pkcs12"), &["`pkcs12`, but u.x.example/trust is jks"]);
    expect(
        &def,
        &ARGUMENTS.replace("-key_store_pass right", "-key_store_pass"),
        &["`-key_store_pass` without a value"],
    );
    expect(&def, &ARGUMENTS.replace("-key_store_pass right", ""), &["does not give `-key_store_pass`"]);
    expect(&def, &ARGUMENTS.replace("c:/gcti", "%UCC%"), &["info options-unobserved"]);
    expect(&def, &ARGUMENTS.replace("c:/gcti/", ""), &["cannot be judged from the text"]);
    expect(&def, &ARGUMENTS.replace("c:/gcti/TRUST.jks", "etc/OTHER.jks"), &["which is not shown"]);
    expect(&def, &format!("# was: -key_store_file x\n{ARGUMENTS}"), &[]);
}

#[test]
fn a_password_in_the_wrong_place_is_repeated_nowhere() {
    let def = connector(OptionsSyntax::Arguments);
    for (from, to) in [
        ("-cert_store_pass right", "-cert_store_passhunter2-canary"),
        ("-cert_store_pass right", "-cert_store_pass=hunter2-canary"),
        ("-cert_store_pass right", "-cert_store_password hunter2-canary"),
        ("-cert_store_pass right", "-cert_store_pas hunter2-canary"),
        ("-cert_store_pass right", "-cert_store_hunter2-canary"),
        ("\"C:\\gcti\\lync ucc.pfx\"", "hunter2-canary"),
        (" JKS", " hunter2-canary"),
        ("-cert_store_pass right", "-cert_store_pass -hunter2-canary"),
        ("-cert_store_pass right", "\u{2014}cert_store_pass hunter2-canary"),
        ("-app ucc", "-db_password hunter2-canary"),
    ] {
        let text = ARGUMENTS.replace(from, to);
        assert!(text.contains(CANARY));
        let (told, seen) = (told(&def, &text), format!("{:?}", look(&def, text.as_bytes())));
        assert!(!seen.contains(CANARY) && !seen.contains("hunter2"), "{to}: {seen}");
        assert!(to.contains("-db_") || told.contains("option-wrong"), "{to}: {told}");
    }
    // Two letters after a password's name are no misspelling either.
    assert!(!told(&def, &ARGUMENTS.replace("-cert_store_pass right", "-cert_store_passq9")).contains("q9"));
    // A reading does not show its values.
    let reading = read(ARGUMENTS.replace("right", CANARY).as_bytes(), &def).unwrap();
    assert!(!format!("{reading:?}").contains(CANARY));
}

const BATCH: &str = "@echo off\r\nREM -key_store_type is jks\r\nset UCC_HOME=C:\\gcti\r\nset \"PW=right\"\r\n\
                     \"%JAVA_HOME%\\bin\\java\" -cp ucc.jar com.genesys.Ucc ^\r\n  -cert_store_file \"%UCC_HOME%\\lync ucc.pfx\" ^\r\n  \
                     -cert_store_pass %PW% -cert_store_type pkcs12 ^\r\n  -key_store_file %ucc_home%\\trust.jks -key_store_pass right \
                     -key_store_type jks %* > ucc.log 2>&1\r\npause\r\n";

#[test]
fn a_batch_file_is_read_as_cmd_reads_it() {
    let def = connector(OptionsSyntax::Batch);
    expect(&def, BATCH, &[]);
    expect(
        &def,
        &BATCH.replace("-key_store_type jks", "-ket_store_type jks"),
        &[r"C:\gcti\startup.bat line 8 has `-ket_store_type`"],
    );
    expect(&def, &BATCH.replace("set UCC_HOME", "rem set UCC_HOME"), &["cannot be judged", "cannot be judged"]);
    expect(
        &def,
        &BATCH.replace("set \"PW=right\"", "if exist x set PW=right"),
        &["`-cert_store_pass` a value that cannot"],
    );
    expect(
        &def,
        &BATCH.replace("set \"PW=right\"", "set /p PW=Password:"),
        &["`-cert_store_pass` a value that cannot"],
    );
    expect(&def, &BATCH.replace("%PW%", "%PW:~0,5%"), &["`-cert_store_pass` a value that cannot"]);
    expect(&def, &BATCH.replace("%PW%", CANARY), &["does not open u.x.example/identity"]);
    expect(&def, &BATCH.replace("%PW%", "ri^ght"), &[]);
    expect(&def, &BATCH.replace("-key_store_type jks %*", "%MORE%"), &["takes arguments from a variable"]);
    expect(&def, &BATCH.replace("-key_store_type jks %*", "%*"), &["does not give `-key_store_type`"]);
    expect(&def, &BATCH.replace("-key_store_pass right", "-key_store_pass"), &["without a value"]);
    expect(
        &def,
        "@echo off\r\njava -jar ucc.jar\r\n",
        &["info options-unobserved: C:\\gcti\\startup.bat has none of the settings"],
    );
    // Document 001's own sample (L173-174).
    let sample = "java -jar ucc.jar -cert_store_file c:\\gcti\\lync_ucc_1.pfx -cert_store_pass right\r\n";
    expect(
        &def,
        sample,
        &["lync_ucc_1.pfx", "`-cert_store_type`", "`-key_store_file`", "`-key_store_pass`", "`-key_store_type`"],
    );
}

#[test]
fn two_places_that_disagree_are_told_of_one_another() {
    let (arguments, batch) = (connector(OptionsSyntax::Arguments), connector(OptionsSyntax::Batch));
    let text = BATCH.replace("trust.jks", "other.jks");
    let all = judged(&[(&arguments, look(&arguments, ARGUMENTS.as_bytes())), (&batch, look(&batch, text.as_bytes()))]);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].message.contains(r"the path C:\gcti\other.jks"), "{}", all[0].message);
    assert!(
        all[0].message.ends_with(r"C:\gcti\arguments.txt has the right value, and the two should agree"),
        "{}",
        all[0].message
    );
    // If no store can be tried, two different passwords still differ.
    let untried = |def: &OptionsDef, text: &str, number| {
        let reading = read(text.as_bytes(), def).unwrap();
        OptionsLook::Read(facts_of(def, &reading, |_, _| (PasswordLook::Unknown, number)))
    };
    let all = judged(&[(&arguments, untried(&arguments, ARGUMENTS, 0)), (&batch, untried(&batch, BATCH, 1))]);
    assert!(all.iter().all(|f| f.message.contains("one password in") && f.kind == FindingKind::OptionWrong), "{all:?}");
    assert_eq!(all.len(), 2);
}

#[test]
fn what_cannot_be_seen_is_said_and_counts_for_nothing() {
    let mut def = engagement();
    for (look, part) in [
        (OptionsLook::Absent, "is not there"),
        (OptionsLook::Unreadable("it is no text".to_owned()), "it is no text; cannot tell whether"),
        (look(&def, b"\xfe\xed\xfe\xed\0\0\0\x02"), "no text"),
    ] {
        let all = judged(&[(&def, look)]);
        assert_eq!((all.len(), all[0].kind, all[0].severity), (1, FindingKind::OptionsUnobserved, Severity::Info));
        assert!(all[0].message.contains(part), "{}", all[0].message);
    }
    def.at = OptionsAt::Undeclared(vec!["GWE_OPTIONS".to_owned()]);
    let all = judged(&[(&def, OptionsLook::Undeclared)]);
    assert!(all[0].message.contains("set GWE_OPTIONS in `vars:`"), "{}", all[0].message);
    assert!(judged(&[]).is_empty());
}

#[test]
fn a_setting_that_must_not_be_there_is_named_where_it_is() {
    let mut def = connector(OptionsSyntax::Arguments);
    def.settings.truncate(3);
    def.settings.push(setting("-key_store_file", "cacerts", WantedValue::Unset, &[]));
    expect(&def, ARGUMENTS, &["gives `-key_store_file`; remove it, or give the host another role"]);
    let without = ARGUMENTS.split(" -key_store_file").next().unwrap();
    expect(&def, without, &[]);
    assert_eq!(forbidden(&def).count(), 1);
}

/// Texts that would take for ever without limits.
#[test]
fn no_text_takes_long() {
    let (arguments, batch) = (connector(OptionsSyntax::Arguments), connector(OptionsSyntax::Batch));
    let doubling = format!("set A=xxxxxxxx\n{}", "set A=%A%%A%\n".repeat(40));
    let mega = 512 * 1024;
    for text in [
        "-a ".repeat(mega / 3),
        "-cert_store_pass a ".repeat(mega / 19),
        "\"".repeat(mega),
        "^\n".repeat(mega / 2),
        "^\n\n".repeat(mega / 3),
        "%".repeat(mega),
        format!("set A={}\n{}", "x".repeat(8000), "%A%\n".repeat(mega / 4 - 2008)),
        format!("{doubling}{}", "java %A% -cert_store_file %A%\n".repeat(1000)),
        format!("java -cert_store_file C:\\{}", "x".repeat(mega)),
    ] {
        for def in [&arguments, &batch, &engagement()] {
            let mut tried = 0;
            let reading = read(text.as_bytes(), def).unwrap();
            let facts = facts_of(def, &reading, |_, _| {
                tried += 1;
                (PasswordLook::DoesNotOpen, tried)
            });
            let told = judged(&[(def, OptionsLook::Read(facts))]);
            assert!(tried < 20 && told.iter().all(|one| one.message.len() < 2000), "{tried}");
        }
    }
}

/// The real format of the file counts more than the format in the spec, because the product has to open the file.
#[test]
fn the_format_is_compared_with_the_file_where_it_opens() {
    let def = connector(OptionsSyntax::Arguments);
    let facts = StoreFacts {
        system_entries: BTreeMap::new(),
        path: "trust.jks".to_owned(),
        file: None,
        sha256: Digest::of(b""),
        format: Format::Pkcs12,
        entries: Vec::new(),
        keys: BTreeMap::new(),
        remarks: Vec::new(),
        needs_java_8u301: None,
        modified: None,
        written: None,
    };
    let told = |text: &str| {
        let mut observed = Observed::default();
        observed.options.insert((def.host.clone(), def.name.clone()), look(&def, text.as_bytes()));
        observed.stores.insert(store("trust"), StoreLook::Readable(Box::new(facts.clone())));
        findings(&[&def], &observed).into_iter().map(|one| one.message).collect::<Vec<_>>()
    };
    let wrong = told(ARGUMENTS);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(
        wrong[0]
            .contains("`JKS`, but the file is pkcs12; write -key_store_type pkcs12, or convert the file back to jks")
    );
    assert!(told(&ARGUMENTS.replace(" JKS", " PKCS12")).is_empty());
}
