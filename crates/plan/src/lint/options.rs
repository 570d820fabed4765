//! The findings on options files. It takes what was read of a file and compares it with the spec. It never repeats a
//! password, and it changes no file.

use std::collections::{BTreeMap, BTreeSet};

use trustmason_keystore::Format;
use trustmason_spec::topology::{OptionsAt, OptionsDef, SettingDef, WantedValue};

use crate::finding::{Finding, FindingKind, Severity};
use crate::observed::{Observed, StoreLook};
use crate::options::block::line;
use crate::options::compare::{self, PathComparison};
use crate::options::{OptionsFacts, OptionsLook, PasswordLook, SectionLook, SettingLook, Spelling, ValueLook};
use crate::text::escape;

/// The findings of one host's options files.
pub(crate) fn findings(files: &[&OptionsDef], observed: &Observed) -> Vec<Finding> {
    let looks: Vec<(&OptionsDef, &OptionsLook)> = files
        .iter()
        .filter_map(|def| Some((*def, observed.options.get(&(def.host.clone(), def.name.clone()))?)))
        .collect();
    let mut findings = Vec::new();
    let mut right: BTreeMap<&str, &OptionsDef> = BTreeMap::new();
    let mut verdicts = Vec::new();
    for (def, look) in &looks {
        let OptionsLook::Read(facts) = look else {
            findings.extend(unseen(def, look));
            continue;
        };
        if let Some(finding) = unused(def, facts) {
            findings.push(finding);
            continue;
        }
        let file = OptionsFile { def, facts, observed };
        for setting in &def.settings {
            let judged = file.setting(setting);
            if judged.is_empty() && facts.said.contains_key(&setting.name) {
                right.entry(&setting.name).or_insert(def);
            }
            verdicts.push((*def, setting, judged));
        }
        findings.extend(file.section());
    }
    for (def, setting, judged) in verdicts {
        for mut finding in judged {
            let other = right.get(setting.name.as_str()).filter(|other| other.name != def.name);
            if let (Some(other), FindingKind::OptionWrong) = (other, finding.kind) {
                finding.message.push_str(&format!("; {} has the right value, and the two should agree", place(other)));
            }
            findings.push(finding);
        }
    }
    findings.extend(disagreements(&looks));
    findings
}

/// The finding for a file that could not be seen; information only.
fn unseen(def: &OptionsDef, look: &OptionsLook) -> Option<Finding> {
    let doubt = format!("cannot tell whether {} names its stores rightly", def.host);
    let message = match (look, &def.at) {
        (OptionsLook::Undeclared, OptionsAt::Undeclared(variables)) => format!(
            "the spec does not say where a copy of {} is: {doubt}; put a copy on the host's disk and set {} in `vars:`",
            escape(&def.about),
            variables.join(", ")
        ),
        (OptionsLook::Undeclared | OptionsLook::Absent, _) => format!(
            "{} is not there ({}): {doubt}; put a copy there, or correct its path in `vars:`",
            place(def),
            escape(&def.about)
        ),
        (OptionsLook::Unreadable(why), _) => format!("{why}; {doubt}"),
        (OptionsLook::Read(_), _) => return None,
    };
    Some(about_file(def, FindingKind::OptionsUnobserved, message))
}

/// The finding for a file that is one of several ways to start a product, and is not in use.
fn unused(def: &OptionsDef, facts: &OptionsFacts) -> Option<Finding> {
    (def.only_if_used && facts.said.is_empty()).then(|| {
        let message = format!(
            "{} has none of the settings of {}; a product started with it uses no store of the spec",
            place(def),
            def.source
        );
        about_file(def, FindingKind::OptionsUnobserved, message)
    })
}

/// Two files that give one store two passwords, if neither could be tried.
fn disagreements(looks: &[(&OptionsDef, &OptionsLook)]) -> Vec<Finding> {
    let mut first: BTreeMap<&str, (&OptionsDef, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (def, look) in looks {
        let OptionsLook::Read(facts) = look else { continue };
        for setting in &def.settings {
            let untried = facts.said.get(&setting.name).into_iter().flatten().find_map(|said| match said.value {
                ValueLook::Password(PasswordLook::Unknown, number) => Some(number),
                _ => None,
            });
            let Some(number) = untried else { continue };
            match first.get(setting.name.as_str()) {
                Some((other, known)) if *known != number => {
                    let message = format!(
                        "`{}` is one password in {} and another in {}; write the password of the store in both",
                        setting.name,
                        place(other),
                        place(def)
                    );
                    findings.push(Finding::of_store(FindingKind::OptionWrong, &setting.store, message));
                }
                Some(_) => {}
                None => drop(first.insert(&setting.name, (def, number))),
            }
        }
    }
    findings
}

fn about_file(def: &OptionsDef, kind: FindingKind, message: String) -> Finding {
    let stores: BTreeSet<_> = def.settings.iter().map(|one| &one.store).collect();
    match stores.first() {
        Some(store) if stores.len() == 1 => Finding::of_store(kind, store, message),
        Some(_) | None => Finding::of_host(kind, &def.host, message),
    }
}

/// The path of a file, as its host writes it.
fn place(def: &OptionsDef) -> String {
    match &def.at {
        OptionsAt::File(path) => escape(&path.shown),
        OptionsAt::Undeclared(_) => escape(&def.about),
    }
}

/// One options file that was read.
struct OptionsFile<'a> {
    def: &'a OptionsDef,
    facts: &'a OptionsFacts,
    observed: &'a Observed,
}

impl OptionsFile<'_> {
    /// The finding for a missing section.
    fn section(&self) -> Option<Finding> {
        let SectionLook::Missing(near) = &self.facts.section else { return None };
        let section = self.def.section.as_deref().unwrap_or_default();
        let meant = near.as_ref().map_or(String::new(), |near| format!(", only [{}]", escape(near)));
        let comes = self.def.settings.iter().map(without).find(|text| !text.is_empty()).unwrap_or_default();
        let message = format!(
            "{} has no section [{section}]{meant}{comes}; write it with {}",
            place(self.def),
            self.def.settings.iter().map(|one| format!("`{}`", one.name)).collect::<Vec<_>>().join(", ")
        );
        Some(about_file(self.def, FindingKind::OptionWrong, message))
    }

    fn setting(&self, setting: &SettingDef) -> Vec<Finding> {
        let said = self.facts.said.get(&setting.name).map(Vec::as_slice).unwrap_or_default();
        let mut findings = Vec::new();
        if said.is_empty() {
            findings.extend(self.missing(setting));
        }
        if let [first, rest @ ..] = said
            && rest.iter().any(|one| one.value != first.value)
        {
            let lines: Vec<String> = said.iter().map(|one| one.line.to_string()).collect();
            let message = format!(
                "{} gives `{}` differently in lines {}; keep one of them: {}",
                place(self.def),
                setting.name,
                lines.join(" and "),
                self.right(setting)
            );
            findings.push(Finding::of_store(FindingKind::OptionWrong, &setting.store, message));
        }
        let named = said.iter().any(|one| one.spelling == Spelling::Right);
        for one in said {
            findings.extend(self.spelling(setting, one, named));
            findings.extend(self.value(setting, one));
        }
        findings
    }

    /// The finding for a missing setting. A missing section has a finding of its own.
    fn missing(&self, setting: &SettingDef) -> Option<Finding> {
        if !setting.needed || setting.wanted == WantedValue::Unset || self.facts.section != SectionLook::Found {
            return None;
        }
        if self.facts.open_ended {
            let message = format!(
                "{} does not give `{}`, but takes arguments from a variable that it does not set; write {} where it can be seen",
                place(self.def),
                setting.name,
                self.right(setting)
            );
            return Some(Finding::of_store(FindingKind::OptionsUnobserved, &setting.store, message));
        }
        let section = self.def.section.as_ref().map_or(String::new(), |section| format!(" in [{section}]"));
        let message = format!(
            "{} does not give `{}`{section}{}; write {}",
            place(self.def),
            setting.name,
            without(setting),
            self.right(setting)
        );
        Some(Finding::of_store(FindingKind::OptionWrong, &setting.store, message))
    }

    fn spelling(&self, setting: &SettingDef, said: &SettingLook, named: bool) -> Option<Finding> {
        let (at, name) = (self.at(said), &setting.name);
        if setting.wanted == WantedValue::Unset {
            return None;
        }
        let (severity, message) = match &said.spelling {
            Spelling::Right => return None,
            Spelling::OtherCase => (
                Severity::Warning,
                format!(
                    "{at} spells `{name}` with other upper and lower case, and no document says whether the product accepts that; write"
                ),
            ),
            Spelling::Dash => {
                (Severity::Error, format!("{at} has a typographic dash where `{name}` has a hyphen; write"))
            }
            Spelling::Mistake(written) => {
                (Severity::Error, format!("{at} has `{}`, which the product does not know; write", escape(written)))
            }
            Spelling::Beginning(beginning) => (
                Severity::Error,
                format!("{at} has a longer name that begins with `{beginning}`, but `{name}` is meant; write"),
            ),
        };
        // If the right name is there too, the wrong one has no effect.
        let severity = if named { Severity::Warning } else { severity };
        let comes = if named || severity != Severity::Error { String::new() } else { without(setting) };
        let message = format!("{message} {}{comes}", self.right(setting));
        Some(Finding::of_store(FindingKind::OptionWrong, &setting.store, message).with_severity(severity))
    }

    fn value(&self, setting: &SettingDef, said: &SettingLook) -> Option<Finding> {
        let (at, name) = (self.at(said), &setting.name);
        let wrong = |message: String| Some(Finding::of_store(FindingKind::OptionWrong, &setting.store, message));
        if setting.wanted == WantedValue::Unset {
            return wrong(format!("{at} gives `{name}`{}; remove it, or give the host another role", without(setting)));
        }
        let right = self.right(setting);
        match &said.value {
            ValueLook::Missing => {
                wrong(format!("{at} gives `{name}` without a value{}; write {right}", without(setting)))
            }
            ValueLook::Empty => wrong(format!("{at} gives `{name}` an empty value{}; write {right}", without(setting))),
            ValueLook::Unclear if matches!(said.spelling, Spelling::Beginning(_)) => None,
            ValueLook::Unclear => self.unclear(setting, said),
            ValueLook::Unquoted => {
                wrong(format!("{at} gives `{name}` a path with spaces but without quotes; write {right}"))
            }
            ValueLook::Withheld => wrong(format!(
                "{at} gives `{name}` another value, which is not shown because it may be a password; write {right}"
            )),
            ValueLook::Text(text) => self.text(setting, said, text),
            ValueLook::Password(look, _) => match look {
                PasswordLook::Named | PasswordLook::Opens | PasswordLook::Unknown => None,
                PasswordLook::DoesNotOpen => {
                    wrong(format!("{at} gives `{name}` a password that does not open {}; write {right}", setting.store))
                }
                PasswordLook::Differs => wrong(format!(
                    "{at} gives `{name}` another password than the spec names for {}; write {right}",
                    setting.store
                )),
            },
        }
    }

    /// Judges a value that may be shown.
    fn text(&self, setting: &SettingDef, said: &SettingLook, text: &str) -> Option<Finding> {
        let (at, name, shown) = (self.at(said), &setting.name, escape(text));
        let right = self.right(setting);
        let wrong = |message: String| Some(Finding::of_store(FindingKind::OptionWrong, &setting.store, message));
        match &setting.wanted {
            WantedValue::Path(path) => match compare::path(path, text) {
                PathComparison::Same => None,
                PathComparison::Unclear => self.unclear(setting, said),
                PathComparison::OtherCase => wrong(format!(
                    "{at} gives `{name}` the path {shown}, but on this host capital letters count; write {right}"
                )),
                PathComparison::Other => wrong(format!("{at} gives `{name}` the path {shown}, but {} is elsewhere; write {right}", setting.store)),
            },
            WantedValue::Word(word) if word == text => None,
            WantedValue::Word(word) if word.eq_ignore_ascii_case(text) => wrong(format!(
                "{at} gives `{name}` the value `{shown}`, and no document says whether the product accepts another spelling than `{word}`; write {right}"
            ))
            .map(|finding| finding.with_severity(Severity::Warning)),
            WantedValue::Word(_) => {
                wrong(format!("{at} gives `{name}` the wrong value `{shown}`{}; write {right}", without(setting)))
            }
            WantedValue::Format(word) => {
                let real = self.real(setting);
                let meant = real.unwrap_or(word);
                if text.eq_ignore_ascii_case(meant) {
                    return None;
                }
                let because = if real.is_some_and(|real| real != word) {
                    format!("but the file is {meant}; write {name} {meant}, or convert the file back to {word}")
                } else {
                    format!("but {} is {meant}; write {right}", setting.store)
                };
                wrong(format!("{at} gives `{name}` the value `{shown}`, {because}"))
            }
            WantedValue::Password | WantedValue::Unset => None,
        }
    }

    /// The real format of a store's file, in the words of Java.
    fn real(&self, setting: &SettingDef) -> Option<&'static str> {
        match self.observed.stores.get(&setting.store) {
            Some(StoreLook::Readable(facts)) => match facts.format {
                Format::Jks | Format::Jceks | Format::Pkcs12 => Some(facts.format.as_str()),
                _ => None,
            },
            Some(StoreLook::Absent { .. } | StoreLook::Unreadable(_) | StoreLook::Unobserved) | None => None,
        }
    }

    fn unclear(&self, setting: &SettingDef, said: &SettingLook) -> Option<Finding> {
        let message = format!(
            "{} gives `{}` a value that cannot be judged from the text: the value has a variable, no folder, or letters of \
             an unknown code page; compare it with {}",
            self.at(said),
            setting.name,
            self.right(setting)
        );
        Some(Finding::of_store(FindingKind::OptionsUnobserved, &setting.store, message))
    }

    fn at(&self, said: &SettingLook) -> String {
        format!("{} line {}", place(self.def), said.line)
    }

    fn right(&self, setting: &SettingDef) -> String {
        format!("`{}`", escape(&line(self.def, setting)))
    }
}

/// The consequence of a setting that is missing or wrong.
fn without(setting: &SettingDef) -> String {
    setting.without.as_ref().map_or(String::new(), |text| format!(" ({})", escape(text)))
}
