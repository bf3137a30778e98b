//! The stage that opens the REST API to the world: it points to a deployment of the API as it should be, throttles,
//! and exactly its requests may invoke the function.

use aws_sdk_apigateway::types::{AccessLogSettings, MethodSetting, Op, PatchOperation, Stage as Found};
use futures_util::{join, try_join};
use serde::Serialize;

use super::rest_api::{self, delete_deployment, described_tags, read_tags, replace};
use crate::resources::function;
use std::fmt;

use crate::aws::{Aws, AwsError, Outcome};
use crate::kind::Kind;
use crate::names::Names;
use crate::resource::{Changes, Latest, Observed, Replacement, Resource, Step, TagChanges, Target, is_ours};

mod defaults;
mod deployed;
mod export;
mod permission;
mod want;

use defaults::ALL_METHODS;
pub use defaults::StageDefaults;
use permission::NAMELESS;
pub use permission::{ACTION, PRINCIPAL, Permission, STATEMENT};
pub(crate) use want::want;

pub const KIND: Kind = Kind::new("stage");

#[derive(Clone, Copy, Debug)]
pub struct Stage;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// The stage's name, which is a part of the webhook's URL.
    pub name: String,
    /// Whether what is deployed is the API as it should be.
    pub deployment: DeploymentState,
    /// Whether these requests, and no others, may invoke the function.
    pub invoke_permission: Permission,
    /// Statements in the function's policy that nobody but us should have put there.
    pub other_permissions: Vec<String>,
    pub rate_limit: f64,
    pub burst_limit: i32,
    /// Where every request is logged, if anywhere.
    pub access_log: Option<AccessLog>,
    #[serde(flatten)]
    pub defaults: StageDefaults,
    pub deployed_elsewhere: Vec<String>,
    pub other_stages: Vec<String>,
    /// What somebody put before the stage; not compared.
    #[serde(skip)]
    pub left_alone: Vec<String>,
}

/// Where and how every request is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessLog {
    pub log_group: String,
    /// What is written of each: without the path, which is a secret.
    pub format: String,
}

/// Whether what is deployed is the API as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Current,
    Outdated,
}

#[derive(Clone, Debug)]
pub struct Id {
    api: String,
    name: String,
    deployment: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api, self.name)
    }
}

impl Id {
    pub fn deployment(&self) -> &str {
        &self.deployment
    }
}

#[derive(Clone, Debug)]
pub struct InApi {
    pub names: Names,
    pub api: Latest<rest_api::Id>,
}

impl Resource for Stage {
    type State = State;
    type Id = Id;
    type Extra = InApi;
    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(api) = &want.extra.api.get() else {
            return Ok(None);
        };
        let (stage, permissions) = try_join!(want.find(&api.api, aws), want.permissions(api, aws))?;
        let Some((stage, others)) = stage else {
            return Ok(None);
        };
        let name = stage.stage_name().unwrap_or_default().to_owned();
        let deployment = stage.deployment_id().unwrap_or_default().to_owned();
        let tags = read_tags(&want.extra.names.stage_arn(&api.api, &name), stage.tags(), aws).await;
        let throttling = stage.method_settings().and_then(|settings| settings.get(ALL_METHODS));
        // What is outdated is replaced anyway.
        let (status, deployed_elsewhere) = if api.deployments.contains(&deployment) {
            let elsewhere = want.deployed_elsewhere(api, &name, aws).await?;
            (DeploymentState::Current, elsewhere)
        } else {
            (DeploymentState::Outdated, Vec::new())
        };
        let state = State {
            name: name.clone(),
            deployment: status,
            deployed_elsewhere,
            invoke_permission: permissions.0,
            other_permissions: permissions.1,
            rate_limit: throttling.map(MethodSetting::throttling_rate_limit).unwrap_or_default(),
            burst_limit: throttling.map(MethodSetting::throttling_burst_limit).unwrap_or_default(),
            access_log: stage.access_log_settings().and_then(access_log),
            defaults: StageDefaults::read(&stage),
            other_stages: others,
            left_alone: stage.web_acl_arn().map(inspected).into_iter().collect(),
        };
        Ok(Some(Observed::ready(Id { api: api.api.clone(), name, deployment }, state, tags)))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let (api, name) = (&want.api()?, &want.state.name);
        let deployment = deployment_of(api)?;
        let request = || {
            let call = step.aws.apigateway.create_stage().rest_api_id(&api.api);
            call.stage_name(name)
                .deployment_id(deployment)
                .set_tags(Some(want.tags.clone().into_iter().collect()))
                .send()
        };
        let create = step.call("apigateway:CreateStage", request);
        // Nobody knows a new stage's URL yet, so it does not matter which of the two is there first.
        let (permitted, created) = join!(want.permit(api, step), create);
        permitted?;
        created?;
        let state = State { rate_limit: 0.0, burst_limit: 0, access_log: None, ..want.state.clone() };
        let id = Id { api: api.api.clone(), name: name.clone(), deployment: deployment.to_owned() };
        Ok(want.created(id, state))
    }

    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        changes: &Changes,
        step: &Step<'_>,
    ) -> Result<Id, AwsError> {
        let (mut id, api) = (have.id.clone(), want.api()?);
        want.repair_permissions(&have.state, &api, step).await?;
        let mut patch = want.state.defaults.restore(&have.state.defaults);
        patch.extend(want.throttling(&have.state));
        if changes.has("deployed_elsewhere") {
            id.deployment = want.deploy_anew(&id, &api, step).await?;
            patch.push(replace("/deploymentId", &id.deployment));
        } else if changes.has("deployment") {
            deployment_of(&api)?.clone_into(&mut id.deployment);
            patch.push(replace("/deploymentId", &id.deployment));
        }
        want.patch(&id, patch, step).await?;
        // Before the deployment, which may be theirs.
        for other in &have.state.other_stages {
            delete_stage(&id.api, other, step).await?;
        }
        if id.deployment != have.id.deployment {
            delete_deployment(&id.api, &have.id.deployment, step).await?;
        }
        // Last, and by itself: AWS refuses it where the account has no role for logs, and the rest must not wait for that.
        want.patch(&id, want.log(&have.state), step).await?;
        Ok(id)
    }

    async fn delete(_want: &Target<Self>, id: &Id, step: &Step<'_>) -> Result<(), AwsError> {
        delete_stage(&id.api, &id.name, step).await
    }

    fn left_alone(have: &State) -> &[String] {
        &have.left_alone
    }

    fn replacement(want: &Target<Self>, have: &State) -> Option<Replacement> {
        (have.name != want.state.name).then(|| {
            let (have, want) = (&have.name, &want.state.name);
            Replacement::Recreate(format!(
                "a stage cannot be renamed from {have} to {want}; the webhook's URL changes with it"
            ))
        })
    }

    async fn retag(want: &Target<Self>, id: &Id, tags: &TagChanges, step: &Step<'_>) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            rest_api::tag(&want.arn_of(id), &want.tags, step).await?;
        }
        if !removed.is_empty() {
            rest_api::untag(&want.arn_of(id), removed, step).await?;
        }
        Ok(())
    }

    fn without(have: &mut State, replaced: Kind) {
        // The permission to invoke a function goes with the function.
        if replaced == function::KIND {
            have.invoke_permission = Permission::Missing;
            have.other_permissions.clear();
        }
    }
}

impl Target<Stage> {
    fn api(&self) -> Result<rest_api::Id, AwsError> {
        let api = self.extra.api.get();
        api.ok_or_else(|| AwsError::incomplete("apigateway:GetRestApis", "REST API of the stage"))
    }

    fn arn_of(&self, id: &Id) -> String {
        self.extra.names.stage_arn(&id.api, &id.name)
    }

    /// Lets the webhook invoke the function, and nobody else.
    async fn repair_permissions(
        &self,
        had: &State,
        api: &rest_api::Id,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        if had.other_permissions.iter().any(|other| other == NAMELESS) {
            return self.permit_alone(api, step).await;
        }
        if had.invoke_permission == Permission::Different {
            self.remove_permission(STATEMENT, step).await?;
        }
        for other in &had.other_permissions {
            self.remove_permission(other, step).await?;
        }
        if had.invoke_permission != self.state.invoke_permission {
            self.permit(api, step).await?;
        }
        Ok(())
    }

    /// Finds the stage by its name, else another one of ours: the one that the spec named before; and the names of all others.
    async fn find(&self, api: &str, aws: &Aws) -> Result<Option<(Found, Vec<String>)>, AwsError> {
        let request = || aws.apigateway.get_stages().rest_api_id(api).send();
        let answer = aws.call("apigateway:GetStages", request).await.found()?;
        let mut stages = answer.and_then(|answer| answer.item).unwrap_or_default();
        let named = |stage: &Found| stage.stage_name() == Some(self.state.name.as_str());
        let tagged = |stage: &Found| is_ours(&self.tags, &described_tags(stage.tags()));
        let found = stages.iter().position(named).or_else(|| stages.iter().position(tagged));
        Ok(found.map(|index| {
            let found = stages.remove(index);
            let others = stages.into_iter().filter_map(|other| other.stage_name);
            (found, others.collect())
        }))
    }

    async fn patch(&self, id: &Id, operations: Vec<PatchOperation>, step: &Step<'_>) -> Result<(), AwsError> {
        if operations.is_empty() {
            return Ok(());
        }
        let request = || {
            let call = step.aws.apigateway.update_stage().rest_api_id(&id.api);
            let call = call.stage_name(&id.name);
            call.set_patch_operations(Some(operations.clone())).send()
        };
        step.call("apigateway:UpdateStage", request).await.map(drop)
    }

    fn throttling(&self, had: &State) -> Vec<PatchOperation> {
        let want = &self.state;
        let mut operations = Vec::new();
        if (had.rate_limit - want.rate_limit).abs() > f64::EPSILON {
            let value = want.rate_limit.to_string();
            operations.push(replace("/*/*/throttling/rateLimit", &value));
        }
        if had.burst_limit != want.burst_limit {
            let value = want.burst_limit.to_string();
            operations.push(replace("/*/*/throttling/burstLimit", &value));
        }
        operations
    }

    fn log(&self, had: &State) -> Vec<PatchOperation> {
        match &self.state.access_log {
            want if had.access_log == *want => Vec::new(),
            None => {
                let remove = PatchOperation::builder().op(Op::Remove);
                vec![remove.path("/accessLogSettings").build()]
            }
            Some(log) => vec![
                replace("/accessLogSettings/destinationArn", &log.log_group),
                replace("/accessLogSettings/format", &log.format),
            ],
        }
    }
}

fn access_log(settings: &AccessLogSettings) -> Option<AccessLog> {
    Some(AccessLog {
        log_group: settings.destination_arn()?.to_owned(),
        format: settings.format().unwrap_or_default().to_owned(),
    })
}

fn inspected(web_acl: &str) -> String {
    format!("the web ACL {web_acl} inspects its requests, and may log their secret path")
}

async fn delete_stage(api: &str, name: &str, step: &Step<'_>) -> Result<(), AwsError> {
    let request = || {
        let call = step.aws.apigateway.delete_stage().rest_api_id(api);
        call.stage_name(name).send()
    };
    step.remove("apigateway:DeleteStage", request).await
}

fn deployment_of(api: &rest_api::Id) -> Result<&str, AwsError> {
    let newest = api.deployments.last();
    newest
        .map(String::as_str)
        .ok_or_else(|| AwsError::incomplete("apigateway:GetDeployments", "deployment of the API"))
}
