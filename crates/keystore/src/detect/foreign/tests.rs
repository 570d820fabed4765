#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::der::encode;
use crate::detect::detect;

const CERTIFICATE: &[u8] = include_bytes!("../../../../../fixtures/keystore/der/one/store");
const OID: &[u8] = &[6, 1, 42];

fn seq(parts: &[&[u8]]) -> Vec<u8> {
    encode(der::SEQUENCE, &parts.concat())
}

fn refused(bytes: &[u8]) -> (Option<&'static str>, ErrorClass, &'static str) {
    match detect(bytes) {
        Detected::Refused { format, class, what, hint } => {
            assert!(hint.len() > 8 && !what.contains("password") && !what.contains("damaged"), "{what}; {hint}");
            (format, class, what)
        }
        Detected::Readable(format) => panic!("read as {format}: {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn bouncy(version: u8, rest: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, version, 0, 0, 0, 20][..], &[7; 20], &[0, 0, 4, 0], rest].concat()
}

#[test]
fn stores_of_other_makers_have_names() {
    let entry = [&[1, 0, 4][..], b"root", &[0, 0, 1, 0x8b, 0, 0, 0, 0], &[0, 0, 0, 0], &[0, 5], b"X.509"].concat();
    let cases: [(&str, Vec<u8>); 17] = [
        ("bks", bouncy(2, &entry)),
        ("bks", bouncy(1, &entry)),
        ("bks", bouncy(2, &[0; 21])),
        ("bks", bouncy(1, &[])),
        ("uber", bouncy(1, &[0xa7; 64])),
        ("uber", bouncy(2, &[1; 64])),
        ("bcfks", seq(&[&seq(&[&seq(&[OID]), &[4, 1, 0]]), &seq(&[])])),
        ("keychain", b"kych\0\x01\0\0".to_vec()),
        ("kdb", b"7H\x03\x02\0\0\0\0X509KEY\0".to_vec()),
        ("oracle-sso", b"\xa1\xf8\x4e6\0\0\0\x06".to_vec()),
        ("nss", b"SQLite format 3\0".to_vec()),
        ("nss", b"\0\x06\x15\x61\0\0\0\x02".to_vec()),
        ("keepass", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5".to_vec()),
        ("gnome-keyring", b"GnomeKeyring\n\r\0\n".to_vec()),
        ("netscape", seq(&[b"\x06\x09\x60\x86\x48\x01\x86\xf8\x42\x02\x05", &[0xa0, 0]])),
        ("pkcs7", seq(&[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06", &[0xa0, 0]])),
        ("pkcs7", seq(&[b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09", &[0xa0, 0]])),
    ];
    for (name, bytes) in cases {
        assert_eq!(refused(&bytes).0, Some(name), "{bytes:x?}");
        assert_eq!(refused(&bytes).1, ErrorClass::Unsupported, "{bytes:x?}");
    }
}

#[test]
fn keys_requests_and_lists_in_der_are_no_certificates() {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap().serialize_request(&key).unwrap();
    let (zero, one) = (&[2, 1, 0][..], &[2, 1, 1][..]);
    let time = b"\x17\x0d250101000000Z";
    let name = seq(&[]);
    let cases: [(&str, Vec<u8>); 12] = [
        ("private key (PKCS#8)", key.serialize_der()),
        ("private key (PKCS#8)", seq(&[one, &seq(&[OID]), &[4, 0], &[0xa0, 0]])),
        ("encrypted private key (PKCS#8)", seq(&[&seq(&[OID, &seq(&[])]), &[4, 1, 0]])),
        ("private key (PKCS#1)", seq(&[zero, &[2, 1, 5], &[2, 1, 3], one, one, one, one, one, one])),
        ("elliptic curve private key", seq(&[one, &[4, 1, 9], &[0xa0, 0]])),
        ("certificate request (PKCS#10)", request.der().to_vec()),
        ("revocation list (CRL)", seq(&[&seq(&[one, &seq(&[OID]), &name, time]), &seq(&[OID]), &[3, 1, 0]])),
        ("revocation list (CRL)", seq(&[&seq(&[&seq(&[OID]), &name, time]), &seq(&[OID]), &[3, 1, 0]])),
        ("public key", seq(&[&seq(&[OID]), &[3, 1, 0]])),
        ("public key", seq(&[&[2, 1, 77], &[2, 1, 3]])),
        ("OCSP response", seq(&[&[10, 1, 0], &[0xa0, 0]])),
        ("private key (PKCS#8)", key.serialize_der().get(..40).unwrap().to_vec()),
    ];
    for (word, bytes) in cases {
        let (format, class, what) = refused(&bytes);
        assert_eq!((format, class), (None, ErrorClass::NotAStore), "{what}");
        assert!(what.contains(word), "{word}: {what}");
    }
}

#[test]
fn a_certificate_is_one_however_odd() {
    for end in 4..CERTIFICATE.len() {
        let head = CERTIFICATE.get(..end).unwrap();
        assert_eq!(asn1(head), None, "cut to {end} bytes");
    }
    // Version 1 has its serial number in the place where a request has its version.
    let old = seq(&[&seq(&[&[2, 1, 0], &seq(&[OID]), &seq(&[]), &seq(&[]), &seq(&[])]), &seq(&[OID]), &[3, 1, 0]]);
    assert_eq!(asn1(&old), None);
}

#[test]
fn other_files_have_names() {
    let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
    let utf16: Vec<u8> = "-----BEGIN CERTIFICATE-----".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [&[0xff, 0xfe][..], b"-\0-\0"].concat();
    let cases: [(&str, &[u8]); 31] = [
        ("empty", b""),
        ("zero bytes", &[0; 9]),
        ("gzip", b"\x1f\x8b\x08"),
        ("zip", b"PK\x03\x04"),
        ("zip", b"PK\x05\x06"),
        ("bzip2", b"BZh9"),
        ("xz", b"\xfd7zXZ\0"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("7-Zip", b"7z\xbc\xaf\x27\x1c"),
        ("RAR", b"Rar!\x1a\x07\x01"),
        ("cabinet", b"MSCF"),
        ("RPM", b"\xed\xab\xee\xdb\x03"),
        ("Debian", b"!<arch>\ndebian-binary"),
        ("tar", &tar),
        ("Java class", b"\xca\xfe\xba\xbe"),
        ("serialised Java", b"\xac\xed\0\x05sr"),
        ("program", b"MZ\x90\0"),
        ("property list", b"bplist00"),
        ("property list", b"<?xml version='1.0'?>\n<!DOCTYPE plist PUBLIC>\n<plist/>"),
        ("web page", b"\xef\xbb\xbf\n<!doctype HTML><title>502</title>"),
        ("web page", b"<?xml version='1.0'?><html/>"),
        ("XML", b"<?xml version='1.0'?><store/>"),
        ("JSON", b"{ \"keys\": [] }"),
        ("OpenSSH private", b"openssh-key-v1\0\0\0"),
        ("SSH public", b"ssh-ed25519 AAAA me@here"),
        ("PuTTY", b"PuTTY-User-Key-File-3: ssh-ed25519"),
        ("OpenPGP", b"\x99\x01\x0d\x04\x5f"),
        ("OpenPGP", b"\xc6\x33\x04\x5f"),
        ("UTF-16", &utf16),
        ("UTF-16", &marked),
        ("Base64", b"MIIDWzCCAkOgAwIBAgIU"),
    ];
    for (word, bytes) in cases {
        let (format, class, what) = refused(bytes);
        assert_eq!((format, class), (None, ErrorClass::NotAStore), "{what}");
        assert!(what.contains(word), "{word}: {what}");
    }
}
