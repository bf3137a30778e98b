//! The stage that the spec asks for.

use super::{AccessLog, DeploymentState, InApi, KIND, Permission, Stage, StageDefaults, State};
use crate::resource::Target;
use crate::resources::{Blueprint, signed};

/// What the access log has of a request: neither path nor URL, since they are secret.
const ACCESS_LOG: &str = concat!(
    r#"{"access":"webhook","time":"$context.requestTime","source":"$context.identity.sourceIp","#,
    r#""method":"$context.httpMethod","status":"$context.status","latency_ms":"$context.responseLatency","#,
    r#""bytes":"$context.responseLength","request":"$context.requestId"}"#
);

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Stage> {
    let Blueprint { spec, names, .. } = blueprint;
    let state = State {
        name: spec.webhook.stage.as_str().to_owned(),
        deployment: DeploymentState::Current,
        invoke_permission: Permission::Granted,
        other_permissions: Vec::new(),
        rate_limit: f64::from(spec.webhook.rate_limit.get()),
        burst_limit: signed(spec.webhook.burst_limit.get()),
        access_log: spec.webhook.access_log.then(|| AccessLog {
            log_group: names.log_group_arn(&names.function_log_group()),
            format: ACCESS_LOG.to_owned(),
        }),
        defaults: StageDefaults::default(),
        deployed_elsewhere: Vec::new(),
        other_stages: Vec::new(),
        left_alone: Vec::new(),
    };
    let extra = InApi { names: (*names).clone(), api: blueprint.api.clone() };
    let name = (state.name.clone(), names.stage_arn("", &state.name));
    blueprint.target(KIND, name, state, extra)
}
