//! Unit tests of since when impressions may be undelivered.

use aws_sdk_cloudwatch::operation::get_metric_data::{GetMetricDataError, GetMetricDataOutput};
use aws_sdk_cloudwatch::types::MetricDataResult;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

/// What the services tell about a delivery stream.
struct ReceivedWorld {
    /// When it wrote its newest object, and after how many seconds it reads a record.
    newest: Option<SystemTime>,
    lag_seconds: f64,
    metrics: Option<&'static str>,
    /// The prefixes that were looked into.
    prefixes: Arc<Mutex<Vec<String>>>,
}

impl ReceivedWorld {
    fn with(newest: Option<SystemTime>) -> Self {
        Self { newest, lag_seconds: 600.0, metrics: None, prefixes: Arc::default() }
    }

    fn aws(&self) -> Aws {
        let (newest, prefixes, lag) = (self.newest, self.prefixes.clone(), self.lag_seconds);
        let list = mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
            let prefix = input.prefix().unwrap();
            prefixes.lock().unwrap().push(prefix.to_owned());
            let object = |at| {
                let key = format!("{prefix}flags-1-2027-01-15-08-00-00-0a1b");
                Object::builder().key(key).last_modified(DateTime::from(at)).build()
            };
            let objects = newest.map(object).into_iter().collect();
            ListObjectsV2Output::builder().set_contents(Some(objects)).build()
        });
        let metrics = if let Some(code) = self.metrics {
            let error = move || GetMetricDataError::generic(ErrorMetadata::builder().code(code).build());
            mock!(aws_sdk_cloudwatch::Client::get_metric_data).then_error(error)
        } else {
            mock!(aws_sdk_cloudwatch::Client::get_metric_data).then_output(move || {
                let freshness = MetricDataResult::builder().id("freshness").values(lag);
                GetMetricDataOutput::builder().metric_data_results(freshness.build()).build()
            })
        };
        every_service(&[&list, &metrics])
    }
}

/// A pipeline whose stream was created two hours ago, and that moment.
async fn two_hours_old(want: &Desired) -> (Snapshot, SystemTime) {
    let (_, mut have) = pipeline(want).await;
    // Whole seconds, as S3 and the tag have them.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let created = SystemTime::UNIX_EPOCH + Duration::from_secs(now) - Duration::from_hours(2);
    have.stream.as_mut().unwrap().state.created = Some(created);
    (have, created)
}

fn open_from(from: SystemTime) -> Gaps {
    Gaps::default().with(Gap { from, until: None })
}

/// How long before its newest object a delivery stream may have read, at a lag of 600 seconds and with this buffer.
fn unproven_before(buffer: u64) -> Duration {
    Duration::from_secs(600 + buffer) + DELIVERY_SLACK
}

#[tokio::test]
async fn a_missing_delivery_stream_leaves_a_gap_since_its_newest_object() {
    let want = desired(SPEC);
    let (mut have, created) = two_hours_old(&want).await;
    let written = created + Duration::from_hours(1);
    let found = async |world: &ReceivedWorld, have: &Snapshot| gaps(&world.aws(), &want, have).await;
    let gaps_found = async |world: &ReceivedWorld, have: &Snapshot| found(world, have).await.unwrap().gaps;
    let world = ReceivedWorld::with(Some(written));

    // It reads.
    assert_eq!(gaps_found(&world, &have).await, Gaps::default());
    have.delivery_stream = None;
    let since = open_from(written - unproven_before(300));
    let known = found(&world, &have).await.unwrap();
    assert_eq!((known.gaps, known.retention), (since, Duration::from_hours(24)));
    let want_prefix = "impressions/dt=";
    assert!(world.prefixes.lock().unwrap().iter().all(|it| it.starts_with(want_prefix)));

    // Without its objects, or the right to look at its lag, nothing is known to be delivered.
    let empty = ReceivedWorld::with(None);
    assert_eq!(gaps_found(&empty, &have).await, open_from(created));
    let denied =
        ReceivedWorld { metrics: Some("AccessDeniedException"), ..ReceivedWorld::with(Some(written)) };
    assert_eq!(gaps_found(&denied, &have).await, open_from(created));
    let invalid =
        ReceivedWorld { metrics: Some("ValidationException"), ..ReceivedWorld::with(Some(written)) };
    assert!(found(&invalid, &have).await.is_err());

    // A webhook that was never open received nothing, unless something was delivered.
    let stage = have.stage.take();
    assert_eq!(gaps_found(&empty, &have).await, Gaps::default());
    assert!(gaps_found(&world, &have).await.is_open());
    have.stage = stage;

    // A gap that is open already is not looked for again.
    let open = open_from(created + Duration::from_secs(7));
    let stream = have.stream.as_mut().unwrap();
    stream.tags.insert(GAPS_TAG.to_owned(), open.write().unwrap());
    assert_eq!(gaps_found(&world, &have).await, open);
    have.stream = None;
    let none = found(&world, &have).await.unwrap();
    assert!(none.gaps.is_empty() && none.retention.is_zero());
}

#[tokio::test]
async fn a_delivery_stream_that_is_replaced_leaves_a_gap_by_its_own_buffer_and_prefix() {
    let want = desired(SPEC);
    let (mut have, created) = two_hours_old(&want).await;
    let written = created + Duration::from_hours(1);
    // It may buffer longer, and deliver elsewhere, than it should.
    let mut delivery = have.delivery_stream.take().unwrap();
    delivery.state.buffer_seconds = 900;
    delivery.state.prefix = "old/".to_owned();
    let source = delivery.state.source.clone();
    for (phase, source) in [
        (Phase::Failed("why".to_owned()), source.as_str()),
        (Phase::Deleting, &source),
        (Phase::Ready, "another"),
    ] {
        delivery.phase = phase;
        source.clone_into(&mut delivery.state.source);
        have.delivery_stream = Some(delivery);
        let world = ReceivedWorld::with(Some(written));
        let found = gaps(&world.aws(), &want, &have).await.unwrap().gaps;
        assert_eq!(found, open_from(written - unproven_before(900)));
        assert!(world.prefixes.lock().unwrap().iter().all(|it| it.starts_with("old/")));
        delivery = have.delivery_stream.take().unwrap();
    }
}

#[tokio::test]
async fn what_a_stream_holds_is_unproven_since_the_newest_object_or_the_open_gap() {
    let want = desired(SPEC);
    let (mut have, created) = two_hours_old(&want).await;
    let written = created + Duration::from_hours(1);
    let world = ReceivedWorld::with(Some(written));
    let found = async |have: &Snapshot| unproven(&world.aws(), &want, have).await.unwrap();

    let ready = found(&have).await.unwrap();
    assert_eq!(ready.since, written - unproven_before(300));
    assert_eq!(ready.prefix, want.delivery_stream.state.prefix);
    let within = Duration::from_mins(5) + DELIVERY_SLACK;
    assert_eq!((ready.delivers_within, ready.gaps), (Some(within), Gaps::default()));

    let mut delivery = have.delivery_stream.take().unwrap();
    let open = open_from(created + Duration::from_secs(7));
    let stream = have.stream.as_mut().unwrap();
    stream.tags.insert(GAPS_TAG.to_owned(), open.write().unwrap());
    let missing = found(&have).await.unwrap();
    assert_eq!(missing.since, created + Duration::from_secs(7));
    assert_eq!((missing.delivers_within, missing.gaps), (None, open));
    let late = open_from(written);
    let stream = have.stream.as_mut().unwrap();
    stream.tags.insert(GAPS_TAG.to_owned(), late.write().unwrap());
    assert_eq!(found(&have).await.unwrap().since, written - unproven_before(300));

    // One that is not active, or not this pipeline's, delivers nothing that can be waited for.
    delivery.phase = Phase::Pending("CREATING".to_owned());
    have.delivery_stream = Some(delivery);
    assert_eq!(found(&have).await.unwrap().delivers_within, None);
    let delivery = have.delivery_stream.as_mut().unwrap();
    (delivery.phase, delivery.tags) = (Phase::Ready, Tags::new());
    assert_eq!(found(&have).await.unwrap().delivers_within, None);

    have.stream.as_mut().unwrap().tags.clear();
    assert!(found(&have).await.is_none());
    have.stream = None;
    assert!(found(&have).await.is_none());
}

#[tokio::test]
async fn a_bucket_that_may_not_be_looked_at_proves_nothing_and_one_that_is_gone_has_no_object() {
    let want = desired(SPEC);
    let newest = async |code: &'static str| {
        let denied = move || ErrorMetadata::builder().code(code).build();
        let list = mock!(aws_sdk_s3::Client::list_objects_v2)
            .then_error(move || ListObjectsV2Error::generic(denied()));
        newest_delivered(&every_service(&[&list]), &want, "i/", at(0), at(100)).await
    };
    assert_eq!(newest("AccessDenied").await.unwrap(), Newest::Unknown);
    assert_eq!(newest("NoSuchBucket").await.unwrap(), Newest::None);
    assert!(newest("Weird").await.is_err());
}
