//! Defines both ends of API Gateway's proxy integration: the event that comes in and the response that goes out.
//!
//! Must not know what the body holds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::decode::Encoding;
use crate::log::Line;

/// What of an API Gateway proxy event matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProxyEvent<'a> {
    #[serde(borrow, default)]
    body: Option<Body<'a>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

/// A body, borrowed from the event where it has no escapes, as base64 never has.
///
/// A type of its own because serde borrows a `Cow` that is a field, but not one inside an `Option`.
#[derive(Debug, Deserialize)]
struct Body<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> ProxyEvent<'a> {
    /// Reads an event; `None` if it is of another shape.
    pub(crate) fn read(event: &'a RawValue) -> Option<Self> {
        let is_object = event.get().starts_with('{');
        is_object.then(|| serde_json::from_str(event.get()).ok()).flatten()
    }

    pub(crate) fn body(&self) -> &str {
        self.body.as_ref().map_or("", |body| &body.0)
    }

    pub(crate) fn encoding(&self) -> Encoding {
        match self.is_base64_encoded {
            Some(true) => Encoding::Base64,
            Some(false) | None => Encoding::Text,
        }
    }
}

/// The response that API Gateway turns into the answer to the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub(crate) status_code: u16,
    pub(crate) headers: Headers,
    pub(crate) body: String,
    pub(crate) is_base64_encoded: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Headers {
    pub(crate) content_type: &'static str,
}

impl Response {
    /// Answers 200: every element is stored, so `delivered + spilled + rejected = received`.
    pub(crate) fn taken(line: &Line) -> Self {
        let Line { received, delivered, spilled, rejected, .. } = line;
        let body = format!(
            r#"{{"received":{received},"delivered":{delivered},"spilled":{spilled},"rejected":{rejected}}}"#
        );
        Self::new(200, body)
    }

    pub(crate) fn refused(status_code: u16, error: &str) -> Self {
        let body = serde_json::json!({ "error": error });
        Self::new(status_code, body.to_string())
    }

    fn new(status_code: u16, body: String) -> Self {
        Self {
            status_code,
            headers: Headers { content_type: "application/json" },
            body,
            is_base64_encoded: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, Encoding)> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let event = ProxyEvent::read(raw)?;
        Some((event.body().to_owned(), event.encoding()))
    }

    #[test]
    fn events_are_read_whatever_else_they_hold() {
        let cases = [
            (r#"{"body":"x","isBase64Encoded":true}"#, "x", Encoding::Base64),
            (r#"{"body":"\"\u00e9","isBase64Encoded":false}"#, "\"é", Encoding::Text),
            (r#"{"body":null,"isBase64Encoded":null}"#, "", Encoding::Text),
            (r#"{"httpMethod":"POST","headers":{"body":1}}"#, "", Encoding::Text),
        ];
        for (json, body, encoding) in cases {
            assert_eq!(read(json), Some((body.to_owned(), encoding)), "{json}");
        }
    }

    #[test]
    fn other_shapes_are_none() {
        let shapes = [
            "null",
            "1",
            "[]",
            r#"["x",true]"#,
            r#"{"body":1}"#,
            r#"{"body":{}}"#,
            r#"{"body":"\ud800"}"#,
            r#"{"body":"x","isBase64Encoded":"yes"}"#,
        ];
        for json in shapes {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn base64_is_borrowed() {
        let raw: &RawValue = serde_json::from_str(r#"{"body":"WzFd"}"#).unwrap();
        let event = ProxyEvent::read(raw).unwrap();
        assert!(matches!(event.body, Some(Body(Cow::Borrowed("WzFd")))));
    }

    #[test]
    fn responses_are_what_api_gateway_expects() {
        let have = serde_json::to_string(&Response::refused(400, "no")).unwrap();
        let want = concat!(
            r#"{"statusCode":400,"headers":{"content-type":"application/json"},"#,
            r#""body":"{\"error\":\"no\"}","isBase64Encoded":false}"#,
        );
        assert_eq!(have, want);
    }
}
