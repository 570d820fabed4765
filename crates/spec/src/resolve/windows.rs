//! Resolves Windows stores: the path of a live store, and which certificate goes into which system store. Reports settings
//! that do not fit a Windows store, or that only a Windows store may have.

use super::Resolver;
use super::hosts::ResolvedHost;
use super::overrides::{Override, winning_value};
use crate::estate::StoreOverride;
use crate::fault::{At, Span};
use crate::name::StoreId;
use crate::profile::{Spot, StoreTemplate};
use crate::topology::{DeclaredFormat, WriteMode};
use crate::windows::{self, Placement, SystemPlace};

/// A store of format `windows` as the spec describes it.
pub(super) struct System {
    pub(super) place: SystemPlace,
    /// Whether the path means the system's own stores and not a mirror of them.
    pub(super) live: bool,
}

/// The error of a check that has already put its fault into `Resolver::faults`.
pub(super) struct Reported;

/// How changes reach a store. An override may set `write:` for Windows stores only, because people and trustmason can both
/// change them. `live` is `None` for other formats, and tells for a Windows store whether its path means the system's own.
pub(super) fn write(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    store: &StoreTemplate,
    live: Option<bool>,
    hits: &[&Override<'_, StoreOverride>],
) -> WriteMode {
    let mirrored = "give it `path: 'windows://LocalMachine/Root'` beside `write: direct`";
    let Some(at) = winning_value(work, id, hits, "write", |o| o.write.as_ref(), |a, b| a == b) else {
        if live == Some(false) && store.write == WriteMode::Direct {
            let message =
                format!("{id} is a Windows store, but its path is a file, which only people can import into Windows");
            let hint = "give it `path: 'windows://LocalMachine/Root'`, or `write: hand-off` with the path of a mirror";
            let Reported = fault(work, machine, None, message, hint);
        }
        return store.write;
    };
    let (why, hint) = match live {
        None => ("is not a Windows store", "leave `write` out; the profile knows who writes it"),
        Some(false) if at.value == WriteMode::Direct => ("is seen only in a mirror, which no service reads", mirrored),
        Some(_) => return at.value,
    };
    let fault = work.spec.source.error(at.place, format!("how {id} is written cannot be changed: it {why}"));
    work.faults.push(fault.hint(hint));
    store.write
}

/// The text of a store's path, and the place of the override that wrote it.
fn text<'a>(path: Option<&'a At<String>>, store: &'a StoreTemplate) -> (&'a str, Option<Span>) {
    match (path, &store.spot) {
        (Some(path), _) => (path.value.as_str(), Some(path.place)),
        (None, Spot::Path(path)) => (path.as_str(), None),
        (None, Spot::Pair { .. }) => ("", None),
    }
}

/// Reports a Windows path or a `place:` on a store of another format.
pub(super) fn foreign(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    store: &StoreTemplate,
    format: DeclaredFormat,
    path: Option<&At<String>>,
    hits: &[&Override<'_, StoreOverride>],
) -> Result<(), Reported> {
    let (text, at) = text(path, store);
    let placed = winning_value(work, id, hits, "place", |o| o.place.as_ref(), |a, b| a == b);
    if windows::is_system(text) {
        let message =
            format!("`{text}` is a certificate store of Windows, but {id} has the format {}", format.as_str());
        return Err(fault(work, machine, at, message, "declare `format: windows`, or the path of the file"));
    }
    if let Some(at) = placed {
        let message = format!("{id} has the format {}, but `place` is only for Windows stores", format.as_str());
        return Err(fault(work, machine, Some(at.place), message, "leave `place` out"));
    }
    Ok(())
}

/// The system stores that a store of format `windows` consists of.
pub(super) fn system(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    id: &StoreId,
    store: &StoreTemplate,
    path: Option<&At<String>>,
    hits: &[&Override<'_, StoreOverride>],
) -> Result<System, Reported> {
    let (text, at) = text(path, store);
    let live = windows::is_system(text);
    let placed = winning_value(work, id, hits, "place", |o| o.place.as_ref(), |a, b| a == b);
    let below = match live.then(|| machine.fill(text)) {
        None => SystemPlace::machine(),
        Some(Ok(text)) => match windows::parse(&text) {
            Ok((location, main)) => SystemPlace { location, main, placement: Placement::of(main) },
            Err((message, hint)) => return Err(fault(work, machine, at, format!("the path of {id}: {message}"), hint)),
        },
        Some(Err(why)) => {
            let message = format!("the path of {id}: {why}");
            return Err(fault(work, machine, at, message, "check `vars:` of its host"));
        }
    };
    let placement = store.placement.over(below.placement);
    let placement = placed.map_or(placement, |at| at.value.over(placement));
    Ok(System { place: SystemPlace { placement, ..below }, live })
}

fn fault(
    work: &mut Resolver<'_>,
    machine: &ResolvedHost<'_>,
    at: Option<Span>,
    message: String,
    hint: &str,
) -> Reported {
    let fault = work.spec.source.error(at.unwrap_or(machine.spec.place), message);
    work.faults.push(fault.hint(hint));
    Reported
}
