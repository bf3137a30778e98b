//! Unit tests of the stream's calls, on a stream in memory.

use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::primitives::DateTime;
use aws_smithy_mocks::mock;
use aws_smithy_types::error::ErrorMetadata;

use super::testing::{CREATED, Kinesis};
use super::*;
use crate::aws::ErrorKind;
use crate::aws::testing::{Seen, aws};
use crate::resources::stream;
use crate::resources::testing::wanted;

mod exposure;

fn json(state: &State) -> serde_json::Value {
    serde_json::to_value(state).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_update_changes_what_differs_by_steps_that_aws_allows() {
    let own = "{encryption: alias/own}";
    let cases: [(&str, &str, &[&str]); 11] = [
        ("{}", "{}", &[]),
        ("{shards: 1}", "{shards: 10}", &["shards 2", "shards 4", "shards 8", "shards 10"]),
        ("{shards: 10}", "{shards: 1}", &["shards 5", "shards 3", "shards 2", "shards 1"]),
        ("{shards: 3}", "{mode: on_demand}", &["mode ON_DEMAND"]),
        ("{mode: on_demand}", "{shards: 4}", &["mode PROVISIONED"]),
        ("{mode: on_demand}", "{shards: 2}", &["mode PROVISIONED", "shards 2"]),
        ("{}", "{retention_hours: 48}", &["more hours 48"]),
        ("{retention_hours: 48}", "{}", &["fewer hours 24"]),
        ("{}", own, &["encrypt alias/own"]),
        (own, "{encryption: none}", &["decrypt alias/own"]),
        (
            "{shards: 1, encryption: none}",
            "{shards: 2, retention_hours: 48}",
            &["shards 2", "more hours 48", "encrypt alias/aws/kinesis"],
        ),
    ];
    for (from, to, steps) in cases {
        let spec = |stream| format!("name: flags\nstream: {stream}\n");
        let kinesis = Kinesis::as_in(&spec(from));
        let (aws, want) = (kinesis.aws(), wanted(&spec(to), stream::want));
        let have = want.observe(&aws).await.unwrap().unwrap();
        let step = Step::new(&aws, stream::KIND, &want.name);
        assert_eq!(want.update(have, &step).await.unwrap(), want.arn);
        assert_eq!(kinesis.done(), steps, "{from} to {to}");
        let have = want.observe(&aws).await.unwrap().unwrap();
        assert_eq!((json(&have.state), have.phase), (json(&want.state), Phase::Ready));
    }
}

#[tokio::test]
async fn an_update_sets_tags_and_removes_those_of_others() {
    let want = wanted("name: flags\n", stream::want);
    let somebodys = [("owner".to_owned(), "somebody".to_owned())].into();
    let kinesis = Kinesis::with(Some(want.state.clone()), somebodys);
    let aws = kinesis.aws();
    let have = want.observe(&aws).await.unwrap().unwrap();
    assert_eq!(have.tags.get("owner").map(String::as_str), Some("somebody"));
    let step = Step::new(&aws, stream::KIND, &want.name);
    want.update(have, &step).await.unwrap();
    assert_eq!((kinesis.tags(), kinesis.done()), (want.tags, Vec::new()));
}

#[tokio::test]
async fn a_look_tells_what_is_there() {
    for text in ["{shards: 3, retention_hours: 48}", "{mode: on_demand}", "{encryption: none}"] {
        let spec = format!("name: flags\nstream: {text}\n");
        let (kinesis, want) = (Kinesis::as_in(&spec), wanted(&spec, stream::want));
        let aws = kinesis.aws();
        let have = want.observe(&aws).await.unwrap().unwrap();
        assert_eq!(json(&have.state), json(&want.state), "{text}");
        let created = SystemTime::try_from(DateTime::from_secs(CREATED)).unwrap();
        assert_eq!((have.phase, have.state.created), (Phase::Ready, Some(created)));
        assert_eq!(have.id, want.arn);
        for (status, phase) in [
            (StreamStatus::Creating, Phase::Pending("CREATING".to_owned())),
            (StreamStatus::Deleting, Phase::Deleting),
        ] {
            kinesis.0.lock().unwrap().busy = (1, status);
            let described = want.describe(&aws).await.unwrap().unwrap();
            assert_eq!(described.phase, phase);
        }
        kinesis.0.lock().unwrap().stream = None;
        assert!(want.observe(&aws).await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_stream_is_ready_and_only_an_emulator_gets_its_tags_apart() {
    let want = wanted("name: flags\nstream: {shards: 2}\n", stream::want);
    for endpoint in [None, Some("http://127.0.0.1:4566".to_owned())] {
        let kinesis = Kinesis::with(None, Tags::new());
        let is_emulator = endpoint.is_some();
        let (mut aws, seen) = Seen::by(kinesis.aws());
        aws.endpoint = endpoint;
        let step = Step::new(&aws, stream::KIND, &want.name);
        let made = want.create(&step).await.unwrap();
        assert_eq!((made.phase, made.state.shards), (Phase::Ready, Some(2)));
        assert_eq!(made.tags, want.tags);
        let tagged = seen.calls().contains(&"kinesis:AddTagsToStream");
        assert_eq!((tagged, kinesis.tags() == want.tags), (is_emulator, is_emulator));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_is_gone_when_the_call_returns() {
    let kinesis = Kinesis::as_in("name: flags\n");
    let (aws, want) = (kinesis.aws(), wanted("name: flags\n", stream::want));
    let step = Step::new(&aws, stream::KIND, &want.name);
    for _ in 0..2 {
        // The second time, there is none to delete.
        want.delete(&want.arn, &step).await.unwrap();
        assert_eq!(kinesis.done(), ["delete"]);
        assert!(kinesis.0.lock().unwrap().stream.is_none());
    }
}

#[tokio::test]
async fn the_tag_of_the_gaps_is_written_and_removed_by_itself() {
    let kinesis = Kinesis::as_in("name: flags\n");
    let (aws, want) = (kinesis.aws(), wanted("name: flags\n", stream::want));
    let step = Step::new(&aws, stream::KIND, &want.name);
    want.keep_gaps("1-2", &step).await.unwrap();
    let mut with_gaps = want.tags.clone();
    with_gaps.insert(GAPS_TAG.to_owned(), "1-2".to_owned());
    assert_eq!(kinesis.tags(), with_gaps);
    assert_eq!(want.read_tags(&aws).await.unwrap(), Some(with_gaps));
    want.forget_gaps(&step).await.unwrap();
    assert_eq!(kinesis.tags(), want.tags);
    kinesis.0.lock().unwrap().stream = None;
    assert_eq!(want.read_tags(&aws).await.unwrap(), None);
}

#[tokio::test]
async fn what_aws_refuses_is_an_error() {
    let denied = || ErrorMetadata::builder().code("AccessDeniedException").build();
    let rule = mock!(aws_sdk_kinesis::Client::describe_stream_summary)
        .then_error(move || DescribeStreamSummaryError::generic(denied()));
    let (aws, want) = (aws(&[&rule], &[]), wanted("name: flags\n", stream::want));
    let error = want.observe(&aws).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn only_what_shrinks_or_hides_data_is_asked_about() {
    let own = "{encryption: alias/own}";
    let cases = [
        ("{}", "{}", ""),
        ("{shards: 2}", "{shards: 3}", ""),
        ("{shards: 3}", "{shards: 3}", ""),
        ("{shards: 3}", "{shards: 2}", "stream flags: shrinks from 3 to 2 shards"),
        ("{shards: 3}", "{mode: on_demand}", ""),
        ("{mode: on_demand}", "{mode: on_demand}", ""),
        (
            "{mode: on_demand}",
            "{shards: 2}",
            "stream flags: shrinks from what AWS scaled it to by the traffic to 2 shards",
        ),
        ("{retention_hours: 24}", "{retention_hours: 48}", ""),
        (
            "{retention_hours: 48}",
            "{retention_hours: 24}",
            "stream flags: retention shrinks from 48 to 24 hours, and older records are dropped",
        ),
        ("{}", "{encryption: none}", ""),
        ("{encryption: none}", own, ""),
        (own, own, ""),
        (
            own,
            "{encryption: none}",
            "stream flags: what is in it and not delivered yet was encrypted with alias/own, which the delivery stream may \
             not use any more",
        ),
        (
            "{shards: 2, retention_hours: 48}",
            "{shards: 1, retention_hours: 24}",
            "stream flags: retention shrinks from 48 to 24 hours, and older records are dropped\n\
             stream flags: shrinks from 2 to 1 shards",
        ),
    ];
    for (from, to, caution) in cases {
        let stream = |text| wanted(&format!("name: flags\nstream: {text}\n"), stream::want);
        let caution = (!caution.is_empty()).then(|| caution.to_owned());
        assert_eq!(stream(to).caution(&stream(from).state), caution, "{from} to {to}");
    }
}
