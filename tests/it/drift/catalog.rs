//! What is done by hand to the table and its database.

use aws_config::SdkConfig;
use aws_sdk_glue::types::{Column, SerDeInfo, StorageDescriptor, TableInput};

use super::{Drift, NAME};

const DATABASE: &str = "it_drift";
const ARN: &str = "arn:aws:glue:us-east-1:000000000000:database/it_drift";

pub(super) struct Clients {
    glue: aws_sdk_glue::Client,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { glue: aws_sdk_glue::Client::new(config) }
    }

    pub(super) fn drifts(&self) -> Vec<Drift<'_>> {
        let glue = &self.glue;
        vec![
            Drift::new("database", ["tags.team"], ["TagResource"], async move {
                let call = glue.tag_resource().resource_arn(ARN);
                call.tags_to_add("team", "another").send().await.unwrap();
            }),
            Drift::new("database", ["tags.extra"], ["UntagResource"], async move {
                let call = glue.tag_resource().resource_arn(ARN);
                call.tags_to_add("extra", "").send().await.unwrap();
            }),
            Drift::new(
                "table",
                [
                    "columns",
                    "location",
                    "parameters.EXTERNAL",
                    "parameters.classification",
                    "parameters.projection.dt.format",
                    "parameters.projection.dt.interval",
                    "parameters.projection.dt.interval.unit",
                    "parameters.projection.dt.range",
                    "parameters.projection.dt.type",
                    "parameters.projection.enabled",
                    "parameters.projection.extra",
                    "parameters.projection.hour.digits",
                    "parameters.projection.hour.range",
                    "parameters.projection.hour.type",
                    "parameters.storage.location.template",
                    "partitions",
                    "storage.input_format",
                    "storage.output_format",
                    "storage.serde",
                    "table_type",
                ],
                ["UpdateTable"],
                self.another_table(),
            ),
        ]
    }

    /// Makes the table another one, which still says whose it is.
    async fn another_table(&self) {
        let column = || Column::builder().name("all").r#type("string").build().unwrap();
        let serde = SerDeInfo::builder().serialization_library("org.openx.data.jsonserde.JsonSerDe");
        let storage = StorageDescriptor::builder()
            .columns(column())
            .location("s3://somebodys/")
            .input_format("org.apache.hadoop.mapred.TextInputFormat")
            .output_format("org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat")
            .serde_info(serde.build());
        let table = TableInput::builder()
            .name("impressions")
            .table_type("VIRTUAL_VIEW")
            .storage_descriptor(storage.build())
            .partition_keys(column())
            .parameters("managed-by", "split-pipeline")
            .parameters("split-pipeline", NAME)
            .parameters("projection.extra", "true")
            // What an engine notes for itself is nobody's drift.
            .parameters("transient_lastDdlTime", "1700000000");
        let call = self.glue.update_table().database_name(DATABASE);
        call.table_input(table.build().unwrap()).send().await.unwrap();
    }
}
