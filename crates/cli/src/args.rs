//! The command line as clap reads it. The help texts are the manual: what a person needs at night stands here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgAction, Args as Group, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use trustmason_host::endpoint::Detour;
use trustmason_keystore::Fingerprint;
use trustmason_plan::run_id::RunId;
use trustmason_spec::name::{Fqdn, IdentityId};
use trustmason_spec::topology::Side;

/// The spec's name when none is given.
pub(crate) const DEFAULT_SPEC: &str = "estate.yaml";

const EXITS: &str = "\
Exit codes:
  0    plan: a plan was made (with --detailed-exitcode: nothing to do); drift: in sync;
       apply: the next plan would be empty
  1    nothing was done: bad spec, bad plan file, declined, another run holds the lock,
       the clock of this machine looks wrong
  2    drift: the estate differs from the spec; `plan --detailed-exitcode`: there are changes
  3    the saved plan is outdated; nothing was written; the message names every difference
  4    something is blocked, a store failed in apply, collect could not fetch a certificate, or
       ack could not record a restart; the rest was done; the report names each of them
  5    apply did all it can do now; a person must act (hand-off, restart, approval of the
       changes that follow)
  64   wrong command line
  130  interrupted; the next run continues

Reports go to stdout, everything else to stderr. NO_COLOR turns colours off; RUST_LOG overrides -v.
Only `collect` and `drift --probe` use the network. Passwords are never given on a command line.

Start here:  trustmason demo";

const LONG: &str = "\
Keeps the certificate trust of a contact centre estate as a YAML spec declares it: which keystore trusts which host, \
under which alias, and which hosts need a new certificate.

  check   is the spec right?            drift    does the estate still match?
  plan    what would change?            explain  why does the spec want this certificate here?
  apply   make these changes            list     what is in this keystore?";

/// trustmason: certificate trust between hosts, planned and applied
#[derive(Debug, Parser)]
#[command(name = "trustmason", version, long_about = LONG, after_help = EXITS, after_long_help = EXITS)]
#[command(max_term_width = 110)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

/// How much is said on stderr, and how.
#[derive(Clone, Copy, Debug, Group)]
pub(crate) struct Log {
    /// Print more on stderr, and list the findings that are for information only (-vv: each file read and written; -vvv: everything)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Diagnostics")]
    pub(crate) verbose: u8,
    /// Format of the diagnostics on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = "Diagnostics")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    Plan(PlanArgs),
    Apply(ApplyArgs),
    Drift(DriftArgs),
    Explain(ExplainArgs),
    Check(CheckArgs),
    List(ListArgs),
    Collect(CollectArgs),
    Confirm(ConfirmArgs),
    Ack(AckArgs),
    Runs(RunsArgs),
    Rollback(RollbackArgs),
    Profile(ProfileArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Demo(DemoArgs),
}

/// Which stores are judged and written. All stores are still read.
#[derive(Clone, Debug, Default, Group)]
pub(crate) struct Select {
    /// Only stores of hosts whose name matches, e.g. 'cvp*' (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(crate) host: Vec<String>,
    /// Only stores of hosts on this side
    #[arg(long, value_enum)]
    pub(crate) side: Option<SideArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideArg {
    A,
    B,
}

impl From<SideArg> for Side {
    fn from(side: SideArg) -> Self {
        match side {
            SideArg::A => Self::A,
            SideArg::B => Self::B,
        }
    }
}

/// Show what would change, and why; write nothing
///
/// Reads the spec and every keystore, and prints what `apply` would do: per host and store, each entry with the rule that
/// wants it, its certificate now and its certificate afterwards. Opens no file for writing and uses no network.
#[derive(Debug, Group)]
pub(crate) struct PlanArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// Save the plan (JSON, mode 0600) for `apply --plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// text for people, json for programs, markdown for a change ticket
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(crate) format: PlanFormat,
    /// Exit 2 when changes are pending, 4 when something is blocked
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Make a new certificate for this identity even if nothing is wrong with it, e.g. cvp1.acme.example/wsm (repeatable)
    #[arg(long, value_name = "FQDN/IDENTITY", value_parser = identity)]
    pub(crate) replace: Vec<IdentityId>,
    /// Allow up to N deletions in one store (without it: 10)
    #[arg(long, value_name = "N")]
    pub(crate) allow_deletes: Option<u32>,
    /// Judge dates as of this time: 2027-01-31 or 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    Text,
    Json,
    Markdown,
}

/// Make the estate what the spec declares
///
/// Prints the plan and asks for approval; only `yes` continues. For each store, apply makes a backup, writes a new copy next to
/// the store, reads the copy back and only then puts it in place; a store that fails does not stop the others. For work that only
/// a person can do, apply writes a pack with steps. With --plan, apply plans again and stops at any difference from the saved plan.
#[derive(Debug, Group)]
pub(crate) struct ApplyArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC", conflicts_with = "plan")]
    pub(crate) spec: Option<PathBuf>,
    /// Carry out a plan saved by `plan --out`, with the options of that plan and without asking for approval
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "side", "allow_deletes", "replace"])]
    pub(crate) plan: Option<PathBuf>,
    /// Do not ask for approval
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Continue although the clock of this machine looks wrong; use it only after you have checked the clock
    #[arg(long)]
    pub(crate) clock_is_right: bool,
    /// text for people, json for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Make a new certificate for this identity even if nothing is wrong with it, e.g. cvp1.acme.example/wsm (repeatable)
    #[arg(long, value_name = "FQDN/IDENTITY", value_parser = identity)]
    pub(crate) replace: Vec<IdentityId>,
    /// Allow up to N deletions in one store (without it: 10)
    #[arg(long, value_name = "N")]
    pub(crate) allow_deletes: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    Text,
    Json,
}

/// Say whether the estate still matches its spec
///
/// Judges the estate as `plan` does and prints the findings: exit 0 in sync, 2 drift, 4 when something could not be judged. With
/// --probe, drift also asks each service over the network for its certificate; a certificate that differs is a warning.
#[derive(Debug, Group)]
pub(crate) struct DriftArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// text for people, json for programs, prometheus for a node exporter's text file
    #[arg(long, value_enum, default_value_t = DriftFormat::Text)]
    pub(crate) format: DriftFormat,
    /// Warnings count as drift too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask the services which certificate they present, and report each that differs from the certificate known here
    #[arg(long)]
    pub(crate) probe: bool,
    /// Connect to ADDR:PORT instead of HOST:PORT, for example through a tunnel; an empty HOST or PORT means any (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT", value_parser = detour, hide_short_help = true, requires = "probe")]
    pub(crate) connect_to: Vec<Detour>,
    /// How long one service may take to answer, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = timeout, hide_short_help = true, requires = "probe")]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) select: Select,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftFormat {
    Text,
    Json,
    Prometheus,
}

/// Show why an entry is wanted: the rule, its purpose and its document
///
/// For a host: its stores and identities. For a store: the certificates that it should trust. For an alias or an identity: the
/// rule, its purpose and source, and the entry that is there now. Upper and lower case of an alias do not matter; older aliases
/// are found too.
#[derive(Debug, Group)]
#[command(allow_missing_positional = true)]
pub(crate) struct ExplainArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// A host, one of its stores or identities, or one alias in a store
    #[arg(value_name = "FQDN[/STORE[/ALIAS]]", required = true)]
    pub(crate) target: String,
}

/// Check the spec and the root certificates of its authorities; open no keystore
#[derive(Debug, Group)]
pub(crate) struct CheckArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
}

/// List the entries of a keystore of any readable format
///
/// The content of the file decides its format, not its name. Without a password option the store is read but not verified: its
/// digest is not checked and no key is opened. The report says so.
#[derive(Debug, Group)]
pub(crate) struct ListArgs {
    /// The keystore: JKS, JCEKS, PKCS#12, PEM, DER, PKCS#7, an export of a Windows store, or a folder of PEM files
    #[arg(value_name = "STORE")]
    pub(crate) store: PathBuf,
    /// text for people, json for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// The environment variable that holds the store's password
    #[arg(long, value_name = "VAR", group = "password")]
    pub(crate) password_env: Option<String>,
    /// The file whose first line is the store's password
    #[arg(long, value_name = "FILE", group = "password")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read without a password: the digest is not checked and no key is opened
    #[arg(long, group = "password")]
    pub(crate) no_password: bool,
}

/// Fetch from services the certificates that otherwise a person must export
///
/// Connects by TLS to each service that trustmason cannot write (IIS, Diagnostic Portico, VOS), shows the certificate in
/// `certificates_dir` and the presented certificate, and asks for approval; only `yes` writes. The network proves nothing:
/// compare each fingerprint with the one that the service itself shows. Without a terminal, each new certificate needs a --pin.
/// Exit 0: all fetched or unchanged; 1: nothing was written; 4: some could not be fetched, the others were.
#[derive(Debug, Group)]
pub(crate) struct CollectArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// SHA-256 (hex) of a certificate that you have compared already; collect does not ask about it (repeatable)
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Vec<Fingerprint>,
    /// Connect to ADDR:PORT instead of HOST:PORT, for example through a tunnel; an empty HOST or PORT means any (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT", value_parser = detour, hide_short_help = true)]
    pub(crate) connect_to: Vec<Detour>,
    /// How long one service may take to answer, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = timeout, hide_short_help = true)]
    pub(crate) timeout: Option<Duration>,
}

/// Record that a person carried out a hand-off
///
/// Use it after `apply` wrote a pack for a store that only people change, and a person carried it out. Without --from, confirm
/// records that all steps of exactly that pack were done. With --from, it reads and records the store's export. It refuses if the
/// pack is outdated. If a store and an identity of a host have the same name and both have a pack, say which one is meant:
/// store:FQDN/NAME or identity:FQDN/NAME.
#[derive(Debug, Group)]
#[command(allow_missing_positional = true)]
pub(crate) struct ConfirmArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The store the pack was for
    #[arg(value_name = "FQDN/STORE", required = true)]
    pub(crate) target: String,
    /// A folder with all certificates exported from that store
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// Continue although the clock of this machine looks wrong; use it only after you have checked the clock
    #[arg(long)]
    pub(crate) clock_is_right: bool,
}

/// Record that a service was restarted
///
/// Name the service as `plan` and `apply` print it, e.g. adsa.acme.example/tomcat, or with a glob: '*/tomcat'. Only pending
/// restarts can be acknowledged. Restart the service first: a rotation continues because of this acknowledgement.
#[derive(Debug, Group)]
#[command(allow_missing_positional = true)]
pub(crate) struct AckArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The service, or a glob over services
    #[arg(value_name = "FQDN/SERVICE", required = true)]
    pub(crate) target: String,
    /// Continue although the clock of this machine looks wrong; use it only after you have checked the clock
    #[arg(long)]
    pub(crate) clock_is_right: bool,
}

/// List the runs of an estate: what each run wrote, whether it ended, whether it can be rolled back
#[derive(Debug, Group)]
pub(crate) struct RunsArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// text for people, json for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

/// Roll the newest run back: restore every store that it wrote
///
/// Restores bytes, mode, owner and access list of every store that the run wrote, from its backups. Refuses and changes nothing if
/// somebody changed one of these stores afterwards, or if a later run depends on this run. Also rolls back an interrupted run.
#[derive(Debug, Group)]
pub(crate) struct RollbackArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The run, as `trustmason runs` names it [default: the newest run that wrote something]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Do not ask for approval
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Continue although the clock of this machine looks wrong; use it only after you have checked the clock
    #[arg(long)]
    pub(crate) clock_is_right: bool,
}

impl RollbackArgs {
    /// Spec and run: a single word that has a run's shape is a run.
    pub(crate) fn named(&self) -> (Option<&Path>, Option<&str>) {
        match (&self.spec, &self.run) {
            (Some(word), None) if word.to_str().is_some_and(|text| RunId::parse(text).is_ok()) => (None, word.to_str()),
            (spec, run) => (spec.as_deref(), run.as_deref()),
        }
    }
}

/// Print the built-in role profiles
#[derive(Debug, Group)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    pub(crate) what: ProfileCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Print the names of the built-in profiles
    List,
    /// Print the text of one profile, to read it or as the beginning of your own profile
    Show {
        /// The profile, e.g. pcce-12.5
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Print a JSON Schema, for editors and for programs
#[derive(Debug, Group)]
pub(crate) struct SchemaArgs {
    /// The document that the schema describes
    #[arg(value_enum, value_name = "WHAT")]
    pub(crate) what: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// The estate spec
    Spec,
    /// A role profile
    Profile,
    /// The JSON plan
    Plan,
}

/// Print a completion script for a shell
#[derive(Debug, Group)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Make a small estate, plan it, apply it, and show that nothing is left to do
///
/// Twelve hosts with real keystores and the usual defects of a real estate, without a network. The folder is kept, so that you can
/// try every other command on it.
#[derive(Debug, Group)]
pub(crate) struct DemoArgs {
    /// The folder to write; it must be absent or empty [default: a new folder in the system's temporary folder]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Only make the estate with its defects; do not plan or repair anything
    #[arg(long)]
    pub(crate) make_only: bool,
}

fn identity(text: &str) -> Result<IdentityId, String> {
    IdentityId::parse(text).map_err(|e| e.to_string())
}

fn glob(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    globset::Glob::new(&lower).map_err(|e| e.kind().to_string())?;
    Ok(lower)
}

/// `HOST:PORT:ADDR:PORT`, as curl has it; an address of version 6 stands in brackets, and what is empty stays as it is.
fn detour(text: &str) -> Result<Detour, String> {
    let shape = || "write HOST:PORT:ADDR:PORT, e.g. adsa.acme.example:443:127.0.0.1:8443".to_owned();
    let mut parts = text.splitn(3, ':');
    let (Some(host), Some(port), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return Err(shape()) };
    let (to, to_port) = rest.rsplit_once(':').ok_or_else(shape)?;
    let bare = to.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if bare.is_none() && to.contains(':') {
        return Err(format!("write [{to}]: an IPv6 address needs brackets"));
    }
    let port_of = |text: &str| match text {
        "" => Ok(None),
        text => {
            text.parse::<u16>().ok().filter(|port| *port > 0).map(Some).ok_or(format!("`{text}` is not a port number"))
        }
    };
    let host = if host.is_empty() { None } else { Some(Fqdn::parse(host).map_err(|e| e.to_string())?) };
    let to = Some(bare.unwrap_or(to)).filter(|to| !to.is_empty()).map(str::to_owned);
    Ok(Detour { host, port: port_of(port)?, to, to_port: port_of(to_port)? })
}

fn timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("write whole seconds, 1 to 3600".to_owned()),
    }
}

/// A moment, or the beginning of a day in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let day = text
        .parse::<jiff::civil::Date>()
        .map_err(|_| "write a day (2027-01-31) or a moment in UTC (2027-01-31T08:00:00Z)".to_owned())?;
    let begins = day.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    begins.map_err(|_| {
        let last = trustmason_plan::text::time(Timestamp::MAX.as_second());
        format!("the latest time that can be used is {last}")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_finds_no_contradiction() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_optional_spec_before_a_target() {
        let args = Args::try_parse_from(["trustmason", "explain", "a.example"]).unwrap();
        let CliCommand::Explain(explain) = args.command else { panic!() };
        assert_eq!((explain.spec, explain.target.as_str()), (None, "a.example"));
        let args = Args::try_parse_from(["trustmason", "explain", "lab.yaml", "a.example/keystore"]).unwrap();
        let CliCommand::Explain(explain) = args.command else { panic!() };
        assert_eq!((explain.spec, explain.target.as_str()), (Some("lab.yaml".into()), "a.example/keystore"));
    }

    #[test]
    fn times_are_days_or_moments() {
        assert_eq!(time("2027-01-31").unwrap(), time("2027-01-31T00:00:00Z").unwrap());
        assert!(time("tomorrow").is_err());
        assert_eq!(time("9999-12-30").unwrap(), time("9999-12-30T00:00:00Z").unwrap());
        assert!(time("9999-12-31").unwrap_err().ends_with("9999-12-30T22:00:00Z"));
        assert!(time("-009999-01-01").is_err() && time("10000-01-01").is_err());
        assert_eq!(time("-009999-01-02T01:59:59Z").unwrap(), Timestamp::MIN);
    }

    #[test]
    fn a_single_word_is_a_run_if_it_looks_like_one() {
        let named = |words: &[&str]| {
            let words = ["trustmason", "rollback"].iter().chain(words);
            let CliCommand::Rollback(args) = Args::try_parse_from(words).unwrap().command else { panic!() };
            let (spec, run) = args.named();
            (spec.map(Path::to_owned), run.map(str::to_owned))
        };
        let run = "20261124T200857.893Z-5f33fe90";
        assert_eq!(named(&[]), (None, None));
        assert_eq!(named(&[run]), (None, Some(run.to_owned())));
        assert_eq!(named(&["lab.yaml"]), (Some("lab.yaml".into()), None));
        assert_eq!(named(&["lab.yaml", run]), (Some("lab.yaml".into()), Some(run.to_owned())));
    }

    #[test]
    fn detours_are_written_as_curl_has_them() {
        let one = detour("ADSA.acme.example:443:127.0.0.1:8443").unwrap();
        let host = Some(Fqdn::parse("adsa.acme.example").unwrap());
        assert_eq!(one, Detour { host, port: Some(443), to: Some("127.0.0.1".to_owned()), to_port: Some(8443) });
        let any = detour("::[::1]:").unwrap();
        assert_eq!(any, Detour { host: None, port: None, to: Some("::1".to_owned()), to_port: None });
        for wrong in [
            "",
            "a.example:443",
            "a.example:443:b.example",
            "a.example:x:b.example:1",
            "a.example:0:b.example:1",
            ":1:::1:2",
        ] {
            assert!(detour(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_approves_what_nobody_compared() {
        assert!(Args::try_parse_from(["trustmason", "collect", "--auto-approve"]).is_err());
        assert!(Args::try_parse_from(["trustmason", "collect", "--pin", "abc"]).is_err());
    }

    #[test]
    fn only_a_probe_goes_anywhere() {
        assert!(Args::try_parse_from(["trustmason", "drift", "--timeout", "1"]).is_err());
        assert!(Args::try_parse_from(["trustmason", "drift", "--probe", "--timeout", "1"]).is_ok());
        assert!(Args::try_parse_from(["trustmason", "plan", "--probe"]).is_err());
    }
}
