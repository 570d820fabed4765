//! Which pairs of a certificate file and a key file OpenSSL loads. Each file of a good pair is damaged in every way in
//! which editors, mail programs and copies from YAML damage it, alone and together. OpenSSL
//! (`SSLContext.load_cert_chain` of Python, which calls `SSL_CTX_use_certificate_chain_file` and
//! `SSL_CTX_use_PrivateKey_file`) says what it loads. This crate never accepts a pair that OpenSSL refuses, and refuses
//! a pair that OpenSSL loads only for reasons that this file lists.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, KeyPair};
use trustmason_keystore::{Credential, Interner, KeyMatch, Store};

const JUDGE: &str = r"
import ssl, sys, os
for name in sorted(os.listdir(sys.argv[1])):
    if not name.endswith('.crt'): continue
    stem = os.path.join(sys.argv[1], name[:-4])
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(stem + '.crt', stem + '.key', password='')
        print(name[:-4], 'loads')
    except Exception as error:
        print(name[:-4], 'refuses', str(error).replace('\n', ' '))
";

type Damage = (&'static str, fn(&str) -> Vec<u8>);

fn lines(text: &str, change: impl Fn(usize, &str) -> String) -> Vec<u8> {
    text.lines().enumerate().map(|(at, line)| change(at, line)).collect::<String>().into_bytes()
}

/// The number of lines in a block.
fn count(text: &str) -> usize {
    text.lines().count()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The damage to the text of a block.
const DAMAGES: &[Damage] = &[
    ("nothing", |text| text.as_bytes().to_vec()),
    ("all lines indented", |text| lines(text, |_, line| format!("   {line}\n"))),
    ("all lines indented by a tab", |text| lines(text, |_, line| format!("\t{line}\n"))),
    ("BEGIN indented", |text| format!(" {text}").into_bytes()),
    ("END indented", |text| text.replace("-----END", "  -----END").into_bytes()),
    ("body indented", |text| {
        lines(text, |_, line| if line.starts_with('-') { format!("{line}\n") } else { format!("  {line}\n") })
    }),
    ("blank lines between", |text| {
        lines(text, |at, line| if at == 0 { format!("{line}\n") } else { format!("\n{line}\n") })
    }),
    ("a blank line after BEGIN", |text| text.replacen('\n', "\n\n", 1).into_bytes()),
    ("two blank lines after BEGIN", |text| text.replacen('\n', "\n\n\n", 1).into_bytes()),
    ("a blank line before END", |text| text.replace("-----END", "\n-----END").into_bytes()),
    ("a blank line in the middle", |text| {
        lines(text, |at, line| if at == 2 { format!("{line}\n\n") } else { format!("{line}\n") })
    }),
    ("a line of blanks in the middle", |text| {
        lines(text, |at, line| if at == 2 { format!("{line}\n   \n") } else { format!("{line}\n") })
    }),
    ("glued", |text| text.replace('\n', "").into_bytes()),
    ("body on one line", |text| {
        let last = count(text) - 1;
        lines(text, |at, line| if at == 0 || at + 2 > last { format!("{line}\n") } else { line.to_owned() })
    }),
    ("BEGIN and body on one line", |text| text.replacen('\n', "", 1).into_bytes()),
    ("body and END on one line", |text| text.replace("\n-----END", "-----END").into_bytes()),
    ("CR LF", |text| text.replace('\n', "\r\n").into_bytes()),
    ("CR alone", |text| text.replace('\n', "\r").into_bytes()),
    ("CR CR LF", |text| text.replace('\n', "\r\r\n").into_bytes()),
    ("no last line break", |text| text.trim_end().as_bytes().to_vec()),
    ("a byte order mark", |text| format!("\u{feff}{text}").into_bytes()),
    ("two byte order marks", |text| format!("\u{feff}\u{feff}{text}").into_bytes()),
    ("blanks at the ends of lines", |text| text.replace('\n', "  \n").into_bytes()),
    ("no-break blanks at the ends of lines", |text| text.replace('\n', "\u{a0}\n").into_bytes()),
    ("zero bytes at the ends of lines", |text| text.replace('\n', "\0\n").into_bytes()),
    ("text before", |text| format!("Subject: CN=x\n\nsome words\n{text}").into_bytes()),
    ("text before on the same line", |text| format!("cert: {text}").into_bytes()),
    ("text after", |text| format!("{text}\nsome words: more\n").into_bytes()),
    ("text after END on its line", |text| format!("{} # end\n", text.trim_end()).into_bytes()),
    ("a header", |text| text.replacen('\n', "\nComment: x\n\n", 1).into_bytes()),
    ("a header without a blank line", |text| text.replacen('\n', "\nComment: x\n", 1).into_bytes()),
    ("four dashes at BEGIN", |text| text.replacen("-----", "----", 1).into_bytes()),
    ("six dashes at BEGIN", |text| text.replacen("-----", "------", 1).into_bytes()),
    ("four dashes at the end", |text| {
        format!("{}\n", text.trim_end().trim_end_matches('-').to_owned() + "----").into_bytes()
    }),
    ("lower case", |text| text.replace("BEGIN", "begin").into_bytes()),
    ("cut", |text| text.as_bytes()[..text.len() / 2].to_vec()),
    ("cut before END", |text| text.split("-----END").next().unwrap().as_bytes().to_vec()),
    ("nothing left", |_| Vec::new()),
    ("UTF-16", utf16),
    ("another END", |text| text.replace("-----END ", "-----END X").into_bytes()),
    ("a damaged block before", |text| format!("-----BEGIN X-----\nAAAA\n{text}").into_bytes()),
    ("a damaged block after", |text| format!("{text}-----BEGIN X-----\nAAAA\n").into_bytes()),
    ("another block before", |text| format!("-----BEGIN X-----\nAAAA\n-----END X-----\n{text}").into_bytes()),
    ("another block after", |text| format!("{text}-----BEGIN X-----\nAAAA\n-----END X-----\n").into_bytes()),
    ("a letter that is none of Base64", |text| text.replacen("\nMI", "\n!MI", 1).into_bytes()),
    ("url-safe letters", |text| text.replace(['+', '/'], "_").into_bytes()),
    ("lines of 76", |text| wrapped(text, 76)),
    ("lines of 300", |text| wrapped(text, 300)),
    ("lines of 48", |text| wrapped(text, 48)),
    ("lines of 76 after a blank line", |text| {
        String::from_utf8(wrapped(text, 76)).unwrap().replacen('\n', "\n\n", 1).into_bytes()
    }),
];

/// The body in lines of another width.
fn wrapped(text: &str, width: usize) -> Vec<u8> {
    let all: Vec<&str> = text.lines().collect();
    let body = all[1..all.len() - 1].concat();
    let mut out = format!("{}\n", all[0]);
    for line in body.as_bytes().chunks(width) {
        out.push_str(std::str::from_utf8(line).unwrap());
        out.push('\n');
    }
    out.push_str(all[all.len() - 1]);
    out.push('\n');
    out.into_bytes()
}

/// The labels of keys in the clear, of RFC 7468 §10 and of OpenSSL's own forms.
const LABELS: [&str; 4] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"];

/// A key in the form that OpenSSL used before PKCS#8 (RFC 8017 A.1.2, RFC 5915 §3).
fn traditional(key: &str) -> String {
    let mut convert = Command::new("openssl");
    convert.args(["pkey", "-traditional"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut convert = convert.spawn().expect("openssl starts");
    convert.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
    let output = convert.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl pkey");
    String::from_utf8(output.stdout).unwrap()
}

/// The same block under another label.
fn relabelled(text: &str, label: &str) -> String {
    let body: String = text.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

/// The answer of this crate about a pair: nothing, or why the service that reads the pair does not start.
fn refused(certificate: &[u8], key: &[u8]) -> Option<String> {
    let store = match Store::open_pair(Some(certificate.to_vec()), Some(key.to_vec()), &Interner::new()) {
        Ok(store) => store,
        Err(error) => return Some(error.to_string()),
    };
    match store.open_key(store.entries()[0].id, Credential::NotNeeded) {
        Ok(key) if key.matches_certificate == KeyMatch::No => Some("mismatch".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// OpenSSL loads a pair after this damage, but this crate refuses it. OpenSSL ignores bytes above 127 at the end of a
/// line only where a `char` of C is signed (on x86, not on ARM). It ignores zero bytes because they are control
/// characters, which no other reader does.
const STRICTER: &[&str] = &["no-break blanks at the ends of lines", "zero bytes at the ends of lines"];

#[test]
fn what_openssl_refuses_is_never_in_order_here() {
    needs!(Openssl, Python);
    let made = |key: KeyPair| {
        let leaf = CertificateParams::new(vec!["host.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (leaf.pem().replace('\r', ""), key.serialize_pem().replace('\r', ""))
    };
    let rsa = made(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap());
    let ec = made(KeyPair::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut cases: Vec<(String, Vec<u8>, Vec<u8>)> = Vec::new();
    for (kind, (certificate, key)) in [("rsa", &rsa), ("ec", &ec)] {
        for (what, damage) in DAMAGES {
            let good = |text: &str| text.as_bytes().to_vec();
            cases.push((format!("{kind}, certificate: {what}"), damage(certificate), good(key)));
            cases.push((format!("{kind}, key: {what}"), good(certificate), damage(key)));
            let chained = [good(certificate), damage(&rsa.0)].concat();
            cases.push((format!("{kind}, second certificate: {what}"), chained, good(key)));
        }
        // Each form under each label: OpenSSL loads a key under a wrong label if it is a key of the label's kind in
        // another form.
        for (form, text) in [("PKCS#8", key.clone()), ("traditional", traditional(key))] {
            for label in LABELS {
                let text = relabelled(&text, label).into_bytes();
                cases.push((format!("{kind}, key: {form} under {label}"), certificate.as_bytes().to_vec(), text));
            }
        }
    }
    for (at, (_, certificate, key)) in cases.iter().enumerate() {
        fs::write(folder.path().join(format!("{at:04}.crt")), certificate).unwrap();
        fs::write(folder.path().join(format!("{at:04}.key")), key).unwrap();
    }
    let output = Command::new("python3").args(["-c", JUDGE]).arg(folder.path()).output();
    let output = output.expect("python3 starts");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), cases.len(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut faults = Vec::new();
    let (mut loaded, mut stricter) = (0, 0);
    for (line, (what, certificate, key)) in said.lines().zip(&cases) {
        let loads = line.split(' ').nth(1) == Some("loads");
        loaded += usize::from(loads);
        match (loads, refused(certificate, key)) {
            (false, None) => faults.push(format!("{what}: in order here, and OpenSSL says {line}")),
            (true, Some(_)) if STRICTER.iter().any(|one| what.ends_with(one)) => stricter += 1,
            (true, Some(why)) => faults.push(format!("{what}: OpenSSL loads it, and here: {why}")),
            (true, None) | (false, Some(_)) => {}
        }
    }
    eprintln!("{} pairs, {loaded} loaded, {stricter} refused here alone", cases.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(loaded > cases.len() / 5 && loaded < cases.len() * 4 / 5, "{loaded} of {} loaded", cases.len());
}
