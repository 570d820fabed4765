//! Words that plans, logs and reports share.

use jiff::Timestamp;

/// An alias or name made safe for a terminal: control, bidirectional and other invisible characters are escaped, so that
/// what is read is what is there. Exact text is for JSON.
pub fn escape(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
        if hidden {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Seconds since 1970 as RFC 3339 UTC; the few dates outside the calendar's range as what they are.
pub fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds}s after 1970"), |t| t.to_string())
}

/// Seconds since 1970 as a day.
pub fn day(seconds: i64) -> String {
    let text = time(seconds);
    text.get(..10).map_or(text.clone(), str::to_owned)
}

/// `1 store`, `2 stores`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
