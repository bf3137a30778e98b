//! Converting JSON to Parquet: read from what Firehose describes, and written as it takes it.

use aws_sdk_firehose::types::{
    DataFormatConversionConfiguration, Deserializer, InputFormatConfiguration, OpenXJsonSerDe,
    OutputFormatConfiguration, ParquetCompression, ParquetSerDe, SchemaConfiguration, Serializer,
};
use serde::Serialize;

use crate::names::Names;
use crate::spec::{Compression, Format, Spec};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conversion {
    /// The database of the table that says which columns there are.
    pub database: String,
    pub table: String,
    pub region: String,
    /// The role with which the table is read.
    pub role: String,
    pub deserializer: String,
    pub serializer: String,
    /// `GZIP`, `SNAPPY` or `UNCOMPRESSED`.
    pub compression: String,
}

/// What reads JSON of any case and with more fields than there are columns.
pub const OPENX_JSON: &str = "OpenXJsonSerDe";

pub const PARQUET: &str = "ParquetSerDe";

impl Conversion {
    pub(super) fn of(configuration: &DataFormatConversionConfiguration) -> Self {
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let schema = configuration.schema_configuration();
        let input = configuration.input_format_configuration();
        let deserializer = input.and_then(InputFormatConfiguration::deserializer);
        let output = configuration.output_format_configuration();
        let serializer = output.and_then(OutputFormatConfiguration::serializer);
        let parquet = serializer.and_then(Serializer::parquet_ser_de);
        let open_x = deserializer.and_then(Deserializer::open_x_json_ser_de);
        Self {
            database: owned(schema.and_then(SchemaConfiguration::database_name)),
            table: owned(schema.and_then(SchemaConfiguration::table_name)),
            region: owned(schema.and_then(SchemaConfiguration::region)),
            role: owned(schema.and_then(SchemaConfiguration::role_arn)),
            deserializer: owned(open_x.map(|_| OPENX_JSON)),
            serializer: owned(parquet.map(|_| PARQUET)),
            compression: owned(parquet.and_then(ParquetSerDe::compression).map(ParquetCompression::as_str)),
        }
    }

    pub(super) fn configuration(&self) -> DataFormatConversionConfiguration {
        let schema = SchemaConfiguration::builder()
            .database_name(&self.database)
            .table_name(&self.table)
            .region(&self.region)
            .role_arn(&self.role)
            .build();
        let deserializer = Deserializer::builder().open_x_json_ser_de(OpenXJsonSerDe::builder().build());
        let input = InputFormatConfiguration::builder().deserializer(deserializer.build());
        let compression = ParquetCompression::from(self.compression.as_str());
        let parquet = ParquetSerDe::builder().compression(compression).build();
        let serializer = Serializer::builder().parquet_ser_de(parquet).build();
        let output = OutputFormatConfiguration::builder().serializer(serializer);
        DataFormatConversionConfiguration::builder()
            .enabled(true)
            .schema_configuration(schema)
            .input_format_configuration(input.build())
            .output_format_configuration(output.build())
            .build()
    }
}

pub(super) fn wanted(spec: &Spec, names: &Names) -> Option<Conversion> {
    let compression = match (spec.delivery.format, spec.delivery.compression) {
        (Format::Json, _) => return None,
        (Format::Parquet, Compression::Gzip) => "GZIP",
        (Format::Parquet, Compression::Snappy) => "SNAPPY",
        // The spec lets nobody ask for a zip archive here.
        (Format::Parquet, Compression::None | Compression::Zip) => "UNCOMPRESSED",
    };
    Some(Conversion {
        database: names.database(),
        table: names.table_in_database(),
        region: names.region().to_owned(),
        role: names.delivery_role_arn(spec),
        deserializer: OPENX_JSON.to_owned(),
        serializer: PARQUET.to_owned(),
        compression: compression.to_owned(),
    })
}
