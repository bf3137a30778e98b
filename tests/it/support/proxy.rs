//! A proxy between the command and an emulator that writes down every call.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// One call as it went over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The operation where the protocol names it, else method and path.
    pub(crate) name: String,
    /// Whether it can change anything.
    pub(crate) changes: bool,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Proxy {
    /// Forwards to a port of this machine.
    pub(crate) async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        tokio::spawn(accept(listener, target, client, Arc::clone(&calls)));
        Self { port, calls }
    }

    /// Hands over what was called since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// Hands over the calls that can change something.
    pub(crate) fn take_changes(&self) -> Vec<String> {
        let calls = self.take_calls();
        assert!(!calls.is_empty(), "the command did not call through the proxy");
        let changes = calls.into_iter().filter(|call| call.changes);
        changes.map(|call| call.name).collect()
    }
}

async fn accept(listener: TcpListener, target: u16, client: reqwest::Client, calls: Arc<Mutex<Vec<Call>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (client, calls) = (client.clone(), Arc::clone(&calls));
        let service = service_fn(move |request| answer(request, target, client.clone(), Arc::clone(&calls)));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    target: u16,
    client: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let target_operation = parts
        .headers
        .get("x-amz-target")
        .and_then(|name| name.to_str().ok());
    calls
        .lock()
        .unwrap()
        .push(call(&parts.method, parts.uri.path(), target_operation, &body));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut forwarded = client.request(parts.method, format!("http://127.0.0.1:{target}{path}"));
    // The host that was called is part of what the signature covers.
    for (name, value) in &parts.headers {
        forwarded = forwarded.header(name, value);
    }
    assert!(parts.headers.contains_key(HOST));
    let Ok(answer) = forwarded.body(body).send().await else {
        let mut broken = Response::new(Full::default());
        *broken.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(broken);
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !matches!(name.as_str(), "transfer-encoding" | "connection") {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap_or_default();
    Ok(response.body(Full::new(body)).unwrap())
}

/// Names a call, and tells whether it only reads.
fn call(method: &Method, path: &str, target: Option<&str>, body: &[u8]) -> Call {
    let form = std::str::from_utf8(body).unwrap_or_default();
    let action = form.split('&').find_map(|field| field.strip_prefix("Action="));
    if let Some(operation) = target.and_then(|target| target.rsplit('.').next()).or(action) {
        let reads = ["Describe", "Filter", "Get", "List"];
        return Call {
            name: operation.to_owned(),
            changes: !reads.iter().any(|read| operation.starts_with(read)),
        };
    }
    Call {
        name: format!("{method} {path}"),
        changes: *method != Method::GET && *method != Method::HEAD,
    }
}
