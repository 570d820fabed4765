//! Text from strangers, made safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Characters that move the cursor, change colour or turn the reading direction.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The text with control, bidirectional and invisible characters escaped (`\u{1b}`), for messages. JSON keeps the exact text.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a String cannot fail.
            write!(shown, "{}", character.escape_unicode()).ok();
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_are_shown() {
        assert_eq!(visible("\u{1b}[31mred\n\u{202e}x"), "\\u{1b}[31mred\\u{a}\\u{202e}x");
        assert!(matches!(visible("zürich 日本"), Cow::Borrowed(_)));
    }
}
