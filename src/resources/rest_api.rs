//! The REST API that is the webhook: one path, one method, proxied to the function.
//!
//! Its name is not unique, so it is found by its tags; of several, the oldest is ours and the rest are deleted.
//! Deployed as a part of it: a deployment opens nothing until a stage points to it, which is the stage's business.

use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType, RestApi as Found};
use futures_util::join;
use serde::Serialize;
use serde_json::Value;

use crate::aws::answer::api_id;
use crate::aws::{Aws, AwsError, ErrorKind, Outcome};
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

mod deployment;
mod found;
mod patch;
mod route;
mod secrets;
mod tags;

use deployment::{Deployment, current};
pub(super) use deployment::{create as create_deployment, delete as delete_deployment};
pub(super) use patch::replace;
use route::{Method, Routes};
pub use route::{Path, Post, Route};
pub use secrets::{EXPORTED_SECRET, MAKE_SECRET, Secrets, is_secret};
pub(super) use tags::{described_tags, read_tags, retag};

/// The REST API as it should be.
#[derive(Clone, Debug)]
pub struct RestApi {
    /// Its name.
    pub name: String,
    /// What the ARN of a REST API starts with, up to its id.
    pub arn_prefix: String,
    /// The path that takes the webhook.
    pub path: Path,
    /// What is compared.
    pub state: State,
    /// Its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// Media types whose bodies reach the function untouched.
    pub binary_media_types: Vec<String>,
    /// `REGIONAL`.
    pub endpoint: String,
    /// Whether the API's own URL is switched off.
    pub disable_execute_api_endpoint: bool,
    /// From how many bytes on answers are compressed; absent where none are.
    pub minimum_compression_bytes: Option<i32>,
    /// Where an API key would come from: `HEADER`.
    pub api_key_source: String,
    /// Who may call; absent where everybody may who knows the path.
    pub policy: Value,
    /// The path that takes the webhook, with a secret one spelled as such.
    pub path: Option<String>,
    /// What `POST` on that path does.
    pub post: Option<Post>,
    /// Methods of the root and of that path that nobody but us should have put there.
    pub other_methods: Vec<String>,
    /// Paths that nobody but us should have put there.
    pub other_paths: Vec<String>,
    /// Whether the API's description keeps the secret path.
    pub path_remembered: bool,
    /// Whether there is a deployment of the API as it should be.
    pub deployed: bool,
    /// Younger REST APIs that carry our tags.
    pub duplicates: Vec<String>,
}

/// What there is to know of an existing one.
#[derive(Clone, Debug)]
pub struct Id {
    /// The API's id.
    pub api: String,
    /// The id of its root resource.
    root: String,
    /// The secret paths that its description keeps.
    pub secrets: Secrets,
    /// The path that takes the webhook.
    pub route: Option<Route>,
    /// The path before, which works until it is revoked.
    pub old: Option<Route>,
    /// Methods other than `POST` on these two.
    methods: Vec<Method>,
    /// Resources other than these two.
    others: Vec<Route>,
    /// What is written on a deployment of the API as it should be, where its path is known.
    pub digest: Option<String>,
    /// Deployments of the API as it should be.
    pub deployments: Vec<String>,
    /// Deployments that differ from the API as it should be in their secret paths at most.
    same_but_secrets: Vec<String>,
}

impl Id {
    /// An API that has nothing but its root yet.
    pub(super) fn of_new(api: String, root: String, secrets: Secrets) -> Self {
        Self {
            api,
            root,
            secrets,
            route: None,
            old: None,
            methods: Vec::new(),
            others: Vec::new(),
            digest: None,
            deployments: Vec::new(),
            same_but_secrets: Vec::new(),
        }
    }

    /// Tells whether moving a stage from `deployment` to a current one changes nothing but secret paths.
    pub fn differs_in_secrets_at_most(&self, deployment: &str) -> bool {
        let mut same = self.deployments.iter().chain(&self.same_but_secrets);
        same.any(|id| id == deployment)
    }

    /// Tells whether all paths besides the valid one and the one before have the form of a secret path.
    pub fn other_paths_are_secret(&self) -> bool {
        self.others.iter().all(|route| is_secret(&route.path))
    }
}

/// What is done about an API's secret paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretChange {
    /// A new one is added, and the valid one works on.
    Rotate,
    /// The one before is taken away.
    Revoke,
}

impl Resource for RestApi {
    type State = State;
    type Id = Id;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::RestApi,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &Id) -> String {
        id.api.clone()
    }

    fn parent((): &()) {}

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let mut ours = self.find(aws).await?;
        if ours.is_empty() {
            return Ok(None);
        }
        let oldest = ours.remove(0);
        let api = api_id("apigateway:GetRestApis", oldest.id())?;
        let arn = format!("{}{api}", self.arn_prefix);
        let (resources, deployments, tags) = join!(
            self.resources(&api, aws),
            deployment::list(&api, aws),
            read_tags(&arn, oldest.tags(), aws)
        );
        let resources = resources?;
        let root = found::root_of(&resources).unwrap_or_default().to_owned();
        let secrets = oldest.description().map(Secrets::read).unwrap_or_default();
        let routes = self.path.find(&resources, &secrets);
        let methods = route::other_methods(&resources, &routes);
        let deployments = deployments?;
        let same_but_secrets = self.same_but_secrets(&routes, &secrets, &deployments);
        let digest = self.digest(&routes, &secrets);
        let deployments = current(digest.as_deref(), deployments);
        let state = State {
            binary_media_types: oldest.binary_media_types().to_vec(),
            endpoint: found::endpoint(&oldest),
            disable_execute_api_endpoint: oldest.disable_execute_api_endpoint(),
            minimum_compression_bytes: oldest.minimum_compression_size(),
            api_key_source: found::api_key_source(&oldest),
            policy: found::policy(&oldest),
            path: routes.route.as_ref().map(|_| self.path.display()),
            post: routes.post,
            other_methods: methods.iter().map(Method::display).collect(),
            other_paths: routes.others.iter().map(Route::display).collect(),
            path_remembered: secrets.current.is_some(),
            deployed: !deployments.is_empty(),
            duplicates: ours
                .iter()
                .filter_map(|api| api.id().map(str::to_owned))
                .collect(),
        };
        Ok(Some(Observed {
            id: Id {
                api,
                root,
                secrets,
                route: routes.route,
                old: routes.old,
                methods,
                others: routes.others,
                digest,
                deployments,
                same_but_secrets,
            },
            state,
            tags,
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let call = "apigateway:CreateRestApi";
        let endpoint = EndpointConfiguration::builder()
            .types(EndpointType::Regional)
            .build();
        let policy = (!self.state.policy.is_null()).then(|| self.state.policy.to_string());
        // Chosen here, and kept with the API, so that every `up` that works on it makes the same path.
        let secrets = Secrets::generate(step.aws)?;
        let description = secrets.description();
        let request = || {
            let call = step.aws.apigateway.create_rest_api().name(&self.name);
            let call = call.description(&description).set_policy(policy.clone());
            let call = call.set_binary_media_types(Some(self.state.binary_media_types.clone()));
            let call = call.endpoint_configuration(endpoint.clone());
            call.set_tags(Some(self.tags.clone().into_iter().collect()))
                .send()
        };
        let made = step.settle(async || step.aws.call(call, request).await).await?;
        let api = api_id(call, made.id())?;
        // An answer may have got lost and the call been repeated, or another `up` may run: the oldest is the one.
        if self.find(step.aws).await?.len() > 1 {
            let oldest = self.observe(step.aws, &()).await?;
            return oldest.ok_or_else(|| AwsError::incomplete("apigateway:GetRestApis", "REST API"));
        }
        let root = match made.root_resource_id() {
            Some(root) => root.to_owned(),
            None => self.root(&api, step.aws).await?,
        };
        let state = State {
            binary_media_types: made.binary_media_types().to_vec(),
            path: None,
            post: None,
            deployed: false,
            ..self.state.clone()
        };
        let id = Id::of_new(api, root, secrets);
        Ok(Observed {
            id,
            state,
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    /// Changes what differs. One call after the other: API Gateway refuses concurrent changes of one API.
    async fn update(&self, have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<Id, AwsError> {
        let (aws, mut id) = (step.aws, have.id.clone());
        Self::patch(&id.api, self.operations(&have.state), step).await?;
        let route = match id.route.take() {
            Some(route) => route,
            None => self.make_route(&id, step).await?,
        };
        let post = self.state.post.as_ref();
        if let Some(want) = post.filter(|want| have.state.post.as_ref() != Some(want)) {
            want.put(&id.api, &route, have.state.post.as_ref(), step).await?;
        }
        if !have.state.path_remembered {
            id.secrets = match self.path {
                Path::Secret => Secrets {
                    current: Some(route.path.clone()),
                    old: id.old.as_ref().map(|old| old.path.clone()),
                },
                Path::Fixed(_) => Secrets::generate(aws)?,
            };
            Self::remember(&id.secrets, &id.api, step).await?;
        }
        for method in id.methods.drain(..) {
            method.delete(&id.api, step).await?;
        }
        for other in id.others.drain(..) {
            other.delete(&id.api, step).await?;
        }
        let old = id.old.as_ref().map(|old| old.path.as_str());
        let digest = self.state.digest(&route.path, old);
        if id.deployments.is_empty() {
            let made = deployment::create(&id.api, &digest, step).await?;
            id.deployments.push(made);
        }
        id.digest = Some(digest);
        self.retag(&id.api, &have.tags, aws).await?;
        for duplicate in &have.state.duplicates {
            step.waiting(&format!("the duplicate REST API {duplicate} to be deleted"));
            delete_api(duplicate, step).await?;
        }
        Ok(Id {
            route: Some(route),
            ..id
        })
    }

    async fn delete(&self, id: &Id, step: &Step<'_>) -> Result<(), AwsError> {
        delete_api(&id.api, step).await?;
        for duplicate in self.find(step.aws).await?.iter().filter_map(Found::id) {
            delete_api(duplicate, step).await?;
        }
        Ok(())
    }

    fn caution(&self, have: &State) -> Option<String> {
        (have.path.is_none() && !have.other_paths.is_empty())
            .then(|| "the webhook's path changes: its new URL has to be pasted into Split".to_owned())
    }
}

impl RestApi {
    /// What is written on a deployment of the API as it should be, where its path is known.
    fn digest(&self, routes: &Routes, secrets: &Secrets) -> Option<String> {
        let path = routes.route.as_ref().map(|route| route.path.as_str());
        let old = routes.old.as_ref().map(|old| old.path.as_str());
        let path = path.or_else(|| self.path.known(secrets));
        path.map(|path| self.state.digest(path, old))
    }

    /// Finds the deployments of the API as it should be with any pair of the secret paths that it has or had.
    fn same_but_secrets(
        &self,
        routes: &Routes,
        secrets: &Secrets,
        deployments: &[Deployment],
    ) -> Vec<String> {
        let existing = routes.route.iter().chain(&routes.old).chain(&routes.others);
        let paths: Vec<_> = existing
            .map(|route| route.path.as_str())
            .chain(secrets.current.as_deref())
            .chain(secrets.old.as_deref())
            .filter(|path| is_secret(path))
            .collect();
        let pairs = paths.iter().flat_map(|path| {
            let olds = paths.iter().copied().map(Some).chain([None]);
            olds.map(|old| self.state.digest(path, old))
        });
        let digests: Vec<_> = pairs.map(Some).collect();
        let same = deployments.iter().filter(|it| digests.contains(&it.digest));
        same.map(|deployment| deployment.id.clone()).collect()
    }

    /// Gives the API a new secret path beside the valid one, or takes the one before away; `up` then makes it so.
    pub async fn change_secrets(have: &Id, change: SecretChange, step: &Step<'_>) -> Result<(), AwsError> {
        let valid = have.route.as_ref().map(|route| route.path.as_str());
        let secrets = match (change, valid) {
            (SecretChange::Rotate, Some(valid)) if have.old.is_none() => Secrets::rotated(valid, step.aws)?,
            // A rotation that was interrupted goes on instead of starting anew.
            (SecretChange::Rotate, _) => have.secrets.clone(),
            (SecretChange::Revoke, _) => have.secrets.revoked(),
        };
        if secrets == have.secrets {
            return Ok(());
        }
        Self::remember(&secrets, &have.api, step).await
    }

    /// Writes the API's description.
    async fn remember(secrets: &Secrets, api: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let description = replace("/description", &secrets.description());
        Self::patch(api, vec![description], step).await
    }

    /// Gives the ids of the REST APIs that carry our tags, oldest first.
    pub async fn ids(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let ours = self.find(aws).await?.into_iter();
        Ok(ours.filter_map(|api| api.id).collect())
    }

    async fn make_route(&self, id: &Id, step: &Step<'_>) -> Result<Route, AwsError> {
        match self.path.create(&id.api, &id.root, &id.secrets, step).await {
            // Another `up` may have made it a moment ago.
            Err(error) if error.kind == ErrorKind::Exists => {
                let resources = self.resources(&id.api, step.aws).await?;
                self.path.find(&resources, &id.secrets).route.ok_or(error)
            }
            made => made,
        }
    }

    async fn retag(&self, api: &str, have: &Tags, aws: &Aws) -> Result<(), AwsError> {
        retag(&format!("{}{api}", self.arn_prefix), &self.tags, have, aws).await
    }
}

async fn delete_api(api: &str, step: &Step<'_>) -> Result<(), AwsError> {
    let request = || step.aws.apigateway.delete_rest_api().rest_api_id(api).send();
    let delete = async || step.aws.call("apigateway:DeleteRestApi", request).await.found();
    step.settle(delete).await.map(drop)
}
