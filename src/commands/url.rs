//! `url`: prints the webhook URL alone.

use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::failure::{Exit, Failure, FailureKind};
use crate::ui::Show;

/// Print the webhook URL alone
#[derive(clap::Args, Clone, Debug)]
pub struct Args;

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        let want = session.desired(None);
        let webhook = context.unless_interrupted(want.look_at_webhook(&session.aws)).await??;
        let url = session.open_url(webhook);
        let url = url.ok_or_else(|| {
            Failure::new(FailureKind::Aws, format!("{} has no webhook here", session.spec.name))
                .hint("`split-pipeline up` makes it; `split-pipeline status` says what is missing")
        })?;
        context.done(&UrlResult { webhook_url: url })
    }
}

#[derive(Debug, Serialize)]
struct UrlResult {
    webhook_url: String,
}

impl Show for UrlResult {
    fn urls(&self) -> Vec<&str> {
        vec![&self.webhook_url]
    }

    fn text(&self) -> String {
        format!("{}\n", self.webhook_url)
    }
}
