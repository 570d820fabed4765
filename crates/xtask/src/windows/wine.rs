//! Prepares Wine with a prefix of its own below `target/windows`. No other prefix of the user is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Missing;
use crate::process;
use crate::tools;

/// A library for old Wine. Rust's library takes random numbers from a call that Wine has only since version 9. Without
/// the call, a program ends silently before its first line. Windows itself has the call; this library is for tests and
/// is never shipped.
const RANDOM: &str = r"
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    while (length > 0) {
        ULONG some = length > 65536 ? 65536 : (ULONG)length;
        if (!SystemFunction036(data, some))
            return FALSE;
        data += some;
        length -= some;
    }
    return TRUE;
}
";

/// Debian's path of the program. Other systems have it on `PATH`.
const DEBIAN: &str = "/usr/lib/wine/wine64";

pub(super) fn program() -> Option<PathBuf> {
    let named = ["wine64", "wine"].into_iter().find(|name| tools::on_path(name)).map(PathBuf::from);
    Path::new(DEBIAN).is_file().then(|| DEBIAN.into()).or(named)
}

/// Wine, and the prefix in which it runs.
pub(super) struct Wine {
    program: PathBuf,
    prefix: PathBuf,
}

/// Makes the prefix if it does not exist.
pub(super) fn ensure(home: &Path) -> Result<Wine, Missing> {
    let program = program().ok_or_else(|| Missing("Wine is installed and not found".to_owned()))?;
    let wine = Wine { program, prefix: home.join("wine") };
    let system = wine.prefix.join("drive_c/windows/system32");
    let shim = system.join("bcryptprimitives.dll");
    if shim.is_file() {
        return Ok(wine);
    }
    if wine.prefix.exists() {
        fs::remove_dir_all(&wine.prefix)?;
    }
    let mut boot = Command::new(&wine.program);
    wine.dress(boot.args(["wineboot", "--init"]));
    process::run(&mut boot)?;
    wine.rest();
    let source = home.join("random.c");
    fs::write(&source, RANDOM)?;
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    compiler.args(["-O2", "-shared", "-o"]).arg(&shim).arg(&source).arg("-ladvapi32");
    process::run(&mut compiler)?;
    fs::remove_file(&source)?;
    Ok(wine)
}

impl Wine {
    /// Sets the variables for a command and for every program that cargo runs for it: the path of Wine, and little output.
    pub(super) fn dress(&self, command: &mut Command) {
        command
            .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", &self.program)
            .env("WINEPREFIX", &self.prefix)
            .env("WINEARCH", "win64")
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=d;explorer.exe=d")
            // Windows are drawn nowhere.
            .env_remove("DISPLAY");
    }

    /// Waits until the prefix is idle. Its server writes the registry when it ends.
    pub(super) fn rest(&self) {
        let beside = self.program.with_file_name("wineserver");
        let server = if beside.is_file() { beside } else { "wineserver".into() };
        let mut command = Command::new(server);
        self.dress(command.arg("--wait"));
        if !process::succeeds(&mut command) {
            eprintln!("wineserver did not come to rest; the next run waits for it");
        }
    }
}
