//! The table for other tools.

use hcl::{Block, Expression};
use serde_json::{Value, json};

use super::{Column, Table};
use crate::access::{Grant, RestApis};
use crate::export::cloudformation::{self, Templates};
use crate::export::terraform::{Chapter, block, reference, resource};
use crate::export::{Page, Reference};
use crate::names::Names;
use crate::resource::Target;
use crate::resources::{Blueprint, Exported, Permitted};
use crate::spec::Spec;

// A table's permissions stand with its database's: Glue checks both.
impl Permitted for Table {
    fn grants(_spec: &Spec, _names: &Names, _apis: &RestApis) -> Vec<Grant> {
        Vec::new()
    }
}

impl Exported for Table {
    // Glue's resources have no ARN in CloudFormation.
    fn reference(want: &Target<Self>) -> Option<Reference> {
        want.is_wanted().then(|| Reference {
            arn: want.arn.clone(),
            terraform: "aws_glue_catalog_table.impressions.arn",
            cloudformation: None,
        })
    }

    fn terraform(want: &Target<Self>, _page: &Page<'_>) -> (Chapter, Vec<Block>) {
        let state = &want.state;
        let tags = Names::tags_of("terraform", &want.tags);
        let parameters = state.parameters.iter().chain(&tags);
        let parameters = parameters.map(|(key, value)| (key.clone(), Expression::from(value.as_str())));
        let serde = block("ser_de_info", [("serialization_library", state.storage.serde.as_str().into())]);
        let storage = Block::builder("storage_descriptor")
            .add_attribute(("location", state.location.as_str()))
            .add_attribute(("input_format", state.storage.input_format.as_str()))
            .add_attribute(("output_format", state.storage.output_format.as_str()))
            .add_block(serde)
            .add_blocks(state.columns.iter().map(|it| column("columns", it)));
        let table = resource("aws_glue_catalog_table", "impressions")
            .add_attribute(("name", want.extra.table.as_str()))
            .add_attribute(("database_name", reference("aws_glue_catalog_database.impressions.name")))
            .add_attribute(("table_type", state.table_type.as_str()))
            .add_attribute(("parameters", parameters.collect::<Expression>()))
            .add_block(storage.build())
            .add_blocks(state.partitions.iter().map(|it| column("partition_keys", it)))
            .build();
        (Chapter::Catalog, vec![table])
    }

    fn cloudformation(want: &Target<Self>, _blueprint: &Blueprint<'_>, page: &Page<'_>) -> Templates {
        let state = &want.state;
        let catalog = page.names.account();
        let tags = Names::tags_of("cloudformation", &want.tags);
        let mut parameters = json!(state.parameters);
        for (key, value) in tags {
            parameters[key] = json!(value);
        }
        let columns = |columns: &[Column]| -> Value {
            let columns = columns.iter().map(|it| json!({ "Name": it.name, "Type": it.kind }));
            columns.collect()
        };
        let properties = json!({
            "CatalogId": catalog,
            "DatabaseName": { "Ref": "Database" },
            "TableInput": {
                "Name": want.extra.table,
                "TableType": state.table_type,
                "Parameters": parameters,
                "PartitionKeys": columns(&state.partitions),
                "StorageDescriptor": {
                    "Columns": columns(&state.columns),
                    "Location": state.location,
                    "InputFormat": state.storage.input_format,
                    "OutputFormat": state.storage.output_format,
                    "SerdeInfo": { "SerializationLibrary": state.storage.serde },
                },
            },
        });
        let table = cloudformation::resource("AWS::Glue::Table", &properties);
        vec![("Table".to_owned(), table)]
    }
}

fn column(label: &str, column: &Column) -> Block {
    let attributes = [("name", column.name.as_str().into()), ("type", column.kind.as_str().into())];
    block(label, attributes)
}
