//! The prefixes of delivered objects, with Firehose's expressions in them.
//!
//! Owns what may stand in a prefix ("Understand custom prefixes for Amazon S3 objects" in Firehose's guide). It must
//! not evaluate expressions: that is Firehose's work.

use schemars::json_schema;
use split_pipeline_handler::spill::{REJECTED_PREFIX, SPILL_PREFIX};

use crate::foreign::check_visible;

use super::text::{Checked, text_value};

/// The longest prefix Firehose takes (its `ExtendedS3DestinationConfiguration` reference).
const MAX_CHARS: usize = 1024;

/// Where the handler keeps what it could not put into the stream, and what was no impression.
const HANDLERS_OWN: [&str; 2] = [SPILL_PREFIX, REJECTED_PREFIX];

const ERROR_OUTPUT_TYPE: &str = "firehose:error-output-type";

text_value! {
    /// What the keys of delivered objects start with.
    Prefix, check: check_prefix, allowed: "an S3 key prefix", schema: {
        "type": "string",
        "maxLength": MAX_CHARS,
        "pattern": (format!("^(?!/|{SPILL_PREFIX}|{REJECTED_PREFIX})"))
    }
}

text_value! {
    /// What the keys of undeliverable records start with.
    ErrorPrefix, check: check_error_prefix, allowed: "an S3 key prefix", schema: {
        "type": "string",
        "maxLength": MAX_CHARS,
        "pattern": (format!(r"^(?!/|{SPILL_PREFIX}|{REJECTED_PREFIX}).*!\{{{ERROR_OUTPUT_TYPE}\}}"))
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("impressions/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/".to_owned())
    }
}

impl Default for ErrorPrefix {
    fn default() -> Self {
        Self("errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/".to_owned())
    }
}

impl Prefix {
    /// Gives the part that is the same for every object.
    #[must_use]
    pub fn fixed_part(&self) -> &str {
        fixed_part(&self.0)
    }

    /// Gives the folders that objects are in, without what their own names start with.
    #[must_use]
    pub fn folders(&self) -> &str {
        self.0.rfind('/').map_or("", |end| &self.0[..=end])
    }

    /// Finds what else in the bucket has keys that start like those of delivered objects, given the error prefix.
    pub(super) fn covers<'a>(&self, errors: &'a ErrorPrefix) -> Option<&'a str> {
        below(self.fixed_part(), errors)
    }

    /// Finds what else is in the folders that delivered objects are in.
    pub(super) fn shares_folder_with<'a>(&self, errors: &'a ErrorPrefix) -> Option<&'a str> {
        let folders = self.folders();
        if fixed_part(folders) == folders {
            return below(folders, errors);
        }
        errors.0.starts_with(folders).then_some(errors.0.as_str())
    }

    /// Whether a key is one of those that are delivered, as far as the fixed parts tell.
    #[must_use]
    pub fn has(&self, key: &str, errors: &ErrorPrefix) -> bool {
        let mut others = others(errors).filter(|other| other.len() > self.fixed_part().len());
        key.starts_with(self.fixed_part()) && !others.any(|other| key.starts_with(other))
    }
}

/// What is not delivered, and has keys that start like this.
fn below<'a>(start: &str, errors: &'a ErrorPrefix) -> Option<&'a str> {
    others(errors).find(|other| other.starts_with(start))
}

/// What is in the bucket besides, by the fixed parts of its keys.
fn others(errors: &ErrorPrefix) -> impl Iterator<Item = &str> {
    HANDLERS_OWN.into_iter().chain([fixed_part(&errors.0)])
}

impl ErrorPrefix {
    /// Gives the prefix of what cannot be converted.
    #[must_use]
    pub fn of_failed_conversions(&self) -> Prefix {
        let expression = format!("!{{{ERROR_OUTPUT_TYPE}}}");
        Prefix(self.0.replace(&expression, "format-conversion-failed"))
    }
}

fn fixed_part(prefix: &str) -> &str {
    prefix.split("!{").next().unwrap_or_default()
}

fn check_prefix(text: &str) -> Checked {
    check_start_and_length(text)?;
    for expression in expressions(text)? {
        match expression {
            ERROR_OUTPUT_TYPE => {
                return Err(format!(
                    "must not contain `!{{{ERROR_OUTPUT_TYPE}}}`, which is for `error_prefix` alone"
                ));
            }
            other => check_expression(other, "`!{timestamp:...}` and `!{firehose:random-string}`")?,
        }
    }
    Ok(())
}

fn check_error_prefix(text: &str) -> Checked {
    check_start_and_length(text)?;
    let mut names_the_error = false;
    for expression in expressions(text)? {
        if expression == ERROR_OUTPUT_TYPE {
            names_the_error = true;
        } else {
            check_expression(
                expression,
                "`!{firehose:error-output-type}`, `!{timestamp:...}` and `!{firehose:random-string}`",
            )?;
        }
    }
    if names_the_error {
        Ok(())
    } else {
        Err(format!("must contain `!{{{ERROR_OUTPUT_TYPE}}}`, as Firehose demands"))
    }
}

fn check_start_and_length(text: &str) -> Checked {
    if text.chars().count() > MAX_CHARS {
        return Err(format!("must be at most {MAX_CHARS} characters long"));
    }
    check_visible(text)?;
    if text.starts_with('/') {
        return Err("must not start with `/`, which would make a folder without a name".to_owned());
    }
    match HANDLERS_OWN.iter().find(|own| text.starts_with(*own)) {
        Some(own) => Err(format!("must not start with `{own}`, which the handler writes to")),
        None => Ok(()),
    }
}

/// Gives what stands between each `!{` and the `}` that closes it.
fn expressions(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("!{") {
        let (expression, after) =
            after.split_once('}').ok_or_else(|| "must close each `!{` with `}`".to_owned())?;
        found.push(expression);
        rest = after;
    }
    Ok(found)
}

fn check_expression(expression: &str, allowed: &str) -> Checked {
    match expression.split_once(':') {
        Some(("timestamp", pattern)) => check_date_pattern(pattern),
        Some(("firehose", "random-string")) => Ok(()),
        _ => Err(format!("must not contain `!{{{expression}}}`; {allowed} are what there is")),
    }
}

/// Refuses what is no `java.time.format.DateTimeFormatter` pattern in any version of Java.
fn check_date_pattern(pattern: &str) -> Checked {
    if pattern.is_empty() {
        return Err(
            "must have a date pattern after `timestamp:`, such as `!{timestamp:yyyy-MM-dd}`".to_owned()
        );
    }
    let mut quoted = false;
    for c in pattern.chars() {
        if c == '\'' {
            quoted = !quoted;
        } else if !quoted && "bCfIiJjloPRrTtU".contains(c) {
            return Err(format!(
                "must not contain `{c}` in a date pattern; text in a pattern goes in single quotes"
            ));
        } else if !quoted && "{#".contains(c) {
            return Err(format!("must not contain `{c}` in a date pattern"));
        }
    }
    if quoted { Err("must close each single quote in a date pattern".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_delivered_or_something_else() {
        let errors = ErrorPrefix::default();
        let usual = Prefix::default();
        assert!(usual.has("impressions/dt=2026-01-01/a", &errors));
        let everywhere = Prefix("!{timestamp:yyyy}/".to_owned());
        assert!(everywhere.has("2026/a", &errors));
        for other in ["spill/2026/a", "rejected/a", "errors/format-conversion-failed/a"] {
            assert!(!usual.has(other, &errors) && !everywhere.has(other, &errors), "{other}");
        }
        // What starts the same cannot be told apart.
        let mixed = Prefix("errors/ok/".to_owned());
        assert!(mixed.has("errors/ok/a", &errors));
    }

    #[test]
    fn failed_conversions_have_a_prefix() {
        let prefix = ErrorPrefix::default().of_failed_conversions();
        assert_eq!(prefix.as_str(), "errors/format-conversion-failed/dt=!{timestamp:yyyy-MM-dd}/");
    }
}
