//! Delivery as Parquet: what is sent is in rows, whatever else comes with it; there and back again; and the table belongs to
//! the pipeline as long as that is there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_glue::types::{DatabaseInput, TableInput};
use aws_sdk_kinesis::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use split_pipeline::rows::{self, Cell, Row};

use crate::support::command::resource;
use crate::support::emulator::{ACCOUNT, Emulator};
use crate::support::inventory;
use crate::support::objects;

const SPEC: &str = "name: it-parquet\ndelivery: {format: parquet, buffer_seconds: 0}\n";

/// Longer than any delivery of an emulator takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn bucket() -> String {
    format!("it-parquet-{ACCOUNT}-us-east-1")
}

async fn post(url: &str, impressions: &[Value]) -> Value {
    let post = reqwest::Client::new().post(url.trim());
    let answer = post.body(json!(impressions).to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// The rows of the Parquet objects below a prefix, once there are as many.
pub(crate) async fn delivered(config: &SdkConfig, bucket: &str, prefix: &str, count: usize) -> Vec<Row> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut found = Vec::new();
        for key in objects::keys(config, bucket, prefix).await {
            assert!(key.ends_with(".parquet"), "{key}");
            let object = objects::bytes(config, bucket, &key).await;
            found.extend(rows::read(&object).unwrap());
        }
        if found.len() >= count || Instant::now() > deadline {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn keys(rows: &[Row]) -> BTreeSet<String> {
    let keys = rows.iter().map(|row| match &row["key"] {
        Cell::Text(key) => key.clone(),
        Cell::Number(key) => panic!("{key}"),
    });
    keys.collect()
}

#[tokio::test]
async fn what_cannot_be_converted_is_kept_apart_and_takes_nothing_with_it() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let good = |index: usize| json!({"key": format!("k{index}"), "split": "s", "time": index, "splitVersionNumber": 1_716_400_000_000_u64});
    let mut batch: Vec<_> = (0..100).map(good).collect();
    batch.insert(40, json!({"key": "bad", "split": "s", "time": "noon"}));
    batch.push(json!({"key": "odd", "split": "s", "TIME": null, "treatment": {"a": [1, 2]}, "label": 1.50, "more": true}));
    let answer = post(&url, &batch).await;
    assert_eq!(answer["delivered"], 102, "{answer}");

    let rows = delivered(&config, &bucket(), "impressions/", 101).await;
    let want: BTreeSet<_> = (0..100).map(|index| format!("k{index}")).chain(["odd".to_owned()]).collect();
    assert_eq!((keys(&rows), rows.len()), (want, 101));
    let row = rows.iter().find(|row| row["key"] == Cell::Text("k7".to_owned()));
    let cells = [
        ("key", Cell::Text("k7".to_owned())),
        ("split", Cell::Text("s".to_owned())),
        ("splitversionnumber", Cell::Text("1716400000000".to_owned())),
        ("time", Cell::Number(7)),
    ];
    assert_eq!(row, Some(&cells.map(|(name, cell)| (name.to_owned(), cell)).into()));

    let failed = objects::keys(&config, &bucket(), "errors/format-conversion-failed/").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    let failed: Value =
        serde_json::from_slice(&objects::bytes(&config, &bucket(), &failed[0]).await).unwrap();
    let bad = STANDARD.encode("{\"key\":\"bad\",\"split\":\"s\",\"time\":\"noon\"}\n");
    assert_eq!(failed["rawData"], bad, "{failed}");
}

#[tokio::test]
async fn the_format_changes_there_and_back_and_nothing_is_left() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let before = inventory::of(&config).await;
    let json = "name: it-parquet\ndelivery: {buffer_mib: 64, buffer_seconds: 0}\n";
    emulator.local(json, ["up"]).exits_with(0);
    emulator.local(json, ["smoke", "--count", "50"]).exits_with(0);

    // Where there is JSON already, nobody gets Parquet without being asked.
    let refused = emulator.local(SPEC, ["up"]).exits_with(2);
    refused.says("delivers Parquet from now on, to where there is JSON").says("another `delivery.prefix`");
    let moved = |format: &str, prefix: &str| {
        format!("name: it-parquet\ndelivery: {{format: {format}, prefix: {prefix}, buffer_seconds: 0}}\n")
    };
    let parquet = moved("parquet", "rows/");
    let up = emulator.local(&parquet, ["up", "--yes", "--output", "json"]).exits_with(0);
    let up = up.json();
    for (kind, action) in [
        ("database", "created"),
        ("table", "created"),
        ("delivery_stream", "updated"),
        ("function", "updated"),
    ] {
        assert_eq!(resource(&up, kind)["action"], action, "{kind}: {up}");
    }
    emulator.local(&parquet, ["plan", "--check"]).exits_with(0);
    emulator.local(&parquet, ["smoke", "--count", "50"]).exits_with(0);
    assert_eq!(delivered(&config, &bucket(), "rows/", 50).await.len(), 50);

    // Back again, the table stays for what it has, and `down` knows it.
    let json = moved("json", "lines/");
    emulator.local(&json, ["up", "--yes"]).exits_with(0);
    emulator.local(&json, ["plan", "--check"]).exits_with(0);
    emulator.local(&json, ["smoke", "--count", "50"]).exits_with(0);
    let lines = objects::lines(&config, &bucket(), "lines/", |lines| lines.len() >= 50).await;
    assert_eq!(lines.len(), 50);
    assert!(inventory::of(&config).await.contains("database or table it_parquet.impressions"));
    let down = ["down", "--yes", "--purge-data", "--output", "json"];
    let down = emulator.local(&json, down).exits_with(0).json();
    let deleted: Vec<_> = down["deleted"].as_array().unwrap().iter().map(|it| &it["kind"]).collect();
    assert!(deleted.contains(&&json!("table")) && deleted.contains(&&json!("database")), "{down}");
    assert_eq!(inventory::of(&config).await, before);
}

#[tokio::test]
async fn what_is_left_in_another_format_is_asked_about() {
    let emulator = Emulator::start();
    let s3 = aws_sdk_s3::config::Builder::from(&emulator.sdk().await).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["down", "--yes"]).exits_with(0);
    let put = async |key: &str| {
        let call = s3.put_object().bucket(bucket()).key(key);
        call.send().await.unwrap();
    };
    for key in ["impressions/", "impressions/dt=2026-01-01/a.parquet"] {
        put(key).await;
    }
    let json = "name: it-parquet\ndelivery: {buffer_seconds: 0}\n";
    let refused = emulator.local(json, ["up"]).exits_with(2);
    refused.says("would deliver JSON beside impressions/dt=2026-01-01/a.parquet").says("--yes agrees to it");
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["down", "--yes"]).exits_with(0);
    put("impressions/dt=2026-01-01/b.ndjson.gz").await;
    let refused = emulator.local(SPEC, ["up"]).exits_with(2);
    refused.says("would deliver Parquet beside impressions/dt=2026-01-01/b.ndjson.gz");
    emulator.local(SPEC, ["up", "--yes"]).exits_with(0);

    let elsewhere = "name: it-parquet\ndelivery: {format: parquet, prefix: rows/, buffer_seconds: 0}\n";
    emulator.local(elsewhere, ["up", "--yes"]).exits_with(0);
    let refused = emulator.local(SPEC, ["up"]).exits_with(2);
    refused.says("would deliver Parquet beside impressions/dt=2026-01-01/b.ndjson.gz");
}

#[tokio::test]
async fn what_others_note_at_the_table_stays_when_it_is_changed() {
    let emulator = Emulator::start();
    let glue = aws_sdk_glue::Client::new(&emulator.sdk().await);
    emulator.local(SPEC, ["up"]).exits_with(0);
    let get = async || {
        let call = glue.get_table().database_name("it_parquet").name("impressions");
        call.send().await.unwrap().table.unwrap()
    };
    let table = get().await;
    let mut storage = table.storage_descriptor.unwrap();
    let columns = storage.columns.as_mut().unwrap();
    columns[0].comment = Some("whom the flag was asked for".to_owned());
    columns.retain(|column| column.name != "time");
    let mut parameters = table.parameters.unwrap();
    parameters.insert("crawler".to_owned(), "theirs".to_owned());
    parameters.insert("projection.enabled".to_owned(), "false".to_owned());
    let input = TableInput::builder()
        .name("impressions")
        .description("what was seen")
        .owner("somebody")
        .table_type("EXTERNAL_TABLE")
        .storage_descriptor(storage)
        .set_partition_keys(table.partition_keys)
        .set_parameters(Some(parameters));
    let call = glue.update_table().database_name("it_parquet");
    call.table_input(input.build().unwrap()).send().await.unwrap();

    emulator.local(SPEC, ["plan", "--check"]).exits_with(3);
    emulator.local(SPEC, ["up"]).exits_with(0);
    emulator.local(SPEC, ["plan", "--check"]).exits_with(0);
    let table = get().await;
    assert_eq!(table.description(), Some("what was seen"));
    assert_eq!(table.owner(), Some("somebody"));
    let parameters = table.parameters().unwrap();
    assert_eq!(parameters["crawler"], "theirs");
    assert_eq!(parameters["projection.enabled"], "true");
    let columns = table.storage_descriptor().unwrap().columns();
    assert_eq!(columns[0].comment(), Some("whom the flag was asked for"));
    assert!(columns.iter().any(|column| column.name() == "time"));
}

#[tokio::test]
async fn what_was_spilled_or_never_delivered_comes_home_as_parquet() {
    let emulator = Emulator::start();
    let config = emulator.sdk().await;
    let url = emulator.local(SPEC, ["up"]).exits_with(0).stdout;
    let impression = |index: usize| json!({"key": format!("k{index}"), "split": "s", "time": index});
    let large = json!({"key": "large", "split": "x".repeat(1024 * 1000)});
    crate::replay::forbid_put_records(&config, "it-parquet").await;
    let mut batch: Vec<_> = (0..20).map(impression).collect();
    batch.push(large);
    assert_eq!(post(&url, &batch).await["spilled"], 21);
    emulator.local(SPEC, ["up"]).exits_with(0);
    let replay = ["replay", "--output", "json"];
    let replayed = emulator.local(SPEC, replay).exits_with(0).json();
    assert_eq!((&replayed["delivered"], &replayed["copied"]), (&json!(20), &json!(1)), "{replayed}");
    let rows = delivered(&config, &bucket(), "impressions/", 21).await;
    assert_eq!((rows.len(), keys(&rows).len()), (21, 21));

    // What no table takes is copied all the same, to where Firehose puts it; what has no newline gets one.
    let misfits = [r#"{"key":"k","time":"noon"}"#, r#"{"key":"\ud800"}"#];
    for misfit in misfits {
        let put = aws_sdk_kinesis::Client::new(&config).put_record().stream_name("it-parquet");
        let put = put.data(Blob::new(misfit)).partition_key("k");
        put.send().await.unwrap();
    }
    let copy = ["replay", "--stream", "--since", "1h", "--output", "json"];
    let copied = emulator.local(SPEC, copy).exits_with(0).json();
    let counts = (&copied["copied"], &copied["misfits"]);
    assert_eq!(counts, (&json!(20), &json!(2)), "{copied}");
    let twice = delivered(&config, &bucket(), "impressions/", 41).await;
    assert_eq!((twice.len(), keys(&twice)), (41, keys(&rows)));
    let is_misfit = |line: &String| misfits.contains(&line.as_str());
    let lines =
        objects::lines(&config, &bucket(), "errors/format-conversion-failed/", |lines| lines.len() >= 4)
            .await;
    assert_eq!(lines.iter().filter(|line| is_misfit(line)).count(), 2, "{lines:?}");
}

#[tokio::test]
async fn what_somebody_else_has_in_the_catalog_stays() {
    let emulator = Emulator::start();
    let glue = aws_sdk_glue::Client::new(&emulator.sdk().await);
    let theirs = DatabaseInput::builder().name("it_parquet").build().unwrap();
    let call = glue.create_database().database_input(theirs);
    call.tags("owner", "somebody").send().await.unwrap();
    emulator.local(SPEC, ["up", "--yes"]).exits_with(1).says("database").says("--adopt");
    emulator.local(SPEC, ["up", "--adopt", "--yes"]).exits_with(0);

    let view = TableInput::builder().name("my_view").table_type("VIRTUAL_VIEW");
    let call = glue.create_table().database_name("it_parquet");
    call.table_input(view.build().unwrap()).send().await.unwrap();
    let down = ["down", "--yes", "--purge-data", "--output", "json"];
    let kept = emulator.local(SPEC, down).exits_with(0).json();
    assert_eq!(kept["kept"].as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(kept["kept"][0]["kind"], "database", "{kept}");
    let why = kept["kept"][0]["why"].as_str().unwrap();
    assert!(why.contains("my_view"), "{why}");

    let call = glue.delete_table().database_name("it_parquet").name("my_view");
    call.send().await.unwrap();
    let down = emulator.local(SPEC, down).exits_with(0).json();
    assert_eq!(down["deleted"], json!([{"kind": "database", "name": "it_parquet"}]));
}
