//! `validate`: checks the spec offline.

use super::Context;
use super::session::read_spec;
use crate::failure::{Exit, Failure};
use crate::results;

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let spec = read_spec(context).await?;
    context.ui.result(&results::Validate {
        name: spec.name.to_string(),
    })?;
    Ok(Exit::Done)
}
