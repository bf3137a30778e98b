//! `url`: prints the webhook URL alone.

use super::Context;
use super::session::Session;
use crate::failure::{Exit, Failure, FailureKind};
use crate::resources::webhook::stage::webhook;
use crate::results;

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let want = session.desired(None);
    let (api, stage) = context
        .unless_interrupted(webhook(&session.aws, &want.rest_api, &want.stage))
        .await??;
    let open = stage.is_some_and(|stage| stage.state.name == want.stage.state.name);
    let api = api.filter(|_| open).map(|api| api.id);
    let url = api.and_then(|api| Some(session.url(&api.api, &api.route?.path)));
    let url = url.ok_or_else(|| {
        Failure::new(
            FailureKind::Aws,
            format!("{} has no webhook here", session.spec.name),
        )
        .hint("`split-pipeline up` makes it; `split-pipeline status` says what is missing")
    })?;
    context.ui.result(&results::Url { webhook_url: url })?;
    Ok(Exit::Done)
}
