//! The database for other tools.

use hcl::Block;
use serde_json::json;

use super::Database;
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, reference, resource};
use crate::export::{Page, Reference};
use crate::resource::Target;
use crate::resources::{Blueprint, Exported};

impl Exported for Database {
    // Glue's resources have no ARN in CloudFormation.
    fn reference(want: &Target<Self>) -> Option<Reference> {
        want.is_wanted().then(|| Reference {
            arn: want.arn.clone(),
            terraform: "aws_glue_catalog_database.impressions.arn",
            cloudformation: None,
        })
    }

    fn terraform(want: &Target<Self>, _page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let database = resource("aws_glue_catalog_database", "impressions")
            .add_attribute(("name", want.name.as_str()))
            .add_attribute(("tags", reference("local.tags")));
        (Chapter::Catalog, vec![database.build()])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let catalog = page.names.account();
        let properties = json!({ "CatalogId": catalog, "DatabaseInput": { "Name": want.name } });
        let database = cloudformation::resource("AWS::Glue::Database", &properties);
        vec![("Database".to_owned(), database)]
    }
}
