//! What is done by hand to the function, the REST API and its stage.

use aws_config::SdkConfig;
use aws_sdk_apigateway::types::{IntegrationType, Op, PatchOperation};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, PackageType, Runtime};

use super::{Drift, NAME};
use crate::support::archive::zip_of;

pub(super) struct Clients {
    lambda: aws_sdk_lambda::Client,
    apigateway: aws_sdk_apigateway::Client,
    /// The REST API's id.
    api: String,
}

impl Clients {
    pub(super) async fn new(config: &SdkConfig) -> Self {
        let apigateway = aws_sdk_apigateway::Client::new(config);
        let apis = apigateway.get_rest_apis().send().await.unwrap();
        let [api] = apis.items() else { panic!("{apis:?}") };
        Self {
            lambda: aws_sdk_lambda::Client::new(config),
            api: api.id().unwrap().to_owned(),
            apigateway,
        }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.function();
        drifts.extend(self.rest_api());
        drifts.extend(self.post());
        drifts.extend(self.stage());
        drifts
    }

    fn function(&self) -> Vec<Drift<'_>> {
        let lambda = &self.lambda;
        vec![
            Drift::new(
                "function",
                [
                    "environment.MORE",
                    "environment.SPLIT_PIPELINE_BUCKET",
                    "environment.SPLIT_PIPELINE_NUMBER_FIELDS",
                    "environment.SPLIT_PIPELINE_RECORD_KIB",
                    "environment.SPLIT_PIPELINE_STREAM",
                    "memory_mib",
                    "role",
                    "runtime",
                    "timeout_seconds",
                ],
                ["PUT /2015-03-31/functions/it-drift/configuration"],
                async move {
                    let variables = Environment::builder().variables("MORE", "1").build();
                    let call = lambda.update_function_configuration().function_name(NAME);
                    let call = call.runtime(Runtime::Providedal2).environment(variables);
                    let call = call.memory_size(128).timeout(3);
                    let role = "arn:aws:iam::000000000000:role/it-drift-delivery-us-east-1";
                    call.role(role).send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                ["architecture", "code_sha256"],
                ["PUT /2015-03-31/functions/it-drift/code"],
                async move {
                    let call = lambda.update_function_code().function_name(NAME);
                    let call = call
                        .architectures(Architecture::Arm64)
                        .zip_file(Blob::new(zip_of(b"#!/bin/sh\n")));
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                ["reserved_concurrency"],
                ["PUT /2017-10-31/functions/it-drift/concurrency"],
                async move {
                    let call = lambda.delete_function_concurrency().function_name(NAME);
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                ["tags.team"],
                ["POST /2017-03-31/tags/*"],
                async move {
                    let call = lambda.untag_resource().tag_keys("team");
                    let arn = "arn:aws:lambda:us-east-1:000000000000:function:it-drift";
                    call.resource(arn).send().await.unwrap();
                },
            ),
            Drift::new(
                "function",
                [
                    "package",
                    "code_sha256",
                    "runtime",
                    "reserved_concurrency",
                    "stage: invoke_permission",
                ],
                [
                    "DELETE /2015-03-31/functions/it-drift",
                    "POST /2015-03-31/functions",
                    "PUT /2017-10-31/functions/it-drift/concurrency",
                    "POST /2015-03-31/functions/it-drift/policy",
                ],
                self.an_image_instead(),
            ),
        ]
    }

    /// Makes a function of a container image in place of the one of a zip.
    async fn an_image_instead(&self) {
        let function = self
            .lambda
            .get_function()
            .function_name(NAME)
            .send()
            .await
            .unwrap();
        let had = function.configuration().unwrap();
        let call = self.lambda.delete_function().function_name(NAME);
        call.send().await.unwrap();
        let image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/somebodys:latest";
        let call = self.lambda.create_function().function_name(NAME);
        let call = call
            .package_type(PackageType::Image)
            .code(FunctionCode::builder().image_uri(image).build())
            .role(had.role().unwrap())
            .set_architectures(had.architectures.clone())
            .set_memory_size(had.memory_size())
            .set_timeout(had.timeout())
            .set_tags(function.tags().cloned());
        let variables = had.environment().unwrap().variables().cloned();
        let call = call.environment(Environment::builder().set_variables(variables).build());
        call.send().await.unwrap();
    }

    fn rest_api(&self) -> Vec<Drift<'_>> {
        let (apigateway, api) = (&self.apigateway, &self.api);
        vec![
            Drift::new(
                "rest_api",
                ["policy.Statement", "policy.Version"],
                ["PATCH /restapis/*"],
                async move {
                    let operation = PatchOperation::builder().op(Op::Replace).path("/policy");
                    let call = apigateway.update_rest_api().rest_api_id(api);
                    let call = call.patch_operations(operation.value("").build());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "rest_api",
                ["path_remembered"],
                ["PATCH /restapis/*"],
                async move {
                    let operation = PatchOperation::builder().op(Op::Replace).path("/description");
                    let call = apigateway.update_rest_api().rest_api_id(api);
                    let call = call.patch_operations(operation.value("somebody's").build());
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "rest_api",
                ["other_methods"],
                ["DELETE /restapis/*/resources/*/methods/GET"],
                async move {
                    let root = self.resource("/").await;
                    let call = apigateway.put_method().rest_api_id(api).resource_id(root);
                    let call = call.http_method("GET").authorization_type("NONE");
                    call.send().await.unwrap();
                },
            ),
            Drift::new(
                "rest_api",
                ["other_paths"],
                ["DELETE /restapis/*/resources/*"],
                async move {
                    let root = self.resource("/").await;
                    let call = apigateway.create_resource().rest_api_id(api).parent_id(root);
                    call.path_part("more").send().await.unwrap();
                },
            ),
            Drift::new(
                "rest_api",
                [
                    "path",
                    "post.api_key_required",
                    "post.authorization",
                    "post.integration",
                    "post.timeout_ms",
                    "post.uri",
                ],
                [
                    "POST /restapis/*/resources/*",
                    "PUT /restapis/*/resources/*/methods/POST",
                    "PUT /restapis/*/resources/*/methods/POST/integration",
                ],
                async move {
                    let webhook = self.webhook().await;
                    let call = apigateway.delete_resource().rest_api_id(api).resource_id(webhook);
                    call.send().await.unwrap();
                },
            ),
            Drift::new("rest_api", ["duplicates"], ["DELETE /restapis/*"], async move {
                let call = apigateway.create_rest_api().name(NAME);
                let call = call
                    .tags("managed-by", "split-pipeline")
                    .tags("split-pipeline", NAME);
                call.send().await.unwrap();
            }),
            Drift::new("rest_api", ["tags.team"], ["PUT /tags/*"], async move {
                let call = apigateway.untag_resource().tag_keys("team");
                let arn = format!("arn:aws:apigateway:us-east-1::/restapis/{api}");
                call.resource_arn(arn).send().await.unwrap();
            }),
        ]
    }

    fn post(&self) -> Vec<Drift<'_>> {
        let (apigateway, api) = (&self.apigateway, &self.api);
        vec![
            Drift::new(
                "rest_api",
                ["post.integration", "post.timeout_ms", "post.uri"],
                ["PUT /restapis/*/resources/*/methods/POST/integration"],
                async move {
                    let webhook = self.webhook().await;
                    let call = apigateway.put_integration().rest_api_id(api).resource_id(webhook);
                    let call = call.http_method("POST").r#type(IntegrationType::HttpProxy);
                    let call = call.integration_http_method("POST").timeout_in_millis(50);
                    call.uri("https://example.com").send().await.unwrap();
                },
            ),
            Drift::new(
                "rest_api",
                [
                    "post.api_key_required",
                    "post.authorization",
                    "post.integration",
                    "post.timeout_ms",
                    "post.uri",
                ],
                [
                    "DELETE /restapis/*/resources/*/methods/POST",
                    "PUT /restapis/*/resources/*/methods/POST",
                    "PUT /restapis/*/resources/*/methods/POST/integration",
                ],
                async move {
                    let webhook = self.webhook().await;
                    let call = apigateway.delete_method().rest_api_id(api).resource_id(&webhook);
                    call.http_method("POST").send().await.unwrap();
                    let call = apigateway.put_method().rest_api_id(api).resource_id(&webhook);
                    let call = call.http_method("POST").authorization_type("AWS_IAM");
                    call.api_key_required(true).send().await.unwrap();
                },
            ),
        ]
    }

    fn stage(&self) -> Vec<Drift<'_>> {
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
                        PatchOperation::builder()
                            .op(Op::Replace)
                            .path(path)
                            .value(value)
                            .build()
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
                    let operation = PatchOperation::builder()
                        .op(Op::Remove)
                        .path("/accessLogSettings");
                    let call = apigateway.update_stage().rest_api_id(api).stage_name("prod");
                    call.patch_operations(operation.build()).send().await.unwrap();
                },
            ),
            Drift::new(
                "stage",
                ["deployment"],
                [
                    "PATCH /restapis/*/stages/prod",
                    "DELETE /restapis/*/deployments/*",
                ],
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
                    let call = lambda
                        .add_permission()
                        .function_name(NAME)
                        .statement_id("anybody");
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
                let call = call
                    .tags("managed-by", "split-pipeline")
                    .tags("split-pipeline", NAME);
                let arn = format!("arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod");
                call.resource_arn(arn).send().await.unwrap();
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

    /// The id of a path.
    async fn resource(&self, path: &str) -> String {
        self.find(|found| found == path).await
    }

    /// The id of the webhook's path.
    async fn webhook(&self) -> String {
        self.find(|path| path.len() == 33).await
    }

    async fn find(&self, is_meant: impl Fn(&str) -> bool) -> String {
        let call = self.apigateway.get_resources().rest_api_id(&self.api);
        let resources = call.send().await.unwrap().items.unwrap();
        let mut resources = resources.into_iter();
        let found = resources.find(|found| is_meant(found.path().unwrap()));
        found.unwrap().id.unwrap()
    }
}
