//! Measures CPU time (user and system), because wall time on a shared machine depends on the other programs.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::process::{self, Failure};

/// Linux counts the time of children in hundredths of a second on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: u32 = 100;

/// The cost of a piece of work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// CPU time of all threads.
    pub(crate) cpu: Duration,
    /// Wall time. The part beyond the CPU time was spent waiting for the disk or for other programs.
    pub(crate) wall: Duration,
}

impl Cost {
    /// The cost divided by a number of repetitions.
    pub(crate) fn per(self, number: u32) -> Self {
        Self { cpu: self.cpu / number, wall: self.wall / number }
    }
}

/// The CPU time of this process so far.
pub(crate) fn own() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Does a piece of work in this process and measures its cost.
pub(crate) fn here<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (cpu, wall) = (own(), Instant::now());
    let done = work();
    (done, Cost { cpu: own().saturating_sub(cpu), wall: wall.elapsed() })
}

/// Runs a program that must succeed, and measures its cost to a hundredth of a second.
pub(crate) fn child(command: &mut Command) -> Result<(Vec<u8>, Cost), Failure> {
    let (cpu, wall) = (children()?, Instant::now());
    let output = process::output(command)?;
    Ok((output, Cost { cpu: children()?.saturating_sub(cpu), wall: wall.elapsed() }))
}

/// The CPU time of all children that have ended, from `/proc/self/stat` (proc(5): cutime, cstime).
fn children() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")
        .map_err(|error| format!("/proc/self/stat: {error}; benchmarks need Linux, tests do not"))?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<u32>().ok());
    match (ticks(13), ticks(14)) {
        (Some(user), Some(system)) => Ok(Duration::from_secs(1) * (user + system) / TICKS_PER_SECOND),
        _ => Err("/proc/self/stat does not tell the time of children".into()),
    }
}

/// The peak memory of this process in KiB (proc(5): VmHWM).
pub(crate) fn peak_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    peak.ok_or_else(|| "/proc/self/status has no VmHWM".into())
}
