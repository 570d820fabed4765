//! How large a file may be, by what it is read as. The numbers are far above what is met in practice, and keep any file
//! from costing more memory than it is worth. The same numbers hold for writing, so that nothing is written that could
//! not be read again. `docs/formats.md` shows them as a table, which a test compares with this file.

use std::fmt;
use std::io;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// How many names a folder may hold at most.
pub const MOST_NAMES: usize = 100_000;

/// How many bytes all files of a folder together may have at most.
pub const MOST_IN_FOLDER: u64 = 256 * MIB;

/// The kind of content that a file is read as. It decides how large the file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLimit {
    /// A keystore of a host, a half of a pair, a file of a folder, a staged key, a backup.
    Store,
    /// A store that a person exported, such as a registry hive, which is large.
    Export,
    /// A file that holds a certificate or a chain (exported, named in the spec, an authority's reply), or a certificate
    /// request.
    Certificate,
    /// The private key that an authority signs with.
    Key,
    /// A Java properties file.
    Properties,
    /// A file with a password in its first line.
    Secret,
    /// An options file of a product.
    Options,
    /// A spec or a profile.
    Spec,
    /// A saved plan, or another document that trustmason wrote about a plan.
    Plan,
    /// The ledger.
    Ledger,
    /// The journal of a run.
    Journal,
    /// The audit log, which only grows.
    Audit,
    /// The file that says who holds the lock.
    Holder,
}

impl ReadLimit {
    /// All limits.
    pub const ALL: [Self; 13] = [
        Self::Store,
        Self::Export,
        Self::Certificate,
        Self::Key,
        Self::Properties,
        Self::Secret,
        Self::Options,
        Self::Spec,
        Self::Plan,
        Self::Ledger,
        Self::Journal,
        Self::Audit,
        Self::Holder,
    ];

    /// The largest length, in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Store => 64 * MIB,
            // The hive SOFTWARE of a server has 60 to 150 MiB.
            Self::Export => 256 * MIB,
            // All roots of a browser as one PKCS#7 bundle have a quarter of a mebibyte.
            Self::Certificate => 4 * MIB,
            Self::Key | Self::Properties | Self::Secret | Self::Options => MIB,
            // The YAML reader stops at 8 MiB of text without its syntax.
            Self::Spec => 16 * MIB,
            // 60,000 changes (200 hosts with 300 entries each) have about 120 MiB.
            Self::Plan => 512 * MIB,
            // 60,000 entries added by trustmason have about 20 MiB.
            Self::Ledger => 256 * MIB,
            // 60,000 changes in one run have about 60 MiB; the audit log holds those of all runs.
            Self::Journal | Self::Audit => GIB,
            Self::Holder => 64 * KIB,
        }
    }

    /// The name of such a file, as messages and the table in the documents use it.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Store => "a keystore",
            Self::Export => "an exported store",
            Self::Certificate => "a certificate file",
            Self::Key => "an authority's key",
            Self::Properties => "a properties file",
            Self::Secret => "a password file",
            Self::Options => "an options file",
            Self::Spec => "a spec or profile",
            Self::Plan => "a saved plan",
            Self::Ledger => "the ledger",
            Self::Journal => "a run's journal",
            Self::Audit => "the audit log",
            Self::Holder => "the lock's signature",
        }
    }

    /// The error for a path that leads to something other than a file, with one thing to try.
    pub(super) fn not_a_file(self, what: &str, is_folder: bool) -> io::Error {
        let try_this = match self {
            Self::Export | Self::Secret | Self::Spec | Self::Plan if is_folder => "name a file",
            Self::Export | Self::Secret | Self::Spec | Self::Plan => "save its content to a file and name that",
            Self::Store | Self::Certificate | Self::Key | Self::Properties | Self::Options => {
                "put the file itself there"
            }
            Self::Ledger | Self::Journal => "restore it from a backup of the state folder",
            Self::Audit | Self::Holder => "remove it",
        };
        let kind = if is_folder { io::ErrorKind::IsADirectory } else { io::ErrorKind::Other };
        io::Error::new(kind, format!("it is {what}, not a file; {try_this}"))
    }

    /// The error for a file that is larger than its limit, with one thing to try.
    pub(super) fn exceeded(self) -> io::Error {
        let try_this = match self {
            Self::Store
            | Self::Export
            | Self::Certificate
            | Self::Key
            | Self::Properties
            | Self::Secret
            | Self::Options
            | Self::Spec
            | Self::Plan => "check that it is the right file",
            Self::Ledger | Self::Journal => "restore it from a backup of the state folder",
            Self::Audit => "move it to an archive; a new one begins then",
            Self::Holder => "remove it",
        };
        let text = format!("it is larger than {} may be ({self}); {try_this}", self.noun());
        io::Error::new(io::ErrorKind::FileTooLarge, text)
    }

    /// Whether a file of this length may be written as such a file.
    pub(super) fn admits(self, length: u64) -> io::Result<()> {
        if length <= self.bytes() {
            return Ok(());
        }
        let try_this = match self {
            Self::Store
            | Self::Export
            | Self::Certificate
            | Self::Key
            | Self::Properties
            | Self::Secret
            | Self::Options
            | Self::Spec
            | Self::Holder => "remove entries that nobody needs",
            Self::Plan => "plan for fewer hosts at a time (--host)",
            Self::Ledger | Self::Journal => "move some of the hosts to an estate of their own",
            Self::Audit => "move it to an archive; a new one begins then",
        };
        let text = format!("it would be larger than {} may be ({self}); {try_this}", self.noun());
        Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
    }
}

/// The length, in the largest unit that divides it.
impl fmt::Display for ReadLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(self.bytes(), f)
    }
}

fn shown(bytes: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match bytes {
        _ if bytes.is_multiple_of(GIB) => write!(f, "{} GiB", bytes / GIB),
        _ if bytes.is_multiple_of(MIB) => write!(f, "{} MiB", bytes / MIB),
        _ => write!(f, "{} KiB", bytes / KIB),
    }
}
