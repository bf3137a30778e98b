//! The webhook as it should be: the REST API and the stage that opens it.

use serde_json::Value;

use super::{policies, signed};
use crate::names::Names;
use crate::resource::Tags;
use crate::resources::rest_api::{self, Path, Post, RestApi};
use crate::resources::stage::{self, AccessLog, Deployment, Permission, Stage};
use crate::spec::{Cidr, Spec};

/// Where the webhook listens when its path is not to be a secret.
const OPEN_PATH: &str = "impressions";

/// How long API Gateway waits for the function: its own default, and the most without asking AWS for more.
const INTEGRATION_TIMEOUT_MS: i32 = 29_000;

/// What the access log has of a request: neither path nor URL, since they are secret.
const ACCESS_LOG: &str = concat!(
    r#"{"access":"webhook","time":"$context.requestTime","source":"$context.identity.sourceIp","#,
    r#""method":"$context.httpMethod","status":"$context.status","latency_ms":"$context.responseLatency","#,
    r#""bytes":"$context.responseLength","request":"$context.requestId"}"#
);

/// The REST API.
pub(super) fn rest_api(spec: &Spec, names: &Names, tags: &Tags) -> RestApi {
    let path = if spec.webhook.secret_path {
        Path::Secret
    } else {
        Path::Fixed(OPEN_PATH)
    };
    let cidrs: Vec<_> = spec.webhook.allow_cidrs.iter().map(Cidr::as_str).collect();
    let state = rest_api::State {
        // Without this, API Gateway reads gzip as text and what reaches the function cannot be inflated.
        binary_media_types: vec!["*/*".to_owned()],
        endpoint: "REGIONAL".to_owned(),
        disable_execute_api_endpoint: false,
        policy: if cidrs.is_empty() {
            Value::Null
        } else {
            policies::allow_cidrs(&cidrs)
        },
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
    RestApi {
        name: names.rest_api(),
        arn_prefix: names.rest_api_arn(""),
        path,
        state,
        tags: tags.clone(),
    }
}

/// The stage.
pub(super) fn stage(spec: &Spec, names: &Names, tags: &Tags) -> Stage {
    let state = stage::State {
        name: spec.webhook.stage.as_str().to_owned(),
        deployment: Deployment::Current,
        invoke_permission: Permission::Granted,
        other_permissions: Vec::new(),
        rate_limit: f64::from(spec.webhook.rate_limit.get()),
        burst_limit: signed(spec.webhook.burst_limit.get()),
        access_log: spec.webhook.access_log.then(|| AccessLog {
            log_group: names.log_group_arn(&names.function_log_group()),
            format: ACCESS_LOG.to_owned(),
        }),
        defaults: stage::Defaults::default(),
        deployed_elsewhere: Vec::new(),
        other_stages: Vec::new(),
        left_alone: Vec::new(),
    };
    Stage {
        names: names.clone(),
        state,
        tags: tags.clone(),
    }
}
