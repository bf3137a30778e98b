//! Limits times and counts from AWS's answers to what can be written: every time has a text, and no number wraps.
//!
//! Pure: values in, values out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use serde::Serializer;

/// The last moment that has a text: the end of the year 9999, in whole seconds since 1970.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// The nearest moment that has a text (RFC 3339): from 1970 to the end of the year 9999.
pub fn writable(time: SystemTime) -> SystemTime {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + since_1970.min(LAST)
}

/// A moment that AWS tells as milliseconds since 1970.
pub fn from_millis(since_1970: i64) -> SystemTime {
    let since_1970 = Duration::from_millis(u64::try_from(since_1970).unwrap_or_default());
    UNIX_EPOCH + since_1970.min(LAST)
}

pub fn from_aws(at: DateTime) -> SystemTime {
    let seconds = u64::try_from(at.secs()).unwrap_or_default();
    let since_1970 = Duration::from_secs(seconds).min(LAST);
    let part = Duration::from_nanos(at.subsec_nanos().into());
    // A moment before 1970 has a part of a second as well.
    UNIX_EPOCH + if at.secs() < 0 { since_1970 } else { (since_1970 + part).min(LAST) }
}

/// So much later, or the last moment that has a text.
pub fn later(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_add(by).map_or(UNIX_EPOCH + LAST, writable)
}

/// The sum of counts that others tell, or the largest number.
pub fn total(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

pub fn as_rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(writable(*time)))
}

/// Writes a time that may be absent, then as null.
pub fn as_optional_rfc3339<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_moment_that_others_tell_has_a_text() {
        let text = |at| humantime::format_rfc3339_millis(at).to_string();
        assert_eq!(text(from_millis(1500)), "1970-01-01T00:00:01.500Z");
        assert_eq!(text(from_millis(i64::MIN)), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(from_millis(i64::MAX)), "9999-12-31T23:59:59.000Z");
        assert_eq!(text(from_aws(DateTime::from_secs(i64::MAX))), "9999-12-31T23:59:59.000Z");
        assert_eq!(text(from_aws(DateTime::from_secs(i64::MIN))), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(from_aws(DateTime::from_millis(1500))), "1970-01-01T00:00:01.500Z");
        assert_eq!(text(later(from_millis(i64::MAX), Duration::MAX)), "9999-12-31T23:59:59.000Z");
        assert_eq!(text(later(from_millis(0), Duration::from_secs(9))), "1970-01-01T00:00:09.000Z");
    }

    #[test]
    fn a_sum_does_not_wrap() {
        assert_eq!(total([1, 2]), 3);
        assert_eq!(total([u64::MAX, 2, 3]), u64::MAX);
    }

    proptest! {
        #[test]
        fn no_moment_is_a_panic(millis in any::<i64>(), seconds in any::<i64>(), nanos in 0_u32..1_000_000_000) {
            let aws = DateTime::from_secs_and_nanos(seconds, nanos);
            for at in [from_millis(millis), from_aws(aws), later(from_aws(aws), Duration::from_secs(seconds.unsigned_abs()))] {
                prop_assert_eq!(writable(at), at);
                prop_assert!(humantime::parse_rfc3339(&humantime::format_rfc3339(at).to_string()).is_ok());
            }
        }
    }
}
