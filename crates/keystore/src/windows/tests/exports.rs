//! Tests of registry exports: what is found in them, and which lines an edit changes.

use super::*;

const ROOT: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\Root";

/// `value` as regedit writes it, computed without the code of the product.
fn hex_lines(bytes: &[u8], width: usize, newline: &str) -> String {
    let cells: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    cells.chunks(width).map(|line| line.join(",")).collect::<Vec<_>>().join(&format!(",\\{newline}  "))
}

fn section(key: &str, der: &[u8], newline: &str) -> String {
    format!(
        "[{key}\\Certificates\\{}]{newline}\"Blob\"=hex:{}{newline}",
        key_name(der),
        hex_lines(&element(&[], der), 20, newline)
    )
}

fn title(newline: &str) -> String {
    format!("Windows Registry Editor Version 5.00{newline}{newline}")
}

fn bom16(text: &str) -> Vec<u8> {
    [vec![0xff, 0xfe], utf16(text)].concat()
}

fn exported(newline: &str) -> String {
    format!(
        "{}; roots of the lab{newline}[{ROOT}]{newline}{newline}[{ROOT}\\Certificates]{newline}{newline}{}{newline}{}{newline}[{ROOT}\\CRLs]{newline}{newline}",
        title(newline),
        section(ROOT, &POOL[0], newline),
        section(ROOT, &POOL[1], newline)
    )
}

#[test]
fn every_encoding_and_line_ending_reads_and_comes_back() {
    for newline in ["\r\n", "\n"] {
        let text = exported(newline);
        let bom8 = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        let old = text.replacen("Windows Registry Editor Version 5.00", "REGEDIT4", 1).into_bytes();
        for bytes in [text.clone().into_bytes(), bom8, old, bom16(&text)] {
            let store = reopen(&bytes);
            assert_eq!((store.format(), store.entries().len(), store.remarks()), (Format::WindowsReg, 2, &[][..]));
            assert_eq!(store.registry_key(EntryId(1)), Some(ROOT));
            let more = write(&store, &named(Some("neü"), &POOL[2])).unwrap();
            assert!(more.starts_with(&bytes), "only appended");
            let grown = reopen(&more);
            assert_eq!(grown.entries()[2].certificates()[0].der(), &POOL[2][..]);
            assert_eq!((grown.label(EntryId(2)), grown.remarks()), (Some("neü"), &[][..]));
            assert_eq!(write(&grown, &remove(&[2])).unwrap(), bytes, "and back again");
        }
    }
}

#[test]
fn new_sections_are_written_as_regedit_writes() {
    let bytes = bom16(&exported("\r\n"));
    let more = write(&reopen(&bytes), &named(Some("scout root"), &POOL[2])).unwrap();
    let units: Vec<u16> = more[bytes.len()..].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(lines.next().unwrap(), format!("[{ROOT}\\Certificates\\{}]", key_name(&POOL[2])));
    let first = lines.next().unwrap();
    assert_eq!(first, "\"Blob\"=hex:0b,00,00,00,01,00,00,00,16,00,00,00,73,00,63,00,6f,00,75,00,74,00,\\");
    assert_eq!(first.len(), 78);
    assert!(lines.next().unwrap().starts_with("  20,00,72,00,"));
    assert!(lines.clone().all(|line| line.len() <= 78) && text.ends_with("\r\n\r\n"));
}

#[test]
fn exactly_the_section_leaves() {
    let text = format!(
        "{}[{ROOT}\\Certificates]\n\n; first\n{}; after the first\n\n[-{ROOT}\\Certificates\\00]\n; second\n{}[HKEY_CURRENT_USER\\X]\n\"a\"=\"b\"\n",
        title("\n"),
        section(ROOT, &POOL[0], "\n"),
        section(ROOT, &POOL[1], "\n")
    );
    let store = reopen(text.as_bytes());
    assert_eq!(store.entries().len(), 2, "a deletion is no certificate");
    let raw = section(ROOT, &POOL[1], "\n");
    assert_eq!(store.raw(EntryId(1)), Some(raw.trim_end().as_bytes()));
    let wanted = text.replacen(&raw, "", 1);
    assert_eq!(String::from_utf8(write(&store, &remove(&[1])).unwrap()).unwrap(), wanted);
    let none = wanted.replacen(&section(ROOT, &POOL[0], "\n"), "", 1);
    assert_eq!(String::from_utf8(write(&store, &remove(&[0, 1])).unwrap()).unwrap(), none);
    assert!(reopen(none.as_bytes()).entries().is_empty(), "the key is still there");
}

#[test]
fn names_and_numbers_in_any_case_and_width() {
    let key = r"hkey_local_machine\software\microsoft\systemcertificates\ROOT";
    let element = element(&[], &POOL[0]);
    let text = format!(
        "windows registry editor version 5.00\r\n\r\n[{key}\\CERTIFICATES\\{}]\r\n@=\"x [{ROOT}\\Certificates\\1]\r\n[{ROOT}\\Certificates\\2]\r\n\\\"\"\r\n\"BLOB\" = HEX(3):{},\\\r\n\r\n",
        key_name(&POOL[0]).to_lowercase(),
        hex_lines(&element, 7, "\r\n").to_uppercase()
    );
    let store = reopen(text.as_bytes());
    assert_eq!((store.entries().len(), store.remarks()), (1, &[][..]), "what stands in a string is no key");
    let more = write(&store, &add(&POOL[1])).unwrap();
    let grown = reopen(&more);
    assert_eq!(grown.registry_key(EntryId(1)), Some(key));
}

#[test]
fn several_stores_are_read_and_never_guessed_between() {
    let my = r"HKEY_CURRENT_USER\Software\Microsoft\SystemCertificates\My";
    let text = title("\r\n") + &section(ROOT, &POOL[0], "\r\n") + "\r\n" + &section(my, &POOL[0], "\r\n");
    let store = reopen(text.as_bytes());
    assert_eq!((store.registry_key(EntryId(0)), store.registry_key(EntryId(1))), (Some(ROOT), Some(my)));
    let refused = write(&store, &add(&POOL[1])).unwrap_err();
    assert!(refused.to_string().contains("2 stores"), "{refused}");
    assert_eq!(write(&store, &remove(&[1])).unwrap(), (title("\r\n") + &section(ROOT, &POOL[0], "\r\n")).as_bytes());
    let one = reopen(&write(&store, &remove(&[1])).unwrap());
    assert!(matches!(write(&one, &add(&POOL[0])), Err(EditError::NotRepresentable { .. })), "twice the same");
    assert!(matches!(write(&one, &remove(&[0])), Err(EditError::NotRepresentable { .. })), "no key would be left");
    let swapped = write(&one, &Edits { add: add(&POOL[1]).add, ..remove(&[0]) }).unwrap();
    assert_eq!(reopen(&swapped).entries()[0].certificates()[0].der(), &POOL[1][..]);
    let fresh = write(&Store::create(Format::WindowsReg), &add(&POOL[0])).unwrap_err();
    assert!(fresh.to_string().contains("begin with an export"), "{fresh}");
}

#[test]
fn bad_sections_do_not_hide_good_ones() {
    let good = section(ROOT, &POOL[0], "\n");
    let key = format!("[{ROOT}\\Certificates\\AB]\n");
    for (value, what) in [
        ("", "no value `Blob`"),
        ("\"Blob\"=-\n", "no binary value"),
        ("\"Blob\"=hex:zz\n", "byte 0"),
        ("\"Blob\"=hex:01,,02\n", "byte 1"),
        ("\"Blob\"=hex:\n", "cut"),
        ("\"Blob\"=hex:03,00,00,00,01,00,00,00,ff,ff,ff,7f\n", "2147483647 bytes long, but only 0"),
        ("\"Blob\"=hex:01\n\"blob\"=hex:01\n", "two values"),
    ] {
        let text = format!("{}{key}{value}{good}", title("\n"));
        let store = reopen(text.as_bytes());
        let kinds: Vec<&str> = store.entries().iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(kinds, ["unknown", "trusted-certificate"], "{value}");
        assert!(
            matches!(&store.remarks()[0], Remark::BadBlock { line: 3, why, .. } if why.contains(what)),
            "{:?}",
            store.remarks()
        );
        assert_eq!(write(&store, &remove(&[0])).unwrap(), (title("\n") + &good).as_bytes());
        let alone = try_open(format!("{}{key}{value}", title("\n")).as_bytes()).unwrap_err();
        assert_eq!((alone.class, alone.offset), (ErrorClass::Corrupt, Some(38)), "{alone}");
    }
    // A string without an end counts as one line.
    let open = format!("{}{good}{key}\"Blob\"=\"open\n\"a\"=dword:1\n", title("\n")).replacen("\"a\"", "@", 1);
    let store = reopen(open.as_bytes());
    assert!(
        matches!(store.remarks(), [Remark::BadBlock { .. }]) && store.raw(EntryId(1)).unwrap().ends_with(b"dword:1")
    );
    let renamed = title("\n") + &good.replacen(&key_name(&POOL[0]), "AB", 1);
    assert!(matches!(
        reopen(renamed.as_bytes()).remarks(),
        [Remark::OtherHash { what: "the name of its registry key", .. }]
    ));
}

#[test]
fn other_texts_are_no_stores() {
    for (bytes, what) in [
        (bom16(&(title("\r\n") + "[HKEY_CURRENT_USER\\X]\r\n")), "no certificate store"),
        (bom16("REGEDIT5\r\n"), "UTF-16"),
        (bom16(&title("\r\n")), "no certificate store"),
    ] {
        let error = try_open(&bytes).unwrap_err();
        assert!(error.class == ErrorClass::NotAStore && error.to_string().contains(what), "{error}");
    }
    let mut odd = bom16(&exported("\r\n"));
    odd.pop();
    assert_eq!(try_open(&odd).unwrap_err().class, ErrorClass::Corrupt);
}

/// Found by fuzzing: a continued last line swallows the appended text.
#[test]
fn an_addition_that_would_change_a_section_without_end_is_refused() {
    let whole = exported("\n").replace(&format!("[{ROOT}\\CRLs]\n\n"), "");
    let cut = format!("{}[{ROOT}\\Certificates\\07]\n\"Blob\"=hex:30,\\", whole);
    let store = reopen(cut.as_bytes());
    assert_eq!(store.entries().len(), 3);
    let refused = write(&store, &named(None, &POOL[2]));
    assert!(matches!(&refused, Err(EditError::NotRepresentable { .. })), "{refused:?}");
    let mut edits = remove(&[2]);
    edits.add = named(None, &POOL[2]).add;
    assert!(write(&store, &edits).is_ok(), "without the damaged section it works");
}

/// Found by fuzzing: the quotes of the appended text close a string that had no end.
#[test]
fn an_addition_that_a_string_without_end_would_take_in_is_refused() {
    let open = format!("{}\"note\"=\"no end\n", exported("\n"));
    let store = reopen(open.as_bytes());
    let refused = write(&store, &named(None, &POOL[2])).unwrap_err().to_string();
    assert!(refused.contains("a value of the file has no end"), "{refused}");
    let mended = format!("{}\"note\"=\"an end\"\n", exported("\n"));
    assert!(write(&reopen(mended.as_bytes()), &named(None, &POOL[2])).is_ok());
}

/// Found in use: a key's line without its bracket hid the certificate silently.
#[test]
fn a_key_without_its_bracket_hides_no_certificate() {
    let whole = exported("\n");
    let at = whole.find(&format!("[{ROOT}\\Certificates\\")).unwrap();
    let mut cut = whole.clone();
    cut.remove(at + whole[at..].find(']').unwrap());
    let store = reopen(cut.as_bytes());
    assert_eq!(store.entries().len(), reopen(whole.as_bytes()).entries().len());
    let said: Vec<String> = store.remarks().iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains("has no `]`")), "{said:?}");
}
