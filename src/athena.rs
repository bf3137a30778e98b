//! Writes SQL for delivered impressions: the table's definition, unless the pipeline created the table, and example queries.
//!
//! Pure: values in, SQL out.

use serde::Serialize;

use crate::names::Names;
use crate::spec::{Compression, Format, Spec};
use crate::table::{DeliveredColumn, DeliveredTable, Partition, UnpredictablePartitions};

mod quote;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sql {
    /// The table's name, with its database's where the pipeline has made both.
    pub table: String,
    /// `CREATE EXTERNAL TABLE`; absent where the pipeline has made the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    pub queries: Vec<Query>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Query {
    pub about: &'static str,
    pub sql: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AthenaError {
    #[error("Athena does not read objects compressed as `delivery.compression: {0}`")]
    Compression(&'static str),
    /// There is no telling which partitions there are.
    #[error("Athena cannot tell which partitions `!{{firehose:random-string}}` in `delivery.prefix` makes")]
    Random,
    /// It would take a part of the prefix for the name of a partition.
    #[error("Athena takes `${{` in `delivery.prefix` for the start of a partition's name")]
    Dollar,
}

impl From<UnpredictablePartitions> for AthenaError {
    fn from(why: UnpredictablePartitions) -> Self {
        match why {
            UnpredictablePartitions::Random => Self::Random,
            UnpredictablePartitions::Dollar => Self::Dollar,
        }
    }
}

pub fn sql(spec: &Spec, names: &Names) -> Result<Sql, AthenaError> {
    let delivered = DeliveredTable::new(spec)?;
    let (database, name) = (names.database(), names.table_in_database());
    let (table, queried, create) = match (spec.delivery.format, spec.delivery.compression) {
        (Format::Parquet, _) => {
            (names.table(), format!("{}.{}", quote::name(&database), quote::name(&name)), None)
        }
        (Format::Json, Compression::Snappy) => return Err(AthenaError::Compression("snappy")),
        (Format::Json, Compression::Zip) => return Err(AthenaError::Compression("zip")),
        (Format::Json, Compression::Gzip | Compression::None) => {
            let table = format!("{database}_{name}");
            let create = create(&table, &delivered, &names.bucket(spec));
            let queried = quote::name(&table);
            (table, queried, Some(create))
        }
    };
    let queries = queries(&queried, delivered.partitions.first()).into();
    Ok(Sql { table, create, queries })
}

fn create(name: &str, table: &DeliveredTable, bucket: &str) -> String {
    let column = |column: &DeliveredColumn| format!("{} {}", quote::ddl_name(&column.name), column.kind);
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    let partitions: Vec<_> = table.partitions.iter().map(|it| column(&it.column)).collect();
    let partitions = match partitions.join(",\n  ") {
        none if none.is_empty() => none,
        some => format!("PARTITIONED BY (\n  {some}\n)\n"),
    };
    let text = |text: &str| quote::ddl_text(text);
    let properties = table.projection(bucket).into_iter();
    let properties = properties.map(|(property, value)| format!("{} = {}", text(&property), text(&value)));
    let properties = match properties.collect::<Vec<_>>().join(",\n  ") {
        none if none.is_empty() => none,
        some => format!("\nTBLPROPERTIES (\n  {some}\n)"),
    };
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS {} (\n  {}\n)\n{partitions}\
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n\
         LOCATION {}{properties};",
        quote::ddl_name(name),
        columns.join(",\n  "),
        text(&table.location(bucket))
    )
}

fn queries(table: &str, first: Option<&Partition>) -> [Query; 3] {
    let lately = first.and_then(|first| {
        let format = quote::text(&date_format(first.date.as_ref()?)?);
        let column = quote::name(&first.column.name);
        Some(format!("\nWHERE {column} >= date_format(current_timestamp - interval '7' day, {format})"))
    });
    let lately = lately.unwrap_or_default();
    let and = if lately.is_empty() { "\nWHERE" } else { "\n  AND" };
    let queries = [
        (
            "Who saw what, lately: impressions and keys of every treatment",
            format!(
                "SELECT split, treatment, count(*) AS impressions, count(DISTINCT key) AS keys\nFROM {table}{lately}\n\
                 GROUP BY split, treatment\nORDER BY impressions DESC;"
            ),
        ),
        (
            "What one key saw, newest first",
            format!(
                "SELECT from_unixtime(time / 1000.0) AS at, split, treatment, label\nFROM {table}{lately}{and} key = 'user-1'\n\
                 ORDER BY time DESC\nLIMIT 100;"
            ),
        ),
        (
            "Without what Split sent twice (delivery is at least once)",
            format!(
                "SELECT count(*) AS delivered, count(DISTINCT (key, split, treatment, time)) AS impressions\n\
                 FROM {table}{lately};"
            ),
        ),
    ];
    queries.map(|(about, sql)| Query { about, sql })
}

/// A Java date pattern as `date_format` of Athena has it, which is that of `MySQL`; nothing where it has no such format.
fn date_format(pattern: &str) -> Option<String> {
    let (mut format, mut is_quoted, mut rest) = (String::new(), false, pattern);
    while let Some(c) = rest.chars().next() {
        let is_letter = c.is_ascii_alphabetic() && !is_quoted;
        let taken = match c {
            // Two quotes are one, within quoted text too.
            '\'' if rest.starts_with("''") => "''",
            _ if is_letter => &rest[..rest.find(|other| other != c).unwrap_or(rest.len())],
            _ => &rest[..c.len_utf8()],
        };
        format += match taken {
            "''" => "'",
            "'" => {
                is_quoted = !is_quoted;
                ""
            }
            "%" => "%%",
            "yyyy" => "%Y",
            "MM" => "%m",
            "dd" => "%d",
            "HH" => "%H",
            "mm" => "%i",
            "ss" => "%s",
            _ if is_letter => return None,
            text => text,
        };
        rest = &rest[taken.len()..];
    }
    Some(format)
}

#[cfg(test)]
mod tests;
