//! Gives the webhook a new secret path beside the one it has, or takes the one before away.
//!
//! Changes the secret paths of the REST API and the deployment of its stage. The change is one call, which updates the API's
//! description; any `up` would finish the rest.

use crate::apply::{Report, Run};
use crate::aws::{Aws, AwsError, ErrorKind};
use crate::desired::Desired;
use crate::resource::{Action, Adoption, Resource, Step, decide, ensure};
use crate::resources::rest_api::{self, RestApi, SecretChange};
use crate::resources::stage::{self, Stage};

/// Changes the secret paths of the API `have`, deploys it, and points the stage to that; gives the API as it is then,
/// if everything went well.
pub async fn rotate(
    aws: &Aws,
    want: &Desired,
    have: &rest_api::Id,
    change: SecretChange,
) -> (Report, Option<rest_api::Id>) {
    let run = Run::new(aws);
    let api = run.step(
        want.rest_api.kind(),
        want.rest_api.name(),
        Action::Update,
        async |step| change_api(&want.rest_api, have, change, step).await,
        RestApi::display_id,
    );
    let api = api.await;
    let rotated = match &api {
        None => None,
        Some(api) => {
            let needs = stage::Needs {
                api: api.clone(),
                function: want.function.arn.clone(),
                delivery_stream: want.delivery_stream.arn.clone(),
            };
            let work = async |step: &Step<'_>| move_stage(&want.stage, &needs, step).await;
            let (kind, name) = (want.stage.kind(), want.stage.name());
            run.step(kind, name, Action::Update, work, Stage::display_id)
                .await
        }
    };
    (run.take_report(), rotated.and(api))
}

async fn change_api(
    want: &RestApi,
    have: &rest_api::Id,
    change: SecretChange,
    step: &Step<'_>,
) -> Result<rest_api::Id, AwsError> {
    RestApi::change_secrets(have, change, step).await?;
    let changed = want.observe(step.aws, &()).await?.ok_or_else(gone)?;
    let decision = decide(want, Some(changed), Adoption::Refuse);
    ensure(want, decision, &(), step).await
}

async fn move_stage(want: &Stage, needs: &stage::Needs, step: &Step<'_>) -> Result<stage::Id, AwsError> {
    let have = want.observe(step.aws, &Some(needs.api.clone())).await?;
    let decision = decide(want, Some(have.ok_or_else(gone)?), Adoption::Refuse);
    ensure(want, decision, needs, step).await
}

fn gone() -> AwsError {
    AwsError::new(
        "apigateway:GetRestApis",
        ErrorKind::NotFound,
        "it is gone meanwhile",
    )
}

#[cfg(test)]
mod tests;
