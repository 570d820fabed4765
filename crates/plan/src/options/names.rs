//! Finds the setting that a name means, and how the name is written. It never looks at a value.

use trustmason_spec::topology::{OptionsDef, SettingDef, WantedValue};

use super::given::Spelling;

/// The setting that was found for a name.
pub(super) struct MatchedName<'t> {
    /// The setting, by its position in the definition.
    pub(super) setting: usize,
    pub(super) spelling: Spelling,
    /// The rest of a word that is longer than the name.
    pub(super) rest: Option<&'t str>,
}

/// The longest name that is compared. A longer name is no misspelling, and comparing it would cost time.
const LONGEST: usize = 80;

/// The most edits in a misspelling.
const SLIPS: usize = 2;

/// The setting that a name is, or is meant to be.
pub(super) fn find<'t>(def: &OptionsDef, name: &'t str) -> Option<MatchedName<'t>> {
    let found = |setting, spelling| Some(MatchedName { setting, spelling, rest: None });
    if let Some((setting, spelling)) = exact(def, name) {
        return found(setting, spelling);
    }
    let hyphen = hyphens(name);
    if let Some(hyphen) = &hyphen
        && let Some((setting, _)) = exact(def, hyphen)
    {
        return found(setting, Spelling::Dash);
    }
    if name.len() > LONGEST {
        return None;
    }
    let length = name.chars().count();
    let like =
        |one: &SettingDef| one.wanted != WantedValue::Unset && one.name.chars().count().abs_diff(length) <= SLIPS;
    let slips = def.settings.iter().enumerate().filter(|(_, one)| like(one)).filter_map(|(at, one)| {
        let distance = strsim::damerau_levenshtein(&name.to_lowercase(), &one.name.to_lowercase());
        // If two names are equally near, the password is meant. No password is then taken for anything else.
        (distance <= SLIPS && one.name.len() > 2 * SLIPS).then_some((distance, one.wanted != WantedValue::Password, at))
    });
    let (_, _, setting) = slips.min()?;
    found(setting, Spelling::Mistake(name.to_owned()))
}

/// The setting whose name begins a longer word. The beginning of a name that documents have counts as well.
pub(super) fn begun<'t>(def: &OptionsDef, argument: &'t str) -> Option<MatchedName<'t>> {
    let begins = |beginning: &str| {
        let head = argument.get(..beginning.len())?;
        head.eq_ignore_ascii_case(beginning).then(|| argument.get(beginning.len()..)).flatten()
    };
    let settings = def.settings.iter().enumerate().filter(|(_, one)| one.wanted != WantedValue::Unset);
    let beginnings = settings.flat_map(|(at, one)| {
        let open = one.misspellings.iter().filter_map(|was| was.strip_suffix('*'));
        std::iter::once(one.name.as_str()).chain(open).map(move |beginning| (at, beginning))
    });
    let hits = beginnings.filter_map(|(at, beginning)| Some((beginning.len(), at, beginning, begins(beginning)?)));
    let (_, setting, beginning, rest) = hits.max()?;
    Some(MatchedName { setting, spelling: Spelling::Beginning(beginning.to_owned()), rest: Some(rest) })
}

/// The setting with exactly this name. A name that is known to be wrong counts as well.
pub(super) fn exact(def: &OptionsDef, name: &str) -> Option<(usize, Spelling)> {
    let at = |fits: &dyn Fn(&SettingDef) -> bool| def.settings.iter().position(fits);
    let right = at(&|one| one.name == name).map(|at| (at, Spelling::Right));
    let folded = || at(&|one| one.name.eq_ignore_ascii_case(name)).map(|at| (at, Spelling::OtherCase));
    let mistake = || {
        let known = at(&|one| one.misspellings.iter().any(|was| was.eq_ignore_ascii_case(name)))?;
        Some((known, Spelling::Mistake(name.to_owned())))
    };
    right.or_else(folded).or_else(mistake)
}

/// A name with hyphens instead of the dashes that word processors write; `None` if it has no such dash.
pub(super) fn hyphens(name: &str) -> Option<String> {
    name.contains(is_dash).then(|| name.replace(is_dash, "-"))
}

/// Whether a character is a dash but no hyphen.
pub(super) fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}
