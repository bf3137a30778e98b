//! What the stage serves: a deployment is a copy of the API that its description alone tells from others, and whoever deploys
//! an API that calls something else can write ours on it.

use serde_json::Value;

use super::{Id, Stage};
use crate::aws::{Aws, AwsError};
use crate::resource::{Step, Target};
use crate::resources::webhook::rest_api::{self, create_deployment};

/// Where an exported API has what a method calls.
const INTEGRATION: &str = "x-amazon-apigateway-integration";

impl Target<Stage> {
    /// Lists what the deployed API does beside calling the function on the webhook's paths.
    pub(super) async fn deployed_elsewhere(
        &self,
        api: &rest_api::Id,
        name: &str,
        aws: &Aws,
    ) -> Result<Vec<String>, AwsError> {
        // Emulators serve and export an API as it is, deployed or not.
        if aws.is_emulator() {
            return Ok(Vec::new());
        }
        let request = || {
            let call = aws.apigateway.get_export().rest_api_id(&api.api).stage_name(name);
            let call = call.export_type("oas30").accepts("application/json");
            call.parameters("extensions", "integrations").send()
        };
        let answer = aws.look("apigateway:GetExport", request).await?;
        let body = answer.and_then(|answer| answer.body).unwrap_or_default();
        let exported = serde_json::from_slice(body.as_ref()).unwrap_or_default();
        let routes = [&api.route, &api.old];
        let paths: Vec<_> = routes.into_iter().flatten().map(|route| format!("/{}", route.path)).collect();
        Ok(others(&exported, &paths, &self.extra.names.integration_uri()))
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

/// What the methods of an exported API do besides calling this on `POST` to one of these paths, whoever sends it.
fn others(exported: &Value, paths: &[String], ours: &str) -> Vec<String> {
    let Some(exported) = exported["paths"].as_object() else {
        return vec!["an API that cannot be read".to_owned()];
    };
    let mut others = Vec::new();
    for (path, methods) in exported {
        for (method, definition) in methods.as_object().into_iter().flatten() {
            let integration = &definition[INTEGRATION];
            let uri = integration["uri"].as_str();
            match uri.or(integration["type"].as_str()) {
                Some(called) if called != ours => others.push(called.to_owned()),
                _ if method != "post" || !paths.contains(path) => {
                    others.push(format!("{} {path}", method.to_uppercase()));
                }
                _ if !definition["security"].is_null() => others.push(format!("an authorizer on {path}")),
                _ => {}
            }
        }
    }
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
    use crate::resources::testing::wanted;
    use crate::resources::webhook::stage;
    use crate::resources::webhook::stage::State;

    const THEIRS: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/theirs/invocations";

    fn exported(uris: &[&str]) -> Value {
        let paths = uris.iter().enumerate().map(|(index, uri)| {
            let integration = json!({"type": "aws_proxy", "httpMethod": "POST", "uri": uri});
            (format!("/{index}"), json!({"post": {"responses": {}, INTEGRATION: integration}}))
        });
        let paths: serde_json::Map<_, _> = paths.collect();
        json!({"openapi": "3.0.1", "paths": paths})
    }

    #[test]
    fn what_is_deployed_calls_the_function_on_the_webhooks_paths_alone() {
        let paths = ["/0".to_owned(), "/1".to_owned()];
        let found = |exported: &Value| others(exported, &paths, "ours");
        assert_eq!(found(&exported(&["ours", "ours"])), [""; 0]);
        assert_eq!(found(&exported(&["ours", "b", "a"])), ["a", "b"]);
        // A path of somebody else's that leads to the function.
        assert_eq!(found(&exported(&["ours", "ours", "ours"])), ["POST /2"]);
        let mut get = exported(&["ours"]);
        get["paths"]["/0"]["get"] = get["paths"]["/0"]["post"].clone();
        assert_eq!(found(&get), ["GET /0"]);
        let mut guarded = exported(&["ours"]);
        guarded["paths"]["/0"]["post"]["security"] = json!([{"theirs": []}]);
        assert_eq!(found(&guarded), ["an authorizer on /0"]);
        let mock = json!({"paths": {"/": {"get": {INTEGRATION: {"type": "mock"}}}}});
        assert_eq!(found(&mock), ["mock"]);
        assert_eq!(found(&json!({"paths": {"/": {}}})), [""; 0]);
        assert_eq!(found(&Value::Null), ["an API that cannot be read"]);
    }

    #[tokio::test]
    async fn a_deployment_that_calls_something_else_is_found_whatever_is_written_on_it_and_replaced() {
        let want = wanted("name: flags\n", stage::want);
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
        let id = rest_api::Id::of_new("abc".to_owned(), String::new(), rest_api::Secrets::default());
        let elsewhere = want.deployed_elsewhere(&id, "prod", &aws).await.unwrap();
        assert_eq!(elsewhere, [THEIRS]);

        let mut api = rest_api::Id::of_new("abc".to_owned(), String::new(), rest_api::Secrets::default());
        api.digest = Some("digest".to_owned());
        api.deployments.push("theirs".to_owned());
        want.extra.api.set(Some(api));
        let have = want.created(
            Id { api: "abc".to_owned(), name: "prod".to_owned(), deployment: "theirs".to_owned() },
            State { deployed_elsewhere: elsewhere, ..want.state.clone() },
        );
        let step = Step::new(&aws, stage::KIND, "prod");
        let id = want.update(have, &step).await.unwrap();
        assert_eq!(id.deployment(), "new");
        let calls = [&create, &update, &delete].map(Rule::num_calls);
        assert_eq!(calls, [1, 1, 1]);
    }
}
