//! What is printed made safe to show: what a terminal would obey is spelled out, and a webhook's secret is not shown.
//!
//! Tags, names of policies and AWS's own messages are written by whoever may; a message is read on a terminal, and
//! ends in logs.

use super::mask::{Masks, shapes};
use crate::failure::Failure;
use crate::foreign;
use crate::progress::Event;

/// A text of others as a part of one line: everything that deceives is spelled out, and what looks like a secret is masked.
pub(crate) fn clean(text: &str) -> String {
    foreign::line(&shapes(text))
}

/// The same, with line breaks, where every line but the first is indented.
pub(crate) fn clean_block(text: &str, indent: usize) -> String {
    foreign::block(&shapes(text), indent)
}

impl Masks {
    /// A part of one line, without what is known to be secret.
    pub(super) fn line(&self, text: &str) -> String {
        foreign::line(&self.all(text))
    }

    /// The same, with line breaks, where every line but the first is indented.
    pub(super) fn block(&self, text: &str, indent: usize) -> String {
        foreign::block(&self.all(text), indent)
    }

    pub(super) fn failure(&self, failure: &Failure) -> Failure {
        Failure {
            kind: failure.kind,
            message: self.block(&failure.message, 0),
            hints: failure.hints.iter().map(|hint| self.line(hint)).collect(),
        }
    }

    /// The same event with its texts made safe; nothing if it only tells what is secret.
    pub(super) fn event(&self, event: Event) -> Option<Event> {
        Some(match event {
            Event::Secret(secret) => {
                self.learn(&secret);
                return None;
            }
            Event::Working(what) => Event::Working(self.line(&what)),
            Event::Waiting { kind, name, what } => Event::Waiting { kind, name, what: self.line(&what) },
            Event::Call { call, elapsed, outcome } => {
                Event::Call { call, elapsed, outcome: self.line(&outcome) }
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn nothing_reaches_the_terminal_that_it_obeys() {
        assert_eq!(
            clean("a\u{1b}[2Jb\u{7}\r\n\u{202e}c\u{2028}d\u{200b}"),
            "a\\u{1b}[2Jb\\u{7}\\r\\n\\u{202e}c\\u{2028}d\\u{200b}"
        );
        assert_eq!(clean_block("a\nhint: b", 2), "a\n  hint: b");
        assert_eq!(clean("üñí 码 🙂"), "üñí 码 🙂");
    }

    #[test]
    fn a_secret_path_is_masked_and_nothing_else() {
        assert_eq!(clean(&format!("POST /prod/{SECRET}?x")), "POST /prod/(secret)?x");
        assert_eq!(clean(&format!("prod%2F{SECRET}")), "prod%2F(secret)");
        for other in [&SECRET[1..], &format!("{SECRET}0"), &SECRET.to_uppercase()] {
            assert_eq!(clean(other), other);
        }
    }

    #[test]
    fn a_failure_tells_no_secret_and_obeys_nobody() {
        let masks = Masks::default();
        masks.learn(SECRET);
        let escaped = SECRET.replace('0', "%30").replace('f', "%66");
        let failure = Failure::new(FailureKind::Smoke, format!("POST /{SECRET}:\n%2F{escaped}\u{1b}[2J"));
        let failure = masks.failure(&failure.hint(format!("see\n{SECRET}")));
        assert_eq!(failure.message, "POST /(secret):\n%2F(secret)\\u{1b}[2J");
        assert_eq!(failure.hints, ["see\\n(secret)"]);
    }

    #[test]
    fn events_tell_no_secret_once_it_is_known() {
        let masks = Masks::default();
        assert!(masks.event(Event::Secret(SECRET.to_owned())).is_none());
        let what = format!("trying %2f{}\nagain", SECRET.to_uppercase());
        let Some(Event::Working(what)) = masks.event(Event::Working(what)) else {
            panic!("no event");
        };
        assert_eq!(what, "trying %2f(secret)\\nagain");
    }
}
