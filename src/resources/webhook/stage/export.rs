//! The stage for other tools.

use hcl::Block;
use serde_json::{Value, json};

use super::{ACTION, PRINCIPAL, STATEMENT, Stage};
use crate::access::{Grant, RestApis};
use crate::export::cloudformation::{self, Templates, after};
use crate::export::terraform::{Chapter, block, reference, references, resource, template};
use crate::export::{Page, Reference};
use crate::names::Names;
use crate::resource::Target;
use crate::resources::webhook::rest_api::{self, API, deployment_name};
use crate::resources::{Blueprint, Exported, Permitted};
use crate::spec::Spec;

// A stage's permissions stand with its API's, whose path its own begins with.
impl Permitted for Stage {
    fn grants(_spec: &Spec, _names: &Names, _apis: &RestApis) -> Vec<Grant> {
        Vec::new()
    }
}

impl Exported for Stage {
    fn reference(_want: &Target<Self>) -> Option<Reference> {
        None
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let log = state.access_log.as_ref().map(|log| {
            let attributes =
                [("destination_arn", page.hcl_text(&log.log_group)), ("format", log.format.as_str().into())];
            block("access_log_settings", attributes)
        });
        let after =
            references(["aws_kinesis_firehose_delivery_stream.impressions", "aws_lambda_permission.webhook"]);
        let stage = resource("aws_api_gateway_stage", "webhook")
            .add_attribute(("rest_api_id", reference(API)))
            .add_attribute(("deployment_id", reference("aws_api_gateway_deployment.webhook.id")))
            .add_attribute(("stage_name", state.name.as_str()))
            .add_attribute(("tags", reference("local.tags")))
            .add_blocks(log)
            .add_attribute(("depends_on", after));
        let blocks = vec![permission(want, page), stage.build(), throttling(want)];
        (Chapter::Stage, blocks)
    }

    fn cloudformation(want: &Target<Self>, blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let deployment = deployment_name(&rest_api::want(blueprint), page);
        let state = &want.state;
        let log = state.access_log.as_ref();
        let properties = json!({
            "RestApiId": { "Ref": "WebhookApi" },
            "DeploymentId": { "Ref": deployment },
            "StageName": state.name,
            "MethodSettings": [{
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "ThrottlingRateLimit": state.rate_limit,
                "ThrottlingBurstLimit": state.burst_limit,
            }],
            "AccessLogSetting": log.map(|log| json!({ "DestinationArn": log.log_group, "Format": log.format })),
            "Tags": page.template_tags(),
        });
        // What the stream takes before the delivery stream is active never reaches the bucket; the log group that requests go
        // to is the function's.
        let needs = ["DeliveryStream", "HandlerLogGroup", "WebhookPermission"];
        let stage = after(&needs, cloudformation::resource("AWS::ApiGateway::Stage", &properties));
        vec![
            ("WebhookPermission".to_owned(), template_permission(want, page)),
            ("WebhookStage".to_owned(), stage),
        ]
    }
}

fn permission(want: &Target<Stage>, page: &Page<'_>) -> Block {
    let stage = want.state.name.as_str();
    let source = page.names.invoke_source(&format!("${{{API}}}"), stage);
    resource("aws_lambda_permission", "webhook")
        .add_attribute(("statement_id", STATEMENT))
        .add_attribute(("action", ACTION))
        .add_attribute(("function_name", reference("aws_lambda_function.handler.function_name")))
        .add_attribute(("principal", PRINCIPAL))
        .add_attribute(("source_arn", template(source)))
        .build()
}

fn throttling(want: &Target<Stage>) -> Block {
    let state = &want.state;
    let settings = block(
        "settings",
        [
            ("throttling_rate_limit", state.rate_limit.into()),
            ("throttling_burst_limit", state.burst_limit.into()),
        ],
    );
    resource("aws_api_gateway_method_settings", "webhook")
        .add_attribute(("rest_api_id", reference(API)))
        .add_attribute(("stage_name", reference("aws_api_gateway_stage.webhook.stage_name")))
        .add_attribute(("method_path", "*/*"))
        .add_block(settings)
        .build()
}

fn template_permission(want: &Target<Stage>, page: &Page<'_>) -> Value {
    let stage = want.state.name.as_str();
    let source = page.names.invoke_source("${WebhookApi}", stage);
    let properties = json!({
        "FunctionName": { "Ref": "Handler" },
        "Action": ACTION,
        "Principal": PRINCIPAL,
        "SourceArn": { "Fn::Sub": source },
    });
    cloudformation::resource("AWS::Lambda::Permission", &properties)
}
