//! Tests of delivery: what is sent again, what is given up, and that every record is accounted for.

use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::aws::Clients;
use crate::testing::{MemoryStream, accept, accept_where, in_ms, kinesis_error, record};

fn records(names: &[&str]) -> Vec<Record<'static>> {
    names.iter().map(|name| record(&[name])).collect()
}

async fn send<'a>(client: &Client, requests: Vec<Vec<Record<'a>>>, deadline: Instant) -> Delivery<'a> {
    deliver(client, &Bodies::default(), "s", requests, deadline).await
}

fn names(records: &[Vec<u8>]) -> Vec<&str> {
    let names = records.iter().map(|data| std::str::from_utf8(data).unwrap());
    names.map(|name| name.strip_suffix('\n').unwrap()).collect()
}

fn undelivered(delivery: &Delivery<'_>) -> Vec<String> {
    let impressions = delivery.undelivered.iter().flat_map(|record| record.impressions);
    impressions.map(|impression| impression.line.to_string()).collect()
}

#[tokio::test]
async fn every_request_is_sent_once() {
    let stream = MemoryStream::default();
    let requests = vec![records(&["a", "b"]), records(&["c"])];
    let have = send(&stream.client(accept), requests, in_ms(60_000)).await;
    assert_eq!((have.delivered, have.retried), (3, 0));
    assert!(have.undelivered.is_empty() && have.error.is_none());
    assert_eq!(stream.text(), "a\nb\nc\n");
}

#[tokio::test]
async fn nothing_is_no_request() {
    let stream = MemoryStream::default();
    let have = send(&stream.client(accept), vec![], in_ms(60_000)).await;
    assert_eq!(have.delivered, 0);
    assert!(stream.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_refused_entries_are_sent_again() {
    let stream = MemoryStream::default();
    let client = stream.client(|call, input| match call {
        0 => accept_where(input, |index| index % 2 == 0),
        1 => accept_where(input, |index| index == 1),
        _ => accept_where(input, |_| true),
    });
    let requests = vec![records(&["a", "b", "c", "d"])];
    let have = send(&client, requests, in_ms(60_000)).await;
    assert_eq!((have.delivered, have.retried), (4, 3));
    assert!(have.undelivered.is_empty());
    let sent = stream.sent.lock().unwrap();
    assert_eq!(names(&sent[0]), ["a", "b", "c", "d"]);
    assert_eq!(names(&sent[1]), ["b", "d"]);
    assert_eq!(names(&sent[2]), ["b"]);
    assert_eq!(have.error.as_deref(), Some("ProvisionedThroughputExceededException"));
}

#[tokio::test]
async fn retryable_errors_send_the_whole_request_again() {
    // Those of the API reference that say "try again", in every spelling.
    let codes = [
        "InternalFailure",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
    ];
    for code in codes {
        let stream = MemoryStream::default();
        let client = stream.client(move |call, input| match call {
            0 => kinesis_error(code),
            _ => accept(call, input),
        });
        let have = send(&client, vec![records(&["a", "b"])], in_ms(60_000)).await;
        assert_eq!((have.delivered, have.retried), (2, 2), "{code}");
        assert_eq!(stream.text(), "a\nb\n");
        assert_eq!(have.error.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn server_errors_are_retried_whatever_their_code() {
    let answers = [
        (503, "<html>"),
        (429, r#"{"__type":"TooMany"}"#),
        (500, r#"{"__type":"InternalFailure"}"#),
        (400, r#"{"__type":"ProvisionedThroughputExceededException"}"#),
        (200, "not JSON"),
        (200, r#"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"0"}]}"#),
    ];
    let stream = MemoryStream::default();
    let client = stream.client(move |call, _| (answers[call].0, answers[call].1.to_owned()));
    let have = send(&client, vec![records(&["a"])], in_ms(60_000)).await;
    assert_eq!((have.delivered, have.retried), (1, 5), "{have:?}");
    assert_eq!(have.latencies.len(), 6);
}

#[test]
fn a_request_that_cannot_be_made_is_given_up() {
    assert!(!is_retryable(&SdkError::construction_failure("no region")));
    assert!(is_retryable(&SdkError::timeout_error("too slow")));
}

#[tokio::test]
async fn other_errors_are_given_up_at_once() {
    let codes = [
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidArgumentException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    ];
    for code in codes {
        let stream = MemoryStream::default();
        let client = stream.client(move |_, _| kinesis_error(code));
        let have = send(&client, vec![records(&["a", "b"])], in_ms(60_000)).await;
        assert_eq!((have.delivered, have.retried), (0, 0));
        assert_eq!(undelivered(&have), ["a", "b"]);
        assert_eq!(have.error.as_deref(), Some(code));
        assert_eq!(stream.sent.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_sent_again_until_the_deadline() {
    let stream = MemoryStream::default();
    let client = stream.client(|_, input| accept_where(input, |_| false));
    let deadline = in_ms(10_000);
    let have = send(&client, vec![records(&["a", "b"])], deadline).await;
    assert_eq!(have.delivered, 0);
    assert_eq!(undelivered(&have), ["a", "b"]);
    // The next attempt would have been too late. A timer's last millisecond is rounded up, to the deadline itself.
    let now = Instant::now();
    assert!(now <= deadline && now + LONGEST_BACKOFF >= deadline);
    let sent = stream.sent.lock().unwrap();
    assert_eq!(have.retried, 2 * (sent.len() - 1));
    assert!(sent.len() > 10, "{}", sent.len());
}

#[tokio::test]
async fn what_became_of_several_requests_is_added_up() {
    let stream = MemoryStream::default();
    let client = stream.client(|_, input| {
        if input[0].data == b"c\n" {
            return kinesis_error("AccessDeniedException");
        }
        accept_where(input, |_| true)
    });
    let requests = vec![records(&["a", "b"]), records(&["c", "d", "e"]), records(&["f"])];
    let have = send(&client, requests, in_ms(60_000)).await;
    assert_eq!((have.delivered, have.retried), (3, 0));
    assert_eq!(undelivered(&have), ["c", "d", "e"]);
    assert_eq!(have.latencies.len(), 3);
    assert_eq!(have.error.as_deref(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn no_more_latencies_are_kept_than_the_log_takes() {
    let stream = MemoryStream::default();
    let requests = vec![records(&["a"]); 103];
    let have = send(&stream.client(accept), requests, in_ms(60_000)).await;
    assert_eq!((have.delivered, have.latencies.len()), (103, 100));
}

#[tokio::test]
async fn an_answer_that_leaves_out_records_does_not_deliver_them() {
    let short = r#"{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1"},{}]}"#;
    let stream = MemoryStream::default();
    let client = stream.client(move |_, _| (200, short.to_owned()));
    // The time is up after the first attempt.
    let have = send(&client, vec![records(&["a", "b", "c"])], Instant::now()).await;
    assert_eq!(have.delivered, 1);
    assert_eq!(undelivered(&have), ["b", "c"]);
}

fn client_of(address: &str) -> Client {
    let get = |name: &str| match name {
        "AWS_ENDPOINT_URL_KINESIS" => Some(format!("http://{address}")),
        "AWS_ENDPOINT_URL" => Some("http://192.0.2.1".to_owned()),
        _ => Some("x".to_owned()),
    };
    Clients::from_env(get).unwrap().kinesis
}

#[tokio::test(start_paused = true)]
async fn a_hung_connection_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Before the client gives up by itself.
    let deadline = in_ms(1_000);
    let have = send(&client_of(&address), vec![records(&["a"])], deadline).await;
    assert_eq!(undelivered(&have), ["a"]);
    assert_eq!((have.error.as_deref(), have.retried), (Some("timeout"), 0));
    // Timers fire on whole milliseconds.
    let late = Instant::now() - deadline;
    assert!(late < Duration::from_millis(5), "{late:?}");
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let have = send(&client_of(&address), vec![records(&["a"])], in_ms(1000)).await;
    assert_eq!(undelivered(&have), ["a"]);
    assert_eq!(have.error.as_deref(), Some("connection failed"));
    assert!(have.retried > 0);
}

#[test]
fn backoff_grows_to_its_limit() {
    fastrand::seed(1);
    let longest = [50, 100, 200, 400, 800, 1_000, 1_000, 1_000];
    for (attempt, longest) in (0..).zip(longest).chain([(99, 1_000), (u32::MAX, 1_000)]) {
        let longest = Duration::from_millis(longest);
        let waits: Vec<_> = (0..200).map(|_| backoff(attempt)).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most <= longest && *most > longest.mul_f64(0.9), "{attempt}: {most:?}");
        assert!(*least < longest.mul_f64(0.1), "{attempt}: {least:?}");
    }
}
