//! Unit tests of the stream's calls, on a Kinesis stream in memory that refuses what AWS refuses.

use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::add_tags_to_stream::AddTagsToStreamOutput;
use aws_sdk_kinesis::operation::create_stream::CreateStreamOutput;
use aws_sdk_kinesis::operation::decrease_stream_retention_period::DecreaseStreamRetentionPeriodOutput;
use aws_sdk_kinesis::operation::delete_stream::{DeleteStreamError, DeleteStreamOutput};
use aws_sdk_kinesis::operation::describe_stream_summary::{
    DescribeStreamSummaryError, DescribeStreamSummaryOutput,
};
use aws_sdk_kinesis::operation::increase_stream_retention_period::IncreaseStreamRetentionPeriodOutput;
use aws_sdk_kinesis::operation::list_tags_for_stream::{ListTagsForStreamError, ListTagsForStreamOutput};
use aws_sdk_kinesis::operation::remove_tags_from_stream::RemoveTagsFromStreamOutput;
use aws_sdk_kinesis::operation::start_stream_encryption::StartStreamEncryptionOutput;
use aws_sdk_kinesis::operation::stop_stream_encryption::StopStreamEncryptionOutput;
use aws_sdk_kinesis::operation::update_shard_count::UpdateShardCountOutput;
use aws_sdk_kinesis::operation::update_stream_mode::UpdateStreamModeOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{StreamDescriptionSummary, Tag};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;
use crate::aws::ErrorKind;
use crate::aws::testing::{Seen, aws};
use crate::desired::testing::desired;

/// When the stream was created, in seconds since 1970.
const CREATED: i64 = 1_700_000_000;

/// How many looks find the stream busy after a change.
const BUSY: u32 = 2;

/// A stream in memory.
#[derive(Clone)]
struct Kinesis(Arc<Mutex<World>>);

struct World {
    /// What is there.
    stream: Option<State>,
    tags: Tags,
    /// How many more looks find it busy, and with what.
    busy: (u32, StreamStatus),
    /// What was done, in order.
    done: Vec<String>,
}

fn gone() -> ErrorMetadata {
    ErrorMetadata::builder().code("ResourceNotFoundException").build()
}

impl Kinesis {
    fn with(stream: Option<State>, tags: Tags) -> Self {
        Self(Arc::new(Mutex::new(World {
            stream,
            tags,
            busy: (0, StreamStatus::Updating),
            done: Vec::new(),
        })))
    }

    /// A stream as the spec in this text asks for it.
    fn as_in(text: &str) -> Self {
        let want = desired(text).stream;
        Self::with(Some(want.state), want.tags)
    }

    /// Changes the stream, which is then busy. AWS refuses a change while it is busy with another.
    fn change(&self, what: String, change: impl FnOnce(&mut State)) {
        let mut world = self.0.lock().unwrap();
        assert_eq!(world.busy.0, 0, "{what}: the stream is busy");
        world.busy = (BUSY, StreamStatus::Updating);
        world.done.push(what);
        change(world.stream.as_mut().unwrap());
    }

    fn describe(&self) -> MockResponse<DescribeStreamSummaryOutput, DescribeStreamSummaryError> {
        let mut world = self.0.lock().unwrap();
        let (looks, busy) = world.busy.clone();
        world.busy.0 = looks.saturating_sub(1);
        if looks == 0 && busy == StreamStatus::Deleting {
            world.stream = None;
        }
        let Some(state) = &world.stream else {
            return MockResponse::Error(DescribeStreamSummaryError::generic(gone()));
        };
        let status = if looks > 0 { busy } else { StreamStatus::Active };
        let mode = StreamModeDetails::builder().stream_mode(StreamMode::from(state.mode.as_str()));
        let is_encrypted = state.encryption_key.is_some();
        let summary = StreamDescriptionSummary::builder()
            .stream_name("flags")
            .stream_arn("arn:aws:kinesis:us-east-1:123456789012:stream/flags")
            .stream_status(status)
            .stream_mode_details(mode.build().unwrap())
            .retention_period_hours(state.retention_hours)
            .stream_creation_timestamp(DateTime::from_secs(CREATED))
            .set_enhanced_monitoring(Some(Vec::new()))
            // AWS goes on to name the key of a stream that is encrypted no longer.
            .key_id(state.encryption_key.as_deref().unwrap_or("alias/aws/kinesis"))
            .encryption_type(if is_encrypted {
                EncryptionType::Kms
            } else {
                EncryptionType::None
            })
            // A stream that AWS scales has shards too.
            .open_shard_count(state.shards.unwrap_or(4));
        let answer = DescribeStreamSummaryOutput::builder();
        let answer = answer.stream_description_summary(summary.build().unwrap());
        MockResponse::Output(answer.build())
    }

    fn list_tags(&self) -> MockResponse<ListTagsForStreamOutput, ListTagsForStreamError> {
        let world = self.0.lock().unwrap();
        if world.stream.is_none() {
            return MockResponse::Error(ListTagsForStreamError::generic(gone()));
        }
        let tags = world.tags.iter();
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build().unwrap());
        let answer = ListTagsForStreamOutput::builder().set_tags(Some(tags.collect()));
        MockResponse::Output(answer.has_more_tags(false).build().unwrap())
    }

    fn delete(&self) -> MockResponse<DeleteStreamOutput, DeleteStreamError> {
        let mut world = self.0.lock().unwrap();
        if world.stream.is_none() {
            return MockResponse::Error(DeleteStreamError::generic(gone()));
        }
        world.busy = (BUSY, StreamStatus::Deleting);
        world.done.push("delete".to_owned());
        MockResponse::Output(DeleteStreamOutput::builder().build())
    }

    fn looks(&self) -> Vec<Rule> {
        let (summary, tags) = (self.clone(), self.clone());
        vec![
            mock!(Client::describe_stream_summary).then_compute_response(move |_| summary.describe()),
            mock!(Client::list_tags_for_stream).then_compute_response(move |_| tags.list_tags()),
        ]
    }

    fn lives(&self) -> Vec<Rule> {
        let (create, delete, add, remove) = (self.clone(), self.clone(), self.clone(), self.clone());
        vec![
            mock!(Client::create_stream).then_compute_output(move |input| {
                let mut world = create.0.lock().unwrap();
                let mode = input.stream_mode_details().unwrap().stream_mode();
                world.done.push("create".to_owned());
                world.busy = (BUSY, StreamStatus::Creating);
                // Emulators leave out the tags.
                world.stream = Some(State {
                    mode: mode.as_str().to_owned(),
                    shards: input.shard_count(),
                    retention_hours: 24,
                    encryption_key: None,
                    created: None,
                });
                CreateStreamOutput::builder().build()
            }),
            mock!(Client::delete_stream).then_compute_response(move |_| delete.delete()),
            mock!(Client::add_tags_to_stream).then_compute_output(move |input| {
                let tags = input.tags().unwrap().clone();
                add.0.lock().unwrap().tags.extend(tags);
                AddTagsToStreamOutput::builder().build()
            }),
            mock!(Client::remove_tags_from_stream).then_compute_output(move |input| {
                let keys = input.tag_keys();
                remove.0.lock().unwrap().tags.retain(|key, _| !keys.contains(key));
                RemoveTagsFromStreamOutput::builder().build()
            }),
        ]
    }

    fn scales(&self) -> Vec<Rule> {
        let (mode, shards) = (self.clone(), self.clone());
        vec![
            mock!(Client::update_stream_mode).then_compute_output(move |input| {
                let to = input.stream_mode_details().unwrap().stream_mode().clone();
                mode.change(format!("mode {to}"), |state| {
                    state.shards = (to == StreamMode::Provisioned).then_some(4);
                    to.as_str().clone_into(&mut state.mode);
                });
                UpdateStreamModeOutput::builder().build()
            }),
            mock!(Client::update_shard_count).then_compute_output(move |input| {
                let to = input.target_shard_count().unwrap();
                shards.change(format!("shards {to}"), |state| {
                    let have = state.shards.unwrap();
                    assert!(to <= have * 2 && to * 2 >= have && to != have, "{have} to {to}");
                    state.shards = Some(to);
                });
                UpdateShardCountOutput::builder().build()
            }),
        ]
    }

    fn keeps(&self) -> Vec<Rule> {
        let (more, less, start, stop) = (self.clone(), self.clone(), self.clone(), self.clone());
        vec![
            mock!(Client::increase_stream_retention_period).then_compute_output(move |input| {
                let to = input.retention_period_hours().unwrap();
                more.change(format!("more hours {to}"), |state| {
                    assert!(to > state.retention_hours);
                    state.retention_hours = to;
                });
                IncreaseStreamRetentionPeriodOutput::builder().build()
            }),
            mock!(Client::decrease_stream_retention_period).then_compute_output(move |input| {
                let to = input.retention_period_hours().unwrap();
                less.change(format!("fewer hours {to}"), |state| {
                    assert!(to < state.retention_hours);
                    state.retention_hours = to;
                });
                DecreaseStreamRetentionPeriodOutput::builder().build()
            }),
            mock!(Client::start_stream_encryption).then_compute_output(move |input| {
                let key = input.key_id().unwrap().to_owned();
                start.change(format!("encrypt {key}"), |state| state.encryption_key = Some(key));
                StartStreamEncryptionOutput::builder().build()
            }),
            mock!(Client::stop_stream_encryption).then_compute_output(move |input| {
                let key = input.key_id().unwrap().to_owned();
                stop.change(format!("decrypt {key}"), |state| {
                    assert_eq!(state.encryption_key, Some(key));
                    state.encryption_key = None;
                });
                StopStreamEncryptionOutput::builder().build()
            }),
        ]
    }

    fn aws(&self) -> Aws {
        let rules = [self.looks(), self.lives(), self.scales(), self.keeps()].concat();
        aws(&rules.iter().collect::<Vec<_>>(), &[])
    }

    fn done(&self) -> Vec<String> {
        self.0.lock().unwrap().done.clone()
    }

    fn tags(&self) -> Tags {
        self.0.lock().unwrap().tags.clone()
    }
}

fn json(state: &State) -> serde_json::Value {
    serde_json::to_value(state).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_update_changes_what_differs_by_steps_that_aws_allows() {
    let own = "{encryption: alias/own}";
    let cases: [(&str, &str, &[&str]); 11] = [
        ("{}", "{}", &[]),
        (
            "{shards: 1}",
            "{shards: 10}",
            &["shards 2", "shards 4", "shards 8", "shards 10"],
        ),
        (
            "{shards: 10}",
            "{shards: 1}",
            &["shards 5", "shards 3", "shards 2", "shards 1"],
        ),
        ("{shards: 3}", "{mode: on_demand}", &["mode ON_DEMAND"]),
        ("{mode: on_demand}", "{shards: 4}", &["mode PROVISIONED"]),
        (
            "{mode: on_demand}",
            "{shards: 2}",
            &["mode PROVISIONED", "shards 2"],
        ),
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
        let (aws, want) = (kinesis.aws(), desired(&spec(to)).stream);
        let have = want.observe(&aws, &()).await.unwrap().unwrap();
        let step = Step::new(&aws, Kind::Stream, &want.name);
        assert_eq!(want.update(&have, &(), &step).await.unwrap(), want.arn);
        assert_eq!(kinesis.done(), steps, "{from} to {to}");
        let have = want.observe(&aws, &()).await.unwrap().unwrap();
        assert_eq!((json(&have.state), have.phase), (json(&want.state), Phase::Ready));
    }
}

#[tokio::test]
async fn an_update_sets_tags_and_removes_those_of_others() {
    let want = desired("name: flags\n").stream;
    let somebodys = [("owner".to_owned(), "somebody".to_owned())].into();
    let kinesis = Kinesis::with(Some(want.state.clone()), somebodys);
    let aws = kinesis.aws();
    let have = want.observe(&aws, &()).await.unwrap().unwrap();
    assert_eq!(have.tags.get("owner").map(String::as_str), Some("somebody"));
    let step = Step::new(&aws, Kind::Stream, &want.name);
    want.update(&have, &(), &step).await.unwrap();
    assert_eq!((kinesis.tags(), kinesis.done()), (want.tags, Vec::new()));
}

#[tokio::test]
async fn a_look_tells_what_is_there() {
    for text in [
        "{shards: 3, retention_hours: 48}",
        "{mode: on_demand}",
        "{encryption: none}",
    ] {
        let spec = format!("name: flags\nstream: {text}\n");
        let (kinesis, want) = (Kinesis::as_in(&spec), desired(&spec).stream);
        let aws = kinesis.aws();
        let have = want.observe(&aws, &()).await.unwrap().unwrap();
        assert_eq!(json(&have.state), json(&want.state), "{text}");
        let created = SystemTime::try_from(DateTime::from_secs(CREATED)).unwrap();
        assert_eq!((have.phase, have.state.created), (Phase::Ready, Some(created)));
        assert_eq!(Stream::display_id(&have.id), want.arn);
        for (status, phase) in [
            (StreamStatus::Creating, Phase::Pending("CREATING".to_owned())),
            (StreamStatus::Deleting, Phase::Deleting),
        ] {
            kinesis.0.lock().unwrap().busy = (1, status);
            let described = want.describe(&aws, &()).await.unwrap().unwrap();
            assert_eq!(described.phase, phase);
        }
        kinesis.0.lock().unwrap().stream = None;
        assert!(want.observe(&aws, &()).await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_stream_is_ready_and_only_an_emulator_gets_its_tags_apart() {
    let want = desired("name: flags\nstream: {shards: 2}\n").stream;
    for endpoint in [None, Some("http://127.0.0.1:4566".to_owned())] {
        let kinesis = Kinesis::with(None, Tags::new());
        let is_emulator = endpoint.is_some();
        let (mut aws, seen) = Seen::by(kinesis.aws());
        aws.endpoint = endpoint;
        let step = Step::new(&aws, Kind::Stream, &want.name);
        let made = want.create(&(), &step).await.unwrap();
        assert_eq!((made.phase, made.state.shards), (Phase::Ready, Some(2)));
        assert_eq!(made.tags, want.tags);
        let tagged = seen.calls().contains(&"kinesis:AddTagsToStream");
        assert_eq!((tagged, kinesis.tags() == want.tags), (is_emulator, is_emulator));
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_is_gone_when_the_call_returns() {
    let kinesis = Kinesis::as_in("name: flags\n");
    let (aws, want) = (kinesis.aws(), desired("name: flags\n").stream);
    let step = Step::new(&aws, Kind::Stream, &want.name);
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
    let (aws, want) = (kinesis.aws(), desired("name: flags\n").stream);
    let step = Step::new(&aws, Kind::Stream, &want.name);
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
    let rule = mock!(Client::describe_stream_summary)
        .then_error(move || DescribeStreamSummaryError::generic(denied()));
    let (aws, want) = (aws(&[&rule], &[]), desired("name: flags\n").stream);
    let error = want.observe(&aws, &()).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn only_what_shrinks_or_hides_data_is_asked_about() {
    let own = "{encryption: alias/own}";
    let cases = [
        ("{}", "{}", ""),
        ("{shards: 2}", "{shards: 3}", ""),
        ("{shards: 3}", "{shards: 3}", ""),
        (
            "{shards: 3}",
            "{shards: 2}",
            "stream flags: shrinks from 3 to 2 shards",
        ),
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
        let stream = |text| desired(&format!("name: flags\nstream: {text}\n")).stream;
        let caution = (!caution.is_empty()).then(|| caution.to_owned());
        assert_eq!(stream(to).caution(&stream(from).state), caution, "{from} to {to}");
    }
}
