//! `rotate`: gives the webhook a new secret path.

use super::Context;
use super::session::Session;
use crate::cli;
use crate::desired::Desired;
use crate::failure::{Exit, Failure, FailureKind};
use crate::observe::webhook;
use crate::resource::{Action, Adoption, Decision, Resource, decide};
use crate::resources::rest_api::{self, SecretChange};
use crate::results;
use crate::rotate::rotate;
use crate::smoke::Poster;

pub(super) async fn run(context: &Context, args: &cli::Rotate) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    if !session.spec.webhook.secret_path {
        let message = "there is no secret to rotate: `webhook.secret_path` is false";
        return Err(Failure::new(FailureKind::Usage, message));
    }
    let want = session.desired(None);
    let api = context.unless_interrupted(open_api(&session, &want)).await??;
    let change = if args.revoke {
        // Else nothing would be left that works.
        if api.route.is_none() {
            let message = "the new path is not there yet, so the old one was not revoked";
            let failure = Failure::new(FailureKind::Conflict, message);
            return Err(failure.hint("`split-pipeline rotate` finishes what was interrupted"));
        }
        SecretChange::Revoke
    } else {
        SecretChange::Rotate
    };
    let was_rotating = api.old.is_some();
    if args.revoke && api.secrets.old.is_none() {
        context.ui.warn(
            "there is no old path to take away: `split-pipeline rotate` gives the webhook a new one beside it",
        );
        context.ui.result(&urls(&session, &api))?;
        return Ok(Exit::Done);
    }
    let (report, rotated) = rotate(&session.aws, &want, &api, change).await;
    let Some(api) = rotated.filter(|_| report.is_complete()) else {
        return Err(Failure::of_report("rotate", report));
    };
    let result = urls(&session, &api);
    wait_until_it_answers(&session, &result.webhook_url).await?;
    context.ui.result(&result)?;
    context.ui.note(match change {
        SecretChange::Rotate if was_rotating => {
            "\nThis is the URL of the rotation that is under way; `split-pipeline rotate --revoke` ends it, and the next one gives \
             another URL."
        }
        SecretChange::Rotate => {
            "\nThe old URL works as well. Paste the new one into Split, press Test, and then `split-pipeline rotate --revoke`."
        }
        SecretChange::Revoke => "\nOnly this URL works now.",
    });
    Ok(Exit::Done)
}

/// The URLs that work. A path that is not there has no URL; `rotate` makes it, and `--revoke` refuses without it.
fn urls(session: &Session, api: &rest_api::Id) -> results::Rotate {
    let url = |route: &rest_api::Route| session.url(&api.api, &route.path);
    results::Rotate {
        name: session.spec.name.to_string(),
        webhook_url: api.route.as_ref().map(url).unwrap_or_default(),
        old_webhook_url: api.old.as_ref().map(url),
    }
}

/// The pipeline's API, whose stage is open, and which is as the spec says but for what `rotate` changes.
async fn open_api(session: &Session, want: &Desired) -> Result<rest_api::Id, Failure> {
    let (Some(api), Some(stage)) = webhook(&session.aws, want).await? else {
        let message = format!("{} has no webhook here", session.spec.name);
        return Err(Failure::new(FailureKind::Aws, message).hint("`split-pipeline up` makes it"));
    };
    let id = api.id.clone();
    let forgotten = !api.state.path_remembered;
    let api = decide(&want.rest_api, Some(api), Adoption::Refuse);
    let stage = decide(&want.stage, Some(stage), Adoption::Refuse);
    // A stage of another name, a path that is to become secret: the URL that Split has would stop working. And where
    // nothing says which path is the old one, there is none to take away.
    if forgotten || is_more(&api) || is_more(&stage) {
        let message = "the webhook is to change in more than its secret; nothing was changed";
        return Err(Failure::new(FailureKind::Conflict, message).hint("`split-pipeline up` first"));
    }
    Ok(id)
}

/// Whether a decision is about more than what can be changed without anybody noticing.
fn is_more<R: Resource>(decision: &Decision<R>) -> bool {
    decision.caution.is_some() || !matches!(decision.action, Action::Keep | Action::Update)
}

/// A deployment takes a moment to be known everywhere; until then, the new URL is of no use.
async fn wait_until_it_answers(session: &Session, url: &str) -> Result<(), Failure> {
    let mut poster = Poster::new(url)?;
    if let Err(error) = session.context.unless_interrupted(poster.until_open()).await? {
        let why = Failure::from(error).message;
        session
            .context
            .ui
            .warn(&format!("the new URL does not answer from here yet: {why}"));
    }
    Ok(())
}
