//! `schema`: prints the spec's JSON Schema.

use super::Context;
use crate::failure::{Exit, Failure};
use crate::results::Text;
use crate::spec::Spec;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    context.ui.result(&Text(Spec::schema()))?;
    Ok(Exit::Done)
}
