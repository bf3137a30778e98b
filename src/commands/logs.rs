//! `logs`: the function's log and the delivery stream's errors, newest last.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure};
use crate::logs::Reader;

/// How often `--follow` looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub(super) async fn run(context: &Context, args: &cli::Logs) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    session.mind_log_retention(args.since);
    let since = SystemTime::now().checked_sub(args.since).unwrap_or(UNIX_EPOCH);
    let mut reader = Reader::new(since);
    loop {
        let read = reader.read(&session.aws, &session.names);
        let lines = context.unless_interrupted(read).await??;
        for line in &lines {
            context.ui.result(line)?;
        }
        if !args.follow {
            if lines.is_empty() {
                let span = humantime::format_duration(args.since);
                context.ui.note(&format!(
                    "no lines in the last {span}: --since looks further back, and `split-pipeline status` says whether there is a pipeline"
                ));
            }
            return Ok(Exit::Done);
        }
        context.unless_interrupted(tokio::time::sleep(LOOK_AGAIN)).await?;
    }
}
