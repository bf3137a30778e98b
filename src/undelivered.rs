//! Finds impressions that were answered 200 and are not delivered.
//!
//! A delivery stream reads only records that arrive after it was created. Deleting or replacing it leaves a gap: the records
//! that arrived in between, and those that Firehose had buffered. `up` writes the gap to a tag of the stream before it
//! creates the next delivery stream, and `replay --stream` removes the span that it copied.
//! Spilled impressions are undelivered too, until `replay` sends them again.
//! Changes only that tag; `drain` also copies records into the bucket.

pub mod drain;
pub mod gaps;
pub mod newest;
mod order;
mod tail;

use std::time::{Duration, SystemTime};

use indicatif::HumanBytes;
use serde::Serialize;
use split_pipeline_handler::spill::SPILL_PREFIX;

use crate::aws::wait::SETTLING;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::moment;
use crate::names::{GAPS_TAG, Names};
use crate::objects;
use crate::objects::{BucketOwnership, SpilledPile};
use crate::pipeline::{Desired, Snapshot};
use crate::resource::{Observed, Phase, Resource as _, Step, is_ours};
use crate::resources::delivery_stream::DeliveryStream;
use crate::resources::stream::{self, Stream};
use crate::spec::Spec;
use crate::traffic::metrics::longest_lag;

use drain::Unproven;
use gaps::{Gap, Gaps, write_time};
use newest::{Newest, newest_delivered};
pub use order::{Closing, Drained, Draining};

/// Beyond the buffer's time, how long a delivery may take (Firehose reads its source about once a second).
pub const DELIVERY_SLACK: Duration = Duration::from_mins(1);

/// Impressions that were answered 200 and are not delivered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Undelivered {
    /// The spans of time whose impressions may be in the stream alone.
    pub gaps: Vec<RetainedGap>,
    /// The objects that the handler spilled, if there are any.
    pub spilled: Option<SpilledPile>,
    /// How many spilled objects name no pipeline, in a bucket that others may use.
    pub unclaimed: usize,
    #[serde(skip)]
    bucket: String,
}

/// A gap, and until when the stream holds all of its impressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetainedGap {
    #[serde(serialize_with = "crate::moment::as_rfc3339")]
    pub from: SystemTime,
    /// The first moment after it; absent while the delivery stream is missing.
    #[serde(serialize_with = "crate::moment::as_optional_rfc3339")]
    pub until: Option<SystemTime>,
    #[serde(serialize_with = "crate::moment::as_rfc3339")]
    pub expires: SystemTime,
}

impl Undelivered {
    /// Looks at the bucket for what was spilled, and adds it to the gaps.
    pub async fn look(aws: &Aws, spec: &Spec, names: &Names, gaps: &KnownGaps) -> Result<Self, AwsError> {
        let (bucket, ownership) = (names.bucket(spec), BucketOwnership::of(spec));
        let pile = objects::spilled_pile(aws, &bucket, spec.name.as_str(), ownership);
        let (spilled, unclaimed) = pile.await?;
        Ok(Self { spilled, unclaimed, bucket, ..Self::of_gaps(gaps) })
    }

    /// The gaps alone.
    pub fn of_gaps(known: &KnownGaps) -> Self {
        let gaps = known.gaps.iter().map(|gap| RetainedGap {
            from: gap.from,
            until: gap.until,
            expires: moment::later(gap.from, known.retention),
        });
        Self { gaps: gaps.collect(), ..Self::default() }
    }

    /// Each problem in words, and what to do about it.
    pub fn problems(&self) -> Vec<(String, String)> {
        let gaps = self.gaps.iter().map(RetainedGap::problem);
        let spilled = self.spilled.iter().map(|pile| {
            let (count, size) = (pile.objects, HumanBytes(pile.bytes));
            let objects = if count == 1 { "object" } else { "objects" };
            let message = format!(
                "spilled impressions are not delivered: {count} {objects} ({size}) under {SPILL_PREFIX} in {}, the oldest of {}",
                self.bucket,
                write_time(pile.oldest)
            );
            let hint = "run `split-pipeline replay` to deliver them; `split-pipeline logs` shows why they were spilled";
            (message, hint.to_owned())
        });
        let unclaimed = (self.unclaimed > 0).then(|| {
            let message = format!(
                "spilled objects under {SPILL_PREFIX}dt=… in {} name no pipeline, so `replay` leaves them alone: {}",
                self.bucket, self.unclaimed
            );
            let hint =
                "run `split-pipeline replay --dry-run` for the command that assigns them to this pipeline";
            (message, hint.to_owned())
        });
        gaps.chain(spilled).chain(unclaimed).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let problems = self.problems().into_iter();
        problems.map(|(message, hint)| format!("{message}; {hint}")).collect()
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

/// The gaps of a stream, and how long the stream keeps its records.
#[derive(Clone, Debug, Default)]
pub struct KnownGaps {
    /// The gaps of which the stream still holds something.
    pub gaps: Gaps,
    pub retention: Duration,
}

/// The gaps that the stream's tag has now, in a stream that keeps its records as long as it should.
pub async fn read(aws: &Aws, want: &Desired) -> Result<KnownGaps, AwsError> {
    let retention = hours(want.stream.state.retention_hours);
    let gaps = tagged(aws, want).await?.retained(SystemTime::now(), retention);
    Ok(KnownGaps { gaps, retention })
}

/// The gaps that the stream's tag has now, expired or not.
async fn tagged(aws: &Aws, want: &Desired) -> Result<Gaps, AwsError> {
    let tags = want.stream.read_tags(aws).await?.unwrap_or_default();
    Ok(tags.get(GAPS_TAG).map(|tag| Gaps::read(tag)).unwrap_or_default())
}

/// Removes a span that was copied from the stream's tag.
pub async fn forget_copied(
    aws: &Aws,
    want: &Desired,
    since: SystemTime,
    until: SystemTime,
    now: SystemTime,
) -> Result<(), AwsError> {
    let gaps = tagged(aws, want).await?;
    let left = gaps.clone().without(since, until, now);
    if left == gaps {
        return Ok(());
    }
    let step = Step::new(aws, want.stream.kind, &want.stream.name);
    match left.write() {
        Some(tag) => want.stream.keep_gaps(&tag, &step).await,
        None => want.stream.forget_gaps(&step).await,
    }
}

/// The gaps of a pipeline's stream that still holds some of their impressions.
///
/// A gap without an end is the one that lasts until `up` has created the delivery stream.
pub async fn gaps(aws: &Aws, want: &Desired, have: &Snapshot) -> Result<KnownGaps, AwsError> {
    let Some(stream) = &have.stream else {
        return Ok(KnownGaps::default());
    };
    Ok(KnownGaps {
        gaps: gaps_of(aws, want, have, stream).await?,
        retention: hours(stream.state.retention_hours),
    })
}

async fn gaps_of(
    aws: &Aws,
    want: &Desired,
    have: &Snapshot,
    stream: &Observed<Stream>,
) -> Result<Gaps, AwsError> {
    let (now, known) = (SystemTime::now(), known(stream));
    let delivery = have.delivery_stream.as_ref();
    if let Some(delivery) = delivery.filter(|delivery| !is_away(want, Some(delivery))) {
        return Ok(ended(known, &delivery.phase, delivery.id.created, now));
    }
    if known.is_open() {
        return Ok(known);
    }
    let (oldest, prefix) = (oldest(&stream.state, now), prefix(want, delivery));
    let newest = newest_delivered(aws, want, prefix, oldest, now).await?;
    if have.stage.is_none() && newest == Newest::None {
        // The webhook was never open, so nothing was received.
        return Ok(known);
    }
    let from = proven_until(aws, want, delivery, newest, oldest).await?;
    Ok(known.with(Gap { from, until: None }))
}

/// Up to when everything that arrived is known to be delivered: Firehose had read it by the time that it wrote its newest
/// object, if it was not behind.
async fn proven_until(
    aws: &Aws,
    want: &Desired,
    have: Option<&Observed<DeliveryStream>>,
    newest: Newest,
    oldest: SystemTime,
) -> Result<SystemTime, AwsError> {
    let Newest::At(written) = newest else {
        return Ok(oldest);
    };
    let lag = match longest_lag(aws, &want.stage.extra.names).await {
        Err(error) if error.kind == ErrorKind::Denied => return Ok(oldest),
        lag => lag?,
    };
    Ok(proven(written, lag + buffer(want, have) + DELIVERY_SLACK, oldest))
}

/// Up to when everything that arrived is delivered, if the newest object was written then, and may hold records that much older.
fn proven(written: SystemTime, age: Duration, oldest: SystemTime) -> SystemTime {
    written.checked_sub(age).map_or(oldest, |until| until.max(oldest))
}

/// The gaps beside a delivery stream in this phase, of which the open one ends once the delivery stream reads.
///
/// It is open although there is a delivery stream if `up` was interrupted after it created that.
fn ended(known: Gaps, phase: &Phase, created: Option<SystemTime>, now: SystemTime) -> Gaps {
    match phase {
        Phase::Ready => {
            known.closed(created.map_or(now, |created| now.min(moment::later(created, SETTLING))))
        }
        Phase::Pending(_) | Phase::Deleting | Phase::Failed(_) => known,
    }
}

/// Finds the records of the pipeline's stream that may be undelivered; none if there is no such stream.
pub async fn unproven(aws: &Aws, want: &Desired, have: &Snapshot) -> Result<Option<Unproven>, AwsError> {
    let Some(stream) = have.stream.as_ref().filter(|it| is_ours(&want.stream.tags, &it.tags)) else {
        return Ok(None);
    };
    let gaps = gaps_of(aws, want, have, stream).await?;
    let delivery = have.delivery_stream.as_ref();
    let delivers =
        delivery.filter(|it| it.phase == Phase::Ready && is_ours(&want.delivery_stream.tags, &it.tags));
    let now = SystemTime::now();
    let (oldest, prefix) = (oldest(&stream.state, now), prefix(want, delivery));
    let newest = newest_delivered(aws, want, prefix, oldest, now).await?;
    let since = proven_until(aws, want, delivery, newest, oldest).await?;
    let open = gaps.iter().find(|gap| gap.until.is_none());
    Ok(Some(Unproven {
        since: open.map_or(since, |gap| since.min(gap.from)),
        gaps,
        prefix: prefix.to_owned(),
        delivers_within: delivers.map(|_| buffer(want, delivery) + DELIVERY_SLACK),
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

pub fn kept(want: &Desired) -> Gaps {
    let tag = want.stream.tags.get(GAPS_TAG);
    tag.map(|tag| Gaps::read(tag)).unwrap_or_default()
}

/// Tells whether `up` creates a delivery stream, or has to delete this one and create it again.
fn is_away(want: &Desired, have: Option<&Observed<DeliveryStream>>) -> bool {
    have.is_none_or(|have| {
        matches!(have.phase, Phase::Deleting | Phase::Failed(_))
            || DeliveryStream::replacement(&want.delivery_stream, &have.state).is_some()
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

/// When the oldest record can have arrived that a stream still holds.
fn oldest(stream: &stream::State, now: SystemTime) -> SystemTime {
    let retained = now.checked_sub(hours(stream.retention_hours));
    let retained = retained.unwrap_or(SystemTime::UNIX_EPOCH);
    stream.created.map_or(retained, |created| created.max(retained))
}

fn hours(hours: i32) -> Duration {
    Duration::from_hours(u64::try_from(hours).unwrap_or_default())
}

#[cfg(test)]
mod tests;
