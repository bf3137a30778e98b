//! `schema`: prints the spec's JSON Schema.

use super::{Context, Run};
use crate::failure::{Exit, Failure};
use crate::spec::Spec;
use crate::ui::Verbatim;

/// Print the spec's JSON Schema, for editors
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline schema > split-pipeline.schema.json")]
pub struct Args;

impl Run for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        context.ui.result(&Verbatim(Spec::schema()))?;
        Ok(Exit::Done)
    }
}
