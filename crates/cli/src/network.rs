//! The only way from the command line to the network: asks services for their certificates. The answers are never trusted.

use std::collections::BTreeMap;

use trustmason_host::converge::Reconciler;
use trustmason_host::endpoint::{self, AskOptions};
use trustmason_plan::observed::ServedLook;
use trustmason_spec::name::IdentityId;

use crate::console::Console;

/// Asks the services of these identities for their certificates.
pub(crate) fn probe(
    reconciler: &Reconciler<'_>,
    identities: &[(IdentityId, u16)],
    way: &AskOptions,
    console: Console,
) -> BTreeMap<IdentityId, ServedLook> {
    let bar = crate::progress::asking(console, identities.len());
    let served = endpoint::probe(identities, way, reconciler.certificates(), || bar.inc(1));
    bar.finish_and_clear();
    tracing::info!(identities = identities.len(), "services asked");
    served
}
