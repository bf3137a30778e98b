//! A Kinesis stream in memory that refuses what AWS refuses.

use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::add_tags_to_stream::AddTagsToStreamOutput;
use aws_sdk_kinesis::operation::create_stream::CreateStreamOutput;
use aws_sdk_kinesis::operation::decrease_stream_retention_period::DecreaseStreamRetentionPeriodOutput;
use aws_sdk_kinesis::operation::delete_stream::{DeleteStreamError, DeleteStreamOutput};
use aws_sdk_kinesis::operation::describe_stream_summary::{
    DescribeStreamSummaryError, DescribeStreamSummaryOutput,
};
use aws_sdk_kinesis::operation::get_resource_policy::GetResourcePolicyOutput;
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
use crate::aws::testing::aws;
use crate::resources::stream;
use crate::resources::testing::wanted;

/// When the stream was created, in seconds since 1970.
pub(super) const CREATED: i64 = 1_700_000_000;

/// How many looks find the stream busy after a change.
const BUSY: u32 = 2;

#[derive(Clone)]
pub(super) struct Kinesis(pub(super) Arc<Mutex<KinesisWorld>>);

pub(super) struct KinesisWorld {
    pub(super) stream: Option<State>,
    tags: Tags,
    /// How many more looks find it busy, and with what.
    pub(super) busy: (u32, StreamStatus),
    /// What was done, in order.
    done: Vec<String>,
}

fn gone() -> ErrorMetadata {
    ErrorMetadata::builder().code("ResourceNotFoundException").build()
}

impl Kinesis {
    pub(super) fn with(stream: Option<State>, tags: Tags) -> Self {
        Self(Arc::new(Mutex::new(KinesisWorld {
            stream,
            tags,
            busy: (0, StreamStatus::Updating),
            done: Vec::new(),
        })))
    }

    /// A stream as the spec in this text asks for it.
    pub(super) fn as_in(text: &str) -> Self {
        let want = wanted(text, stream::want);
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
            .encryption_type(if is_encrypted { EncryptionType::Kms } else { EncryptionType::None })
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
            mock!(Client::get_resource_policy)
                .then_output(|| GetResourcePolicyOutput::builder().policy("").build().unwrap()),
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
                let mut state = wanted("name: flags\nstream: {encryption: none}\n", stream::want).state;
                mode.as_str().clone_into(&mut state.mode);
                state.shards = input.shard_count();
                world.stream = Some(state);
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

    pub(super) fn aws(&self) -> Aws {
        let rules = [self.looks(), self.lives(), self.scales(), self.keeps()].concat();
        aws(&rules.iter().collect::<Vec<_>>(), &[])
    }

    pub(super) fn done(&self) -> Vec<String> {
        self.0.lock().unwrap().done.clone()
    }

    pub(super) fn tags(&self) -> Tags {
        self.0.lock().unwrap().tags.clone()
    }
}
