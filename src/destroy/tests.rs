//! Unit tests of the order in which `down` deletes a stream: after what it holds is in the bucket, or not at all.

use std::sync::Arc;

use aws_sdk_kinesis::operation::delete_stream::DeleteStreamOutput;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::operation::list_shards::{ListShardsError, ListShardsOutput};
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::testing::aws;
use crate::desired::testing::{desired, place};
use crate::resource::{Phase, Tags};
use crate::undelivered::gaps::Gaps;

const SPEC: &str = "name: flags\n";

/// What a pipeline is that has nothing left but its stream.
fn only_a_stream(want: &Desired, tags: Tags) -> Snapshot {
    let stream = Observed {
        id: want.stream.arn.clone(),
        state: want.stream.state.clone(),
        tags,
        phase: Phase::Ready,
    };
    Snapshot {
        bucket: None,
        stream: Some(stream),
        delivery_role: None,
        function_role: None,
        function_log_group: None,
        delivery_log_group: None,
        database: None,
        table: None,
        delivery_stream: None,
        function: None,
        rest_api: None,
        stage: None,
        alarm_topic: None,
        alarms: want.alarms.iter().map(|_| None).collect(),
        dashboard: None,
    }
}

/// A stream that can be deleted, and whose shards are listed as `shards` says.
fn kinesis(shards: Rule, deleted: &Arc<Mutex<usize>>) -> [Rule; 3] {
    let deleted = Arc::clone(deleted);
    let delete = mock!(aws_sdk_kinesis::Client::delete_stream).then_output(move || {
        *deleted.lock().unwrap() += 1;
        DeleteStreamOutput::builder().build()
    });
    let code = || ErrorMetadata::builder().code("ResourceNotFoundException").build();
    let describe = mock!(aws_sdk_kinesis::Client::describe_stream_summary)
        .then_error(move || DescribeStreamSummaryError::generic(code()));
    [shards, delete, describe]
}

fn no_shards() -> Rule {
    mock!(aws_sdk_kinesis::Client::list_shards).then_output(|| ListShardsOutput::builder().build())
}

fn denied() -> Rule {
    let code = || {
        ErrorMetadata::builder()
            .code("AccessDeniedException")
            .message("no")
            .build()
    };
    mock!(aws_sdk_kinesis::Client::list_shards).then_error(move || ListShardsError::generic(code()))
}

/// Destroys a pipeline that has nothing left but its stream; gives how that went, and how often the stream was deleted.
async fn destroy_stream(shards: Rule, tags: impl Fn(&Desired) -> Tags) -> (Destroyed, usize) {
    let deleted = Arc::default();
    let rules = kinesis(shards, &deleted);
    let aws = aws(&rules.each_ref(), &[]);
    let (want, place) = (desired(SPEC), place(SPEC));
    let have = only_a_stream(&want, tags(&want));
    let undelivered = Undrained {
        place: &place,
        unproven: Unproven {
            gaps: Gaps::default(),
            since: std::time::SystemTime::UNIX_EPOCH,
            prefix: place.prefix.clone(),
            delivers_within: None,
        },
    };
    let destroyed = destroy(&aws, &want, have, Data::Keep, Some(undelivered)).await;
    let deleted = *deleted.lock().unwrap();
    (destroyed, deleted)
}

#[tokio::test]
async fn a_stream_that_holds_nothing_is_deleted() {
    let (destroyed, deleted) = destroy_stream(no_shards(), |want| want.stream.tags.clone()).await;
    assert!(destroyed.report.is_complete(), "{:?}", destroyed.report);
    assert_eq!((destroyed.drained, deleted), (Drained::Yes { copied: 0 }, 1));
}

#[tokio::test]
async fn a_stream_that_cannot_be_looked_into_stays() {
    let (destroyed, deleted) = destroy_stream(denied(), |want| want.stream.tags.clone()).await;
    assert_eq!((destroyed.drained, deleted), (Drained::No, 0));
    let (kind, _, error) = &destroyed.report.failed[0];
    assert_eq!((*kind, error.kind), (Kind::Stream, ErrorKind::Denied));
    assert!(error.message.contains("the stream is kept"), "{}", error.message);
}

#[tokio::test]
async fn a_stream_that_is_not_the_pipelines_stays_whatever_it_holds() {
    let (destroyed, deleted) = destroy_stream(no_shards(), |_| Tags::new()).await;
    assert_eq!((destroyed.kept[0].kind, deleted), (Kind::Stream, 0));
}
