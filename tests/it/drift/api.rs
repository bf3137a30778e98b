//! What is done by hand to the REST API.

use aws_config::SdkConfig;
use aws_sdk_apigateway::types::{IntegrationType, Op, PatchOperation};

use super::{Drift, NAME};

pub(super) struct Clients {
    apigateway: aws_sdk_apigateway::Client,
    /// The REST API's id.
    pub(super) api: String,
}

impl Clients {
    pub(super) async fn new(config: &SdkConfig) -> Self {
        let apigateway = aws_sdk_apigateway::Client::new(config);
        let apis = apigateway.get_rest_apis().send().await.unwrap();
        let [api] = apis.items() else { panic!("{apis:?}") };
        Self { api: api.id().unwrap().to_owned(), apigateway }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let mut drifts = self.rest_api();
        drifts.extend(self.post());
        drifts
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
            Drift::new("rest_api", ["api_key_source"], ["PATCH /restapis/*"], async move {
                let operation = PatchOperation::builder().op(Op::Replace).path("/apiKeySource");
                let call = apigateway.update_rest_api().rest_api_id(api);
                let call = call.patch_operations(operation.value("AUTHORIZER").build());
                call.send().await.unwrap();
            }),
            Drift::new("rest_api", ["path_remembered"], ["PATCH /restapis/*"], async move {
                let operation = PatchOperation::builder().op(Op::Replace).path("/description");
                let call = apigateway.update_rest_api().rest_api_id(api);
                let call = call.patch_operations(operation.value("somebody's").build());
                call.send().await.unwrap();
            }),
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
            Drift::new("rest_api", ["other_paths"], ["DELETE /restapis/*/resources/*"], async move {
                let root = self.resource("/").await;
                let call = apigateway.create_resource().rest_api_id(api).parent_id(root);
                call.path_part("more").send().await.unwrap();
            }),
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
                let call = call.tags("managed-by", "split-pipeline").tags("split-pipeline", NAME);
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
                ["post.other_settings"],
                [
                    "DELETE /restapis/*/resources/*/methods/POST",
                    "PUT /restapis/*/resources/*/methods/POST",
                    "PUT /restapis/*/resources/*/methods/POST/integration",
                ],
                self.settings_beside_ours(),
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

    /// Calls the function by a role, with a body that is not the one that came in.
    async fn settings_beside_ours(&self) {
        let (apigateway, api) = (&self.apigateway, &self.api);
        let webhook = self.webhook().await;
        let call = apigateway.get_integration().rest_api_id(api);
        let call = call.resource_id(&webhook).http_method("POST");
        let had = call.send().await.unwrap();
        let call = apigateway.put_integration().rest_api_id(api).resource_id(webhook);
        let call = call.http_method("POST").r#type(IntegrationType::AwsProxy);
        let call = call.integration_http_method("POST").uri(had.uri().unwrap());
        let call = call.timeout_in_millis(had.timeout_in_millis());
        let role = "arn:aws:iam::000000000000:role/somebodys";
        let call = call.credentials(role);
        let call = call.request_templates("application/json", "{}");
        call.send().await.unwrap();
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
