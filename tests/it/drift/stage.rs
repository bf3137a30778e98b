//! What is done by hand to the stage, and to what lets it invoke the function.

use aws_config::SdkConfig;
use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::{Drift, NAME};

pub(super) struct Clients {
    lambda: aws_sdk_lambda::Client,
    apigateway: aws_sdk_apigateway::Client,
    /// The REST API's id.
    api: String,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig, api: &str) -> Self {
        Self {
            lambda: aws_sdk_lambda::Client::new(config),
            apigateway: aws_sdk_apigateway::Client::new(config),
            api: api.to_owned(),
        }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.settings();
        drifts.extend(self.additions());
        drifts
    }

    fn settings(&self) -> Vec<Drift<'_>> {
        let (apigateway, lambda, api) = (&self.apigateway, &self.lambda, &self.api);
        let remove_permission = async || {
            let call = lambda.remove_permission().function_name(NAME);
            call.statement_id("split-pipeline-webhook").send().await.unwrap();
        };
        vec![
            Drift::new(
                "stage",
                ["burst_limit", "rate_limit"],
                ["PATCH /restapis/*/stages/prod"],
                async move {
                    let operation = |path: &str, value: &str| {
                        PatchOperation::builder().op(Op::Replace).path(path).value(value).build()
                    };
                    let call = apigateway.update_stage().rest_api_id(api).stage_name("prod");
                    let call = call
                        .patch_operations(operation("/*/*/throttling/rateLimit", "1"))
                        .patch_operations(operation("/*/*/throttling/burstLimit", "1"));
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "stage",
                ["access_log.format", "access_log.log_group"],
                ["PATCH /restapis/*/stages/prod"],
                async move {
                    let operation = PatchOperation::builder().op(Op::Remove).path("/accessLogSettings");
                    let call = apigateway.update_stage().rest_api_id(api).stage_name("prod");
                    call.patch_operations(operation.build()).send().await.unwrap();
                },
            ),
            Drift::new(
                "stage",
                ["deployment"],
                ["PATCH /restapis/*/stages/prod", "DELETE /restapis/*/deployments/*"],
                async move {
                    self.deploy_by_hand().await;
                },
            ),
            Drift::new(
                "stage",
                ["deployment", "rest_api: deployed"],
                [
                    "POST /restapis/*/deployments",
                    "PATCH /restapis/*/stages/prod",
                    "DELETE /restapis/*/deployments/*",
                ],
                async move {
                    let ours = self.deploy_by_hand().await;
                    let call = apigateway.delete_deployment().rest_api_id(api);
                    call.deployment_id(ours).send().await.unwrap();
                },
            ),
            Drift::new(
                "stage",
                ["other_permissions"],
                ["DELETE /2015-03-31/functions/it-drift/policy/anybody"],
                async move {
                    let call = lambda.add_permission().function_name(NAME).statement_id("anybody");
                    let call = call.principal("*").action("lambda:InvokeFunction");
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "stage",
                ["invoke_permission"],
                ["POST /2015-03-31/functions/it-drift/policy"],
                async move { remove_permission().await },
            ),
            Drift::new(
                "stage",
                ["invoke_permission"],
                [
                    "DELETE /2015-03-31/functions/it-drift/policy/split-pipeline-webhook",
                    "POST /2015-03-31/functions/it-drift/policy",
                ],
                async move {
                    remove_permission().await;
                    let call = lambda.add_permission().function_name(NAME);
                    let call = call.statement_id("split-pipeline-webhook").principal("*");
                    call.action("lambda:InvokeFunction").send().await.unwrap();
                },
            ),
            Drift::new("stage", ["tags.team"], ["PUT /tags/*"], async move {
                // All of them: MiniStack forgets the first ones.
                let call = apigateway.tag_resource().tags("team", "another");
                let call = call.tags("managed-by", "split-pipeline").tags("split-pipeline", NAME);
                let arn = format!("arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod");
                call.resource_arn(arn).send().await.unwrap();
            }),
        ]
    }

    fn additions(&self) -> Vec<Drift<'_>> {
        let (apigateway, api) = (&self.apigateway, &self.api);
        vec![
            Drift::new(
                "stage",
                [
                    "cache_cluster",
                    "caching",
                    "canary",
                    "data_trace",
                    "detailed_metrics",
                    "execution_log",
                    "method_settings",
                    "tracing",
                    "variables",
                ],
                ["PATCH /restapis/*/stages/prod"],
                async move {
                    let operations = [
                        ("/cacheClusterEnabled", "true"),
                        ("/canarySettings/deploymentId", "somebodys"),
                        ("/tracingEnabled", "true"),
                        ("/variables/x", "1"),
                        ("/*/*/caching/enabled", "true"),
                        ("/*/*/logging/dataTrace", "true"),
                        ("/*/*/logging/loglevel", "INFO"),
                        ("/*/*/metrics/enabled", "true"),
                        ("/~1more/GET/throttling/rateLimit", "10000"),
                    ];
                    let operations = operations.map(|(path, value)| {
                        let operation = PatchOperation::builder().op(Op::Replace);
                        operation.path(path).value(value).build()
                    });
                    let call = apigateway.update_stage().rest_api_id(api).stage_name("prod");
                    let call = call.set_patch_operations(Some(operations.to_vec()));
                    call.send().await.unwrap();
                },
            ),
            Drift::new("stage", ["other_stages"], ["DELETE /restapis/*/stages/debug"], async move {
                let stage = apigateway.get_stage().rest_api_id(api).stage_name("prod");
                let ours = stage.send().await.unwrap().deployment_id.unwrap();
                let call = apigateway.create_stage().rest_api_id(api).stage_name("debug");
                call.deployment_id(ours).send().await.unwrap();
            }),
        ]
    }

    /// Deploys the API to the stage as the console does; gives the deployment that was there before.
    async fn deploy_by_hand(&self) -> String {
        let (apigateway, api) = (&self.apigateway, &self.api);
        let stage = apigateway.get_stage().rest_api_id(api).stage_name("prod");
        let ours = stage.send().await.unwrap().deployment_id.unwrap();
        let deployment = apigateway.create_deployment().rest_api_id(api);
        let deployment = deployment.send().await.unwrap().id.unwrap();
        let operation = PatchOperation::builder().op(Op::Replace).path("/deploymentId");
        let call = apigateway.update_stage().rest_api_id(api).stage_name("prod");
        let call = call.patch_operations(operation.value(deployment).build());
        call.send().await.unwrap();
        ours
    }
}
