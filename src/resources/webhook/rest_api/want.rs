//! The REST API that the spec asks for.

use serde_json::{Value, json};

use super::{ApiExtra, KIND, Path, Post, RestApi, State};
use crate::resource::Target;
use crate::resources::Blueprint;
use crate::resources::policy::document;
use crate::resources::webhook::open_path;
use crate::spec::Cidr;

/// How long API Gateway waits for the function: its own default, and the most without asking AWS for more.
const INTEGRATION_TIMEOUT_MS: i32 = 29_000;

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<RestApi> {
    let Blueprint { spec, names, .. } = blueprint;
    let path = open_path(spec).map_or(Path::Secret, Path::Fixed);
    let cidrs: Vec<_> = spec.webhook.allow_cidrs.iter().map(Cidr::as_str).collect();
    let state = State {
        // Without this, API Gateway reads gzip as text and what reaches the function cannot be inflated.
        binary_media_types: vec!["*/*".to_owned()],
        endpoint: "REGIONAL".to_owned(),
        disable_execute_api_endpoint: false,
        policy: if cidrs.is_empty() { Value::Null } else { allow_cidrs(&cidrs) },
        minimum_compression_bytes: None,
        api_key_source: "HEADER".to_owned(),
        path: Some(path.display()),
        post: Some(Post {
            authorization: "NONE".to_owned(),
            api_key_required: false,
            integration: "AWS_PROXY".to_owned(),
            uri: names.integration_uri(),
            timeout_ms: INTEGRATION_TIMEOUT_MS,
            other_settings: Vec::new(),
        }),
        other_methods: Vec::new(),
        other_paths: Vec::new(),
        path_remembered: true,
        deployed: true,
        duplicates: Vec::new(),
    };
    let extra = ApiExtra { path, api: blueprint.api.clone() };
    blueprint.target(KIND, (names.api(), names.api_arn("")), state, extra)
}

/// The resource policy of the REST API that lets only these sources in.
fn allow_cidrs(cidrs: &[&str]) -> Value {
    let statement = |effect: &str| {
        json!({
            "Effect": effect,
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": "execute-api:/*",
        })
    };
    let mut deny = statement("Deny");
    deny["Condition"] = json!({ "NotIpAddress": { "aws:SourceIp": cidrs } });
    document(&[statement("Allow"), deny])
}
