//! The measured rows and their targets, as a table in the terminal and as a page in `docs/`.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;

use crate::process::{self, Failure};

/// The target of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RatioTarget {
    /// Trustmason takes at most this many times the reference.
    AtMost(f64),
    /// The reference takes at least this many times as much as trustmason.
    AtLeastLess(f64),
}

/// A measured figure.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    ours: String,
    reference: String,
    ratio: String,
    target: String,
    missed: bool,
}

/// All measured figures.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// Whether a number of imports is too small for a target, because starting the program then costs more than its work.
pub(crate) fn is_small(imports: usize) -> bool {
    imports < 50
}

impl Row {
    /// A row whose ratio is trustmason's time divided by the reference's.
    pub(crate) fn slower(
        what: &str,
        reference: &str,
        ours: Duration,
        theirs: Duration,
        target: Option<RatioTarget>,
    ) -> Self {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        Self::compared(what, reference, ours, theirs, format!("{ratio:.2} ×"), target)
    }

    /// A row whose ratio is the reference's time divided by trustmason's.
    pub(crate) fn faster(
        what: &str,
        reference: &str,
        ours: Duration,
        theirs: Duration,
        target: Option<RatioTarget>,
    ) -> Self {
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        Self::compared(what, reference, ours, theirs, format!("{ratio:.0} × less"), target)
    }

    fn compared(
        what: &str,
        reference: &str,
        ours: Duration,
        theirs: Duration,
        ratio: String,
        target: Option<RatioTarget>,
    ) -> Self {
        let (mine, other) = (ours.as_secs_f64(), theirs.as_secs_f64());
        let (text, met) = match target {
            None => (String::new(), true),
            Some(RatioTarget::AtMost(most)) => (format!("≤ {most} ×"), mine <= most * other),
            Some(RatioTarget::AtLeastLess(least)) => (format!("≥ {least} × less"), mine * least <= other),
        };
        let reference = format!("{reference}: {}", shown(theirs));
        Self { what: what.to_owned(), ours: shown(ours), reference, ratio, target: text, missed: !met }
    }

    /// A row without a reference.
    pub(crate) fn plain(what: &str, ours: Duration) -> Self {
        let nothing = String::new;
        Self {
            what: what.to_owned(),
            ours: shown(ours),
            reference: nothing(),
            ratio: nothing(),
            target: nothing(),
            missed: false,
        }
    }

    /// A row that compares memory with its limit, both in KiB.
    pub(crate) fn memory(what: &str, reference: &str, peak: u64, limit: u64) -> Self {
        Self {
            what: what.to_owned(),
            ours: format!("{:.1} MiB", mib(peak)),
            reference: reference.to_owned(),
            ratio: String::new(),
            target: format!("< {:.1} MiB", mib(limit)),
            missed: peak >= limit,
        }
    }

    fn verdict(&self) -> &'static str {
        match (self.target.is_empty(), self.missed) {
            (true, _) => "",
            (false, false) => "met",
            (false, true) => "MISSED",
        }
    }
}

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("measured: {} {}", row.what, row.ours);
        self.rows.push(row);
    }

    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| row.missed).count()
    }

    /// The table for the terminal. The text is Markdown, so the page uses it too.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from("| what | ours (CPU) | against | ratio | target | |\n|---|---|---|---|---|---|\n");
        for row in &self.rows {
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.what,
                row.ours,
                row.reference,
                row.ratio,
                row.target,
                row.verdict()
            );
        }
        text
    }

    /// The text of the page in `docs/`.
    pub(crate) fn page(&self) -> Result<String, Failure> {
        let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
        let processor = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown processor", |(_, name)| name);
        let cores = std::thread::available_parallelism()?;
        let java = Command::new("java").arg("-version").output()?;
        let java = String::from_utf8_lossy(&java.stderr).lines().nth(1).unwrap_or("unknown Java").trim().to_owned();
        let rustc = String::from_utf8(process::output(Command::new("rustc").arg("--version"))?)?;
        Ok(format!(
            "# What it costs\n\n\
             Measured by `cargo xtask bench --write` on {day}: {model}, {cores} cores, {os}; {rustc}; keytool of {java}.\n\n\
             CPU time, user and system, of all threads; the best of three where that is affordable. Each ratio is taken\n\
             within one run on one machine; milliseconds differ elsewhere, ratios hardly. Stores are read from a warm page\n\
             cache. \"Shared\" means that all stores hold the same {roots} roots, as they do where one vendor's Java is\n\
             installed everywhere; each distinct certificate is parsed once. \"All distinct\" is the worst case: no\n\
             certificate occurs twice.\n\n{table}\n\
             Opening a JCEKS key costs 2 × 200,000 runs of MD5 by the format's design; those stores have rows of their own.\n",
            rustc = rustc.trim(),
            os = std::env::consts::OS,
            roots = super::ROOTS,
            table = self.text(),
        ))
    }
}

fn mib(kib: u64) -> f64 {
    // The value is far below 2^52, so the result is exact.
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 0.001 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}
