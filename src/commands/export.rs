//! `export`: prints the same pipeline for another tool.

use serde::Serialize;

use super::session::Session;
use super::{Context, Invocation};
use crate::export::Format;
use crate::failure::{Exit, Failure, FailureKind};
use crate::pipeline::export;
use crate::ui::Show;

/// Print the same pipeline for Terraform or CloudFormation
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  split-pipeline export terraform > main.tf
  split-pipeline export cloudformation > template.json")]
pub struct Args {
    /// The tool to print it for
    #[arg(value_enum)]
    format: Format,
}

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let session = Session::open(context).await?;
        session.topic_is_near()?;
        let text = export::text(&session.desired(None), &session.blueprint(None), self.format)
            .map_err(|error| Failure::new(FailureKind::Io, error.to_string()))?;
        if session.aws.is_emulator() {
            let warning =
                "this is for the emulator: it has its account, and a bucket policy that allows plain HTTP";
            context.ui.warn(warning);
        }
        context.done(&ExportResult { format: self.format, text })
    }
}

#[derive(Debug, Serialize)]
struct ExportResult {
    format: Format,
    text: String,
}

impl Show for ExportResult {
    fn text(&self) -> String {
        self.text.clone()
    }
}
