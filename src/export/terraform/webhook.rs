//! The function, and the REST API in front of it.

use hcl::{Block, Expression};

use super::super::Pipeline;
use super::access::{log_group, role};
use super::writing::{Section, block, call, local, reference, references, resource, template};
use crate::resources::function::HANDLER;
use crate::resources::rest_api::{Path, Post};
use crate::resources::stage::{ACTION, PRINCIPAL, STATEMENT};

/// The id of the API as other resources have it.
const API: &str = "aws_api_gateway_rest_api.webhook.id";

/// The function, its role and its log group.
pub(super) fn function(pipeline: &Pipeline<'_>) -> Section {
    let want = &pipeline.want.function;
    let state = &want.state;
    let environment = state
        .environment
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    let variables: Expression = environment.collect();
    let reserved = state.reserved_concurrency;
    // Otherwise Lambda makes the log group, without a retention, and the role is of use only with its policy.
    let after = references(["aws_cloudwatch_log_group.handler", "aws_iam_role_policy.handler"]);
    let function = resource("aws_lambda_function", "handler")
        .add_attribute(("function_name", want.name.as_str()))
        .add_attribute(("role", pipeline.hcl_text(&state.role)))
        .add_attribute(("package_type", state.package.as_str()))
        .add_attribute(("runtime", state.runtime.as_str()))
        .add_attribute(("handler", HANDLER))
        .add_attribute(("architectures", vec![state.architecture.as_str()]))
        .add_attribute(("filename", reference("var.handler_zip")))
        .add_attribute((
            "source_code_hash",
            call("filebase64sha256", reference("var.handler_zip")),
        ))
        .add_attribute(("memory_size", state.memory_mib))
        .add_attribute(("timeout", state.timeout_seconds))
        .add_attributes(reserved.map(|reserved| ("reserved_concurrent_executions", reserved)))
        .add_attribute(("tags", reference("local.tags")))
        .add_block(block("environment", [("variables", variables)]))
        .add_attribute(("depends_on", after));
    let mut blocks = log_group("handler", &pipeline.want.function_log_group);
    blocks.extend(role(pipeline, "handler", &pipeline.want.function_role));
    blocks.push(function.build());
    Section::new(
        "The function that takes Split's batches, its role, and where it logs.",
        blocks,
    )
}

/// The REST API, up to a deployment of it.
pub(super) fn api(pipeline: &Pipeline<'_>) -> Section {
    let want = &pipeline.want.rest_api;
    let state = &want.state;
    let types = Expression::from(vec![state.endpoint.as_str()]);
    let api = resource("aws_api_gateway_rest_api", "webhook")
        .add_attribute(("name", want.name.as_str()))
        .add_attribute(("binary_media_types", state.binary_media_types.clone()))
        .add_attribute(("disable_execute_api_endpoint", state.disable_execute_api_endpoint))
        .add_attribute(("tags", reference("local.tags")))
        .add_block(block("endpoint_configuration", [("types", types)]));
    let path = resource("aws_api_gateway_resource", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute((
            "parent_id",
            reference("aws_api_gateway_rest_api.webhook.root_resource_id"),
        ))
        .add_attribute(("path_part", path_part(&want.extra.path)));
    let mut blocks = vec![api.build()];
    blocks.extend(policy(pipeline).into_iter().flatten());
    blocks.push(path.build());
    blocks.extend(state.post.iter().flat_map(|post| method(pipeline, post)));
    blocks.extend(deployment(pipeline));
    Section::new(
        "The REST API: one path, one method, everything else is refused.",
        blocks,
    )
}

fn path_part(path: &Path) -> Expression {
    match path {
        Path::Secret => reference("var.secret_path"),
        Path::Fixed(path) => (*path).into(),
    }
}

fn policy(pipeline: &Pipeline<'_>) -> Option<[Block; 2]> {
    let state = &pipeline.want.rest_api.state;
    (!state.policy.is_null()).then(|| {
        let policy = resource("aws_api_gateway_rest_api_policy", "webhook")
            .add_attribute(("rest_api_id", reference(API)))
            .add_attribute(("policy", call("jsonencode", reference("local.webhook_policy"))));
        [
            local("webhook_policy", pipeline.hcl_value(&state.policy)),
            policy.build(),
        ]
    })
}

fn method(pipeline: &Pipeline<'_>, post: &Post) -> [Block; 2] {
    let of_path = |kind: &str| {
        resource(kind, "webhook")
            .add_attribute(("rest_api_id", reference(API)))
            .add_attribute(("resource_id", reference("aws_api_gateway_resource.webhook.id")))
    };
    let method = of_path("aws_api_gateway_method")
        .add_attribute(("http_method", "POST"))
        .add_attribute(("authorization", post.authorization.as_str()))
        .add_attribute(("api_key_required", post.api_key_required));
    let integration = of_path("aws_api_gateway_integration")
        .add_attribute((
            "http_method",
            reference("aws_api_gateway_method.webhook.http_method"),
        ))
        .add_attribute(("type", post.integration.as_str()))
        .add_attribute(("integration_http_method", "POST"))
        .add_attribute(("uri", pipeline.hcl_text(&post.uri)))
        .add_attribute(("timeout_milliseconds", post.timeout_ms));
    [method.build(), integration.build()]
}

/// A changed API needs a new deployment, or the stage goes on serving the old one.
fn deployment(pipeline: &Pipeline<'_>) -> [Block; 2] {
    let mut definition = vec![
        reference("aws_api_gateway_rest_api.webhook.binary_media_types"),
        reference("aws_api_gateway_rest_api.webhook.disable_execute_api_endpoint"),
        reference("aws_api_gateway_resource.webhook.path_part"),
        reference("aws_api_gateway_method.webhook.authorization"),
        reference("aws_api_gateway_method.webhook.api_key_required"),
        reference("aws_api_gateway_integration.webhook.type"),
        reference("aws_api_gateway_integration.webhook.uri"),
        reference("aws_api_gateway_integration.webhook.timeout_milliseconds"),
    ];
    let mut after = vec![reference("aws_api_gateway_integration.webhook")];
    if !pipeline.want.rest_api.state.policy.is_null() {
        definition.push(reference("local.webhook_policy"));
        after.push(reference("aws_api_gateway_rest_api_policy.webhook"));
    }
    let digest = call(
        "sha256",
        call("jsonencode", reference("local.webhook_definition")),
    );
    let deployment = resource("aws_api_gateway_deployment", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute(("triggers", Expression::from_iter([("definition", digest)])))
        .add_attribute(("depends_on", after))
        .add_block(block("lifecycle", [("create_before_destroy", true.into())]));
    [local("webhook_definition", definition.into()), deployment.build()]
}

/// The stage, its throttling, and who may invoke the function.
pub(super) fn stage(pipeline: &Pipeline<'_>) -> Section {
    let state = &pipeline.want.stage.state;
    let log = state.access_log.as_ref().map(|log| {
        let attributes = [
            ("destination_arn", pipeline.hcl_text(&log.log_group)),
            ("format", log.format.as_str().into()),
        ];
        block("access_log_settings", attributes)
    });
    let after = references([
        "aws_kinesis_firehose_delivery_stream.impressions",
        "aws_lambda_permission.webhook",
    ]);
    let stage = resource("aws_api_gateway_stage", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute((
            "deployment_id",
            reference("aws_api_gateway_deployment.webhook.id"),
        ))
        .add_attribute(("stage_name", state.name.as_str()))
        .add_attribute(("tags", reference("local.tags")))
        .add_blocks(log)
        .add_attribute(("depends_on", after));
    Section::new(
        "The stage opens the webhook. It waits for the delivery stream: what the stream takes before that is active, it \
         never\n# delivers.",
        [permission(pipeline), stage.build(), throttling(pipeline)],
    )
}

fn permission(pipeline: &Pipeline<'_>) -> Block {
    let stage = pipeline.want.stage.state.name.as_str();
    let source = pipeline.names.invoke_source(&format!("${{{API}}}"), stage);
    resource("aws_lambda_permission", "webhook")
        .add_attribute(("statement_id", STATEMENT))
        .add_attribute(("action", ACTION))
        .add_attribute((
            "function_name",
            reference("aws_lambda_function.handler.function_name"),
        ))
        .add_attribute(("principal", PRINCIPAL))
        .add_attribute(("source_arn", template(source)))
        .build()
}

fn throttling(pipeline: &Pipeline<'_>) -> Block {
    let state = &pipeline.want.stage.state;
    let settings = block(
        "settings",
        [
            ("throttling_rate_limit", state.rate_limit.into()),
            ("throttling_burst_limit", state.burst_limit.into()),
        ],
    );
    resource("aws_api_gateway_method_settings", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute((
            "stage_name",
            reference("aws_api_gateway_stage.webhook.stage_name"),
        ))
        .add_attribute(("method_path", "*/*"))
        .add_block(settings)
        .build()
}
