//! `cargo xtask kill`: a long campaign of the test that kills applies, with its figures in `docs/kills.md`.

use std::fs;

use crate::process::{self, Failure};
use crate::tools;

pub(crate) fn run(kills: u32, seed: u64) -> Result<(), Failure> {
    tools::ensure_judges()?;
    let report = process::root().join("target/kills.txt");
    let mut test = process::cargo();
    test.args(["test", "--package", "trustmason", "--test", "judge_kills", "--", "--nocapture"]);
    test.env("TRUSTMASON_KILLS", kills.to_string()).env("TRUSTMASON_KILL_SEED", seed.to_string());
    test.env("TRUSTMASON_KILL_REPORT", &report);
    process::run(&mut test)?;
    let figures = fs::read_to_string(&report)?;
    let text = format!(
        "# Killed runs\n\n`cargo xtask kill --kills {kills} --seed {seed}` starts that many real `apply` runs, each on a fresh copy of an \
         estate with\nfour keystores (two of them are written, a new key is made), and kills each with `kill -9` at a moment that \
         follows from\nthe seed. After each kill every store is compared with what it was and with what the run's journal \
         announced, opened\nin a JVM with its keys, and its mode compared; then `apply` is run again and must finish the work, \
         leave no temporary\nfile and no key but the one that waits for its phase, and `plan` must find nothing to change.\n\n\
         ```text\n{}```\n\nA smaller campaign of 10 kills is part of the tests.\n",
        wrapped(&figures)
    );
    fs::write(process::root().join("docs/kills.md"), text)?;
    println!("wrote docs/kills.md");
    Ok(())
}

/// One clause a line.
fn wrapped(figures: &str) -> String {
    figures.trim().split("; ").map(|clause| format!("{clause}\n")).collect()
}
