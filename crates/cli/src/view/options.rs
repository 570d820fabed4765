//! The report about an options file: the text to paste, and whether the file that exists agrees with it.

use trustmason_plan::finding::FindingKind;
use trustmason_plan::observed::Observed;
use trustmason_plan::options::{self, OptionsLook};
use trustmason_plan::outline::Plan;
use trustmason_plan::text::{count, escape};
use trustmason_spec::topology::{OptionsAt, OptionsDef};

use super::{BOLD, DIM, line, paint};

/// Explains one options file.
pub(super) fn text(out: &mut String, observed: &Observed, plan: &Plan, def: &OptionsDef) {
    let path = match &def.at {
        OptionsAt::File(path) => escape(&path.shown),
        OptionsAt::Undeclared(variables) => format!("(unknown; set {} in `vars:`)", variables.join(", ")),
    };
    line!(out, "{}  {}", paint(BOLD, format!("options {}/{}", def.host, def.name)), paint(DIM, path));
    line!(out, "  what      {}", escape(&def.about));
    line!(out, "  source    {}", escape(&def.source));
    let now = match observed.options.get(&(def.host.clone(), def.name.clone())) {
        Some(OptionsLook::Read(facts)) if facts.said.is_empty() => "the file has none of the settings below".to_owned(),
        Some(OptionsLook::Read(_)) => match wrong(plan, def) {
            0 => "as it should be, as far as trustmason can tell".to_owned(),
            wrong => format!("{} wrong", count(wrong, "setting")),
        },
        Some(OptionsLook::Absent) => "not there".to_owned(),
        Some(OptionsLook::Unreadable(why)) => format!("not readable: {}", escape(why)),
        Some(OptionsLook::Undeclared) | None => "this machine cannot see it".to_owned(),
    };
    line!(out, "  now       {now}");
    line!(out, "  it should have");
    for text in options::block(def) {
        line!(out, "    {}", escape(&text));
    }
    for setting in options::forbidden(def) {
        line!(out, "  and not   {}", escape(&setting.name));
    }
}

/// The number of the file's settings with a finding.
fn wrong(plan: &Plan, def: &OptionsDef) -> usize {
    let place = match &def.at {
        OptionsAt::File(path) => escape(&path.shown),
        OptionsAt::Undeclared(_) => return 0,
    };
    let about = |f: &&trustmason_plan::finding::Finding| {
        f.kind == FindingKind::OptionWrong && f.host.as_ref() == Some(&def.host) && f.message.starts_with(&place)
    };
    plan.findings.iter().filter(about).count()
}
