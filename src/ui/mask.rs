//! Hides the secret paths of webhooks in what is printed: those that are known in any spelling, and whatever has the form
//! of one, since a message may come before its secret is known.
//!
//! Pure but for what it has learnt. Must not print.

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::resources::webhook::rest_api::is_secret;

/// What is shown in place of a secret.
const MASK: &str = "(secret)";

#[derive(Debug, Default)]
pub(super) struct Masks {
    known: RwLock<Vec<Known>>,
}

/// A secret, and its base64, as far as that does not depend on what stands around it.
#[derive(Debug)]
struct Known {
    secret: String,
    encoded: [String; 3],
}

impl Masks {
    pub(super) fn learn(&self, secret: &str) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !secret.is_empty() && known.iter().all(|known| known.secret != secret) {
            known.push(Known::new(secret));
        }
    }

    /// Hides the known secrets, and what has the form of one.
    pub(super) fn all(&self, text: &str) -> String {
        shapes(&self.known(text))
    }

    /// Hides the known secrets.
    fn known(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (mut masked, mut kept) = (String::with_capacity(text.len()), 0);
        for (at, _) in text.char_indices() {
            let length = known.iter().find_map(|known| known.length_at(&text.as_bytes()[at..]));
            if let Some(length) = length.filter(|_| at >= kept) {
                masked.push_str(&text[kept..at]);
                masked.push_str(MASK);
                kept = at + length;
            }
        }
        masked + &text[kept..]
    }

    /// Hides the known secrets, except in the URLs that the user asked for.
    pub(super) fn known_except(&self, text: &str, urls: &[&str]) -> String {
        let next = |text: &str| {
            let found = urls.iter().filter(|url| !url.is_empty());
            let found = found.filter_map(|url| text.find(url).map(|start| start..start + url.len()));
            found.min_by_key(|range: &Range<usize>| range.start)
        };
        let (mut masked, mut rest) = (String::new(), text);
        while let Some(url) = next(rest) {
            masked += &self.known(&rest[..url.start]);
            masked += &rest[url.clone()];
            rest = &rest[url.end..];
        }
        masked + &self.known(rest)
    }
}

impl Known {
    fn new(secret: &str) -> Self {
        let encoded = [0, 1, 2].map(|before: usize| {
            let bytes = [vec![0; before], secret.as_bytes().to_vec()].concat();
            let text = STANDARD_NO_PAD.encode(&bytes);
            // The first and last characters may hold bits of what stands around the secret.
            let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
            text.get(start..end).unwrap_or_default().to_owned()
        });
        Self { secret: secret.to_owned(), encoded }
    }

    /// How long the secret is that a text starts with, in whatever spelling.
    fn length_at(&self, text: &[u8]) -> Option<usize> {
        let mut encoded = self.encoded.iter();
        if let Some(encoded) = encoded.find(|it| !it.is_empty() && text.starts_with(it.as_bytes())) {
            return Some(encoded.len());
        }
        let mut length = 0;
        for byte in self.secret.bytes() {
            let (spelled, taken) = character(&text[length..])?;
            if !spelled.eq_ignore_ascii_case(&byte) {
                return None;
            }
            length += taken;
        }
        Some(length)
    }
}

/// The ASCII character that a text starts with, and how long it is spelled there: as itself, or escaped as in a URL, in JSON,
/// in HCL or in XML.
fn character(text: &[u8]) -> Option<(u8, usize)> {
    let escaped = |start: &[u8], digits: usize, end: &[u8]| {
        let number = text.strip_prefix(start)?.get(..digits)?;
        let after = text.get(start.len() + digits..)?;
        let number = u8::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()?;
        after.starts_with(end).then_some((number, start.len() + digits + end.len()))
    };
    if text.starts_with(b"%") {
        // A percent sign may have been escaped as well, any number of times.
        let again = text[1..].chunks(2).take_while(|pair| *pair == b"25").count() * 2;
        let number = text.get(1 + again..3 + again)?;
        let number = u8::from_str_radix(std::str::from_utf8(number).ok()?, 16).ok()?;
        return Some((number, 3 + again));
    }
    let forms: [(&[u8], usize, &[u8]); 5] =
        [(b"\\u00", 2, b""), (b"\\u{", 2, b"}"), (b"\\x", 2, b""), (b"&#x", 2, b";"), (b"\\U000000", 2, b"")];
    let found = forms.iter().find_map(|(start, digits, end)| escaped(start, *digits, end));
    found.or_else(|| text.first().map(|byte| (*byte, 1)))
}

/// Hides what has the form of a secret path: a word of its own, or what follows an escaped character.
pub(super) fn shapes(text: &str) -> String {
    let (mut masked, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        masked.push_str(&rest[..start]);
        let before = rest[..start].bytes().next_back();
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let escape = escape_length(before, word);
        // Ids of other things have a part before: `mrk-` of a KMS key. A secret path follows a slash, a quote or a space.
        if matches!(before, Some(b'-' | b'.')) {
            masked.push_str(word);
        } else if is_secret(word) {
            masked.push_str(MASK);
        } else if is_secret(&word[escape..]) {
            masked.push_str(&word[..escape]);
            masked.push_str(MASK);
        } else {
            masked.push_str(word);
        }
        rest = after;
    }
    masked + rest
}

/// How much of a word belongs to an escaped character before it: `2F` of `%2Fword`, `n` of `\nword`.
fn escape_length(before: Option<u8>, word: &str) -> usize {
    let word = word.as_bytes();
    let is_hex = |range: Range<usize>| word.get(range).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit));
    match (before, word.first()) {
        (Some(b'%'), _) => {
            let again = word.chunks(2).take_while(|pair| *pair == b"25").count() * 2;
            if is_hex(again..again + 2) { again + 2 } else { 0 }
        }
        (Some(b'\\'), Some(b'u')) if is_hex(1..5) => 5,
        (Some(b'\\'), Some(b'U')) if is_hex(1..9) => 9,
        (Some(b'\\'), Some(b'x')) if is_hex(1..3) => 3,
        (Some(b'\\'), Some(b'n' | b'r' | b't' | b'b' | b'f' | b'0')) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn percent(text: &str, escaped: impl Fn(usize) -> bool) -> String {
        let bytes = text.bytes().enumerate();
        let bytes =
            bytes.map(
                |(at, byte)| {
                    if escaped(at) { format!("%{byte:02x}") } else { char::from(byte).to_string() }
                },
            );
        bytes.collect()
    }

    #[test]
    fn a_secret_path_is_masked_and_nothing_else() {
        for (text, masked) in [
            (format!("POST /prod/{SECRET}?x"), "POST /prod/(secret)?x"),
            (format!("prod%2F{SECRET}%3Fx"), "prod%2F(secret)%3Fx"),
            (format!("prod%252f{SECRET}"), "prod%252f(secret)"),
            (format!("{{\"a\": \"\\n{SECRET}\\u002f{SECRET}\"}}"), "{\"a\": \"\\n(secret)\\u002f(secret)\"}"),
            (format!("{SECRET}{SECRET}"), "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        ] {
            assert_eq!(shapes(&text), masked);
        }
        for other in [
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
            "bf6bd2ce-17e1-4c37-8d4d-15c6a3ad9c6f",
            "0123456789ABCDEF0123456789ABCDEF",
            // A multi-region key of KMS.
            "key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ] {
            assert_eq!(shapes(other), other);
        }
    }

    #[test]
    fn known_secrets_are_masked_in_every_spelling() {
        let old = "fedcba9876543210fedcba9876543210";
        let masks = Masks::default();
        masks.learn(SECRET);
        masks.learn(old);
        let each = |spell: fn(u8) -> String| SECRET.bytes().map(spell).collect::<Vec<_>>().concat();
        let (json, xml) = (each(|byte| format!("\\u{byte:04X}")), each(|byte| format!("&#x{byte:x};")));
        for spelled in [
            SECRET.to_owned(),
            old.to_owned(),
            SECRET.to_uppercase(),
            percent(SECRET, |_| true),
            percent(SECRET, |at| at % 3 == 0).replace('%', "%2525"),
            json,
            xml,
        ] {
            for (before, after) in
                [("", ""), ("https://h/prod/", "?a"), ("%2F", "%2f"), ("aF", "0f"), ("码", "é")]
            {
                let masked = masks.known(&format!("{before}{spelled}{after}"));
                assert_eq!(masked, format!("{before}{MASK}{after}"));
            }
        }
        assert_eq!(masks.known("nothing to hide: 0123456789abcdef"), "nothing to hide: 0123456789abcdef");
    }

    #[test]
    fn the_url_that_was_asked_for_is_told_and_no_other() {
        let masks = Masks::default();
        masks.learn(SECRET);
        let url = format!("https://h/prod/{SECRET}");
        let text = format!("{{\"webhook_url\":\"{url}\",\"why\":\"execute-api:/{SECRET}\"}}");
        let told = format!("{{\"webhook_url\":\"{url}\",\"why\":\"execute-api:/(secret)\"}}");
        assert_eq!(masks.known_except(&text, &[&url, ""]), told);
        assert!(!masks.known_except(&text, &[]).contains(SECRET));
    }

    proptest! {
        #[test]
        fn base64_of_a_text_with_the_secret_does_not_tell_it(before in ".{0,9}", after in ".{0,9}", secret in "[0-9a-f]{32}") {
            let masks = Masks::default();
            masks.learn(&secret);
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{secret}{after}"));
            let masked = masks.all(&encoded);
            prop_assert!(masked.contains(MASK), "{masked}");
            // At most the bits of a character at each end are left.
            prop_assert!(encoded.len() + MASK.len() - masked.len() >= 40, "{masked}");
        }

        #[test]
        fn no_text_is_a_panic_and_no_known_secret_is_left(text in "([%\\\\u0-9a-f{}&#x;25]|.){0,60}", at in 0_usize..60) {
            let masks = Masks::default();
            masks.learn(SECRET);
            let at = text.char_indices().map(|(at, _)| at).nth(at).unwrap_or(text.len());
            let masked = masks.all(&format!("{}{SECRET}{}", &text[..at], &text[at..]));
            prop_assert!(!masked.contains(SECRET), "{masked}");
        }
    }
}
