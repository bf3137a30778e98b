//! Unit tests of the delivery stream's calls, and of what is asked about it.

use aws_sdk_firehose::types::{
    CloudWatchLoggingOptions, DeliveryStreamFailureType, ExtendedS3DestinationDescription, Processor,
    ProcessorType,
};

use super::testing::Firehose;
use super::*;
use crate::aws::testing::every_service;
use crate::resource::Target;
use crate::resources::delivery_stream;
use crate::resources::testing::wanted;

mod exposure;

fn want(delivery: &str) -> Target<DeliveryStream> {
    wanted(&format!("name: flags\ndelivery: {delivery}\n"), delivery_stream::want)
}

fn json(state: &State) -> serde_json::Value {
    serde_json::to_value(state).unwrap()
}

fn aws(firehose: &Firehose) -> Aws {
    every_service(&firehose.rules().iter().collect::<Vec<_>>())
}

async fn observed(want: &Target<DeliveryStream>, aws: &Aws) -> Observed<DeliveryStream> {
    want.observe(aws).await.unwrap().unwrap()
}

const SPECS: [&str; 4] = [
    "{}",
    "{compression: none, buffer_mib: 1, buffer_seconds: 0, prefix: a/, error_prefix: 'b/!{firehose:error-output-type}/'}",
    "{bucket: my-own, existing_bucket: true, compression: zip}",
    "{format: parquet, prefix: p/}",
];

#[tokio::test(start_paused = true)]
async fn a_new_delivery_stream_is_active_and_as_it_should_be() {
    for text in SPECS {
        let (firehose, want) = (Firehose::default(), want(text));
        let aws = aws(&firehose);
        assert!(want.observe(&aws).await.unwrap().is_none());
        let step = Step::new(&aws, delivery_stream::KIND, &want.name);
        let made = want.create(&step).await.unwrap();
        assert_eq!((made.phase, json(&made.state)), (Phase::Ready, json(&want.state)));
        let found = observed(&want, &aws).await;
        assert_eq!((json(&found.state), &found.tags), (json(&want.state), &want.tags));
        assert_eq!(found.id.to_string(), want.arn);
        assert_eq!(found.id.knows_a_table(), text.contains("parquet"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_gets_from_any_destination_to_any_other() {
    for from in SPECS {
        for to in SPECS {
            let (firehose, want) = (Firehose::with(&want(from)), want(to));
            let aws = aws(&firehose);
            let step = Step::new(&aws, delivery_stream::KIND, &want.name);
            let have = observed(&want, &aws).await;
            want.update(have, &step).await.unwrap();
            let found = observed(&want, &aws).await;
            assert_eq!(json(&found.state), json(&want.state), "{from} to {to}");
            let updates: &[&str] = if from == to { &[] } else { &["update"] };
            assert_eq!(firehose.world(|world| world.done.clone()), updates);
            // Firehose keeps the table in mind by which it converted.
            let parquet = from.contains("parquet") || to.contains("parquet");
            assert_eq!(found.id.knows_a_table(), parquet, "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn tags_alone_are_no_reason_to_update_the_destination() {
    let want = want("{}");
    let firehose = Firehose::with(&want);
    let aws = aws(&firehose);
    firehose.world(|world| {
        world.tags.clear();
        world.tags.insert("owner".to_owned(), "somebody".to_owned());
    });
    let step = Step::new(&aws, delivery_stream::KIND, &want.name);
    let have = observed(&want, &aws).await;
    want.update(have, &step).await.unwrap();
    let (tags, done) = firehose.world(|world| (world.tags.clone(), world.done.clone()));
    assert_eq!((tags, done), (want.tags, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_stream_is_deleted_once_firehose_is_done_with_it_and_gone_afterwards() {
    let want = want("{}");
    let firehose = Firehose::with(&want);
    let aws = aws(&firehose);
    firehose.world(|world| world.next = vec![DeliveryStreamStatus::Creating; 3]);
    let step = Step::new(&aws, delivery_stream::KIND, &want.name);
    let id = observed(&want, &aws).await.id;
    want.delete(&id, &step).await.unwrap();
    let (gone, done) = firehose.world(|world| (world.stream.is_none(), world.done.clone()));
    assert_eq!((gone, done), (true, vec!["delete"]));
}

#[tokio::test]
async fn a_look_tells_the_phase_and_why_it_failed() {
    let want = want("{}");
    let firehose = Firehose::with(&want);
    let aws = aws(&firehose);
    let why = "the role cannot be assumed";
    let failed = |why: &str| Phase::Failed(why.to_owned());
    let unsaid = "Firehose could not create it, and does not say why";
    for (status, said, phase) in [
        (DeliveryStreamStatus::Active, None, Phase::Ready),
        (DeliveryStreamStatus::Creating, None, Phase::Pending("CREATING".to_owned())),
        (DeliveryStreamStatus::CreatingFailed, Some(why), failed(why)),
        (DeliveryStreamStatus::DeletingFailed, None, failed(unsaid)),
        (DeliveryStreamStatus::Deleting, None, Phase::Deleting),
    ] {
        firehose.world(|world| {
            world.next = vec![status];
            let kind = DeliveryStreamFailureType::UnknownError;
            let failure = |why| FailureDescription::builder().r#type(kind).details(why).build();
            world.failure = said.map(|why| failure(why).unwrap());
        });
        let described = want.describe(&aws).await.unwrap().unwrap();
        assert_eq!(described.phase, phase);
    }
}

/// What a look finds after somebody changed the destination.
async fn found_after(change: impl FnOnce(&mut ExtendedS3DestinationDescription)) -> State {
    let want = want("{}");
    let firehose = Firehose::with(&want);
    firehose.world(|world| change(&mut world.stream.as_mut().unwrap().s3));
    observed(&want, &aws(&firehose)).await.state
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let processing = |enabled| {
        let processor = Processor::builder().r#type(ProcessorType::Lambda).build();
        let processing = ProcessingConfiguration::builder().enabled(enabled);
        Some(processing.processors(processor.unwrap()).build())
    };
    let state = found_after(|s3| s3.processing_configuration = processing(true)).await;
    assert_eq!(state.processors, ["Lambda"]);
    let state = found_after(|s3| s3.processing_configuration = processing(false)).await;
    assert_eq!(state.processors, [""; 0]);
    let log = |enabled| {
        let options = CloudWatchLoggingOptions::builder().enabled(enabled);
        Some(options.log_group_name("g").log_stream_name("s").build())
    };
    let state = found_after(|s3| s3.cloud_watch_logging_options = log(true)).await;
    assert_eq!(state.error_log, Some(("g".to_owned(), "s".to_owned())));
    let state = found_after(|s3| s3.cloud_watch_logging_options = log(false)).await;
    assert_eq!(state.error_log, None);
    let parquet = || want("{format: parquet, prefix: p/}").state.conversion.unwrap();
    let state =
        found_after(|s3| s3.data_format_conversion_configuration = Some(parquet().configuration())).await;
    assert_eq!(state.conversion, Some(parquet()));
    let off = || {
        let mut configuration = parquet().configuration();
        configuration.enabled = Some(false);
        Some(configuration)
    };
    let state = found_after(|s3| s3.data_format_conversion_configuration = off()).await;
    assert_eq!(state.conversion, None);
}

#[tokio::test]
async fn only_an_emulator_may_leave_out_the_extension() {
    let want = want("{}");
    let firehose = Firehose::with(&want);
    firehose.world(|world| world.stream.as_mut().unwrap().s3.file_extension = None);
    let mut aws = aws(&firehose);
    assert_eq!(observed(&want, &aws).await.state.file_extension, None);
    aws.endpoint = Some("http://127.0.0.1:4566".to_owned());
    assert_eq!(observed(&want, &aws).await.state.file_extension, want.state.file_extension);
}

#[test]
fn a_destination_that_moves_or_mixes_formats_is_asked_about() {
    let moves = "delivery stream flags: delivers to arn:aws:s3:::other from now on; arn:aws:s3:::flags-123456789012-us-east-1 \
                 stays with what is in it, and `down` will not know it";
    let mixes = |after: &str, before: &str| {
        format!(
            "delivery stream flags: delivers {after} from now on, to where there is {before}, and no table can read both: \
             another `delivery.prefix` keeps them apart"
        )
    };
    let cases = [
        ("{}", "{}", String::new()),
        ("{}", "{buffer_seconds: 1}", String::new()),
        ("{}", "{bucket: other}", moves.to_owned()),
        ("{prefix: p/}", "{prefix: p/, format: parquet}", mixes("Parquet", "JSON")),
        ("{prefix: p/, format: parquet}", "{prefix: p/}", mixes("JSON", "Parquet")),
        ("{prefix: p/, format: parquet}", "{prefix: q/}", String::new()),
        ("{prefix: p/, format: parquet}", "{prefix: q/, format: parquet}", String::new()),
    ];
    for (from, to, caution) in cases {
        let caution = (!caution.is_empty()).then_some(caution);
        assert_eq!(want(to).caution(&want(from).state), caution, "{from} to {to}");
    }
}

#[test]
fn only_another_source_needs_a_new_delivery_stream() {
    let want = want("{}");
    let state = || want.state.clone();
    let source = State { source: "other".to_owned(), ..state() };
    let role = State { source_role: "other".to_owned(), ..state() };
    let destination = State { bucket: "other".to_owned(), role: "other".to_owned(), ..state() };
    let replaces = |have| matches!(want.replacement(have), Some(Replacement::Recreate(_)));
    assert!(replaces(&source) && replaces(&role));
    assert!(!replaces(&destination) && !replaces(&state()));
}
