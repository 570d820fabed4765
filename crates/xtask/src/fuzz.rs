//! `cargo xtask fuzz`: builds `crates/keystore/fuzz` with coverage instrumentation and runs it for each format. Only
//! the stable compiler and a C++ compiler are needed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Failure};
use crate::tools;

/// The targets. Each has the name of its format.
const TARGETS: [&str; 10] =
    ["jks", "jceks", "pkcs12", "pem", "der", "pkcs7", "windows-sst", "windows-element", "windows-reg", "windows-hive"];
/// The flags that libFuzzer needs: a counter at each edge, and traced comparisons.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// The default seed for the mutations.
pub(crate) const SEED: u32 = 20_261_126;

/// The length of a target's run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Runs(u32),
    Seconds(u32),
}

pub(crate) fn run(target: Option<&str>, length: Length, seed: u32) -> Result<(), Failure> {
    let targets: Vec<&str> = TARGETS.into_iter().filter(|name| target.is_none_or(|wanted| wanted == *name)).collect();
    if targets.is_empty() {
        return Err(format!("no such target; there are {}", TARGETS.join(", ")).into());
    }
    tools::ensure_compiler()?;
    let home = process::root().join("target/fuzz");
    let package = process::root().join("crates/keystore/fuzz/Cargo.toml");
    let mut build = process::cargo();
    build.args(["build", "--release", "--locked", "--manifest-path"]).arg(&package);
    let triple = host()?;
    // An explicit target keeps build scripts free of the instrumentation.
    build.args(["--target", &triple]).env("CARGO_TARGET_DIR", &home).env("RUSTFLAGS", INSTRUMENTED);
    // For a few thousand inputs, optimising the program takes longer than it saves.
    match length {
        Length::Runs(_) => build.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
        Length::Seconds(_) => build.env_remove("CARGO_PROFILE_RELEASE_OPT_LEVEL"),
    };
    process::run(&mut build)?;
    let program = home.join(&triple).join("release/target");
    let mut table =
        format!("{:<16} {:>10} {:>9} {:>9} {:>8}\n", "target", "executions", "a second", "coverage", "seconds");
    for name in targets {
        table.push_str(&campaign(&home, &program, name, length, seed)?);
    }
    println!("\nseed {seed}\n{table}");
    Ok(())
}

fn host() -> Result<String, Failure> {
    let said = process::output(Command::new("rustc").arg("-vV"))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc names no host".into())
}

/// The folders from which seeds are made: the fixtures, and the larger set of keystores if there is one.
fn sources() -> Result<OsString, Failure> {
    let corpus = std::env::var_os("TRUSTMASON_CORPUS").map(|folder| PathBuf::from(folder).join("files"));
    let folders = std::iter::once(process::root().join("fixtures/keystore")).chain(corpus);
    std::env::join_paths(folders).map_err(|error| format!("seeds: {error}").into())
}

fn campaign(home: &Path, program: &Path, name: &str, length: Length, seed: u32) -> Result<String, Failure> {
    let (corpus, artifacts) = (home.join("corpus").join(name), home.join("artifacts").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let seeds = home.join("seeds").join(name);
    if seeds.exists() {
        fs::remove_dir_all(&seeds)?;
    }
    let mut fuzz = Command::new(program);
    fuzz.env("TRUSTMASON_FUZZ", name).env("TRUSTMASON_FUZZ_FROM", sources()?).env("TRUSTMASON_FUZZ_SEEDS", &seeds);
    fuzz.arg(&corpus).arg(&seeds);
    fuzz.arg(match length {
        Length::Runs(runs) => format!("-runs={runs}"),
        Length::Seconds(seconds) => format!("-max_total_time={seconds}"),
    });
    fuzz.args(["-max_len=65536", "-timeout=30", "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1"]);
    fuzz.arg(format!("-seed={seed}")).arg(format!("-artifact_prefix={}/", artifacts.display()));
    eprintln!("$ {name} {length:?}");
    let output = fuzz.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let tail: Vec<&str> = said.lines().rev().take(60).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(
            format!("{name}: {}\n{}\nthe input is in {}", output.status, tail.join("\n"), artifacts.display()).into()
        );
    }
    let stat = |word: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(word))
            .map_or_else(|| "?".to_owned(), |value| value.trim().to_owned())
    };
    let done = said.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE")).unwrap_or_default();
    let coverage = done.split_whitespace().skip_while(|word| *word != "cov:").nth(1).unwrap_or("?").to_owned();
    let seconds = said
        .lines()
        .find_map(|line| line.strip_prefix("Done ")?.split_whitespace().nth(3).map(str::to_owned))
        .unwrap_or_else(|| "?".to_owned());
    let (runs, rate) = (stat("stat::number_of_executed_units:"), stat("stat::average_exec_per_sec:"));
    Ok(format!("{name:<16} {runs:>10} {rate:>9} {coverage:>9} {seconds:>8}\n"))
}
