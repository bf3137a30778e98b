//! `schema`: prints the spec's JSON Schema.

use super::{Context, Invocation};
use crate::failure::{Exit, Failure};
use crate::spec::Spec;
use crate::ui::Verbatim;

/// Print the spec's JSON Schema, for editors
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline schema > split-pipeline.schema.json")]
pub struct Args;

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        context.done(&Verbatim(Spec::schema()))
    }
}
