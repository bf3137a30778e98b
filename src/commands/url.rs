//! `url`: prints the webhook URL alone.

use super::Context;
use super::session::Session;
use crate::failure::{Exit, Failure, FailureKind};
use crate::resource::Resource as _;
use crate::results;

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let want = session.desired(None);
    let find = async {
        let Some(api) = want.rest_api.observe(&session.aws, &()).await? else {
            return Ok(None);
        };
        let stage = want.stage.observe(&session.aws, &Some(api.id.clone())).await?;
        let open = stage.is_some_and(|stage| stage.state.name == want.stage.state.name);
        Ok::<_, Failure>(
            api.id
                .route
                .filter(|_| open)
                .map(|route| session.url(&api.id.api, &route.path)),
        )
    };
    let url = context.unless_interrupted(find).await??.ok_or_else(|| {
        Failure::new(
            FailureKind::Aws,
            format!("{} has no webhook here", session.spec.name),
        )
        .hint("`split-pipeline up` makes it; `split-pipeline status` says what is missing")
    })?;
    context.ui.result(&results::Url { webhook_url: url })?;
    Ok(Exit::Done)
}
