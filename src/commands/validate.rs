//! `validate`: checks the spec offline.

use serde::Serialize;

use super::session::read_spec;
use super::{Context, Invocation};
use crate::failure::{Exit, Failure};
use crate::ui::Show;

/// Check the spec offline, and report every problem at once
#[derive(clap::Args, Clone, Debug)]
pub struct Args;

impl Invocation for Args {
    async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let spec = read_spec(context).await?;
        context.done(&ValidateResult { name: spec.name.to_string() })
    }
}

#[derive(Debug, Serialize)]
struct ValidateResult {
    name: String,
}

impl Show for ValidateResult {
    fn text(&self) -> String {
        format!("{}: the spec is valid\n", self.name)
    }
}
