//! What Glue's catalog has of a pipeline that delivers Parquet: the table that Firehose converts by, and its database.

use std::collections::BTreeMap;

use crate::names::Names;
use crate::resource::Tags;
use crate::resources::database::{self, Database};
use crate::resources::delivery_stream::{Conversion, OPENX_JSON, PARQUET};
use crate::resources::table::{self, Storage, TABLE_TYPE, Table};
use crate::spec::{Compression, Format, Spec};
use crate::table::{DeliveredColumn, DeliveredTable};

/// The database.
pub(super) fn database(spec: &Spec, names: &Names, tags: &Tags) -> Database {
    Database {
        name: names.database(),
        arn: names.database_arn(),
        wanted: spec.delivery.format == Format::Parquet,
        state: database::State {},
        tags: tags.clone(),
    }
}

/// The table. The user's own tags are not on it, where they would stand among its settings.
pub(super) fn table(spec: &Spec, names: &Names) -> Table {
    let bucket = names.bucket(spec);
    // A spec of Parquet has partitions that can be told; of any other, the table is to be found and deleted.
    let delivered = DeliveredTable::new(spec).ok();
    let column = |column: &DeliveredColumn| table::Column {
        name: column.name.clone(),
        kind: column.kind.to_owned(),
    };
    let columns = delivered.iter().flat_map(|table| &table.columns);
    let partitions = delivered.iter().flat_map(|table| &table.partitions);
    let mut parameters: BTreeMap<_, _> = delivered
        .iter()
        .flat_map(|table| table.projection(&bucket))
        .collect();
    for (parameter, value) in [("classification", "parquet"), ("EXTERNAL", "TRUE")] {
        parameters.insert(parameter.to_owned(), value.to_owned());
    }
    Table {
        name: names.table(),
        database: names.database(),
        name_in_database: names.table_in_database(),
        arn: names.table_arn(),
        wanted: spec.delivery.format == Format::Parquet,
        state: table::State {
            columns: columns.map(column).collect(),
            partitions: partitions.map(|it| column(&it.column)).collect(),
            location: delivered
                .as_ref()
                .map(|table| table.location(&bucket))
                .unwrap_or_default(),
            storage: Storage::parquet(),
            table_type: TABLE_TYPE.to_owned(),
            parameters,
        },
        tags: names.tags(&Tags::new()),
    }
}

/// What the delivery stream is to convert to.
pub(super) fn conversion(spec: &Spec, names: &Names) -> Option<Conversion> {
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
