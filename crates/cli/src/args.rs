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
  1    nothing was done: bad spec, bad plan file, declined, lock held by another run,
       a clock that cannot be right
  2    drift, or `plan --detailed-exitcode` with changes pending
  3    the saved plan no longer holds; nothing was written; every differing input is named
  4    something is blocked, a store failed in apply, collect could not fetch a certificate, or
       ack could not record a restart; the rest was done; each is named
  5    apply did all it can now and waits for a person (hand-off, restart, approval of what
       follows)
  64   wrong command line
  130  interrupted; the next run goes on

Reports go to stdout, everything else to stderr. NO_COLOR is honoured; RUST_LOG overrides -v.
Only `collect` and `drift --probe` use the network. Passwords are never given on a command line.

Start here:  trustmason demo";

const LONG: &str = "\
Keeps the certificate trust of a contact centre estate as a YAML spec declares it: which keystore trusts whom, \
under which alias, and which hosts need a new certificate.

  check   is the spec right?            drift    does the estate still match?
  plan    what would change?            explain  why is this certificate wanted here?
  apply   make it so                    list     what is in this keystore?";

/// trustmason: certificate trust between hosts, planned and applied
#[derive(Debug, Parser)]
#[command(name = "trustmason", version, long_about = LONG, after_help = EXITS, after_long_help = EXITS)]
#[command(max_term_width = 110)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is said on stderr, and how.
#[derive(Clone, Copy, Debug, Group)]
pub(crate) struct Log {
    /// Say more on stderr, and list findings that are only informative (-vv: what is read and written; -vvv: everything)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Diagnostics")]
    pub(crate) verbose: u8,
    /// Shape of the diagnostics on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = "Diagnostics")]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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

/// Which stores are judged and written. Everything is still looked at.
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

/// Show what would change, and why; nothing is written
///
/// Reads the spec, looks at every keystore and prints what `apply` would do: per host and store, each entry with the rule
/// that wants it, what stands there now and what will. Nothing is opened for writing and no network is used.
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
    /// Make this identity anew though nothing is wrong with it, e.g. cvp1.acme.example/wsm (repeatable)
    #[arg(long, value_name = "FQDN/IDENTITY", value_parser = identity)]
    pub(crate) replace: Vec<IdentityId>,
    /// Allow up to N deletions in one store (without it: 10)
    #[arg(long, value_name = "N")]
    pub(crate) allow_deletes: Option<u32>,
    /// Judge dates as of then: 2027-01-31 or 2027-01-31T08:00:00Z
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
/// Prints the plan and asks; only `yes` goes on. Each store is backed up, written beside itself, read back and only then
/// put in place; a store that fails does not stop the others. What only a person can do is written as a pack with steps.
/// With --plan, a saved plan is carried out exactly, or not at all when anything it was made from has changed.
#[derive(Debug, Group)]
pub(crate) struct ApplyArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC", conflicts_with = "plan")]
    pub(crate) spec: Option<PathBuf>,
    /// Carry out a plan saved by `plan --out`; its options count, and it is not asked about again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["host", "side", "allow_deletes", "replace"])]
    pub(crate) plan: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Go on though the clock of this machine looks wrong; only after somebody looked at it
    #[arg(long)]
    pub(crate) clock_is_right: bool,
    /// text for people, json for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Make this identity anew though nothing is wrong with it, e.g. cvp1.acme.example/wsm (repeatable)
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
/// The same judgement as `plan`, told as findings: exit 0 in sync, 2 drift, 4 when something could not be judged. With --probe
/// each service is also asked over the network which certificate it presents; one that differs is a warning.
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
    /// Ask services which certificate they present, and tell where it is another than the one known here
    #[arg(long)]
    pub(crate) probe: bool,
    /// Ask at ADDR:PORT instead of HOST:PORT, as through a tunnel; an empty HOST or PORT is any (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT", value_parser = detour, hide_short_help = true, requires = "probe")]
    pub(crate) connect_to: Vec<Detour>,
    /// How long one service may take to answer, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = patience, hide_short_help = true, requires = "probe")]
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

/// Say why an entry is wanted, by which rule, from which document
///
/// A host shows its stores and identities; a store shows what it should trust; an alias or a host's identity shows the
/// rule, its purpose and source, and what is there now. Aliases are found in any case, also by their older names.
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

/// Check the spec and the roots of its authorities; no keystore is opened
#[derive(Debug, Group)]
pub(crate) struct CheckArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
}

/// List the entries of a keystore of any readable format
///
/// The format is told by content, not by name. Without a password option the store is read but not verified: its digest
/// is not checked and no key is opened, and the report says so.
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

/// Fetch certificates that only people export, from the services that present them
///
/// Asks each service of a host nobody here can write (IIS, Diagnostic Portico, VOS) over TLS, shows the certificate in
/// `certificates_dir` and the one that is presented, and asks; only `yes` writes. Nothing vouches for what comes over the
/// network: compare the fingerprints with what the service itself shows. With nobody at the keyboard each new certificate must
/// be named by --pin. Exit 0: all fetched or unchanged; 1: nothing was written; 4: some could not be fetched, the rest was.
#[derive(Debug, Group)]
pub(crate) struct CollectArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// A certificate that was compared already, by its SHA-256 in hex; it is not asked about (repeatable)
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Vec<Fingerprint>,
    /// Ask at ADDR:PORT instead of HOST:PORT, as through a tunnel; an empty HOST or PORT is any (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT", value_parser = detour, hide_short_help = true)]
    pub(crate) connect_to: Vec<Detour>,
    /// How long one service may take to answer, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = patience, hide_short_help = true)]
    pub(crate) timeout: Option<Duration>,
}

/// Record that a hand-off was carried out
///
/// After `apply` wrote a pack for a store that only people change, and somebody brought it in: without --from their word is
/// recorded for exactly that pack; with --from the store's export is read and recorded. Refused if the plan has moved on.
/// Where a host has a store and an identity of one name, both with a pack, say which: store:FQDN/NAME or identity:FQDN/NAME.
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
    /// Go on though the clock of this machine looks wrong; only after somebody looked at it
    #[arg(long)]
    pub(crate) clock_is_right: bool,
}

/// Record that a service was restarted
///
/// Names a service by host and id as `plan` and `apply` print it, e.g. adsa.acme.example/tomcat; globs are allowed:
/// '*/tomcat'. Only restarts that something waits for can be acknowledged. Restart first: a rotation goes on by this word.
#[derive(Debug, Group)]
#[command(allow_missing_positional = true)]
pub(crate) struct AckArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The service, or a glob over services
    #[arg(value_name = "FQDN/SERVICE", required = true)]
    pub(crate) target: String,
    /// Go on though the clock of this machine looks wrong; only after somebody looked at it
    #[arg(long)]
    pub(crate) clock_is_right: bool,
}

/// List the runs of an estate: what each wrote, whether it ended, whether it can be taken back
#[derive(Debug, Group)]
pub(crate) struct RunsArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// text for people, json for programs
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

/// Take the newest run back: every store becomes what it was before
///
/// Restores bytes, mode, owner and access list of every store the run wrote, from its backups. Refused, with nothing done, if
/// somebody changed one of them since, or if a later run rests on it. Also takes back what an interrupted run had done.
#[derive(Debug, Group)]
pub(crate) struct RollbackArgs {
    /// The estate spec [default: estate.yaml]
    #[arg(value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// The run, as `trustmason runs` names it [default: the newest that wrote something]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Go on though the clock of this machine looks wrong; only after somebody looked at it
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

/// Print the role profiles that are built in
#[derive(Debug, Group)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    pub(crate) what: ProfileCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Names of the built-in profiles
    List,
    /// The text of one, to read or to start one's own from
    Show {
        /// Its name, e.g. pcce-12.5
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Print a JSON Schema, for editors and for programs
#[derive(Debug, Group)]
pub(crate) struct SchemaArgs {
    /// Of what
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

/// Write a small estate, plan it, apply it, and prove that nothing is left to do
///
/// Twelve hosts with real keystores, certificates as installers and years leave them, and no network. The folder is kept,
/// so that every other command can be tried on it.
#[derive(Debug, Group)]
pub(crate) struct DemoArgs {
    /// Where to write it; must be absent or empty [default: a new folder below the system's temporary one]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Only make the estate, as installers and years left it; nothing is planned or mended
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
        return Err(format!("write [{to}]: an address of version 6 stands in brackets"));
    }
    let port_of = |text: &str| match text {
        "" => Ok(None),
        text => text.parse::<u16>().ok().filter(|port| *port > 0).map(Some).ok_or(format!("`{text}` is no port")),
    };
    let host = if host.is_empty() { None } else { Some(Fqdn::parse(host).map_err(|e| e.to_string())?) };
    let to = Some(bare.unwrap_or(to)).filter(|to| !to.is_empty()).map(str::to_owned);
    Ok(Detour { host, port: port_of(port)?, to, to_port: port_of(to_port)? })
}

fn patience(text: &str) -> Result<Duration, String> {
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
        format!("the last moment that can be reckoned with is {last}")
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
        let Command::Explain(explain) = args.command else { panic!() };
        assert_eq!((explain.spec, explain.target.as_str()), (None, "a.example"));
        let args = Args::try_parse_from(["trustmason", "explain", "lab.yaml", "a.example/keystore"]).unwrap();
        let Command::Explain(explain) = args.command else { panic!() };
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
            let Command::Rollback(args) = Args::try_parse_from(words).unwrap().command else { panic!() };
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
