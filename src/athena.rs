//! SQL for what is delivered: the table's definition, unless the pipeline has made it, and questions to ask of it.
//!
//! Pure: values in, SQL out.

use crate::names::Names;
use crate::spec::{Compression, Format, Spec};
use crate::table::{Column, Partition, Table, Unpredictable};

/// SQL for one pipeline's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    /// The table's name, with its database's where the pipeline has made both.
    pub table: String,
    /// `CREATE EXTERNAL TABLE`; absent where the pipeline has made the table.
    pub create: Option<String>,
    /// What each query answers, and the query.
    pub queries: Vec<(&'static str, String)>,
}

/// Why a table cannot be made of what is delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AthenaError {
    /// Athena cannot read it.
    #[error("Athena does not read objects compressed as `delivery.compression: {0}`")]
    Compression(&'static str),
    /// There is no telling which partitions there are.
    #[error("Athena cannot tell which partitions `!{{firehose:random-string}}` in `delivery.prefix` makes")]
    Random,
}

impl From<Unpredictable> for AthenaError {
    fn from(_: Unpredictable) -> Self {
        Self::Random
    }
}

/// The SQL for what a spec delivers.
pub fn sql(spec: &Spec, names: &Names) -> Result<Sql, AthenaError> {
    let delivered = Table::new(spec)?;
    let (table, create) = match (spec.delivery.format, spec.delivery.compression) {
        (Format::Parquet, _) => (names.table(), None),
        (Format::Json, Compression::Snappy) => return Err(AthenaError::Compression("snappy")),
        (Format::Json, Compression::Zip) => return Err(AthenaError::Compression("zip")),
        (Format::Json, Compression::Gzip | Compression::None) => {
            let table = format!("{}_{}", names.database(), names.table_in_database());
            let create = create(&table, &delivered, &names.bucket(spec));
            (table, Some(create))
        }
    };
    let queries = queries(&table, delivered.partitions.first());
    Ok(Sql {
        table,
        create,
        queries,
    })
}

fn create(name: &str, table: &Table, bucket: &str) -> String {
    let column = |column: &Column| format!("`{}` {}", column.name, column.kind);
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    let partitions: Vec<_> = table.partitions.iter().map(|it| column(&it.column)).collect();
    let partitions = match partitions.join(",\n  ") {
        none if none.is_empty() => none,
        some => format!("PARTITIONED BY (\n  {some}\n)\n"),
    };
    let properties = table.projection(bucket).into_iter();
    let properties = properties.map(|(property, value)| format!("'{property}' = '{}'", quoted(&value)));
    let properties = match properties.collect::<Vec<_>>().join(",\n  ") {
        none if none.is_empty() => none,
        some => format!("\nTBLPROPERTIES (\n  {some}\n)"),
    };
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n  {}\n)\n{partitions}\
         ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'\n\
         LOCATION '{}'{properties};",
        columns.join(",\n  "),
        table.location(bucket)
    )
}

/// A text as it stands within SQL's quotes, in which a quote is written twice.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

fn queries(table: &str, first: Option<&Partition>) -> Vec<(&'static str, String)> {
    let lately = first.and_then(|first| Some((&first.column.name, first.date.as_ref()?)));
    let lately = lately.map_or_else(String::new, |(column, date)| {
        let format = quoted(date)
            .replace("yyyy", "%Y")
            .replace("MM", "%m")
            .replace("dd", "%d");
        let format = format.replace("HH", "%H").replace("mm", "%i");
        format!("\nWHERE {column} >= date_format(current_timestamp - interval '7' day, '{format}')")
    });
    let and = if lately.is_empty() { "\nWHERE" } else { "\n  AND" };
    vec![
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
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::BucketName;

    fn created(text: &str) -> String {
        of(text).unwrap().create.unwrap()
    }

    fn of(text: &str) -> Result<Sql, AthenaError> {
        let mut spec = Spec::parse(text, "s.yaml").unwrap().spec;
        spec.delivery.bucket = Some(BucketName::new("bucket").unwrap());
        let names = Names::new(spec.name.as_str(), "123456789012", "aws", "eu-west-1");
        sql(&spec, &names)
    }

    #[test]
    fn the_default_prefix_has_days_and_hours() {
        let sql = of("name: my-flags").unwrap();
        assert_eq!(sql.table, "my_flags_impressions");
        let create = sql.create.unwrap();
        for part in [
            "CREATE EXTERNAL TABLE IF NOT EXISTS `my_flags_impressions` (\n  `key` string,",
            "`time` bigint",
            "PARTITIONED BY (\n  `dt` string,\n  `hour` int\n)",
            "LOCATION 's3://bucket/impressions/'",
            "'projection.dt.type' = 'date'",
            "'projection.dt.format' = 'yyyy-MM-dd'",
            "'projection.dt.interval.unit' = 'DAYS'",
            "'projection.hour.range' = '0,23'",
            "'projection.hour.digits' = '2'",
            "'storage.location.template' = 's3://bucket/impressions/dt=${dt}/hour=${hour}/'",
        ] {
            assert!(create.contains(part), "no {part:?} in\n{create}");
        }
        assert!(
            sql.queries[0]
                .1
                .contains("WHERE dt >= date_format(current_timestamp - interval '7' day, '%Y-%m-%d')")
        );
    }

    #[test]
    fn partitions_follow_from_the_prefix() {
        for (prefix, by, template) in [
            ("views/!{timestamp:yyyy/MM/dd}/", "`dt` string", "views/${dt}/"),
            (
                "y=!{timestamp:yyyy}/!{timestamp:MM}/!{timestamp:dd}/",
                "`y` int,\n  `month` int,\n  `day` int",
                "y=${y}/${month}/${day}/",
            ),
            (
                "time=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
                "`dt` string,\n  `hour` int",
                "time=${dt}/hour=${hour}/",
            ),
            (
                "a/!{timestamp:yyyy-MM-dd}/!{timestamp:yyyy-MM-dd-HH}/part-!{timestamp:mm}",
                "`dt` string,\n  `dt2` string",
                "a/${dt}/${dt2}/",
            ),
        ] {
            let create = created(&format!("name: abc\ndelivery: {{prefix: '{prefix}'}}"));
            assert!(create.contains(&format!("(\n  {by}\n)")), "{prefix}: {create}");
            let template = format!("'s3://bucket/{template}'");
            assert!(create.contains(&template), "{prefix}: {create}");
        }
        let flat = created("name: abc\ndelivery: {prefix: 'flat/'}");
        assert!(!flat.contains("PARTITIONED") && !flat.contains("TBLPROPERTIES"));
        assert!(flat.ends_with("LOCATION 's3://bucket/flat/';"), "{flat}");
    }

    #[test]
    fn columns_are_the_fields_that_are_kept() {
        let create = created("name: abc\nhandler: {fields: [key, environmentName, Key, extra]}");
        let columns = "(\n  `key` string,\n  `environmentname` string,\n  `extra` string\n)";
        assert!(create.contains(columns), "{create}");
    }

    #[test]
    fn the_table_of_parquet_is_there() {
        let sql = of("name: my-flags\ndelivery: {format: parquet}").unwrap();
        assert_eq!((sql.table.as_str(), sql.create), ("my_flags.impressions", None));
        assert!(
            sql.queries
                .iter()
                .all(|(_, query)| query.contains("FROM my_flags.impressions\nWHERE dt >="))
        );
    }

    #[test]
    fn a_quote_in_a_date_is_written_twice() {
        let create = created("name: abc\ndelivery: {prefix: \"a/!{timestamp:yyyy-MM-dd'T'HH}/\"}");
        assert!(
            create.contains("'projection.dt.format' = 'yyyy-MM-dd''T''HH'"),
            "{create}"
        );
    }

    #[test]
    fn what_athena_cannot_read_is_said_so() {
        for compression in ["snappy", "zip"] {
            let refused = of(&format!("name: abc\ndelivery: {{compression: {compression}}}"));
            assert_eq!(refused, Err(AthenaError::Compression(compression)));
        }
        let random = of("name: abc\ndelivery: {prefix: 'a/!{firehose:random-string}/'}");
        assert_eq!(random, Err(AthenaError::Random));
    }
}
