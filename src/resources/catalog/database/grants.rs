//! The IAM actions that observing, creating, updating and deleting the database and its table need.

use super::Database;
use crate::access::{Grant, RestApis};
use crate::names::Names;
use crate::resources::Permitted;
use crate::spec::{Format, Spec};

impl Permitted for Database {
    fn grants(spec: &Spec, names: &Names, _apis: &RestApis) -> Vec<Grant> {
        vec![catalog(spec, names)]
    }
}

/// Glue checks the catalog besides what is in it, and everything that a database has when it is deleted.
fn catalog(spec: &Spec, names: &Names) -> Grant {
    let mut grant = Grant {
        sid: "Catalog",
        resources: vec![
            names.catalog_arn(),
            names.database_arn(),
            names.any_table_arn("*"),
            names.any_database_function_arn(),
        ],
        look: &[],
        make: &[],
        delete: &[],
    };
    if spec.delivery.format == Format::Parquet {
        grant.look = &["glue:GetDatabase", "glue:GetTable", "glue:GetTags"];
        grant.make = &[
            "glue:CreateDatabase",
            "glue:CreateTable",
            "glue:TagResource",
            "glue:UntagResource",
            "glue:UpdateTable",
        ];
        grant.delete = &["glue:DeleteDatabase", "glue:DeleteTable", "glue:GetTables"];
    }
    grant
}
