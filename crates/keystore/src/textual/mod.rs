//! PEM as text (RFC 7468, "Textual Encodings of PKIX, PKCS, and CMS Structures"). The module takes bytes, finds the
//! blocks, explains their labels, and says whether a text is a store of certificates or of PKCS#7 bundles. It never
//! parses the content of a block: `pem` does.

pub(crate) mod label;
pub(crate) mod scan;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::der;
use crate::format::Format;
use crate::pkcs7;
use label::is_certificate_label;
use scan::Block;

/// Whether the bytes are text with PEM blocks. A text may begin with `0` (as `openssl s_client -showcerts` prints a
/// chain), which is also the tag of a SEQUENCE; but the tags after a SEQUENCE's are control characters.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    scan::first(bytes).is_some_and(|begin| {
        bytes.first() != Some(&der::SEQUENCE) || !bytes.get(..begin).unwrap_or_default().iter().any(control)
    })
}

/// Whether the block's label promises PKCS#7 or CMS (RFC 7468 §8 and §9; `PKCS #7 SIGNED DATA` in older OpenSSL), or
/// the block contains it under the label of a certificate, as in the `.p7b` files of some tools.
pub(crate) fn holds_bundle(block: &Block<'_>) -> bool {
    match block.label {
        "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => true,
        label => is_certificate_label(label) && block.body.as_ref().is_ok_and(|body| begins(body)),
    }
}

/// Whether the Base64 begins like PKCS#7. A few dozen characters are enough to know.
fn begins(body: &[u8]) -> bool {
    let head: Vec<u8> =
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').take(32).collect();
    STANDARD_NO_PAD.decode(head).is_ok_and(|bytes| pkcs7::begins(&bytes))
}

/// Whether a PEM text is a PEM store or a PKCS#7 store. The search ends at the first certificate block, so a long
/// bundle costs no more than a short one.
pub(crate) fn format(bytes: &[u8]) -> Format {
    let mut format = Format::Pem;
    for block in scan::blocks(bytes) {
        if holds_bundle(&block) {
            format = Format::Pkcs7;
        } else if is_certificate_label(block.label) {
            return Format::Pem;
        }
    }
    format
}
