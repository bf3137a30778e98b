//! Finds the newest object that a delivery stream wrote, by the form of its name.

use std::time::SystemTime;

use aws_sdk_s3::types::Object;

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::pipeline::Desired;
use crate::{objects, prefixes};

/// The newest object of a delivery stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newest {
    At(SystemTime),
    None,
    /// The bucket may not be looked at.
    Unknown,
}

/// Finds when the pipeline's delivery stream wrote its newest object, if that was after `oldest`.
pub(super) async fn newest_delivered(
    aws: &Aws,
    want: &Desired,
    prefix: &str,
    oldest: SystemTime,
    now: SystemTime,
) -> Result<Newest, AwsError> {
    let name = &want.delivery_stream.name;
    let written = |object: &Object| {
        let at = objects::written_at(object).filter(|at| *at >= oldest);
        at.filter(|_| is_written_by(object.key().unwrap_or_default(), name))
    };
    for prefix in prefixes::latest(prefix, oldest, now) {
        let mut newest = None;
        let looked = objects::for_each(aws, &want.bucket.name, &prefix, |object| {
            newest = newest.max(written(&object));
        });
        match looked.await {
            Err(error) if error.kind == ErrorKind::Denied => return Ok(Newest::Unknown),
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(Newest::None),
            looked => looked?,
        }
        if let Some(newest) = newest {
            return Ok(Newest::At(newest));
        }
    }
    Ok(Newest::None)
}

/// Tells whether a delivery stream wrote an object: Firehose names it after the delivery stream, its version and the time
/// (Firehose guide, "Amazon S3 object name format"). Another pipeline's name may start with this one's.
fn is_written_by(key: &str, delivery_stream: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or_default();
    let rest = name.strip_prefix(delivery_stream).and_then(|rest| rest.strip_prefix('-'));
    let Some((version, rest)) = rest.and_then(|rest| rest.split_once('-')) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = rest.split('-');
    let is_time = [4, 2, 2, 2, 2, 2]
        .iter()
        .all(|length| parts.next().is_some_and(|part| part.len() == *length && is_number(part)));
    is_number(version) && is_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_firehose_names_after_the_delivery_stream_is_written_by_it() {
        let cases = [
            ("impressions/hour=14/flags-1-2026-01-31-14-05-09-0a1b2c3d", true),
            ("flags-12-2026-01-31-14-05-09-0a1b.ndjson.gz", true),
            ("impressions/flags-eu-1-2026-01-31-14-05-09-0a1b", false),
            ("impressions/flags-2-eu-1-2026-01-31-14-05-09-0a1b", false),
            ("impressions/replay-flags-shardId-0-1-2-3.ndjson.gz", false),
            ("impressions/flags-1-2026-01-31", false),
            ("impressions/flags-v1-2026-01-31-14-05-09-0a1b", false),
            ("impressions/flags--2026-01-31-14-05-09-0a1b", false),
            ("impressions/flags-1-2026-01-31-14-05-xx-0a1b", false),
            ("impressions/flags-1-2026-01-31-14-05-9-0a1b", false),
            ("impressions/flags", false),
            ("", false),
        ];
        for (key, want) in cases {
            assert_eq!(is_written_by(key, "flags"), want, "{key}");
        }
        assert!(is_written_by("flags-eu-1-2026-01-31-14-05-09-0a1b", "flags-eu"));
    }
}
