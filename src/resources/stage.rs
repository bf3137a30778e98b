//! The stage that opens the REST API to the world: it points to a deployment of the API as it should be, throttles,
//! and exactly its requests may invoke the function.

use aws_sdk_apigateway::types::{AccessLogSettings, MethodSetting, Op, PatchOperation, Stage as Found};
use futures_util::{join, try_join};
use serde::Serialize;

use super::rest_api::{self, delete_deployment, described_tags, read_tags, replace, retag};
use crate::aws::{Aws, AwsError, Outcome};
use crate::names::Names;
use crate::resource::{About, Kind, Observed, Phase, Replacement, Resource, Step, Tags, is_ours};

mod defaults;
mod deployed;
mod permission;

use defaults::ALL_METHODS;
pub use defaults::Defaults;
use permission::NAMELESS;
pub use permission::{ACTION, PRINCIPAL, Permission, STATEMENT};

/// The stage as it should be.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The names of the pipeline, for ARNs that hold the API's id.
    pub names: Names,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// The stage's name, which is a part of the webhook's URL.
    pub name: String,
    /// Whether what is deployed is the API as it should be.
    pub deployment: Deployment,
    /// Whether these requests, and no others, may invoke the function.
    pub invoke_permission: Permission,
    /// Statements in the function's policy that nobody but us should have put there.
    pub other_permissions: Vec<String>,
    /// Requests per second.
    pub rate_limit: f64,
    /// Requests at once.
    pub burst_limit: i32,
    /// Where every request is logged, if anywhere.
    pub access_log: Option<AccessLog>,
    /// Settings that stay as API Gateway has them.
    #[serde(flatten)]
    pub defaults: Defaults,
    /// What the deployed API calls besides the function.
    pub deployed_elsewhere: Vec<String>,
    /// Stages of the API beside this one.
    pub other_stages: Vec<String>,
    /// What somebody put before the stage; not compared.
    #[serde(skip)]
    pub left_alone: Vec<String>,
}

/// Where and how every request is logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessLog {
    /// The log group's ARN.
    pub log_group: String,
    /// What is written of each: without the path, which is a secret.
    pub format: String,
}

/// Whether what is deployed is the API as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployment {
    /// It is.
    Current,
    /// It lags behind.
    Outdated,
}

/// What there is to know of an existing one.
#[derive(Clone, Debug)]
pub struct Id {
    api: String,
    name: String,
    deployment: String,
}

impl Id {
    /// The deployment that the stage points to.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }
}

/// What must exist first.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The API with its path.
    pub api: rest_api::Id,
    /// The function that it invokes.
    pub function: String,
    /// The delivery stream, ACTIVE: what reaches the stream before that never reaches S3.
    pub delivery_stream: String,
}

impl Resource for Stage {
    type State = State;
    type Id = Id;
    /// The API, if there is one: without it there is no stage.
    type Parent = Option<rest_api::Id>;
    type Needs = Needs;

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Stage,
            name: &self.state.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &Id) -> String {
        format!("{}/{}", id.api, id.name)
    }

    fn parent(needs: &Needs) -> Option<rest_api::Id> {
        Some(needs.api.clone())
    }

    async fn observe(
        &self,
        aws: &Aws,
        api: &Option<rest_api::Id>,
    ) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(api) = api else { return Ok(None) };
        let (stage, permissions) = try_join!(self.find(&api.api, aws), self.permissions(api, aws))?;
        let Some((stage, others)) = stage else {
            return Ok(None);
        };
        let name = stage.stage_name().unwrap_or_default().to_owned();
        let deployment = stage.deployment_id().unwrap_or_default().to_owned();
        let tags = read_tags(&self.names.stage_arn(&api.api, &name), stage.tags(), aws).await;
        let throttling = stage
            .method_settings()
            .and_then(|settings| settings.get(ALL_METHODS));
        // What is outdated is replaced anyway.
        let (status, deployed_elsewhere) = if api.deployments.contains(&deployment) {
            let elsewhere = self.deployed_elsewhere(api, &name, aws).await?;
            (Deployment::Current, elsewhere)
        } else {
            (Deployment::Outdated, Vec::new())
        };
        let state = State {
            name: name.clone(),
            deployment: status,
            deployed_elsewhere,
            invoke_permission: permissions.0,
            other_permissions: permissions.1,
            rate_limit: throttling
                .map(MethodSetting::throttling_rate_limit)
                .unwrap_or_default(),
            burst_limit: throttling
                .map(MethodSetting::throttling_burst_limit)
                .unwrap_or_default(),
            access_log: stage.access_log_settings().and_then(access_log),
            defaults: Defaults::read(&stage),
            other_stages: others,
            left_alone: stage.web_acl_arn().map(inspected).into_iter().collect(),
        };
        Ok(Some(Observed {
            id: Id {
                api: api.api.clone(),
                name,
                deployment,
            },
            state,
            tags,
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, needs: &Needs, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let (api, name) = (&needs.api.api, &self.state.name);
        let deployment = deployment_of(&needs.api)?;
        let create = async || {
            let request = || {
                let call = step
                    .aws
                    .apigateway
                    .create_stage()
                    .rest_api_id(api)
                    .stage_name(name);
                let call = call.deployment_id(deployment);
                call.set_tags(Some(self.tags.clone().into_iter().collect()))
                    .send()
            };
            step.aws.call("apigateway:CreateStage", request).await
        };
        // Nobody knows a new stage's URL yet, so it does not matter which of the two is there first.
        let (permitted, created) = join!(self.permit(needs, step), step.settle(create));
        permitted?;
        created?;
        let state = State {
            rate_limit: 0.0,
            burst_limit: 0,
            access_log: None,
            ..self.state.clone()
        };
        let id = Id {
            api: api.clone(),
            name: name.clone(),
            deployment: deployment.to_owned(),
        };
        Ok(Observed {
            id,
            state,
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, have: &Observed<Self>, needs: &Needs, step: &Step<'_>) -> Result<Id, AwsError> {
        let mut id = have.id.clone();
        self.repair_permissions(&have.state, needs, step).await?;
        let mut patch = self.state.defaults.restore(&have.state.defaults);
        patch.extend(self.throttling(&have.state));
        if !have.state.deployed_elsewhere.is_empty() {
            id.deployment = self.deploy_anew(&id, &needs.api, step).await?;
            patch.push(replace("/deploymentId", &id.deployment));
        } else if have.state.deployment != self.state.deployment {
            deployment_of(&needs.api)?.clone_into(&mut id.deployment);
            patch.push(replace("/deploymentId", &id.deployment));
        }
        self.patch(&id, patch, step).await?;
        // Before the deployment, which may be theirs.
        for other in &have.state.other_stages {
            delete_stage(&id.api, other, step).await?;
        }
        if id.deployment != have.id.deployment {
            delete_deployment(&id.api, &have.id.deployment, step).await?;
        }
        // Last, and by itself: AWS refuses it where the account has no role for logs, and the rest must not wait for that.
        self.patch(&id, self.log(&have.state), step).await?;
        retag(
            &self.names.stage_arn(&id.api, &id.name),
            &self.tags,
            &have.tags,
            step.aws,
        )
        .await?;
        Ok(id)
    }

    async fn delete(&self, id: &Id, step: &Step<'_>) -> Result<(), AwsError> {
        delete_stage(&id.api, &id.name, step).await
    }

    fn left_alone<'a>(&self, have: &'a State) -> &'a [String] {
        &have.left_alone
    }

    fn replacement(&self, have: &State) -> Option<Replacement> {
        (have.name != self.state.name).then(|| {
            let (have, want) = (&have.name, &self.state.name);
            Replacement::Recreate(format!(
                "a stage cannot be renamed from {have} to {want}; the webhook's URL changes with it"
            ))
        })
    }
}

impl Stage {
    /// Lets the webhook invoke the function, and nobody else.
    async fn repair_permissions(&self, had: &State, needs: &Needs, step: &Step<'_>) -> Result<(), AwsError> {
        if had.other_permissions.iter().any(|other| other == NAMELESS) {
            return self.permit_alone(needs, step).await;
        }
        if had.invoke_permission == Permission::Different {
            self.remove_permission(STATEMENT, step).await?;
        }
        for other in &had.other_permissions {
            self.remove_permission(other, step).await?;
        }
        if had.invoke_permission != self.state.invoke_permission {
            self.permit(needs, step).await?;
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
        let found = stages
            .iter()
            .position(named)
            .or_else(|| stages.iter().position(tagged));
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
        let patch = async || step.aws.call("apigateway:UpdateStage", request).await;
        step.settle(patch).await.map(drop)
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

/// What to say of a web ACL.
fn inspected(web_acl: &str) -> String {
    format!("the web ACL {web_acl} inspects its requests, and may log their secret path")
}

async fn delete_stage(api: &str, name: &str, step: &Step<'_>) -> Result<(), AwsError> {
    let request = || {
        let call = step.aws.apigateway.delete_stage().rest_api_id(api);
        call.stage_name(name).send()
    };
    let delete = async || step.aws.call("apigateway:DeleteStage", request).await.found();
    step.settle(delete).await.map(drop)
}

/// The deployment that the stage is to point to.
fn deployment_of(api: &rest_api::Id) -> Result<&str, AwsError> {
    let newest = api.deployments.last();
    newest
        .map(String::as_str)
        .ok_or_else(|| AwsError::incomplete("apigateway:GetDeployments", "deployment of the API"))
}
