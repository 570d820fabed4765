//! Finds and installs what the tests need beside cargo: the judges (a JDK, openssl, NSS, python3 for the mutator) and
//! the test runner. Only missing tools are installed, through the system's package manager.

use std::ffi::OsStr;
use std::process::Command;

use crate::process::{self, Failure};

/// A program that a judge needs, and the packages that contain it.
struct Tool {
    program: &'static str,
    package: &'static str,
    brew: &'static str,
}

const JUDGES: &[Tool] = &[
    Tool { program: "keytool", package: "openjdk-17-jdk-headless", brew: "openjdk@17" },
    Tool { program: "java", package: "openjdk-17-jdk-headless", brew: "openjdk@17" },
    Tool { program: "javac", package: "openjdk-17-jdk-headless", brew: "openjdk@17" },
    Tool { program: "openssl", package: "openssl", brew: "openssl" },
    Tool { program: "python3", package: "python3", brew: "python3" },
    Tool { program: "pk12util", package: "libnss3-tools", brew: "nss" },
];

/// Installs missing judges.
pub(crate) fn ensure_judges() -> Result<(), Failure> {
    let missing: Vec<&Tool> = JUDGES.iter().filter(|tool| !on_path(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs = missing.iter().map(|tool| tool.program).collect::<Vec<_>>().join(", ");
    if !on_path("apt-get") {
        let packages = distinct(missing.iter().map(|tool| tool.brew));
        return Err(format!(
            "the judges need {programs}, not found on PATH. Install them with this system's package manager \
             (for example `brew install {}`), or leave the judges out: `cargo xtask test --no-judges`",
            packages.join(" ")
        )
        .into());
    }
    eprintln!("the judges need {programs}: installing");
    install(&distinct(missing.iter().map(|tool| tool.package))).map_err(|error| {
        format!("{error}; install the packages by hand, or leave the judges out: `cargo xtask test --no-judges`")
    })?;
    match missing.iter().find(|tool| !on_path(tool.program)) {
        None => Ok(()),
        Some(tool) => Err(format!("{} was installed and brought no `{}` on PATH", tool.package, tool.program).into()),
    }
}

/// Installs a C++ compiler if none is found. libFuzzer is built with it.
pub(crate) fn ensure_compiler() -> Result<(), Failure> {
    if ["c++", "g++", "clang++"].iter().any(|program| on_path(program)) {
        return Ok(());
    }
    if !on_path("apt-get") {
        return Err("fuzzing needs a C++ compiler; install one with this system's package manager".into());
    }
    install(&["g++"])
}

/// Whether cargo-nextest can be started. If not, an installation is tried first.
pub(crate) fn ensure_nextest() -> bool {
    if process::succeeds(process::cargo().args(["nextest", "--version"])) {
        return true;
    }
    eprintln!("cargo-nextest is missing: installing it once, from source");
    match process::run(process::cargo().args(["install", "--locked", "cargo-nextest"])) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("{error}; going on with plain `cargo test`");
            false
        }
    }
}

/// Whether a program of this name is on `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = [OsStr::new(program).to_owned(), format!("{program}.exe").into()];
    std::env::split_paths(&path).any(|folder| names.iter().any(|name| folder.join(name).is_file()))
}

/// Installs Debian packages.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    process::run(apt().arg("update"))?;
    process::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// `apt-get`, run by root or through a sudo that asks for no password.
fn apt() -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "apt-get"]);
        sudo
    };
    command.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}
