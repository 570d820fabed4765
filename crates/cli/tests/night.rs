//! The scripts of docs/night.md, run as cron runs them: with a missing program, a wrong option, a missing folder, and a
//! certificate that ends soon.

use crate::support;

use std::path::Path;
use std::process::{Command, Stdio};

use support::{Estate, SPEC, put};

/// The script of the page whose first comment has this word.
fn script(word: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/night.md")).unwrap();
    let blocks = page.split("```text\n").skip(1).map(|tail| tail.split("```").next().unwrap().to_owned());
    let mut found = blocks.filter(|block| block.starts_with("#!/bin/sh\n") && block.contains(word));
    found.next().unwrap_or_else(|| panic!("docs/night.md has no script {word}"))
}

/// An estate on a machine with or without the program, and with a `mail` that stores its input.
struct Machine {
    estate: Estate,
}

impl Machine {
    fn new(estate: Estate) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let bin = estate.path("bin");
        std::fs::create_dir(&bin).unwrap();
        let mail = "#!/bin/sh\n{ echo \"subject: $2\"; echo \"to: $3\"; cat; } > \"${0%/*}/../mailed\"\n";
        put(&bin.join("mail"), mail.as_bytes());
        std::fs::set_permissions(bin.join("mail"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_trustmason"), bin.join("trustmason")).unwrap();
        Self { estate }
    }

    /// Runs a script in an empty folder, as cron does. Gives its exit code and the mail.
    fn run(&self, script: &str) -> (i32, Option<String>) {
        let home = self.estate.path("home");
        std::fs::create_dir_all(&home).unwrap();
        if self.estate.path("mailed").exists() {
            std::fs::remove_file(self.estate.path("mailed")).unwrap();
        }
        let bin = self.estate.path("bin").display().to_string();
        let text = script
            .replace("/usr/local/bin", &bin)
            .replace("/srv/estate", &self.estate.dir.path().display().to_string())
            .replace("/var/lib/node_exporter", &home.display().to_string());
        put(&home.join("job"), text.as_bytes());
        let status = Command::new("sh")
            .arg(home.join("job"))
            .current_dir(&home)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        (status.code().unwrap(), std::fs::read_to_string(self.estate.path("mailed")).ok())
    }
}

#[test]
fn a_mail_comes_when_something_is_wrong_and_only_then() {
    let night = script("trust-night");
    let machine = Machine::new(Estate::new());
    assert_eq!(machine.run(&night).1, None, "in sync");

    let (_, gone) = machine.run(&night.replace("/srv/estate", "/srv/estate/gone"));
    assert!(gone.unwrap().contains("/gone"), "a folder that is not there is a mail, not another folder's report");

    std::fs::remove_file(machine.estate.path("bin/trustmason")).unwrap();
    let (_, missing) = machine.run(&night);
    assert!(missing.unwrap().contains("(127)"));

    let machine = Machine::new(Estate::troubled());
    let (_, wrong) = machine.run(&night);
    assert!(wrong.unwrap().starts_with("subject: trust drift in "));
}

#[test]
fn a_certificate_that_ends_soon_is_a_mail() {
    // Every certificate of the estate ends in 2049. The spec decides how soon counts as soon.
    let machine = Machine::new(Estate::of(&format!("{SPEC}policy: {{ warn_before: 20000d }}\n")));
    let said = machine.estate.run(&["drift"]).code(0).out_has("expiring");
    assert!(said.out.contains("Warnings:"), "{}", said.out);
    let (_, mail) = machine.run(&script("trust-night"));
    assert!(mail.unwrap().contains("expiring"));
}

#[test]
fn metrics_are_replaced_by_a_verdict_and_by_nothing_else() {
    let metrics = script("trust-metrics");
    let machine = Machine::new(Estate::troubled());
    let file = machine.estate.path("home/trust.prom");
    assert_eq!(machine.run(&metrics).0, 0);
    let good = std::fs::read_to_string(&file).unwrap();
    assert!(good.starts_with("# HELP trustmason_"), "{good}");
    let kept = |script: &str| {
        assert_ne!(machine.run(script).0, 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), good);
        assert!(!machine.estate.path("home/trust.prom.new").exists());
    };
    kept(&metrics.replace("--format prometheus", "--fromat prometheus"));
    kept(&metrics.replace("/srv/estate", "/srv/estate/gone"));
    put(&machine.estate.path("estate.yaml"), b"no estate\n");
    kept(&metrics);
    std::fs::remove_file(machine.estate.path("bin/trustmason")).unwrap();
    kept(&metrics);
}
