//! `cargo xtask test`: every ring. Documentation examples first, then everything else in one run, so that the runner's own
//! closing line is the last thing printed.

use crate::process::{self, Failure};
use crate::{java8, tools};

pub(crate) fn run(no_judges: bool, runner: &[String]) -> Result<(), Failure> {
    if no_judges {
        eprintln!("judges are left out: keytool, openssl and the JVM will confirm nothing of this run");
    } else {
        tools::ensure_judges()?;
    }
    let nextest = tools::ensure_nextest();
    process::run(process::cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
    let mut tests = process::cargo();
    if nextest {
        tests.args(["nextest", "run", "--workspace"]);
        if no_judges {
            tests.args(["--profile", "quick"]);
        }
        tests.args(runner);
    } else {
        tests.args(["test", "--workspace", "--all-targets", "--no-fail-fast", "--"]).args(runner);
        if no_judges {
            tests.args(["--skip", "judge_"]);
        }
    }
    if no_judges {
        tests.env("TRUSTMASON_JUDGES", "off");
    } else {
        tests.envs(java8::setting());
    }
    process::run(&mut tests)
}
