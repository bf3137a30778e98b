//! What is somebody else's: `up` and `down` change nothing of it, and `--adopt` takes over what fits.

use aws_config::SdkConfig;
use aws_sdk_firehose::types::{DeliveryStreamType, ExtendedS3DestinationConfiguration};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, PackageType, Runtime};
use aws_sdk_s3::types::CreateBucketConfiguration;

use crate::support::archive::zip_of;
use crate::support::command::resource;
use crate::support::emulator::Emulator;
use crate::support::proxy::Proxy;

const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"Service": "lambda.amazonaws.com"}}]}"#;

const ROLE: &str = "arn:aws:iam::000000000000:role/somebodys";

/// What becomes of it with `--adopt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adopting {
    /// It is tagged and changed.
    Fits,
    /// It would have to be replaced.
    Refused,
}
use Adopting::{Fits, Refused};

/// A resource of the right name, and nothing else of the pipeline.
const FOREIGN: [(&str, &str, Adopting); 9] = [
    ("bucket", "bucket", Fits),
    ("stream", "stream", Fits),
    ("delivery_role", "delivery role", Fits),
    ("function_role", "function role", Fits),
    ("delivery_log_group", "delivery log group", Fits),
    ("function_log_group", "function log group", Fits),
    ("function", "function", Fits),
    ("function", "image", Refused),
    ("delivery_stream", "delivery stream", Refused),
];

/// Somebody makes one for themselves, tagged as theirs; but for the stream, which has no tags at all.
async fn make(what: &str, name: &str, config: &SdkConfig) {
    match what {
        "bucket" => {
            let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
            let s3 = aws_sdk_s3::Client::from_conf(config.build());
            let bucket = format!("{name}-000000000000-us-east-1");
            let tag = aws_sdk_s3::types::Tag::builder().key("owner").value("somebody");
            let tags = CreateBucketConfiguration::builder().tags(tag.build().unwrap());
            let call = s3.create_bucket().bucket(bucket);
            let call = call.create_bucket_configuration(tags.build());
            call.send().await.unwrap();
        }
        "stream" => {
            let call = aws_sdk_kinesis::Client::new(config).create_stream();
            call.stream_name(name).shard_count(1).send().await.unwrap();
        }
        "delivery role" | "function role" => {
            let whose = if what == "delivery role" { "delivery" } else { "handler" };
            let call = aws_sdk_iam::Client::new(config).create_role();
            let call = call.role_name(format!("{name}-{whose}-us-east-1"));
            let tag = aws_sdk_iam::types::Tag::builder().key("owner").value("somebody");
            let call = call.tags(tag.build().unwrap());
            call.assume_role_policy_document(TRUST).send().await.unwrap();
        }
        "delivery log group" | "function log group" => {
            let whose = if what == "delivery log group" { "kinesisfirehose" } else { "lambda" };
            let call = aws_sdk_cloudwatchlogs::Client::new(config).create_log_group();
            let call = call.log_group_name(format!("/aws/{whose}/{name}"));
            call.tags("owner", "somebody").send().await.unwrap();
        }
        "function" | "image" => make_function(what, name, config).await,
        "delivery stream" => make_delivery_stream(name, config).await,
        other => panic!("nobody makes a {other}"),
    }
}

async fn make_function(what: &str, name: &str, config: &SdkConfig) {
    let call = aws_sdk_lambda::Client::new(config).create_function();
    let call = call.function_name(name).role(ROLE).tags("owner", "somebody");
    let call = if what == "function" {
        let code = FunctionCode::builder().zip_file(Blob::new(zip_of(b"#!/bin/sh\n")));
        call.runtime(Runtime::Python312).handler("a.b").code(code.build())
    } else {
        let image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/somebodys:latest";
        let code = FunctionCode::builder().image_uri(image);
        call.package_type(PackageType::Image).code(code.build())
    };
    call.send().await.unwrap();
}

async fn make_delivery_stream(name: &str, config: &SdkConfig) {
    let destination =
        ExtendedS3DestinationConfiguration::builder().bucket_arn("arn:aws:s3:::somebodys").role_arn(ROLE);
    let call = aws_sdk_firehose::Client::new(config).create_delivery_stream();
    let call = call.delivery_stream_name(name).delivery_stream_type(DeliveryStreamType::DirectPut);
    let call = call.extended_s3_destination_configuration(destination.build().unwrap());
    let tag = aws_sdk_firehose::types::Tag::builder().key("owner").value("somebody");
    call.tags(tag.build().unwrap()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_of_anybody_elses_is_changed_and_what_fits_is_adopted() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let proxy = Proxy::start(emulator.port).await;
    let role = aws_sdk_iam::Client::new(&config).create_role().role_name("somebodys");
    role.assume_role_policy_document(TRUST).send().await.unwrap();
    for (index, (kind, what, adopting)) in FOREIGN.into_iter().enumerate() {
        let name = format!("it-foreign-{index}");
        let spec = format!("name: {name}\n");
        let run = |arguments: &[&'static str]| proxy.local(&spec, arguments.iter().copied());
        make(what, &name, &config).await;

        let status = run(&["status", "--output", "json"]).exits_with(3).json();
        assert_eq!(resource(&status, kind)["state"], "foreign", "{what}: {status}");
        run(&["up", "--yes"]).exits_with(1).says("--adopt").says(kind);
        let down = ["down", "--yes", "--purge-data", "--output", "json"];
        let down = run(&down).exits_with(0).json();
        assert_eq!(down["deleted"], serde_json::json!([]), "{what}");
        assert_eq!(down["kept"][0]["kind"], kind, "{what}: {down}");
        assert_eq!(proxy.take_changes(), [""; 0], "{what}");

        let adopt = run(&["up", "--adopt", "--yes", "--output", "json"]);
        if adopting == Refused {
            adopt.exits_with(1).says("adopting it would need a replacement");
            assert_eq!(proxy.take_changes(), [""; 0], "{what}");
            continue;
        }
        let up = adopt.exits_with(0).json();
        assert_eq!(resource(&up, kind)["action"], "adopted", "{what}: {up}");
        run(&["status"]).exits_with(0);
        run(&["down", "--yes", "--purge-data"]).exits_with(0);
        proxy.take_calls();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_api_of_the_same_name_is_left_alone() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let apigateway = aws_sdk_apigateway::Client::new(&emulator.sdk().await);
    let theirs = apigateway.create_rest_api().name("it-foreign").send().await.unwrap();
    let theirs = theirs.id().unwrap();
    // Names of REST APIs are not unique: ours is made beside it.
    for command in [&["up", "--adopt", "--yes"][..], &["down", "--yes", "--purge-data"]] {
        let spec = "name: it-foreign\n";
        proxy.local(spec, command.iter().copied()).exits_with(0);
        let changes = proxy.take_changes();
        assert!(!changes.iter().any(|call| call.contains(theirs)), "{changes:#?}");
    }
    let left = apigateway.get_rest_apis().send().await.unwrap();
    let left: Vec<_> = left.items().iter().filter_map(|api| api.id()).collect();
    assert_eq!(left, [theirs]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stage_that_lost_its_tags_is_not_ours_until_it_is_adopted() {
    const SPEC: &str = "name: it-foreign\n";
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    let run = |arguments: &[&'static str]| proxy.local(SPEC, arguments.iter().copied());
    run(&["up"]).exits_with(0);
    let apigateway = aws_sdk_apigateway::Client::new(&emulator.sdk().await);
    let apis = apigateway.get_rest_apis().send().await.unwrap();
    let api = apis.items()[0].id().unwrap();
    let tag = apigateway.tag_resource().tags("split-pipeline", "somebody");
    let arn = format!("arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod");
    tag.resource_arn(arn).send().await.unwrap();
    proxy.take_calls();

    run(&["up", "--yes"]).exits_with(1).says("--adopt").says("stage");
    assert_eq!(proxy.take_changes(), [""; 0]);
    let up = run(&["up", "--adopt", "--output", "json"]).exits_with(0).json();
    assert_eq!(resource(&up, "stage")["action"], "adopted");
    assert_eq!(proxy.take_changes().len(), 1);
    run(&["plan", "--check"]).exits_with(0);
}
