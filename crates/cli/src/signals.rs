//! Signals: the first one asks the run to end in order, the second one ends the program at once.

use std::sync::Arc;

use trustmason_host::converge::Reconciler;

use crate::stop::Stop;

/// From now on the first Ctrl-C (or SIGTERM) lets the store in work finish. The second one ends the program at once,
/// and the next run continues from the journal.
pub(crate) fn heed(reconciler: &Reconciler<'_>) -> Result<(), Stop> {
    let stop = reconciler.stop();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let code = i32::from(crate::exit::INTERRUPTED);
        signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(stop)))
            .map_err(|e| Stop::refused(format!("signals cannot be handled: {e}; nothing was done")))?;
    }
    Ok(())
}
