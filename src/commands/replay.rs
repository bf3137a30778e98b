//! `replay`: sends spilled impressions again, or copies from the stream what no delivery stream delivered.

use std::time::SystemTime;

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::replay::{Mode, Place, Span, spilled, stream};
use crate::undelivered;

pub(super) async fn run(context: &Context, args: &cli::Replay) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let place = Place::new(&session.spec, &session.names);
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Do };
    let result = match args.since {
        None => spilled::replay(&session.aws, &place, mode).await?,
        Some(since) => {
            let now = SystemTime::now();
            let until = args.until.map_or(now, |until| until.min(now));
            let copied = stream::copy(&session.aws, &place, Span { since, until }, mode).await?;
            if mode == Mode::Do {
                let want = session.desired(None);
                undelivered::forget_copied(&session.aws, &want, since, until).await?;
            }
            copied
        }
    };
    context.ui.result(&result)?;
    Ok(Exit::Done)
}
