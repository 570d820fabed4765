#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
//! Laws that hold for every text of an options file.

use proptest::prelude::*;
use trustmason_spec::topology::{OptionsDef, OptionsSyntax};

use super::tests::{CANARY, connector, engagement, judged, look};
use super::*;

fn files() -> [OptionsDef; 3] {
    [engagement(), connector(OptionsSyntax::Arguments), connector(OptionsSyntax::Batch)]
}

/// The pieces of such texts, with the canary in any place among them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(CANARY.to_owned()),
        Just(format!("\"{CANARY}\"")),
        prop::sample::select(vec![
            "-cert_store_file",
            "-cert_store_pass",
            "-cert_store_",
            "-key_store_pass",
            "-ket_store_type",
            "\u{2014}",
            "--",
            "trusted-ca-pwd",
            "trusted-pwd",
            "trusted-ca-type",
            "[security]",
            "[",
            "]",
            "=",
            " = ",
            ":",
            "\n",
            "\r\n",
            " ",
            "\t",
            "^",
            "^\n",
            "%",
            "%X%",
            "%~dp0",
            "%*",
            "!",
            "set X=",
            "set \"X=",
            "set /p X=",
            "if 1==1 set X=",
            "rem ",
            "::",
            "@",
            "&",
            "|",
            "<",
            ">",
            "\"",
            "'",
            "#",
            ";",
            "C:\\gcti\\",
            "/opt/gwe/",
            "java ",
            "jks",
            "pkcs12",
            "setlocal enabledelayedexpansion\n",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn every_text_has_a_reading_and_none_lets_a_password_out(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        for def in files() {
            let seen = look(&def, text.as_bytes());
            let told = judged(&[(&def, seen.clone())]);
            let all = format!("{seen:?} {told:?} {:?}", read(text.as_bytes(), &def));
            // A path is repeated, so a path that ends in the canary proves nothing about passwords.
            let path = ["C:\\gcti\\", "/opt/gwe/"].iter().any(|path| text.contains(path));
            prop_assert!(path || !all.contains(CANARY), "{all}");
        }
    }

    #[test]
    fn no_bytes_are_too_odd(bytes: Vec<u8>) {
        for def in files() {
            let seen = look(&def, &bytes);
            prop_assert_eq!(&seen, &look(&def, &bytes));
            judged(&[(&def, seen)]);
        }
    }

    /// The text that `explain` prints is right once the passwords are filled in.
    #[test]
    fn what_is_said_to_be_right_is_right(password in "[!-$&-;=?-Za-z]{1,20}", tail in "[a-z ]{1,12}[a-z]") {
        let quote = |def: &OptionsDef| if def.syntax == OptionsSyntax::Batch { "" } else { "\"" };
        for mut def in files() {
            for setting in &mut def.settings {
                if let trustmason_spec::topology::WantedValue::Path(path) = &mut setting.wanted {
                    path.push_str(&tail);
                }
            }
            let mut text = block(&def).join("\r\n");
            for name in ["identity", "trust", "trusted-ca"] {
                let filled = format!("{0}{1}{0}", quote(&def), password.replace('"', ""));
                text = text.replace(&format!("<the password of u.x.example/{name}>"), &filled);
            }
            let reading = read(text.as_bytes(), &def).unwrap();
            let mut passwords = Vec::new();
            let facts = facts_of(&def, &reading, |_, password| {
                passwords.push(password.expose().to_owned());
                (PasswordLook::Named, 0)
            });
            let told = judged(&[(&def, OptionsLook::Read(facts))]);
            let filled = password.replace('"', "");
            prop_assert!(filled.is_empty() || told.is_empty(), "{text}\n{told:?}");
            prop_assert!(filled.is_empty() || passwords.iter().all(|one| *one == filled), "{text}\n{passwords:?}");
        }
    }
}
