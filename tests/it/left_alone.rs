//! What somebody adds that may well be meant: `status` names it, and `up` leaves it alone.

use aws_config::SdkConfig;
use aws_sdk_apigateway::types::{Op, PatchOperation};
use aws_sdk_cloudwatchlogs::types::MetricTransformation;
use aws_sdk_s3::types::{
    BucketLoggingStatus, EventBridgeConfiguration, LoggingEnabled, NotificationConfiguration,
};
use serde_json::{Value, json};

use crate::support::command::resource;
use crate::support::emulator::Emulator;
use crate::support::proxy::Proxy;

const NAME: &str = "it-added";
const SPEC: &str = "name: it-added\n";
const WEB_ACL: &str = "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/theirs/1";

const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/it-added";

async fn add(config: &SdkConfig) {
    let lambda = aws_sdk_lambda::Client::new(config);
    let call = lambda.publish_version().function_name(NAME);
    call.send().await.unwrap();
    let call = lambda.create_alias().function_name(NAME).name("live");
    call.function_version("1").send().await.unwrap();

    let kinesis = aws_sdk_kinesis::Client::new(config);
    let call = kinesis.register_stream_consumer().stream_arn(STREAM);
    call.consumer_name("tap").send().await.unwrap();

    let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let bus = NotificationConfiguration::builder()
        .event_bridge_configuration(EventBridgeConfiguration::builder().build());
    let call = s3.put_bucket_notification_configuration();
    let call = call.bucket("it-added-000000000000-us-east-1");
    call.notification_configuration(bus.build()).send().await.unwrap();

    let log = LoggingEnabled::builder().target_bucket("somebodys").target_prefix("");
    let log = BucketLoggingStatus::builder().logging_enabled(log.build().unwrap());
    let call = s3.put_bucket_logging().bucket("it-added-000000000000-us-east-1");
    call.bucket_logging_status(log.build()).send().await.unwrap();

    let logs = aws_sdk_cloudwatchlogs::Client::new(config);
    let metric = MetricTransformation::builder().metric_name("m").metric_namespace("n").metric_value("1");
    let call = logs.put_metric_filter().log_group_name("/aws/lambda/it-added");
    let call = call.filter_name("f").filter_pattern("");
    call.metric_transformations(metric.build().unwrap()).send().await.unwrap();

    let call = logs.put_subscription_filter().log_group_name("/aws/lambda/it-added");
    let call = call.filter_name("all").filter_pattern("");
    let theirs = "arn:aws:logs:us-east-1:111111111111:destination:theirs";
    call.destination_arn(theirs).send().await.unwrap();

    let apigateway = aws_sdk_apigateway::Client::new(config);
    let apis = apigateway.get_rest_apis().send().await.unwrap();
    let operation = PatchOperation::builder().op(Op::Replace).path("/webAclArn");
    let call = apigateway.update_stage().stage_name("prod");
    let call = call.rest_api_id(apis.items()[0].id().unwrap());
    call.patch_operations(operation.value(WEB_ACL).build()).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_may_be_meant_is_named_and_stays() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.local(SPEC, ["up"]).exits_with(0);
    let before = proxy.local(SPEC, ["status", "--output", "json"]).exits_with(0).json();
    let resources = before["resources"].as_array().unwrap();
    assert!(resources.iter().all(|it| it["left_alone"].is_null()), "{before}");

    add(&emulator.sdk().await).await;
    let status = proxy.local(SPEC, ["status", "--output", "json"]).exits_with(0).json();
    let published =
        "aliases or versions exist (live, 1), whose permissions and provisioned concurrency nobody compares";
    let web_acl = format!("the web ACL {WEB_ACL} inspects its requests, and may log their secret path");
    let consumers = format!(
        "registered consumers that read every record (enhanced fan-out): 1; `aws kinesis list-stream-consumers --stream-arn \
         {STREAM}` names them"
    );
    for (kind, named) in [
        ("stream", vec![consumers.as_str()]),
        (
            "bucket",
            vec![
                "events name its objects to EventBridge",
                "a log of requests names its objects in somebodys",
            ],
        ),
        (
            "function_log_group",
            vec![
                "metric filters that make metrics of its lines, billed each: 1",
                "the subscription filter all sends its lines elsewhere",
            ],
        ),
        ("function", vec![published]),
        ("stage", vec![web_acl.as_str()]),
    ] {
        let found = resource(&status, kind);
        assert_eq!(found["state"], "ok", "{found}");
        assert_eq!(found["left_alone"], json!(named), "{found}");
        let problems = status["problems"].as_array().unwrap();
        for what in named {
            let is_it = |it: &&Value| it["message"].as_str().unwrap().ends_with(what);
            let problem = problems.iter().find(is_it).unwrap();
            assert_eq!(problem["serious"], false, "{problem}");
        }
    }

    proxy.take_calls();
    proxy.local(SPEC, ["up"]).exits_with(0);
    assert_eq!(proxy.take_changes(), [""; 0]);
}
