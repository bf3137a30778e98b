//! Gives the webhook a new secret path beside the one it has, or takes the one before away.
//!
//! Changes the secret paths of the REST API and the deployment of its stage. The change is one call, which updates the API's
//! description; any `up` would finish the rest.

use crate::aws::{Aws, AwsError, ErrorKind};
use crate::engine::{Report, Run};
use crate::kind::Action;
use crate::pipeline::Desired;
use crate::resource::{Adoption, Resource as _, Step, Target, decide, ensure};
use crate::resources::webhook::rest_api::{self, RestApi, SecretChange};
use crate::resources::webhook::stage::{self, Stage};

/// Changes the secret paths of the API `have`, deploys it, and points the stage to that; gives the API as it is then,
/// if everything went well.
pub async fn rotate(
    aws: &Aws,
    want: &Desired,
    have: &rest_api::Id,
    change: SecretChange,
) -> (Report, Option<rest_api::Id>) {
    let run = Run::new(aws);
    let work = async |step: &Step<'_>| change_api(&want.rest_api, have, change, step).await;
    let api = run.step(&want.rest_api, Action::Update, work).await;
    let Some((api, _)) = api else {
        return (run.take_report(), None);
    };
    let work = async |step: &Step<'_>| move_stage(&want.stage, step).await;
    let moved = run.step(&want.stage, Action::Update, work).await;
    (run.take_report(), moved.map(|_| api))
}

async fn change_api(
    want: &Target<RestApi>,
    have: &rest_api::Id,
    change: SecretChange,
    step: &Step<'_>,
) -> Result<rest_api::Id, AwsError> {
    want.change_secrets(have, change, step).await?;
    let changed = RestApi::observe(want, step.aws).await?.ok_or_else(gone)?;
    let decision = decide(want, Some(changed), Adoption::Refuse);
    ensure(want, decision, step).await
}

async fn move_stage(want: &Target<Stage>, step: &Step<'_>) -> Result<stage::Id, AwsError> {
    let have = Stage::observe(want, step.aws).await?.ok_or_else(gone)?;
    let decision = decide(want, Some(have), Adoption::Refuse);
    ensure(want, decision, step).await
}

fn gone() -> AwsError {
    AwsError::new("apigateway:GetRestApis", ErrorKind::NotFound, "it is gone meanwhile")
}

#[cfg(test)]
mod tests;
