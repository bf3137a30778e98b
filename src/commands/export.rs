//! `export`: prints the same pipeline for another tool.

use super::Context;
use super::session::Session;
use crate::cli;
use crate::failure::{Exit, Failure, FailureKind};
use crate::pipeline::export;
use crate::results;

pub(super) async fn run(context: &Context, args: &cli::Export) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    session.topic_is_near()?;
    let text = export::text(&session.desired(None), &session.blueprint(None), args.format)
        .map_err(|error| Failure::new(FailureKind::Io, error.to_string()))?;
    if session.aws.is_emulator() {
        let warning =
            "this is for the emulator: it has its account, and a bucket policy that allows plain HTTP";
        context.ui.warn(warning);
    }
    context.ui.result(&results::Export {
        format: args.format,
        text,
    })?;
    Ok(Exit::Done)
}
