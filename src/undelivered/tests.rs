//! Unit tests of undelivered impressions: what is said about them, and the tag that keeps the gaps.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::operation::add_tags_to_stream::AddTagsToStreamOutput;
use aws_sdk_kinesis::operation::list_tags_for_stream::ListTagsForStreamOutput;
use aws_sdk_kinesis::operation::remove_tags_from_stream::RemoveTagsFromStreamOutput;
use aws_sdk_kinesis::types::Tag;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::{Rule, mock};

use super::*;
use crate::aws::testing::{Seen, every_service};
use crate::names::Tags;
use crate::pipeline::testing::pipeline;
use crate::pipeline::testing::{desired, names, spec};

mod apply;
mod destroy;
mod since;

const SPEC: &str = "name: flags\n";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

#[test]
fn a_gap_ends_only_once_its_delivery_stream_is_active() {
    let open = Gaps::default().with(Gap { from: at(0), until: None });
    let ended = |phase, created| ended(open.clone(), &phase, created, at(100));
    assert!(ended(Phase::Pending("CREATING".to_owned()), Some(at(50))).is_open());
    assert_eq!(ended(Phase::Ready, Some(at(50))), open.clone().closed(at(100)));
    assert_eq!(ended(Phase::Ready, None), open.clone().closed(at(100)));
    let long_ago = at(0) - SETTLING;
    assert_eq!(ended(Phase::Ready, Some(long_ago)), open.clone().closed(at(0)));
}

#[test]
fn a_delivery_stream_that_lags_proves_less() {
    let written = at(10_000);
    let minutes = Duration::from_mins;
    assert_eq!(proven(written, minutes(6), at(0)), at(10_000 - 360));
    assert_eq!(proven(written, minutes(36), at(0)), at(10_000 - 36 * 60));
    assert_eq!(proven(written, minutes(36), at(9_000)), at(9_000));
    assert_eq!(proven(written, Duration::MAX, at(0)), at(0));
}

/// The seconds at which a gap starts and ends.
type Seconds = (u64, Option<u64>);

fn gaps_of_spans(spans: &[Seconds]) -> Gaps {
    let gaps = spans.iter().map(|(from, until)| Gap { from: at(*from), until: until.map(at) });
    gaps.fold(Gaps::default(), Gaps::with)
}

fn known_gaps(spans: &[Seconds]) -> KnownGaps {
    KnownGaps { gaps: gaps_of_spans(spans), retention: Duration::from_hours(1) }
}

/// Objects in a bucket, by key, each of 2 KiB and written so many seconds after the first one.
fn bucket(objects: &'static [(&'static str, i64)]) -> Rule {
    mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
        let below = objects.iter().filter(|(key, _)| key.starts_with(input.prefix().unwrap()));
        let object = |(key, seconds): &(&str, i64)| {
            let written = DateTime::from_secs(1_800_000_000 + seconds);
            Object::builder().key(*key).size(2048).last_modified(written).build()
        };
        let objects = below.map(object).collect();
        ListObjectsV2Output::builder().set_contents(Some(objects)).build()
    })
}

#[tokio::test]
async fn everything_that_is_not_delivered_is_told_with_what_to_do() {
    let known = known_gaps(&[(0, Some(60)), (120, None)]);
    let gaps = [
        "impressions received between 2027-01-15T08:00:00Z and 2027-01-15T08:01:00Z may not be in S3, because no delivery \
         stream read them; Kinesis drops them from 2027-01-15T09:00:00Z on; run `split-pipeline replay --stream --since \
         2027-01-15T08:00:00Z --until 2027-01-15T08:01:00Z` to copy them",
        "impressions received since 2027-01-15T08:02:00Z may not be in S3, because the delivery stream is missing or has to be \
         replaced; Kinesis drops them from 2027-01-15T09:02:00Z on; run `split-pipeline up`, then `split-pipeline replay \
         --stream --since 2027-01-15T08:02:00Z` to copy them",
    ];
    assert_eq!(Undelivered::of_gaps(&known).warnings(), gaps);

    let own = spec(SPEC);
    let rule = bucket(&[
        ("spill/flags/dt=2027-01-15/a-0123456789abcdef.ndjson.gz", 0),
        ("spill/dt=2027-01-15/b-0123456789abcdef.ndjson.gz", 60),
        ("spill/flags/what.txt", 60),
    ]);
    let look = async |spec: &Spec, rule: &Rule, known: &KnownGaps| {
        let aws = every_service(&[rule]);
        let undelivered = Undelivered::look(&aws, spec, &names(spec), known).await;
        undelivered.unwrap().warnings()
    };
    let objects = |count: &str, bucket: &str| {
        format!(
            "spilled impressions are not delivered: {count} under spill/ in {bucket}, the oldest of 2027-01-15T08:00:00Z; \
             run `split-pipeline replay` to deliver them; `split-pipeline logs` shows why they were spilled"
        )
    };
    let spilled = objects("2 objects (4.00 KiB)", "flags-123456789012-us-east-1");
    let said = look(&own, &rule, &known).await;
    assert_eq!(said, [gaps[0].to_owned(), gaps[1].to_owned(), spilled]);

    let shared = spec("name: flags\ndelivery: {bucket: shared, existing_bucket: true}\n");
    let unclaimed = "spilled objects under spill/dt=… in shared name no pipeline, so `replay` leaves them alone: 1; run \
                     `split-pipeline replay --dry-run` for the command that assigns them to this pipeline";
    let said = look(&shared, &rule, &KnownGaps::default()).await;
    assert_eq!(said, [objects("1 object (2.00 KiB)", "shared"), unclaimed.to_owned()]);
    assert_eq!(look(&own, &bucket(&[]), &KnownGaps::default()).await, [""; 0]);
}

/// A stream's tags in memory.
#[derive(Clone, Default)]
struct Tagged(Arc<Mutex<Tags>>);

impl Tagged {
    fn with(gaps: &Gaps) -> Self {
        let tag = gaps.write().map(|tag| (GAPS_TAG.to_owned(), tag));
        Self(Arc::new(Mutex::new(tag.into_iter().collect())))
    }

    fn rules(&self) -> [Rule; 3] {
        let (list, add, remove) = (self.clone(), self.clone(), self.clone());
        [
            mock!(aws_sdk_kinesis::Client::list_tags_for_stream).then_output(move || {
                let tags = list.0.lock().unwrap();
                let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
                let tags = tags.iter().map(tag).collect::<Result<_, _>>().unwrap();
                let answer = ListTagsForStreamOutput::builder().set_tags(Some(tags));
                answer.has_more_tags(false).build().unwrap()
            }),
            mock!(aws_sdk_kinesis::Client::add_tags_to_stream).then_compute_output(move |input| {
                add.0.lock().unwrap().extend(input.tags().unwrap().clone());
                AddTagsToStreamOutput::builder().build()
            }),
            mock!(aws_sdk_kinesis::Client::remove_tags_from_stream).then_compute_output(move |input| {
                remove.0.lock().unwrap().retain(|key, _| !input.tag_keys().contains(key));
                RemoveTagsFromStreamOutput::builder().build()
            }),
        ]
    }
}

#[tokio::test]
async fn the_tag_forgets_what_was_copied() {
    let all = gaps_of_spans(&[(0, Some(60)), (120, None)]);
    let want = desired(SPEC);
    let cases: [(Range<u64>, &[Seconds], &[&str]); 3] = [
        (60..120, &[(0, Some(60)), (120, None)], &[]),
        (0..60, &[(120, None)], &["kinesis:AddTagsToStream"]),
        (0..300, &[(300, None)], &["kinesis:AddTagsToStream"]),
    ];
    for (copied, left, changes) in cases {
        let tagged = Tagged::with(&all);
        let (aws, seen) = Seen::by(every_service(&tagged.rules().each_ref()));
        forget_copied(&aws, &want, at(copied.start), at(copied.end), at(10_000)).await.unwrap();
        assert_eq!(seen.changes(), changes);
        let known = read(&aws, &want).await.unwrap();
        assert_eq!((known.gaps, known.retention), (gaps_of_spans(left), Duration::from_hours(24)));
    }
    let tagged = Tagged::with(&gaps_of_spans(&[(0, Some(60))]));
    let (aws, seen) = Seen::by(every_service(&tagged.rules().each_ref()));
    forget_copied(&aws, &want, at(0), at(60), at(10_000)).await.unwrap();
    assert_eq!(seen.changes(), ["kinesis:RemoveTagsFromStream"]);
    assert!(tagged.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_tag_of_a_stream_keeps_new_gaps_and_is_no_drift_otherwise() {
    let (_, mut have) = pipeline(&desired(SPEC)).await;
    let (one, two) = (gaps_of_spans(&[(0, Some(60))]), gaps_of_spans(&[(0, Some(60)), (120, None)]));
    let tag_of = |want: &Desired| want.stream.tags.get(GAPS_TAG).cloned();
    let kept_after = |gaps: &Gaps, have: &Snapshot| {
        let mut want = desired(SPEC);
        want.stream.tags.insert(GAPS_TAG.to_owned(), "stale".to_owned());
        keep(gaps, have, &mut want);
        let tag = tag_of(&want);
        assert_eq!(kept(&want), tag.as_deref().map(Gaps::read).unwrap_or_default());
        tag
    };
    assert_eq!(kept_after(&Gaps::default(), &have), None);
    assert_eq!(kept_after(&two, &have), two.write());
    // As it was written, although the same gaps would be written otherwise.
    let odd = format!("{}  ", one.write().unwrap());
    have.stream.as_mut().unwrap().tags.insert(GAPS_TAG.to_owned(), odd.clone());
    assert_eq!(kept_after(&one, &have), Some(odd.clone()));
    assert_eq!(kept_after(&two, &have), two.write());
    let mut want = desired(SPEC);
    keep_as_is(&have, &mut want);
    assert_eq!(tag_of(&want), Some(odd));
    have.stream = None;
    keep_as_is(&have, &mut want);
    assert_eq!(tag_of(&want), None);
}

#[test]
fn a_gap_that_ended_within_the_second_before_its_tag_says_can_be_copied_whole() {
    let gap = || gaps_of_spans(&[(0, Some(100))]);
    let until = at(99) + Duration::from_nanos(1);
    assert!(gap().without(at(0), until, at(10_000)).is_empty());
    assert_eq!(gap().without(at(0), at(99), at(10_000)), gaps_of_spans(&[(99, Some(100))]));
}
