//! Answers that mean "not yet" or "too often", as each service words them: `up` waits and goes on.

use crate::support::emulator::Emulator;
use crate::support::proxy::{Fault, Proxy};

const SPEC: &str = "name: it-not-yet\nstream: {retention_hours: 48}\n";

/// A service that has the code in a header (Lambda, API Gateway).
const fn rest(
    call: &'static str,
    end: &'static str,
    status: u16,
    code: &'static str,
    body: &'static str,
) -> Fault {
    Fault { call, end, status, code, body }
}

/// A service that has everything in the body.
const fn in_body(call: &'static str, status: u16, body: &'static str) -> Fault {
    Fault { call, end: "", status, code: "", body }
}

const FAULTS: [Fault; 16] = [
    rest(
        "POST /2015-03-31/functions",
        "",
        400,
        "InvalidParameterValueException",
        r#"{"Type":"User","message":"The role defined for the function cannot be assumed by Lambda."}"#,
    ),
    rest(
        "POST /2015-03-31/functions",
        "/policy",
        409,
        "ResourceConflictException",
        r#"{"message":"The operation cannot be performed at this time. An update is in progress for resource"}"#,
    ),
    rest("POST /restapis", "", 429, "TooManyRequestsException", r#"{"message":"Too Many Requests"}"#),
    rest(
        "POST /restapis",
        "/deployments",
        409,
        "ConflictException",
        r#"{"message":"Unable to complete operation due to concurrent modification. Please try again later."}"#,
    ),
    rest(
        "PUT /restapis",
        "/methods/POST",
        404,
        "NotFoundException",
        r#"{"message":"Invalid Resource identifier specified"}"#,
    ),
    rest("PUT /restapis", "/integration", 500, "InternalFailure", "{}"),
    in_body(
        "CreateDeliveryStream",
        400,
        r#"{"__type":"InvalidArgumentException","message":"Firehose is unable to assume role arn:aws:iam::1:role/r. Please check the role provided."}"#,
    ),
    in_body(
        "CreateDeliveryStream",
        400,
        r#"{"__type":"InvalidArgumentException","message":"Verify that the IAM role has access. The security token included in the request is invalid"}"#,
    ),
    in_body(
        "CreateStream",
        400,
        r#"{"__type":"LimitExceededException","message":"Rate exceeded for stream"}"#,
    ),
    in_body(
        "IncreaseStreamRetentionPeriod",
        400,
        r#"{"__type":"ResourceInUseException","message":"Stream it-not-yet not ACTIVE, instead in state UPDATING"}"#,
    ),
    in_body(
        "PutRolePolicy",
        404,
        "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>The role cannot be found.</Message></Error></ErrorResponse>",
    ),
    in_body(
        "PutRetentionPolicy",
        400,
        r#"{"__type":"OperationAbortedException","message":"Multiple concurrent requests to update the same resource were in conflict."}"#,
    ),
    in_body(
        "CreateLogStream",
        400,
        r#"{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}"#,
    ),
    rest(
        "PUT /it-not-yet-",
        "?policy",
        409,
        "",
        "<Error><Code>OperationAborted</Code><Message>A conflicting conditional operation is currently in progress.</Message></Error>",
    ),
    rest(
        "PUT /it-not-yet-",
        "?policy",
        404,
        "",
        "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>",
    ),
    rest(
        "PUT /it-not-yet-",
        "?lifecycle",
        503,
        "",
        "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn up_waits_for_what_is_not_there_yet() {
    let emulator = Emulator::start();
    let proxy = Proxy::start(emulator.port).await;
    proxy.inject(&FAULTS);
    let up = proxy.local(SPEC, ["up", "-v"]).exits_with(0);
    assert!(proxy.pending_faults().is_empty(), "{:#?}\n{}", proxy.pending_faults(), up.stderr);
    proxy.local(SPEC, ["plan", "--check"]).exits_with(0);
    proxy.local(SPEC, ["status"]).exits_with(0);
}
