//! A proxy between the command and an emulator that writes down every call, and answers some itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::command::{Run, split_pipeline};
use super::emulator::credentials_file;
use super::pace::{Held, Pace};
use super::weather::{self, Lost, Trouble, Weather};

/// One call as it went over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The operation where the protocol names it, else method, path and query.
    pub(crate) name: String,
    /// Whether it can change anything.
    pub(crate) changes: bool,
    /// When it came.
    pub(crate) started: Instant,
    /// When it was answered, if it was.
    pub(crate) ended: Arc<OnceLock<Instant>>,
}

/// An answer that the proxy gives by itself, once, to the first call of its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// What the call's name starts with.
    pub(crate) call: &'static str,
    /// What the call's name ends with.
    pub(crate) end: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// AWS's error code, for the services that have it in a header.
    pub(crate) code: &'static str,
    /// The body, in the service's own form.
    pub(crate) body: &'static str,
}

/// What a proxy knows, shared by its connections.
#[derive(Clone)]
struct Shared {
    target: u16,
    client: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
    faults: Arc<Mutex<Vec<Fault>>>,
    weather: Arc<Mutex<Weather>>,
    held: Arc<Mutex<Held>>,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Shared,
}

impl Proxy {
    /// Forwards to a port of this machine.
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // The command takes the proxy for the emulator, if that is what is behind it.
        let _ = std::fs::copy(credentials_file(target), credentials_file(port));
        let shared = Shared {
            target,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            calls: Arc::default(),
            faults: Arc::default(),
            weather: Arc::default(),
            held: Arc::default(),
        };
        tokio::spawn(accept(listener, shared.clone()));
        Self { port, shared }
    }

    /// A command on the spec, which it reads from standard input, against the emulator and through the proxy.
    pub(crate) fn local<'a>(&self, spec: &str, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let arguments = ["--local", "--file", "-"].into_iter().chain(arguments);
        let run = split_pipeline(arguments).stdin(spec);
        run.env("SPLIT_PIPELINE_LOCAL_PORT", self.port.to_string())
    }

    /// Lets each of these happen once.
    pub(crate) fn inject(&self, faults: &[Fault]) {
        self.shared.faults.lock().unwrap().extend_from_slice(faults);
    }

    /// Breaks calls at random from now on, or no longer.
    pub(crate) fn set_weather(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Takes its time from now on, or no longer.
    pub(crate) fn set_pace(&self, pace: Pace) {
        *self.shared.held.lock().unwrap() = Held::new(pace);
    }

    /// How many calls the weather broke since it was set.
    pub(crate) fn broken(&self) -> usize {
        self.shared.weather.lock().unwrap().broken
    }

    /// The faults that have not happened yet.
    pub(crate) fn pending_faults(&self) -> Vec<Fault> {
        self.shared.faults.lock().unwrap().clone()
    }

    /// How much was called since it was last taken.
    pub(crate) fn calls(&self) -> usize {
        self.shared.calls.lock().unwrap().len()
    }

    /// Whether something was called whose name starts and ends like this, since the calls were last taken.
    pub(crate) fn has_called(&self, start: &str, end: &str) -> bool {
        let calls = self.shared.calls.lock().unwrap();
        let is_meant = |call: &Call| call.name.starts_with(start) && call.name.ends_with(end);
        calls.iter().any(is_meant)
    }

    /// Whether a call that started after this is still unanswered.
    pub(crate) fn is_unanswered_since(&self, since: Instant) -> bool {
        let calls = self.shared.calls.lock().unwrap();
        calls.iter().any(|call| call.started > since && call.ended.get().is_none())
    }

    /// Hands over what was called since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.shared.calls.lock().unwrap())
    }

    /// Hands over the calls that can change something.
    pub(crate) fn take_changes(&self) -> Vec<String> {
        let calls = self.take_calls();
        assert!(!calls.is_empty(), "the command did not call through the proxy");
        let changes = calls.into_iter().filter(|call| call.changes);
        changes.map(|call| call.name).collect()
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        let service = service_fn(move |request| answer(request, shared.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, shared: Shared) -> Result<Response<Full<Bytes>>, Lost> {
    let (parts, body) = request.into_parts();
    // The body may take its time: the handler's zip does.
    let started = Instant::now();
    let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
    let operation = parts.headers.get("x-amz-target").and_then(|name| name.to_str().ok());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut call = call(&parts.method, path, operation, &body);
    call.started = started;
    let fault = take_fault(&shared, &call);
    shared.calls.lock().unwrap().push(call.clone());
    let answered = give(&parts, body, fault, &call.name, &shared).await;
    let _ = call.ended.set(Instant::now());
    answered
}

/// Gives an answer of our own, or the emulator's in its own time.
async fn give(
    parts: &Parts,
    body: Bytes,
    fault: Option<Fault>,
    call: &str,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, Lost> {
    if let Some(fault) = fault {
        let mut response = Response::builder().status(fault.status);
        if !fault.code.is_empty() {
            response = response.header("x-amzn-errortype", fault.code);
        }
        return Ok(response.body(Full::from(fault.body)).unwrap());
    }
    // What starts like this is the emulator's own, not AWS's.
    let is_aws = !parts.uri.path().starts_with("/_");
    let trouble = is_aws.then(|| shared.weather.lock().unwrap().next()).flatten();
    match trouble {
        Some(Trouble::Late(delay)) => tokio::time::sleep(delay).await,
        Some(Trouble::Throttled) => return Ok(weather::throttled(parts)),
        Some(Trouble::Failed) => return Ok(weather::failed()),
        Some(Trouble::LostBefore) => return Err(Lost),
        Some(Trouble::LostAfter) | None => {}
    }
    let pace = shared.held.lock().unwrap().pace.call;
    tokio::time::sleep(if is_aws { pace } else { Duration::ZERO }).await;
    if let Some(refusal) = shared.held.lock().unwrap().refuse(call, &body) {
        return Ok(refusal);
    }
    let answer = forward(&shared.client, shared.target, parts, body.clone()).await;
    let answer = in_its_time(answer, call, &body, shared).await;
    match trouble {
        Some(Trouble::LostAfter) => Err(Lost),
        _ => Ok(answer),
    }
}

/// Makes an answer say what AWS would say by now.
async fn in_its_time(
    answer: Response<Full<Bytes>>,
    call: &str,
    request: &[u8],
    shared: &Shared,
) -> Response<Full<Bytes>> {
    if !answer.status().is_success() {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap_or_default().to_bytes();
    let was = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut is = Value::clone(&was);
    shared.held.lock().unwrap().answered(call, request, &mut is);
    if is == was {
        return Response::from_parts(parts, Full::from(bytes));
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Full::from(is.to_string()))
}

/// Passes a request on to a port of this machine, and its answer back.
pub(crate) async fn forward(
    client: &reqwest::Client,
    target: u16,
    parts: &Parts,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut forwarded = client.request(parts.method.clone(), format!("http://127.0.0.1:{target}{path}"));
    // The host that was called is part of what the signature covers.
    assert!(parts.headers.contains_key(HOST));
    for (name, value) in &parts.headers {
        forwarded = forwarded.header(name, value);
    }
    let Ok(answer) = forwarded.body(body).send().await else {
        let mut broken = Response::new(Full::default());
        *broken.status_mut() = StatusCode::BAD_GATEWAY;
        return broken;
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !matches!(name.as_str(), "transfer-encoding" | "connection") {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap_or_default();
    response.body(Full::new(body)).unwrap()
}

fn take_fault(shared: &Shared, call: &Call) -> Option<Fault> {
    let mut faults = shared.faults.lock().unwrap();
    let meant = |fault: &Fault| call.name.starts_with(fault.call) && call.name.ends_with(fault.end);
    let index = faults.iter().position(meant)?;
    Some(faults.remove(index))
}

/// Names a call, and tells whether it only reads.
fn call(method: &Method, path: &str, target: Option<&str>, body: &[u8]) -> Call {
    let form = std::str::from_utf8(body).unwrap_or_default();
    let action = form.split('&').find_map(|field| field.strip_prefix("Action="));
    let target = target.and_then(|target| target.rsplit('.').next());
    let operation = path.split_once("/operation/").map(|(_, operation)| operation);
    if let Some(operation) = target.or(action).or(operation) {
        let reads = ["Describe", "Filter", "Get", "List"];
        return Call {
            name: operation.to_owned(),
            changes: !reads.iter().any(|read| operation.starts_with(read)),
            started: Instant::now(),
            ended: Arc::default(),
        };
    }
    Call {
        name: format!("{method} {path}"),
        changes: *method != Method::GET && *method != Method::HEAD,
        started: Instant::now(),
        ended: Arc::default(),
    }
}
