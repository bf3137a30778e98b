//! The error of a failed AWS call: its class, on which callers act, and its text.
//!
//! Must not retry or wait.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use super::classify::{ErrorKind, UNKNOWN_CALL, UNKNOWN_CODES, chain, kind_of};
use crate::foreign;

/// The longest that an answer may ask to wait before the next attempt.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

#[derive(Clone, Debug)]
pub struct AwsError {
    /// The service and operation, such as `kinesis:CreateStream`.
    pub call: &'static str,
    pub kind: ErrorKind,
    pub code: Option<String>,
    /// AWS's message, or what broke on the way.
    pub message: String,
    pub request_id: Option<Box<str>>,
    /// How long AWS says to wait before the next attempt.
    pub retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl AwsError {
    pub fn from_sdk<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let request_id = error.request_id().map(Box::from);
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let retry_after =
            error.raw_response().and_then(|answer| retry_after(answer.headers().get("retry-after")?));
        let kind = kind_of(call, &error, status);
        let message = match (error.message(), &error, status) {
            (Some(message), ..) => message.to_owned(),
            (None, SdkError::ServiceError(_), Some(status)) => format!("answered with HTTP status {status}"),
            _ => innermost(&error),
        };
        Self {
            call,
            kind,
            code: error.code().map(foreign::line),
            message: foreign::line(&message),
            request_id,
            retry_after,
            source: Some(Arc::new(error)),
        }
    }

    /// An error without one of the SDK: a deadline, an interruption, an answer that makes no sense.
    pub fn new(call: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            call,
            kind,
            code: None,
            message: foreign::line(&message.into()),
            request_id: None,
            retry_after: None,
            source: None,
        }
    }

    /// An answer whose text is not of the form that AWS documents.
    pub fn malformed(call: &'static str, what: &str, text: &str, form: &str) -> Self {
        let text = foreign::line(text);
        let message = format!("the answer has the {what} \"{text}\", which is not {form}");
        Self::new(call, ErrorKind::Other, message)
    }

    /// An answer that lacks what AWS documents to be in it.
    pub fn incomplete(call: &'static str, missing: &str) -> Self {
        Self::new(call, ErrorKind::Other, format!("the answer has no {missing}"))
    }

    /// Whether the call does not exist where it was made. It looks like a call that is denied, but whoever made it may be allowed
    /// everything: there is no action that could be.
    pub(super) fn is_unknown_call(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        UNKNOWN_CODES.contains(&code)
            || (self.kind == ErrorKind::Denied && self.message.contains(UNKNOWN_CALL))
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Unusable | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                return write!(f, "{}", self.message);
            }
            _ => write!(f, "{}: {}", self.call, self.message)?,
        }
        match (&self.code, &self.request_id) {
            (Some(code), Some(id)) => write!(f, " ({code}, request {id})"),
            (Some(code), None) => write!(f, " ({code})"),
            (None, Some(id)) => write!(f, " (request {id})"),
            (None, None) => Ok(()),
        }
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The SDK's chain repeats what `Display` says, except where there was no answer to quote.
        if self.code.is_some() {
            return None;
        }
        self.source.as_deref().and_then(Error::source)
    }
}

fn retry_after(seconds: &str) -> Option<Duration> {
    let seconds = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// The SDK's types refuse what lacks a required field; nothing has been called.
impl From<BuildError> for AwsError {
    fn from(error: BuildError) -> Self {
        Self::new("a request", ErrorKind::Other, error.to_string())
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Turns the classes that are no failure for the caller into values.
pub trait Outcome<T> {
    /// `None` where the resource does not exist.
    fn found(self) -> Result<Option<T>, AwsError>;
}

impl<T> Outcome<T> for Result<T, AwsError> {
    fn found(self) -> Result<Option<T>, AwsError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind::{Denied, Other};
    use super::*;

    #[test]
    fn no_answer_makes_a_command_wait_for_ever() {
        let seconds = |text: &str| retry_after(text).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("18446744073709551615"), Some(3600));
        assert_eq!([seconds("-1"), seconds("soon")], [None, None]);
    }

    #[test]
    fn an_error_stays_on_its_line_whatever_aws_says() {
        let error = AwsError::new("s3:PutObject", Other, "no\nhint: run `x`\r\u{1b}[2J\u{2028}");
        assert_eq!(error.to_string(), "s3:PutObject: no\\nhint: run `x`\\r\\u{1b}[2J\\u{2028}");
        let denied = AwsError::new("s3:PutObject", Denied, "not authorized to perform: a\nhint: b");
        assert!(denied.hints().iter().all(|hint| !hint.contains('\n')));
    }
}
