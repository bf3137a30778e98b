//! Tests of bodies that Split never sends: what costs more than a function has is refused, and nothing of it is taken.

use super::*;
use crate::budget::{LARGEST_BATCH, MOST_FIELDS};

pub(super) const TINY: &str = r#"{"key":"","split":""}"#;
const MISFIT: &str = r#"{"key":"","split":"","time":1.5}"#;

pub(super) fn array(element: &str, count: usize) -> String {
    format!("[{element}{}]", format!(",{element}").repeat(count - 1))
}

pub(super) fn parquet() -> HandlerSettings {
    HandlerSettings { number_fields: vec!["time".to_owned()], ..settings(100) }
}

pub(super) fn only_the_key() -> HandlerSettings {
    HandlerSettings { fields: KeptFields::Keep(vec!["key".to_owned()]), ..settings(100) }
}

/// Handles a body that is to be answered 413, and checks that nothing of it is taken and that the log says why.
pub(super) async fn refuse(memory_mib: usize, settings: HandlerSettings, body: &str, want: &str) {
    let (world, status, answer, line) = handle_with_memory(memory_mib, settings, body).await;
    assert_eq!((status, &answer), (413, &json!({ "error": want })));
    assert_eq!((line.received, line.level), (0, Level::Warn));
    assert_eq!(line.error.as_deref(), Some(want));
    assert!(world.stream.sent.lock().unwrap().is_empty());
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn more_junk_than_the_largest_batch_is_refused_and_nothing_is_taken() {
    let want = "the batch has more than 250,000 elements that are not impressions";
    for (junk, settings) in [("1", settings(100)), ("{}", settings(0)), (r#"{"key":"a"}"#, only_the_key())] {
        let body = array(junk, LARGEST_BATCH + 1);
        refuse(256, settings, &body, want).await;
    }
    // However many impressions there are beside it.
    let body = format!("[{TINY},{}", &array("1", LARGEST_BATCH + 1)[1..]);
    refuse(256, settings(100), &body, want).await;
}

#[tokio::test]
async fn as_much_junk_as_the_largest_batch_is_stored_as_rejected() {
    for count in [1, LARGEST_BATCH] {
        let (world, status, answer, line) = handle_with_memory(256, settings(100), &array("1", count)).await;
        assert_eq!((status, answer), (200, counts(count, 0, 0, count)));
        assert_eq!(line.level, Level::Warn);
        assert_eq!(world.bucket.text("rejected/function/").lines().count(), count);
    }
}

#[tokio::test]
async fn more_impressions_than_the_largest_batch_are_refused_where_each_is_a_record() {
    let body = array(TINY, LARGEST_BATCH + 1);
    let want = "the batch has more than 250,000 impressions, too many for a record each";
    refuse(256, settings(0), &body, want).await;
    let (_, status, answer, _) = handle_with_memory(256, settings(100), &body).await;
    let count = LARGEST_BATCH + 1;
    assert_eq!((status, answer), (200, counts(count, count, 0, 0)));
}

#[tokio::test]
async fn misfits_by_the_hundred_thousand_are_delivered_in_few_records() {
    let body = array(&format!("{MISFIT},{TINY}"), 100_000);
    let (_, status, answer, line) = handle_with_memory(128, parquet(), &body).await;
    assert_eq!((status, answer), (200, counts(200_000, 200_000, 0, 0)));
    let packed = |size: usize, count: usize| count.div_ceil(102_400 / size);
    let lone = 500;
    let want = packed(TINY.len() + 1, 100_000) + lone + packed(MISFIT.len() + 1, 100_000 - lone);
    assert_eq!(line.records, want);
}

#[tokio::test]
async fn a_body_that_is_not_read_in_time_is_refused_and_nothing_is_taken() {
    let world = MemoryPipeline::default();
    let webhook = world.working(100);
    let impression = format!(r#"{{"key":"SECRET","split":"{}"}}"#, "x".repeat(1_000));
    let large = array(&impression, 5_000);
    let members = gzip(b"").repeat(300_000);
    for body in [gzip(large.as_bytes()), large.into_bytes(), members] {
        let event = serde_json::value::to_raw_value(&base64(&body)).unwrap();
        let handled = webhook.handle(&event, "id", in_ms(0)).await;
        let want = "the batch needs more time than the function has";
        assert_eq!(handled.response.status_code, 413);
        assert_eq!(handled.response.body, json!({ "error": want }).to_string());
        assert_eq!(handled.line.error.as_deref(), Some(want));
    }
    assert!(world.stream.sent.lock().unwrap().is_empty());
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_below_a_mebibyte_is_tried_however_late_it_is_and_never_lost() {
    let random: Vec<_> = (0..900).map(|_| format!("{:01000}", fastrand::u128(..))).collect();
    let lines: Vec<_> =
        random.iter().map(|value| format!(r#"{{"key":"a", "split":"b","\u0078":"{value}"}}"#)).collect();
    let text = format!("[{}]", lines.join(","));
    let (first, second) = text.split_at(1_000);
    let members = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    let settings = HandlerSettings { fields: KeptFields::Keep(vec!["x".to_owned()]), ..parquet() };
    let event = serde_json::value::to_raw_value(&base64(&members)).unwrap();
    for kinesis in [true, false] {
        for s3 in [true, false] {
            let world = MemoryPipeline::default();
            let clients = Clients {
                kinesis: if kinesis { world.stream.client(accept) } else { hanging_kinesis() },
                s3: if s3 { world.bucket.client("") } else { slow_s3(None) },
            };
            let webhook = Webhook::new(settings.clone(), clients, function(256));
            let handled = webhook.handle(&event, "id", in_ms(0)).await;
            let want = if kinesis || s3 { 200 } else { 500 };
            assert_eq!(handled.response.status_code, want, "{}", handled.response.body);
            assert_eq!(handled.line.received, random.len());
            let stored = world.stream.text() + &world.bucket.text("spill/function/");
            let stored = random.iter().filter(|value| stored.contains(value.as_str())).count();
            assert_eq!(stored, if want == 200 { random.len() } else { 0 });
        }
    }
}

#[tokio::test]
async fn fields_are_read_no_more_often_for_parquet_than_the_largest_batch_allows() {
    let settings = HandlerSettings {
        fields: KeptFields::Keep(["key", "split", "time"].map(str::to_owned).to_vec()),
        ..parquet()
    };
    // Leaves 6 fields to tell misfits by, after that the four others are read: enough for two of them.
    let many = format!(r#"{{"key":"","split":""{}}}"#, r#","":[]"#.repeat(MOST_FIELDS - 20));
    let unusual = r#"{"key":"","split":"","time":-1}"#;
    let body = format!("[{many},{unusual},{unusual},{unusual},{unusual}]");
    let (_, status, answer, line) = handle_with_memory(256, settings, &body).await;
    assert_eq!((status, answer), (200, counts(5, 5, 0, 0)));
    assert_eq!(line.records, 1 + 2);
}
