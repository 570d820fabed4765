//! Signals: the first one asks for an orderly end, the second one ends the program.

use std::sync::Arc;

use trustmason_host::converge::Reconciler;

use crate::stop::Stop;

/// From now on the first Ctrl-C (or SIGTERM) lets the store in hand be finished; the second ends the program at once, and the next
/// run goes on from the journal.
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
