//! Finds impressions that were answered 200 and are not delivered.
//!
//! A delivery stream reads only records that arrive after it was created. Deleting or replacing it leaves a gap: the records
//! that arrived in between, and those that Firehose had buffered. `up` writes the gap to a tag of the stream before it
//! creates the next delivery stream, and `replay --stream` removes the span that it copied.
//! Spilled impressions are undelivered too, until `replay` sends them again.
//! Changes nothing but that tag.

pub mod drain;
pub mod gaps;
mod tail;

use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::Object;
use indicatif::HumanBytes;
use serde::Serialize;

use crate::aws::wait::SETTLING;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::desired::Desired;
use crate::destroy::DELIVERY_SLACK;
use crate::names::{GAPS_TAG, Names};
use crate::objects::{BucketOwnership, SpilledPile};
use crate::observe::Snapshot;
use crate::resource::{Kind, Observed, Phase, Resource as _, Step, is_ours};
use crate::resources::delivery_stream::DeliveryStream;
use crate::resources::stream::{self, Stream};
use crate::spec::Spec;
use crate::{objects, prefixes};

use drain::Unproven;
use gaps::{Gap, Gaps, write_time};

/// How many prefixes are searched for the newest object, an hour each by default: two days.
const NEWEST_PREFIXES: usize = 48;

/// Impressions that were answered 200 and are not delivered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Undelivered {
    /// The spans of time whose impressions may be in the stream alone.
    pub gaps: Vec<RetainedGap>,
    /// The objects that the handler spilled, if there are any.
    pub spilled: Option<SpilledPile>,
    #[serde(skip)]
    bucket: String,
}

/// A gap, and until when the stream holds all of its impressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetainedGap {
    /// Its first moment.
    #[serde(serialize_with = "crate::results::as_rfc3339")]
    pub from: SystemTime,
    /// The first moment after it; absent while the delivery stream is missing.
    #[serde(serialize_with = "crate::results::as_optional_rfc3339")]
    pub until: Option<SystemTime>,
    /// When the stream starts to drop its impressions.
    #[serde(serialize_with = "crate::results::as_rfc3339")]
    pub expires: SystemTime,
}

impl Undelivered {
    /// Looks at the bucket for what was spilled, and adds it to the gaps.
    pub async fn look(aws: &Aws, spec: &Spec, names: &Names, gaps: &Gaps) -> Result<Self, AwsError> {
        let (bucket, ownership) = (names.bucket(spec), BucketOwnership::of(spec));
        let spilled = objects::spilled(aws, &bucket, spec.name.as_str(), ownership).await?;
        Ok(Self {
            spilled: spilled.pile(),
            bucket,
            ..Self::of_gaps(spec, gaps)
        })
    }

    /// The gaps alone.
    pub fn of_gaps(spec: &Spec, gaps: &Gaps) -> Self {
        let retention = Duration::from_hours(spec.stream.retention_hours.get().into());
        let gaps = gaps.iter().map(|gap| RetainedGap {
            from: gap.from,
            until: gap.until,
            expires: gap.from + retention,
        });
        Self {
            gaps: gaps.collect(),
            ..Self::default()
        }
    }

    /// Each problem in words, and what to do about it.
    pub fn problems(&self) -> Vec<(String, String)> {
        let gaps = self.gaps.iter().map(RetainedGap::problem);
        let spilled = self.spilled.iter().map(|pile| {
            let (count, size) = (pile.objects, HumanBytes(pile.bytes));
            let objects = if count == 1 { "object" } else { "objects" };
            let message = format!(
                "spilled impressions are not delivered: {count} {objects} ({size}) under spill/ in {}, the oldest of {}",
                self.bucket,
                write_time(pile.oldest)
            );
            let hint = "run `split-pipeline replay` to deliver them; `split-pipeline logs` says why the stream refused them";
            (message, hint.to_owned())
        });
        gaps.chain(spilled).collect()
    }

    /// Each problem as one text.
    pub fn warnings(&self) -> Vec<String> {
        let problems = self.problems().into_iter();
        problems
            .map(|(message, hint)| format!("{message}; {hint}"))
            .collect()
    }
}

impl RetainedGap {
    fn problem(&self) -> (String, String) {
        let (from, expires) = (write_time(self.from), write_time(self.expires));
        let Some(until) = self.until else {
            let message = format!(
                "impressions received since {from} may not be in S3, because the delivery stream is missing or \
                 has to be replaced; Kinesis drops them from {expires} on"
            );
            let hint = format!(
                "run `split-pipeline up`, then `split-pipeline replay --stream --since {from}` to copy them"
            );
            return (message, hint);
        };
        let until = write_time(until);
        let message = format!(
            "impressions received between {from} and {until} may not be in S3, because no delivery stream read them; \
             Kinesis drops them from {expires} on"
        );
        let hint =
            format!("run `split-pipeline replay --stream --since {from} --until {until}` to copy them");
        (message, hint)
    }
}

/// The gaps that the stream's tag has now.
pub async fn read(aws: &Aws, want: &Desired) -> Result<Gaps, AwsError> {
    let tags = want.stream.read_tags(aws).await?.unwrap_or_default();
    let retention = hours(want.stream.state.retention_hours);
    let gaps = tags.get(GAPS_TAG).map(|tag| Gaps::read(tag));
    Ok(gaps.unwrap_or_default().retained(SystemTime::now(), retention))
}

/// Removes a span that was copied from the stream's tag.
pub async fn forget_copied(
    aws: &Aws,
    want: &Desired,
    since: SystemTime,
    until: SystemTime,
) -> Result<(), AwsError> {
    let gaps = read(aws, want).await?;
    let left = gaps.clone().without(since, until);
    if left == gaps {
        return Ok(());
    }
    let step = Step::new(aws, Kind::Stream, &want.stream.name);
    match left.write() {
        Some(tag) => want.stream.keep_gaps(&tag, &step).await,
        None => want.stream.forget_gaps(&step).await,
    }
}

/// The gaps of a pipeline's stream that still holds some of their impressions.
///
/// A gap without an end is the one that lasts until `up` has created the delivery stream.
pub async fn gaps(aws: &Aws, want: &Desired, have: &Snapshot) -> Result<Gaps, AwsError> {
    let Some(stream) = &have.stream else {
        return Ok(Gaps::default());
    };
    let (now, known) = (SystemTime::now(), known(stream));
    if !is_away(want, have.delivery_stream.as_ref()) {
        let created = have.delivery_stream.as_ref().and_then(|it| it.id.created);
        // `up` was interrupted after it created the delivery stream: it was ACTIVE by then at the latest.
        let active = created.map_or(now, |created| now.min(created + SETTLING));
        return Ok(known.closed(active));
    }
    if known.is_open() {
        return Ok(known);
    }
    let oldest = oldest(&stream.state, now);
    let prefix = prefix(want, have.delivery_stream.as_ref());
    let delivered = newest_delivered(aws, want, prefix, oldest, now).await?;
    if have.stage.is_none() && delivered.is_none() {
        // The webhook was never open, so nothing was received.
        return Ok(known);
    }
    let buffered = buffer(want, have.delivery_stream.as_ref());
    let from = delivered.and_then(|at| at.checked_sub(buffered + DELIVERY_SLACK));
    let from = from.map_or(oldest, |from| from.max(oldest));
    Ok(known.with(Gap { from, until: None }))
}

/// Finds the records of the pipeline's stream that may be undelivered; none if there is no such stream.
pub async fn unproven(aws: &Aws, want: &Desired, have: &Snapshot) -> Result<Option<Unproven>, AwsError> {
    let Some(stream) = have
        .stream
        .as_ref()
        .filter(|it| is_ours(&want.stream.tags, &it.tags))
    else {
        return Ok(None);
    };
    let gaps = gaps(aws, want, have).await?;
    let delivery = have.delivery_stream.as_ref();
    let delivers =
        delivery.filter(|it| it.phase == Phase::Ready && is_ours(&want.delivery_stream.tags, &it.tags));
    let buffered = buffer(want, delivery) + DELIVERY_SLACK;
    let now = SystemTime::now();
    let oldest = oldest(&stream.state, now);
    let prefix = prefix(want, delivery);
    let delivered = newest_delivered(aws, want, prefix, oldest, now).await?;
    let since = delivered.and_then(|at| at.checked_sub(buffered));
    let since = since.map_or(oldest, |since| since.max(oldest));
    let open = gaps.iter().find(|gap| gap.until.is_none());
    Ok(Some(Unproven {
        since: open.map_or(since, |gap| since.min(gap.from)),
        gaps,
        prefix: prefix.to_owned(),
        delivers_within: delivers.map(|_| buffered),
    }))
}

/// Makes the gaps part of what the stream should be, so that `up` keeps them before it creates a delivery stream.
///
/// A tag that says the same is left as it is, and so is one whose gaps have expired: time alone is no drift.
pub fn keep(gaps: &Gaps, have: &Snapshot, want: &mut Desired) {
    keep_as_is(have, want);
    let known = have.stream.as_ref().map(known).unwrap_or_default();
    if *gaps != known
        && let Some(tag) = gaps.write()
    {
        want.stream.tags.insert(GAPS_TAG.to_owned(), tag);
    }
}

/// Leaves the tag as it is, so that `status` does not show it as drift.
pub fn keep_as_is(have: &Snapshot, want: &mut Desired) {
    let tag = have.stream.as_ref().and_then(|stream| stream.tags.get(GAPS_TAG));
    match tag {
        Some(tag) => want.stream.tags.insert(GAPS_TAG.to_owned(), tag.clone()),
        None => want.stream.tags.remove(GAPS_TAG),
    };
}

/// The gaps in a stream's tag of which the stream still holds something.
fn known(stream: &Observed<Stream>) -> Gaps {
    let gaps = stream.tags.get(GAPS_TAG).map(|tag| Gaps::read(tag));
    let retention = hours(stream.state.retention_hours);
    gaps.unwrap_or_default().retained(SystemTime::now(), retention)
}

/// The gaps that a stream should keep.
pub fn kept(want: &Desired) -> Gaps {
    let tag = want.stream.tags.get(GAPS_TAG);
    tag.map(|tag| Gaps::read(tag)).unwrap_or_default()
}

/// Tells whether `up` creates a delivery stream, or has to delete this one and create it again.
fn is_away(want: &Desired, have: Option<&Observed<DeliveryStream>>) -> bool {
    have.is_none_or(|have| {
        matches!(have.phase, Phase::Deleting | Phase::Failed(_))
            || want.delivery_stream.replacement(&have.state).is_some()
    })
}

/// The longest that the delivery stream buffers, as it is or should be.
fn buffer(want: &Desired, have: Option<&Observed<DeliveryStream>>) -> Duration {
    let want = want.delivery_stream.state.buffer_seconds;
    let seconds = have.map_or(want, |have| want.max(have.state.buffer_seconds));
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// The prefix under which the delivery stream delivers, or should.
fn prefix<'a>(want: &'a Desired, have: Option<&'a Observed<DeliveryStream>>) -> &'a str {
    let want = &want.delivery_stream.state.prefix;
    have.map_or(want, |have| &have.state.prefix)
}

/// When the pipeline's delivery stream wrote its newest object, if that was after `oldest`.
///
/// Other objects under the prefix, such as another pipeline's or what `replay` copied, tell nothing about it. Firehose
/// starts the name of an object with that of the delivery stream (Firehose guide, "Amazon S3 object name format").
async fn newest_delivered(
    aws: &Aws,
    want: &Desired,
    prefix: &str,
    oldest: SystemTime,
    now: SystemTime,
) -> Result<Option<SystemTime>, AwsError> {
    let start = format!("{}-", want.delivery_stream.name);
    let written = |object: Object| {
        let name = object.key()?.rsplit('/').next()?;
        let written = object.last_modified().filter(|_| name.starts_with(&start))?;
        SystemTime::try_from(*written).ok().filter(|at| *at >= oldest)
    };
    let hourly = prefixes::between(prefix, oldest, now);
    for prefix in hourly.iter().rev().take(NEWEST_PREFIXES) {
        let objects = match objects::list(aws, &want.bucket.name, prefix).await {
            // Without the bucket, or the right to look at it, nothing is known to be delivered.
            Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::NotFound) => return Ok(None),
            objects => objects?,
        };
        if let Some(newest) = objects.into_iter().filter_map(written).max() {
            return Ok(Some(newest));
        }
    }
    Ok(None)
}

/// When the oldest record can have arrived that a stream still holds.
fn oldest(stream: &stream::State, now: SystemTime) -> SystemTime {
    let retained = now.checked_sub(hours(stream.retention_hours));
    let retained = retained.unwrap_or(SystemTime::UNIX_EPOCH);
    stream.created.map_or(retained, |created| created.max(retained))
}

fn hours(hours: i32) -> Duration {
    Duration::from_hours(u64::try_from(hours).unwrap_or_default())
}
