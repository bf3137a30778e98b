//! What can go wrong with an AWS call, in classes that the engine acts on.
//!
//! Owns the classification of error codes, including AWS's answers that mean "not yet". Classes come from the
//! service error's code and, where AWS reuses a code, from its message; never from `SdkError`'s `Display`.
//! Must not retry or wait.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use crate::foreign;

/// What an error means for whoever made the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The resource does not exist.
    NotFound,
    /// The resource exists already.
    Exists,
    /// Something this call depends on has not settled yet: a new role, a stream that is being changed.
    NotYet,
    /// Too many calls.
    Throttled,
    /// AWS failed, which may pass by itself.
    Failed,
    /// The credentials may not do this.
    Denied,
    /// There are no credentials, or they are expired or wrong.
    Credentials,
    /// It is in another region.
    Elsewhere,
    /// No answer from the endpoint.
    Unreachable,
    /// AWS could not make, change or delete it.
    Unusable,
    /// A wait reached its deadline.
    TimedOut,
    /// The user interrupted.
    Interrupted,
    /// Anything else.
    Other,
}

/// The longest that an answer may ask to wait before the next attempt.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// A failed AWS call.
#[derive(Clone, Debug)]
pub struct AwsError {
    /// The service and operation, such as `kinesis:CreateStream`.
    pub call: &'static str,
    /// What it means.
    pub kind: ErrorKind,
    /// AWS's error code.
    pub code: Option<String>,
    /// AWS's message, or what broke on the way.
    pub message: String,
    /// AWS's request id, for its support.
    pub request_id: Option<Box<str>>,
    /// How long AWS says to wait before the next attempt.
    pub retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl AwsError {
    /// Classifies what the SDK reports for `call`.
    pub fn new<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        let message = error.message().map(str::to_owned);
        let request_id = error.request_id().map(Box::from);
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let retry_after = error
            .raw_response()
            .and_then(|answer| retry_after(answer.headers().get("retry-after")?));
        let kind = match &error {
            SdkError::ServiceError(_) => {
                let known = code
                    .as_deref()
                    .map(|code| classify(call, code, message.as_deref().unwrap_or_default()));
                match (known.flatten(), status) {
                    (Some(known), _) => known,
                    (None, Some(429)) => ErrorKind::Throttled,
                    (None, Some(500..)) => ErrorKind::Failed,
                    // The answer to a HEAD request has no body, and so no code.
                    (None, Some(301)) => ErrorKind::Elsewhere,
                    (None, Some(403)) => ErrorKind::Denied,
                    (None, Some(404)) => ErrorKind::NotFound,
                    _ => ErrorKind::Other,
                }
            }
            SdkError::DispatchFailure(failure)
                if !failure.is_io() && !failure.is_timeout() && mentions_credentials(&error) =>
            {
                ErrorKind::Credentials
            }
            SdkError::ConstructionFailure(_) if mentions_credentials(&error) => ErrorKind::Credentials,
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                ErrorKind::Unreachable
            }
            _ => ErrorKind::Other,
        };
        let message = message.unwrap_or_else(|| match (&error, status) {
            (SdkError::ServiceError(_), Some(status)) => format!("answered with HTTP status {status}"),
            _ => innermost(&error),
        });
        Self {
            call,
            kind,
            code: code.as_deref().map(foreign::line),
            message: foreign::line(&message),
            request_id,
            retry_after,
            source: Some(Arc::new(error)),
        }
    }

    /// An error of our own making: a deadline, an interruption, an answer that makes no sense.
    pub fn own(call: &'static str, kind: ErrorKind, message: impl Into<String>) -> Self {
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
        Self::own(call, ErrorKind::Other, message)
    }

    /// An answer that lacks what AWS documents to be in it.
    pub fn incomplete(call: &'static str, missing: &str) -> Self {
        Self::own(call, ErrorKind::Other, format!("the answer has no {missing}"))
    }

    /// Whether the call does not exist where it was made. It looks like a call that is denied, but whoever made it may be allowed
    /// everything: there is no action that could be.
    pub(super) fn is_unknown_call(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        UNKNOWN_CODES.contains(&code)
            || (self.kind == ErrorKind::Denied && self.message.contains(UNKNOWN_CALL))
    }

    /// What the user can do about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self.kind {
            ErrorKind::Denied | ErrorKind::Other if self.message.contains(LAKE_FORMATION) => {
                "Lake Formation rules over tables in this account, besides IAM: `aws lakeformation grant-permissions` gives what \
                 the message names to whoever is refused, the delivery role where Firehose is; then run the command again"
                    .to_owned()
            }
            ErrorKind::Denied => format!("allow {} to the credentials that run this", self.denied_action()),
            ErrorKind::Credentials => {
                "check the credentials: `aws sts get-caller-identity`, AWS_PROFILE or --profile, `aws sso login`; --local needs none"
                    .to_owned()
            }
            ErrorKind::Unreachable => "check the network, the region and --endpoint-url".to_owned(),
            ErrorKind::Throttled => "AWS limits how often this may be called; run the command again".to_owned(),
            ErrorKind::Other if self.code.as_deref() == Some("LimitExceededException") => {
                match limits(self.call) {
                    Some(limits) => limits.to_owned(),
                    None => return Vec::new(),
                }
            }
            ErrorKind::Other if self.message.contains(UNATTACHABLE) => {
                "`iam.permissions_boundary` in the spec has to be the ARN of a policy that is there".to_owned()
            }
            ErrorKind::Other if self.message.contains("CloudWatch Logs role ARN must be set") => {
                "API Gateway logs by one role for all APIs of an account and region, so it is not `up` that sets it: make a role \
                 that trusts apigateway.amazonaws.com with the policy AmazonAPIGatewayPushToCloudWatchLogs, and `aws \
                 apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN`; or \
                 leave `webhook.access_log` out"
                    .to_owned()
            }
            ErrorKind::Failed => "AWS failed, not the spec; run the command again later".to_owned(),
            _ => return Vec::new(),
        };
        let mut hints = vec![hint];
        if self.kind == ErrorKind::Denied && !self.message.contains(LAKE_FORMATION) {
            hints.push("`split-pipeline permissions` prints a policy with all that is needed, `--for replay` the one for `replay`".to_owned());
        }
        hints
    }
}

impl AwsError {
    /// The IAM action that was denied: the one that AWS names, which may be another than the call's, such as
    /// `iam:PassRole`.
    fn denied_action(&self) -> &str {
        let named = self.message.split_once("not authorized to perform: ");
        let named = named.and_then(|(_, rest)| rest.split_whitespace().next());
        named.unwrap_or_else(|| action(self.call))
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

/// How long a header says to wait before the next attempt.
fn retry_after(seconds: &str) -> Option<Duration> {
    let seconds = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// What AWS answers in a region whose endpoint does not know a call yet, such as those for URLs of Lambda functions.
const UNKNOWN_CALL: &str = "Unable to determine service/operation name to be authorized";

/// The codes by which services say the same: those with JSON, with forms, and S3.
const UNKNOWN_CODES: [&str; 3] = ["UnknownOperationException", "InvalidAction", "NotImplemented"];

/// Whose permissions come on top of IAM's, in accounts that use it.
const LAKE_FORMATION: &str = "Lake Formation";

/// Answers that mean "not yet": the call, the error code, and what the message contains.
///
/// From the AWS provider of Terraform and the services' documentation; an empty part matches anything.
const NOT_YET: &[(&str, &str, &str)] = &[
    (
        "lambda:",
        "InvalidParameterValueException",
        "cannot be assumed by Lambda",
    ),
    (
        "lambda:",
        "InvalidParameterValueException",
        "execution role does not have permissions",
    ),
    (
        "lambda:",
        "InvalidParameterValueException",
        "KMS key is invalid for CreateGrant",
    ),
    (
        "firehose:",
        "InvalidArgumentException",
        "is unable to assume role",
    ),
    ("firehose:", "InvalidArgumentException", "is not authorized to"),
    ("firehose:", "InvalidArgumentException", "Access was denied"),
    ("glue:", "ConcurrentModificationException", ""),
    (
        "firehose:",
        "InvalidArgumentException",
        "Please check the role provided",
    ),
    (
        "firehose:",
        "InvalidArgumentException",
        "security token included in the request is invalid",
    ),
    ("firehose:", "ConcurrentModificationException", ""),
    ("kinesis:CreateStream", "ResourceInUseException", "being deleted"),
    ("apigateway:", "ConflictException", "concurrent modification"),
    ("apigateway:", "ConflictException", "try again later"),
    ("iam:", "MalformedPolicyDocument", "Invalid principal"),
    ("iam:", "ConcurrentModification", ""),
    ("s3:", "OperationAborted", ""),
    ("logs:", "OperationAbortedException", ""),
    ("sns:", "ConcurrentAccess", ""),
];

fn is_not_yet(call: &str, code: &str, message: &str) -> bool {
    // What Lake Formation has to grant does not come by waiting.
    let comes = !message.contains(LAKE_FORMATION);
    let mut known = NOT_YET.iter();
    comes
        && known
            .any(|(calls, codes, part)| call.starts_with(calls) && code == *codes && message.contains(part))
}

/// What an error code means; nothing where it is none that we know.
fn classify(call: &str, code: &str, message: &str) -> Option<ErrorKind> {
    if is_not_yet(call, code, message) {
        return Some(ErrorKind::NotYet);
    }
    Some(match code {
        "NoSuchEntity" if message.contains(UNATTACHABLE) => ErrorKind::Other,
        "ResourceInUseException"
            if call == "kinesis:CreateStream" || call == "firehose:CreateDeliveryStream" =>
        {
            ErrorKind::Exists
        }
        // While a stream or delivery stream is CREATING or UPDATING, every change is refused with this.
        "ResourceInUseException" => ErrorKind::NotYet,
        // The same for a function that is Pending, or has an update in progress.
        "ResourceConflictException" if !message.contains("already exist") => ErrorKind::NotYet,
        "BucketAlreadyOwnedByYou"
        | "AlreadyExistsException"
        | "ConflictException"
        | "EntityAlreadyExists"
        | "EntityAlreadyExistsException"
        | "ResourceAlreadyExistsException"
        | "ResourceConflictException" => ErrorKind::Exists,
        "NotFound"
        | "NotFoundException"
        | "NoSuchEntity"
        | "NoSuchEntityException"
        | "ResourceNotFoundException"
        | "NoSuchBucket"
        | "NoSuchBucketPolicy"
        | "NoSuchKey"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchTagSet"
        | "ObjectLockConfigurationNotFoundError"
        | "ResourceNotFound"
        | "DashboardNotFoundError"
        | "EntityNotFoundException"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => ErrorKind::NotFound,
        "LimitExceededException" if is_quota(call, message) => ErrorKind::Other,
        _ if FAILED.contains(&code) => ErrorKind::Failed,
        _ if THROTTLED.contains(&code) => ErrorKind::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "Forbidden"
        | "UnauthorizedOperation" => ErrorKind::Denied,
        // CreateTopic takes one that is there as made, unless its tags or attributes are others.
        "InvalidParameter" | "InvalidParameterException"
            if call == "sns:CreateTopic" && message.contains("already exists") =>
        {
            ErrorKind::Exists
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::Credentials,
        _ => return None,
    })
}

/// What services call it that they were called too often (the SDK's own list, and what Kinesis adds).
const THROTTLED: [&str; 18] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "KMSThrottlingException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "WriteRequestRateExceeded",
];

/// AWS's names for its own failures; they come with 5xx, but Kinesis and S3 also say so in a 200 or 400.
const FAILED: [&str; 7] = [
    "InternalError",
    "InternalFailure",
    "InternalFailureException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// What IAM says of a permissions boundary that is not there.
const UNATTACHABLE: &str = "not attachable";

/// There is one code for call rates and for quotas, of which only the rate passes by itself.
fn is_quota(call: &str, message: &str) -> bool {
    let limited = limits(call).is_some() && !message.contains("Rate exceeded");
    limited || message.contains("Maximum number of") || message.contains("shard limit")
}

/// What AWS allows of a call that changes how much a stream can take (Kinesis API reference).
fn limits(call: &str) -> Option<&'static str> {
    match call {
        "kinesis:UpdateShardCount" => Some(
            "AWS lets a stream's shards be changed ten times in 24 hours, and has a quota of shards for each account and \
             region (Service Quotas, Kinesis); `status` shows how many there are now",
        ),
        "kinesis:UpdateStreamMode" => {
            Some("AWS lets a stream's mode be changed twice in 24 hours; run the command again then")
        }
        _ => None,
    }
}

/// The IAM action that allows a call: mostly its name.
fn action(call: &str) -> &str {
    match call {
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:HeadBucket" => "s3:ListBucket",
        "s3:ListObjectVersions" => "s3:ListBucketVersions",
        "apigateway:PutMethod" | "apigateway:PutIntegration" | "apigateway:TagResource" => "apigateway:PUT",
        "apigateway:UntagResource" => "apigateway:DELETE",
        _ if call.starts_with("apigateway:Get") => "apigateway:GET",
        _ if call.starts_with("apigateway:Create") => "apigateway:POST",
        _ if call.starts_with("apigateway:Update") => "apigateway:PATCH",
        _ if call.starts_with("apigateway:Delete") => "apigateway:DELETE",
        _ => call,
    }
}

/// The SDK's types refuse what lacks a required field; nothing has been called.
impl From<BuildError> for AwsError {
    fn from(error: BuildError) -> Self {
        Self::own("a request", ErrorKind::Other, error.to_string())
    }
}

/// Tells a failure to find credentials from other failures before an answer: the SDK has no variant for it.
fn mentions_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.to_string().contains("credential"))
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
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
    use super::ErrorKind::{Credentials, Denied, Exists, NotFound, NotYet, Other, Throttled};
    use super::*;

    const CLASSES: &[(&str, &str, &str, ErrorKind)] = &[
        ("sns:TagResource", "ConcurrentAccess", "", NotYet),
        (
            "sns:CreateTopic",
            "InvalidParameter",
            "Topic already exists with different tags",
            Exists,
        ),
        ("sns:Subscribe", "InvalidParameter", "it already exists", Other),
        ("sns:CreateTopic", "AuthorizationError", "", Denied),
        ("cloudwatch:GetDashboard", "ResourceNotFound", "", NotFound),
        ("glue:GetTable", "EntityNotFoundException", "", NotFound),
        ("glue:CreateTable", "AlreadyExistsException", "", Exists),
        ("glue:UpdateTable", "ConcurrentModificationException", "", NotYet),
        (
            "firehose:CreateDeliveryStream",
            "InvalidArgumentException",
            "Access was denied when calling Glue. Please ensure that the role has the necessary permissions.",
            NotYet,
        ),
        (
            "firehose:CreateDeliveryStream",
            "InvalidArgumentException",
            "Access was denied when calling Glue. Insufficient Lake Formation permission(s): Required Describe on impressions",
            Other,
        ),
        (
            "cloudwatch:DeleteDashboards",
            "DashboardNotFoundError",
            "",
            NotFound,
        ),
        (
            "lambda:CreateFunction",
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            NotYet,
        ),
        (
            "lambda:CreateFunction",
            "InvalidParameterValueException",
            "memory is too small",
            Other,
        ),
        (
            "lambda:AddPermission",
            "ResourceConflictException",
            "The statement id (a) provided already exists",
            Exists,
        ),
        (
            "lambda:UpdateFunctionCode",
            "ResourceConflictException",
            "An update is in progress for resource",
            NotYet,
        ),
        (
            "lambda:AddPermission",
            "ResourceConflictException",
            "The operation cannot be performed at this time. The function is currently in the following state: Pending",
            NotYet,
        ),
        (
            "lambda:CreateFunction",
            "ResourceConflictException",
            "Function already exist: flags",
            Exists,
        ),
        (
            "firehose:DeleteDeliveryStream",
            "ResourceInUseException",
            "Delivery stream flags is in CREATING state",
            NotYet,
        ),
        (
            "firehose:CreateDeliveryStream",
            "InvalidArgumentException",
            "Firehose is unable to assume role arn",
            NotYet,
        ),
        (
            "firehose:CreateDeliveryStream",
            "ResourceInUseException",
            "already exists",
            Exists,
        ),
        (
            "kinesis:CreateStream",
            "ResourceInUseException",
            "Stream x already exists",
            Exists,
        ),
        (
            "kinesis:UpdateShardCount",
            "ResourceInUseException",
            "Stream x is UPDATING",
            NotYet,
        ),
        (
            "apigateway:POST",
            "LimitExceededException",
            "Maximum number of APIs reached",
            Other,
        ),
        (
            "kinesis:UpdateShardCount",
            "LimitExceededException",
            "too often in 24 hours",
            Other,
        ),
        (
            "kinesis:UpdateShardCount",
            "LimitExceededException",
            "Rate exceeded for stream x",
            Throttled,
        ),
        (
            "apigateway:POST",
            "TooManyRequestsException",
            "Too Many Requests",
            Throttled,
        ),
        (
            "kinesis:GetRecords",
            "ProvisionedThroughputExceededException",
            "Rate exceeded for shard",
            Throttled,
        ),
        ("s3:PutBucketPolicy", "AccessDenied", "Access Denied", Denied),
        ("sts:GetCallerIdentity", "ExpiredToken", "expired", Credentials),
        ("iam:GetRole", "NoSuchEntity", "", NotFound),
        (
            "iam:CreateRole",
            "NoSuchEntity",
            "Scope ARN: arn:aws:iam::1:policy/b does not exist or is not attachable.",
            Other,
        ),
    ];

    #[test]
    fn the_denied_action_is_the_one_that_aws_names() {
        let denied = |call, message: &str| AwsError::own(call, Denied, message).hints().remove(0);
        let pass_role =
            "User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: r";
        assert!(denied("lambda:CreateFunction", pass_role).starts_with("allow iam:PassRole to"));
        let lake = denied(
            "glue:GetTable",
            "Insufficient Lake Formation permission(s): Required Describe on t",
        );
        assert!(lake.contains("lakeformation grant-permissions"), "{lake}");
        assert!(
            denied("s3:HeadBucket", "answered with HTTP status 403").starts_with("allow s3:ListBucket to")
        );
    }

    #[test]
    fn no_answer_makes_a_command_wait_for_ever() {
        let seconds = |text: &str| retry_after(text).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("18446744073709551615"), Some(3600));
        assert_eq!([seconds("-1"), seconds("soon")], [None, None]);
    }

    #[test]
    fn an_error_stays_on_its_line_whatever_aws_says() {
        let error = AwsError::own("s3:PutObject", Other, "no\nhint: run `x`\r\u{1b}[2J\u{2028}");
        assert_eq!(
            error.to_string(),
            "s3:PutObject: no\\nhint: run `x`\\r\\u{1b}[2J\\u{2028}"
        );
        let denied = AwsError::own("s3:PutObject", Denied, "not authorized to perform: a\nhint: b");
        assert!(denied.hints().iter().all(|hint| !hint.contains('\n')));
    }

    #[test]
    fn classes_follow_call_code_and_message() {
        for (call, code, message, want) in CLASSES {
            let kind = classify(call, code, message).unwrap_or(Other);
            assert_eq!(kind, *want, "{call} {code} {message}");
        }
    }
}
