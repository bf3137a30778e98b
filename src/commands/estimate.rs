//! `estimate`: what a rate of impressions needs and costs.

use std::time::Duration;

use super::Context;
use super::session::{Session, read_spec};
use crate::cli;
use crate::estimate::{POST_EVERY_SECONDS, estimate};
use crate::failure::{Exit, Failure, FailureKind};
use crate::results::Series;
use crate::spec::Spec;
use crate::traffic;

const DAY_SECONDS: f64 = 86_400.0;

pub(super) async fn run(context: &Context, args: &cli::Estimate) -> Result<Exit, Failure> {
    let given = args.per_second.or(args.per_day.map(|a_day| a_day / DAY_SECONDS));
    let (spec, per_second, posts) = match given {
        Some(per_second) => {
            let posts = f64::from(args.environments) / POST_EVERY_SECONDS;
            (read_spec(context).await?, per_second, posts)
        }
        None => measured(context, args.since).await?,
    };
    context.ui.result(&estimate(&spec, per_second, posts))?;
    Ok(Exit::Done)
}

/// How long it is since the first batch: before, there may have been no pipeline.
fn busy_seconds(series: &Series) -> u64 {
    let before = series.batches.iter().take_while(|batches| **batches == 0).count();
    let parts = series.batches.len() - before;
    u64::try_from(parts).unwrap_or_default().max(1) * series.step_seconds
}

/// The rates at which the pipeline takes impressions, and posts.
async fn measured(context: &Context, since: Duration) -> Result<(Spec, f64, f64), Failure> {
    let session = Session::open(context).await?;
    session.mind_log_retention(since);
    let read = traffic::read(&session.aws, &session.names, since);
    let traffic = context.unless_interrupted(read).await??;
    let span = humantime::format_duration(since);
    if traffic.received == 0 {
        let message = format!("{} received nothing in the last {span}", session.spec.name);
        let failure = Failure::new(FailureKind::Aws, message);
        return Err(failure.hint("--per-second or --per-day says a rate; --since looks further back"));
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let a_second = |count: u64| count as f64 / busy_seconds(&traffic.series) as f64;
    let (received, batches) = (a_second(traffic.received), a_second(traffic.batches.max(1)));
    Ok((session.spec, received, batches))
}
