//! Collects each resource's blocks into one Terraform or CloudFormation document.

use hcl::Block;

use super::{Desired, VisitWanted};
use crate::artifact::file_name;
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{self, Chapter};
use crate::export::{ExportError, Format, Page, Reference};
use crate::resource::Target;
use crate::resources::webhook;
use crate::resources::{Blueprint, Exported};

pub fn text(want: &Desired, blueprint: &Blueprint<'_>, format: Format) -> Result<String, ExportError> {
    let page = page(want, blueprint);
    match format {
        Format::Terraform => {
            let mut modules = Modules(&page, Vec::new());
            want.visit_wanted(&mut modules);
            terraform::text(&page, &modules.1)
        }
        Format::CloudFormation => {
            let mut stack = Stack { page: &page, blueprint, templates: Vec::new() };
            want.visit_wanted(&mut stack);
            cloudformation::text(&page, stack.templates)
        }
    }
}

fn page<'a>(want: &'a Desired, blueprint: &Blueprint<'a>) -> Page<'a> {
    let mut references = References(Vec::new());
    want.visit_wanted(&mut references);
    Page {
        spec: blueprint.spec,
        names: blueprint.names,
        zip: file_name(blueprint.platform.architecture.as_str()),
        path: webhook::open_path(blueprint.spec),
        tags: blueprint.tags.clone(),
        references: references.0,
    }
}

struct References(Vec<Reference>);

impl VisitWanted for References {
    fn visit<R: Exported>(&mut self, want: &Target<R>) {
        self.0.extend(R::reference(want));
    }
}

struct Modules<'a>(&'a Page<'a>, Vec<(Chapter, Vec<Block>)>);

impl VisitWanted for Modules<'_> {
    fn visit<R: Exported>(&mut self, want: &Target<R>) {
        self.1.push(R::terraform(want, self.0));
    }
}

struct Stack<'a> {
    page: &'a Page<'a>,
    blueprint: &'a Blueprint<'a>,
    templates: Templates,
}

impl VisitWanted for Stack<'_> {
    fn visit<R: Exported>(&mut self, want: &Target<R>) {
        self.templates.extend(R::cloudformation(want, self.blueprint, self.page));
    }
}

#[cfg(test)]
mod tests;
