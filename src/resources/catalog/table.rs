//! The Glue table of what is delivered: what Firehose converts to, and what Athena and others query.
//!
//! AWS lets tables have no tags, so ours are among its parameters.

use std::collections::BTreeMap;

use aws_sdk_glue::types::{self, SerDeInfo, StorageDescriptor, TableInput};
use serde::Serialize;

use crate::aws::{Aws, AwsError, Outcome as _};
use crate::kind::Kind;
use crate::names::{OWNERSHIP_TAGS, Tags};
use crate::resource::{Changes, Existence, Observed, Resource, Step, TagChanges, Target};
use crate::resources::Blueprint;
use crate::spec::Format;
use crate::table::{DeliveredColumn, DeliveredTable};

mod export;

/// What makes a table one of objects that are there whether it is or not.
pub const TABLE_TYPE: &str = "EXTERNAL_TABLE";

pub const KIND: Kind = Kind::new("table");

#[derive(Clone, Copy, Debug)]
pub struct Table;

#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub columns: Vec<Column>,
    pub partitions: Vec<Column>,
    pub location: String,
    pub storage: Storage,
    /// `EXTERNAL_TABLE`.
    pub table_type: String,
    /// How the partitions follow from each other, and other settings of ours; what engines note there for themselves is no drift.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
}

impl Column {
    fn of(column: &types::Column) -> Self {
        Self { name: column.name().to_owned(), kind: column.r#type().unwrap_or_default().to_owned() }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    pub input_format: String,
    pub output_format: String,
    pub serde: String,
}

impl Storage {
    /// What reads and writes Parquet (Athena's guide, "Parquet `SerDe`").
    pub fn parquet() -> Self {
        let hive = |class: &str| format!("org.apache.hadoop.hive.ql.io.parquet.{class}");
        Self {
            input_format: hive("MapredParquetInputFormat"),
            output_format: hive("MapredParquetOutputFormat"),
            serde: hive("serde.ParquetHiveSerDe"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct InDatabase {
    pub database: String,
    pub table: String,
}

pub(crate) fn want(blueprint: &Blueprint<'_>) -> Target<Table> {
    let Blueprint { spec, names, .. } = blueprint;
    let bucket = names.bucket(spec);
    // Without Parquet, a partition may be one that no table has; the table is only looked for then, to be deleted.
    let delivered = DeliveredTable::new(spec).ok();
    let column =
        |column: &DeliveredColumn| Column { name: column.name.clone(), kind: column.kind.to_owned() };
    let columns = delivered.iter().flat_map(|table| &table.columns);
    let partitions = delivered.iter().flat_map(|table| &table.partitions);
    let mut parameters: BTreeMap<_, _> =
        delivered.iter().flat_map(|table| table.projection(&bucket)).collect();
    for (parameter, value) in [("classification", "parquet"), ("EXTERNAL", "TRUE")] {
        parameters.insert(parameter.to_owned(), value.to_owned());
    }
    let location = delivered.as_ref().map(|table| table.location(&bucket));
    let state = State {
        columns: columns.map(column).collect(),
        partitions: partitions.map(|it| column(&it.column)).collect(),
        location: location.unwrap_or_default(),
        storage: Storage::parquet(),
        table_type: TABLE_TYPE.to_owned(),
        parameters,
    };
    let extra = InDatabase { database: names.database(), table: names.table_in_database() };
    Target {
        existence: Existence::wanted_if(spec.delivery.format == Format::Parquet),
        tags: names.tags(&Tags::new()),
        ..blueprint.target(KIND, (names.table(), names.table_arn()), state, extra)
    }
}

impl Resource for Table {
    type State = State;
    type Id = String;
    type Extra = InDatabase;

    fn caution(want: &Target<Self>, have: &State) -> Option<String> {
        let Target { name, state, .. } = want;
        if have.location != state.location {
            return Some(format!(
                "table {name}: reads {} from now on; objects under {} stay, but the table no longer reads them",
                state.location, have.location
            ));
        }
        if have.partitions != state.partitions {
            return Some(format!(
                "table {name}: its partitions change, and it may no longer read existing objects"
            ));
        }
        let lost = have.columns.iter().filter(|had| !state.columns.contains(had));
        let lost: Vec<_> = lost.map(|had| had.name.as_str()).collect();
        (!lost.is_empty()).then(|| {
            format!(
                "table {name}: no longer reads {} of existing objects, because the column is changed or removed",
                lost.join(", ")
            )
        })
    }

    async fn observe(want: &Target<Self>, aws: &Aws) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(table) = want.get(aws).await.found()? else {
            return Ok(None);
        };
        let parameters = table.parameters().into_iter().flatten();
        let tags = parameters.filter(|(key, _)| OWNERSHIP_TAGS.contains(&key.as_str()));
        Ok(Some(Observed::ready(
            want.arn.clone(),
            want.state_of(&table),
            tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
        )))
    }

    async fn create(want: &Target<Self>, step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let input = want.input(&types::Table::builder().name(&want.extra.table).build()?)?;
        let request = || {
            let call = step.aws.glue.create_table().database_name(&want.extra.database);
            call.table_input(input.clone()).send()
        };
        step.call("glue:CreateTable", request).await?;
        Ok(want.created(want.arn.clone(), want.state.clone()))
    }

    async fn update(
        want: &Target<Self>,
        _have: &Observed<Self>,
        _changes: &Changes,
        step: &Step<'_>,
    ) -> Result<String, AwsError> {
        want.write(step).await?;
        Ok(want.arn.clone())
    }

    async fn delete(want: &Target<Self>, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.glue.delete_table().database_name(&want.extra.database);
            call.name(&want.extra.table).send()
        };
        step.remove("glue:DeleteTable", request).await
    }

    async fn retag(
        want: &Target<Self>,
        _id: &String,
        _tags: &TagChanges,
        step: &Step<'_>,
    ) -> Result<(), AwsError> {
        want.write(step).await
    }

    fn is_looked_for(want: &Target<Self>) -> bool {
        want.is_wanted()
    }
}

impl Target<Table> {
    async fn write(&self, step: &Step<'_>) -> Result<(), AwsError> {
        // An update takes away what it does not say, so it says what others have noted there too.
        let update = async || {
            let input = self.input(&self.get(step.aws).await?)?;
            let request = || {
                let call = step.aws.glue.update_table().database_name(&self.extra.database);
                call.table_input(input.clone()).send()
            };
            step.aws.call("glue:UpdateTable", request).await
        };
        step.settle(update).await.map(drop)
    }

    async fn get(&self, aws: &Aws) -> Result<types::Table, AwsError> {
        let request = || {
            let call = aws.glue.get_table().database_name(&self.extra.database);
            call.name(&self.extra.table).send()
        };
        let answer = aws.call("glue:GetTable", request).await?;
        answer.table.ok_or_else(|| AwsError::incomplete("glue:GetTable", "table"))
    }

    fn state_of(&self, table: &types::Table) -> State {
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let storage = table.storage_descriptor();
        let serde = storage.and_then(StorageDescriptor::serde_info);
        let parameters = table.parameters().into_iter().flatten();
        State {
            columns: columns(storage.map(StorageDescriptor::columns).unwrap_or_default()),
            partitions: columns(table.partition_keys()),
            location: owned(storage.and_then(StorageDescriptor::location)),
            storage: Storage {
                input_format: owned(storage.and_then(StorageDescriptor::input_format)),
                output_format: owned(storage.and_then(StorageDescriptor::output_format)),
                serde: owned(serde.and_then(SerDeInfo::serialization_library)),
            },
            table_type: owned(table.table_type()),
            parameters: parameters
                .filter(|(key, _)| self.decides(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        }
    }

    fn decides(&self, parameter: &str) -> bool {
        self.state.parameters.contains_key(parameter)
            || parameter.starts_with("projection.")
            || parameter.starts_with("storage.")
    }

    /// The table as it should be, with what else it has.
    fn input(&self, have: &types::Table) -> Result<TableInput, AwsError> {
        let state = &self.state;
        let storage = have.storage_descriptor();
        let same_serde = |serde: &&SerDeInfo| serde.serialization_library() == Some(&state.storage.serde);
        let serde = storage.and_then(StorageDescriptor::serde_info).filter(same_serde).cloned();
        let new_serde = || SerDeInfo::builder().serialization_library(&state.storage.serde).build();
        let have_columns = storage.map(StorageDescriptor::columns).unwrap_or_default();
        let mut storage = storage.cloned().unwrap_or_else(|| StorageDescriptor::builder().build());
        storage.columns = Some(sdk_columns(&state.columns, have_columns)?);
        storage.location = Some(state.location.clone());
        storage.input_format = Some(state.storage.input_format.clone());
        storage.output_format = Some(state.storage.output_format.clone());
        storage.serde_info = Some(serde.unwrap_or_else(new_serde));
        let others = have.parameters().into_iter().flatten();
        let others = others.filter(|(key, _)| !self.decides(key));
        let parameters = others.chain(&state.parameters).chain(&self.tags);
        let parameters = parameters.map(|(key, value)| (key.clone(), value.clone()));
        TableInput::builder()
            .name(&self.extra.table)
            .set_description(have.description.clone())
            .set_owner(have.owner.clone())
            .set_last_access_time(have.last_access_time)
            .set_last_analyzed_time(have.last_analyzed_time)
            .retention(have.retention())
            .table_type(&state.table_type)
            .storage_descriptor(storage)
            .set_partition_keys(Some(sdk_columns(&state.partitions, have.partition_keys())?))
            .set_parameters(Some(parameters.collect()))
            .build()
            .map_err(AwsError::from)
    }
}

fn columns(columns: &[types::Column]) -> Vec<Column> {
    columns.iter().map(Column::of).collect()
}

/// Columns as they should be, with the comments of those that are so already.
fn sdk_columns(columns: &[Column], have: &[types::Column]) -> Result<Vec<types::Column>, AwsError> {
    let columns = columns.iter().map(|column| {
        let found = have.iter().find(|found| Column::of(found) == *column);
        let new = || types::Column::builder().name(&column.name).r#type(&column.kind).build();
        found.map_or_else(new, |found| Ok(found.clone()))
    });
    columns.collect::<Result<_, _>>().map_err(AwsError::from)
}
