//! Long campaigns of tests. Each runs one test at a larger size and writes its figures into a page of `docs/`.

use std::fs;

use crate::process::{self, Failure};
use crate::{java8, tools};

/// The default seed of the campaigns.
pub(crate) const SEED: u64 = 20_261_129;
/// The default seed for kills. Their page has figures of this seed.
pub(crate) const KILL_SEED: u64 = 20_261_124;
/// The default sizes of the campaigns.
pub(crate) const KILLS: u32 = 500;
pub(crate) const FORGERIES: u32 = 10_000;
pub(crate) const CHAINS: u32 = 5_000;
pub(crate) const LOADS: u32 = 20_000;

const KILLS_PAGE: &str = include_str!("campaign/kills.md");
const FORGERIES_PAGE: &str = include_str!("campaign/forgeries.md");
const CHAINS_PAGE: &str = include_str!("campaign/chains.md");
const MODEL_PAGE: &str = include_str!("campaign/model.md");
const LOADS_PAGE: &str = include_str!("campaign/loads.md");

/// A long run of a test, and the page for its figures.
struct Campaign<'a> {
    /// The name of the page without its ending.
    page: &'a str,
    /// The text of the page, with `{count}`, `{seed}` and `{figures}` where these go.
    text: &'a str,
    /// The number of cases and the seed that they follow from; `None` for a search that draws no cases.
    drawn: Option<(u32, u64)>,
    /// The arguments of `cargo test` that select the test.
    test: &'a [&'a str],
    settings: &'a [(&'a str, String)],
    /// Whether the test asks JVMs.
    judged: bool,
}

/// Runs the campaign that kills real applies.
pub(crate) fn kill(kills: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    Campaign {
        page: "kills",
        text: KILLS_PAGE,
        drawn: Some((kills, seed)),
        test: &["--package", "trustmason", "--test", "all", "judge_kills::"],
        settings: &[("TRUSTMASON_KILLS", kills.to_string()), ("TRUSTMASON_KILL_SEED", seed.to_string())],
        judged: true,
    }
    .run()
}

/// Runs the campaign that forges state folders.
pub(crate) fn forge(count: u32, seed: u64) -> Result<(), Failure> {
    Campaign {
        page: "forgeries",
        text: FORGERIES_PAGE,
        drawn: Some((count, seed)),
        test: &["--package", "trustmason-host", "--test", "machine", "forged::"],
        settings: &[("TRUSTMASON_FORGERIES", count.to_string()), ("TRUSTMASON_FORGERY_SEED", seed.to_string())],
        judged: false,
    }
    .run()
}

/// Runs the campaign that judges chains of certificates.
pub(crate) fn chains(count: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    Campaign {
        page: "chains",
        text: CHAINS_PAGE,
        drawn: Some((count, seed)),
        test: &["--package", "trustmason-keystore", "--test", "all", "judge_chains::"],
        settings: &[("TRUSTMASON_CHAINS", count.to_string()), ("TRUSTMASON_CHAIN_SEED", seed.to_string())],
        judged: true,
    }
    .run()
}

/// Runs every test in full. `cargo xtask test` runs only a sample of some, and skips those that take minutes.
pub(crate) fn tests() -> Result<(), Failure> {
    process::run(process::cargo().args(["xtask", "test", "--release"]).env("TRUSTMASON_WHOLE", "1"))
}

/// Searches the model of rotation in its larger worlds.
pub(crate) fn model() -> Result<(), Failure> {
    Campaign {
        page: "model",
        text: MODEL_PAGE,
        drawn: None,
        test: &["--release", "--package", "trustmason-plan", "--test", "all", "never_lose"],
        settings: &[("TRUSTMASON_MODEL", "whole".to_owned()), ("TRUSTMASON_WHOLE", "1".to_owned())],
        judged: false,
    }
    .run()
}

/// Runs the campaign that asks JVMs about certificates.
pub(crate) fn loads(count: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    Campaign {
        page: "loads",
        text: LOADS_PAGE,
        drawn: Some((count, seed)),
        test: &["--package", "trustmason-keystore", "--test", "all", "loads::judge_", "loads::keys::judge_"],
        settings: &[
            ("TRUSTMASON_LOADS", count.to_string()),
            ("TRUSTMASON_KEYS", count.div_ceil(20).to_string()),
            ("TRUSTMASON_LOADS_SEED", seed.to_string()),
        ],
        judged: true,
    }
    .run()
}

impl Campaign<'_> {
    fn run(self) -> Result<(), Failure> {
        let report = process::root().join("target/report.txt");
        if report.exists() {
            fs::remove_file(&report)?;
        }
        let mut test = process::cargo();
        test.arg("test").args(self.test).args(["--", "--nocapture", "--test-threads", "1"]);
        test.envs(self.settings.iter().map(|(name, value)| (name, value))).env("TRUSTMASON_REPORT", &report);
        test.envs(self.judged.then(java8::setting).flatten());
        process::run(&mut test)?;
        let figures = fs::read_to_string(&report)
            .map_err(|error| format!("the test left no figures in {}: {error}", report.display()))?;
        let lines: String = figures.trim().split("; ").map(|clause| format!("{clause}\n")).collect();
        let page = process::root().join("docs").join(self.page).with_extension("md");
        let (count, seed) = self.drawn.unzip();
        let text = self.text.replace("{count}", &count.unwrap_or_default().to_string());
        let text = text.replace("{seed}", &seed.unwrap_or_default().to_string()).replace("{figures}", &lines);
        fs::write(&page, text)?;
        println!("wrote docs/{}.md", self.page);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    /// Reads the page at the start of `page` that `text` describes, and returns the values of the placeholders by name.
    fn values<'t>(text: &'t str, page: &'t str) -> Option<Vec<(&'t str, &'t str)>> {
        let Some((before, rest)) = text.split_once('{') else { return (text == page).then(Vec::new) };
        let (name, rest) = rest.split_once('}')?;
        let page = page.strip_prefix(before)?;
        let next = rest.split('{').next().unwrap_or_default();
        let end = if name == "figures" { page.find(next)? } else { page.find(|c: char| !c.is_ascii_digit())? };
        let (value, page) = page.split_at_checked(end)?;
        let mut found = values(rest, page)?;
        found.push((name, value));
        Some(found)
    }

    #[test]
    fn each_page_is_its_text_with_figures() {
        let pages = [
            ("kills", KILLS_PAGE),
            ("forgeries", FORGERIES_PAGE),
            ("chains", CHAINS_PAGE),
            ("model", MODEL_PAGE),
            ("loads", LOADS_PAGE),
        ];
        for (name, text) in pages {
            let page = fs::read_to_string(process::root().join("docs").join(name).with_extension("md")).unwrap();
            let found = values(text, &page).unwrap_or_else(|| panic!("docs/{name}.md is not what its campaign writes"));
            for (placeholder, value) in &found {
                assert!(!value.is_empty(), "docs/{name}.md: {placeholder}");
                let same = found.iter().filter(|(other, _)| other == placeholder).all(|(_, other)| other == value);
                assert!(same, "docs/{name}.md has two values for {placeholder}");
            }
        }
    }
}
