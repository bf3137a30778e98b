//! A proxy between the function and an emulator that breaks calls at random: before they are carried out, halfway, and
//! after, and all of them for a while.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::proxy::forward;
use super::weather::Lost;

type Answer = Result<Response<Full<Bytes>>, Lost>;

/// How often what was done to calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// Calls.
    pub(crate) calls: usize,
    /// Calls that were refused or lost before they were carried out.
    pub(crate) refused: usize,
    /// Calls whose answer was lost.
    pub(crate) answers_lost: usize,
    /// Records that were refused one by one.
    pub(crate) records_refused: usize,
}

#[derive(Clone)]
struct Shared {
    target: u16,
    client: reqwest::Client,
    kinesis: aws_sdk_kinesis::Client,
    random: Arc<Mutex<fastrand::Rng>>,
    outage: Arc<Mutex<Option<Instant>>>,
    done: Arc<Mutex<Done>>,
}

/// A running proxy.
pub(crate) struct Chaos {
    pub(crate) port: u16,
    shared: Shared,
}

impl Chaos {
    /// Forwards to a port of this machine what it does not break; the same seed breaks in the same way.
    pub(crate) async fn start(target: u16, config: &SdkConfig, seed: u64) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = listener.await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared {
            target,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            kinesis: aws_sdk_kinesis::Client::new(config),
            random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            outage: Arc::default(),
            done: Arc::default(),
        };
        tokio::spawn(accept(listener, shared.clone()));
        Self { port, shared }
    }

    /// Loses every call to Kinesis for a while.
    pub(crate) fn outage(&self, length: Duration) {
        *self.shared.outage.lock().unwrap() = Some(Instant::now() + length);
    }

    pub(crate) fn done(&self) -> Done {
        self.shared.done.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        let service = service_fn(move |request| answer(request, shared.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, shared: Shared) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let is_kinesis = parts.headers.contains_key("x-amz-target");
    shared.done.lock().unwrap().calls += 1;
    let out = shared.outage.lock().unwrap().is_some_and(|end| Instant::now() < end);
    let refused = match shared.roll() {
        _ if is_kinesis && out => Some(Err(Lost)),
        0..7 if is_kinesis => Some(Ok(throttled())),
        0..7 => Some(Ok(error(503, "<Error><Code>SlowDown</Code></Error>"))),
        7..12 => Some(Ok(error(500, r#"{"__type":"InternalFailure"}"#))),
        12..17 => Some(Err(Lost)),
        _ => None,
    };
    if let Some(refused) = refused {
        shared.done.lock().unwrap().refused += 1;
        return refused;
    }
    let answer = if is_kinesis {
        shared.put_some(&body).await
    } else {
        forward(&shared.client, shared.target, &parts, body).await
    };
    let lost = shared.roll() < 5;
    let mut done = shared.done.lock().unwrap();
    // The first for sure, so that a short run has one.
    if lost || done.answers_lost == 0 {
        done.answers_lost += 1;
        return Err(Lost);
    }
    Ok(answer)
}

impl Shared {
    /// A number from 0 to 99.
    fn roll(&self) -> u8 {
        self.random.lock().unwrap().u8(0..100)
    }

    /// Puts seven of ten records, and refuses the others as a shard does that is too busy.
    async fn put_some(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let body: Value = serde_json::from_slice(body).unwrap();
        let records = body["Records"].as_array().unwrap();
        let accepted: Vec<_> = records.iter().map(|_| self.roll() >= 30).collect();
        let put = records.iter().zip(&accepted).filter(|(_, accepted)| **accepted);
        let put: Vec<_> = put.map(|(record, _)| entry(record)).collect();
        self.done.lock().unwrap().records_refused += records.len() - put.len();
        if !put.is_empty() {
            let call = self.kinesis.put_records().stream_name(body["StreamName"].as_str().unwrap());
            let output = call.set_records(Some(put)).send().await.unwrap();
            assert_eq!(output.failed_record_count(), Some(0));
        }
        let results = accepted.iter().map(|accepted| {
            if *accepted {
                json!({"SequenceNumber": "1", "ShardId": "shardId-000000000000"})
            } else {
                json!({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"})
            }
        });
        let failed = accepted.iter().filter(|accepted| !**accepted).count();
        let results: Vec<_> = results.collect();
        let answer = json!({"FailedRecordCount": failed, "Records": results});
        Response::new(Full::from(answer.to_string()))
    }
}

fn entry(record: &Value) -> PutRecordsRequestEntry {
    let data = STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
    let entry = PutRecordsRequestEntry::builder().data(Blob::new(data));
    let entry = entry.partition_key(record["PartitionKey"].as_str().unwrap());
    entry.build().unwrap()
}

fn throttled() -> Response<Full<Bytes>> {
    error(400, r#"{"__type":"ProvisionedThroughputExceededException","message":"Rate exceeded for stream"}"#)
}

fn error(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from(body)).unwrap()
}
