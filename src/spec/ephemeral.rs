//! The names of the pipelines that `smoke --ephemeral` creates: how they are made, how a policy names all of them, and that
//! no spec's own name is one.
//!
//! Owns that form. A policy for ephemeral pipelines lets its holder delete them with their data, so no other pipeline may have a
//! name in that form.

use super::Name;
use super::values::LONGEST_NAME;

/// Random bytes that tell the ephemeral pipelines of one spec apart.
pub const RUN_BYTES: usize = 4;

/// What the names of ephemeral pipelines have, and those of others must not have.
///
/// No name ends in a hyphen, and what is appended to one starts with a single hyphen: so what is named after a pipeline has this
/// only where the pipeline's name has it.
pub(super) const MARK: &str = "--eph";

/// The longest part of a spec's own name in an ephemeral one.
const LONGEST_BASE: usize = LONGEST_NAME - MARK.len() - 1 - 2 * RUN_BYTES;

/// Why the name of a pipeline or its bucket is refused, and what to do; none if it is not.
pub(super) fn problem(name: &str) -> Option<(String, &'static str)> {
    name.contains(MARK).then(|| {
        let message = format!("must not contain `{MARK}`, which marks the pipelines of `smoke --ephemeral`");
        let hint = "choose another name; `split-pipeline down` still takes this one";
        (message, hint)
    })
}

impl Name {
    /// The name of an ephemeral pipeline of this one's spec, in a run that is given by `2 * RUN_BYTES` hexadecimal digits.
    pub fn ephemeral(&self, run: &str) -> Result<Self, String> {
        Self::new(self.ephemeral_form(run))
    }

    /// What matches the name of each ephemeral pipeline of this one's spec in an IAM policy: `?` is any one character.
    pub fn ephemeral_pattern(&self) -> String {
        self.ephemeral_form(&"?".repeat(2 * RUN_BYTES))
    }

    fn ephemeral_form(&self, run: &str) -> String {
        let name = self.as_str();
        let base = name[..name.len().min(LONGEST_BASE)].trim_end_matches('-');
        format!("{base}{MARK}-{run}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn ephemeral_names_are_names_however_long_the_specs_is() {
        for (spec, want) in [
            ("abc", "abc--eph-0123abcd"),
            ("it-ephemeral", "it-ephemeral--eph-0123abcd"),
            // Cut after 18 characters, and not in front of a hyphen.
            ("a-pipeline-of-a-very-long-name", "a-pipeline-of-a-ve--eph-0123abcd"),
            ("a-pipeline-of-the-longest-name", "a-pipeline-of-the--eph-0123abcd"),
        ] {
            let ephemeral = name(spec).ephemeral("0123abcd").unwrap();
            assert_eq!(ephemeral.as_str(), want);
            assert!(problem(&ephemeral.to_string()).is_some());
        }
        assert_eq!(name("abc").ephemeral_pattern(), "abc--eph-????????");
    }

    #[test]
    fn only_the_mark_is_reserved() {
        for free in ["abc-eph", "abc-eph-0123abcd", "ephemeral", "abc--e-ph", "a--b"] {
            assert_eq!(problem(free), None, "{free}");
        }
        for reserved in ["abc--eph", "abc--eph-0123abcd", "abc--ephemeral"] {
            assert!(problem(reserved).is_some(), "{reserved}");
        }
    }
}
