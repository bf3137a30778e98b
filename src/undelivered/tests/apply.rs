//! Unit tests of applying a plan: what depends on what, what is reported, and when a gap ends.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::operation::delete_alarms::{DeleteAlarmsError, DeleteAlarmsOutput};
use aws_sdk_cloudwatchlogs::operation::put_retention_policy::PutRetentionPolicyError;
use aws_sdk_iam::operation::update_assume_role_policy::UpdateAssumeRolePolicyError;
use aws_sdk_kinesis::operation::add_tags_to_stream::{
    AddTagsToStreamError, AddTagsToStreamInput, AddTagsToStreamOutput,
};
use aws_sdk_lambda::operation::create_function::CreateFunctionError;
use aws_sdk_s3::operation::put_bucket_policy::PutBucketPolicyError;
use aws_sdk_sns::operation::delete_topic::DeleteTopicOutput;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;
use serde_json::Value;

use crate::aws::testing::{Seen, aws};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::engine::apply::{Follow as _, apply};
use crate::engine::plan::plan;
use crate::engine::{Done, Report, Run};
use crate::kind::{Action, Kind};
use crate::names::GAPS_TAG;
use crate::names::Tags;
use crate::pipeline::testing::{Services, desired, pipeline};
use crate::pipeline::{Desired, Snapshot};
use crate::progress::Event;
use crate::resource::{Adoption, Resource as _, Target};
use crate::resources::alarm::Alarm;
use crate::resources::alarm_topic::AlarmTopic;
use crate::resources::webhook::stage;
use crate::resources::{alarm, alarm_topic, bucket, delivery_stream, function, log_group, role, stream};
use crate::undelivered::Closing;
use crate::undelivered::gaps::{Gap, Gaps};

/// A pipeline with everything that there can be.
const ALL: &str = "name: flags\ndelivery: {format: parquet}\nmonitoring: {alarms: true, emails: [a@b.cd], dashboard: true}\n";

fn denied() -> ErrorMetadata {
    ErrorMetadata::builder().code("AccessDeniedException").build()
}

fn kinds<T>(all: &[(Kind, String, T)]) -> Vec<Kind> {
    all.iter().map(|(kind, ..)| *kind).collect()
}

/// How an apply went, and the webhook's path.
struct Applied {
    report: Report,
    webhook: Option<String>,
}

async fn applied(aws: &Aws, want: &Desired, have: Snapshot) -> Applied {
    let plan = plan(want, have, Adoption::Refuse);
    let report = apply(aws, want, plan, &Closing::of(want)).await;
    let api = want.rest_api.extra.api.get();
    let is_open = |kind: &Done| kind.kind == stage::KIND;
    let open = report.done.iter().any(is_open);
    Applied { webhook: api.filter(|_| open).and_then(|api| Some(api.route?.path)), report }
}

/// Applies to a pipeline that is as it should be but for a change; some calls are answered by these rules.
async fn applied_after(
    want: &Desired,
    rules: &[Rule],
    change: impl FnOnce(&mut Snapshot),
) -> (Applied, Vec<&'static str>) {
    let (services, mut have) = pipeline(want).await;
    change(&mut have);
    let (aws, seen) = Seen::by(services.aws(rules));
    let applied = applied(&aws, want, have).await;
    (applied, seen.changes())
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_is_as_it_should_be_is_left_alone_and_gives_its_webhook() {
    let want = desired(ALL);
    let (services, have) = pipeline(&want).await;
    let (aws, seen) = Seen::by(services.aws(&[]));
    let Applied { report, webhook } = applied(&aws, &want, have).await;
    assert!(report.is_complete(), "{report:?}");
    assert!(report.done.iter().all(|done| done.action == Action::Keep));
    // Each of the others is there once.
    assert_eq!(report.done.len(), 14 + want.alarms.len());
    assert_eq!(webhook.unwrap(), services.gateway.paths()[0]);
    assert_eq!(seen.calls(), [""; 0]);
    let is_finished = |event: &Event| matches!(event, Event::Finished { .. });
    assert!(seen.events().iter().all(is_finished), "{:?}", seen.events());
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let want = desired(ALL);
    let refuses =
        mock!(aws_sdk_s3::Client::put_bucket_policy).then_error(|| PutBucketPolicyError::generic(denied()));
    let (Applied { report, webhook }, _) = applied_after(&want, &[refuses], |have| {
        have.bucket.as_mut().unwrap().state.policy = Value::Null;
    })
    .await;
    assert!(!report.is_complete() && !report.lost_something());
    assert_eq!(kinds(&report.failed), [bucket::KIND]);
    let waiting = [function::KIND, delivery_stream::KIND, stage::KIND];
    let not_started = kinds(&report.not_started);
    assert_eq!(not_started.len(), waiting.len(), "{not_started:?}");
    assert!(waiting.iter().all(|kind| not_started.contains(kind)));
    assert_eq!(report.done.len(), 14 + want.alarms.len() - 4);
    assert_eq!(webhook, None);
}

/// What another hand changes.
type Drift = fn(&mut Snapshot);

#[tokio::test(start_paused = true)]
async fn a_function_waits_for_its_role_its_log_group_and_a_bucket_that_it_is_called_for() {
    let want = desired("name: flags\n");
    let needed: [(Kind, Drift); 3] = [
        (role::OF_FUNCTION, |have| {
            have.function_role.as_mut().unwrap().state.trust = Value::Null;
        }),
        (log_group::OF_FUNCTION, |have| {
            have.function_log_group.as_mut().unwrap().state.retention_days = None;
        }),
        (bucket::KIND, |have| {
            have.bucket.as_mut().unwrap().state.policy = Value::Null;
        }),
    ];
    let refuses = || {
        [
            mock!(aws_sdk_iam::Client::update_assume_role_policy)
                .then_error(|| UpdateAssumeRolePolicyError::generic(denied())),
            mock!(aws_sdk_cloudwatchlogs::Client::put_retention_policy)
                .then_error(|| PutRetentionPolicyError::generic(denied())),
            mock!(aws_sdk_s3::Client::put_bucket_policy)
                .then_error(|| PutBucketPolicyError::generic(denied())),
        ]
    };
    for (kind, drift) in needed {
        let (applied, _) = applied_after(&want, &refuses(), drift).await;
        assert_eq!(kinds(&applied.report.failed), [kind]);
        assert!(kinds(&applied.report.not_started).contains(&function::KIND), "{kind}");
    }
    // A function that nobody calls yet does not wait for the bucket.
    let code =
        mock!(aws_sdk_lambda::Client::create_function).then_error(|| CreateFunctionError::generic(denied()));
    let rules = [refuses().to_vec(), vec![code]].concat();
    let mut want = want;
    want.function.extra = Some(std::sync::Arc::new(Vec::new()));
    let (applied, changes) = applied_after(&want, &rules, |have| {
        have.function = None;
        have.bucket.as_mut().unwrap().state.policy = Value::Null;
    })
    .await;
    assert!(changes.contains(&"lambda:CreateFunction"), "{changes:?}");
    assert!(kinds(&applied.report.failed).contains(&bucket::KIND));
}

/// What a look found of everything that the spec once asked for.
fn once_watched(have: &mut Snapshot, tags: Option<&Tags>) {
    let had = desired(ALL);
    let tags = |ours: &Tags| tags.unwrap_or(ours).clone();
    let found = |want: &Target<AlarmTopic>| crate::resource::Observed {
        id: want.arn.clone(),
        state: want.state.clone(),
        tags: tags(&want.tags),
        phase: crate::resource::Phase::Ready,
    };
    have.alarm_topic = Some(found(&had.alarm_topic));
    let found = |want: &Target<Alarm>| crate::resource::Observed {
        id: want.arn.clone(),
        state: want.state.clone(),
        tags: tags(&want.tags),
        phase: crate::resource::Phase::Ready,
    };
    have.alarms = had.alarms.iter().map(found).map(Some).collect();
}

fn deletes(alarms: Rule) -> [Rule; 2] {
    let topic = mock!(aws_sdk_sns::Client::delete_topic).then_output(|| DeleteTopicOutput::builder().build());
    [alarms, topic]
}

#[tokio::test(start_paused = true)]
async fn a_topic_goes_after_the_alarms_that_told_it_and_stays_if_one_of_them_does() {
    let want = desired("name: flags\n");
    let goes = mock!(aws_sdk_cloudwatch::Client::delete_alarms)
        .then_output(|| DeleteAlarmsOutput::builder().build());
    let rules = deletes(goes);
    let (applied, changes) = applied_after(&want, &rules, |have| once_watched(have, None)).await;
    assert!(applied.report.is_complete(), "{:?}", applied.report);
    let (last, alarms) = changes.split_last().unwrap();
    assert_eq!(*last, "sns:DeleteTopic");
    assert_eq!(alarms, vec!["cloudwatch:DeleteAlarms"; want.alarms.len()]);
    let deleted = applied.report.done.iter().filter(|done| done.action == Action::Delete);
    assert_eq!(deleted.count(), 1 + want.alarms.len());

    let stays =
        mock!(aws_sdk_cloudwatch::Client::delete_alarms).then_error(|| DeleteAlarmsError::generic(denied()));
    let rules = deletes(stays);
    let (applied, _) = applied_after(&want, &rules, |have| once_watched(have, None)).await;
    assert_eq!(kinds(&applied.report.failed), vec![alarm::KIND; want.alarms.len()]);
    assert_eq!(kinds(&applied.report.not_started), [alarm_topic::KIND]);
    // Nothing of that is in the way of impressions.
    assert!(applied.webhook.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_the_spec_does_not_ask_for_stays_if_it_is_not_the_pipelines() {
    let want = desired("name: flags\n");
    let somebodys = Tags::from([("owner".to_owned(), "somebody".to_owned())]);
    let (applied, changes) = applied_after(&want, &[], |have| once_watched(have, Some(&somebodys))).await;
    assert!(applied.report.is_complete(), "{:?}", applied.report);
    assert_eq!(changes, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_after_an_interruption() {
    let want = desired("name: flags\n");
    let (services, have) = pipeline(&want).await;
    let (aws, seen) = Seen::by(services.aws(&[]));
    aws.interrupt.cancel();
    let applied = applied(&aws, &want, have).await;
    assert!(applied.report.done.is_empty() && applied.report.failed.is_empty());
    assert!(!applied.report.is_complete());
    assert!(applied.webhook.is_none() && seen.events().is_empty());
}

/// Does a step that ends like this; gives what was reported, and the events after the first.
async fn step_that(action: Action, ends: Result<(), AwsError>) -> (Report, Vec<Event>) {
    let (aws, seen) = Seen::by(aws(&[], &[]));
    let (run, want) = (Run::new(&aws), desired("name: flags\n").stream);
    run.step(&want, action, async |_| ends.map(|()| "id".to_owned())).await;
    (run.take_report(), seen.events())
}

#[tokio::test]
async fn a_step_is_reported_by_how_it_ended() {
    let error = |kind| Err(AwsError::new("test:Call", kind, "why"));
    let (report, events) = step_that(Action::Update, Ok(())).await;
    let done = &report.done[0];
    assert_eq!((done.kind, done.id.as_str(), done.action), (stream::KIND, "id", Action::Update));
    assert!(matches!(events[..], [Event::Started { .. }, Event::Finished { .. }]));
    let (_, events) = step_that(Action::Keep, Ok(())).await;
    assert!(matches!(events[..], [Event::Finished { .. }]));
    let (report, events) = step_that(Action::Create, error(ErrorKind::Denied)).await;
    assert_eq!((kinds(&report.failed), report.not_started.len()), (vec![stream::KIND], 0));
    assert!(matches!(events[..], [Event::Started { .. }, Event::Failed { .. }]));
    let (report, events) = step_that(Action::Create, error(ErrorKind::Interrupted)).await;
    assert_eq!((report.failed.len(), kinds(&report.not_started)), (0, vec![stream::KIND]));
    assert!(matches!(events[..], [Event::Started { .. }, Event::Stopped { .. }]));
}

/// A pipeline whose stream has this gap, and whose delivery stream was created then.
async fn with_gap(gap: Gap, created: SystemTime) -> (Desired, Services, Snapshot) {
    let mut want = desired("name: flags\n");
    let tag = Gaps::default().with(gap).write().unwrap();
    want.stream.tags.insert(GAPS_TAG.to_owned(), tag);
    let (services, _) = pipeline(&want).await;
    let since_1970 = created.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    services.firehose.world(|world| world.created = i64::try_from(since_1970.as_secs()).unwrap());
    let (_, mut have) = pipeline(&want).await;
    let aws = services.aws(&[]);
    have.delivery_stream = want.delivery_stream.observe(&aws).await.unwrap();
    (want, services, have)
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Applies to a pipeline whose stream has this gap; gives the outcome, and the gaps that were written.
async fn gap_after(gap: Gap, created: SystemTime) -> (Applied, Option<Gaps>) {
    let (want, services, have) = with_gap(gap, created).await;
    let written = std::sync::Arc::new(Mutex::new(None));
    let writes = written.clone();
    let add = move |input: &AddTagsToStreamInput| {
        let tag = input.tags().and_then(|tags| tags.get(GAPS_TAG)).unwrap();
        *writes.lock().unwrap() = Some(Gaps::read(tag));
        AddTagsToStreamOutput::builder().build()
    };
    let rule = mock!(aws_sdk_kinesis::Client::add_tags_to_stream).then_compute_output(add);
    let applied = applied(&services.aws(&[rule]), &want, have).await;
    let gaps = written.lock().unwrap().clone();
    (applied, gaps)
}

#[tokio::test(start_paused = true)]
async fn an_open_gap_ends_when_the_delivery_stream_is_active_by_either_clock() {
    let from = at(1_700_000_000);
    let open = Gap { from, until: None };
    let started = SystemTime::now();
    let (applied, gaps) = gap_after(open, at(1_700_000_100)).await;
    assert!(applied.report.is_complete());
    let until = gaps.unwrap().iter().next().unwrap().until.unwrap();
    assert!(until >= started && until <= SystemTime::now() + Duration::from_secs(1));
    // This machine's clock is behind AWS's.
    let created = at(4_000_000_000);
    let (_, gaps) = gap_after(open, created).await;
    let gap = gaps.unwrap().iter().next().unwrap();
    assert!(gap.from == from && gap.until.unwrap() > created);
    let closed = Gap { from, until: Some(at(1_700_000_050)) };
    let (applied, gaps) = gap_after(closed, created).await;
    assert!(applied.report.is_complete() && gaps.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_cannot_be_written_is_a_failure_unless_the_user_interrupted() {
    let open = Gap { from: at(1_700_000_000), until: None };
    let (want, services, have) = with_gap(open, at(1_700_000_100)).await;
    let refuses = mock!(aws_sdk_kinesis::Client::add_tags_to_stream)
        .then_error(|| AddTagsToStreamError::generic(denied()));
    let aws = services.aws(&[refuses]);
    let id = &have.delivery_stream.as_ref().unwrap().id;
    let done = Done {
        created: crate::resources::delivery_stream::DeliveryStream::created(id),
        ..done(delivery_stream::KIND, "id", Action::Keep)
    };
    let report = applied(&aws, &want, have).await.report;
    assert_eq!(kinds(&report.failed), [stream::KIND]);
    aws.interrupt.cancel();
    let run = Run::new(&aws);
    Closing::of(&want).follow(&done, &run).await;
    assert!(run.take_report().is_complete());
}

fn done(kind: Kind, id: &str, action: Action) -> Done {
    Done { kind, name: "flags".to_owned(), id: id.to_owned(), action, created: None }
}

fn report_of(done: &[Done]) -> Report {
    Report { done: done.to_vec(), ..Report::default() }
}

#[test]
fn a_second_round_remembers_what_the_first_one_did_to_the_same_resource() {
    let first = report_of(&[
        done(stream::KIND, "a", Action::Create),
        done(bucket::KIND, "a", Action::Update),
        done(function::KIND, "a", Action::Replace),
        done(alarm::KIND, "gone", Action::Delete),
    ]);
    let mut second = report_of(&[
        done(stream::KIND, "a", Action::Keep),
        done(bucket::KIND, "a", Action::Adopt),
        done(function::KIND, "b", Action::Keep),
        done(stage::KIND, "a", Action::Keep),
    ]);
    second.remember(&first);
    let actions: Vec<_> = second.done.iter().map(|done| (done.kind, done.action)).collect();
    assert_eq!(
        actions,
        [
            (stream::KIND, Action::Create),
            (bucket::KIND, Action::Adopt),
            (function::KIND, Action::Keep),
            (stage::KIND, Action::Keep),
            (alarm::KIND, Action::Delete),
        ]
    );
}

#[test]
fn a_report_is_complete_without_failures_and_tells_what_was_lost() {
    let failed = |kind| {
        let error = AwsError::new("test:Call", kind, "why");
        vec![(stream::KIND, "flags".to_owned(), error)]
    };
    let of = |failed, not_started: Vec<_>| Report { done: Vec::new(), failed, not_started };
    let waiting = || vec![(stage::KIND, "prod".to_owned(), "why".to_owned())];
    let cases = [
        (of(Vec::new(), Vec::new()), true, false),
        (of(Vec::new(), waiting()), false, false),
        (of(failed(ErrorKind::Denied), Vec::new()), false, false),
        (of(failed(ErrorKind::NotFound), Vec::new()), false, true),
        (of(failed(ErrorKind::NotFound), waiting()), false, true),
    ];
    for (report, complete, lost) in cases {
        assert_eq!((report.is_complete(), report.lost_something()), (complete, lost), "{report:?}");
    }
}
