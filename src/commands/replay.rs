//! `replay`: sends spilled impressions again, or copies from the stream what no delivery stream delivered.

use std::time::SystemTime;

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::replay::{Mode, Place, Span, spilled, stream};
use crate::table::{delivered_columns, number_fields};
use crate::undelivered;

pub(super) async fn run(context: &Context, args: &cli::Replay) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let misfits = session.spec.delivery.error_prefix.of_failed_conversions();
    let place = Place {
        name: session.spec.name.to_string(),
        stream: session.names.stream(),
        bucket: session.names.bucket(&session.spec),
        prefix: session.spec.delivery.prefix.as_str().to_owned(),
        misfit_prefix: misfits.as_str().to_owned(),
        record_kib: session.spec.handler.record_kib.get(),
        number_fields: number_fields(&session.spec),
        columns: delivered_columns(&session.spec),
    };
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
