//! Unpacks a Java 8 as a judge: Debian's packages of OpenJDK 8 from the unstable suite and the libraries they need, in
//! a root of their own below `target`. Nothing is installed on the machine. The packages come from the mirror that apt
//! uses.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Failure};
use crate::tools;

const PACKAGES: [&str; 6] =
    ["openjdk-8-jre-headless", "openjdk-8-jdk-headless", "libc6", "zlib1g", "libstdc++6", "libgcc-s1"];

/// The folder of the JDK as seen from inside its root.
const HOME: &str = "/usr/lib/jvm/java-8-openjdk-amd64";

/// The root of a Java 8. If it is missing, it is unpacked now. `None`, with a clear message, if that is impossible.
pub(crate) fn ensure() -> Option<PathBuf> {
    let root = process::root().join("target/java8");
    if root.join("java8").is_file() {
        return Some(root);
    }
    eprintln!("Java 8 is missing as a judge: unpacking one into {}", root.display());
    match unpack(&root) {
        Ok(()) => Some(root),
        Err(error) => {
            eprintln!(
                "NOT JUDGED BY JAVA 8: none can be had on this machine, so it judges nothing of this run ({error})"
            );
            None
        }
    }
}

/// The variable `TRUSTMASON_JAVA8` for tests, as the caller set it or with the unpacked root.
pub(crate) fn setting() -> Option<(&'static str, OsString)> {
    let root = std::env::var_os("TRUSTMASON_JAVA8").or_else(|| ensure().map(PathBuf::into_os_string))?;
    Some(("TRUSTMASON_JAVA8", root))
}

fn unpack(root: &Path) -> Result<(), Failure> {
    if let Some(missing) = ["apt-get", "dpkg-deb"].into_iter().find(|program| !tools::on_path(program)) {
        return Err(format!("`{missing}` is needed for that").into());
    }
    if !cfg!(target_arch = "x86_64") {
        return Err("the packages are looked for on x86-64 only".into());
    }
    let work = root.with_extension("unpacking");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let fresh = work.join("root");
    for folder in ["lists/partial", "cache/archives/partial", "packages", "root/tmp", "root/proc", "root/dev"] {
        fs::create_dir_all(work.join(folder))?;
    }
    let line = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {} sid main\n",
        mirror()?.trim_end_matches('/')
    );
    fs::write(work.join("sources.list"), line)?;
    process::run(apt(&work).arg("update"))?;
    process::run(apt(&work).arg("download").args(PACKAGES).current_dir(work.join("packages")))?;
    for package in fs::read_dir(work.join("packages"))? {
        process::run(Command::new("dpkg-deb").arg("--extract").arg(package?.path()).arg(&fresh))?;
    }
    for link in ["bin", "lib", "lib64"] {
        if !fresh.join(link).exists() {
            std::os::unix::fs::symlink(format!("usr/{link}"), fresh.join(link))?;
        }
    }
    for (name, minor, mode) in [("random", "8", "444"), ("urandom", "9", "444"), ("null", "3", "666")] {
        // Making a device needs root. Without root, `unshare` works without the devices.
        process::succeeds(
            Command::new("mknod").arg("-m").arg(mode).arg(fresh.join("dev").join(name)).args(["c", "1", minor]),
        );
    }
    for tool in ["java", "javac"] {
        wrapper(&fresh, root, tool)?;
    }
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    fs::rename(&fresh, root)?;
    fs::remove_dir_all(&work)?;
    if process::succeeds(Command::new(root.join("java8")).arg("-version")) {
        return Ok(());
    }
    fs::remove_dir_all(root)?;
    Err("it was unpacked and does not start".into())
}

/// Writes the script `java8` or `javac8`. The script runs inside the root, so paths are as seen from there.
fn wrapper(fresh: &Path, root: &Path, tool: &str) -> Result<(), Failure> {
    let script = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH={HOME}/jre/lib/amd64/jli\n\
         [ \"$(id -u)\" = 0 ] && exec chroot '{root}' {HOME}/bin/{tool} \"$@\"\n\
         exec unshare --map-root-user --root='{root}' {HOME}/bin/{tool} \"$@\"\n",
        root = root.display()
    );
    let path = fresh.join(format!("{tool}8"));
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The mirror that most of apt's indexes come from, without security updates.
fn mirror() -> Result<String, Failure> {
    let said = process::output(Command::new("apt-get").args(["indextargets", "--format", "$(REPO_URI)"]))?;
    let said = String::from_utf8(said)?;
    let mut mirrors: Vec<&str> = said.lines().filter(|line| !line.is_empty() && !line.contains("security")).collect();
    mirrors.sort_unstable();
    let most = mirrors.chunk_by(|one, next| one == next).max_by_key(|same| same.len());
    let found = most.and_then(|same| same.first()).ok_or("apt knows no mirror of Debian")?;
    Ok((*found).to_owned())
}

/// `apt-get` with lists and a cache of its own.
fn apt(work: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let option = |name: &str, value: &Path| format!("{name}={}", value.display());
    command.arg("--quiet=2").args(["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root"]);
    command.args(["-o", "Acquire::Languages=none"]);
    command.args(["-o", &option("Dir::Etc::sourcelist", &work.join("sources.list"))]);
    command.args(["-o", &option("Dir::State::lists", &work.join("lists"))]);
    command.args(["-o", &option("Dir::Cache", &work.join("cache"))]);
    command
}
