//! How AWS takes its time where an emulator is done at once: every call, and states that last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

/// How long things take; by default nothing does.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Every call.
    pub(crate) call: Duration,
    /// Until a new stream is ACTIVE.
    pub(crate) stream: Duration,
    /// Until a changed stream is ACTIVE again.
    pub(crate) stream_change: Duration,
    /// Until a new role can be assumed.
    pub(crate) role: Duration,
    /// Until a new delivery stream is ACTIVE.
    pub(crate) delivery_stream: Duration,
    /// Until a new function is Active.
    pub(crate) function: Duration,
    /// Why Firehose cannot make the first delivery stream, if so.
    pub(crate) delivery_fails: Option<&'static str>,
}

/// What is not there yet, and from when on it will be.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) pace: Pace,
    until: HashMap<String, Instant>,
    /// The shards of every stream, as last described.
    shards: HashMap<String, u64>,
    /// How many delivery streams were made.
    deliveries: usize,
}

impl Held {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    fn is_held(&self, what: &str) -> bool {
        self.until.get(what).is_some_and(|until| Instant::now() < *until)
    }

    fn hold(&mut self, what: String, time: Duration) {
        self.until.insert(what, Instant::now() + time);
    }

    /// AWS's answer to a call that comes too early, if it does.
    pub(crate) fn refuse(&self, call: &str, body: &[u8]) -> Option<Response<Full<Bytes>>> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut roles = self.until.keys().filter_map(|what| what.strip_prefix("role "));
        let young = roles
            .any(|role| text.contains(&format!(":role/{role}\"")) && self.is_held(&format!("role {role}")));
        match call {
            "POST /2015-03-31/functions" if young => Some(refusal(
                400,
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
            )),
            "CreateDeliveryStream" | "UpdateDestination" if young => Some(refusal(
                400,
                "InvalidArgumentException",
                "Firehose is unable to assume role. Please check the role provided.",
            )),
            _ if STREAM_CHANGES.contains(&call) && self.is_held(&stream(&json)) => Some(refusal(
                400,
                "ResourceInUseException",
                "Stream under account 000000000000 not ACTIVE, instead in state CREATING",
            )),
            "UpdateShardCount" if !self.is_step(&json) => Some(refusal(
                400,
                "LimitExceededException",
                "UpdateShardCount cannot more than double or halve the shards of a stream.",
            )),
            _ => {
                let function = call
                    .split_once("/functions/")
                    .filter(|_| !call.starts_with("GET "))
                    .and_then(|(_, rest)| rest.split('/').next());
                let pending = function.is_some_and(|name| self.is_held(&format!("function {name}")));
                pending.then(|| {
                    let why = "The operation cannot be performed at this time. The function is currently in the \
                         following state: Pending";
                    refusal(409, "ResourceConflictException", why)
                })
            }
        }
    }

    /// Whether AWS allows a change of the number of shards: at most double, at least half.
    fn is_step(&self, request: &Value) -> bool {
        let (have, want) = (self.shards.get(&stream(request)), request["TargetShardCount"].as_u64());
        have.zip(want).is_none_or(|(&have, want)| want <= have * 2 && want * 2 >= have)
    }

    /// Takes note of what was made, and makes a description say what AWS would.
    pub(crate) fn answered(&mut self, call: &str, request: &[u8], answer: &mut Value) {
        let json: Value = serde_json::from_slice(request).unwrap_or_default();
        let pace = self.pace;
        let name = |field: &str| json[field].as_str().unwrap_or_default();
        match call {
            "CreateStream" => self.hold(stream(&json), pace.stream),
            "UpdateShardCount" => self.hold(stream(&json), pace.stream_change),
            "CreateRole" => {
                let form = std::str::from_utf8(request).unwrap_or_default();
                let role = form.split('&').find_map(|field| field.strip_prefix("RoleName="));
                self.hold(format!("role {}", role.unwrap_or_default()), pace.role);
            }
            "CreateDeliveryStream" => {
                let what = format!("delivery stream {}", name("DeliveryStreamName"));
                self.hold(what, pace.delivery_stream);
                self.deliveries += 1;
            }
            "POST /2015-03-31/functions" => {
                self.hold(format!("function {}", name("FunctionName")), pace.function);
            }
            "DescribeStreamSummary" => {
                let summary = &mut answer["StreamDescriptionSummary"];
                if let Some(shards) = summary["OpenShardCount"].as_u64() {
                    self.shards.insert(stream(&json), shards);
                }
                if self.is_held(&stream(&json)) {
                    summary["StreamStatus"] = json!("CREATING");
                }
            }
            "DescribeDeliveryStream" => {
                let held = self.is_held(&format!("delivery stream {}", name("DeliveryStreamName")));
                let described = &mut answer["DeliveryStreamDescription"];
                if held {
                    described["DeliveryStreamStatus"] = json!("CREATING");
                } else if let Some(why) = pace.delivery_fails.filter(|_| self.deliveries == 1) {
                    described["DeliveryStreamStatus"] = json!("CREATING_FAILED");
                    described["FailureDescription"] = json!({"Type": "UNKNOWN_ERROR", "Details": why});
                }
            }
            _ => {
                let function = call.strip_prefix("GET /2015-03-31/functions/");
                let function = function.map(|rest| rest.trim_end_matches("/configuration"));
                if function.is_some_and(|name| self.is_held(&format!("function {name}"))) {
                    let state = if call.ends_with("/configuration") {
                        &mut answer["State"]
                    } else {
                        &mut answer["Configuration"]["State"]
                    };
                    *state = json!("Pending");
                }
            }
        }
    }
}

/// Calls that AWS refuses while a stream is not ACTIVE.
const STREAM_CHANGES: [&str; 6] = [
    "StartStreamEncryption",
    "StopStreamEncryption",
    "IncreaseStreamRetentionPeriod",
    "DecreaseStreamRetentionPeriod",
    "UpdateShardCount",
    "DeleteStream",
];

fn stream(request: &Value) -> String {
    format!("stream {}", request["StreamName"].as_str().unwrap_or_default())
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({"__type": code, "message": message}).to_string();
    let answer = Response::builder().status(status).header("x-amzn-errortype", code);
    answer.body(Full::from(body)).unwrap()
}
