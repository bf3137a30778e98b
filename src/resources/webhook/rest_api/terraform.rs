//! The REST API in Terraform's language.

use hcl::{Block, Expression};

use super::{Path, Post, RestApi};
use crate::export::Page;
use crate::export::terraform::{Chapter, block, call, local, reference, resource};
use crate::resource::Target;

/// Where the API's id is.
pub(in crate::resources) const API: &str = "aws_api_gateway_rest_api.webhook.id";

pub(super) fn blocks(want: &Target<RestApi>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
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
        .add_attribute(("parent_id", reference("aws_api_gateway_rest_api.webhook.root_resource_id")))
        .add_attribute(("path_part", path_part(&want.extra.path)));
    let mut blocks = vec![api.build()];
    blocks.extend(policy(want, page).into_iter().flatten());
    blocks.push(path.build());
    blocks.extend(state.post.iter().flat_map(|post| method(page, post)));
    blocks.extend(deployment(want));
    (Chapter::Webhook, blocks)
}

fn path_part(path: &Path) -> Expression {
    match path {
        Path::Secret => reference("var.secret_path"),
        Path::Fixed(path) => (*path).into(),
    }
}

fn policy(want: &Target<RestApi>, page: &Page<'_>) -> Option<[Block; 2]> {
    let state = &want.state;
    (!state.policy.is_null()).then(|| {
        let policy = resource("aws_api_gateway_rest_api_policy", "webhook")
            .add_attribute(("rest_api_id", reference(API)))
            .add_attribute(("policy", call("jsonencode", reference("local.webhook_policy"))));
        [local("webhook_policy", page.hcl_value(&state.policy)), policy.build()]
    })
}

fn method(page: &Page<'_>, post: &Post) -> [Block; 2] {
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
        .add_attribute(("http_method", reference("aws_api_gateway_method.webhook.http_method")))
        .add_attribute(("type", post.integration.as_str()))
        .add_attribute(("integration_http_method", "POST"))
        .add_attribute(("uri", page.hcl_text(&post.uri)))
        .add_attribute(("timeout_milliseconds", post.timeout_ms));
    [method.build(), integration.build()]
}

/// A changed API needs a new deployment, or the stage goes on serving the old one.
fn deployment(want: &Target<RestApi>) -> [Block; 2] {
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
    if !want.state.policy.is_null() {
        definition.push(reference("local.webhook_policy"));
        after.push(reference("aws_api_gateway_rest_api_policy.webhook"));
    }
    let digest = call("sha256", call("jsonencode", reference("local.webhook_definition")));
    let deployment = resource("aws_api_gateway_deployment", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute(("triggers", Expression::from_iter([("definition", digest)])))
        .add_attribute(("depends_on", after))
        .add_block(block("lifecycle", [("create_before_destroy", true.into())]));
    [local("webhook_definition", definition.into()), deployment.build()]
}
