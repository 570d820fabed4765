//! Elliptic curves by name, as the JDK knows them: `sun.security.util.CurveDB`.

use super::value::{OID, Parsed, Value, refuse, require};
use crate::certificate::algorithm::curve_bits;
use crate::der::dotted;

/// `sun.security.util.ECParameters`: a named curve that `CurveDB` lists. Gives its bits.
pub(super) fn curve(value: &Value<'_>) -> Parsed<u32> {
    require(value.tag == OID, "elliptic curve parameters without a named curve")?;
    let oid = value.oid()?;
    match dotted(oid).as_deref().and_then(curve_bits) {
        Some(bits) => Ok(bits),
        None => refuse("an unknown curve").map_err(|stop| stop.about(oid)),
    }
}
