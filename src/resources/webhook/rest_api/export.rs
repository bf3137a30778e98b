//! The REST API for other tools.

use hcl::Block;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Path, RestApi, terraform};
use crate::export::cloudformation::{Templates, after, resource};
use crate::export::terraform::Chapter;
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

/// How the policy of an API names the API that it is on.
const OWN_API: &str = "execute-api:";

/// How many digits of an API's digest tell its deployments apart.
const DIGEST: usize = 12;

impl Exported for RestApi {
    fn reference(_want: &Target<Self>) -> Option<Reference> {
        Some(Reference {
            arn: OWN_API.to_owned(),
            terraform: "aws_api_gateway_rest_api.webhook.execution_arn",
            // A policy within an API cannot refer to that API in CloudFormation.
            cloudformation: None,
        })
    }

    fn terraform(want: &Target<Self>, page: &Page<'_>) -> (Chapter, Vec<Block>) {
        terraform::blocks(want, page)
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let properties = json!({ "RestApiId": { "Ref": "WebhookApi" } });
        let deployment = resource("AWS::ApiGateway::Deployment", &properties);
        vec![
            ("WebhookApi".to_owned(), rest_api(want, page)),
            ("WebhookPath".to_owned(), path(&want.extra.path)),
            ("WebhookMethod".to_owned(), method(want, page)),
            (deployment_name(want, page), after(&["WebhookMethod"], deployment)),
        ]
    }
}

/// What a deployment is called: a changed API needs a new one, or the stage goes on serving the old one.
pub(in crate::resources) fn deployment_name(want: &Target<RestApi>, page: &Page<'_>) -> String {
    let definition = json!([rest_api(want, page), path(&want.extra.path), method(want, page)]);
    let digest = hex::encode(Sha256::digest(definition.to_string()));
    format!("WebhookDeployment{}", &digest[..DIGEST])
}

fn rest_api(want: &Target<RestApi>, page: &Page<'_>) -> Value {
    let state = &want.state;
    let properties = json!({
        "Name": want.name,
        "BinaryMediaTypes": state.binary_media_types,
        "EndpointConfiguration": { "Types": [state.endpoint] },
        "DisableExecuteApiEndpoint": state.disable_execute_api_endpoint,
        "Policy": state.policy,
        "Tags": page.template_tags(),
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

fn method(want: &Target<RestApi>, page: &Page<'_>) -> Value {
    let post = want.state.post.as_ref();
    let properties = json!({
        "RestApiId": { "Ref": "WebhookApi" },
        "ResourceId": { "Ref": "WebhookPath" },
        "HttpMethod": "POST",
        "AuthorizationType": post.map(|post| &post.authorization),
        "ApiKeyRequired": post.map(|post| post.api_key_required),
        "Integration": post.map(|post| json!({
            "Type": post.integration,
            "IntegrationHttpMethod": "POST",
            "Uri": page.template_text(&post.uri),
            "TimeoutInMillis": post.timeout_ms,
        })),
    });
    resource("AWS::ApiGateway::Method", &properties)
}
