//! Laws of editing, tested with random files and edits.

use proptest::prelude::*;

use super::*;

const HOME: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\Root\Certificates";

/// Texts without an end, and texts that end something else.
const STRAYS: [&str; 8] = ["\"", "\"a\"=\"b", "@=\"b", "\"Blob\"=hex:30,\\", "\"a\"=\"b\\", "[", "]\\", "\"\\\"=\"\\"];

/// Elements with any properties.
fn element_strategy() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let property = (4u32..200, proptest::collection::vec(any::<u8>(), 0..20));
    let own = |(id, _): &(u32, Vec<u8>)| ![32, 33, 34].contains(id);
    (proptest::collection::vec(property.prop_filter("the content comes last", own), 0..4), 0usize..3).prop_map(
        |(properties, which)| {
            let properties: Vec<(u32, &[u8])> = properties.iter().map(|(id, value)| (*id, &value[..])).collect();
            (which, element(&properties, &POOL[which]))
        },
    )
}

/// An export of such elements, in any style that people write.
fn export(elements: &[(usize, Vec<u8>)], style: u8, gaps: &[u8]) -> Vec<u8> {
    encoded(&export_text(elements, style, gaps), style)
}

fn export_text(elements: &[(usize, Vec<u8>)], style: u8, gaps: &[u8]) -> String {
    let newline = if style & 1 == 0 { "\r\n" } else { "\n" };
    let mut text = format!("Windows Registry Editor Version 5.00{newline}{newline}[{HOME}]{newline}");
    for ((which, bytes), gap) in elements.iter().zip(gaps) {
        match gap % 4 {
            0 => {}
            1 => text.push_str(newline),
            2 => text.push_str(&format!("{newline}; a note{newline}")),
            _ => {
                text.push_str(&format!("{newline}{newline}\"stray\"=dword:1{newline}[-{HOME}\\00]{newline}  {newline}"))
            }
        }
        let cells: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let width = usize::from(gap / 4) + 3;
        let lines: Vec<String> = cells.chunks(width).map(|line| line.join(",")).collect();
        let value = lines.join(&format!(",\\{newline}  "));
        text.push_str(&format!("[{HOME}\\{}]{newline}\"Blob\"=hex:{value}{newline}", key_name(&POOL[*which])));
    }
    for _ in 0..(style >> 2) % 3 {
        text.push_str(newline);
    }
    if style & 2 == 0 {
        text.truncate(text.trim_end().len());
    }
    text
}

fn encoded(text: &str, style: u8) -> Vec<u8> {
    if style & 32 == 0 { text.as_bytes().to_vec() } else { [vec![0xff, 0xfe], utf16(text)].concat() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// An entry that is not named keeps its bytes and its order, and the rest reads back as the edit asks.
    #[test]
    fn untouched_entries_keep_their_bytes(
        elements in proptest::collection::vec(element_strategy(), 0..6),
        gone in proptest::collection::vec(any::<bool>(), 6),
        gaps in proptest::collection::vec(any::<u8>(), 6),
        (added, as_export, style) in (any::<bool>(), any::<bool>(), any::<u8>()),
    ) {
        let bytes = match as_export {
            true => export(&elements, style, &gaps),
            false => sst(&elements.iter().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>()),
        };
        let store = reopen(&bytes);
        prop_assert_eq!(store.entries().len(), elements.len());
        let leaving: Vec<usize> = (0..elements.len()).filter(|at| gone[*at]).collect();
        let mut edits = remove(&leaving);
        if added {
            edits.add = add(&POOL[3]).add;
        }
        let after = reopen(&write(&store, &edits).unwrap());
        let kept: Vec<_> = store.entries().iter().filter(|entry| !gone[entry.id.0]).collect();
        prop_assert_eq!(after.entries().len(), kept.len() + usize::from(added));
        for (old, new) in kept.iter().zip(after.entries()) {
            prop_assert_eq!(store.raw(old.id), after.raw(new.id));
            prop_assert_eq!(old.certificates(), new.certificates());
            prop_assert_eq!(store.label(old.id), after.label(new.id));
        }
        if added {
            prop_assert_eq!(after.entries().last().unwrap().certificates()[0].der(), &POOL[3][..]);
        }
        prop_assert_eq!(write(&store, &Edits::default()).unwrap(), bytes);
    }

    /// Beside text without an end, an edit is refused or does what it asks.
    #[test]
    fn an_edit_beside_strays_is_refused_or_right(
        elements in proptest::collection::vec(element_strategy(), 1..4),
        gaps in proptest::collection::vec(any::<u8>(), 4),
        stray in prop::sample::select(&STRAYS[..]),
        (at, before, removes, style) in (any::<prop::sample::Index>(), 0usize..3, any::<bool>(), any::<u8>()),
    ) {
        let mut text = export_text(&elements, style, &gaps);
        let starts: Vec<usize> = text.match_indices("\n[").map(|(at, _)| at + 1).chain([text.len()]).collect();
        let before = ["", "\n", "\n[HKEY_CURRENT_USER\\Environment]\n"][before];
        text.insert_str(starts[at.index(starts.len())], &format!("{before}{stray}\n"));
        let Ok(store) = try_open(&encoded(&text, style)) else { return Ok(()) };
        let mut edits = if removes { remove(&[0]) } else { Edits::default() };
        edits.add = add(&POOL[3]).add;
        let Ok(bytes) = write(&store, &edits) else { return Ok(()) };
        let after = reopen(&bytes);
        let kept: Vec<_> = store.entries().iter().skip(usize::from(removes)).map(|entry| store.raw(entry.id)).collect();
        let (last, others) = after.entries().split_last().unwrap();
        prop_assert_eq!(others.iter().map(|entry| after.raw(entry.id)).collect::<Vec<_>>(), kept);
        prop_assert_eq!(last.certificates()[0].der(), &POOL[3][..]);
    }

    /// Adding entries and then removing them gives the same bytes, whatever the end of the file is.
    #[test]
    fn there_and_back_again(
        elements in proptest::collection::vec(element_strategy(), 0..4),
        gaps in proptest::collection::vec(any::<u8>(), 4),
        (twice, as_export, style) in (any::<bool>(), any::<bool>(), any::<u8>()),
    ) {
        let elements: Vec<_> = elements.into_iter().filter(|(which, _)| *which != 0).collect();
        let bytes = match as_export {
            true => export(&elements, style, &gaps),
            false => sst(&elements.iter().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>()),
        };
        let mut edits = add(&POOL[3]);
        if twice {
            edits.add.extend(named(Some("zwei"), &POOL[0]).add);
        }
        let grown = reopen(&write(&reopen(&bytes), &edits).unwrap());
        let new: Vec<usize> = (elements.len()..grown.entries().len()).collect();
        prop_assert_eq!(new.len(), edits.add.len());
        prop_assert_eq!(write(&grown, &remove(&new)).unwrap(), bytes);
    }

    /// Any bytes give an error or a store, never a panic.
    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0usize..6) {
        let key = format!("REGEDIT4\n[{HOME}\\AB]\n\"Blob\"=hex:");
        let wide = [vec![0xff, 0xfe], utf16(&key)].concat();
        let heads: [&[u8]; 6] = [b"", b"\0\0\0\0CERT", b"\0\0\0\0CERT\x03\0\0\0\x01\0\0\0\x02\0\0\0",
            b"\x20\0\0\0\x01\0\0\0\x04\0\0\0\x30", key.as_bytes(), &wide];
        bytes.splice(0..0, heads[head].iter().copied());
        if let Ok(store) = try_open(&bytes) {
            prop_assert!(store.remarks().iter().all(|remark| !remark.to_string().is_empty()));
            drop(write(&store, &remove(&[0])));
            drop(write(&store, &add(&POOL[0])));
        }
    }

    /// One changed byte anywhere gives an error or a store, never a panic.
    #[test]
    fn one_byte_changed(at in any::<prop::sample::Index>(), to in any::<u8>(), style in any::<u8>(), cut in any::<bool>()) {
        let elements = [(0, element(&[(9, b"\x30\0"), (104, &[1; 8])], &POOL[0])), (1, element(&[], &POOL[1]))];
        for mut bytes in [export(&elements, style, &[5, 6]), sst(&[&elements[0].1, &elements[1].1]), elements[0].1.clone()] {
            let at = at.index(bytes.len());
            bytes[at] = to;
            if cut {
                bytes.truncate(at);
            }
            if let Ok(store) = try_open(&bytes) {
                drop(write(&store, &remove(&[0])));
            }
        }
    }
}
