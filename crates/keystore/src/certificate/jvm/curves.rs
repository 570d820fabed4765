//! Elliptic curves by name, as the JDK knows them: `sun.security.util.CurveDB`. The module takes the parameters of a
//! key and gives the size of the curve, or says that the JDK refuses it.

use super::value::{OID, Parsed, Value, refuse, require};
use crate::certificate::algorithm::curve_bits;
use crate::der::dotted;

/// `sun.security.util.ECParameters`: a named curve that `CurveDB` lists. Gives the bits of the curve.
pub(super) fn curve(value: &Value<'_>) -> Parsed<u32> {
    require(value.tag == OID, "elliptic curve parameters without a named curve")?;
    let oid = value.oid()?;
    match dotted(oid).as_deref().and_then(curve_bits) {
        Some(bits) => Ok(bits),
        None => refuse("an unknown curve").map_err(|stop| stop.about(oid)),
    }
}
