//! Provides the standard library for the target: the toolchain's own, or one built from source into a sysroot below
//! `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Missing, TARGET};
use crate::process;
use crate::tools;

/// The Debian releases that may have the compiler's version, the most likely first. The releases are asked one by one,
/// because their lists are large.
const SUITES: [&str; 4] = ["trixie-backports", "trixie", "forky", "sid"];

/// Provides the library. `None` if the toolchain has it, else the sysroot with it.
pub(super) fn ensure(home: &Path) -> Result<Option<PathBuf>, Missing> {
    let rustc = Rustc::ask()?;
    if holds_std(&rustc.sysroot) {
        return Ok(None);
    }
    let sysroot = home.join(format!("std-{}", rustc.key));
    if holds_std(&sysroot) {
        return Ok(Some(sysroot));
    }
    let work = home.join("work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    let library = match rustc.sysroot.join("lib/rustlib/src/rust/library") {
        component if component.is_dir() => component,
        _ => from_debian(&work, &rustc.release)?,
    };
    build(&work, &library, &sysroot)?;
    fs::remove_dir_all(&work)?;
    Ok(Some(sysroot))
}

fn folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn holds_std(sysroot: &Path) -> bool {
    let mut files = fs::read_dir(folder(sysroot)).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// The compiler's description of itself.
struct Rustc {
    release: String,
    /// A text that differs between compilers whose libraries are incompatible.
    key: String,
    sysroot: PathBuf,
}

impl Rustc {
    fn ask() -> Result<Self, Missing> {
        let said = |arguments: &[&str]| -> Result<String, Missing> {
            let output = process::output(Command::new("rustc").args(arguments).current_dir(process::root()))?;
            Ok(String::from_utf8(output)?.trim().to_owned())
        };
        let version = said(&["-vV"])?;
        let line = |name: &str| {
            let value = version.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::to_owned).ok_or_else(|| Missing(format!("`rustc -vV` has no line `{name}`")))
        };
        let release = line("release: ")?;
        let commit = line("commit-hash: ")?;
        let key = format!("{release}-{}", commit.get(..9).unwrap_or(&commit));
        Ok(Self { release, key, sysroot: said(&["--print", "sysroot"])?.into() })
    }
}

/// Takes the source from Debian's package `rust-src` in the compiler's version. Lists and cache are below the work folder.
fn from_debian(work: &Path, release: &str) -> Result<PathBuf, Missing> {
    if !tools::on_path("apt-get") || !tools::on_path("dpkg-deb") {
        return Err(Missing(format!(
            "there is no standard library for {TARGET}, and no Debian to take its source from; try `rustup target add {TARGET}`"
        )));
    }
    let (mirror, keys) = mirror()?;
    let parts = work.join("sources");
    for made in ["sources", "lists/partial", "archives/partial"] {
        fs::create_dir_all(work.join(made))?;
    }
    fs::write(work.join("status"), "")?;
    let apt = |program: &str| {
        let mut command = Command::new(program);
        for (option, path) in [
            ("Dir::State::Lists", work.join("lists")),
            ("Dir::State::status", work.join("status")),
            ("Dir::Cache", work.to_owned()),
            ("Dir::Cache::Archives", work.join("archives")),
            ("Dir::Etc::SourceList", work.join("none")),
            ("Dir::Etc::SourceParts", parts.clone()),
        ] {
            command.args(["-o", &format!("{option}={}", path.display())]);
        }
        // Only package lists are fetched, without descriptions and icons.
        command.args(["-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"]);
        command.args(["-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root", "--quiet"]).current_dir(work);
        command
    };
    for suite in SUITES {
        let source = format!("Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {keys}\n");
        fs::write(parts.join("rust.sources"), source)?;
        if let Err(error) = process::run(apt("apt-get").arg("update")) {
            eprintln!("{suite} cannot be asked: {error}");
            continue;
        }
        let offered = process::output(apt("apt-cache").args(["madison", "rust-src"]))?;
        let offered = String::from_utf8_lossy(&offered).into_owned();
        let fits = |version: &&str| version.strip_prefix(release).is_some_and(|rest| rest.starts_with(['+', '-', '~']));
        let Some(version) = offered.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).find(fits) else {
            continue;
        };
        process::run(apt("apt-get").arg("download").arg(format!("rust-src={version}")))?;
        return unpacked(work, release);
    }
    Err(Missing(format!(
        "no Debian release has the source of the standard library of Rust {release}; try `rustup target add {TARGET}`"
    )))
}

/// The mirror that the system uses, and the keys with which it verifies the mirror.
fn mirror() -> Result<(String, String), Missing> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|item| item.path()));
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let deb822 = file.extension().is_some_and(|extension| extension == "sources");
        let listed = deb822 || file.extension().is_some_and(|extension| extension == "list");
        for line in text.lines().filter(|_| listed) {
            let uri = match deb822 {
                true => line.strip_prefix("URIs:").and_then(|rest| rest.split_whitespace().next()),
                false => {
                    line.strip_prefix("deb ").and_then(|rest| rest.split_whitespace().find(|word| word.contains("://")))
                }
            };
            // Security updates and other vendors have other mirrors.
            if let Some(uri) = uri.filter(|uri| uri.trim_end_matches('/').ends_with("/debian")) {
                return Ok((uri.to_owned(), "/usr/share/keyrings/debian-archive-keyring.gpg".to_owned()));
            }
        }
    }
    Err(Missing("this system names no Debian mirror in /etc/apt".to_owned()))
}

/// Unpacks only `library/` from the package, a seventh of its size.
fn unpacked(work: &Path, release: &str) -> Result<PathBuf, Missing> {
    let package = fs::read_dir(work)?
        .flatten()
        .map(|item| item.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.ok_or_else(|| Missing("apt-get downloaded no package".to_owned()))?;
    let inside = format!("usr/src/rustc-{release}/library");
    let mut archive =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&package).stdout(std::process::Stdio::piped()).spawn()?;
    let pipe = archive.stdout.take().ok_or_else(|| Missing("dpkg-deb has no output".to_owned()))?;
    let taken = process::run(Command::new("tar").args(["-x", "-C"]).arg(work).arg(format!("./{inside}")).stdin(pipe));
    // The signal to stop comes when tar has read enough, so the exit code means nothing.
    let _code = archive.wait()?;
    taken?;
    Ok(work.join(inside))
}

/// Builds the library, and the crates that tests need, into the sysroot.
fn build(work: &Path, library: &Path, sysroot: &Path) -> Result<(), Missing> {
    let target = work.join("target");
    let mut build = process::cargo();
    build.args(["build", "--release", "--quiet", "--target", TARGET, "--features", "panic-unwind,backtrace"]);
    build.arg("--manifest-path").arg(library.join("sysroot/Cargo.toml"));
    // The stable compiler builds its own library with these settings. `unmarked` keeps the library's dependencies private.
    build
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_DEFAULT_LIB_METADATA", "trustmason")
        .env("CARGO_TARGET_DIR", &target);
    build.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS", "-Zforce-unstable-if-unmarked --cap-lints=allow");
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    process::run(&mut build)?;
    // The sysroot is built beside its place and then renamed, so a folder with the final name is always complete.
    let beside = work.join("sysroot");
    fs::create_dir_all(folder(&beside))?;
    for file in fs::read_dir(target.join(TARGET).join("release/deps"))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libsysroot-") {
            fs::copy(&path, folder(&beside).join(name))?;
        }
    }
    if sysroot.exists() {
        fs::remove_dir_all(sysroot)?;
    }
    Ok(fs::rename(&beside, sysroot)?)
}
