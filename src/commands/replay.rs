//! `replay`: sends spilled impressions again, or copies from the stream what no delivery stream delivered.

use std::time::SystemTime;

use super::session::Session;
use super::skipped::with_skipped;
use super::{Context, Invocation};
use crate::failure::{Exit, Failure, FailureKind};
use crate::replay::{Mode, Place, ReplayReport, Span, spilled, stream};
use crate::ui::Show;
use crate::undelivered;

/// Send impressions that were spilled to S3 again; with --stream, copy what the stream still keeps to S3
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline replay --dry-run
  split-pipeline replay --stream --since 2h")]
pub struct Args {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Copy what the stream still keeps to S3, for a time when the delivery stream was away
    #[arg(long, requires = "since")]
    stream: bool,
    /// Copy what came in since then: a time such as 2026-01-31T13:00:00Z, or a span such as 2h before now
    #[arg(long, value_name = "TIME", requires = "stream", value_parser = moment)]
    since: Option<SystemTime>,
    /// Copy what came in before then; default: now
    #[arg(long, value_name = "TIME", requires = "stream", value_parser = moment)]
    until: Option<SystemTime>,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        let place = Place::new(&session.spec, &session.names);
        let now = SystemTime::now();
        let mode = if self.dry_run { Mode::DryRun } else { Mode::Do };
        let result = match self.since {
            None => spilled::replay(&session.aws, &place, mode).await?,
            Some(since) => {
                let until = self.until.unwrap_or(now);
                stream::copy(&session.aws, &place, Span { since, until }, mode).await?
            }
        };
        context.ui.result(&result)?;
        if let Some(since) = self.since
            && mode == Mode::Do
            && result.skipped.is_empty()
        {
            let (want, until) = (session.desired(None), self.until.unwrap_or(now));
            undelivered::forget_copied(&session.aws, &want, since, until, now).await?;
        }
        if result.skipped.is_empty() { Ok(Exit::Done) } else { Err(incomplete(&result)) }
    }
}

impl Show for ReplayReport {
    fn text(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let misfits = match self.misfits {
            0 => String::new(),
            count => format!(", {count} that do not fit the table {would}put under the error prefix"),
        };
        let skipped = match self.skipped.len() {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
        format!(
            "{} impressions {would}sent again, {} {would}copied to S3{misfits}, {} objects{skipped}, bucket {}\n",
            self.delivered,
            self.copied,
            self.objects.len(),
            self.bucket,
        )
    }
}

/// The failure of a replay that left objects alone: each of them and why, as many as a screen takes.
fn incomplete(result: &ReplayReport) -> Failure {
    let count = result.skipped.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let message = with_skipped(format!("{count} {objects} not replayed"), &result.skipped);
    let failure = Failure::new(FailureKind::Replay, message);
    result.hints.iter().cloned().fold(failure, Failure::hint)
}

fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text) {
        return Ok(moment);
    }
    let ago = humantime::parse_duration(text)
        .map_err(|_| "must be a time such as 2026-01-31T13:00:00Z, or a span such as 2h".to_owned())?;
    SystemTime::now().checked_sub(ago).ok_or_else(|| "is before all time".to_owned())
}
