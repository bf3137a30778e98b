//! Unit tests of finding impressions in S3.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::Object;
use aws_smithy_mocks::{MockResponse, Rule, mock};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::aws::testing::aws;

type Objects = Arc<Mutex<Vec<(&'static str, &'static [u8])>>>;

fn rules(objects: &Objects) -> [Rule; 2] {
    let (list, get) = (Arc::clone(objects), Arc::clone(objects));
    [
        mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
            let objects = list.lock().unwrap();
            let below = objects.iter().filter(|it| it.0.starts_with(input.prefix().unwrap()));
            let object = |it: &(&str, &[u8])| {
                let object = Object::builder().key(it.0).last_modified(DateTime::from_secs(0));
                object.size(it.1.len().try_into().unwrap()).build()
            };
            let contents = below.map(object).collect();
            ListObjectsV2Output::builder().set_contents(Some(contents)).build()
        }),
        mock!(aws_sdk_s3::Client::get_object).then_compute_response(move |input| {
            let objects = get.lock().unwrap();
            let (_, body) = objects.iter().find(|it| it.0 == input.key().unwrap()).unwrap();
            if *body == b"denied" {
                let denied = ErrorMetadata::builder().code("AccessDenied").build();
                return MockResponse::Error(GetObjectError::generic(denied));
            }
            let body = ByteStream::from_static(body);
            MockResponse::Output(GetObjectOutput::builder().body(body).build())
        }),
    ]
}

fn area() -> SearchArea {
    SearchArea {
        pipeline: "flags".to_owned(),
        bucket: "b".to_owned(),
        ownership: BucketOwnership::Pipeline,
        prefix: "i/".to_owned(),
        gathered: Duration::ZERO,
        shape: Shape::Lines,
    }
}

#[tokio::test]
async fn what_is_new_is_found_and_what_cannot_be_read_is_named() {
    let objects = Objects::default();
    let put = |key, body: &'static str| objects.lock().unwrap().push((key, body.as_bytes()));
    put("i/old", "a\n");
    let rules = rules(&objects);
    let aws = aws(&[], &rules.each_ref());
    let lines = ["a", "b", "c"].map(str::to_owned);
    let mut search = Search::start(&aws, area(), &lines).await.unwrap();
    objects.lock().unwrap().push(("i/gzip", b"\x1f\x8b\x08"));
    put("i/denied", "denied");
    put("i/new", "a\nother\n");
    put("spill/other/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", "c\n");
    put("spill/flags/dt=2026-01-31/r-0123456789abcdef.ndjson.gz", "b\n");
    search.look(&aws).await.unwrap();
    search.look(&aws).await.unwrap();
    assert!(!search.is_complete());
    let mut result = SmokeReport::default();
    search.report(&mut result);
    let skipped: Vec<_> = result.skipped.iter().map(|it| &*it.key).collect();
    assert_eq!(skipped, ["i/denied", "i/gzip"]);
    assert_eq!((result.delivered, result.spilled, result.missing), (1, 1, 1));
    assert_eq!(result.objects, ["i/new", "spill/flags/dt=2026-01-31/r-0123456789abcdef.ndjson.gz"]);
}

#[tokio::test]
async fn bombs_are_named_and_do_not_keep_what_was_sent_from_being_found() {
    let objects = Objects::default();
    let rules = rules(&objects);
    let aws = aws(&[], &rules.each_ref());
    let lines = ["a", "b"].map(str::to_owned);
    let mut search = Search::start(&aws, area(), &lines).await.unwrap();
    let gzip = |text: &[u8]| crate::objects::lines::gzip(text).unwrap();
    // Each inflates past the caps, and repeats what was sent on the way there.
    let mut bombs = vec![
        ("i/bytes", gzip(&vec![b'x'; 1 << 20]).repeat(257)),
        ("i/lines", gzip(&[&[b'x'; 1 << 20], &b"\nb\n"[..]].concat()).repeat(256)),
        ("i/large", vec![b'a'; (256 << 20) + 1]),
    ];
    let repeats = (0..16).map(|index| (&*format!("i/repeats-{index}").leak(), gzip(&b"b\n".repeat(1 << 10))));
    bombs.extend(repeats);
    for (key, bomb) in bombs {
        objects.lock().unwrap().push((key, bomb.leak()));
    }
    objects.lock().unwrap().push(("i/sent", b"a\n"));
    search.look(&aws).await.unwrap();
    assert!(search.is_complete());
    let mut result = SmokeReport::default();
    search.report(&mut result);
    let skipped: Vec<_> = result.skipped.iter().map(|it| (&*it.key, &*it.why)).collect();
    assert_eq!(
        skipped,
        [
            ("i/bytes", "it has a line of more than 64 MiB"),
            ("i/large", "it is more than 256 MiB"),
            ("i/lines", "it inflates to more than 256 MiB"),
        ]
    );
    assert_eq!((result.delivered, result.missing), (2, 0));
}

#[tokio::test]
async fn an_interruption_ends_the_search_between_two_objects() {
    let objects = Objects::default();
    let mut rules = rules(&objects);
    let interrupt = CancellationToken::new();
    let interrupting = interrupt.clone();
    rules[1] = mock!(aws_sdk_s3::Client::get_object).then_compute_output(move |_| {
        let (mut parts, interrupting) = (vec![Bytes::from_static(b"a\n")], interrupting.clone());
        let body = stream::poll_fn(move |_| {
            let part = parts.pop().map(|part| Ok::<_, Infallible>(Frame::data(part)));
            if part.is_none() {
                // All of the object is there by now.
                interrupting.cancel();
            }
            Poll::Ready(part)
        });
        let body = ByteStream::from_body_1_x(StreamBody::new(body));
        GetObjectOutput::builder().body(body).build()
    });
    let aws = aws(&[], &rules.each_ref()).with_interrupt(interrupt);
    let mut search = Search::start(&aws, area(), &["a".to_owned()]).await.unwrap();
    objects.lock().unwrap().push(("i/a", b"a\n"));
    let error = search.look(&aws).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(!search.is_complete());
}

#[tokio::test]
async fn credentials_that_may_read_nothing_are_an_error_at_once() {
    let objects = Objects::default();
    let rules = rules(&objects);
    let aws = aws(&[], &rules.each_ref());
    let mut search = Search::start(&aws, area(), &["a".to_owned()]).await.unwrap();
    objects.lock().unwrap().push(("i/denied", b"denied"));
    assert_eq!(search.look(&aws).await.unwrap_err().kind, ErrorKind::Denied);
}

#[test]
fn few_and_small_objects_are_read_at_once() {
    let object =
        |mib: u64| NewObject { key: mib.to_string(), bytes: mib * 1024 * 1024, place: FoundIn::Delivered };
    let sizes = |mibs: &[u64]| {
        let objects: Vec<_> = mibs.iter().map(|mib| object(*mib)).collect();
        groups(&objects).into_iter().map(<[NewObject]>::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&[]), [0; 0]);
    assert_eq!(sizes(&[0; 33]), [16, 16, 1]);
    assert_eq!(sizes(&[128, 1, 63, 1, 128]), [1, 2, 1, 1]);
}
