//! Classifies failed AWS calls by the service error's code and, where AWS reuses a code, by its message; never by `SdkError`'s
//! `Display`.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    NotFound,
    Exists,
    /// Something this call depends on has not settled yet: a new role, a stream that is being changed.
    NotYet,
    Throttled,
    /// AWS failed, which may pass by itself.
    Failed,
    Denied,
    Credentials,
    Elsewhere,
    Unreachable,
    /// AWS could not make, change or delete it.
    Unusable,
    TimedOut,
    Interrupted,
    Other,
}

pub(super) fn kind_of<E>(call: &str, error: &SdkError<E>, status: Option<u16>) -> ErrorKind
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(_) => {
            let message = error.message().unwrap_or_default();
            let known = error.code().and_then(|code| classify(call, code, message));
            match (known, status) {
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
            if !failure.is_io() && !failure.is_timeout() && mentions_credentials(error) =>
        {
            ErrorKind::Credentials
        }
        SdkError::ConstructionFailure(_) if mentions_credentials(error) => ErrorKind::Credentials,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            ErrorKind::Unreachable
        }
        _ => ErrorKind::Other,
    }
}

/// Tells a failure to find credentials from other failures before an answer: the SDK has no variant for it.
fn mentions_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.to_string().contains("credential"))
}

pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn Error + 'static)| (*cause).source())
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
pub(super) const UNATTACHABLE: &str = "not attachable";

/// There is one code for call rates and for quotas, of which only the rate passes by itself.
fn is_quota(call: &str, message: &str) -> bool {
    let limited = limits(call).is_some() && !message.contains("Rate exceeded");
    limited || message.contains("Maximum number of") || message.contains("shard limit")
}

/// What AWS allows of a call that changes how much a stream can take (Kinesis API reference).
pub(super) fn limits(call: &str) -> Option<&'static str> {
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

/// Answers that mean "not yet": the call, the error code, and what the message contains.
///
/// From the AWS provider of Terraform and the services' documentation; an empty part matches anything.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("lambda:", "InvalidParameterValueException", "cannot be assumed by Lambda"),
    ("lambda:", "InvalidParameterValueException", "execution role does not have permissions"),
    ("lambda:", "InvalidParameterValueException", "KMS key is invalid for CreateGrant"),
    ("firehose:", "InvalidArgumentException", "is unable to assume role"),
    ("firehose:", "InvalidArgumentException", "is not authorized to"),
    ("firehose:", "InvalidArgumentException", "Access was denied"),
    ("glue:", "ConcurrentModificationException", ""),
    ("firehose:", "InvalidArgumentException", "Please check the role provided"),
    ("firehose:", "InvalidArgumentException", "security token included in the request is invalid"),
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

/// What AWS answers in a region whose endpoint does not know a call yet, such as those for URLs of Lambda functions.
pub(super) const UNKNOWN_CALL: &str = "Unable to determine service/operation name to be authorized";

/// The codes by which services say the same: those with JSON, with forms, and S3.
pub(super) const UNKNOWN_CODES: [&str; 3] = ["UnknownOperationException", "InvalidAction", "NotImplemented"];

/// Whose permissions come on top of IAM's, in accounts that use it.
pub(super) const LAKE_FORMATION: &str = "Lake Formation";

#[cfg(test)]
mod tests {
    use super::ErrorKind::{Credentials, Denied, Exists, NotFound, NotYet, Other, Throttled};
    use super::*;

    const CLASSES: &[(&str, &str, &str, ErrorKind)] = &[
        ("sns:TagResource", "ConcurrentAccess", "", NotYet),
        ("sns:CreateTopic", "InvalidParameter", "Topic already exists with different tags", Exists),
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
        ("cloudwatch:DeleteDashboards", "DashboardNotFoundError", "", NotFound),
        (
            "lambda:CreateFunction",
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
            NotYet,
        ),
        ("lambda:CreateFunction", "InvalidParameterValueException", "memory is too small", Other),
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
        ("lambda:CreateFunction", "ResourceConflictException", "Function already exist: flags", Exists),
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
        ("firehose:CreateDeliveryStream", "ResourceInUseException", "already exists", Exists),
        ("kinesis:CreateStream", "ResourceInUseException", "Stream x already exists", Exists),
        ("kinesis:UpdateShardCount", "ResourceInUseException", "Stream x is UPDATING", NotYet),
        ("apigateway:POST", "LimitExceededException", "Maximum number of APIs reached", Other),
        ("kinesis:UpdateShardCount", "LimitExceededException", "too often in 24 hours", Other),
        ("kinesis:UpdateShardCount", "LimitExceededException", "Rate exceeded for stream x", Throttled),
        ("apigateway:POST", "TooManyRequestsException", "Too Many Requests", Throttled),
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
    fn classes_follow_call_code_and_message() {
        for (call, code, message, want) in CLASSES {
            let kind = classify(call, code, message).unwrap_or(Other);
            assert_eq!(kind, *want, "{call} {code} {message}");
        }
    }
}
