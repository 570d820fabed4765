//! `cargo xtask windows`: builds the program and its tests for Windows with mingw-w64, and runs them under Wine.
//!
//! The build needs the standard library for the target. If the target is installed (`rustup target add`), its library
//! is used. Else the library is built once from its source, which Debian packages in the compiler's version, into a
//! folder below `target/windows`. The toolchain and the system's package sources are not changed.
//!
//! If something is not available on the machine, the task says so clearly and does not count as passed ([`Leg`]).

mod library;
mod wine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, Failure};
use crate::tools;

pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// The packages to build and test. All are always selected together, because another selection compiles shared crates
/// again.
const PACKAGES: [&str; 4] = ["trustmason-windows", "trustmason-spec", "trustmason-host", "trustmason"];

/// Campaigns that repeat the whole run for each of its steps, or for hundreds of seeds. Under Wine they take minutes.
/// `host`'s unit tests try the same steps of one file.
const LONG: [&str; 4] = ["faults::", "cut_off_at_any_step", "cut_off_anywhere", "forged_state_folder"];

/// Packages that `dev` optimises for tests that do not run here. Compiling them so takes longer than it saves under Wine.
const UNOPTIMISED: [&str; 2] = ["trustmason-keystore", "serde-saphyr"];

/// The extent of the task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything is built and nothing runs, so that the build can run beside something else.
    Build,
    /// The tests of the program, and the tests of `host` on a disk.
    Usual,
    /// The usual tests, the long campaigns, and the unit tests, which are compiled for this only.
    Long,
}

/// The result of the task.
pub(crate) enum Leg {
    Ran,
    /// Something is not available on this machine.
    Skipped,
}

/// The reason why a part cannot be done on this machine. A part that failed is an error instead.
pub(crate) struct Missing(pub(crate) String);

impl<E: std::fmt::Display> From<E> for Missing {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn run(extent: Extent) -> Result<Leg, Failure> {
    let home = process::root().join("target/windows");
    let mut clock = Stopwatch::default();
    let ready = prepare(&home, &mut clock);
    let machine = match ready {
        Ok(machine) => machine,
        Err(Missing(why)) => {
            eprintln!("\nwindows leg SKIPPED: {why}\n");
            return Ok(Leg::Skipped);
        }
    };
    clock
        .time("build", || process::run(machine.test().args(["--no-run", "--test", "machine", "--test", "windows"])))?;
    if extent == Extent::Build {
        println!("\n{}", clock.table());
        return Ok(Leg::Ran);
    }
    clock.time("machine", || {
        let skipped = LONG.iter().filter(|_| extent != Extent::Long).flat_map(|name| ["--skip", name]);
        process::run(machine.test().args(["--test", "machine", "--"]).args(skipped))
    })?;
    clock.time("program", || process::run(machine.test().args(["--test", "windows"])))?;
    if extent == Extent::Long {
        clock.time("units", || process::run(machine.test().arg("--lib")))?;
    }
    machine.wine.rest();
    println!("\n{}", clock.table());
    Ok(Leg::Ran)
}

/// The prepared standard library and Wine.
struct Machine {
    library: Option<PathBuf>,
    wine: wine::Wine,
}

fn prepare(home: &Path, clock: &mut Stopwatch) -> Result<Machine, Missing> {
    std::fs::create_dir_all(home)?;
    clock.time("packages", packages)?;
    let library = clock.time("std", || library::ensure(home))?;
    let wine = clock.time("wine", || wine::ensure(home))?;
    Ok(Machine { library, wine })
}

fn packages() -> Result<(), Missing> {
    let mut missing = Vec::new();
    if !tools::on_path("x86_64-w64-mingw32-gcc") {
        missing.push("gcc-mingw-w64-x86-64-posix");
    }
    if wine::program().is_none() {
        missing.push("wine64");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let named = missing.join(" and ");
    if !tools::on_path("apt-get") {
        return Err(Missing(format!("{named} (Debian's names) not found; install what brings them here")));
    }
    tools::install(&missing).map_err(|error| Missing(format!("{named} cannot be installed: {error}")))
}

impl Machine {
    /// `cargo test` for the target, in a build folder of its own, because cargo locks each folder for one build.
    fn test(&self) -> Command {
        let mut command = process::cargo();
        command.args(["test", "--locked", "--target", TARGET]);
        for name in UNOPTIMISED {
            command.args(["--config", &format!("profile.dev.package.{name}.opt-level=0")]);
        }
        command.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
        // Flags for all targets would replace those for this target.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        if let Some(library) = &self.library {
            command.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS", format!("--sysroot={}", library.display()));
        }
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        // No assembler is needed: the crate contains the assembled objects.
        command.env("AWS_LC_SYS_PREBUILT_NASM", "1");
        command.env("CARGO_TARGET_DIR", process::root().join("target/windows/build"));
        self.wine.dress(&mut command);
        command
    }
}

/// The duration of each part.
#[derive(Default)]
struct Stopwatch(Vec<(&'static str, Duration)>);

impl Stopwatch {
    fn time<T, E>(&mut self, part: &'static str, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let since = Instant::now();
        let done = act();
        self.0.push((part, since.elapsed()));
        done
    }

    fn table(&self) -> String {
        let total = self.0.iter().map(|(_, time)| *time).sum();
        let line = |(part, time): (&str, Duration)| format!("windows {part:<10} {:>6.1} s\n", time.as_secs_f64());
        self.0.iter().copied().chain([("total", total)]).map(line).collect()
    }
}
