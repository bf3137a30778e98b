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
    let since = SystemTime::now().checked_sub(args.since).unwrap_or(UNIX_EPOCH);
    let mut reader = Reader::new(since);
    loop {
        let read = reader.read(&session.aws, &session.names);
        for line in context.unless_interrupted(read).await?? {
            context.ui.result(&line)?;
        }
        if !args.follow {
            return Ok(Exit::Done);
        }
        context.unless_interrupted(tokio::time::sleep(LOOK_AGAIN)).await?;
    }
}
