//! The function, and the REST API in front of it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::Pipeline;
use super::delivery::{log_group, role};
use super::{Resources, after, resource};
use crate::resources::function::HANDLER;
use crate::resources::rest_api::Path;
use crate::resources::stage::{ACTION, PRINCIPAL};

/// How many digits of an API's digest tell its deployments apart.
const DIGEST: usize = 12;

/// The function, its role and its log group.
pub(super) fn function(pipeline: &Pipeline<'_>) -> Resources {
    let want = &pipeline.want.function;
    let state = &want.state;
    let properties = json!({
        "FunctionName": want.name,
        "Role": pipeline.template_text(&state.role),
        "PackageType": state.package,
        "Runtime": state.runtime,
        "Handler": HANDLER,
        "Architectures": [state.architecture],
        "Code": { "S3Bucket": { "Ref": "HandlerBucket" }, "S3Key": { "Ref": "HandlerKey" } },
        "MemorySize": state.memory_mib,
        "Timeout": state.timeout_seconds,
        "ReservedConcurrentExecutions": state.reserved_concurrency,
        "Environment": { "Variables": state.environment },
        "Tags": pipeline.template_tags(),
    });
    // Otherwise Lambda makes the log group, without a retention.
    let function = after(
        &["HandlerLogGroup"],
        resource("AWS::Lambda::Function", &properties),
    );
    let logs = log_group(pipeline, &pipeline.want.function_log_group);
    vec![
        ("HandlerLogGroup".to_owned(), logs),
        (
            "HandlerRole".to_owned(),
            role(pipeline, &pipeline.want.function_role),
        ),
        ("Handler".to_owned(), function),
    ]
}

/// The REST API, up to a deployment of it.
pub(super) fn api(pipeline: &Pipeline<'_>) -> Resources {
    let definition = vec![
        ("WebhookApi".to_owned(), rest_api(pipeline)),
        ("WebhookPath".to_owned(), path(&pipeline.want.rest_api.extra.path)),
        ("WebhookMethod".to_owned(), method(pipeline)),
    ];
    let properties = json!({ "RestApiId": { "Ref": "WebhookApi" } });
    let deployment = after(
        &["WebhookMethod"],
        resource("AWS::ApiGateway::Deployment", &properties),
    );
    let mut resources = definition;
    resources.push((deployment_name(pipeline), deployment));
    resources
}

/// What a deployment is called: a changed API needs a new one, or the stage goes on serving the old one.
fn deployment_name(pipeline: &Pipeline<'_>) -> String {
    let definition = json!([
        rest_api(pipeline),
        path(&pipeline.want.rest_api.extra.path),
        method(pipeline)
    ]);
    let digest = hex::encode(Sha256::digest(definition.to_string()));
    format!("WebhookDeployment{}", &digest[..DIGEST])
}

fn rest_api(pipeline: &Pipeline<'_>) -> Value {
    let want = &pipeline.want.rest_api;
    let state = &want.state;
    let properties = json!({
        "Name": want.name,
        "BinaryMediaTypes": state.binary_media_types,
        "EndpointConfiguration": { "Types": [state.endpoint] },
        "DisableExecuteApiEndpoint": state.disable_execute_api_endpoint,
        "Policy": state.policy,
        "Tags": pipeline.template_tags(),
    });
    resource("AWS::ApiGateway::RestApi", &properties)
}

fn path(path: &Path) -> Value {
    let part = match path {
        Path::Secret => json!({ "Ref": "SecretPath" }),
        Path::Fixed(path) => json!(path),
    };
    let properties = json!({
        "RestApiId": { "Ref": "WebhookApi" },
        "ParentId": { "Fn::GetAtt": ["WebhookApi", "RootResourceId"] },
        "PathPart": part,
    });
    resource("AWS::ApiGateway::Resource", &properties)
}

fn method(pipeline: &Pipeline<'_>) -> Value {
    let post = pipeline.want.rest_api.state.post.as_ref();
    let properties = json!({
        "RestApiId": { "Ref": "WebhookApi" },
        "ResourceId": { "Ref": "WebhookPath" },
        "HttpMethod": "POST",
        "AuthorizationType": post.map(|post| &post.authorization),
        "ApiKeyRequired": post.map(|post| post.api_key_required),
        "Integration": post.map(|post| json!({
            "Type": post.integration,
            "IntegrationHttpMethod": "POST",
            "Uri": pipeline.template_text(&post.uri),
            "TimeoutInMillis": post.timeout_ms,
        })),
    });
    resource("AWS::ApiGateway::Method", &properties)
}

/// The stage, its throttling, and who may invoke the function.
pub(super) fn stage(pipeline: &Pipeline<'_>) -> Resources {
    let state = &pipeline.want.stage.state;
    let log = state.access_log.as_ref();
    let properties = json!({
        "RestApiId": { "Ref": "WebhookApi" },
        "DeploymentId": { "Ref": deployment_name(pipeline) },
        "StageName": state.name,
        "MethodSettings": [{
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": state.rate_limit,
            "ThrottlingBurstLimit": state.burst_limit,
        }],
        "AccessLogSetting": log.map(|log| json!({ "DestinationArn": log.log_group, "Format": log.format })),
        "Tags": pipeline.template_tags(),
    });
    // What the stream takes before the delivery stream is active never reaches the bucket; the log group that requests go
    // to is the function's.
    let needs = ["DeliveryStream", "HandlerLogGroup", "WebhookPermission"];
    let stage = after(&needs, resource("AWS::ApiGateway::Stage", &properties));
    vec![
        ("WebhookPermission".to_owned(), permission(pipeline)),
        ("WebhookStage".to_owned(), stage),
    ]
}

fn permission(pipeline: &Pipeline<'_>) -> Value {
    let stage = pipeline.want.stage.state.name.as_str();
    let source = pipeline.names.invoke_source("${WebhookApi}", stage);
    let properties = json!({
        "FunctionName": { "Ref": "Handler" },
        "Action": ACTION,
        "Principal": PRINCIPAL,
        "SourceArn": { "Fn::Sub": source },
    });
    resource("AWS::Lambda::Permission", &properties)
}
