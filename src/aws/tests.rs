//! Unit tests of calls: when and for how long a call is repeated, and that no call starts after an interruption.

use aws_sdk_kinesis::operation::delete_stream::{DeleteStreamError, DeleteStreamOutput};
use aws_sdk_kinesis::operation::get_resource_policy::GetResourcePolicyError;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_types::error::ErrorMetadata;

use super::*;

/// A call that fails with this code so many times before it works.
fn failing(code: &'static str, times: usize) -> Rule {
    let error = move || DeleteStreamError::generic(ErrorMetadata::builder().code(code).build());
    mock!(aws_sdk_kinesis::Client::delete_stream)
        .sequence()
        .error(error)
        .times(times)
        .output(|| DeleteStreamOutput::builder().build())
        .build()
}

async fn delete(aws: &Aws) -> Result<(), AwsError> {
    let request = || aws.kinesis.delete_stream().stream_name("s").send();
    aws.call("kinesis:DeleteStream", request).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_repeated_for_two_minutes() {
    let rule = failing("LimitExceededException", 10_000);
    let aws = testing::aws(&[&rule], &[]);
    let started = tokio::time::Instant::now();
    let error = delete(&aws).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    let took = started.elapsed();
    assert!(took > Duration::from_secs(105) && took <= Duration::from_mins(2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_throttled_for_a_while_works_then() {
    let rule = failing("LimitExceededException", 5);
    delete(&testing::aws(&[&rule], &[])).await.unwrap();
    assert_eq!(rule.num_calls(), 6);
}

#[tokio::test]
async fn a_refused_call_is_made_once() {
    let rule = failing("AccessDeniedException", 10);
    let error = delete(&testing::aws(&[&rule], &[])).await.unwrap_err();
    assert_eq!((error.kind, rule.num_calls()), (ErrorKind::Denied, 1));
}

#[tokio::test]
async fn no_call_starts_after_an_interruption() {
    let rule =
        mock!(aws_sdk_kinesis::Client::delete_stream).then_output(|| DeleteStreamOutput::builder().build());
    let aws = testing::aws(&[&rule], &[]);
    aws.interrupt.cancel();
    let error = delete(&aws).await.unwrap_err();
    assert_eq!((error.kind, rule.num_calls()), (ErrorKind::Interrupted, 0));
    delete(&aws.with_interrupt(CancellationToken::new())).await.unwrap();
}

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/s";

/// Looks for a policy of a stream, with a call that fails with this code and message.
async fn look(code: &'static str, message: &'static str, endpoint: Option<&str>) -> Result<bool, ErrorKind> {
    let error = move || {
        let error = ErrorMetadata::builder().code(code).message(message);
        GetResourcePolicyError::generic(error.build())
    };
    let rule = mock!(aws_sdk_kinesis::Client::get_resource_policy).sequence().error(error).build();
    let aws = Aws { endpoint: endpoint.map(str::to_owned), ..testing::aws(&[&rule], &[]) };
    let request = || aws.kinesis.get_resource_policy().resource_arn(STREAM).send();
    let found = aws.look("kinesis:GetResourcePolicy", request).await;
    found.map(|found| found.is_some()).map_err(|error| error.kind)
}

#[tokio::test]
async fn what_nobody_may_look_at_is_never_taken_for_nothing() {
    let emulator = Some("http://127.0.0.1:4566");
    for endpoint in [None, emulator] {
        assert_eq!(look("ResourceNotFoundException", "", endpoint).await, Ok(false));
        let denied = look("AccessDeniedException", "User is not authorized", endpoint).await;
        assert_eq!(denied, Err(ErrorKind::Denied));
        // A region that does not know the call has nothing that it could find.
        let unknown = "Unable to determine service/operation name to be authorized";
        assert_eq!(look("AccessDeniedException", unknown, endpoint).await, Ok(false));
        for code in ["UnknownOperationException", "InvalidAction", "NotImplemented"] {
            assert_eq!(look(code, "", endpoint).await, Ok(false));
        }
    }
    let other = "SomethingElseException";
    assert_eq!(look(other, "", None).await, Err(ErrorKind::Other));
    assert_eq!(look(other, "", emulator).await, Ok(false));
}
