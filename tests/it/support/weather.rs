//! What befalls calls at random on their way to AWS, the same for the same seed and order of calls.

use std::time::Duration;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::http::request::Parts;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("connection lost")]
pub(crate) struct Lost;

/// What happens to one call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// It is carried out later.
    Late(Duration),
    /// It is refused as one too many.
    Throttled,
    /// It is answered with 500, and not carried out.
    Failed,
    /// The connection is lost before it is carried out.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
}

/// How often calls are broken; by default never.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    random: Option<fastrand::Rng>,
    percent: u8,
    /// How many calls were broken.
    pub(crate) broken: usize,
}

impl Weather {
    /// Breaks so many calls of a hundred.
    pub(crate) fn stormy(percent: u8, seed: u64) -> Self {
        Self { random: Some(fastrand::Rng::with_seed(seed)), percent, broken: 0 }
    }

    /// Says what happens to the next call.
    pub(crate) fn next(&mut self) -> Option<Trouble> {
        let random = self.random.as_mut()?;
        if random.u8(0..100) >= self.percent {
            return None;
        }
        self.broken += 1;
        let late = Duration::from_millis(random.u64(20..200));
        let troubles = [
            Trouble::Late(late),
            Trouble::Throttled,
            Trouble::Failed,
            Trouble::LostBefore,
            Trouble::LostAfter,
        ];
        random.choice(troubles)
    }
}

/// The answer to one call too many, in the form of the service that is called.
pub(crate) fn throttled(parts: &Parts) -> Response<Full<Bytes>> {
    let (status, code, body) = if let Some(target) = parts.headers.get("x-amz-target") {
        let kinesis = target.as_bytes().starts_with(b"Kinesis");
        let body = if kinesis {
            r#"{"__type":"LimitExceededException","message":"Rate exceeded"}"#
        } else {
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#
        };
        (400, "", body)
    } else if parts.uri.path() == "/" && parts.method == hyper::Method::POST {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        (400, "", body)
    } else if ["/restapis", "/2015-03-31", "/2017-", "/tags"]
        .iter()
        .any(|start| parts.uri.path().starts_with(start))
    {
        (429, "TooManyRequestsException", r#"{"message":"Too Many Requests"}"#)
    } else {
        (503, "", "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
    };
    let mut answer = Response::builder().status(status);
    if !code.is_empty() {
        answer = answer.header("x-amzn-errortype", code);
    }
    answer.body(Full::from(body)).unwrap()
}

/// The answer of a service that failed.
pub(crate) fn failed() -> Response<Full<Bytes>> {
    Response::builder().status(500).body(Full::default()).unwrap()
}
