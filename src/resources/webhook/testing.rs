//! A REST API with its stages in memory, for unit tests: as API Gateway answers, with the function's policy.

use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::operation::create_deployment::CreateDeploymentOutput;
use aws_sdk_apigateway::operation::create_resource::{CreateResourceInput, CreateResourceOutput};
use aws_sdk_apigateway::operation::create_rest_api::{CreateRestApiInput, CreateRestApiOutput};
use aws_sdk_apigateway::operation::create_stage::CreateStageOutput;
use aws_sdk_apigateway::operation::delete_deployment::DeleteDeploymentOutput;
use aws_sdk_apigateway::operation::delete_resource::DeleteResourceOutput;
use aws_sdk_apigateway::operation::get_deployments::GetDeploymentsOutput;
use aws_sdk_apigateway::operation::get_export::GetExportOutput;
use aws_sdk_apigateway::operation::get_resources::GetResourcesOutput;
use aws_sdk_apigateway::operation::get_rest_apis::GetRestApisOutput;
use aws_sdk_apigateway::operation::get_stages::GetStagesOutput;
use aws_sdk_apigateway::operation::put_integration::{PutIntegrationInput, PutIntegrationOutput};
use aws_sdk_apigateway::operation::put_method::PutMethodOutput;
use aws_sdk_apigateway::operation::update_rest_api::UpdateRestApiOutput;
use aws_sdk_apigateway::operation::update_stage::UpdateStageOutput;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{
    AccessLogSettings, Deployment, Integration, Method, MethodSetting, PatchOperation, Resource, RestApi,
    Stage,
};
use aws_sdk_lambda::operation::add_permission::{AddPermissionInput, AddPermissionOutput};
use aws_sdk_lambda::operation::get_policy::GetPolicyOutput;
use aws_smithy_mocks::{Rule, mock};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

use super::{rest_api, stage};
use crate::aws::testing::every_service;
use crate::resource::{Adoption, Step, Target, decide, ensure};

#[derive(Clone, Default)]
pub(crate) struct Gateway(Arc<Mutex<GatewayWorld>>);

#[derive(Default)]
pub(crate) struct GatewayWorld {
    pub(crate) api: Option<RestApi>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) statements: Vec<Value>,
    created: usize,
}

impl GatewayWorld {
    fn new_id(&mut self, of: &str) -> String {
        self.created += 1;
        format!("{of}{}", self.created)
    }

    fn create_api(&mut self, input: &CreateRestApiInput) -> CreateRestApiOutput {
        let (api, root) = (self.new_id("api"), self.new_id("resource"));
        let found = RestApi::builder()
            .id(&api)
            .set_name(input.name.clone())
            .set_description(input.description.clone())
            .set_policy(input.policy.clone())
            .set_binary_media_types(input.binary_media_types.clone())
            .set_endpoint_configuration(input.endpoint_configuration.clone())
            .set_tags(input.tags.clone())
            .root_resource_id(&root);
        self.api = Some(found.build());
        self.resources = vec![Resource::builder().id(&root).path("/").build()];
        CreateRestApiOutput::builder()
            .id(api)
            .root_resource_id(root)
            .set_binary_media_types(input.binary_media_types.clone())
            .build()
    }

    fn create_resource(&mut self, input: &CreateResourceInput) -> CreateResourceOutput {
        let id = self.new_id("resource");
        let path = format!("/{}", input.path_part().unwrap());
        self.resources.push(Resource::builder().id(&id).path(path).build());
        CreateResourceOutput::builder().id(id).build()
    }

    fn method(&mut self, resource: Option<&str>, name: Option<&str>) -> &mut Method {
        let resource = self.resources.iter_mut().find(|it| it.id() == resource).unwrap();
        let methods = resource.resource_methods.get_or_insert_default();
        methods.entry(name.unwrap().to_owned()).or_insert_with(|| Method::builder().build())
    }

    fn put_integration(&mut self, input: &PutIntegrationInput) {
        let integration = Integration::builder()
            .set_type(input.r#type.clone())
            .set_uri(input.uri.clone())
            .set_timeout_in_millis(input.timeout_in_millis);
        let method = self.method(input.resource_id(), input.http_method());
        method.method_integration = Some(integration.build());
    }

    fn patch_stage(&mut self, name: Option<&str>, operations: &[PatchOperation]) {
        let stage = self.stages.iter_mut().find(|it| it.stage_name() == name).unwrap();
        let settings = stage.method_settings.get_or_insert_default();
        let limits = settings.entry("*/*".to_owned()).or_insert_with(|| MethodSetting::builder().build());
        let log = stage.access_log_settings.get_or_insert_with(|| AccessLogSettings::builder().build());
        for operation in operations {
            let value = operation.value().unwrap().to_owned();
            match operation.path().unwrap() {
                "/deploymentId" => stage.deployment_id = Some(value),
                "/*/*/throttling/rateLimit" => limits.throttling_rate_limit = value.parse().unwrap(),
                "/*/*/throttling/burstLimit" => limits.throttling_burst_limit = value.parse().unwrap(),
                "/accessLogSettings/destinationArn" => log.destination_arn = Some(value),
                "/accessLogSettings/format" => log.format = Some(value),
                other => panic!("{other} cannot be patched here"),
            }
        }
    }

    /// What the deployed API calls, which is what its resources call.
    fn export(&self) -> Value {
        let methods = |resource: &Resource| {
            let methods = resource.resource_methods().into_iter().flatten();
            let methods = methods.map(|(name, method)| {
                let uri = method.method_integration().and_then(Integration::uri);
                let integration = json!({"x-amazon-apigateway-integration": {"uri": uri}});
                (name.to_lowercase(), integration)
            });
            methods.collect::<serde_json::Map<_, _>>()
        };
        let paths = self.resources.iter();
        let paths = paths.map(|it| (it.path().unwrap().to_owned(), Value::Object(methods(it))));
        json!({"paths": paths.collect::<serde_json::Map<_, _>>()})
    }

    fn permit(&mut self, input: &AddPermissionInput) {
        self.statements.push(json!({
            "Sid": input.statement_id(), "Effect": "Allow", "Action": input.action(),
            "Principal": {"Service": input.principal()},
            "Condition": {"ArnLike": {"AWS:SourceArn": input.source_arn()}},
        }));
    }
}

impl Gateway {
    /// An API that is as it should be, with its stage.
    pub(crate) async fn open(
        api: &Target<rest_api::RestApi>,
        stage: &Target<stage::Stage>,
    ) -> (Self, rest_api::Id) {
        let gateway = Self::default();
        let aws = every_service(&gateway.rules().iter().collect::<Vec<_>>());
        let step = Step::new(&aws, api.kind, "flags");
        let id = ensure(api, decide(api, None, Adoption::Refuse), &step).await.unwrap();
        let decision = decide(stage, None, Adoption::Refuse);
        ensure(stage, decision, &step).await.unwrap();
        (gateway, id)
    }

    pub(crate) fn world<T>(&self, look: impl FnOnce(&mut GatewayWorld) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The paths that take `POST`, by whatever deployment.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.world(|world| {
            let takes_post = world.resources.iter().filter(|it| {
                let methods = it.resource_methods();
                methods.is_some_and(|methods| methods.contains_key("POST"))
            });
            takes_post.map(|it| it.path().unwrap().trim_start_matches('/').to_owned()).collect()
        })
    }

    /// The ids of all deployments, and the one that the first stage points to.
    pub(crate) fn deployed(&self) -> (Vec<String>, Option<String>) {
        self.world(|world| {
            let all = world.deployments.iter().map(|it| it.id().unwrap().to_owned());
            let stage = world.stages.first();
            (all.collect(), stage.and_then(|it| it.deployment_id.clone()))
        })
    }

    pub(crate) fn rules(&self) -> Vec<Rule> {
        [self.api(), self.paths_of_api(), self.stage()].concat()
    }

    fn api(&self) -> Vec<Rule> {
        let (list, create, update) = (self.clone(), self.clone(), self.clone());
        let (deployments, deploy, delete) = (self.clone(), self.clone(), self.clone());
        vec![
            mock!(Client::get_rest_apis).then_output(move || {
                let apis = list.world(|world| world.api.iter().cloned().collect());
                GetRestApisOutput::builder().set_items(Some(apis)).build()
            }),
            mock!(Client::create_rest_api)
                .then_compute_output(move |input| create.world(|world| world.create_api(input))),
            mock!(Client::update_rest_api).then_compute_output(move |input| {
                for operation in input.patch_operations() {
                    assert_eq!(operation.path(), Some("/description"));
                    let description = operation.value.clone();
                    update.world(|world| world.api.as_mut().unwrap().description = description);
                }
                UpdateRestApiOutput::builder().build()
            }),
            mock!(Client::get_deployments).then_output(move || {
                let all = deployments.world(|world| world.deployments.clone());
                GetDeploymentsOutput::builder().set_items(Some(all)).build()
            }),
            mock!(Client::create_deployment).then_compute_output(move |input| {
                let description = input.description.clone();
                let id = deploy.world(|world| {
                    let id = world.new_id("deployment");
                    let deployment = Deployment::builder().id(&id).set_description(description);
                    world.deployments.push(deployment.build());
                    id
                });
                CreateDeploymentOutput::builder().id(id).build()
            }),
            mock!(Client::delete_deployment).then_compute_output(move |input| {
                let id = input.deployment_id();
                delete.world(|world| {
                    assert!(world.stages.iter().all(|stage| stage.deployment_id() != id));
                    world.deployments.retain(|it| it.id() != id);
                });
                DeleteDeploymentOutput::builder().build()
            }),
        ]
    }

    fn paths_of_api(&self) -> Vec<Rule> {
        let (list, create, delete) = (self.clone(), self.clone(), self.clone());
        let (method, integration) = (self.clone(), self.clone());
        vec![
            mock!(Client::get_resources).then_output(move || {
                let all = list.world(|world| world.resources.clone());
                GetResourcesOutput::builder().set_items(Some(all)).build()
            }),
            mock!(Client::create_resource)
                .then_compute_output(move |input| create.world(|world| world.create_resource(input))),
            mock!(Client::delete_resource).then_compute_output(move |input| {
                delete.world(|world| world.resources.retain(|it| it.id() != input.resource_id()));
                DeleteResourceOutput::builder().build()
            }),
            mock!(Client::put_method).then_compute_output(move |input| {
                method.world(|world| {
                    let method = world.method(input.resource_id(), input.http_method());
                    method.authorization_type = input.authorization_type.clone();
                    method.api_key_required = input.api_key_required();
                });
                PutMethodOutput::builder().build()
            }),
            mock!(Client::put_integration).then_compute_output(move |input| {
                integration.world(|world| world.put_integration(input));
                PutIntegrationOutput::builder().build()
            }),
        ]
    }

    fn stage(&self) -> Vec<Rule> {
        let (list, create, update) = (self.clone(), self.clone(), self.clone());
        let (policy, permit, export) = (self.clone(), self.clone(), self.clone());
        vec![
            mock!(Client::get_export).then_output(move || {
                let exported = export.world(|world| world.export().to_string());
                GetExportOutput::builder().body(Blob::new(exported)).build()
            }),
            mock!(Client::get_stages).then_output(move || {
                let all = list.world(|world| world.stages.clone());
                GetStagesOutput::builder().set_item(Some(all)).build()
            }),
            mock!(Client::create_stage).then_compute_output(move |input| {
                let stage = Stage::builder()
                    .set_stage_name(input.stage_name.clone())
                    .set_deployment_id(input.deployment_id.clone())
                    .set_tags(input.tags.clone());
                create.world(|world| world.stages.push(stage.build()));
                CreateStageOutput::builder().build()
            }),
            mock!(Client::update_stage).then_compute_output(move |input| {
                update.world(|world| world.patch_stage(input.stage_name(), input.patch_operations()));
                UpdateStageOutput::builder().build()
            }),
            mock!(aws_sdk_lambda::Client::get_policy).then_output(move || {
                let statements = policy.world(|world| world.statements.clone());
                let document = json!({ "Statement": statements }).to_string();
                GetPolicyOutput::builder().policy(document).build()
            }),
            mock!(aws_sdk_lambda::Client::add_permission).then_compute_output(move |input| {
                permit.world(|world| world.permit(input));
                AddPermissionOutput::builder().build()
            }),
        ]
    }
}
