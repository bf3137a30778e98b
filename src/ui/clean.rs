//! Text of others made safe to show: what a terminal would obey is spelled out, and a webhook's secret is not shown.
//!
//! Tags, names of policies and AWS's own messages are written by whoever may; a message is read on a terminal, and
//! ends in logs.

use crate::progress::Event;

/// As long as a secret path.
const SECRET: usize = 32;

/// What is shown in place of a secret.
const MASK: &str = "(secret)";

/// Spells out what a terminal would obey, and masks what looks like a secret path.
pub(super) fn clean(text: &str) -> String {
    masked(&visible(text))
}

/// Spells out control characters, but for the ends of lines, and what turns the direction of text.
fn visible(text: &str) -> String {
    let is_obeyed = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            visible.extend(c.escape_default());
        } else {
            visible.push(c);
        }
    }
    visible
}

fn masked(text: &str) -> String {
    let mut rest = text;
    let mut masked = String::with_capacity(text.len());
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        masked.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let word = &rest[..end];
        let is_secret = word.len() == SECRET && word.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        masked.push_str(if is_secret { MASK } else { word });
        rest = &rest[end..];
    }
    masked + rest
}

/// The same event with its texts made safe.
pub(super) fn clean_event(event: Event) -> Event {
    match event {
        Event::Working(what) => Event::Working(clean(&what)),
        Event::Waiting { kind, name, what } => Event::Waiting {
            kind,
            name,
            what: clean(&what),
        },
        Event::Call {
            call,
            elapsed,
            outcome,
        } => Event::Call {
            call,
            elapsed,
            outcome: clean(&outcome),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_obeys() {
        assert_eq!(
            visible("a\u{1b}[2Jb\u{7}\r\n\u{202e}c"),
            "a\\u{1b}[2Jb\\u{7}\\r\n\\u{202e}c"
        );
        assert_eq!(visible("üñí 码 🙂"), "üñí 码 🙂");
    }

    #[test]
    fn a_secret_path_is_masked_and_nothing_else() {
        let secret = "0123456789abcdef0123456789abcdef";
        assert_eq!(clean(&format!("POST /prod/{secret}?x")), "POST /prod/(secret)?x");
        for other in [
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdef0",
            "bf6bd2ce-17e1-4c37-8d4d-15c6a3ad9c6f",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert_eq!(clean(other), other);
        }
    }
}
