//! Makes text from a file or another program safe to print: it takes any text and gives it with hidden characters
//! escaped. It never changes what JSON output or a store contains.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a reader cannot see this character as it is: it moves the cursor, changes colours, turns the reading
/// direction, breaks a line or is invisible. (Unicode: `Cc`, `Bidi_Control`, the separators U+2028 and U+2029,
/// `Default_Ignorable_Code_Point`, and the interlinear annotations.)
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Gives the text with control, bidirectional and invisible characters escaped (`\u{1b}`), for messages. JSON output
/// keeps the exact text.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a `String` cannot fail.
            write!(shown, "{}", character.escape_unicode()).ok();
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Blanks that a reader of ASCII does not treat as blanks, and invisible characters.
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}')
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
