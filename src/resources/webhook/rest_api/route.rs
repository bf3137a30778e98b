//! The one path of the REST API and what `POST` does there.

use std::collections::HashMap;

use aws_sdk_apigateway::types::{Integration, IntegrationType, Method as FoundMethod, Resource as Found};
use serde::Serialize;

use super::secrets::{Secrets, hide, is_secret};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::resource::Step;

/// How a secret path is spelled wherever it would be seen by more than its owner.
const SECRET: &str = "a secret path";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Any unguessable path that is there; a new one where there is none.
    Secret,
    Fixed(&'static str),
}

#[derive(Clone, Debug)]
pub struct Route {
    id: String,
    /// The path without its slash.
    pub path: String,
}

/// The paths of an API, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) route: Option<Route>,
    /// What `POST` does there.
    pub(super) post: Option<Post>,
    /// The path before, which works until it is revoked.
    pub(super) old: Option<Route>,
    /// Paths that nobody but us should have put there.
    pub(super) others: Vec<Route>,
}

#[derive(Clone, Debug)]
pub(super) struct Method {
    route: Route,
    name: String,
}

/// What `POST` on the path does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Post {
    /// How callers are authorized: `NONE`, since Split cannot sign.
    pub authorization: String,
    /// Whether callers need a key, which Split cannot send.
    pub api_key_required: bool,
    /// How the function is called: `AWS_PROXY`.
    pub integration: String,
    pub uri: String,
    /// How long the function may take to answer.
    pub timeout_ms: i32,
    /// Other settings of method and integration, by name: none. Left out where there are none, so that the digests of deployments
    /// stay what they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_settings: Vec<String>,
}

impl Path {
    /// The path for people to read, without the secret.
    pub fn display(&self) -> String {
        match self {
            Self::Secret => SECRET.to_owned(),
            Self::Fixed(path) => format!("/{path}"),
        }
    }

    /// The path as it is or will be, where that is known beforehand.
    pub(super) fn known<'a>(&self, secrets: &'a Secrets) -> Option<&'a str> {
        match self {
            Self::Fixed(path) => Some(path),
            Self::Secret => secrets.current.as_deref(),
        }
    }

    /// Finds the path, the one before it, what `POST` does there, and all other paths.
    pub(super) fn find(&self, resources: &[Found], secrets: &Secrets) -> Routes {
        let mut routes = Routes::default();
        for resource in resources {
            let found = Route::of(resource);
            let is_old = *self == Self::Secret && secrets.old.as_ref() == Some(&found.path);
            // Where nobody says which it is, any secret path will do.
            let is_it = self.known(secrets).map_or(is_secret(&found.path), |path| found.path == path);
            if found.path.is_empty() {
                continue;
            }
            if is_it && routes.route.is_none() {
                routes.route = Some(found);
                routes.post = post_of(resource);
            } else if is_old || (is_it && routes.old.is_none()) {
                // Where nobody says which of two is valid, neither is taken away.
                routes.old = Some(found);
            } else {
                routes.others.push(found);
            }
        }
        routes
    }

    pub(super) async fn create(
        &self,
        api: &str,
        root: &str,
        secrets: &Secrets,
        step: &Step<'_>,
    ) -> Result<Route, AwsError> {
        let path = match self.known(secrets) {
            Some(path) => path.to_owned(),
            None => Secrets::generate(step.aws)?.current.unwrap_or_default(),
        };
        let call = "apigateway:CreateResource";
        let create = async || {
            let request = || {
                let request = step.aws.apigateway.create_resource();
                request.rest_api_id(api).parent_id(root).path_part(&path).send()
            };
            step.aws.call(call, request).await
        };
        let made = step.settle(create).await?;
        let id = made.id().ok_or_else(|| AwsError::incomplete(call, "id"))?.to_owned();
        Ok(Route { id, path })
    }
}

impl Route {
    fn of(resource: &Found) -> Self {
        let path = resource.path().unwrap_or_default();
        Self {
            id: resource.id().unwrap_or_default().to_owned(),
            path: path.trim_start_matches('/').to_owned(),
        }
    }

    fn method(&self, name: &str) -> Method {
        Method { route: self.clone(), name: name.to_owned() }
    }

    pub(super) fn display(&self) -> String {
        if is_secret(&self.path) { SECRET.to_owned() } else { format!("/{}", self.path) }
    }

    pub(super) async fn delete(&self, api: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || step.aws.apigateway.delete_resource().rest_api_id(api).resource_id(&self.id).send();
        step.remove("apigateway:DeleteResource", request).await
    }
}

impl Method {
    pub(super) fn display(&self) -> String {
        format!("{} {}", self.name, self.route.display())
    }

    pub(super) async fn delete(&self, api: &str, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.apigateway.delete_method().rest_api_id(api);
            call.resource_id(&self.route.id).http_method(&self.name).send()
        };
        step.remove("apigateway:DeleteMethod", request).await
    }
}

/// Keeps the secret paths of an API out of everything that is shown from now on.
pub(super) fn hide_secrets(resources: &[Found], aws: &Aws) {
    let paths = resources.iter().filter_map(Found::path);
    hide(paths.map(|path| path.trim_start_matches('/')), aws);
}

/// Lists the methods of the root and of the webhook's paths, but for their `POST`. Those of other paths go with
/// them.
pub(super) fn other_methods(resources: &[Found], routes: &Routes) -> Vec<Method> {
    let mut others = Vec::new();
    for resource in resources {
        let found = Route::of(resource);
        let mut webhooks = routes.route.iter().chain(&routes.old);
        let is_webhook = webhooks.any(|route| route.id == found.id);
        if !is_webhook && !found.path.is_empty() {
            continue;
        }
        let names = resource.resource_methods().into_iter().flatten().map(|(name, _)| name);
        let names = names.filter(|name| !is_webhook || *name != "POST");
        others.extend(names.map(|name| found.method(name)));
    }
    others.sort_by(|a, b| a.name.cmp(&b.name));
    others
}

impl Post {
    /// Puts method and integration; an existing method that differs is deleted first, since it cannot be put again.
    pub(super) async fn put(
        &self,
        api: &str,
        route: &Route,
        have: Option<&Self>,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        let client = &step.aws.apigateway;
        // What somebody set beside ours goes with the method.
        let same_method = have.is_some_and(|have| {
            have.other_settings.is_empty()
                && have.authorization == self.authorization
                && have.api_key_required == self.api_key_required
        });
        if have.is_some() && !same_method {
            route.method("POST").delete(api, step).await?;
        }
        if !same_method {
            let request = || {
                let call = client.put_method().rest_api_id(api).resource_id(&route.id).http_method("POST");
                call.authorization_type(&self.authorization).api_key_required(self.api_key_required).send()
            };
            match step.call("apigateway:PutMethod", request).await {
                Err(error) if error.kind != ErrorKind::Exists => return Err(error),
                _ => {}
            }
        }
        let request = || {
            let call = client.put_integration().rest_api_id(api).resource_id(&route.id).http_method("POST");
            let call = call.r#type(IntegrationType::from(self.integration.as_str()));
            let call = call.integration_http_method("POST").uri(&self.uri);
            call.timeout_in_millis(self.timeout_ms).send()
        };
        step.call("apigateway:PutIntegration", request).await.map(drop)
    }
}

fn post_of(resource: &Found) -> Option<Post> {
    let method = resource.resource_methods()?.get("POST")?;
    let integration = method.method_integration();
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some(Post {
        authorization: text(method.authorization_type()),
        integration: text(integration.and_then(|found| found.r#type()).map(IntegrationType::as_str)),
        api_key_required: method.api_key_required() == Some(true),
        uri: text(integration.and_then(|found| found.uri())),
        timeout_ms: integration.map_or(0, Integration::timeout_in_millis),
        other_settings: other_settings(method, integration),
    })
}

/// Names what is set of a method and its integration that ours do not have, such as a validator that would refuse requests.
fn other_settings(method: &FoundMethod, integration: Option<&Integration>) -> Vec<String> {
    let is_set = |map: Option<usize>| map.is_some_and(|entries| entries > 0);
    let of_method = [
        ("authorizer", method.authorizer_id().is_some()),
        ("authorization scopes", !method.authorization_scopes().is_empty()),
        ("request validator", method.request_validator_id().is_some()),
        ("request parameters", is_set(method.request_parameters().map(HashMap::len))),
        ("request models", is_set(method.request_models().map(HashMap::len))),
    ];
    let of_integration = integration.map(|found| {
        [
            ("credentials", found.credentials().is_some()),
            ("VPC link", found.connection_id().is_some()),
            ("content handling", found.content_handling().is_some()),
            ("cache key parameters", !found.cache_key_parameters().is_empty()),
            ("mapped parameters", is_set(found.request_parameters().map(HashMap::len))),
            ("mapping templates", is_set(found.request_templates().map(HashMap::len))),
        ]
    });
    let all = of_method.into_iter().chain(of_integration.into_iter().flatten());
    all.filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> Found {
        Found::builder().id(format!("id{path}")).path(path).build()
    }

    fn paths(routes: &[Route]) -> Vec<String> {
        routes.iter().map(Route::display).collect()
    }

    #[test]
    fn a_secret_path_is_found_and_never_shown() {
        let secrets = Secrets::fresh(None).unwrap();
        let secret = secrets.current.clone().unwrap();
        let resources = ["/", "/impressions", &format!("/{secret}")].map(resource);
        for known in [&secrets, &Secrets::default()] {
            let found = Path::Secret.find(&resources, known);
            assert_eq!(found.route.unwrap().path, secret);
            assert_eq!(paths(&found.others), ["/impressions"]);
        }
        let found = Path::Fixed("impressions").find(&resources, &secrets);
        assert_eq!(found.route.unwrap().path, "impressions");
        assert_eq!(paths(&found.others), [SECRET]);
    }

    #[test]
    fn of_two_paths_that_nobody_remembers_none_is_taken_away() {
        let secret = || Secrets::fresh(None).unwrap().current.unwrap();
        let paths = [secret(), secret()];
        let resources = [0, 1].map(|index: usize| resource(&format!("/{}", paths[index])));
        let found = Path::Secret.find(&resources, &Secrets::default());
        let kept = [found.route.unwrap().path, found.old.unwrap().path];
        assert_eq!((kept, found.others.len()), (paths, 0));
    }

    #[test]
    fn the_path_before_stays_until_it_is_revoked() {
        let first = Secrets::fresh(None).unwrap();
        let valid = first.current.clone().unwrap();
        let rotated = Secrets::fresh(Some(valid.clone())).unwrap();
        let new = rotated.current.clone().unwrap();
        let resources = [format!("/{valid}"), format!("/{new}")].map(|path| resource(&path));
        let found = Path::Secret.find(&resources, &rotated);
        assert_eq!((found.route.unwrap().path, found.old.unwrap().path), (new.clone(), valid));
        assert!(found.others.is_empty());
        let found = Path::Secret.find(&resources, &rotated.revoked());
        assert_eq!(found.route.unwrap().path, new);
        assert!(found.old.is_none());
        assert_eq!(paths(&found.others), [SECRET]);
    }
}
