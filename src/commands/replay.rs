//! `replay`: sends spilled impressions again, or copies from the stream what no delivery stream delivered.

use std::time::SystemTime;

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure, FailureKind};
use crate::replay::{Mode, Place, Span, spilled, stream};
use crate::results::Replay;
use crate::undelivered;

/// How many skipped objects an error names.
const MOST_SHOWN: usize = 20;

pub(super) async fn run(context: &Context, args: &cli::Replay) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let place = Place::new(&session.spec, &session.names);
    let now = SystemTime::now();
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Do };
    let result = match args.since {
        None => spilled::replay(&session.aws, &place, mode).await?,
        Some(since) => {
            let until = args.until.unwrap_or(now);
            stream::copy(&session.aws, &place, Span { since, until }, mode).await?
        }
    };
    context.ui.result(&result)?;
    if let Some(since) = args.since
        && mode == Mode::Do
        && result.skipped.is_empty()
    {
        let (want, until) = (session.desired(None), args.until.unwrap_or(now));
        undelivered::forget_copied(&session.aws, &want, since, until, now).await?;
    }
    if result.skipped.is_empty() {
        Ok(Exit::Done)
    } else {
        Err(incomplete(&result))
    }
}

/// The failure of a replay that left objects alone: each of them and why, as many as a screen takes.
fn incomplete(result: &Replay) -> Failure {
    let mut message = format!("{} not replayed", counted(result.skipped.len(), "object"));
    for skipped in result.skipped.iter().take(MOST_SHOWN) {
        message = format!("{message}\n{}: {}", skipped.key, skipped.why);
    }
    if let Some(more @ 1..) = result.skipped.len().checked_sub(MOST_SHOWN) {
        message = format!("{message}\nand {more} more; `--output json` lists all of them");
    }
    let failure = Failure::new(FailureKind::Replay, message);
    result.hints.iter().cloned().fold(failure, Failure::hint)
}

/// A number of things, such as `1 object` and `2 objects`.
fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
