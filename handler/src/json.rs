//! Defines JSON's white space, and reads the characters of a JSON string one by one, no further than needed.
//!
//! Must not allocate: a name or a key that a sender writes can be as long as the body.

use std::char::{DecodeUtf16Error, decode_utf16};
use std::iter;
use std::str::Chars;

/// What JSON allows between tokens (RFC 8259, section 2).
pub(crate) const WHITESPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Replaces newlines with spaces: inside a string JSON allows no literal newline, so only the layout changes.
pub(crate) fn blank_newlines(json: &mut [u8]) {
    for byte in json {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

/// Returns the characters of a JSON string, given as JSON text with its quotes; an error for each half of a surrogate pair,
/// which is valid JSON and no character.
pub(crate) fn characters(json: &str) -> impl Iterator<Item = Result<char, DecodeUtf16Error>> {
    let unquoted = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    let mut units = Utf16Units { rest: unquoted.unwrap_or(json).chars(), second: None };
    decode_utf16(iter::from_fn(move || units.next()))
}

/// The UTF-16 units of a JSON string, which are what its escapes stand for.
struct Utf16Units<'a> {
    rest: Chars<'a>,
    /// The second unit of the last character.
    second: Option<u16>,
}

impl Utf16Units<'_> {
    fn escaped_unit(&mut self) -> Option<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.rest.next()?.to_digit(16)?;
            unit = unit << 4 | u16::try_from(digit).ok()?;
        }
        Some(unit)
    }

    fn next(&mut self) -> Option<u16> {
        if self.second.is_some() {
            return self.second.take();
        }
        let character = match self.rest.next()? {
            '\\' => match self.rest.next()? {
                'u' => return self.escaped_unit(),
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                same => same,
            },
            same => same,
        };
        let mut units = [0; 2];
        let length = character.encode_utf16(&mut units).len();
        self.second = (length == 2).then_some(units[1]);
        Some(units[0])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn characters_are_those_that_serde_json_decodes(
            parts in prop::collection::vec(prop_oneof![
                "[^\"\\\\\u{0}-\u{1f}]{1,4}",
                r#"\\["\\/bfnrt]"#,
                r"\\u[0-9a-f]{4}",
                r"\\ud[89ab][0-9A-F]{2}",
                r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}",
            ], 0..6),
        ) {
            let json = format!("\"{}\"", parts.concat());
            let have: Result<String, _> = characters(&json).collect();
            prop_assert_eq!(have.ok(), serde_json::from_str::<String>(&json).ok(), "{}", json);
        }
    }
}
