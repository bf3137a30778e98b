//! The REST API that is the webhook: one path, one method, proxied to the function.
//!
//! Its name is not unique, so it is found by its tags; of several, the oldest is ours and the rest are deleted.
//! Deployed as a part of it: a deployment opens nothing until a stage points to it, which is the stage's business.

use aws_sdk_apigateway::types::{EndpointConfiguration, EndpointType, RestApi as Found};
use std::fmt;

use futures_util::join;
use serde::Serialize;
use serde_json::Value;

use crate::aws::answer::api_id;
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::kind::Kind;
use crate::resource::{Changes, Latest, Observed, Resource, Step, TagChanges, Target};

mod deployment;
mod export;
mod found;
mod grants;
mod patch;
mod route;
mod secrets;
mod tags;
mod terraform;
mod want;

use deployment::{Deployment, current};
pub(super) use deployment::{create as create_deployment, delete as delete_deployment};
pub(super) use export::deployment_name;
pub(super) use patch::replace;
use route::{Method, Routes};
pub use route::{Path, Post, Route};
pub use secrets::{Secrets, is_secret};
pub(super) use tags::{described_tags, read_tags, tag, untag};
pub(super) use terraform::API;
pub(crate) use want::want;

pub const KIND: Kind = Kind::new("rest_api");

#[derive(Clone, Copy, Debug)]
pub struct RestApi;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub binary_media_types: Vec<String>,
    /// `REGIONAL`.
    pub endpoint: String,
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
    pub duplicates: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Id {
    pub api: String,
    root: String,
    /// The secret paths that its description keeps.
    pub secrets: Secrets,
    pub route: Option<Route>,
    /// The path before, which works until it is revoked.
    pub old: Option<Route>,
    /// Methods other than `POST` on these two.
    methods: Vec<Method>,
    others: Vec<Route>,
    /// What is written on a deployment of the API as it should be, where its path is known.
    pub digest: Option<String>,
    pub deployments: Vec<String>,
    /// Deployments that differ from the API as it should be in their secret paths at most.
    same_but_secrets: Vec<String>,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.api)
    }
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

#[derive(Clone, Debug)]
pub struct ApiExtra {
    pub path: Path,
    /// For the stage, which is within the API.
    pub api: Latest<Id>,
}

impl Resource for RestApi {
    type State = State;
    type Id = Id;
    type Extra = ApiExtra;

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let found = want.look(aws).await?;
        want.extra.api.set(found.as_ref().map(|found| found.id.clone()));
        Ok(found)
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let call = "apigateway:CreateRestApi";
        let endpoint = EndpointConfiguration::builder().types(EndpointType::Regional).build();
        let policy = (!want.state.policy.is_null()).then(|| want.state.policy.to_string());
        // Chosen here, and kept with the API, so that every `up` that works on it makes the same path.
        let secrets = Secrets::generate(step.aws)?;
        let description = secrets.description();
        let request = || {
            let call = step.aws.apigateway.create_rest_api().name(&want.name);
            let call = call.description(&description).set_policy(policy.clone());
            let call = call.set_binary_media_types(Some(want.state.binary_media_types.clone()));
            let call = call.endpoint_configuration(endpoint.clone());
            call.set_tags(Some(want.tags.clone().into_iter().collect())).send()
        };
        let made = step.call(call, request).await?;
        let api = api_id(call, made.id())?;
        // An answer may have got lost and the call been repeated, or another `up` may run: the oldest is the one.
        if want.find(step.aws).await?.len() > 1 {
            let oldest = Self::observe(want, step.aws).await?;
            return oldest.ok_or_else(|| AwsError::incomplete("apigateway:GetRestApis", "REST API"));
        }
        let root = match made.root_resource_id() {
            Some(root) => root.to_owned(),
            None => want.root(&api, step.aws).await?,
        };
        let state = State {
            binary_media_types: made.binary_media_types().to_vec(),
            path: None,
            post: None,
            deployed: false,
            ..want.state.clone()
        };
        let id = Id::of_new(api, root, secrets);
        Ok(want.created(id, state))
    }

    /// Changes what differs. One call after the other: API Gateway refuses concurrent changes of one API.
    async fn update(
        want: &Target<Self>,
        have: &Observed<Self>,
        _changes: &Changes,
        step: &Step<'_>,
    ) -> Result<Id, AwsError> {
        let mut id = have.id.clone();
        Target::<Self>::patch(&id.api, want.operations(&have.state), step).await?;
        let route = match id.route.take() {
            Some(route) => route,
            None => want.make_route(&id, step).await?,
        };
        let post = want.state.post.as_ref();
        if let Some(want) = post.filter(|want| have.state.post.as_ref() != Some(want)) {
            want.put(&id.api, &route, have.state.post.as_ref(), step).await?;
        }
        if !have.state.path_remembered {
            id.secrets = match want.extra.path {
                Path::Secret => Secrets {
                    current: Some(route.path.clone()),
                    old: id.old.as_ref().map(|old| old.path.clone()),
                },
                Path::Fixed(_) => Secrets::generate(step.aws)?,
            };
            Target::<Self>::remember(&id.secrets, &id.api, step).await?;
        }
        for method in id.methods.drain(..) {
            method.delete(&id.api, step).await?;
        }
        for other in id.others.drain(..) {
            other.delete(&id.api, step).await?;
        }
        let old = id.old.as_ref().map(|old| old.path.as_str());
        let digest = want.state.digest(&route.path, old);
        if id.deployments.is_empty() {
            let made = deployment::create(&id.api, &digest, step).await?;
            id.deployments.push(made);
        }
        id.digest = Some(digest);
        for duplicate in &have.state.duplicates {
            step.waiting(&format!("the duplicate REST API {duplicate} to be deleted"));
            delete_api(duplicate, step).await?;
        }
        id.route = Some(route);
        want.extra.api.set(Some(id.clone()));
        Ok(id)
    }

    async fn delete(want: &Target<Self>, id: &Id, step: &Step<'_>) -> Result<(), AwsError> {
        delete_api(&id.api, step).await?;
        for duplicate in want.find(step.aws).await?.iter().filter_map(Found::id) {
            delete_api(duplicate, step).await?;
        }
        Ok(())
    }

    fn caution(_want: &Target<Self>, have: &State) -> Option<String> {
        (have.path.is_none() && !have.other_paths.is_empty())
            .then(|| "the webhook's path changes: its new URL has to be pasted into Split".to_owned())
    }

    async fn retag(want: &Target<Self>, id: &Id, tags: &TagChanges, step: &Step<'_>) -> Result<(), AwsError> {
        let TagChanges { set, removed } = tags;
        if !set.is_empty() {
            tag(&want.arn_of(id), &want.tags, step).await?;
        }
        if !removed.is_empty() {
            untag(&want.arn_of(id), removed, step).await?;
        }
        Ok(())
    }
}

impl Target<RestApi> {
    async fn look(&self, aws: &Aws) -> Result<Option<Observed<RestApi>>, AwsError> {
        let mut ours = self.find(aws).await?;
        if ours.is_empty() {
            return Ok(None);
        }
        let oldest = ours.remove(0);
        let api = api_id("apigateway:GetRestApis", oldest.id())?;
        let arn = format!("{}{api}", self.arn);
        let (resources, deployments, tags) = join!(
            self.resources(&api, aws),
            deployment::list(&api, aws),
            read_tags(&arn, oldest.tags(), aws)
        );
        let resources = resources?;
        let root = found::root_of(&resources).unwrap_or_default().to_owned();
        let secrets = oldest.description().map(Secrets::read).unwrap_or_default();
        let routes = self.extra.path.find(&resources, &secrets);
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
            path: routes.route.as_ref().map(|_| self.extra.path.display()),
            post: routes.post,
            other_methods: methods.iter().map(Method::display).collect(),
            other_paths: routes.others.iter().map(Route::display).collect(),
            path_remembered: secrets.current.is_some(),
            deployed: !deployments.is_empty(),
            duplicates: ours.iter().filter_map(|api| api.id().map(str::to_owned)).collect(),
        };
        Ok(Some(Observed::ready(
            Id {
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
        )))
    }

    fn arn_of(&self, id: &Id) -> String {
        format!("{}{}", self.arn, id.api)
    }

    /// What is written on a deployment of the API as it should be, where its path is known.
    fn digest(&self, routes: &Routes, secrets: &Secrets) -> Option<String> {
        let path = routes.route.as_ref().map(|route| route.path.as_str());
        let old = routes.old.as_ref().map(|old| old.path.as_str());
        let path = path.or_else(|| self.extra.path.known(secrets));
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
    pub async fn change_secrets(
        &self,
        have: &Id,
        change: SecretChange,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
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
        match self.extra.path.create(&id.api, &id.root, &id.secrets, step).await {
            // Another `up` may have made it a moment ago.
            Err(error) if error.kind == ErrorKind::Exists => {
                let resources = self.resources(&id.api, step.aws).await?;
                self.extra.path.find(&resources, &id.secrets).route.ok_or(error)
            }
            made => made,
        }
    }
}

async fn delete_api(api: &str, step: &Step<'_>) -> Result<(), AwsError> {
    let request = || step.aws.apigateway.delete_rest_api().rest_api_id(api).send();
    step.remove("apigateway:DeleteRestApi", request).await
}
