//! The control plane against an emulator by other people.

use std::collections::BTreeSet;

use aws_sdk_apigateway::types::{Op, PatchOperation};
use serde_json::json;

use crate::support::command::{Run, against, resource};
use crate::support::emulator::sdk;
use crate::support::inventory;
use crate::support::moto::Moto;

const SPEC: &str = include_str!("../../examples/all-keys.yaml");

#[tokio::test]
async fn up_status_and_down_work_on_moto() {
    let moto = Moto::start().await;
    let run =
        |arguments: &[&str]| -> Run { against(&moto.endpoint, SPEC, arguments).credentials("test", "test") };
    let config = sdk(&moto.endpoint).await;
    let empty = inventory::of(&config).await;
    let up = run(&["up", "--yes", "--output", "json"]).exits_with(0).json();
    let made = up["resources"].as_array().unwrap();
    assert_eq!(made.len(), 10, "{up}");
    assert!(made.iter().all(|it| it["action"] == "created"), "{up}");
    let status = run(&["status", "--output", "json"]).exits_with(0).json();
    assert_eq!(status["healthy"], true, "{status}");
    let again = run(&["up", "--output", "json"]).exits_with(0).json();
    let unchanged = again["resources"].as_array().unwrap();
    assert!(unchanged.iter().all(|it| it["action"] == "unchanged"), "{again}");
    run(&["down", "--yes", "--purge-data"]).exits_with(0);
    assert_eq!(inventory::of(&config).await, empty);
}

#[tokio::test]
async fn a_stream_changes_its_mode_in_place() {
    let moto = Moto::start().await;
    let kinesis = aws_sdk_kinesis::Client::new(&sdk(&moto.endpoint).await);
    let mut created = BTreeSet::new();
    for (mode, action) in [("provisioned", "created"), ("on_demand", "updated"), ("provisioned", "updated")] {
        let spec = format!("name: it-mode\nstream: {{mode: {mode}}}\n");
        let run = |arguments: &[&str]| against(&moto.endpoint, &spec, arguments).credentials("test", "test");
        let plan = run(&["plan"]).exits_with(0).stdout;
        assert!(action == "created" || plan.contains("mode"), "{plan}");
        let up = run(&["up", "--yes", "--output", "json"]).exits_with(0).json();
        assert_eq!(resource(&up, "stream")["action"], action, "{up}");
        run(&["plan", "--check"]).exits_with(0);
        let call = kinesis.describe_stream_summary().stream_name("it-mode");
        let stream = call.send().await.unwrap().stream_description_summary.unwrap();
        let have = stream.stream_mode_details().unwrap().stream_mode().as_str();
        assert_eq!(have.to_lowercase(), mode);
        created.insert(stream.stream_creation_timestamp().to_string());
    }
    assert_eq!(created.len(), 1, "{created:?}");
}

#[tokio::test]
async fn an_api_that_reads_gzip_as_text_and_is_made_global_is_repaired() {
    let moto = Moto::start().await;
    let run = |arguments: &[&str]| {
        against(&moto.endpoint, "name: it-media\n", arguments).credentials("test", "test")
    };
    run(&["up"]).exits_with(0);
    let apigateway = aws_sdk_apigateway::Client::new(&sdk(&moto.endpoint).await);
    let apis = apigateway.get_rest_apis().send().await.unwrap();
    let operation =
        |op, path: &str, value: &str| PatchOperation::builder().op(op).path(path).value(value).build();
    let call = apigateway.update_rest_api().rest_api_id(apis.items()[0].id().unwrap());
    let call = call
        .patch_operations(operation(Op::Remove, "/binaryMediaTypes/*~1*", "*/*"))
        .patch_operations(operation(Op::Replace, "/endpointConfiguration/types/REGIONAL", "EDGE"));
    call.send().await.unwrap();
    let status = run(&["status", "--output", "json"]).exits_with(3).json();
    let drift = json!([
        {"path": "binary_media_types", "have": [], "want": ["*/*"]},
        {"path": "endpoint", "have": "EDGE", "want": "REGIONAL"},
    ]);
    assert_eq!(resource(&status, "rest_api")["drift"], drift);
    run(&["up"]).exits_with(0);
    run(&["status"]).exits_with(0);
}
