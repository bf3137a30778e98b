//! `schema`: prints the spec's JSON Schema.

use super::Context;
use crate::failure::Exit;
use crate::results::Text;
use crate::spec::Spec;

pub(super) fn run(context: &Context) -> Exit {
    context.ui.result(&Text(Spec::schema()));
    Exit::Done
}
