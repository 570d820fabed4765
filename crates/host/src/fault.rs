//! Gates for tests. [`FaultInjector`] counts the steps of a disk and makes chosen ones fail. [`Meddler`] lets a test act
//! before each step, as another program could.
//!
//! They are part of the library because the crates above test the same things with them, and because the numbered steps
//! of [`crate::disk::Disk`] are the only place where an injected failure looks like a real one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::disk::{DiskStep, Gate, StepDecision};

/// The failure at the chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectedFault {
    /// No space is left (`ENOSPC`).
    NoSpace,
    /// The device fails (`EIO`).
    Device,
    /// The step is not allowed (`EACCES`).
    Denied,
    /// The file system is read-only (`EROFS`).
    ReadOnly,
    /// The file system does not support the step (`EOPNOTSUPP`).
    Unsupported,
    /// A write stops half way because no space is left. Every other step fails with `ENOSPC`.
    ShortWrite,
    /// The power fails: this step and every later one does nothing. The disk then holds what a crash leaves behind.
    Crash,
}

impl InjectedFault {
    fn cause(self) -> io::Error {
        match self {
            Self::NoSpace | Self::ShortWrite => io::ErrorKind::StorageFull.into(),
            Self::Device => io::Error::other("input/output error"),
            Self::Denied => io::ErrorKind::PermissionDenied.into(),
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            Self::Unsupported => io::ErrorKind::Unsupported.into(),
            Self::Crash => io::Error::other("the power went"),
        }
    }
}

/// Which steps a fault hits.
type StepSelector = Box<dyn Fn(usize, DiskStep, &Path) -> bool + Send + Sync>;

/// Counts the steps taken, and makes the chosen ones fail.
pub struct FaultInjector {
    selects: StepSelector,
    fault: InjectedFault,
    taken: AtomicUsize,
    struck: Mutex<Option<(DiskStep, PathBuf)>>,
}

impl std::fmt::Debug for FaultInjector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Faulty({:?}, {} steps)", self.fault, self.taken())
    }
}

impl FaultInjector {
    /// Lets every step pass and only counts.
    pub fn never() -> Self {
        Self::where_it(InjectedFault::Device, |_, _, _| false)
    }

    /// Fails at the step with this number, counted from 0.
    pub fn at(step: usize, fault: InjectedFault) -> Self {
        Self::where_it(fault, move |number, _, _| number == step)
    }

    /// Fails at each step for which `aim` returns true. `aim` gets the step's number, the step and its path.
    pub fn where_it(
        fault: InjectedFault,
        selects: impl Fn(usize, DiskStep, &Path) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { selects: Box::new(selects), fault, taken: AtomicUsize::new(0), struck: Mutex::new(None) }
    }

    /// How many steps were asked for.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// The first step that failed, if any did.
    pub fn struck(&self) -> Option<(DiskStep, PathBuf)> {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gate for FaultInjector {
    fn pass(&self, step: DiskStep, path: &Path) -> StepDecision {
        let number = self.taken.fetch_add(1, Ordering::SeqCst);
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        if self.fault == InjectedFault::Crash && struck.is_some() {
            return StepDecision::Fail(self.fault.cause());
        }
        if !(self.selects)(number, step, path) {
            return StepDecision::Go;
        }
        struck.get_or_insert_with(|| (step, path.to_owned()));
        if self.fault == InjectedFault::ShortWrite {
            StepDecision::Half(self.fault.cause())
        } else {
            StepDecision::Fail(self.fault.cause())
        }
    }
}

/// Lets every step pass, but runs an action of the test before each.
pub struct Meddler<F>(F);

impl<F: Fn(DiskStep, &Path) + Send + Sync> Meddler<F> {
    /// A gate that runs `act` before each step.
    pub fn new(act: F) -> Self {
        Self(act)
    }
}

impl<F> std::fmt::Debug for Meddler<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler(…)")
    }
}

impl<F: Fn(DiskStep, &Path) + Send + Sync> Gate for Meddler<F> {
    fn pass(&self, step: DiskStep, path: &Path) -> StepDecision {
        (self.0)(step, path);
        StepDecision::Go
    }
}
