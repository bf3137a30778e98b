//! Settings of a stage that stay as API Gateway has them by default: another value writes bodies and the secret path to logs,
//! sends requests elsewhere or costs money.

use aws_sdk_apigateway::types::{MethodSetting, Op, PatchOperation, Stage as Found};
use serde::Serialize;

use crate::resources::webhook::rest_api::{is_secret, replace};

/// The level at which API Gateway logs nothing.
const NO_LOG: &str = "OFF";

pub(super) const ALL_METHODS: &str = "*/*";

#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are API Gateway's own settings")]
pub struct StageDefaults {
    /// `OFF`, or the level of a log that has the secret path of every request.
    pub execution_log: String,
    pub data_trace: bool,
    /// Whether each method has metrics of its own, which cost.
    pub detailed_metrics: bool,
    pub caching: bool,
    /// Whether the stage has a cache, which costs by the hour.
    pub cache_cluster: bool,
    pub tracing: bool,
    /// The deployment that gets a part of the requests in place of the stage's, and how much.
    pub canary: Option<String>,
    /// Stage variables, of which the API uses none.
    pub variables: Vec<String>,
    /// Methods with settings of their own, which win over those for all methods.
    pub method_settings: Vec<String>,
    /// The keys of those settings as API Gateway has them, which tell the secret path.
    #[serde(skip)]
    keys: Vec<String>,
}

impl Default for StageDefaults {
    fn default() -> Self {
        Self {
            execution_log: NO_LOG.to_owned(),
            data_trace: false,
            detailed_metrics: false,
            caching: false,
            cache_cluster: false,
            tracing: false,
            canary: None,
            variables: Vec::new(),
            method_settings: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl StageDefaults {
    pub(super) fn read(stage: &Found) -> Self {
        let all = stage.method_settings().into_iter().flatten();
        let mut keys: Vec<_> = all.map(|(key, _)| key.clone()).filter(|key| key != ALL_METHODS).collect();
        keys.sort();
        let settings = stage.method_settings().and_then(|all| all.get(ALL_METHODS));
        let is_on = |setting: fn(&MethodSetting) -> bool| settings.is_some_and(setting);
        let variables = stage.variables().into_iter().flatten();
        let mut variables: Vec<_> = variables.map(|(name, _)| name.clone()).collect();
        variables.sort();
        let level = settings.and_then(MethodSetting::logging_level);
        let level = level.filter(|level| !level.is_empty());
        Self {
            execution_log: level.unwrap_or(NO_LOG).to_owned(),
            data_trace: is_on(MethodSetting::data_trace_enabled),
            detailed_metrics: is_on(MethodSetting::metrics_enabled),
            caching: is_on(MethodSetting::caching_enabled),
            cache_cluster: stage.cache_cluster_enabled(),
            tracing: stage.tracing_enabled(),
            canary: stage.canary_settings().map(|canary| {
                let deployment = canary.deployment_id().unwrap_or("another deployment");
                format!("{} % to {deployment}", canary.percent_traffic())
            }),
            variables,
            method_settings: keys.iter().map(|key| display(key)).collect(),
            keys,
        }
    }

    /// What restores the defaults where a stage has other settings.
    pub(super) fn restore(&self, had: &Self) -> Vec<PatchOperation> {
        let mut operations = Vec::new();
        if had.canary != self.canary {
            operations.push(remove("/canarySettings"));
        }
        operations.extend(had.keys.iter().map(|key| remove(&method_path(key))));
        if had.execution_log != self.execution_log {
            operations.push(replace("/*/*/logging/loglevel", &self.execution_log));
        }
        for (had, want, path) in [
            (had.data_trace, self.data_trace, "/*/*/logging/dataTrace"),
            (had.detailed_metrics, self.detailed_metrics, "/*/*/metrics/enabled"),
            (had.caching, self.caching, "/*/*/caching/enabled"),
            (had.cache_cluster, self.cache_cluster, "/cacheClusterEnabled"),
            (had.tracing, self.tracing, "/tracingEnabled"),
        ] {
            if had != want {
                operations.push(replace(path, &want.to_string()));
            }
        }
        let variables = had.variables.iter();
        operations.extend(variables.map(|name| remove(&format!("/variables/{name}"))));
        operations
    }
}

fn remove(path: &str) -> PatchOperation {
    PatchOperation::builder().op(Op::Remove).path(path).build()
}

/// The path and the method of a key, which may have its slashes as they are or written `~1`.
fn parts(key: &str) -> (String, &str) {
    let (path, method) = key.rsplit_once('/').unwrap_or(("", key));
    (path.replace("~1", "/"), method)
}

/// A method for people to read, without the secret path.
fn display(key: &str) -> String {
    let (path, method) = parts(key);
    let path = path.trim_matches('/');
    let shown = if path.split('/').any(is_secret) { "a secret path".to_owned() } else { format!("/{path}") };
    format!("{method} {shown}")
}

/// The path by which a patch names the settings of a method.
fn method_path(key: &str) -> String {
    let (path, method) = parts(key);
    format!("/{}/{method}", path.replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_apigateway::types::CanarySettings;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn tampered() -> Found {
        let all = MethodSetting::builder()
            .logging_level("INFO")
            .data_trace_enabled(true)
            .metrics_enabled(true)
            .caching_enabled(true);
        let canary = CanarySettings::builder().deployment_id("evil").percent_traffic(50.0);
        Found::builder()
            .method_settings(ALL_METHODS, all.build())
            .method_settings(format!("{SECRET}/POST"), MethodSetting::builder().build())
            .method_settings("~1a~1b/GET", MethodSetting::builder().build())
            .method_settings("/c/d/GET", MethodSetting::builder().build())
            .cache_cluster_enabled(true)
            .tracing_enabled(true)
            .canary_settings(canary.build())
            .variables("x", "1")
            .build()
    }

    #[test]
    fn one_patch_restores_every_default() {
        let want = StageDefaults::default();
        assert_eq!(StageDefaults::read(&Found::builder().build()), want);
        assert_eq!(want.restore(&want), []);
        let operations = want.restore(&StageDefaults::read(&tampered()));
        let operations: Vec<_> =
            operations.iter().map(|it| (it.op().unwrap().as_str(), it.path().unwrap(), it.value())).collect();
        let secret = format!("/{SECRET}/POST");
        assert_eq!(
            operations,
            [
                ("remove", "/canarySettings", None),
                ("remove", "/~1c~1d/GET", None),
                ("remove", secret.as_str(), None),
                ("remove", "/~1a~1b/GET", None),
                ("replace", "/*/*/logging/loglevel", Some("OFF")),
                ("replace", "/*/*/logging/dataTrace", Some("false")),
                ("replace", "/*/*/metrics/enabled", Some("false")),
                ("replace", "/*/*/caching/enabled", Some("false")),
                ("replace", "/cacheClusterEnabled", Some("false")),
                ("replace", "/tracingEnabled", Some("false")),
                ("remove", "/variables/x", None),
            ]
        );
    }

    #[test]
    fn a_stage_that_was_tampered_with_is_shown_without_the_secret_path() {
        let shown = serde_json::to_string(&StageDefaults::read(&tampered())).unwrap();
        assert!(shown.contains("50 % to evil"), "{shown}");
        assert!(shown.contains("POST a secret path"), "{shown}");
        assert!(shown.contains("GET /a/b"), "{shown}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
