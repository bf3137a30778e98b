//! The webhook: a REST API, and the stage within it that makes it public.

use crate::aws::{Aws, AwsError};
use crate::resource::{Observed, Resource as _, Target};
use crate::spec::Spec;
use rest_api::RestApi;
use stage::Stage;

pub mod rest_api;
pub mod stage;
#[cfg(test)]
pub(crate) mod testing;

pub use rest_api::Id as ApiId;

/// Looks at a REST API and its stage alone.
pub async fn look(
    aws: &Aws,
    api: &Target<RestApi>,
    stage: &Target<Stage>,
) -> Result<(Option<Observed<RestApi>>, Option<Observed<Stage>>), AwsError> {
    let api = RestApi::observe(api, aws).await?;
    Ok((api, Stage::observe(stage, aws).await?))
}

/// A webhook that exists: its REST API, and the name of the stage that opens it.
#[derive(Clone, Debug)]
pub struct OpenWebhook {
    pub api: ApiId,
    pub stage: String,
}

impl OpenWebhook {
    pub fn of(api: Option<&Observed<RestApi>>, stage: Option<&Observed<Stage>>) -> Option<Self> {
        Some(Self { api: api?.id.clone(), stage: stage?.state.name.clone() })
    }
}

/// Where the webhook listens if its path is not a secret.
const OPEN_PATH: &str = "impressions";

/// The webhook's path, unless it is a secret.
pub fn open_path(spec: &Spec) -> Option<&'static str> {
    (!spec.webhook.secret_path).then_some(OPEN_PATH)
}
