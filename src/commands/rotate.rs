//! `rotate`: gives the webhook a new secret path.

use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::failure::{Exit, Failure, FailureKind};
use crate::kind::Action;
use crate::pipeline::Desired;
use crate::resource::{Adoption, Decision, FieldChange, decide};
use crate::resources::webhook;
use crate::resources::webhook::rest_api::{self, RestApi, SecretChange};
use crate::resources::webhook::stage::Stage;
use crate::rotate::rotate;
use crate::smoke::Poster;
use crate::ui::Show;

/// Give the webhook a new secret path; the old one works until it is revoked
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline rotate                       # then paste the new URL into Split
  split-pipeline rotate --revoke")]
pub struct Args {
    /// Take the old path away
    #[arg(long)]
    revoke: bool,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        if !session.spec.webhook.secret_path {
            let message = "there is no secret to rotate: `webhook.secret_path` is false";
            return Err(Failure::new(FailureKind::Usage, message));
        }
        let want = session.desired(None);
        let api = context.unless_interrupted(open_api(&session, &want)).await??;
        let change = if self.revoke {
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
        if self.revoke && api.secrets.old.is_none() {
            context.ui.warn(
                "there is no old path to take away: `split-pipeline rotate` gives the webhook a new one beside it",
            );
            return context.done(&urls(&session, &api));
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
}

#[derive(Debug, Serialize)]
struct RotateResult {
    name: String,
    webhook_url: String,
    /// The URL before, while it works too.
    old_webhook_url: Option<String>,
}

impl Show for RotateResult {
    fn urls(&self) -> Vec<&str> {
        let old = self.old_webhook_url.as_deref();
        old.into_iter().chain([self.webhook_url.as_str()]).collect()
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}

/// The URLs that work. A path that is not there has no URL; `rotate` makes it, and `--revoke` refuses without it.
fn urls(session: &Session, api: &rest_api::Id) -> RotateResult {
    let url = |route: &rest_api::Route| session.url(&api.api, &route.path);
    RotateResult {
        name: session.spec.name.to_string(),
        webhook_url: api.route.as_ref().map(url).unwrap_or_default(),
        old_webhook_url: api.old.as_ref().map(url),
    }
}

/// The pipeline's API, if its stage is open and the secret path is all that a rotation changes.
async fn open_api(session: &Session, want: &Desired) -> Result<rest_api::Id, Failure> {
    let (Some(api), Some(stage)) = webhook::look(&session.aws, &want.rest_api, &want.stage).await? else {
        let message = format!("{} has no webhook here", session.spec.name);
        return Err(Failure::new(FailureKind::Aws, message).hint("run `split-pipeline up` to create it"));
    };
    let id = api.id.clone();
    let api = decide(&want.rest_api, Some(api), Adoption::Refuse);
    let stage = decide(&want.stage, Some(stage), Adoption::Refuse);
    let others = other_changes(&id, &api, &stage);
    if others.is_empty() {
        return Ok(id);
    }
    let message =
        format!("the webhook has other pending changes ({}); nothing was changed", others.join(", "));
    Err(Failure::new(FailureKind::Conflict, message).hint("run `split-pipeline up` first"))
}

/// Lists what bringing API and stage to their desired state would change besides the secret path.
///
/// An interrupted rotation leaves a path to create, one to delete and a deployment to move to; these are its own.
fn other_changes(id: &rest_api::Id, api: &Decision<RestApi>, stage: &Decision<Stage>) -> Vec<String> {
    let is_unfinished = api.have.as_ref().is_some_and(|api| api.state.post.is_none());
    let of_rotation = |change: &FieldChange| match change.path.as_str() {
        "path" | "deployed" => true,
        path if path == "post" || path.starts_with("post.") => is_unfinished,
        "other_paths" => id.other_paths_are_secret(),
        _ => false,
    };
    let mut others: Vec<_> = api.fields.iter().filter(|it| !of_rotation(it)).collect();
    others.extend(stage.fields.iter().filter(|it| it.path != "deployment"));
    let mut others: Vec<_> = others.into_iter().map(|it| it.path.clone()).collect();
    let actions = [api.action, stage.action];
    if !actions.iter().all(|it| matches!(it, Action::Keep | Action::Update)) {
        others.push("replacement".to_owned());
    }
    let deployment = stage.have.as_ref().map(|stage| stage.id.deployment());
    if others.is_empty() && !deployment.is_some_and(|it| id.differs_in_secrets_at_most(it)) {
        others.push("deployment".to_owned());
    }
    others
}

/// A deployment takes a moment to be known everywhere; until then, the new URL is of no use.
async fn wait_until_it_answers(session: &Session, url: &str) -> Result<(), Failure> {
    let mut poster = Poster::new(url)?;
    if let Err(error) = session.context.unless_interrupted(poster.until_open()).await? {
        let why = Failure::from(error).message;
        session.context.ui.warn(&format!("the new URL does not answer from here yet: {why}"));
    }
    Ok(())
}
