//! The table of what is delivered, and its database.

use hcl::{Block, Expression};

use super::super::Pipeline;
use super::writing::{Section, block, reference, resource};
use crate::names::Names;
use crate::resources::table::Column;

/// The table and its database, where what is delivered has one.
pub(super) fn catalog(pipeline: &Pipeline<'_>) -> Option<Section> {
    let want = pipeline.want;
    let database = resource("aws_glue_catalog_database", "impressions")
        .add_attribute(("name", want.database.name.as_str()))
        .add_attribute(("tags", reference("local.tags")));
    want.table.is_wanted().then(|| {
        Section::new(
            "The table of what is delivered: what the delivery stream converts by, and what queries are about.",
            [database.build(), table(pipeline)],
        )
    })
}

fn table(pipeline: &Pipeline<'_>) -> Block {
    let want = &pipeline.want.table;
    let state = &want.state;
    let tags = Names::tags_of("terraform", &want.tags);
    let parameters = state.parameters.iter().chain(&tags);
    let parameters = parameters.map(|(key, value)| (key.clone(), Expression::from(value.as_str())));
    let serde = block(
        "ser_de_info",
        [("serialization_library", state.storage.serde.as_str().into())],
    );
    let storage = Block::builder("storage_descriptor")
        .add_attribute(("location", state.location.as_str()))
        .add_attribute(("input_format", state.storage.input_format.as_str()))
        .add_attribute(("output_format", state.storage.output_format.as_str()))
        .add_block(serde)
        .add_blocks(state.columns.iter().map(|it| column("columns", it)));
    resource("aws_glue_catalog_table", "impressions")
        .add_attribute(("name", want.extra.table.as_str()))
        .add_attribute((
            "database_name",
            reference("aws_glue_catalog_database.impressions.name"),
        ))
        .add_attribute(("table_type", state.table_type.as_str()))
        .add_attribute(("parameters", parameters.collect::<Expression>()))
        .add_block(storage.build())
        .add_blocks(state.partitions.iter().map(|it| column("partition_keys", it)))
        .build()
}

fn column(label: &str, column: &Column) -> Block {
    let attributes = [
        ("name", column.name.as_str().into()),
        ("type", column.kind.as_str().into()),
    ];
    block(label, attributes)
}
