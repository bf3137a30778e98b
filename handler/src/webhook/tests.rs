//! Tests of the whole way from the event to the answer, against Kinesis and S3 in memory.

use serde_json::{Value, json};

use super::*;
use crate::pack::MAX_RECORD_BYTES;
use crate::settings::KeptFields;
use crate::testing::{
    MemoryBucket, MemoryStream, accept, accept_where, gzip, hanging_kinesis, in_ms, kinesis_error, slow_s3,
};

mod hostile;

const IMPRESSION: &str = r#"{"key":"SECRET","split":"b"}"#;

/// A pipeline in memory.
#[derive(Default)]
struct MemoryPipeline {
    stream: MemoryStream,
    bucket: MemoryBucket,
}

impl MemoryPipeline {
    /// Makes a webhook whose stream and bucket work.
    fn working(&self, record_kib: u32) -> Webhook {
        let clients = Clients { kinesis: self.stream.client(accept), s3: self.bucket.client("") };
        webhook(record_kib, clients)
    }

    /// Makes a webhook whose role may not write to the stream, nor to keys that start with `denied`.
    fn denied(&self, denied: &'static str) -> Webhook {
        let clients = Clients {
            kinesis: self.stream.client(|_, _| kinesis_error("AccessDeniedException")),
            s3: self.bucket.client(denied),
        };
        webhook(100, clients)
    }
}

fn webhook(record_kib: u32, clients: Clients) -> Webhook {
    Webhook::new(settings(record_kib), clients, function(256))
}

fn settings(record_kib: u32) -> HandlerSettings {
    HandlerSettings {
        stream: "stream".to_owned(),
        bucket: "bucket".to_owned(),
        record_kib,
        number_fields: Vec::new(),
        fields: KeptFields::All,
    }
}

fn function(memory_mib: usize) -> LambdaFunction {
    LambdaFunction { name: "function".to_owned(), memory_mib }
}

async fn handle(webhook: &Webhook, event: &Value) -> (u16, Value, Line) {
    let event = serde_json::value::to_raw_value(event).unwrap();
    let handled = webhook.handle(&event, "id", in_ms(60_000)).await;
    let body = handled.response.body;
    let line = serde_json::to_string(&handled.line).unwrap();
    assert!(!body.contains("SECRET") && !line.contains("SECRET"), "{body} {line}");
    assert_eq!(handled.line.status, handled.response.status_code);
    let answer = serde_json::from_str(&body).unwrap();
    (handled.response.status_code, answer, handled.line)
}

fn text(body: &str) -> Value {
    json!({ "body": body, "isBase64Encoded": false })
}

fn base64(bytes: &[u8]) -> Value {
    json!({ "body": base64_simd::STANDARD.encode_to_string(bytes), "isBase64Encoded": true })
}

fn counts(received: usize, delivered: usize, spilled: usize, rejected: usize) -> Value {
    json!({ "received": received, "delivered": delivered, "spilled": spilled, "rejected": rejected })
}

#[tokio::test]
async fn the_test_button_is_answered() {
    let world = MemoryPipeline::default();
    let webhook = world.working(100);
    let mut events = vec![json!({}), json!({ "body": null }), base64(b""), base64(&gzip(b"[]"))];
    events.extend(["", " \n", "[]", "{}", "\u{feff}[ ]"].map(text));
    for event in events {
        let (status, answer, line) = handle(&webhook, &event).await;
        assert_eq!((status, answer), (200, counts(0, 0, 0, 0)), "{event}");
        assert_eq!(line.level, Level::Info);
    }
    assert!(world.stream.sent.lock().unwrap().is_empty());
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn impressions_are_delivered_and_others_rejected() {
    let world = MemoryPipeline::default();
    let body = format!(r#"[{IMPRESSION}, 1, {IMPRESSION}, {{"key":"SECRET"}}]"#);
    let event = text(&body);
    let (status, answer, line) = handle(&world.working(100), &event).await;
    assert_eq!((status, answer), (200, counts(4, 2, 0, 2)));
    assert_eq!(world.stream.text(), format!("{IMPRESSION}\n{IMPRESSION}\n"));
    assert_eq!(world.bucket.text("rejected/function/").lines().count(), 2);
    assert_eq!((line.records, line.bytes_in, line.bytes_inflated), (1, body.len(), body.len()));
    assert_eq!(line.level, Level::Warn);
}

#[tokio::test]
async fn a_single_object_is_a_batch_of_one() {
    let world = MemoryPipeline::default();
    let (status, answer, _) = handle(&world.working(0), &text(IMPRESSION)).await;
    assert_eq!((status, answer), (200, counts(1, 1, 0, 0)));
}

#[tokio::test]
async fn bad_bodies_are_refused_and_nothing_is_taken() {
    let cut = gzip(IMPRESSION.as_bytes());
    let mut trailing = cut.clone();
    trailing.extend(b"SECRET");
    let too_large = gzip(&vec![b' '; crate::refusal::MAX_INFLATED_BYTES + 1]);
    let cases = [
        (400, base64(&cut[..cut.len() - 1])),
        (400, base64(&trailing)),
        (400, base64(b"\xff\xfe[")),
        (400, json!({ "body": "SECRET", "isBase64Encoded": true })),
        (400, text("\u{1f}\u{8b}\u{8}")),
        (400, text("SECRET")),
        (400, text(r#""SECRET""#)),
        (400, text("null")),
        (400, text("1")),
        (400, text(&format!("[{IMPRESSION}"))),
        (400, text(&format!("[{IMPRESSION}] SECRET"))),
        (400, text(&format!("{IMPRESSION}\n{IMPRESSION}"))),
        (400, json!([])),
        (400, json!("SECRET")),
        (400, json!({ "body": { "key": "SECRET" } })),
        (413, base64(&too_large)),
    ];
    let world = MemoryPipeline::default();
    let webhook = world.working(100);
    for (want, event) in cases {
        let (status, answer, line) = handle(&webhook, &event).await;
        assert_eq!(status, want, "{answer}");
        assert!(answer["error"].is_string());
        assert_eq!((line.received, line.level), (0, Level::Warn));
        assert_eq!(line.error.as_deref(), answer["error"].as_str());
    }
    assert!(world.stream.sent.lock().unwrap().is_empty());
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_kinesis_refuses_is_spilled() {
    let world = MemoryPipeline::default();
    let event = text(&format!("[{IMPRESSION},{IMPRESSION},0]"));
    let (status, answer, line) = handle(&world.denied("-"), &event).await;
    assert_eq!((status, answer), (200, counts(3, 0, 2, 1)));
    assert_eq!(world.bucket.text("spill/function/"), format!("{IMPRESSION}\n{IMPRESSION}\n"));
    assert_eq!(line.error.as_deref(), Some("AccessDeniedException"));
    assert_eq!(line.level, Level::Warn);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_still_refused_at_the_deadline_is_spilled() {
    let world = MemoryPipeline::default();
    let clients = Clients {
        kinesis: world
            .stream
            .client(|_, input| accept_where(input, |index| input[index].partition_key == "2")),
        s3: world.bucket.client(""),
    };
    let (first, second) = (r#"{"key":"1","split":""}"#, r#"{"key":"2","split":""}"#);
    let event = serde_json::value::to_raw_value(&text(&format!("[{first},{second}]"))).unwrap();
    let handled = webhook(0, clients).handle(&event, "id", in_ms(20_000)).await;
    let answer: Value = serde_json::from_str(&handled.response.body).unwrap();
    assert_eq!(answer, counts(2, 1, 1, 0));
    assert_eq!(world.stream.text(), format!("{second}\n"));
    assert_eq!(world.bucket.text("spill/function/"), format!("{first}\n"));
    assert_eq!(handled.line.error.as_deref(), Some("ProvisionedThroughputExceededException"));
}

#[tokio::test]
async fn throttling_that_ends_leaves_nothing_to_spill() {
    let world = MemoryPipeline::default();
    let clients = Clients {
        kinesis: world.stream.client(|call, input| match call {
            0 => kinesis_error("ThrottlingException"),
            1 => accept_where(input, |_| false),
            _ => accept(call, input),
        }),
        s3: world.bucket.client(""),
    };
    let (status, answer, line) = handle(&webhook(100, clients), &text(IMPRESSION)).await;
    assert_eq!((status, answer), (200, counts(1, 1, 0, 0)));
    assert_eq!((line.retried, line.level), (2, Level::Info));
    assert!(world.bucket.objects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_impression_too_large_for_a_record_is_spilled() {
    let world = MemoryPipeline::default();
    let large = format!(r#"{{"key":"a","split":"{}"}}"#, "x".repeat(MAX_RECORD_BYTES));
    let event = base64(&gzip(format!("[{large},{IMPRESSION}]").as_bytes()));
    let (status, answer, _) = handle(&world.working(100), &event).await;
    assert_eq!((status, answer), (200, counts(2, 1, 1, 0)));
    assert_eq!(world.bucket.text("spill/function/"), large + "\n");
}

#[tokio::test]
async fn what_nothing_takes_is_a_500() {
    let world = MemoryPipeline::default();
    let event = text(&format!("[{IMPRESSION},0]"));
    let (status, answer, line) = handle(&world.denied("spill/"), &event).await;
    assert_eq!(status, 500);
    let want = "not every impression could be stored: Kinesis: AccessDeniedException; S3: AccessDenied";
    assert_eq!(answer, json!({ "error": want }));
    assert_eq!((line.received, line.delivered, line.spilled, line.rejected), (2, 0, 0, 1));
    assert_eq!(line.level, Level::Error);
}

#[tokio::test]
async fn a_rejected_element_that_is_not_stored_is_a_500() {
    let world = MemoryPipeline::default();
    let clients = Clients { kinesis: world.stream.client(accept), s3: world.bucket.client("rejected/") };
    let event = text(&format!("[{IMPRESSION},0]"));
    let (status, answer, line) = handle(&webhook(100, clients), &event).await;
    assert_eq!(status, 500);
    assert!(answer["error"].as_str().unwrap().ends_with("S3: AccessDenied"));
    assert_eq!((line.delivered, line.rejected), (1, 0));
}

/// Handles an impression within so many seconds, by clients that take their time.
async fn handle_slowly(s3: Option<Duration>, seconds: u64) -> (u16, Value, Line) {
    let clients = Clients { kinesis: hanging_kinesis(), s3: slow_s3(s3) };
    let event = serde_json::value::to_raw_value(&text(IMPRESSION)).unwrap();
    let deadline = in_ms(seconds * 1_000);
    let handled = webhook(100, clients).handle(&event, "id", deadline).await;
    let answer = serde_json::from_str(&handled.response.body).unwrap();
    (handled.response.status_code, answer, handled.line)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_s3_misses_is_a_500() {
    for seconds in [0, 1, 20] {
        let (status, answer, line) = handle_slowly(None, seconds).await;
        let want = "not every impression could be stored: Kinesis: timeout; S3: timeout";
        assert_eq!((status, answer), (500, json!({ "error": want })));
        assert_eq!((line.delivered, line.spilled), (0, 0));
        assert_eq!(line.level, Level::Error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_element_that_s3_misses_the_deadline_for_is_a_500() {
    let world = MemoryPipeline::default();
    let clients = Clients { kinesis: world.stream.client(accept), s3: slow_s3(None) };
    let event = serde_json::value::to_raw_value(&text("[1]")).unwrap();
    let handled = webhook(100, clients).handle(&event, "id", in_ms(5_000)).await;
    assert_eq!((handled.response.status_code, handled.line.rejected), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn time_is_kept_for_the_spill_while_kinesis_hangs() {
    // Eight seconds are kept, or two fifths of the time if that is less.
    for (seconds, given_up_ms) in [(10, 6_000), (15, 9_000), (20, 12_000), (28, 20_000)] {
        let most = Duration::from_millis(seconds * 1_000 - given_up_ms - 100);
        let (status, answer, line) = handle_slowly(Some(most), seconds).await;
        assert_eq!((status, answer), (200, counts(1, 0, 1, 0)), "{seconds}");
        assert_eq!((line.spilled, line.error.as_deref()), (1, Some("timeout")));
        let [have] = line.put_records_ms[..] else { panic!("{:?}", line.put_records_ms) };
        assert!((given_up_ms..given_up_ms + 5).contains(&have), "{seconds}: {have}");
        assert!((seconds * 1_000 - 100..seconds * 1_000).contains(&line.elapsed_ms));
    }
}

#[tokio::test]
async fn only_the_first_batch_is_a_cold_start() {
    let world = MemoryPipeline::default();
    let webhook = world.working(100);
    let mut have = Vec::new();
    for body in ["SECRET", IMPRESSION, "[]"] {
        have.push(handle(&webhook, &text(body)).await.2.cold_start);
    }
    assert_eq!(have, [1, 0, 0]);
}

/// Handles a batch in a function with so much memory.
async fn handle_with_memory(
    memory_mib: usize,
    settings: HandlerSettings,
    body: &str,
) -> (MemoryPipeline, u16, Value, Line) {
    let world = MemoryPipeline::default();
    let clients = Clients { kinesis: world.stream.client(accept), s3: world.bucket.client("") };
    let webhook = Webhook::new(settings, clients, function(memory_mib));
    let (status, answer, line) = handle(&webhook, &base64(&gzip(body.as_bytes()))).await;
    (world, status, answer, line)
}

#[tokio::test]
async fn a_batch_that_memory_cannot_hold_is_refused_and_nothing_is_taken() {
    let tiny = hostile::array(hostile::TINY, 1_400_000);
    for settings in [settings(100), hostile::parquet(), hostile::only_the_key()] {
        let want = "the batch needs more memory than the function has";
        hostile::refuse(128, settings, &tiny, want).await;
    }
}

#[tokio::test]
async fn the_smallest_function_takes_fifty_thousand_impressions() {
    let impression = format!(r#"{{"key":"a","split":"b","x":"{}"}}"#, "x".repeat(340));
    let body = format!("[{impression}{}]", format!(",{impression}").repeat(49_999));
    let (_, status, answer, line) = handle_with_memory(128, settings(100), &body).await;
    assert_eq!((status, answer), (200, counts(50_000, 50_000, 0, 0)));
    assert_eq!(line.records, 50_000 / (102_400 / (impression.len() + 1)) + 1);
}

mod properties;
