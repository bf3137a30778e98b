//! The Glue table of what is delivered: what Firehose converts to, and what Athena and others query.
//!
//! AWS lets tables have no tags, so ours are among its parameters.

use std::collections::BTreeMap;

use aws_sdk_glue::types::{self, SerDeInfo, StorageDescriptor, TableInput};
use serde::Serialize;

use crate::aws::{Aws, AwsError, Outcome as _};
use crate::names::OWNERSHIP_TAGS;
use crate::resource::{About, Kind, Observed, Phase, Resource, Step, Tags};

/// What makes a table one of objects that are there whether it is or not.
pub const TABLE_TYPE: &str = "EXTERNAL_TABLE";

/// A table as it should be.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name, with its database's.
    pub name: String,
    /// The database that it is in.
    pub database: String,
    /// Its name within the database.
    pub name_in_database: String,
    /// Its ARN.
    pub arn: String,
    /// Whether the spec asks for it.
    pub wanted: bool,
    /// What is compared.
    pub state: State,
    /// What stands for its tags.
    pub tags: Tags,
}

/// What is compared.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// The columns that objects have.
    pub columns: Vec<Column>,
    /// The columns that their keys have.
    pub partitions: Vec<Column>,
    /// The folder that they are in.
    pub location: String,
    /// How they are read and written.
    pub storage: Storage,
    /// `EXTERNAL_TABLE`.
    pub table_type: String,
    /// How the partitions follow from each other, and other settings of ours; what engines note there for themselves is no drift.
    pub parameters: BTreeMap<String, String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as Hive calls it.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Column {
    fn of(column: &types::Column) -> Self {
        Self {
            name: column.name().to_owned(),
            kind: column.r#type().unwrap_or_default().to_owned(),
        }
    }
}

/// The classes that read and write objects.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// What reads them.
    pub input_format: String,
    /// What writes them.
    pub output_format: String,
    /// What makes rows of them.
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

impl Resource for Table {
    type State = State;
    type Id = String;
    type Parent = ();
    type Needs = ();

    fn about(&self) -> About<'_, State> {
        About {
            kind: Kind::Table,
            name: &self.name,
            state: &self.state,
            tags: &self.tags,
        }
    }

    fn display_id(id: &String) -> String {
        id.clone()
    }

    fn parent((): &()) {}

    fn wanted(&self) -> bool {
        self.wanted
    }

    fn caution(&self, have: &State) -> Option<String> {
        let Self { name, state, .. } = self;
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

    async fn observe(&self, aws: &Aws, (): &()) -> Result<Option<Observed<Self>>, AwsError> {
        let Some(table) = self.get(aws).await.found()? else {
            return Ok(None);
        };
        let parameters = table.parameters().into_iter().flatten();
        let tags = parameters.filter(|(key, _)| OWNERSHIP_TAGS.contains(&key.as_str()));
        Ok(Some(Observed {
            id: self.arn.clone(),
            state: self.state_of(&table),
            tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
            phase: Phase::Ready,
        }))
    }

    async fn create(&self, (): &(), step: &Step<'_>) -> Result<Observed<Self>, AwsError> {
        let input = self.input(&types::Table::builder().name(&self.name_in_database).build()?)?;
        let request = || {
            let call = step.aws.glue.create_table().database_name(&self.database);
            call.table_input(input.clone()).send()
        };
        let create = async || step.aws.call("glue:CreateTable", request).await;
        step.settle(create).await?;
        Ok(Observed {
            id: self.arn.clone(),
            state: self.state.clone(),
            tags: self.tags.clone(),
            phase: Phase::Ready,
        })
    }

    async fn update(&self, _have: &Observed<Self>, (): &(), step: &Step<'_>) -> Result<String, AwsError> {
        // An update takes away what it does not say, so it says what others have noted there too.
        let update = async || {
            let input = self.input(&self.get(step.aws).await?)?;
            let request = || {
                let call = step.aws.glue.update_table().database_name(&self.database);
                call.table_input(input.clone()).send()
            };
            step.aws.call("glue:UpdateTable", request).await
        };
        step.settle(update).await?;
        Ok(self.arn.clone())
    }

    async fn delete(&self, _id: &String, step: &Step<'_>) -> Result<(), AwsError> {
        let request = || {
            let call = step.aws.glue.delete_table().database_name(&self.database);
            call.name(&self.name_in_database).send()
        };
        let delete = async || step.aws.call("glue:DeleteTable", request).await.found();
        step.settle(delete).await.map(drop)
    }
}

impl Table {
    async fn get(&self, aws: &Aws) -> Result<types::Table, AwsError> {
        let request = || {
            let call = aws.glue.get_table().database_name(&self.database);
            call.name(&self.name_in_database).send()
        };
        let answer = aws.call("glue:GetTable", request).await?;
        answer
            .table
            .ok_or_else(|| AwsError::incomplete("glue:GetTable", "table"))
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

    /// Whether a parameter is for the spec to decide.
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
        let serde = storage
            .and_then(StorageDescriptor::serde_info)
            .filter(same_serde)
            .cloned();
        let new_serde = || {
            SerDeInfo::builder()
                .serialization_library(&state.storage.serde)
                .build()
        };
        let have_columns = storage.map(StorageDescriptor::columns).unwrap_or_default();
        let mut storage = storage
            .cloned()
            .unwrap_or_else(|| StorageDescriptor::builder().build());
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
            .name(&self.name_in_database)
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
        let new = || {
            types::Column::builder()
                .name(&column.name)
                .r#type(&column.kind)
                .build()
        };
        found.map_or_else(new, |found| Ok(found.clone()))
    });
    columns.collect::<Result<_, _>>().map_err(AwsError::from)
}
