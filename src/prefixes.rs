//! Fills in Firehose's prefixes for a time: to search there without listing years of impressions, and to put there what Firehose
//! did not deliver.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// How many prefixes are searched for the newest object, an hour each by default: two days.
const NEWEST_PREFIXES: usize = 48;

const HOUR: Duration = Duration::from_hours(1);

/// The distinct prefixes of objects delivered between two times.
///
/// Only years, months, days and hours are filled in; at anything else the prefix ends, which then matches more.
pub fn between(prefix: &str, from: SystemTime, to: SystemTime) -> Vec<String> {
    let mut prefixes = Vec::new();
    let mut at = from;
    loop {
        let filled = known(prefix, at);
        if prefixes.last() != Some(&filled) {
            prefixes.push(filled);
        }
        if at >= to {
            return prefixes;
        }
        at = (at + HOUR).min(to);
    }
}

/// The prefixes in which to look for the newest object that was delivered between two times, the latest first.
pub fn latest(prefix: &str, from: SystemTime, to: SystemTime) -> impl Iterator<Item = String> {
    between(prefix, from, to).into_iter().rev().take(NEWEST_PREFIXES)
}

/// The prefix of an object with records of this time, or the expression that cannot be filled in here.
pub fn of(prefix: &str, at: SystemTime) -> Result<String, String> {
    let (filled, left) = fill_as_far_as_possible(prefix, at);
    match left {
        None => Ok(filled),
        Some(expression) => Err(expression.to_owned()),
    }
}

/// The prefix of this time, up to the first expression that cannot be filled in here.
pub fn known(prefix: &str, at: SystemTime) -> String {
    fill_as_far_as_possible(prefix, at).0
}

/// Fills in expressions up to the first that cannot be, which is returned as well.
fn fill_as_far_as_possible(prefix: &str, at: SystemTime) -> (String, Option<&str>) {
    let now = DateTime::from(at).fmt(Format::DateTime).unwrap_or_default();
    let mut filled = String::new();
    let mut rest = prefix;
    while let Some((before, after)) = rest.split_once("!{") {
        filled.push_str(before);
        let (expression, after) = after.split_once('}').unwrap_or((after, ""));
        let pattern = expression.strip_prefix("timestamp:");
        match pattern.and_then(|pattern| fill_pattern(pattern, &now)) {
            Some(text) => filled.push_str(&text),
            None => return (filled, Some(expression)),
        }
        rest = after;
    }
    (filled + rest, None)
}

/// Fills in a Java date pattern, as far as it has only years, months, days, hours and punctuation.
fn fill_pattern(pattern: &str, now: &str) -> Option<String> {
    // `now` is `2024-05-06T07:08:09Z`.
    let text = pattern
        .replace("yyyy", now.get(0..4)?)
        .replace("MM", now.get(5..7)?)
        .replace("dd", now.get(8..10)?)
        .replace("HH", now.get(11..13)?);
    text.chars().all(|c| c.is_ascii_digit() || "-/_.:".contains(c)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_span_across_midnight_has_both_days() {
        // 2024-05-06T23:59:50Z to 2024-05-07T00:00:10Z.
        let prefixes = between(
            "i/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            at(1_715_039_990),
            at(1_715_040_010),
        );
        assert_eq!(prefixes, ["i/dt=2024-05-06/hour=23/", "i/dt=2024-05-07/hour=00/"]);
    }

    #[test]
    fn a_prefix_is_filled_in_whole_or_not_at_all() {
        let prefix = |text| of(text, at(1_715_039_990));
        assert_eq!(prefix("i/!{timestamp:yyyy/MM/dd}/x"), Ok("i/2024/05/06/x".to_owned()));
        assert_eq!(prefix("i/!{timestamp:EEE}/"), Err("timestamp:EEE".to_owned()));
        assert_eq!(prefix("!{firehose:random-string}/"), Err("firehose:random-string".to_owned()));
    }

    #[test]
    fn what_cannot_be_filled_in_ends_the_prefix() {
        let now = (at(1_715_039_990), at(1_715_039_991));
        assert_eq!(between("i/!{timestamp:yyyy/}!{firehose:random-string}/x/", now.0, now.1), ["i/2024/"]);
        assert_eq!(between("i/!{timestamp:EEE}/", now.0, now.1), ["i/"]);
        assert_eq!(between("plain/", now.0, now.1), ["plain/"]);
    }
}
