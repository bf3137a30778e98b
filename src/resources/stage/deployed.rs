//! What the stage serves: a deployment is a copy of the API that its description alone tells from others, and whoever deploys
//! an API that calls something else can write ours on it.

use serde_json::Value;

use super::{Id, Stage};
use crate::aws::{Aws, AwsError};
use crate::resource::Step;
use crate::resources::rest_api::{self, create_deployment};

/// Where an exported API has what a method calls.
const INTEGRATION: &str = "x-amazon-apigateway-integration";

impl Stage {
    /// Lists what the deployed API calls, but for the function.
    pub(super) async fn deployed_elsewhere(
        &self,
        api: &str,
        name: &str,
        aws: &Aws,
    ) -> Result<Vec<String>, AwsError> {
        // Emulators serve and export an API as it is, deployed or not.
        if aws.is_emulator() {
            return Ok(Vec::new());
        }
        let request = || {
            let call = aws.apigateway.get_export().rest_api_id(api).stage_name(name);
            let call = call.export_type("oas30").accepts("application/json");
            call.parameters("extensions", "integrations").send()
        };
        let answer = aws.look("apigateway:GetExport", request).await?;
        let body = answer.and_then(|answer| answer.body).unwrap_or_default();
        let exported = serde_json::from_slice(body.as_ref()).unwrap_or_default();
        Ok(others(&exported, &self.names.integration_uri()))
    }

    /// Deploys the API as it is now; gives the deployment.
    pub(super) async fn deploy_anew(
        &self,
        id: &Id,
        api: &rest_api::Id,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        let call = "apigateway:CreateDeployment";
        let digest = api.digest.as_deref();
        let digest = digest.ok_or_else(|| AwsError::incomplete(call, "definition of the API"))?;
        create_deployment(&id.api, digest, step).await
    }
}

/// What the methods of an exported API call besides this.
fn others(exported: &Value, ours: &str) -> Vec<String> {
    let paths = exported["paths"].as_object().into_iter().flatten();
    let methods = paths.filter_map(|(_, methods)| methods.as_object()).flatten();
    let integrations = methods.map(|(_, method)| &method[INTEGRATION]);
    let called = integrations.filter_map(|integration| {
        let uri = integration["uri"].as_str();
        uri.or(integration["type"].as_str())
    });
    let mut others: Vec<_> = called.filter(|it| *it != ours).map(str::to_owned).collect();
    others.sort();
    others.dedup();
    others
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::operation::create_deployment::CreateDeploymentOutput;
    use aws_sdk_apigateway::operation::delete_deployment::DeleteDeploymentOutput;
    use aws_sdk_apigateway::operation::get_export::GetExportOutput;
    use aws_sdk_apigateway::operation::update_stage::UpdateStageOutput;
    use aws_sdk_apigateway::primitives::Blob;
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::json;

    use super::*;
    use crate::aws::testing::every_service;
    use crate::desired::testing::desired;
    use crate::resource::{Kind, Observed, Phase, Resource as _};
    use crate::resources::stage::{Needs, State};

    const THEIRS: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/theirs/invocations";

    fn exported(uris: &[&str]) -> Value {
        let paths = uris.iter().enumerate().map(|(index, uri)| {
            let integration = json!({"type": "aws_proxy", "httpMethod": "POST", "uri": uri});
            (
                format!("/{index}"),
                json!({"post": {"responses": {}, INTEGRATION: integration}}),
            )
        });
        let paths: serde_json::Map<_, _> = paths.collect();
        json!({"openapi": "3.0.1", "paths": paths})
    }

    #[test]
    fn what_is_deployed_calls_the_function_alone() {
        assert_eq!(others(&exported(&["ours", "ours"]), "ours"), [""; 0]);
        assert_eq!(others(&exported(&["ours", "b", "a"]), "ours"), ["a", "b"]);
        let mock = json!({"paths": {"/": {"get": {INTEGRATION: {"type": "mock"}}}}});
        assert_eq!(others(&mock, "ours"), ["mock"]);
        assert_eq!(others(&Value::Null, "ours"), [""; 0]);
    }

    #[tokio::test]
    async fn a_deployment_that_calls_something_else_is_found_whatever_is_written_on_it_and_replaced() {
        let want = desired("name: flags\n").stage;
        let body = exported(&[THEIRS]).to_string();
        let export = mock!(aws_sdk_apigateway::Client::get_export)
            .then_output(move || GetExportOutput::builder().body(Blob::new(body.clone())).build());
        let create = mock!(aws_sdk_apigateway::Client::create_deployment)
            .match_requests(|input| input.description() == Some("digest"))
            .then_output(|| CreateDeploymentOutput::builder().id("new").build());
        let update = mock!(aws_sdk_apigateway::Client::update_stage)
            .match_requests(|input| {
                let [operation] = input.patch_operations() else {
                    return false;
                };
                operation.path() == Some("/deploymentId") && operation.value() == Some("new")
            })
            .then_output(|| UpdateStageOutput::builder().build());
        let delete = mock!(aws_sdk_apigateway::Client::delete_deployment)
            .match_requests(|input| input.deployment_id() == Some("theirs"))
            .then_output(|| DeleteDeploymentOutput::builder().build());
        let aws = every_service(&[&export, &create, &update, &delete]);
        let elsewhere = want.deployed_elsewhere("abc", "prod", &aws).await.unwrap();
        assert_eq!(elsewhere, [THEIRS]);

        let mut api = rest_api::Id::of_new("abc".to_owned(), String::new(), rest_api::Secrets::default());
        api.digest = Some("digest".to_owned());
        api.deployments.push("theirs".to_owned());
        let needs = Needs {
            api,
            function: String::new(),
            delivery_stream: String::new(),
        };
        let have = Observed {
            id: Id {
                api: "abc".to_owned(),
                name: "prod".to_owned(),
                deployment: "theirs".to_owned(),
            },
            state: State {
                deployed_elsewhere: elsewhere,
                ..want.state.clone()
            },
            tags: want.tags.clone(),
            phase: Phase::Ready,
        };
        let step = Step::new(&aws, Kind::Stage, "prod");
        let id = want.update(&have, &needs, &step).await.unwrap();
        assert_eq!(id.deployment(), "new");
        let calls = [&create, &update, &delete].map(Rule::num_calls);
        assert_eq!(calls, [1, 1, 1]);
    }
}
