//! Reads the events of a log group.
//!
//! Must not know their contents.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;

use crate::aws::{Aws, AwsError, Outcome as _};

/// Lists the events of a log group since a time, all its streams together; none where there is no such group.
pub async fn list(aws: &Aws, group: &str, since: SystemTime) -> Result<Vec<FilteredLogEvent>, AwsError> {
    let start = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let start = i64::try_from(start).unwrap_or(i64::MAX);
    let (mut events, mut token) = (Vec::new(), None);
    loop {
        let request = || {
            let call = aws.logs.filter_log_events().log_group_name(group);
            let call = call.start_time(start).set_next_token(token.clone());
            call.send()
        };
        let Some(page) = aws.call("logs:FilterLogEvents", request).await.found()? else {
            return Ok(events);
        };
        events.extend(page.events.unwrap_or_default());
        match page.next_token {
            Some(next) if Some(&next) != token.as_ref() => token = Some(next),
            _ => return Ok(events),
        }
    }
}
