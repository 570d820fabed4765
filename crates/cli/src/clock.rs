//! The clock of this machine. Only this module reads the clock, and it decides what is done about a clock that
//! cannot be right.
//!
//! The clock is read once per process. Later moments are computed from the time that has passed since. A clock that
//! somebody sets during a run therefore does not affect the run.
#![warn(clippy::arithmetic_side_effects)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use trustmason_host::converge::{self, Observation, Reconciler};
use trustmason_host::state::lock::Lock;
use trustmason_plan::clock::{ClockVerdict, Evidence, judge};
use trustmason_plan::text;

use crate::console::{Console, account};
use crate::stop::Stop;

/// The advice for a person whose clock is doubted.
const REMEDY: &str = "Set the clock and run again; if the clock is right, add --clock-is-right";

/// The moment at which the process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock {
    read: Timestamp,
    since: Instant,
}

impl ProcessClock {
    /// Reads the clock; called once per process. A clock before 1970 or beyond the year 9999 is refused: no certificate
    /// is made before 1970, and no later date can be computed.
    pub(crate) fn read() -> Result<Self, Stop> {
        #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        Ok(Self { read: understood(now).map_err(Stop::refused)?, since: Instant::now() })
    }
}

impl converge::Clock for ProcessClock {
    /// The current moment. If the process outlives the calendar, the calendar's last moment.
    fn exactly(&self) -> Timestamp {
        self.read.checked_add(self.since.elapsed()).unwrap_or(Timestamp::MAX)
    }
}

/// The moment that a clock shows, or why the moment cannot be used.
fn understood(now: SystemTime) -> Result<Timestamp, String> {
    let seconds = match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            // A second that has begun counts as a whole one, as after 1970.
            let whole = before.as_secs().saturating_add(u64::from(before.subsec_nanos() > 0));
            i64::try_from(whole).map_or(i64::MIN, |seconds| 0_i64.saturating_sub(seconds))
        }
    };
    let outside = |limit: &str| {
        format!("the clock of this machine says {}, which is {limit}; set the clock and run again", text::time(seconds))
    };
    if seconds < 0 {
        return Err(outside("before 1970"));
    }
    Timestamp::try_from(now).map_err(|_| {
        outside(&format!("after {}, the latest time that can be used", text::time(Timestamp::MAX.as_second())))
    })
}

/// The statement of a person that a doubted clock is right. The statement must be recorded before anything else.
#[must_use]
#[derive(Debug)]
pub(crate) struct VouchedClock(Option<ClockVerdict>);

/// Refuses a clock that cannot be right, unless a person says that it is right. Every command that writes a date into the
/// ledger calls this.
pub(crate) fn require_plausible(
    reconciler: &Reconciler<'_>,
    observation: &Observation,
    vouched: bool,
) -> Result<VouchedClock, Stop> {
    match reconciler.doubt(observation) {
        Some(verdict) if !vouched => Err(Stop::refused(format!("{verdict}; nothing was done. {REMEDY}"))),
        doubt => Ok(VouchedClock(doubt)),
    }
}

/// Warns about such a clock, for commands that write no date.
pub(crate) fn warn(reconciler: &Reconciler<'_>, observation: &Observation, console: Console) {
    if let Some(verdict) = reconciler.doubt(observation) {
        console.warn(&format!("{verdict}; apply refuses to work with this clock. {REMEDY}"));
    }
}

impl VouchedClock {
    /// Records the statement if one was needed.
    pub(crate) fn record(
        self,
        reconciler: &Reconciler<'_>,
        observation: &mut Observation,
        lock: &mut Lock,
    ) -> Result<(), Stop> {
        let Some(verdict) = self.0 else { return Ok(()) };
        reconciler.vouch(&verdict, &account(), observation, lock).map_err(|e| {
            Stop::refused(format!(
                "the confirmation of the clock (--clock-is-right) could not be recorded: {e}; nothing was done"
            ))
        })
    }
}

/// Refuses a saved plan that was made later than now. Then either the clock is wrong, or certificates that the plan
/// counts as ended have not ended.
pub(crate) fn is_past(name: &str, made: Timestamp, now: Timestamp) -> Result<(), Stop> {
    let evidence = Evidence { remembered: Some(moment(name, made)), ..Evidence::default() };
    match judge(now, &evidence) {
        ClockVerdict::Right | ClockVerdict::Early { .. } | ClockVerdict::Ahead { .. } => Ok(()),
        behind @ ClockVerdict::Behind { .. } => {
            Err(Stop::refused(format!("{behind}; nothing was done. Set the clock, or make a new plan with --out")))
        }
    }
}

fn moment(name: &str, made: Timestamp) -> trustmason_plan::ledger::Moment {
    trustmason_plan::ledger::Moment { at: made, what: format!("{name} was made") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]
    use std::time::Duration;

    use trustmason_host::converge::Clock as _;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_clock_within_the_calendar_is_understood() {
        for seconds in [0, 1, 1_780_272_000, 2_524_607_999, 2_524_608_000, 253_402_207_200] {
            assert_eq!(understood(at(seconds)).unwrap().as_second(), i64::try_from(seconds).unwrap());
        }
        assert_eq!(understood(at(253_402_207_200) + Duration::from_nanos(999_999_999)).unwrap(), Timestamp::MAX);
    }

    #[test]
    fn a_clock_outside_the_calendar_is_refused() {
        let beyond =
            ", which is after 9999-12-30T22:00:00Z, the latest time that can be used; set the clock and run again";
        let before = ", which is before 1970; set the clock and run again";
        let past = |seconds| UNIX_EPOCH - Duration::from_secs(seconds);
        for (clock, says, why) in [
            (at(253_402_207_201), "9999-12-30T22:00:01Z", beyond),
            (at(253_402_300_799), "9999-12-31T23:59:59Z", beyond),
            (at(253_402_300_800), "253402300800s after 1970", beyond),
            (UNIX_EPOCH - Duration::from_nanos(1), "1969-12-31T23:59:59Z", before),
            (past(1), "1969-12-31T23:59:59Z", before),
            (past(1_577_923_200), "1920-01-01T00:00:00Z", before),
        ] {
            assert_eq!(understood(clock).unwrap_err(), format!("the clock of this machine says {says}{why}"));
        }
    }

    #[test]
    fn a_clock_goes_on_and_never_beyond_the_calendar() {
        let clock = ProcessClock { read: Timestamp::MAX, since: Instant::now() };
        assert_eq!(clock.exactly(), Timestamp::MAX);
        let clock = ProcessClock { read: Timestamp::UNIX_EPOCH, since: Instant::now() };
        assert!(clock.exactly() <= clock.exactly());
        assert_eq!(clock.now().subsec_nanosecond(), 0);
    }
}
